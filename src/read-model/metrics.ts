/**
 * Typed queries of GET /metrics over the record (D1): of the whole deployment, every merchant and mode; GET /ops/overview asks the
 * same of whom its operator may see. Each reads a bounded number of rows through an index; nothing is written and nothing kept.
 */
import type { Purview } from '../domain/api-key.ts';
import { isComplete, type ReconciliationProgress } from '../domain/reconciliation/plan.ts';
import { clock, type EntityKind, SINCE, STUCK } from './sagas.ts';

/** Unfinished sagas of one kind, state and currency. */
export interface UnfinishedSagas {
  readonly kind: EntityKind;
  readonly state: string;
  /** Of payments. */
  readonly currency: string | null;
  readonly count: number;
  readonly stuck: number;
  /** A sum may be more than a number holds. */
  readonly amountMinor: bigint;
  readonly oldestCreatedAtMs: number;
}

export interface SagasNeedingAttention {
  readonly kind: EntityKind;
  readonly reason: string;
  readonly count: number;
}

type UnfinishedRow = Omit<UnfinishedSagas, 'amountMinor'> & { readonly millions: number; readonly rest: number };

const KINDS = ['payment', 'refund'] as const;
/** Amounts are added up in two parts, so that no sum is more than an integer of SQLite's, or a number of ours, holds exactly. */
const SPLIT = 1_000_000;

/** Whose sagas: `?2` and a mode; null is everybody's. */
function isOf(mode: string): string {
  return `(?2 IS NULL OR merchant = ?2) AND (${mode} IS NULL OR mode = ${mode})`;
}

/** Whoever has waited longest is read first: the order is that of the partial index, so nothing else is read. */
function unfinishedOf(kind: EntityKind): string {
  const [currency, amount] = kind === 'payment' ? [`body ->> '$.currency'`, `body ->> '$.amount'`] : ['NULL', '0'];
  return `
    SELECT '${kind}' AS kind, state, currency, COUNT(*) AS count, SUM(stuck) AS stuck,
           SUM(amount / ${SPLIT}) AS millions, SUM(amount % ${SPLIT}) AS rest, MIN(created_at_ms) AS oldestCreatedAtMs
    FROM (
      SELECT saga_state AS state, ${currency} AS currency, ${amount} AS amount, created_at_ms, ${STUCK} AS stuck
      FROM ${kind}s WHERE status = 'PENDING' AND ${isOf('?6')} ORDER BY ${SINCE} LIMIT ?1
    ) GROUP BY state, currency`;
}

function attentionOf(kind: EntityKind): string {
  return `
    SELECT '${kind}' AS kind, attention AS reason, COUNT(*) AS count
    FROM (SELECT attention FROM ${kind}s WHERE attention IS NOT NULL AND ${isOf('?3')} ORDER BY updated_at_ms, id LIMIT ?1)
    GROUP BY attention`;
}

/** Sagas that have not come to rest, counted; at most `rowsMax` rows of each kind are read. */
export async function sagaGauges(
  db: D1Database,
  nowMs: number,
  rowsMax: number,
  of: Pick<Purview, 'merchant'> & { readonly mode: Purview['mode'] | null } = { merchant: null, mode: null },
): Promise<{ readonly unfinished: readonly UnfinishedSagas[]; readonly attention: readonly SagasNeedingAttention[] }> {
  const [payments, refunds, ...attention] = await db.batch([
    ...KINDS.map((kind) => db.prepare(unfinishedOf(kind)).bind(rowsMax, of.merchant, ...clock(nowMs), of.mode)),
    ...KINDS.map((kind) => db.prepare(attentionOf(kind)).bind(rowsMax, of.merchant, of.mode)),
  ]);
  const rows = [...(payments?.results ?? []), ...(refunds?.results ?? [])] as UnfinishedRow[];
  return {
    unfinished: rows.map(({ millions, rest, ...row }) => ({
      ...row,
      amountMinor: BigInt(millions) * BigInt(SPLIT) + BigInt(rest),
    })),
    attention: attention.flatMap(({ results }) => results) as SagasNeedingAttention[],
  };
}

/** How large the record is, and since when the oldest object of the archive that is not written yet has been planned; null: none is. */
export async function recordGauges(
  db: D1Database,
): Promise<{ readonly sizeBytes: number; readonly plannedAtMs: number | null }> {
  const { results, meta } = await db
    .prepare(`SELECT MIN(planned_at_ms) AS plannedAtMs FROM archives WHERE status = 'planned'`)
    .all<{ plannedAtMs: number | null }>();
  return { sizeBytes: meta.size_after, plannedAtMs: results[0]?.plannedAtMs ?? null };
}

export interface FinishedReconciliation {
  readonly createdAtMs: number;
  readonly differences: number;
  /** False: no difference means nothing for what was not compared (decision 0056). */
  readonly complete: boolean;
}

/**
 * The newest reconciliation of all providers that came to its end: a night's, or an operator's that names no provider. One of a
 * single provider says nothing of the others, and must not stand in for the night. Null: none came to its end.
 */
export async function lastFinishedReconciliation(
  db: D1Database,
  mode: 'sandbox' | 'live',
): Promise<FinishedReconciliation | null> {
  const row = await db
    .prepare(
      // As the index of migrations/0013_reconciliations_of_all.sql says it: in other words it would not be used.
      `SELECT progress, created_at_ms AS createdAtMs FROM reconciliations
       WHERE mode = ? AND status = 'finished' AND plan ->> '$.provider' IS NULL ORDER BY created_at_ms DESC LIMIT 1`,
    )
    .bind(mode)
    .first<{ progress: string; createdAtMs: number }>();
  if (row === null) return null;
  const progress = JSON.parse(row.progress) as ReconciliationProgress;
  return { createdAtMs: row.createdAtMs, differences: progress.differences, complete: isComplete(progress) };
}
