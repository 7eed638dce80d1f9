/** Typed queries of the auditor over the record (D1): pages in the order of keys, as the rows are stored. Reads only. */
import { type Counts, countsOf, type EventRow } from '../domain/audit/counters.ts';
import type { OperatorsLogRow } from '../domain/audit/operators-log.ts';
import type { RecordedRun, RecordedSaga } from '../domain/audit/saga.ts';
import { SAGA_COMMITS_MAX } from '../domain/limits.ts';
import type { PaymentRow, RefundRow } from '../domain/messages.ts';

export type SagaTable = 'payments' | 'refunds';

/** At most `limit` ids after `after`, in the order of the table's key. */
export async function sagaIdsAfter(db: D1Database, table: SagaTable, after: string, limit: number): Promise<string[]> {
  const { results } = await db
    .prepare(`SELECT id FROM ${table} WHERE id > ? ORDER BY id LIMIT ?`)
    .bind(after, limit)
    .all<{ id: string }>();
  return results.map(({ id }) => id);
}

/** All that the record has of one saga, as of one moment; of its runs at most as many as an audited saga has commits. */
export async function recordedSaga(
  db: D1Database,
  table: SagaTable,
  id: string,
  groupId: string,
): Promise<RecordedSaga> {
  const [row, runs, archive] = await db.batch([
    db.prepare(`SELECT * FROM ${table} WHERE id = ?`).bind(id),
    db
      .prepare(
        `SELECT sequence_first AS first, sequence_last AS last, created_at_ms AS createdAtMs, events FROM events
         WHERE group_id = ? ORDER BY sequence_first LIMIT ?`,
      )
      .bind(groupId, SAGA_COMMITS_MAX),
    db
      .prepare(
        `SELECT archives.status FROM ${table} JOIN archives ON archives.id = ${table}.archive_id
         WHERE ${table}.id = ? AND EXISTS (
           SELECT 1 FROM json_each(archives.keys) WHERE value = ${table}.${table === 'payments' ? 'id' : 'payment_id'}
         )`,
      )
      .bind(id),
  ]);
  return {
    archiveStatus: (archive?.results[0] as { readonly status: string } | undefined)?.status ?? null,
    row: (row?.results[0] as PaymentRow | RefundRow | undefined) ?? null,
    runs: (runs?.results ?? []) as RecordedRun[],
  };
}

export interface EventKey {
  readonly groupId: string;
  readonly first: number;
}

/** At most `limit` runs of the event log after the one given. The entity of a group is what follows its first `_`. */
export async function eventRowsAfter(db: D1Database, after: EventKey, limit: number): Promise<EventRow[]> {
  const { results } = await db
    .prepare(
      `SELECT group_id AS groupId, sequence_first AS first, sequence_last AS last, events,
              COALESCE((SELECT created_at_ms FROM payments WHERE id = substr(group_id, instr(group_id, '_') + 1)),
                       (SELECT created_at_ms FROM refunds WHERE id = substr(group_id, instr(group_id, '_') + 1)))
                AS ownerCreatedAtMs
       FROM events WHERE (group_id, sequence_first) > (?, ?) ORDER BY group_id, sequence_first LIMIT ?`,
    )
    .bind(after.groupId, after.first, limit)
    .all<EventRow>();
  return results;
}

/** All counters and sums: as many as there are series. @throws if the sums are no JSON, which their table refuses. */
export async function readCounters(db: D1Database): Promise<Counts> {
  const { results } = await db
    .prepare('SELECT series, value, sums FROM metric_counters')
    .all<{ series: string; value: number; sums: string | null }>();
  return countsOf(results);
}

/** At most `limit` rows of the operators' log after `id`, oldest first. */
export async function operatorsLogAfter(db: D1Database, id: number, limit: number): Promise<OperatorsLogRow[]> {
  const { results } = await db
    .prepare('SELECT * FROM audit_log WHERE id > ? ORDER BY id LIMIT ?')
    .bind(id, limit)
    .all<OperatorsLogRow>();
  return results;
}
