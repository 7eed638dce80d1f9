/**
 * Typed SQL of one reconciliation's storage; knows tables and JSON, not rules. Synchronous throughout. Nothing is written, not
 * even a table, for an object that was never begun.
 */
import type { StatementLine } from '../../src/domain/reconciliation/books.ts';
import type { ReconciliationPlan, ReconciliationProgress } from '../../src/domain/reconciliation/plan.ts';
import type { Window } from '../../src/domain/reconciliation/subject.ts';
import { SCHEMA } from './schema.ts';

export interface Run {
  readonly plan: ReconciliationPlan;
  readonly progress: ReconciliationProgress;
}

export class ReconciliationStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  load(): Run | null {
    if (this.#sql.exec(`SELECT 1 FROM sqlite_master WHERE name = 'run'`).toArray().length === 0) return null;
    const [row] = this.#sql.exec<{ plan: string; progress: string }>('SELECT plan, progress FROM run').toArray();
    if (row === undefined) return null;
    return {
      plan: JSON.parse(row.plan) as ReconciliationPlan,
      progress: JSON.parse(row.progress) as ReconciliationProgress,
    };
  }

  begin({ plan, progress }: Run): void {
    for (const statement of SCHEMA) this.#sql.exec(statement);
    this.#sql.exec(
      'INSERT INTO run (only, plan, progress) VALUES (1, ?, ?)',
      JSON.stringify(plan),
      JSON.stringify(progress),
    );
  }

  save(progress: ReconciliationProgress): void {
    this.#sql.exec('UPDATE run SET progress = ?', JSON.stringify(progress));
  }

  /** A line that comes again replaces itself; one that the provider now tells of another payment is both. */
  putLines(lines: readonly StatementLine[]): void {
    for (const line of lines) {
      this.#sql.exec(
        `REPLACE INTO lines (payment_key, provider, kind, reference, created_at_ms, line) VALUES (?, ?, ?, ?, ?, ?)`,
        paymentKey(line),
        line.provider,
        line.kind,
        line.reference,
        line.createdAtMs,
        JSON.stringify(line),
      );
    }
  }

  linesOf(keys: readonly string[]): StatementLine[] {
    return this.#sql
      .exec<{ line: string }>(
        'SELECT line FROM lines WHERE payment_key IN (SELECT value FROM json_each(?))',
        JSON.stringify(keys),
      )
      .toArray()
      .map(({ line }) => JSON.parse(line) as StatementLine);
  }

  /** Payments, or lines that name none, with something made in the window, not compared yet: after `key`, in order. */
  keysLeft(key: string, { fromMs, toMs }: Window, limit: number): string[] {
    return this.#sql
      .exec<{ payment_key: string }>(
        `SELECT DISTINCT payment_key FROM lines
         WHERE payment_key > ? AND created_at_ms >= ? AND created_at_ms < ?
           AND NOT EXISTS (SELECT 1 FROM compared WHERE compared.payment_key = lines.payment_key)
         ORDER BY payment_key LIMIT ?`,
        key,
        fromMs,
        toMs,
        limit,
      )
      .toArray()
      .map((row) => row.payment_key);
  }

  /** Those of the payments that are not compared yet. */
  uncompared(paymentIds: readonly string[]): string[] {
    return this.#sql
      .exec<{ value: string }>(
        'SELECT value FROM json_each(?) WHERE value NOT IN (SELECT payment_key FROM compared)',
        JSON.stringify(paymentIds),
      )
      .toArray()
      .map(({ value }) => value);
  }

  markCompared(keys: readonly string[]): void {
    this.#sql.exec('INSERT OR IGNORE INTO compared SELECT value FROM json_each(?)', JSON.stringify(keys));
  }
}

/** No id of ours begins like the key of a line that names no payment. */
function paymentKey({ paymentId, provider, kind, reference }: StatementLine): string {
  return paymentId ?? `?${provider} ${kind} ${reference}`;
}
