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
export async function noteCallback(db: D1Database, callback: StoredCallback, status: CallbackStatus): Promise<void> {
  await db
    .prepare('UPDATE provider_callbacks SET status = ?, attempts = attempts + 1 WHERE provider = ? AND event_id = ?')
    .bind(status, callback.provider, callback.eventId)
    .run();
}

/** Callbacks that no saga has heard yet, oldest first, received until `receivedBeforeMs`. */
export async function undeliveredCallbacks(
  db: D1Database,
  receivedBeforeMs: number,
  limit: number,
): Promise<(StoredCallback & { readonly receivedAtMs: number })[]> {
  const { results } = await db
    .prepare(
      `SELECT provider, event_id, entity_id, outcome, received_at_ms FROM provider_callbacks
       WHERE status IN ('received', 'unmatched') AND received_at_ms <= ? ORDER BY received_at_ms LIMIT ?`,
    )
    .bind(receivedBeforeMs, limit)
    .all<{ provider: string; event_id: string; entity_id: string; outcome: string; received_at_ms: number }>();
  return results.map((row) => ({
    provider: row.provider,
    eventId: row.event_id,
    entityId: row.entity_id,
    outcome: JSON.parse(row.outcome) as Outcome,
    receivedAtMs: row.received_at_ms,
  }));
}
