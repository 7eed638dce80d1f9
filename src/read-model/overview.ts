/**
 * Typed queries of GET /ops/overview over the record (D1): of one merchant, or all of a mode. Each reads a bounded number of rows
 * through an index, and says when there were more; nothing is written and no object is asked.
 */
import { type ActivityWindow, type SlotCount, WINDOWS, windowFromMs } from '../domain/activity.ts';
import type { Purview } from '../domain/api-key.ts';
import { sagaGauges } from './metrics.ts';
import type { EntityKind } from './sagas.ts';

/**
 * Payments of a merchant that were made in the window, counted by slot and status, the newest `rowsMax` of them. Of all merchants
 * none are counted: no index has them by time, and it would be one more written row of each payment; /metrics has their rates.
 * (A bound number is a REAL to SQLite, and so is a quotient by it: hence the cast.)
 */
export async function paymentActivity(
  db: D1Database,
  { merchant, mode }: Purview,
  window: ActivityWindow,
  nowMs: number,
  rowsMax: number,
): Promise<{ readonly counts: readonly SlotCount[]; readonly truncated: boolean }> {
  if (merchant === null) return { counts: [], truncated: true };
  const { results } = await db
    .withSession('first-unconstrained')
    .prepare(
      `SELECT CAST(created_at_ms / ?4 AS INTEGER) AS slot, status, COUNT(*) AS count FROM (
         SELECT created_at_ms, status FROM payments WHERE merchant = ?1 AND mode = ?2 AND created_at_ms >= ?3
         ORDER BY created_at_ms DESC, id DESC LIMIT ?5
       ) GROUP BY slot, status`,
    )
    .bind(merchant, mode, windowFromMs(window, nowMs), WINDOWS[window].slotMs, rowsMax)
    .all<SlotCount>();
  return { counts: results, truncated: results.reduce((total, { count }) => total + count, 0) >= rowsMax };
}

/** Sagas of one kind that have not come to rest. */
export interface Unfinished {
  readonly kind: EntityKind;
  readonly count: number;
  readonly stuck: number;
  readonly attention: number;
}

/** Money of payments that have not ended. */
export interface Limbo {
  readonly currency: string;
  readonly payments: number;
  /** A sum may be more than a number holds. */
  readonly amountMinor: bigint;
}

/** Sagas that have not come to rest, of one merchant or all, and the money in them; at most `rowsMax` rows of each kind are read. */
export async function unfinishedSagas(
  db: D1Database,
  purview: Purview,
  nowMs: number,
  rowsMax: number,
): Promise<{ readonly sagas: readonly Unfinished[]; readonly limbo: readonly Limbo[]; readonly truncated: boolean }> {
  const { unfinished, attention } = await sagaGauges(db, nowMs, rowsMax, purview);
  const sagas = (['payment', 'refund'] as const).map((kind) => {
    const rows = unfinished.filter((row) => row.kind === kind);
    return {
      kind,
      count: sum(rows.map(({ count }) => count)),
      stuck: sum(rows.map(({ stuck }) => stuck)),
      attention: sum(attention.filter((row) => row.kind === kind).map(({ count }) => count)),
    };
  });
  const limbo = [...Map.groupBy(unfinished, ({ currency }) => currency)].flatMap(([currency, rows]) =>
    currency === null
      ? []
      : [
          {
            currency,
            payments: sum(rows.map(({ count }) => count)),
            amountMinor: rows.reduce((total, { amountMinor }) => total + amountMinor, 0n),
          },
        ],
  );
  const truncated = sagas.some(({ count, attention: needing }) => count >= rowsMax || needing >= rowsMax);
  return { sagas, limbo: limbo.toSorted((one, other) => (one.currency < other.currency ? -1 : 1)), truncated };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
