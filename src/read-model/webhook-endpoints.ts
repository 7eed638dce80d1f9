/**
 * Typed queries over `webhook_endpoints` (migrations/0003_webhooks.sql): the directory of which endpoints a merchant has. A
 * row never changes but in its counts; the endpoint itself is its object's. Read from the primary, so that an endpoint is
 * there for every notification that follows its creation.
 */
import type { Spent } from '../domain/cost/spent.ts';
import type { Scope } from '../domain/ids.ts';
import { WEBHOOK_ENDPOINTS_MAX } from '../domain/limits.ts';
import { type DeliveryTotals, WEBHOOK_SERIES, type WebhookEventType } from '../domain/webhook.ts';
import { spentOf } from './d1-spent.ts';

export interface DirectoryEntry {
  readonly id: string;
  readonly scope: Scope;
  /** null: all types. */
  readonly events: readonly WebhookEventType[] | null;
}

interface Row {
  id: string;
  merchant: string;
  mode: Scope['mode'];
  events: string | null;
}

/** Enters an endpoint; false when the merchant has as many as it may. Checked and written in one statement. */
export async function enterEndpoint(db: D1Database, entry: DirectoryEntry, nowMs: number): Promise<boolean> {
  const { merchant, mode } = entry.scope;
  const { meta } = await db
    .prepare(
      `INSERT INTO webhook_endpoints (merchant, mode, id, events, created_at_ms, delivered_count, failed_count)
       SELECT ?1, ?2, ?3, ?4, ?5, 0, 0
       WHERE (SELECT COUNT(*) FROM webhook_endpoints WHERE merchant = ?1 AND mode = ?2) < ?6
       ON CONFLICT DO NOTHING`,
    )
    .bind(
      merchant,
      mode,
      entry.id,
      entry.events === null ? null : JSON.stringify(entry.events),
      nowMs,
      WEBHOOK_ENDPOINTS_MAX,
    )
    .run();
  return meta.changes > 0;
}

/** Strikes an endpoint out; false when it was not there. */
export async function strikeEndpoint(db: D1Database, { merchant, mode }: Scope, id: string): Promise<boolean> {
  const { meta } = await db
    .prepare('DELETE FROM webhook_endpoints WHERE merchant = ? AND mode = ? AND id = ?')
    .bind(merchant, mode, id)
    .run();
  return meta.changes > 0;
}

/** A merchant's endpoints, newest first; at most WEBHOOK_ENDPOINTS_MAX. */
export async function endpointsOf(db: D1Database, { merchant, mode }: Scope): Promise<string[]> {
  const { results } = await db
    .prepare('SELECT id FROM webhook_endpoints WHERE merchant = ? AND mode = ? ORDER BY created_at_ms DESC, id')
    .bind(merchant, mode)
    .all<{ id: string }>();
  return results.map(({ id }) => id);
}

/** The endpoints of all these merchants, in one query whatever their number, and what it has cost. */
export async function directoryOf(
  db: D1Database,
  scopes: readonly Scope[],
): Promise<{ readonly entries: readonly DirectoryEntry[]; readonly spent: Spent }> {
  const result = await db
    .prepare(
      `SELECT id, merchant, mode, events FROM webhook_endpoints
       WHERE (merchant, mode) IN (SELECT value ->> '$.merchant', value ->> '$.mode' FROM json_each(?))`,
    )
    .bind(JSON.stringify(scopes))
    .all<Row>();
  const entries = result.results.map(({ id, merchant, mode, events }) => ({
    id,
    scope: { merchant, mode },
    events: events === null ? null : (JSON.parse(events) as WebhookEventType[]),
  }));
  return { entries, spent: spentOf([result]) };
}

/** Adds what is new of an endpoint's total to its series. Totals only grow: the same one again adds nothing. */
const count = (column: 'delivered_count' | 'failed_count'): string => `
  INSERT INTO metric_counters (series, value)
  SELECT ?5, ?4 - ${column} FROM webhook_endpoints
  WHERE merchant = ?1 AND mode = ?2 AND id = ?3 AND ${column} < ?4
  ON CONFLICT (series) DO UPDATE SET value = value + excluded.value`;

const REPORT = `
  UPDATE webhook_endpoints SET delivered_count = MAX(delivered_count, ?4), failed_count = MAX(failed_count, ?5)
  WHERE merchant = ?1 AND mode = ?2 AND id = ?3 AND (delivered_count < ?4 OR failed_count < ?5)`;

/**
 * Counts an endpoint's deliveries in the metrics, each once: absolute totals, compared and added in one transaction, so that
 * reporting again, late or out of order changes nothing.
 * @throws what D1 throws, with nothing written.
 */
export async function reportTotals(db: D1Database, scope: Scope, id: string, totals: DeliveryTotals): Promise<void> {
  const endpoint = [scope.merchant, scope.mode, id] as const;
  await db.batch([
    db.prepare(count('delivered_count')).bind(...endpoint, totals.delivered, WEBHOOK_SERIES.delivered),
    db.prepare(count('failed_count')).bind(...endpoint, totals.failed, WEBHOOK_SERIES.failed),
    db.prepare(REPORT).bind(...endpoint, totals.delivered, totals.failed),
  ]);
}
