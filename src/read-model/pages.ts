/**
 * Pages over rows of the record that hold their public JSON: newest first, by id among those of one millisecond. Typed SQL
 * of any such table; what is asked of it is the caller's.
 */

/** A condition with one `?` and its value; one whose value is undefined is not asked. */
export type Conditions = readonly (readonly [condition: string, value: string | number | undefined])[];

/** Where a page ended. */
export interface PagePosition {
  readonly createdAtMs: number;
  readonly id: string;
}

export interface BodiesPage {
  /** The public JSON of each row, as text. */
  readonly bodies: readonly string[];
  /** Where the next page begins; null on the last. */
  readonly next: PagePosition | null;
}

/**
 * One page, at most `limit`, after `position`. Any replica may answer: a list is as current as the record is
 * (https://developers.cloudflare.com/d1/best-practices/read-replication/#use-sessions-api).
 */
export async function listBodies(
  db: D1Database,
  table: 'payments' | 'refunds',
  conditions: Conditions,
  position: PagePosition | null,
  limit: number,
): Promise<BodiesPage> {
  const asked = conditions.filter(([, value]) => value !== undefined);
  const where = asked.map(([condition]) => condition);
  const values = asked.map(([, value]) => value);
  if (position !== null) {
    where.push('(created_at_ms, id) < (?, ?)');
    values.push(position.createdAtMs, position.id);
  }
  // One row more than asked tells whether another page follows.
  const { results } = await db
    .withSession('first-unconstrained')
    .prepare(
      `SELECT id, created_at_ms, body FROM ${table} WHERE ${where.join(' AND ')} ORDER BY created_at_ms DESC, id DESC LIMIT ?`,
    )
    .bind(...values, limit + 1)
    .all<{ id: string; created_at_ms: number; body: string }>();
  const rows = results.slice(0, limit);
  const last = rows.at(-1);
  const more = results.length > limit && last !== undefined;
  return {
    bodies: rows.map((row) => row.body),
    next: more ? { createdAtMs: last.created_at_ms, id: last.id } : null,
  };
}
