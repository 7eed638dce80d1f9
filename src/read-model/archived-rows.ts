/** What the archiver reads and deletes of tables whose rows stand by themselves (D1). Typed SQL, bounded. */

export type ArchivedTable = 'provider_callbacks' | 'dead_letters';

interface Source {
  /** As one JSON list, and the same of an element of a list of keys. */
  readonly key: string;
  readonly ofKey: string;
  readonly columns: string;
  readonly time: string;
  /** Nothing will happen to them any more. */
  readonly settled: readonly string[];
}

const SOURCES: Readonly<Record<ArchivedTable, Source>> = {
  provider_callbacks: {
    key: 'json_array(provider, event_id)',
    ofKey: `value ->> '$[0]', value ->> '$[1]'`,
    columns: '(provider, event_id)',
    // As the index of migrations/0015_callbacks_in_turn.sql says it: in other words it would not be used.
    time: 'MAX(received_at_ms, tried_at_ms)',
    settled: ['delivered', 'abandoned'],
  },
  dead_letters: {
    key: 'json_array(id)',
    ofKey: `value ->> '$[0]'`,
    columns: 'id',
    time: 'resolved_at_ms',
    settled: ['redriven', 'discarded'],
  },
};

export interface OldRow {
  readonly key: unknown;
  readonly atMs: number;
}

/** Settled rows from before `beforeMs`, oldest first. */
export async function oldRows(
  db: D1Database,
  table: ArchivedTable,
  beforeMs: number,
  limit: number,
): Promise<OldRow[]> {
  const { key, time, settled } = SOURCES[table];
  const { results } = await db
    .prepare(
      `SELECT ${key} AS key, ${time} AS atMs FROM ${table}
       WHERE status IN (SELECT value FROM json_each(?)) AND ${time} < ? ORDER BY ${time}, 1 LIMIT ?`,
    )
    .bind(JSON.stringify(settled), beforeMs, limit)
    .all<{ key: string; atMs: number }>();
  return results.map((row) => ({ key: JSON.parse(row.key) as unknown, atMs: row.atMs }));
}

/** The rows of these keys as they are stored, in the keys' order; one that is not there is left out. */
export async function rowsOfKeys(db: D1Database, table: ArchivedTable, keys: readonly unknown[]): Promise<unknown[]> {
  const { columns, ofKey, key } = SOURCES[table];
  const { results } = await db
    .prepare(`SELECT ${key} AS archived_key, * FROM ${table} WHERE ${columns} IN (SELECT ${ofKey} FROM json_each(?))`)
    .bind(JSON.stringify(keys))
    .all<Record<string, unknown> & { archived_key: string }>();
  const byKey = new Map(results.map(({ archived_key: archivedKey, ...row }) => [archivedKey, row]));
  return keys.flatMap((one) => byKey.get(JSON.stringify(one)) ?? []);
}

export function deleteRowsStatement(db: D1Database, table: ArchivedTable, keys: readonly unknown[]) {
  const { columns, ofKey } = SOURCES[table];
  return db
    .prepare(`DELETE FROM ${table} WHERE ${columns} IN (SELECT ${ofKey} FROM json_each(?))`)
    .bind(JSON.stringify(keys));
}
