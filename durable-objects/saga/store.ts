/**
 * Typed SQL of a saga's storage; knows tables, JSON and seals, not sagas. Synchronous throughout: a commit has no await in
 * it. Nothing is written, not even a table, for an object that was only read.
 */
import type { Spent } from '../../src/domain/cost/spent.ts';
import type { Envelope } from '../../src/domain/events/envelope.ts';
import type { SagaRecord } from '../../src/domain/saga/record.ts';
import { SEALED_FORMAT, type StoredCommit, sealOf } from '../../src/domain/saga/seal.ts';
import type { Remains, Tombstone } from '../../src/domain/saga/tombstone.ts';
import type { Sql } from '../storage-meter.ts';
import { migrate, migrateToTombstone, type Schema, schemaOf } from './schema.ts';

export interface Commit {
  readonly events: readonly Envelope[];
  readonly closes: boolean;
  readonly runCost?: Spent;
}

export class SagaStore<Recorded extends SagaRecord> {
  readonly #sql: Sql;
  #schema: Schema;

  constructor(sql: Sql) {
    this.#sql = sql;
    this.#schema = schemaOf(sql);
  }

  /** The newest record; `expired` where only a tombstone is left; null for an object that holds nothing. */
  load(): Recorded | 'expired' | null {
    if (this.#schema.commits !== 'none') {
      const [row] = this.#sql
        .exec<{ record: string }>('SELECT record FROM commits ORDER BY sequence_last DESC LIMIT 1')
        .toArray();
      if (row !== undefined) return JSON.parse(row.record) as Recorded;
    }
    return this.tombstone() === null ? null : 'expired';
  }

  /** What is left after the retention; null where nothing has been emptied. */
  tombstone(): Tombstone | null {
    if (!this.#schema.tombstones) return null;
    const [row] = this.#sql
      .exec<{ entity_id: string; expired_at_ms: number; remains?: string | null }>('SELECT * FROM tombstones')
      .toArray();
    if (row === undefined) return null;
    const remains = row.remains == null ? null : (JSON.parse(row.remains) as Remains);
    return { entityId: row.entity_id, expiredAtMs: row.expired_at_ms, remains };
  }

  /** Makes the tables that are missing: before a first commit is charged with what it costs. */
  makeReady(): void {
    if (this.#schema.commits === 'current') return;
    migrate(this.#sql);
    this.#schema = { ...this.#schema, commits: 'current' };
  }

  /** One commit, one row. */
  append(commit: Commit, record: Recorded): void {
    this.makeReady();
    const row = {
      sequenceLast: record.saga.sequence,
      closes: commit.closes ? 1 : 0,
      events: JSON.stringify(commit.events),
      record: textOf(record),
    };
    this.#sql.exec(
      'INSERT INTO commits (sequence_last, closes, events, record, seal) VALUES (?, ?, ?, ?, ?)',
      row.sequenceLast,
      row.closes,
      row.events,
      row.record,
      sealOf(this.#sealBefore(row.sequenceLast), row),
    );
  }

  /** The record changed with nothing to tell: a command was sent again, or taken over. The newest row is sealed anew. */
  replace(record: Recorded): void {
    this.makeReady();
    const sequenceLast = record.saga.sequence;
    const [row] = this.#sql
      .exec<{ closes: number; events: string }>(
        'SELECT closes, events FROM commits WHERE sequence_last = ?',
        sequenceLast,
      )
      .toArray();
    if (row === undefined) return;
    const text = textOf(record);
    this.#sql.exec(
      'UPDATE commits SET record = ?, seal = ? WHERE sequence_last = ?',
      text,
      sealOf(this.#sealBefore(sequenceLast), { ...row, sequenceLast, record: text }),
      sequenceLast,
    );
  }

  /** Commits whose events come after `sequence`, oldest first; absent `limit`: all of them. */
  commitsAfter(sequence: number, limit = -1): Commit[] {
    return this.#sql
      .exec<{ events: string; closes: number; cost: string | null }>(
        `SELECT events, closes, record -> '$.runCost' AS cost FROM commits WHERE sequence_last > ?
         ORDER BY sequence_last LIMIT ?`,
        sequence,
        limit,
      )
      .toArray()
      .map((row) => ({
        events: JSON.parse(row.events) as Envelope[],
        closes: row.closes === 1,
        ...(row.cost !== null && { runCost: JSON.parse(row.cost) as Spent }),
      }));
  }

  /** At most `limit` rows after `sequence`, oldest first, as they are stored. */
  storedCommits(sequence: number, limit: number): StoredCommit[] {
    if (this.#schema.commits === 'none') return [];
    const seal = this.#schema.commits === 'current' ? 'seal' : 'NULL';
    return this.#sql
      .exec<{ sequence_last: number; closes: number; events: string; record: string; seal: string | null }>(
        `SELECT sequence_last, closes, events, record, ${seal} AS seal FROM commits
         WHERE sequence_last > ? ORDER BY sequence_last LIMIT ?`,
        sequence,
        limit,
      )
      .toArray()
      .map(({ sequence_last: sequenceLast, ...row }) => ({ sequenceLast, ...row }));
  }

  /** The seal of the newest commit; null where it has none. */
  lastSeal(): string | null {
    return this.#schema.commits === 'current' ? this.#sealBefore(Number.MAX_SAFE_INTEGER) : null;
  }

  /**
   * Replaces everything by a tombstone. To be called inside of one transaction: were it to fail after its first statement,
   * what was dropped must come back, or the key would be free again.
   */
  expire({ entityId, expiredAtMs, remains }: Tombstone): void {
    migrateToTombstone(this.#sql);
    this.#sql.exec(
      'INSERT INTO tombstones (entity_id, expired_at_ms, remains) VALUES (?, ?, ?)',
      entityId,
      expiredAtMs,
      remains === null ? null : JSON.stringify(remains),
    );
    this.#schema = { commits: 'none', tombstones: true };
  }

  /** Undoes the claim of a key whose saga never began: the key is free again. */
  forget(): void {
    this.#sql.exec('DELETE FROM commits');
  }

  #sealBefore(sequenceLast: number): string | null {
    const [row] = this.#sql
      .exec<{ seal: string | null }>(
        'SELECT seal FROM commits WHERE sequence_last < ? ORDER BY sequence_last DESC LIMIT 1',
        sequenceLast,
      )
      .toArray();
    return row?.seal ?? null;
  }
}

function textOf(record: SagaRecord): string {
  return JSON.stringify({ ...record, format: SEALED_FORMAT });
}
