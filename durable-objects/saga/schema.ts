/**
 * The storage of one saga, whatever its kind. Append-only list: every statement creates what is missing and nothing else, so running all
 * of them brings any older object up to date; what a value holds evolves by `format` in the stored JSON.
 *
 * One written row per commit is the design: a commit's row carries its events and the whole saga as it
 * stood after them, so that state and log cannot disagree; the newest row is the state.
 */
export const SCHEMA: readonly string[] = [
  // INTEGER PRIMARY KEY is the rowid itself: one written row per insert.
  `CREATE TABLE IF NOT EXISTS commits (
     sequence_last INTEGER PRIMARY KEY,
     closes INTEGER NOT NULL,
     events TEXT NOT NULL,
     record TEXT NOT NULL
   )`,
  // What is left of a saga after its retention: the key stays used.
  `CREATE TABLE IF NOT EXISTS tombstones (
     entity_id TEXT NOT NULL PRIMARY KEY,
     expired_at_ms INTEGER NOT NULL
   ) WITHOUT ROWID`,
];
