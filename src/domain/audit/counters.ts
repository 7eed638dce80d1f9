/**
 * Pure: the audit of the record's counters and sums: each is what the runs of the event log amount to, by the function that the
 * recorder has. The log is counted in pages while both go on, so the counters are read twice: what was counted lies between
 * them, and when nothing moved it is both. Called by the auditor (src/auditor/walk.ts).
 */
import { COST_SERIES } from '../cost/series.ts';
import { DEAD_LETTER_SERIES } from '../dead-letter.ts';
import { CATALOGUE } from '../events/catalogue.ts';
import { entityOf } from '../events/envelope.ts';
import { MEASURES, type MeasuredEvent, RUNS_SERIES, SEPARATOR, seriesOf, sumsOf } from '../metrics/measures.ts';
import { WEBHOOK_SERIES } from '../webhook.ts';
import { type Finding, Findings } from './finding.ts';

/** By series; a sum by its own name. */
export type Counts = Readonly<Record<string, number>>;

/** A row of the event log, as it is stored, and when the record says that its payment or refund was created; null: it has none. */
export interface EventRow {
  readonly groupId: string;
  readonly first: number;
  readonly last: number;
  readonly events: string;
  readonly ownerCreatedAtMs: number | null;
}

/** Less than any count. */
const UNREADABLE = -1;

/** Moved by the endpoints' own totals (decision 0042), by the dead letters themselves, and by what runs cost: not by events. */
const COUNTED_ELSEWHERE: ReadonlySet<string> = new Set([
  ...Object.values(WEBHOOK_SERIES),
  ...Object.values(DEAD_LETTER_SERIES),
  ...COST_SERIES,
]);

/** Adds a page of the event log to `counts`; what cannot be read, or belongs to nobody, is a finding. */
export function countEvents(
  counts: Counts,
  rows: readonly EventRow[],
): { readonly counts: Counts; readonly findings: readonly Finding[] } {
  const sums = new Map(Object.entries(counts));
  const findings = rows.flatMap((row) => {
    const found = new Findings(`run ${row.first} of ${entityOf(row.groupId)}`);
    found.expect(row.ownerCreatedAtMs !== null, 'S9', 'the record has no payment or refund of it');
    found.guard('S9', 'the run', () => {
      const events = JSON.parse(row.events) as readonly MeasuredEvent[];
      found.expect(events.length === row.last - row.first + 1, 'S9', `has ${events.length} events`);
      for (const [series, by] of movesOf(events, row.ownerCreatedAtMs ?? Number.NaN)) {
        sums.set(series, (sums.get(series) ?? 0) + by);
      }
    });
    return found.all;
  });
  return { counts: Object.fromEntries(sums), findings };
}

/** All that a run moves. */
function movesOf(events: readonly MeasuredEvent[], createdAtMs: number): readonly (readonly [string, number])[] {
  const sums = [...sumsOf(events, createdAtMs)];
  const counts = seriesOf(events).map((series) => [series, 1] as const);
  return [...counts, ...sums, ...(sums.length > 0 ? [[RUNS_SERIES, 1] as const] : [])];
}

/** The counters as they are stored, and the sums of their one row as counters too. @throws if those are no JSON. */
export function countsOf(
  rows: readonly { readonly series: string; readonly value: number; readonly sums: string | null }[],
): Counts {
  const sums = rows.flatMap(({ sums: text }) =>
    text === null ? [] : Object.entries(JSON.parse(text) as Record<string, unknown>),
  );
  // What is no whole number is no count: the comparison finds it.
  const numbers = sums.map(([name, sum]) => [name, Number.isSafeInteger(sum) ? Number(sum) : UNREADABLE] as const);
  return Object.fromEntries([...numbers, ...rows.map(({ series, value }) => [series, value] as const)]);
}

/**
 * @param counted what the archive had of the log before the first page, and what was counted in the pages.
 * @param before the counters as they stood before the first page of the log; `after`: after the last.
 * @param meanwhile what went from the log to the archive in between: it was counted in a page, or missed by all of them.
 */
export function compareCounters(
  counted: Counts,
  before: Counts,
  after: Counts,
  meanwhile: Counts = {},
): readonly Finding[] {
  const series = new Set([...Object.keys(counted), ...Object.keys(before), ...Object.keys(after)]);
  return [...series].flatMap((name) => {
    if (COUNTED_ELSEWHERE.has(name)) return [];
    const found = new Findings(`counter ${name}`);
    const [low, high] = [before[name] ?? 0, after[name] ?? 0];
    const count = counted[name] ?? 0;
    const countMax = count + (meanwhile[name] ?? 0);
    found.expect(isMoved(name), 'counter', 'no event of the catalogue moves it');
    const holds = low <= countMax && count <= high;
    found.expect(holds, 'counter', `says ${range(low, high)}; the event log has ${range(count, countMax)}`);
    return found.all;
  });
}

function isMoved(name: string): boolean {
  const isSum = MEASURES.some((measure) => name.startsWith(`${measure}${SEPARATOR}`));
  return Object.hasOwn(CATALOGUE, name) || name === RUNS_SERIES || isSum;
}

function range(low: number, high: number): string {
  return low === high ? `${low}` : `${low} to ${high}`;
}
