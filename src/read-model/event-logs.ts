/**
 * Reads whole event logs of the record (D1): one query for several groups. Typed SQL; what a log means is the domain's. Called
 * by the consumer of `payment-events`, for traces.
 */
import type { Envelope } from '../domain/events/envelope.ts';

/** By group, each in order of its sequence; a group of which nothing is recorded is not in it. */
export async function readEventLogs(
  db: D1Database,
  groupIds: readonly string[],
): Promise<ReadonlyMap<string, readonly Envelope[]>> {
  const { results } = await db
    .prepare(
      `SELECT group_id, events FROM events WHERE group_id IN (SELECT value FROM json_each(?1))
       ORDER BY group_id, sequence_first`,
    )
    .bind(JSON.stringify(groupIds))
    .all<{ group_id: string; events: string }>();
  const logs = new Map<string, Envelope[]>();
  for (const { group_id: groupId, events } of results) {
    logs.set(groupId, [...(logs.get(groupId) ?? []), ...(JSON.parse(events) as Envelope[])]);
  }
  return logs;
}
