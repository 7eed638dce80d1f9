/**
 * The reports of reconciliations (D1: migrations/0009_reconciliations.sql): typed SQL, decides nothing. Each is written by its
 * object alone, in steps that may be repeated: a finding is known by what it is about, a report by its id.
 */
import { RECONCILIATION_DIFFERENCES_MAX } from '../domain/limits.ts';
import type { Difference, DifferenceClass } from '../domain/reconciliation/difference.ts';
import { BEGUN, type ReconciliationPlan, type ReconciliationProgress } from '../domain/reconciliation/plan.ts';
import type { Attention } from '../domain/reconciliation/reconcile.ts';
import type { PagePosition } from './pages.ts';

export type ReconciliationStatus = 'running' | 'finished' | 'failed';

export interface StoredReconciliation {
  readonly status: ReconciliationStatus;
  readonly plan: ReconciliationPlan;
  readonly progress: ReconciliationProgress;
  readonly updatedAtMs: number;
}

export type Finding = ({ readonly kind: 'difference' } & Difference) | ({ readonly kind: 'attention' } & Attention);

/** What identifies a finding in its report, in the order in which they are listed. */
export interface FindingPosition {
  readonly paymentId: string;
  readonly class: string;
  readonly subject: string;
}

interface Row {
  readonly status: ReconciliationStatus;
  readonly plan: string;
  readonly progress: string;
  readonly updated_at_ms: number;
}

/** Enters one that begins, unless `runningMax` are running; false when it was not entered, or was there already. */
export async function enterReconciliation(
  db: D1Database,
  plan: ReconciliationPlan,
  runningMax: number,
): Promise<boolean> {
  const { meta } = await db
    .prepare(
      `INSERT INTO reconciliations (id, mode, status, plan, progress, created_at_ms, updated_at_ms)
       SELECT ?1, ?2, 'running', ?3, ?4, ?5, ?5
       WHERE (SELECT COUNT(*) FROM reconciliations WHERE mode = ?2 AND status = 'running') < ?6
       ON CONFLICT DO NOTHING`,
    )
    .bind(plan.id, plan.mode, JSON.stringify(plan), JSON.stringify(BEGUN), plan.createdAtMs, runningMax)
    .run();
  return meta.changes > 0;
}

/** Writes how far one is, and what its last page has found: one transaction. The same page again changes nothing. */
export async function reportStep(
  db: D1Database,
  id: string,
  state: { readonly status: ReconciliationStatus; readonly progress: ReconciliationProgress },
  findings: readonly Finding[],
  nowMs: number,
): Promise<void> {
  const rows = findings.map((finding) => ({
    ...positionOf(finding),
    ...sumOf(finding),
    body: JSON.stringify(finding),
  }));
  await db.batch([
    db
      .prepare(
        `INSERT INTO reconciliation_findings (reconciliation_id, payment_id, class, subject, currency, in_doubt_minor, body)
         SELECT ?1, value ->> '$.paymentId', value ->> '$.class', value ->> '$.subject', value ->> '$.currency',
                value ->> '$.inDoubtMinor', value ->> '$.body'
         FROM json_each(?2) WHERE true
         ON CONFLICT DO UPDATE SET body = excluded.body, in_doubt_minor = excluded.in_doubt_minor`,
      )
      .bind(id, JSON.stringify(rows)),
    db
      .prepare('UPDATE reconciliations SET status = ?, progress = ?, updated_at_ms = ? WHERE id = ?')
      .bind(state.status, JSON.stringify(state.progress), nowMs, id),
  ]);
}

function positionOf(finding: Finding): FindingPosition {
  if (finding.kind === 'difference') {
    return { paymentId: finding.paymentId ?? '', class: finding.class, subject: finding.subject };
  }
  return { paymentId: finding.paymentId, class: 'needs_attention', subject: finding.entityId };
}

function sumOf(finding: Finding): { currency: string; inDoubtMinor: number } {
  const inDoubtMinor = finding.kind === 'difference' ? finding.inDoubtMinor : finding.amountMinor;
  return { currency: finding.currency, inDoubtMinor };
}

/** What adds up to the report's totals: of differences only. */
export async function differencesOf(
  db: D1Database,
  id: string,
): Promise<{ class: DifferenceClass; currency: string; inDoubtMinor: number }[]> {
  const { results } = await db
    .prepare(
      `SELECT class, currency, in_doubt_minor AS inDoubtMinor FROM reconciliation_findings
       WHERE reconciliation_id = ? AND class <> 'needs_attention' LIMIT ?`,
    )
    .bind(id, RECONCILIATION_DIFFERENCES_MAX)
    .all<{ class: DifferenceClass; currency: string; inDoubtMinor: number }>();
  return results;
}

export async function readReconciliation(
  db: D1Database,
  mode: ReconciliationPlan['mode'],
  id: string,
): Promise<StoredReconciliation | null> {
  const row = await db
    .prepare('SELECT status, plan, progress, updated_at_ms FROM reconciliations WHERE id = ? AND mode = ?')
    .bind(id, mode)
    .first<Row>();
  return row === null ? null : storedOf(row);
}

/** One page, newest first, after `position`; one row more than `limit` tells whether another page follows. */
export async function listReconciliations(
  db: D1Database,
  mode: ReconciliationPlan['mode'],
  position: PagePosition | null,
  limit: number,
): Promise<{ readonly items: readonly StoredReconciliation[]; readonly next: PagePosition | null }> {
  const { results } = await db
    .prepare(
      `SELECT status, plan, progress, updated_at_ms FROM reconciliations
       WHERE mode = ? AND (created_at_ms, id) < (?, ?) ORDER BY created_at_ms DESC, id DESC LIMIT ?`,
    )
    .bind(mode, position?.createdAtMs ?? Number.MAX_SAFE_INTEGER, position?.id ?? '', limit + 1)
    .all<Row>();
  const items = results.slice(0, limit).map(storedOf);
  const last = items.at(-1)?.plan;
  const next = results.length > limit && last !== undefined ? { createdAtMs: last.createdAtMs, id: last.id } : null;
  return { items, next };
}

/** One page of a report's findings, by payment, after `position`. */
export async function listFindings(
  db: D1Database,
  id: string,
  className: string | undefined,
  position: FindingPosition | null,
  limit: number,
): Promise<{ readonly items: readonly Finding[]; readonly next: FindingPosition | null }> {
  const { results } = await db
    .prepare(
      `SELECT body FROM reconciliation_findings
       WHERE reconciliation_id = ?1 AND (payment_id, class, subject) > (?2, ?3, ?4) AND (?5 IS NULL OR class = ?5)
       ORDER BY payment_id, class, subject LIMIT ?6`,
    )
    .bind(id, position?.paymentId ?? '', position?.class ?? '', position?.subject ?? '', className ?? null, limit + 1)
    .all<{ body: string }>();
  const items = results.slice(0, limit).map(({ body }) => JSON.parse(body) as Finding);
  const last = items.at(-1);
  return { items, next: results.length > limit && last !== undefined ? positionOf(last) : null };
}

/** Those that run and have not moved since `beforeMs`. */
export async function stillReconciliations(
  db: D1Database,
  mode: ReconciliationPlan['mode'],
  beforeMs: number,
  limit: number,
): Promise<ReconciliationPlan[]> {
  const { results } = await db
    .prepare(`SELECT plan FROM reconciliations WHERE mode = ? AND status = 'running' AND updated_at_ms < ? LIMIT ?`)
    .bind(mode, beforeMs, limit)
    .all<{ plan: string }>();
  return results.map(({ plan }) => JSON.parse(plan) as ReconciliationPlan);
}

/** Deletes the oldest report that was begun before `beforeMs`, with its findings; one at a time bounds the work. False: there was none. */
export async function forgetOldReconciliation(
  db: D1Database,
  mode: ReconciliationPlan['mode'],
  beforeMs: number,
): Promise<boolean> {
  const oldest = `SELECT id FROM reconciliations WHERE mode = ?1 AND created_at_ms < ?2 ORDER BY created_at_ms, id LIMIT 1`;
  const [, forgotten] = await db.batch([
    db.prepare(`DELETE FROM reconciliation_findings WHERE reconciliation_id IN (${oldest})`).bind(mode, beforeMs),
    db.prepare(`DELETE FROM reconciliations WHERE id IN (${oldest})`).bind(mode, beforeMs),
  ]);
  return (forgotten?.meta.changes ?? 0) > 0;
}

function storedOf({ status, plan, progress, updated_at_ms: updatedAtMs }: Row): StoredReconciliation {
  return {
    status,
    plan: JSON.parse(plan) as ReconciliationPlan,
    progress: JSON.parse(progress) as ReconciliationProgress,
    updatedAtMs,
  };
}
