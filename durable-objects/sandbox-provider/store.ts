/**
 * Typed SQL of a sandbox provider's books; knows tables, not tokens. Synchronous throughout: what one call books commits
 * together. Tables are made at the first write, so that an object that was only read holds nothing.
 */
import { type CallbackRow, type ChargeRow, type RefundRow, SCHEMA } from './schema.ts';

/** Callbacks that are done and still shown; older ones are deleted. */
const CALLBACKS_KEPT_MAX = 1_000;

type Row = Record<string, SqlStorageValue>;

/** The books as the desk needs them: SQL here, memory in the simulator (test/simulation). */
export type DeskBooks = Pick<BookStore, 'charge' | 'putCharge' | 'refund' | 'putRefund' | 'addCallback'>;

export class BookStore {
  readonly #sql: SqlStorage;
  #hasTables: boolean;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#hasTables = sql.exec(`SELECT 1 FROM sqlite_master WHERE name = 'callbacks'`).toArray().length > 0;
  }

  charge(key: string): ChargeRow | null {
    return this.#first<ChargeRow>('SELECT * FROM charges WHERE key = ?', key);
  }

  /** One written row, new or not. */
  putCharge(row: ChargeRow): void {
    this.#put('charges', { ...row });
  }

  refund(key: string): RefundRow | null {
    return this.#first<RefundRow>('SELECT * FROM refunds WHERE key = ?', key);
  }

  putRefund(row: RefundRow): void {
    this.#put('refunds', { ...row });
  }

  /** Charges after `key` in the order of keys. */
  chargesAfter(key: string, limit: number): ChargeRow[] {
    return this.#all<ChargeRow>('SELECT * FROM charges WHERE key > ? ORDER BY key LIMIT ?', key, limit);
  }

  refundsAfter(key: string, limit: number): RefundRow[] {
    return this.#all<RefundRow>('SELECT * FROM refunds WHERE key > ? ORDER BY key LIMIT ?', key, limit);
  }

  addCallback(provider: string, body: string, dueAtMs: number, forged: boolean): void {
    this.#create();
    this.#sql.exec(
      `INSERT INTO callbacks (provider, body, forged, due_at_ms, attempts, last_status, done)
       VALUES (?, ?, ?, ?, 0, NULL, 0)`,
      provider,
      body,
      forged ? 1 : 0,
      dueAtMs,
    );
  }

  /** What is to be sent by now, oldest due first. */
  dueCallbacks(nowMs: number, limit: number): CallbackRow[] {
    return this.#all<CallbackRow>(
      'SELECT * FROM callbacks WHERE done = 0 AND due_at_ms <= ? ORDER BY due_at_ms, id LIMIT ?',
      nowMs,
      limit,
    );
  }

  nextCallbackAtMs(): number | null {
    return (
      this.#first<{ due: number | null }>('SELECT min(due_at_ms) AS due FROM callbacks WHERE done = 0')?.due ?? null
    );
  }

  setCallback({ id, attempts, last_status: status, due_at_ms: dueAtMs, done }: CallbackRow): void {
    this.#sql.exec(
      'UPDATE callbacks SET attempts = ?, last_status = ?, due_at_ms = ?, done = ? WHERE id = ?',
      attempts,
      status,
      dueAtMs,
      done,
      id,
    );
    if (done === 1) this.#sql.exec('DELETE FROM callbacks WHERE done = 1 AND id <= ?', id - CALLBACKS_KEPT_MAX);
  }

  /** Newest first. */
  callbacks(limit: number): CallbackRow[] {
    return this.#all<CallbackRow>('SELECT * FROM callbacks ORDER BY id DESC LIMIT ?', limit);
  }

  #put(table: 'charges' | 'refunds', row: Row): void {
    this.#create();
    const columns = Object.keys(row);
    const marks = columns.map(() => '?').join(', ');
    this.#sql.exec(`REPLACE INTO ${table} (${columns.join(', ')}) VALUES (${marks})`, ...Object.values(row));
  }

  #first<T>(query: string, ...values: SqlStorageValue[]): T | null {
    return this.#all<T>(query, ...values)[0] ?? null;
  }

  #all<T>(query: string, ...values: SqlStorageValue[]): T[] {
    if (!this.#hasTables) return [];
    // The row types stand next to the schema that makes them true (schema.ts).
    return this.#sql.exec(query, ...values).toArray() as T[];
  }

  #create(): void {
    if (this.#hasTables) return;
    for (const statement of SCHEMA) this.#sql.exec(statement);
    this.#hasTables = true;
  }
}
