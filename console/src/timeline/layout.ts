/**
 * Pure: a saga's timeline out of its events: a row for each kind of command, in the order in which they were first issued; in a
 * row each issue of the command, and in an issue each attempt, from the command or the answer before to the answer. What ends
 * an attempt and what does not is in `isAnswered`. Called by the payment's view and by scripts/console-shown/timeline-svg.ts.
 */
import type { Envelope } from '../../../src/domain/events/envelope.ts';

/** `unknown`: nobody could say what became of it. `given_up`: the saga went on, or stopped, without an answer. */
export type AttemptResult = 'done' | 'refused' | 'unknown' | 'not_sent' | 'waiting' | 'given_up' | 'running';

export interface Attempt {
  readonly fromMs: number;
  /** null while it runs. */
  readonly toMs: number | null;
  readonly result: AttemptResult;
  /** What was answered, in the words of the log: `AUTHORIZED`, `insufficient_funds`. */
  readonly answer: string | null;
  readonly provider: string | null;
  /** The event that began the attempt's command, and the one that answered it. */
  readonly sequence: number;
  readonly answerSequence: number | null;
}

export interface Row {
  readonly command: string;
  readonly label: string;
  /** It undoes what was done. */
  readonly isUndo: boolean;
  readonly attempts: readonly Attempt[];
}

/** A moment of the saga itself. */
export interface Mark {
  readonly atMs: number;
  readonly label: string;
  readonly kind: 'begin' | 'good' | 'bad' | 'person' | 'other';
  readonly sequence: number;
}

export interface Timeline {
  readonly fromMs: number;
  /** Of the last event. */
  readonly toMs: number;
  readonly rows: readonly Row[];
  readonly marks: readonly Mark[];
  /** Nothing runs any more and no event is awaited, as far as the events tell. */
  readonly isEnded: boolean;
}

const LABELS: Readonly<Record<string, { readonly label: string; readonly isUndo: boolean }>> = {
  'orchestrator.wallet.hold_funds': { label: 'Hold funds', isUndo: false },
  'orchestrator.wallet.debit': { label: 'Debit', isUndo: false },
  'orchestrator.wallet.release_funds': { label: 'Release funds', isUndo: true },
  'orchestrator.wallet.credit': { label: 'Credit', isUndo: false },
  'orchestrator.wallet.reverse_credit': { label: 'Reverse credit', isUndo: true },
  'orchestrator.gateway.authorize': { label: 'Authorize', isUndo: false },
  'orchestrator.gateway.capture': { label: 'Capture', isUndo: false },
  'orchestrator.gateway.unauthorize': { label: 'Void', isUndo: true },
  'orchestrator.gateway.refund': { label: 'Refund', isUndo: true },
  'orchestrator.gateway.lookup': { label: 'Look up', isUndo: false },
  'orchestrator.payment.reserve_refund': { label: 'Reserve refund', isUndo: false },
  'orchestrator.payment.settle_refund': { label: 'Settle refund', isUndo: false },
};

const MARKS: Readonly<Record<string, { readonly label: string; readonly kind: Mark['kind'] }>> = {
  'payment.created': { label: 'created', kind: 'begin' },
  'payment.completed': { label: 'completed', kind: 'good' },
  'payment.failed': { label: 'failed', kind: 'bad' },
  'payment.needs_attention': { label: 'needs attention', kind: 'bad' },
  'payment.retried': { label: 'retried', kind: 'person' },
  'payment.resolved': { label: 'resolved', kind: 'person' },
  'payment.refunded': { label: 'refunded', kind: 'other' },
  'refund.created': { label: 'created', kind: 'begin' },
  'refund.completed': { label: 'completed', kind: 'good' },
  'refund.failed': { label: 'failed', kind: 'bad' },
  'refund.needs_attention': { label: 'needs attention', kind: 'bad' },
  'refund.retried': { label: 'retried', kind: 'person' },
  'refund.resolved': { label: 'resolved', kind: 'person' },
};

const GATEWAY_RESULTS: Readonly<Record<string, AttemptResult>> = {
  AUTHORIZED: 'done',
  CAPTURED: 'done',
  VOIDED: 'done',
  REFUNDED: 'done',
  ABSENT: 'done',
  UNAUTHORIZED: 'refused',
  VOID_FAILED: 'refused',
  REFUND_FAILED: 'refused',
  PENDING: 'waiting',
  UNKNOWN: 'unknown',
  NOT_SENT: 'not_sent',
};
/** Sent again under the same effect id until they are answered, with no new command in the log. */
const SENT_AGAIN = new Set(['unauthorize', 'capture', 'refund']);
const ENDS = new Set(['payment.completed', 'payment.failed', 'refund.completed', 'refund.failed']);
const STOPS = new Set([...ENDS, 'payment.needs_attention', 'refund.needs_attention']);
const MOVES = new Set(['payment.retried', 'payment.resolved', 'refund.retried', 'refund.resolved']);

interface OpenRow {
  readonly command: string;
  readonly attempts: Attempt[];
  /** Where the attempt that runs began; null: none does. */
  since: { atMs: number; provider: string | null; sequence: number } | null;
  /** The last issue, for answers that come after a person's move. */
  last: { provider: string | null; sequence: number };
}

/** The timeline of events of one saga, in the order of their sequence; events of types that it does not know are left out. */
export function layoutOf(events: readonly Envelope[]): Timeline {
  const rows = new Map<string, OpenRow>();
  const marks: Mark[] = [];
  let isEnded = false;
  /** When a person last had the saga go on. */
  let movedMs = 0;
  for (const event of events) {
    const { event_type: type } = event;
    const atMs = Date.parse(event.timestamp);
    const { sequence } = event.metadata;
    const mark = MARKS[type];
    if (mark !== undefined) marks.push({ atMs, ...mark, sequence });
    if (LABELS[type] !== undefined) issue(rows, event, atMs);
    else answer(rows, event, atMs, movedMs);
    if (STOPS.has(type)) for (const row of rows.values()) giveUp(row, atMs, sequence);
    if (ENDS.has(type)) isEnded = true;
    if (!MOVES.has(type)) continue;
    isEnded = false;
    movedMs = atMs;
  }
  const times = events.map(({ timestamp }) => Date.parse(timestamp));
  return {
    fromMs: times[0] ?? 0,
    toMs: times.at(-1) ?? 0,
    rows: [...rows.values()].map((row) => rowOf(row, events[0]?.event_type === 'refund.created')),
    marks,
    isEnded: isEnded && [...rows.values()].every(({ since }) => since === null),
  };
}

function issue(rows: Map<string, OpenRow>, event: Envelope, atMs: number): void {
  const { event_type: command, payload, metadata } = event;
  const provider = textOf(payload.provider);
  const row = rows.get(command) ?? { command, attempts: [], since: null, last: { provider, sequence: 0 } };
  rows.set(command, row);
  // Issued anew with no answer to the issue before.
  giveUp(row, atMs, metadata.sequence);
  row.since = { atMs, provider, sequence: metadata.sequence };
  row.last = { provider, sequence: metadata.sequence };
}

function answer(rows: Map<string, OpenRow>, event: Envelope, atMs: number, movedMs: number): void {
  const heard = answerOf(event);
  const row = heard === null ? undefined : rows.get(heard.command);
  if (heard === null || row === undefined) return;
  // An answer to nothing that runs: sent again at a person's word, or late.
  const begun = row.since ?? { atMs: Math.max(row.attempts.at(-1)?.toMs ?? atMs, movedMs), ...row.last };
  const provider = heard.provider ?? begun.provider;
  const { result, text } = heard;
  const { sequence: answerSequence } = event.metadata;
  row.attempts.push({
    fromMs: begun.atMs,
    toMs: atMs,
    result,
    answer: text,
    provider,
    sequence: begun.sequence,
    answerSequence,
  });
  row.since = heard.isAnswered ? null : { atMs, provider, sequence: begun.sequence };
}

function giveUp(row: OpenRow, atMs: number, answerSequence: number): void {
  if (row.since === null) return;
  const { atMs: fromMs, ...rest } = row.since;
  row.attempts.push({ fromMs, toMs: atMs, result: 'given_up', answer: null, answerSequence, ...rest });
  row.since = null;
}

interface Heard {
  readonly command: string;
  readonly result: AttemptResult;
  readonly text: string;
  readonly provider: string | null;
  readonly isAnswered: boolean;
}

/** The answer that an event is, and to which command; null: it is none. */
function answerOf({ event_type: type, payload }: Envelope): Heard | null {
  if (type === 'payment_gateway.response') {
    const operation = textOf(payload.operation) ?? '';
    const status = textOf(payload.gateway_status) ?? '';
    const result = GATEWAY_RESULTS[status] ?? 'unknown';
    const reason = textOf(payload.decline_code) ?? textOf(payload.reason);
    const isAnswered =
      result !== 'waiting' && !(SENT_AGAIN.has(operation) && (result === 'unknown' || result === 'not_sent'));
    return {
      command: `orchestrator.gateway.${operation}`,
      result,
      text: reason === null ? status : `${status} (${reason})`,
      provider: textOf(payload.provider),
      isAnswered,
    };
  }
  if (type.startsWith('wallet.')) {
    const isRefused = type.endsWith('_failed');
    const command = `orchestrator.${isRefused ? type.slice(0, -'_failed'.length) : type}`;
    const text = textOf(isRefused ? payload.reason : payload.status) ?? '';
    return { command, result: isRefused ? 'refused' : 'done', text, provider: null, isAnswered: true };
  }
  const fact = { 'payment.refund_reserved': 'reserve_refund', 'payment.refund_settled': 'settle_refund' }[type];
  if (fact === undefined) return null;
  const text = textOf(payload.settlement) ?? 'RESERVED';
  return { command: `orchestrator.payment.${fact}`, result: 'done', text, provider: null, isAnswered: true };
}

/** In a refund's own log, giving back is what it is for. */
function rowOf({ command, attempts, since }: OpenRow, isOfRefund: boolean): Row {
  const { label, isUndo: undoes } = LABELS[command] ?? { label: command, isUndo: false };
  const isUndo = undoes && !(isOfRefund && command === 'orchestrator.gateway.refund');
  const running: Attempt[] =
    since === null
      ? []
      : [
          {
            fromMs: since.atMs,
            toMs: null,
            result: 'running',
            answer: null,
            provider: since.provider,
            sequence: since.sequence,
            answerSequence: null,
          },
        ];
  return { command, label, isUndo, attempts: [...attempts, ...running] };
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** How long it took, in the unit that reads best: `14 ms`, `2.0 s`, `3 min 20 s`, `71 h 4 min`. */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
