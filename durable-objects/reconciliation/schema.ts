/**
 * The storage of one reconciliation while it runs; emptied when its report is written. Append-only list: every statement
 * creates what is missing and nothing else. The providers' lines stand here and not in D1: there may be millions, they are
 * read once, and the record has better to do.
 */
export const SCHEMA: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS run (
     only INTEGER PRIMARY KEY,
     plan TEXT NOT NULL,
     progress TEXT NOT NULL
   )`,
  // By payment, so that everything of one comes together; a line that names none is its own.
  `CREATE TABLE IF NOT EXISTS lines (
     payment_key TEXT NOT NULL,
     provider TEXT NOT NULL,
     kind TEXT NOT NULL,
     reference TEXT NOT NULL,
     created_at_ms INTEGER NOT NULL,
     line TEXT NOT NULL,
     PRIMARY KEY (payment_key, provider, kind, reference)
   ) WITHOUT ROWID`,
  // Each payment is compared once, whichever of its traces led to it.
  `CREATE TABLE IF NOT EXISTS compared (payment_key TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID`,
];
