/**
 * Typed queries over sagas of both kinds in the record (migrations/0007_sweeps.sql): which have stood still too long, for the
 * sweeper, and which need somebody, for operators. The record may lag, and decides nothing: it says whom to ask.
 */

import type { Purview } from '../domain/api-key.ts';
import { toTimestamp } from '../domain/events/envelope.ts';
import type { Scope } from '../domain/ids.ts';
import { STILL_MAX_MS, STILL_MAX_MS_BY_STATE } from '../domain/sweep-policy.ts';

export type EntityKind = 'payment' | 'refund';
const TABLES = { payment: 'payments', refund: 'refunds' } as const;

/** A saga that should have moved. `walletId` of payments only. */
export interface StillSaga {
  readonly kind: EntityKind;
  readonly id: string;
  readonly scope: Scope;
  readonly walletId: string | null;
  readonly sequence: number;
}

/** The longest that a row may stand still, by its state; `?3` and `?4` in every statement here. */
const STILL_MAX = `COALESCE(?4 ->> saga_state, ${STILL_MAX_MS})`;
/** What asks on a schedule stands still by intention until then; `?5`. */
const NOT_WAITING = '(next_check_at IS NULL OR next_check_at < ?5)';
/** What the operators' list and the metrics call stuck. */
export const STUCK = `(attention IS NULL AND status = 'PENDING' AND updated_at_ms < ?3 - ${STILL_MAX} AND ${NOT_WAITING})`;
/** Since when nobody has heard of a row; as the index has it. */
export const SINCE = 'MAX(updated_at_ms, swept_at_ms)';

/** `?3` to `?5`. */
export function clock(nowMs: number): readonly [number, string, string] {
  return [nowMs, JSON.stringify(STILL_MAX_MS_BY_STATE), toTimestamp(nowMs - STILL_MAX_MS)];
}

/** Whoever has waited longest first, at most `limit`; one that was looked at waits anew. */
export async function stillSagas(
  db: D1Database,
  kind: EntityKind,
  nowMs: number,
  limit: number,
): Promise<readonly StillSaga[]> {
  const walletId = kind === 'payment' ? 'wallet_id' : 'NULL';
  const { results } = await db
    .prepare(
      `SELECT id, merchant, mode, ${walletId} AS wallet_id, sequence FROM ${TABLES[kind]}
       WHERE status = 'PENDING' AND ${SINCE} < ?2 AND ${SINCE} < ?3 - ${STILL_MAX} AND ${NOT_WAITING}
       ORDER BY ${SINCE} LIMIT ?1`,
    )
    .bind(limit, nowMs - STILL_MAX_MS, ...clock(nowMs))
    .all<{ id: string; merchant: string; mode: Scope['mode']; wallet_id: string | null; sequence: number }>();
  return results.map(({ id, merchant, mode, wallet_id, sequence }) => ({
    kind,
    id,
    scope: { merchant, mode },
    walletId: wallet_id,
    sequence,
  }));
}

/** Notes that these were looked at: before they are, so that one which breaks the run is not the next one again. */
export async function noteSwept(
  db: D1Database,
  kind: EntityKind,
  ids: readonly string[],
  nowMs: number,
): Promise<void> {
  await db
    .prepare(`UPDATE ${TABLES[kind]} SET swept_at_ms = ? WHERE id IN (SELECT value FROM json_each(?))`)
    .bind(nowMs, JSON.stringify(ids))
    .run();
}

/** Which of these payments have ended before `endedBeforeMs`. */
export async function endedPayments(
  db: D1Database,
  ids: readonly string[],
  endedBeforeMs: number,
): Promise<ReadonlySet<string>> {
  const { results } = await db
    .prepare(
      `SELECT id FROM payments
       WHERE id IN (SELECT value FROM json_each(?)) AND status <> 'PENDING' AND updated_at_ms < ?`,
    )
    .bind(JSON.stringify(ids), endedBeforeMs)
    .all<{ id: string }>();
  return new Set(results.map(({ id }) => id));
}

export interface SagaFilters {
  readonly kind?: EntityKind | undefined;
  readonly state?: string | undefined;
  readonly attention?: string | undefined;
  /** Not heard of since. */
  readonly updatedBeforeMs?: number | undefined;
}

export interface SagaRow {
  readonly id: string;
  readonly kind: EntityKind;
  readonly payment_id: string;
  readonly merchant: string;
  readonly status: string;
  readonly saga_state: string;
  readonly attention: string | null;
  readonly stuck: number;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
  readonly next_check_at: string | null;
  readonly swept_at_ms: number;
}

export interface SagaPosition {
  readonly updatedAtMs: number;
  readonly id: string;
}

/** Two parts, one for each partial index: those that wait, and those that have ended and need a person all the same. */
function selectOf(kind: EntityKind): string {
  const paymentId = kind === 'payment' ? 'id' : 'payment_id';
  const columns = `id, '${kind}' AS kind, ${paymentId} AS payment_id, merchant, status, saga_state, attention, created_at_ms, updated_at_ms,
    next_check_at, swept_at_ms,
    ${STUCK} AS stuck`;
  const asked =
    '(?1 IS NULL OR merchant = ?1) AND mode = ?2 AND (?6 IS NULL OR ?6 = saga_state) AND (?8 IS NULL OR updated_at_ms < ?8)';
  return `
    SELECT ${columns} FROM ${TABLES[kind]}
    WHERE status = 'PENDING' AND ${SINCE} > 0 AND attention IS NULL AND ?7 IS NULL AND ${asked}
    UNION ALL
    SELECT ${columns} FROM ${TABLES[kind]} WHERE attention IS NOT NULL AND (?7 IS NULL OR ?7 = attention) AND ${asked}`;
}

/**
 * Sagas that have not come to rest, whoever has not been heard of for longest first. With no state, attention or time asked
 * for: those that need somebody, by a reason for attention or because they have stood still too long.
 */
export async function listSagas(
  db: D1Database,
  purview: Purview,
  filters: SagaFilters,
  page: { readonly nowMs: number; readonly position: SagaPosition | null; readonly limit: number },
): Promise<{ readonly rows: readonly SagaRow[]; readonly next: SagaPosition | null }> {
  const { kind, state, attention, updatedBeforeMs } = filters;
  const isNarrowed = state !== undefined || attention !== undefined || updatedBeforeMs !== undefined;
  const kinds = kind === undefined ? (['payment', 'refund'] as const) : [kind];
  const { results } = await db
    .withSession('first-unconstrained')
    .prepare(
      `SELECT * FROM (${kinds.map(selectOf).join(' UNION ALL ')})
       WHERE (?9 OR attention IS NOT NULL OR stuck) AND (updated_at_ms, id) > (?10, ?11)
       ORDER BY updated_at_ms, id LIMIT ?12`,
    )
    .bind(
      purview.merchant,
      purview.mode,
      ...clock(page.nowMs),
      state ?? null,
      attention ?? null,
      updatedBeforeMs ?? null,
      isNarrowed ? 1 : 0,
      page.position?.updatedAtMs ?? 0,
      page.position?.id ?? '',
      page.limit + 1,
    )
    .all<SagaRow>();
  const rows = results.slice(0, page.limit);
  const last = rows.at(-1);
  const more = results.length > page.limit && last !== undefined;
  return { rows, next: more ? { updatedAtMs: last.updated_at_ms, id: last.id } : null };
}
