/**
 * The storage of one provider's breakers. Append-only list: every statement creates what is missing and nothing else. Only
 * what must outlive the object is stored; the counts of a window of a minute are not (decision 0014).
 */
export const SCHEMA: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS breakers (
     operation TEXT NOT NULL PRIMARY KEY,
     -- JSON of the breaker, without its buckets.
     state TEXT NOT NULL
   ) WITHOUT ROWID`,
];
