/**
 * Typed SQL of a saga's storage; knows tables and JSON, not sagas. Synchronous throughout: a commit has no await in
 * it. Nothing is written, not even a table, for an object that was only read.
 */
import type { Envelope } from '../../src/domain/events/envelope.ts';
import type { SagaRecord } from '../../src/domain/saga/record.ts';
import { SCHEMA } from './schema.ts';

export interface Commit {
  readonly events: readonly Envelope[];
  readonly closes: boolean;
}

export class SagaStore<Recorded extends SagaRecord> {
  readonly #sql: SqlStorage;
  #hasTables: boolean;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#hasTables = sql.exec(`SELECT 1 FROM sqlite_master WHERE name = 'commits'`).toArray().length > 0;
  }

  /** The newest record; `expired` where only a tombstone is left; null for an object that holds nothing. */
  load(): Recorded | 'expired' | null {
    if (!this.#hasTables) return null;
    const [row] = this.#sql
      .exec<{ record: string }>('SELECT record FROM commits ORDER BY sequence_last DESC LIMIT 1')
      .toArray();
    if (row !== undefined) return JSON.parse(row.record) as Recorded;
    return this.#sql.exec('SELECT 1 FROM tombstones').toArray().length > 0 ? 'expired' : null;
  }

  /** One commit, one row. */
  append(commit: Commit, record: Recorded): void {
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
  replace(record: Recorded): void {
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
  expire(entityId: string, nowMs: number): void {
    this.#sql.exec('DELETE FROM commits');
    this.#sql.exec('INSERT INTO tombstones (entity_id, expired_at_ms) VALUES (?, ?)', entityId, nowMs);
  }

  /** Undoes the claim of a key whose saga never began: the key is free again. */
  forget(): void {
    this.#sql.exec('DELETE FROM commits');
  }
}
