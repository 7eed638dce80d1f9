/**
 * Typed SQL of the payment's storage; knows tables and JSON, not sagas. Synchronous throughout: a commit has no await in
 * it. Nothing is written, not even a table, for an object that was only read.
 */
import type { Envelope } from '../../src/domain/events/envelope.ts';
import type { PaymentRecord } from '../../src/domain/saga/payment-record.ts';
import { SCHEMA } from './schema.ts';

export interface Commit {
  readonly events: readonly Envelope[];
  readonly closes: boolean;
}

export class PaymentStore {
  readonly #sql: SqlStorage;
  #hasTables: boolean;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#hasTables = sql.exec(`SELECT 1 FROM sqlite_master WHERE name = 'commits'`).toArray().length > 0;
  }

  /** The newest record; `expired` where only a tombstone is left; null for an object that holds nothing. */
  load(): PaymentRecord | 'expired' | null {
    if (!this.#hasTables) return null;
    const [row] = this.#sql
      .exec<{ record: string }>('SELECT record FROM commits ORDER BY sequence_last DESC LIMIT 1')
      .toArray();
    if (row !== undefined) return JSON.parse(row.record) as PaymentRecord;
    return this.#sql.exec('SELECT 1 FROM tombstones').toArray().length > 0 ? 'expired' : null;
  }

  /** One commit, one row. */
  append(commit: Commit, record: PaymentRecord): void {
    if (!this.#hasTables) {
      for (const statement of SCHEMA) this.#sql.exec(statement);
      this.#hasTables = true;
    }
    this.#sql.exec(
      'INSERT INTO commits (sequence_last, closes, events, record) VALUES (?, ?, ?, ?)',
      record.saga.sequence,
      commit.closes ? 1 : 0,
      JSON.stringify(commit.events),
      JSON.stringify(record),
    );
  }

  /** The record changed with nothing to tell: a command was sent again, or taken over. */
  replace(record: PaymentRecord): void {
    this.#sql.exec(
      'UPDATE commits SET record = ? WHERE sequence_last = ?',
      JSON.stringify(record),
      record.saga.sequence,
    );
  }

  /** Commits whose events come after `sequence`, oldest first. */
  commitsAfter(sequence: number): Commit[] {
    return this.#sql
      .exec<{ events: string; closes: number }>(
        'SELECT events, closes FROM commits WHERE sequence_last > ? ORDER BY sequence_last',
        sequence,
      )
      .toArray()
      .map((row) => ({ events: JSON.parse(row.events) as Envelope[], closes: row.closes === 1 }));
  }

  /** Replaces everything by a tombstone. */
  expire(paymentId: string, nowMs: number): void {
    this.#sql.exec('DELETE FROM commits');
    this.#sql.exec('INSERT INTO tombstones (payment_id, expired_at_ms) VALUES (?, ?)', paymentId, nowMs);
  }
}
