/**
 * Pages over rows of the record: newest first, by id among those of one millisecond. Typed SQL of any such table; what is
 * asked of it is the caller's.
 */

/** A condition with its values, one for each `?`; one with a value that is undefined is not asked. */
export type Conditions = readonly (readonly [condition: string, ...values: (string | number | undefined)[]])[];

/** Where a page ended. */
export interface PagePosition {
  readonly createdAtMs: number;
  readonly id: string;
}

export interface RowsPage<Row> {
  readonly rows: readonly Row[];
  /** Where the next page begins; null on the last. */
  readonly next: PagePosition | null;
}

export interface BodiesPage {
  /** The public JSON of each row, as text. */
  readonly bodies: readonly string[];
  readonly next: PagePosition | null;
}

/** One page of a table whose rows hold their public JSON, at most `limit`, after `position`. */
export async function listBodies(
  db: D1Database,
  table: 'payments' | 'refunds',
  conditions: Conditions,
  position: PagePosition | null,
  limit: number,
): Promise<BodiesPage> {
  const columns = 'id, created_at_ms AS at_ms, body';
  const from = { table, columns, time: 'created_at_ms' } as const;
  const { rows, next } = await listRows<{ body: string }>(db, from, conditions, position, limit);
  return { bodies: rows.map((row) => row.body), next };
}

/** Where a list is read from; `columns` has the id, and the time as `at_ms`. */
export interface ListSource {
  readonly table: 'payments' | 'refunds' | 'dead_letters' | 'api_keys';
  readonly columns: string;
  readonly time: 'created_at_ms' | 'died_at_ms';
}

/**
 * One page, at most `limit`, after `position`. Any replica may answer: a list is as current as the record is
 * (https://developers.cloudflare.com/d1/best-practices/read-replication/#use-sessions-api).
 */
export async function listRows<Row>(
  db: D1Database,
  { table, columns, time }: ListSource,
  conditions: Conditions,
  position: PagePosition | null,
  limit: number,
): Promise<RowsPage<Row>> {
  const { where, values } = askedOf(conditions, time, position);
  // One row more than asked tells whether another page follows.
  const { results } = await db
    .withSession('first-unconstrained')
    .prepare(`SELECT ${columns} FROM ${table} WHERE ${where} ORDER BY ${time} DESC, id DESC LIMIT ?`)
    .bind(...values, limit + 1)
    .all<Row & { id: string; at_ms: number }>();
  const rows = results.slice(0, limit);
  const last = rows.at(-1);
  const more = results.length > limit && last !== undefined;
  return { rows, next: more ? { createdAtMs: last.at_ms, id: last.id } : null };
}

/** Where the `count`th payment after `position` stands; null: there are fewer. Reads an index only, if one has the conditions. */
export async function positionAfter(
  db: D1Database,
  conditions: Conditions,
  position: PagePosition | null,
  count: number,
): Promise<PagePosition | null> {
  const { where, values } = askedOf(conditions, 'created_at_ms', position);
  return db
    .withSession('first-unconstrained')
    .prepare(
      `SELECT created_at_ms AS createdAtMs, id FROM payments WHERE ${where}
       ORDER BY created_at_ms DESC, id DESC LIMIT 1 OFFSET ?`,
    )
    .bind(...values, count - 1)
    .first<PagePosition>();
}

function askedOf(conditions: Conditions, time: ListSource['time'], position: PagePosition | null) {
  const after = [`(${time}, id) < (?, ?)`, position?.createdAtMs, position?.id] as const;
  const asked = [...conditions, after].filter(([, ...values]) => !values.includes(undefined));
  return {
    where: asked.map(([condition]) => condition).join(' AND '),
    values: asked.flatMap(([, ...values]) => values),
  };
}
