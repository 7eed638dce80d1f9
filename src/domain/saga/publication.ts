/**
 * Pure: which events of a log go to the record (D1) together. A commit that a reader of the record should see soon
 * closes a run, and so does the time of the first publication (`record.ts`); what came between closings travels with it. That a commit
 * closes a run is stored with it, so that a run that is sent again is the same run, and its first sequence identifies it.
 */
import type { Spent } from '../cost/spent.ts';
import type { EventPayload, EventType } from '../events/catalogue.ts';
import type { Envelope } from '../events/envelope.ts';
import { PUBLICATION_RUNS_BYTES_MAX } from '../limits.ts';

/** A run of events of one log, as it is sent to the record. */
export interface Run {
  readonly first: number;
  readonly last: number;
  readonly events: readonly Envelope[];
  /** What of its saga's cost is told with it. */
  readonly cost?: Spent;
}

const CLOSING: ReadonlySet<string> = new Set<EventType>([
  'payment.completed',
  'payment.failed',
  'payment.needs_attention',
  'payment.retried',
  'payment.resolved',
  'payment.refund_reserved',
  'refund.completed',
  'refund.failed',
  'refund.needs_attention',
  'refund.retried',
  'refund.resolved',
]);

/** Whether a commit with these events closes a run. After a terminal state every commit does: nothing follows it. */
export function closesRun(events: readonly Envelope[], terminal: boolean): boolean {
  return events.length > 0 && (terminal || events.some((event) => CLOSING.has(event.event_type) || isUnsettled(event)));
}

function isUnsettled(event: Envelope): boolean {
  if (event.event_type !== 'payment_gateway.response') return false;
  const { gateway_status: status } = event.payload as EventPayload<'payment_gateway.response'>;
  return status === 'UNKNOWN' || status === 'PENDING';
}

/** Runs in order, as messages of bounded size: each has as many as fit, and one at the least. */
export function messagesOf<Each>(runs: readonly Each[]): Each[][] {
  if (runs.length < 2) return runs.length === 0 ? [] : [[...runs]];
  const messages: Each[][] = [];
  let bytes = 0;
  for (const run of runs) {
    const size = new TextEncoder().encode(JSON.stringify(run)).length;
    bytes += size;
    const open = messages.at(-1);
    if (open !== undefined && bytes <= PUBLICATION_RUNS_BYTES_MAX) open.push(run);
    else {
      messages.push([run]);
      bytes = size;
    }
  }
  return messages;
}

/** Whether the numbers and the time that the record keeps beside a run's events are what those say, as far as they say it. */
export function isOfItsEvents(
  { first, last, createdAtMs }: { readonly first: number; readonly last: number; readonly createdAtMs: number },
  events: readonly { readonly timestamp?: string; readonly metadata?: { readonly sequence?: number } }[],
): boolean {
  const [oldest, newest] = [events[0], events.at(-1)];
  const { sequence: oldestSequence = first } = oldest?.metadata ?? {};
  const { sequence: newestSequence = last } = newest?.metadata ?? {};
  const endedAtMs = newest?.timestamp === undefined ? createdAtMs : Date.parse(newest.timestamp);
  return first === oldestSequence && last === newestSequence && createdAtMs === endedAtMs;
}

/** The closed runs made of these commits, in order; commits after the last closing one are left out. */
export function runsOf(
  commits: readonly { readonly events: readonly Envelope[]; readonly closes: boolean; readonly runCost?: Spent }[],
): Run[] {
  const runs: Run[] = [];
  let open: Envelope[] = [];
  for (const commit of commits) {
    open.push(...commit.events);
    const first = open[0]?.metadata.sequence;
    const last = open.at(-1)?.metadata.sequence;
    if (!commit.closes || first === undefined || last === undefined) continue;
    runs.push({ first, last, events: open, ...(commit.runCost !== undefined && { cost: commit.runCost }) });
    open = [];
  }
  return runs;
}
