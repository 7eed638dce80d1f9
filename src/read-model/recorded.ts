/**
 * What the record (D1) has of sagas whose own objects are empty by now: the public JSON and the timeline, as they were last.
 * Typed SQL, reads only. Called by the routes that else ask the owner.
 */
import { type Envelope, groupIdOf } from '../domain/events/envelope.ts';
import type { Scope } from '../domain/ids.ts';

/** The public JSON of a payment or refund of this scope; null where its row has been archived. */
export async function recordedBody(
  db: D1Database,
  table: 'payments' | 'refunds',
  { merchant, mode }: Scope,
  id: string,
): Promise<string | null> {
  return db
    .prepare(`SELECT body FROM ${table} WHERE id = ? AND merchant = ? AND mode = ?`)
    .bind(id, merchant, mode)
    .first<string>('body');
}

/**
 * At most `limit` events after `afterSequence`; null where the log has been archived. Whose saga it is has been asked of its
 * tombstone. A log is whole or gone, so that its beginning is not missing from a page.
 */
export async function recordedEvents(
  db: D1Database,
  id: string,
  afterSequence: number,
  limit: number,
): Promise<{ readonly events: readonly Envelope[]; readonly more: boolean } | null> {
  const { results } = await db
    .prepare('SELECT events FROM events WHERE group_id = ? ORDER BY sequence_first')
    .bind(groupIdOf(id))
    .all<{ events: string }>();
  if (results.length === 0) return null;
  const events = results
    .flatMap((row) => JSON.parse(row.events) as Envelope[])
    .filter(({ metadata }) => metadata.sequence > afterSequence);
  return { events: events.slice(0, limit), more: events.length > limit };
}
