/**
 * The storage of one wallet, as a list of steps that only grows. Each step that has been run is written down with the
 * hash of its text, and an object whose past differs from this list refuses to work: a step that was edited after it had
 * run anywhere would leave two kinds of objects behind. Called by the store, at the first write.
 */
import { sha256Hex } from '../../src/domain/canonical.ts';
import { InvariantError } from '../../src/domain/errors.ts';
import type { Sql } from '../storage-meter.ts';

/** Append-only: a step that has been deployed is never edited. */
export const SCHEMA: readonly string[] = [
  // One row: the wallet's own facts. The balances are not here: the newest entry has them.
  `CREATE TABLE wallet (
     wallet_id TEXT NOT NULL PRIMARY KEY,
     merchant TEXT NOT NULL,
     mode TEXT NOT NULL,
     currency TEXT NOT NULL,
     created_at_ms INTEGER NOT NULL,
     frozen INTEGER NOT NULL,
     alarm_at_ms INTEGER
   ) WITHOUT ROWID`,
  // INTEGER PRIMARY KEY is the rowid itself: one written row per entry, and no index but that.
  `CREATE TABLE entries (
     sequence INTEGER PRIMARY KEY,
     type TEXT NOT NULL,
     effect_id TEXT NOT NULL,
     payment_id TEXT,
     reference TEXT,
     expires_at_ms INTEGER,
     postings TEXT NOT NULL,
     available_minor INTEGER NOT NULL,
     held_minor INTEGER NOT NULL,
     settled_minor INTEGER NOT NULL,
     external_minor INTEGER NOT NULL,
     created_at_ms INTEGER NOT NULL,
     open_holds TEXT,
     previous_hash TEXT NOT NULL,
     hash TEXT NOT NULL
   )`,
  // WITHOUT ROWID: a text key would otherwise cost a second row, in its index.
  `CREATE TABLE effects (
     effect_id TEXT NOT NULL PRIMARY KEY,
     content TEXT NOT NULL,
     version INTEGER,
     refusal TEXT,
     decided_at_ms INTEGER NOT NULL,
     hash TEXT NOT NULL
   ) WITHOUT ROWID`,
  // How each hold ended. An open hold has no row here or anywhere: the entries since the last snapshot tell.
  `CREATE TABLE resolutions (
     payment_id TEXT NOT NULL PRIMARY KEY,
     resolution TEXT NOT NULL
   ) WITHOUT ROWID`,
  // Whether the directory (D1) is known to have this wallet: until then its alarm tells of it again.
  'ALTER TABLE wallet ADD COLUMN listed INTEGER NOT NULL DEFAULT 0',
];

const HISTORY = 'CREATE TABLE schema_history (step INTEGER PRIMARY KEY, statement_hash TEXT NOT NULL)';

/** Whether this object has ever been written to. Reads only: asking leaves a virgin object untouched. */
export function hasSchema(sql: Sql): boolean {
  return sql.exec(`SELECT 1 FROM sqlite_master WHERE name = 'schema_history'`).toArray().length > 0;
}

/**
 * Runs the steps that this object has not run. An object with more steps than the list was written by newer code: since
 * steps only add, older code may go on with it after a rollback.
 * @throws InvariantError when a step that was run is not the step of the list.
 */
export function migrate(sql: Sql, steps: readonly string[] = SCHEMA): void {
  if (!hasSchema(sql)) sql.exec(HISTORY);
  const done = sql
    .exec<{ statement_hash: string }>('SELECT statement_hash FROM schema_history ORDER BY step')
    .toArray();
  for (const [index, statement] of steps.entries()) {
    const hash = sha256Hex(statement);
    const ran = done[index]?.statement_hash;
    if (ran !== undefined && ran !== hash) throw new InvariantError('schema_history', { step: index + 1 });
    if (ran !== undefined) continue;
    sql.exec(statement);
    sql.exec('INSERT INTO schema_history (step, statement_hash) VALUES (?, ?)', index + 1, hash);
  }
}
