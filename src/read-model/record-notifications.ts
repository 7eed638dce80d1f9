/** Writes notifications to the record (D1): one row each, by the command's effect id, however often it is delivered. */
import type { Spent } from '../domain/cost/spent.ts';
import type { Envelope } from '../domain/events/envelope.ts';
import { spentOf } from './d1-spent.ts';

const INSERT = `
  INSERT INTO notifications (id, event_type, group_id, body, created_at_ms)
  SELECT value ->> '$.id', value ->> '$.event_type', value ->> '$.group_id', value ->> '$.body', ?2
  FROM json_each(?1) WHERE true
  ON CONFLICT (id) DO NOTHING
  RETURNING id`;

const TIMESTAMPS = `
  SELECT id, body ->> '$.timestamp' AS timestamp FROM notifications
  WHERE id IN (SELECT value ->> '$.id' FROM json_each(?))`;

export interface RecordedNotifications {
  /** Those that were not there before. */
  readonly fresh: ReadonlySet<string>;
  /** By effect id, the time of the event as it first came: what came again under the id does not move it. */
  readonly timestamps: ReadonlyMap<string, string>;
  readonly spent: Spent;
}

/** @throws what D1 throws, with nothing written. */
export async function recordNotifications(
  db: D1Database,
  events: readonly Pick<Envelope, 'event_type' | 'timestamp' | 'metadata' | 'payload'>[],
  nowMs: number,
): Promise<RecordedNotifications> {
  if (events.length === 0) return { fresh: new Set(), timestamps: new Map(), spent: {} };
  const rows = JSON.stringify(
    events.map((event) => ({
      id: event.metadata.message_deduplication_id,
      event_type: event.event_type,
      group_id: event.metadata.message_group_id,
      body: JSON.stringify(event),
    })),
  );
  const results = await db.batch<{ id: string; timestamp: string }>([
    db.prepare(INSERT).bind(rows, nowMs),
    db.prepare(TIMESTAMPS).bind(rows),
  ]);
  const [inserted, stored] = results;
  return {
    spent: spentOf(results),
    fresh: new Set(inserted?.results.map(({ id }) => id)),
    timestamps: new Map(stored?.results.map(({ id, timestamp }) => [id, timestamp])),
  };
}
