/**
 * Writes publications to the record (D1): one transaction for a whole batch, three statements whatever its size, since
 * each takes the batch as one JSON parameter. Idempotent by the identity of a run (group, first sequence) and, for the
 * payment's row, by its sequence; counters and sums move in the same transaction and only for runs that are new.
 */
import { costSums } from '../domain/cost/series.ts';
import type { Spent } from '../domain/cost/spent.ts';
import type { Publication } from '../domain/messages.ts';
import { RUNS_SERIES, seriesOf, sumsOf } from '../domain/metrics/measures.ts';
import { spentOf } from './d1-spent.ts';

/** A run of one log, as the record has it. */
export interface RunRow {
  readonly group_id: string;
  readonly first: number;
  readonly last: number;
  readonly created_at_ms: number;
  readonly events: string;
}

/** What a run moves, without its events: they are most of its bytes, and this is gone through more than once. */
interface RunMoves {
  readonly group_id: string;
  readonly first: number;
  readonly series: readonly string[];
  readonly sums: Readonly<Record<string, number>>;
  /** Whether something in it was measured: its cost alone is no measure. */
  readonly measured: boolean;
}

/**
 * Counters first: they look at which runs are not there yet. All sums are one row, however many a run adds to: a row is what
 * D1 is paid for (decision 0062).
 */
const COUNT = `
  WITH fresh AS MATERIALIZED (
    SELECT run.value AS run FROM json_each(?1) AS run
    WHERE NOT EXISTS (
      SELECT 1 FROM events
      WHERE events.group_id = run.value ->> '$.group_id' AND events.sequence_first = run.value ->> '$.first'
    )
  ), added AS MATERIALIZED (
    SELECT sums.key AS name, SUM(sums.value) AS sum FROM fresh, json_each(run, '$.sums') AS sums GROUP BY sums.key
  )
  INSERT INTO metric_counters (series, value, sums)
  SELECT series.value, COUNT(*), NULL FROM fresh, json_each(run, '$.series') AS series GROUP BY series.value
  UNION ALL
  SELECT '${RUNS_SERIES}', (SELECT COUNT(*) FROM fresh WHERE run ->> '$.measured'),
         (SELECT json_group_object(name, sum) FROM added)
  WHERE EXISTS (SELECT 1 FROM added)
  ON CONFLICT (series) DO UPDATE SET
    value = value + excluded.value,
    sums = CASE WHEN excluded.sums IS NOT NULL THEN (
      SELECT json_group_object(name, sum) FROM (
        SELECT key AS name, SUM(value) AS sum FROM (
          SELECT key, value FROM json_each(metric_counters.sums)
          UNION ALL SELECT key, value FROM json_each(excluded.sums)
        ) GROUP BY key
      )
    ) END`;

const APPEND = `
  INSERT INTO events (group_id, sequence_first, sequence_last, created_at_ms, events)
  SELECT value ->> '$.group_id', value ->> '$.first', value ->> '$.last', value ->> '$.created_at_ms', value ->> '$.events'
  FROM json_each(?1) WHERE true
  ON CONFLICT (group_id, sequence_first) DO NOTHING`;

const UPSERT_PAYMENTS = `
  INSERT INTO payments (id, merchant, mode, wallet_id, service_id, method, status, reference, created_at_ms,
                        updated_at_ms, sequence, body, attention)
  SELECT value ->> '$.id', value ->> '$.merchant', value ->> '$.mode', value ->> '$.wallet_id', value ->> '$.service_id',
         value ->> '$.method', value ->> '$.status', value ->> '$.reference', value ->> '$.created_at_ms',
         value ->> '$.updated_at_ms', value ->> '$.sequence', value ->> '$.body', value ->> '$.attention'
  FROM json_each(?1) WHERE true
  ON CONFLICT (id) DO UPDATE SET
    status = excluded.status, updated_at_ms = excluded.updated_at_ms, sequence = excluded.sequence, body = excluded.body,
    attention = excluded.attention
  WHERE excluded.sequence > payments.sequence`;

const UPSERT_REFUNDS = `
  INSERT INTO refunds (id, merchant, mode, payment_id, status, created_at_ms, updated_at_ms, sequence, body,
                       attention)
  SELECT value ->> '$.id', value ->> '$.merchant', value ->> '$.mode', value ->> '$.payment_id', value ->> '$.status',
         value ->> '$.created_at_ms', value ->> '$.updated_at_ms', value ->> '$.sequence', value ->> '$.body',
         value ->> '$.attention'
  FROM json_each(?1) WHERE true
  ON CONFLICT (id) DO UPDATE SET
    status = excluded.status, updated_at_ms = excluded.updated_at_ms, sequence = excluded.sequence, body = excluded.body,
    attention = excluded.attention
  WHERE excluded.sequence > refunds.sequence`;

/** What it has cost. @throws what D1 throws, with nothing written: the batch is one transaction. */
export async function recordPublications(db: D1Database, publications: readonly Publication[]): Promise<Spent> {
  const runs = distinctRuns(publications);
  const payments = newestRows(publications.flatMap(({ payment }) => payment ?? []));
  const refunds = newestRows(publications.flatMap(({ refund }) => refund ?? []));
  const upserts = [
    { rows: payments, statement: UPSERT_PAYMENTS },
    { rows: refunds, statement: UPSERT_REFUNDS },
  ].filter(({ rows }) => rows.length > 0);
  const results = await db.batch([
    db.prepare(COUNT).bind(JSON.stringify(runs.map(({ moves }) => moves))),
    db.prepare(APPEND).bind(JSON.stringify(runs.map(({ row }) => row))),
    ...upserts.map(({ rows, statement }) => db.prepare(statement).bind(JSON.stringify(rows))),
  ]);
  return spentOf(results);
}

/** Within one batch the same run may stand twice; the statements compare only with what is stored. */
function distinctRuns(publications: readonly Publication[]): { readonly row: RunRow; readonly moves: RunMoves }[] {
  const rows = new Map<string, { readonly row: RunRow; readonly moves: RunMoves }>();
  for (const { group_id, payment, refund, runs } of publications) {
    const ownerCreatedAtMs = (payment ?? refund)?.created_at_ms ?? Number.NaN;
    for (const { first, last, events, cost } of runs) {
      const createdAtMs = Date.parse(events.at(-1)?.timestamp ?? '');
      const measured = sumsOf(events, ownerCreatedAtMs);
      const sums = { ...Object.fromEntries(measured), ...costSums(cost ?? {}) };
      rows.set(`${group_id} ${first}`, {
        row: { group_id, first, last, created_at_ms: createdAtMs, events: JSON.stringify(events) },
        moves: { group_id, first, series: seriesOf(events), sums, measured: measured.size > 0 },
      });
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
