/**
 * The tables in which a saga was stored before decision 0067, read so that an object of an older version goes on, and dropped by its
 * first write since. Rows of `commits` were what a commit is now; before decision 0054 they had no seal. Used by the store.
 */
import type { StoredCommit } from '../../src/domain/saga/seal.ts';
import type { Remains, Tombstone } from '../../src/domain/saga/tombstone.ts';
import type { Sql } from '../storage-meter.ts';

/** What is stored in tables, if only nothing; null: there are none. Reads only: asking leaves a virgin object untouched. */
export function readTables(
  sql: Sql,
): { readonly commits: readonly StoredCommit[] } | { readonly tombstone: Tombstone } | null {
  const tables = new Map(
    sql
      .exec<{ name: string; sql: string }>(
        `SELECT name, sql FROM sqlite_master WHERE name IN ('commits', 'tombstones') AND type = 'table'`,
      )
      .toArray()
      .map((table) => [table.name, table.sql]),
  );
  const shape = tables.get('commits');
  const commits = shape === undefined ? [] : commitsOf(sql, /\bseal\b/.test(shape));
  const tombstone = commits.length === 0 && tables.has('tombstones') ? tombstoneOf(sql) : null;
  if (tombstone !== null) return { tombstone };
  return tables.size === 0 ? null : { commits };
}

/** Dropping a table writes no row that is billed. */
export function dropTables(sql: Sql): void {
  sql.exec('DROP TABLE IF EXISTS commits');
  sql.exec('DROP TABLE IF EXISTS tombstones');
}

function commitsOf(sql: Sql, isSealed: boolean): StoredCommit[] {
  return sql
    .exec<{ sequence_last: number; closes: number; events: string; record: string; seal: string | null }>(
      `SELECT sequence_last, closes, events, record, ${isSealed ? 'seal' : 'NULL'} AS seal FROM commits
       ORDER BY sequence_last`,
    )
    .toArray()
    .map(({ sequence_last: sequenceLast, ...row }) => ({ sequenceLast, ...row }));
}

function tombstoneOf(sql: Sql): Tombstone | null {
  const [row] = sql
    .exec<{ entity_id: string; expired_at_ms: number; remains?: string | null }>('SELECT * FROM tombstones')
    .toArray();
  if (row === undefined) return null;
  const remains = row.remains == null ? null : (JSON.parse(row.remains) as Remains);
  return { entityId: row.entity_id, expiredAtMs: row.expired_at_ms, remains };
}
