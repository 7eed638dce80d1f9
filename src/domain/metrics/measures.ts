/**
 * Pure: what a run of events moves: which counters, and which sums of latencies, of providers' outcomes and of failures. A function of the
 * run and of when its entity was created, so the recorder and the auditor come to the same, and a run that is recorded once
 * is counted once. What began in an earlier run is not measured (decision 0062). Called by record-publications and the audit.
 */
import type { Envelope } from '../events/envelope.ts';

/** Series of `metric_counters` whose value is how many runs have added to the sums, and whose row holds them. */
export const RUNS_SERIES = 'runs';

/** Upper bounds of latencies, in milliseconds. To change one is to begin new histograms: rebuild the record. */
export const LATENCY_BOUNDS_MS = [10, 25, 50, 100, 250, 500, 1_000, 5_000, 30_000, 300_000] as const;
/** Beyond the last bound. */
export const UNBOUNDED = 'inf';
/** The sum of a histogram, beside its buckets; its count is what the buckets add up to. */
export const SUM_MS = 'ms';

/**
 * A sum's name: `step|{command}|{bucket}`, `end|{kind}|{status}|{bucket}`, `outcome|{provider}|{operation}|{status}`,
 * `payments|failed|{code}`, `refunds|failed|{code}`.
 */
export const SEPARATOR = '|';
export const MEASURES = ['step', 'end', 'outcome', 'payments', 'refunds'] as const;
/** What the names of the sums of failures begin with, by the counter of all, also of those whose events are too old to have a code. */
export const FAILURES: Readonly<Record<string, string>> = {
  'metrics.payment.failure': 'payments|failed|',
  'metrics.refund.failure': 'refunds|failed|',
};
/** For an answer that no provider gave: the call was never made. */
export const NO_PROVIDER = 'none';

export type MeasuredEvent = Pick<Envelope, 'event_type' | 'timestamp' | 'payload'>;

const COMMAND = 'orchestrator.';
/** Commands of a saga's first commit: they began when it was created, in a run of which the answer's run knows nothing. */
const FIRST_COMMANDS = ['wallet.hold_funds', 'payment.reserve_refund'] as const;
const ENDS: Readonly<Record<string, readonly [kind: string, status: string]>> = {
  'payment.completed': ['payment', 'completed'],
  'payment.failed': ['payment', 'failed'],
  'refund.completed': ['refund', 'completed'],
  'refund.failed': ['refund', 'failed'],
};

/** The series of `metric_counters` that these events move, one for each time. */
export function seriesOf(events: readonly MeasuredEvent[]): string[] {
  return events.map(({ event_type: type }) => type).filter((type) => type.startsWith('metrics.'));
}

/**
 * What these events add to the sums: latencies of steps that began in them, of an end since `createdAtMs`, outcomes, and failures
 * by code. A time that cannot be read adds no latency.
 */
export function sumsOf(events: readonly MeasuredEvent[], createdAtMs: number): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  const begun = new Map<string, number>(FIRST_COMMANDS.map((command) => [command, createdAtMs]));
  for (const event of events) {
    const atMs = Date.parse(event.timestamp);
    const { event_type: type } = event;
    if (type.startsWith(COMMAND)) begun.set(type.slice(COMMAND.length), atMs);
    const command = answeredBy(event);
    if (command !== null) {
      addLatency(sums, ['step', command], atMs - (begun.get(command) ?? Number.NaN));
      begun.delete(command);
    }
    if (type === 'payment_gateway.response') add(sums, outcomeOf(event), 1);
    const failures = FAILURES[type];
    const code = failures === undefined ? undefined : event.payload.failure_code;
    if (code !== undefined) add(sums, `${failures}${code}`, 1);
    const end = ENDS[type];
    if (end !== undefined) addLatency(sums, ['end', ...end], atMs - createdAtMs);
  }
  return sums;
}

/** The command that an event is the outcome of. */
function answeredBy({ event_type: type, payload }: MeasuredEvent): string | null {
  if (type === 'payment_gateway.response') return `gateway.${payload.operation}`;
  if (type === 'payment.refund_reserved') return 'payment.reserve_refund';
  if (type === 'payment.refund_settled') return 'payment.settle_refund';
  return type.startsWith('wallet.') ? type.replace(/_failed$/, '') : null;
}

function outcomeOf({ payload }: MeasuredEvent): string {
  const { provider, operation, gateway_status: status } = payload;
  return ['outcome', provider ?? NO_PROVIDER, operation, status].join(SEPARATOR);
}

function addLatency(sums: Map<string, number>, name: readonly string[], latencyMs: number): void {
  if (!Number.isSafeInteger(latencyMs)) return;
  // An owner that moved to another machine may find an earlier clock there.
  const elapsedMs = Math.max(0, latencyMs);
  const bucket = LATENCY_BOUNDS_MS.find((boundMs) => elapsedMs <= boundMs) ?? UNBOUNDED;
  add(sums, [...name, bucket].join(SEPARATOR), 1);
  add(sums, [...name, SUM_MS].join(SEPARATOR), elapsedMs);
}

function add(sums: Map<string, number>, name: string, by: number): void {
  sums.set(name, (sums.get(name) ?? 0) + by);
}
