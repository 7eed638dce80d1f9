/**
 * Pure: everything that a payment's object knows, as one stored value, and how it changes: by a step of the saga, by an
 * acknowledgement, by time. The object only commits what comes out of here; the next alarm is computed here too.
 */
import { DAY_MS, RETENTION_MS } from '../limits.ts';
import type { PaymentData } from '../payment.ts';
import { paymentView } from '../payment-view.ts';
import { backoffMs } from '../retry.ts';
import type { Acknowledgement, CreatePayment, Trace } from '../rpc.ts';
import { nextDueAtMs, withoutCommands } from './engine.ts';
import { beginPayment, stepPayment } from './payment-saga.ts';
import type { PaymentSagaValue, PaymentStep } from './payment-types.ts';
import { closesRun } from './publication.ts';
import type { StepContext, StepInput } from './table.ts';

export interface PaymentRecord {
  /** Of this JSON: raised when a reader must tell old from new. */
  readonly format: 1;
  readonly fingerprint: string;
  readonly trace: Trace;
  readonly saga: PaymentSagaValue;
  /** The public JSON at the terminal state, kept so that every replay has the same bytes; null before it. */
  readonly terminalBody: string | null;
  /** The event log's projection (D1) is known to hold every event up to here. */
  readonly recordedSequence: number;
  /** Last sequence of the newest closed run (`publication.ts`). */
  readonly closedSequence: number;
  readonly publishAttempts: number;
  /** When closed runs that are not known to be recorded are sent again; null when there are none. */
  readonly publishDueAtMs: number | null;
  /** The alarm as it was last set, in the same commit; one in the past has fired. */
  readonly alarmAtMs: number;
}

/** A change of the record: what to store, which step made it, and whether its events close a run. */
export interface RecordChange {
  readonly record: PaymentRecord;
  readonly step: PaymentStep;
  readonly closes: boolean;
}

/** Begins a payment: the claim of its key is its saga's first commit. */
export function beginRecord(input: CreatePayment, paymentId: string, context: StepContext): RecordChange {
  const data: PaymentData = {
    paymentId,
    scope: input.scope,
    idempotencyKey: input.idempotencyKey,
    request: input.request,
    amountCodes: input.amountCodes,
    provider: null,
    providerReference: null,
    passedOver: [],
    rounds: 0,
    late: [],
    captured: false,
    failure: null,
    refundedAmount: 0,
    authorizeNotAfterMs: context.nowMs,
    unknownSinceMs: null,
    attentionReason: null,
    createdAtMs: context.nowMs,
    updatedAtMs: context.nowMs,
    completedAtMs: null,
  };
  const step = beginPayment(data, context);
  const empty: PaymentRecord = {
    format: 1,
    fingerprint: input.fingerprint,
    trace: input.trace,
    saga: step.saga,
    terminalBody: null,
    recordedSequence: 0,
    closedSequence: 0,
    publishAttempts: 0,
    publishDueAtMs: null,
    alarmAtMs: 0,
  };
  return afterStep(empty, step, context);
}

/** Takes inputs in order, as one change; null when they change nothing. */
export function takeInputs(
  before: PaymentRecord,
  inputs: readonly StepInput[],
  context: StepContext,
): RecordChange | null {
  let step: PaymentStep = { saga: before.saga, events: [], send: [] };
  for (const input of inputs) {
    const next = stepPayment(step.saga, input, context);
    step = { saga: next.saga, events: [...step.events, ...next.events], send: [...step.send, ...next.send] };
  }
  return step.saga === before.saga ? null : afterStep(before, step, context);
}

/** The record after a step of its saga, with the alarm that it needs. */
export function afterStep(before: PaymentRecord, step: PaymentStep, context: StepContext): RecordChange {
  const isTerminal = step.saga.state === 'completed' || step.saga.state === 'failed';
  const becomesTerminal = isTerminal && before.terminalBody === null;
  const saga = becomesTerminal
    ? { ...step.saga, data: { ...step.saga.data, completedAtMs: context.nowMs } }
    : step.saga;
  const closes = closesRun(step.events, isTerminal);
  const record = {
    ...before,
    saga,
    ...(becomesTerminal && { terminalBody: JSON.stringify(paymentView(saga)) }),
    ...(closes && { closedSequence: saga.sequence, ...publishedAgain(1, context) }),
  };
  return { record: armed(record, context.nowMs), step, closes };
}

/** The record after its closed runs were handed to the queue once more. */
export function afterPublishing(record: PaymentRecord, context: StepContext): PaymentRecord {
  return { ...record, ...publishedAgain(record.publishAttempts + 1, context) };
}

function publishedAgain(attempts: number, { nowMs, policy, random }: StepContext) {
  return { publishAttempts: attempts, publishDueAtMs: nowMs + backoffMs(policy.resend, attempts, random()) };
}

/**
 * The record without what others have durably taken over. A run counts only when nothing before it is missing: the log's
 * projection has no gap that nobody knows of (S9).
 */
export function afterAcknowledgement(
  record: PaymentRecord,
  { effectIds, events }: Acknowledgement,
  nowMs: number,
): PaymentRecord {
  const saga = withoutCommands(record.saga, new Set(effectIds));
  const follows = events !== undefined && events.first <= record.recordedSequence + 1;
  const recordedSequence = follows ? Math.max(record.recordedSequence, events.last) : record.recordedSequence;
  const publishDueAtMs = recordedSequence >= record.closedSequence ? null : record.publishDueAtMs;
  const next = { ...record, saga, recordedSequence, publishDueAtMs };
  return isAtRest(next) ? armed(next, nowMs) : next;
}

/** Terminal, every command's effect known, every event recorded: nothing is left to do but to expire. */
export function isAtRest(record: PaymentRecord): boolean {
  return record.terminalBody !== null && record.saga.pending.length === 0 && record.publishDueAtMs === null;
}

/** When the key's record may be forgotten down to a tombstone: RETENTION_MS after the terminal state. */
export function expiresAtMs(record: PaymentRecord): number {
  return (record.saga.data.completedAtMs ?? record.saga.data.updatedAtMs) + RETENTION_MS;
}

/** A terminal payment answers with the bytes kept at that moment; a running one as it is. */
export function bodyOf(record: PaymentRecord): string {
  return record.terminalBody ?? JSON.stringify(paymentView(record.saga));
}

/**
 * When the object must be woken: for what is due first; at rest, when it expires. Where nothing is due and a person's
 * turn it is, daily all the same: every live saga has an armed alarm (S6).
 */
export function alarmWantedAtMs(record: PaymentRecord, nowMs: number): number {
  if (isAtRest(record)) return expiresAtMs(record);
  const dues = [nextDueAtMs(record.saga), record.publishDueAtMs, nowMs + DAY_MS];
  return Math.min(...dues.filter((dueAtMs) => dueAtMs !== null));
}

/**
 * The record with `alarmAtMs` as it must be set. One that is armed for earlier is left: it then finds nothing due and
 * arms the next, and that is rarer, and so cheaper, than one more written row per commit.
 */
export function armed(record: PaymentRecord, nowMs: number): PaymentRecord {
  const wantedAtMs = alarmWantedAtMs(record, nowMs);
  const standsEarlier = record.alarmAtMs > nowMs && record.alarmAtMs <= wantedAtMs;
  return standsEarlier && !isAtRest(record) ? record : { ...record, alarmAtMs: wantedAtMs };
}
