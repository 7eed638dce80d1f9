/**
 * The storage of one saga, whatever its kind. Append-only list: every statement creates what is missing and nothing else, so running all
 * of them brings any older object up to date; what a value holds evolves by `format` in the stored JSON.
 *
 * One written row per commit is the design: a commit's row carries its events and the whole saga as it
 * stood after them, so that state and log cannot disagree; the newest row is the state.
 */
import type { Sql } from '../storage-meter.ts';

const SCHEMA: readonly string[] = [
  // INTEGER PRIMARY KEY is the rowid itself: one written row per insert.
  `CREATE TABLE IF NOT EXISTS commits (
     sequence_last INTEGER PRIMARY KEY,
     closes INTEGER NOT NULL,
     events TEXT NOT NULL,
     record TEXT NOT NULL,
     seal TEXT
   )`,
];

/**
 * The only table after the retention, made then: the key stays used, and `remains` (JSON; NULL from older versions) proves
 * what others have of the saga. Objects from before have an empty one without that column, so theirs is made anew.
 */
const TO_TOMBSTONE: readonly string[] = [
  'DROP TABLE commits',
  'DROP TABLE IF EXISTS tombstones',
  `CREATE TABLE tombstones (
     entity_id TEXT NOT NULL PRIMARY KEY,
     expired_at_ms INTEGER NOT NULL,
     remains TEXT
   ) WITHOUT ROWID`,
];

/** The column that tables of objects from before the seals lack (decision 0054). */
const ADD_SEAL = 'ALTER TABLE commits ADD COLUMN seal TEXT';

export interface Schema {
  readonly commits: 'none' | 'unsealed' | 'current';
  readonly tombstones: boolean;
}

/** Which tables the object has, and in which shape. Reads only: asking leaves a virgin object untouched. */
export function schemaOf(sql: Sql): Schema {
  const tables = sql
    .exec<{ name: string; sql: string }>(
      `SELECT name, sql FROM sqlite_master WHERE name IN ('commits', 'tombstones') AND type = 'table'`,
    )
    .toArray();
  const commits = tables.find(({ name }) => name === 'commits');
  const shape = commits === undefined ? 'none' : /\bseal\b/.test(commits.sql) ? 'current' : 'unsealed';
  return { commits: shape, tombstones: tables.some(({ name }) => name === 'tombstones') };
}

/** Brings the object's tables to the present shape, before its first write. */
export function migrate(sql: Sql): void {
  if (schemaOf(sql).commits === 'unsealed') sql.exec(ADD_SEAL);
  for (const statement of SCHEMA) sql.exec(statement);
}

/** Drops all that the object has for the one table of its tombstone. Dropped, not emptied: a page each is most of what is left. */
export function migrateToTombstone(sql: Sql): void {
  for (const statement of TO_TOMBSTONE) sql.exec(statement);
}
