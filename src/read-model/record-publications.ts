/**
 * Writes publications to the record (D1): one transaction for a whole batch, three statements whatever its size, since
 * each takes the batch as one JSON parameter. Idempotent by the identity of a run (group, first sequence) and, for the
 * payment's row, by its sequence; the counters move in the same transaction and only for runs that are new.
 */
import type { Publication } from '../domain/messages.ts';

interface RunRow {
  readonly group_id: string;
  readonly first: number;
  readonly last: number;
  readonly created_at_ms: number;
  readonly events: string;
  readonly series: readonly string[];
}

/** Counters first: they look at which runs are not there yet. */
const COUNT = `
  INSERT INTO metric_counters (series, value)
  SELECT series.value, COUNT(*)
  FROM json_each(?1) AS run, json_each(run.value, '$.series') AS series
  WHERE NOT EXISTS (
    SELECT 1 FROM events
    WHERE events.group_id = run.value ->> '$.group_id' AND events.sequence_first = run.value ->> '$.first'
  )
  GROUP BY series.value
  ON CONFLICT (series) DO UPDATE SET value = value + excluded.value`;

const APPEND = `
  INSERT INTO events (group_id, sequence_first, sequence_last, created_at_ms, events)
  SELECT value ->> '$.group_id', value ->> '$.first', value ->> '$.last', value ->> '$.created_at_ms', value ->> '$.events'
  FROM json_each(?1) WHERE true
  ON CONFLICT (group_id, sequence_first) DO NOTHING`;

const UPSERT_PAYMENTS = `
  INSERT INTO payments (id, merchant, mode, wallet_id, service_id, method, status, reference, created_at_ms,
                        updated_at_ms, sequence, body)
  SELECT value ->> '$.id', value ->> '$.merchant', value ->> '$.mode', value ->> '$.wallet_id', value ->> '$.service_id',
         value ->> '$.method', value ->> '$.status', value ->> '$.reference', value ->> '$.created_at_ms',
         value ->> '$.updated_at_ms', value ->> '$.sequence', value ->> '$.body'
  FROM json_each(?1) WHERE true
  ON CONFLICT (id) DO UPDATE SET
    status = excluded.status, updated_at_ms = excluded.updated_at_ms, sequence = excluded.sequence, body = excluded.body
  WHERE excluded.sequence > payments.sequence`;

const UPSERT_REFUNDS = `
  INSERT INTO refunds (id, merchant, mode, payment_id, status, created_at_ms, updated_at_ms, sequence, body)
  SELECT value ->> '$.id', value ->> '$.merchant', value ->> '$.mode', value ->> '$.payment_id', value ->> '$.status',
         value ->> '$.created_at_ms', value ->> '$.updated_at_ms', value ->> '$.sequence', value ->> '$.body'
  FROM json_each(?1) WHERE true
  ON CONFLICT (id) DO UPDATE SET
    status = excluded.status, updated_at_ms = excluded.updated_at_ms, sequence = excluded.sequence, body = excluded.body
  WHERE excluded.sequence > refunds.sequence`;

/** @throws what D1 throws, with nothing written: the batch is one transaction. */
export async function recordPublications(db: D1Database, publications: readonly Publication[]): Promise<void> {
  const runs = JSON.stringify(distinctRuns(publications));
  const payments = newestRows(publications.flatMap(({ payment }) => payment ?? []));
  const refunds = newestRows(publications.flatMap(({ refund }) => refund ?? []));
  const upserts = [
    { rows: payments, statement: UPSERT_PAYMENTS },
    { rows: refunds, statement: UPSERT_REFUNDS },
  ].filter(({ rows }) => rows.length > 0);
  await db.batch([
    db.prepare(COUNT).bind(runs),
    db.prepare(APPEND).bind(runs),
    ...upserts.map(({ rows, statement }) => db.prepare(statement).bind(JSON.stringify(rows))),
  ]);
}

/** Within one batch the same run may stand twice; the statements compare only with what is stored. */
function distinctRuns(publications: readonly Publication[]): RunRow[] {
  const rows = new Map<string, RunRow>();
  for (const { group_id, runs } of publications) {
    for (const { first, last, events } of runs) {
      const series = events.map((event) => event.event_type).filter((type) => type.startsWith('metrics.'));
      const createdAtMs = Date.parse(events.at(-1)?.timestamp ?? '');
      const row = { group_id, first, last, created_at_ms: createdAtMs, events: JSON.stringify(events), series };
      rows.set(`${group_id} ${first}`, row);
    }
  }
  return [...rows.values()];
}

function newestRows<Row extends { readonly id: string; readonly sequence: number }>(rows: readonly Row[]): Row[] {
  const newest = new Map<string, Row>();
  for (const row of rows) {
    if ((newest.get(row.id)?.sequence ?? 0) < row.sequence) newest.set(row.id, row);
  }
  return [...newest.values()];
}
