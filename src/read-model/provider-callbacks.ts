/** The stored callbacks of providers (D1): each once, by the provider's own id of it. Typed SQL; decides nothing. */
import type { Outcome } from '../domain/saga/outcome.ts';

export interface StoredCallback {
  readonly provider: string;
  readonly eventId: string;
  readonly entityId: string;
  readonly outcome: Outcome;
}

export type CallbackStatus = 'received' | 'delivered' | 'unmatched' | 'abandoned';

/** Stores a callback if it is new, and answers the status that it stands in: `received` for a new one. */
export async function keepCallback(
  db: D1Database,
  callback: StoredCallback,
  occurredAtMs: number,
  nowMs: number,
): Promise<CallbackStatus> {
  const { provider, eventId, entityId, outcome } = callback;
  const [, kept] = await db.batch<{ status: CallbackStatus }>([
    db
      .prepare(
        `INSERT INTO provider_callbacks
           (provider, event_id, entity_id, outcome, status, attempts, occurred_at_ms, received_at_ms)
         VALUES (?, ?, ?, ?, 'received', 0, ?, ?) ON CONFLICT (provider, event_id) DO NOTHING`,
      )
      .bind(provider, eventId, entityId, JSON.stringify(outcome), occurredAtMs, nowMs),
    db.prepare('SELECT status FROM provider_callbacks WHERE provider = ? AND event_id = ?').bind(provider, eventId),
  ]);
  return kept?.results[0]?.status ?? 'received';
}

/** Notes what came of one try to tell the saga. */
export async function noteCallback(
  db: D1Database,
  callback: StoredCallback,
  status: CallbackStatus,
  nowMs: number,
): Promise<void> {
  await db
    .prepare(
      `UPDATE provider_callbacks SET status = ?, attempts = attempts + 1, tried_at_ms = ?
       WHERE provider = ? AND event_id = ?`,
    )
    .bind(status, nowMs, callback.provider, callback.eventId)
    .run();
}

/** One that no saga has heard yet. */
export interface UndeliveredCallback extends StoredCallback {
  readonly status: 'received' | 'unmatched';
  readonly receivedAtMs: number;
}

interface UndeliveredRow {
  readonly provider: string;
  readonly event_id: string;
  readonly entity_id: string;
  readonly outcome: string;
  readonly status: UndeliveredCallback['status'];
  readonly received_at_ms: number;
}

/** Callbacks that no saga has heard yet, received and last tried until `beforeMs`, the longest ago first. */
export async function undeliveredCallbacks(
  db: D1Database,
  beforeMs: number,
  limit: number,
): Promise<UndeliveredCallback[]> {
  // By one status at a time the index has their order: of both at once all would be read.
  const of = (status: UndeliveredCallback['status']) =>
    `SELECT * FROM (SELECT *, MAX(received_at_ms, tried_at_ms) AS at_ms FROM provider_callbacks
       WHERE status = '${status}' AND MAX(received_at_ms, tried_at_ms) <= ?1
       ORDER BY MAX(received_at_ms, tried_at_ms) LIMIT ?2)`;
  const { results } = await db
    .prepare(`${of('received')} UNION ALL ${of('unmatched')} ORDER BY at_ms LIMIT ?2`)
    .bind(beforeMs, limit)
    .all<UndeliveredRow>();
  return results.map((row) => ({
    provider: row.provider,
    eventId: row.event_id,
    entityId: row.entity_id,
    outcome: JSON.parse(row.outcome) as Outcome,
    status: row.status,
    receivedAtMs: row.received_at_ms,
  }));
}
