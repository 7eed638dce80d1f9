/** Writes notifications to the record (D1): one row each, by the command's effect id, however often it is delivered. */
import type { Envelope } from '../domain/events/envelope.ts';

const INSERT = `
  INSERT INTO notifications (id, event_type, group_id, body, created_at_ms)
  SELECT value ->> '$.id', value ->> '$.event_type', value ->> '$.group_id', value ->> '$.body', ?2
  FROM json_each(?1) WHERE true
  ON CONFLICT (id) DO NOTHING`;

/** @throws what D1 throws, with nothing written. */
export async function recordNotifications(
  db: D1Database,
  events: readonly Pick<Envelope, 'event_type' | 'metadata' | 'payload'>[],
  nowMs: number,
): Promise<void> {
  const rows = events.map((event) => ({
    id: event.metadata.message_deduplication_id,
    event_type: event.event_type,
    group_id: event.metadata.message_group_id,
    body: JSON.stringify(event),
  }));
  await db.prepare(INSERT).bind(JSON.stringify(rows), nowMs).run();
}
