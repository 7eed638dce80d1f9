/**
 * What was put aside when the record was emptied (migrations/0017_set_aside.sql): the rows and timelines of sagas whose objects may be
 * tombstones before the rebuild comes to them. Typed SQL; whether it is to be believed is the rebuild's.
 */
import { type ArchivedSaga, sagaSchema } from '../domain/archive/dossier.ts';
import { groupIdOf } from '../domain/events/envelope.ts';
import type { Tombstone } from '../domain/saga/tombstone.ts';
import type { RunRow } from './record-publications.ts';

/** What the record had of a saga, with its tombstone; null: nothing was put aside. @throws what is no row, and no run. */
export async function readSetAside(db: D1Database, id: string, tombstone: Tombstone): Promise<ArchivedSaga | null> {
  const [aside, runs] = await db.batch([
    db.prepare('SELECT body FROM set_aside WHERE id = ?').bind(id),
    db
      .prepare(
        `SELECT sequence_first AS first, sequence_last AS last, created_at_ms, events FROM set_aside_events
         WHERE group_id = ? ORDER BY sequence_first`,
      )
      .bind(groupIdOf(id)),
  ]);
  const row = aside?.results[0] as { readonly body: string } | undefined;
  if (row === undefined) return null;
  const own = (runs?.results ?? []) as Omit<RunRow, 'group_id'>[];
  return sagaSchema.parse({
    row: JSON.parse(row.body),
    runs: own.map(({ events, ...run }) => ({ ...run, events: JSON.parse(events) })),
    tombstone,
  });
}

/** The record has it again: from its owner, or from here. */
export async function dropSetAside(db: D1Database, id: string): Promise<void> {
  await db.batch([
    db.prepare('DELETE FROM set_aside WHERE id = ?').bind(id),
    db.prepare('DELETE FROM set_aside_events WHERE group_id = ?').bind(groupIdOf(id)),
  ]);
}
