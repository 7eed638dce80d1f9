/**
 * Pure: everything that the object of a saga knows, as one stored value, and how it changes: by a step of the saga, by an
 * acknowledgement, by time. The object only commits what comes out of here; the next alarm is computed here too. The same
 * for every kind of saga: a `SagaKind` is its table and how the public sees it.
 */
import { largerSpent, type Spent, spentSince, sumOfSpent } from '../cost/spent.ts';
import type { Scope } from '../ids.ts';
import { DAY_MS, RETENTION_MS, SECOND_MS } from '../limits.ts';
import type { Redrivable } from '../redrive-rpc.ts';
import { backoffMs } from '../retry.ts';
import type { Acknowledgement, Trace } from '../saga-rpc.ts';
import { effectIdOf } from './effects.ts';
import { isPending, nextDueAtMs, step, withoutCommands } from './engine.ts';
import { closesRun } from './publication.ts';
import { SEALED_FORMAT } from './seal.ts';
import type { PendingCommand, Saga, SagaTable, Step, StepContext, StepInput } from './table.ts';

/** What every saga's data has. */
export interface SagaData {
  readonly scope: Scope;
  readonly idempotencyKey: string;
  /** The validated body that began it. */
  readonly request: object;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly completedAtMs: number | null;
}

export interface SagaKind<State extends string, Data extends SagaData, Name extends string, Row> {
  readonly table: SagaTable<State, Data, Name>;
  /** The public JSON, and the public status in it. */
  readonly view: (saga: Saga<State, Data, Name>) => {
    readonly id: string;
    readonly object: 'payment' | 'refund';
    readonly status: string;
  };
  /** What of its effects stands, for a person who must decide. */
  readonly inForce: (saga: Saga<State, Data, Name>) => Record<string, unknown>;
  /** The row of the record (D1) that this state amounts to. */
  readonly row: (saga: Saga<State, Data, Name>) => Row;
  /**
   * Its claim may be taken back as if it had never been: until a commit closes a run, the record is told nothing of it, whatever the
   * time.
   */
  readonly isRevocable?: boolean;
  /** Whether something that stands on it is under way, so that it must not be forgotten yet; absent: nothing can. */
  readonly isNeeded?: (saga: Saga<State, Data, Name>) => boolean;
}

export interface SagaRecord<State extends string = string, Data = unknown, Name extends string = string> {
  /** Of this JSON: raised when a reader must tell old from new. From 2 on its commit is sealed (`seal.ts`). */
  readonly format: 1 | 2;
  readonly fingerprint: string;
  readonly trace: Trace;
  readonly saga: Saga<State, Data, Name>;
  /** The public JSON at the terminal state, kept so that every replay has the same bytes; null before it. */
  readonly terminalBody: string | null;
  /** The event log's projection (D1) is known to hold every event up to here. */
  readonly recordedSequence: number;
  /** Last sequence of the newest closed run (`publication.ts`). */
  readonly closedSequence: number;
  readonly publishAttempts: number;
  /** When closed runs that are not known to be recorded are sent again, or what was never published is; null when there is nothing. */
  readonly publishDueAtMs: number | null;
  /** The alarm as it was last set, in the same commit; one in the past has fired. */
  readonly alarmAtMs: number;
  /** What it has cost, the row that this stands in included. Absent in records from before it was counted. */
  readonly cost?: Spent;
  /** What the record's counters (D1) are told that it costs, by the runs up to here. */
  readonly billed?: Spent;
  /** The part of `billed` that the run told which this commit closes. */
  readonly runCost?: Spent;
}

/** A change of the record: what to store, which step made it, whether its events close a run, what to send and to publish. */
export interface RecordChange<State extends string, Data, Name extends string> {
  readonly record: SagaRecord<State, Data, Name>;
  readonly step: Step<State, Data, Name>;
  readonly closes: boolean;
  /** The step's commands, but for those that go with the run. */
  readonly send: readonly PendingCommand<Name>[];
  readonly publish: {
    /** Every closed run after this sequence is sent to the record at once. */
    readonly after: number;
    /** Effect ids of the commands that go with it. */
    readonly toTell: readonly string[];
  } | null;
}

/**
 * How long a saga that has begun may go untold to the record. Most have ended by then, and are told once, as one run: one
 * message, one transaction's share and two rows fewer than telling the beginning apart (decisions 0065, 0066).
 */
export const FIRST_PUBLICATION_DELAY_MS = 2 * SECOND_MS;

type Kind<State extends string, Data extends SagaData, Name extends string> = SagaKind<State, Data, Name, unknown>;

/** The record of a saga that begins with this step: the claim of its key is its first commit. It is published later, unless it is over. */
export function beginRecord<State extends string, Data extends SagaData, Name extends string>(
  kind: Kind<State, Data, Name>,
  fingerprint: string,
  first: Step<State, Data, Name>,
  context: StepContext,
): RecordChange<State, Data, Name> {
  const empty = {
    format: SEALED_FORMAT,
    fingerprint,
    trace: context.trace,
    saga: first.saga,
    terminalBody: null,
    recordedSequence: 0,
    closedSequence: 0,
    publishAttempts: 0,
    publishDueAtMs: null,
    alarmAtMs: 0,
  } as const;
  const begun = afterStep(kind, empty, first, context);
  if (begun.closes || kind.isRevocable === true) return begun;
  const publishDueAtMs = context.nowMs + FIRST_PUBLICATION_DELAY_MS;
  return { ...begun, record: armed({ ...begun.record, publishDueAtMs, alarmAtMs: 0 }, context.nowMs) };
}

/** Takes inputs in order, as one change; null when they change nothing. */
export function takeInputs<State extends string, Data extends SagaData, Name extends string>(
  kind: Kind<State, Data, Name>,
  before: SagaRecord<State, Data, Name>,
  inputs: readonly StepInput[],
  context: StepContext,
): RecordChange<State, Data, Name> | null {
  let taken: Step<State, Data, Name> = { saga: before.saga, events: [], send: [] };
  for (const input of inputs) {
    const next = step(kind.table, taken.saga, input, context);
    taken = { saga: next.saga, events: [...taken.events, ...next.events], send: [...taken.send, ...next.send] };
  }
  return taken.saga === before.saga ? null : afterStep(kind, before, taken, context);
}

/** The record after a step of its saga, with the alarm that it needs. */
export function afterStep<State extends string, Data extends SagaData, Name extends string>(
  kind: Kind<State, Data, Name>,
  before: SagaRecord<State, Data, Name>,
  taken: Step<State, Data, Name>,
  context: StepContext,
): RecordChange<State, Data, Name> {
  const isTerminal = kind.table.states[taken.saga.state].terminal === true;
  // A terminal state that is entered anew (a refund that fails after its success) is a terminal body anew.
  const becomesTerminal = isTerminal && (before.terminalBody === null || before.saga.state !== taken.saga.state);
  const saga = becomesTerminal
    ? { ...taken.saga, data: { ...taken.saga.data, completedAtMs: context.nowMs } }
    : taken.saga;
  const closes = closesRun(taken.events, isTerminal) || publicationDue(before, context.nowMs) === 'first';
  const terminalBody = becomesTerminal ? JSON.stringify(kind.view(saga)) : before.terminalBody;
  const record = {
    ...before,
    saga,
    terminalBody: isTerminal ? terminalBody : null,
    ...(closes && { closedSequence: saga.sequence, ...publishedAgain(1, context) }),
  };
  // Runs that have never been sent go with the first that is.
  const after = before.publishAttempts === 0 ? before.recordedSequence : before.closedSequence;
  const riding = closes ? taken.send.filter((command) => goesWithRun(kind, command)) : [];
  return {
    record: armed(record, context.nowMs),
    step: taken,
    closes,
    send: taken.send.filter((command) => !riding.includes(command)),
    publish: closes ? { after, toTell: riding.flatMap((command) => effectIdOf(command) ?? []) } : null,
  };
}

function goesWithRun<State extends string, Data extends SagaData, Name extends string>(
  kind: Kind<State, Data, Name>,
  { name, attempts }: PendingCommand<Name>,
): boolean {
  return kind.table.commands[name].goesWithRun === true && attempts === 1;
}

/**
 * The record with what the run that this commit closes tells of its cost: once it has ended, all that was not told before, and what is
 * certain to follow. A run that closes earlier tells nothing: its payment is counted with its end.
 * @param toCome what follows its end for certain (`afterTheEnd`).
 */
export function billed<Recorded extends SagaRecord>(record: Recorded, toCome: Spent): Recorded {
  if (record.terminalBody === null) return { ...record, runCost: {} };
  const told = record.billed ?? {};
  const due = largerSpent(told, sumOfSpent(record.cost, toCome));
  return { ...record, billed: due, runCost: spentSince(told, due) };
}

/** The record of which the log's projection (D1) is found to hold nothing: every closed run is to be sent once more. */
export function afterLoss<State extends string, Data, Name extends string>(
  record: SagaRecord<State, Data, Name>,
  context: StepContext,
): SagaRecord<State, Data, Name> {
  return armed({ ...record, recordedSequence: 0, ...publishedAgain(1, context) }, context.nowMs);
}

/** What of its publication is due: the first, which closes the run that is open, or closed runs again, or nothing. */
export function publicationDue(
  { publishDueAtMs, recordedSequence, closedSequence }: SagaRecord,
  nowMs: number,
): 'first' | 'again' | 'none' {
  if (publishDueAtMs === null || publishDueAtMs > nowMs) return 'none';
  return recordedSequence >= closedSequence ? 'first' : 'again';
}

/** The record after its closed runs were handed to the queue once more. */
export function afterPublishing<Recorded extends SagaRecord>(record: Recorded, context: StepContext): Recorded {
  return { ...record, ...publishedAgain(record.publishAttempts + 1, context) };
}

function publishedAgain(attempts: number, { nowMs, policy, random }: StepContext) {
  return { publishAttempts: attempts, publishDueAtMs: nowMs + backoffMs(policy.resend, attempts, random()) };
}

/**
 * The record without what others have durably taken over. A run counts only when nothing before it is missing: the log's
 * projection has no gap that nobody knows of (S9).
 */
export function afterAcknowledgement<State extends string, Data, Name extends string>(
  record: SagaRecord<State, Data, Name>,
  { effectIds, events }: Acknowledgement,
  nowMs: number,
): SagaRecord<State, Data, Name> {
  const saga = withoutCommands(record.saga, new Set(effectIds));
  const follows = events !== undefined && events.first <= record.recordedSequence + 1;
  const recordedSequence = follows ? Math.max(record.recordedSequence, events.last) : record.recordedSequence;
  const isAllRecorded = events !== undefined && recordedSequence >= record.closedSequence;
  const publishDueAtMs = isAllRecorded ? null : record.publishDueAtMs;
  const next = { ...record, saga, recordedSequence, publishDueAtMs };
  return isAtRest(next) ? armed(next, nowMs) : next;
}

/** Whether what a dead letter carried is still waited for: an outcome of its effect, or that its runs are recorded. */
export function stillAwaits(record: SagaRecord, item: Redrivable): boolean {
  return item.kind === 'effect' ? isPending(record.saga, item.effectId) : record.publishDueAtMs !== null;
}

/** Terminal, every command's effect known, every event recorded: nothing is left to do but to expire. */
export function isAtRest(record: SagaRecord): boolean {
  return record.terminalBody !== null && record.saga.pending.length === 0 && record.publishDueAtMs === null;
}

/**
 * When the key's record may be forgotten down to a tombstone: RETENTION_MS after the terminal state, or after the last that
 * happened since: a refund's provider may take its success back for as long as the refund's own object is there.
 */
export function expiresAtMs(record: SagaRecord): number {
  const { completedAtMs, updatedAtMs } = record.saga.data as SagaData;
  return Math.max(completedAtMs ?? 0, updatedAtMs) + RETENTION_MS;
}

/** Whether something should have been done by now: a command sent, a run published, a saga at rest forgotten. */
export function isDue(record: SagaRecord, nowMs: number): boolean {
  if (isAtRest(record)) return nowMs >= expiresAtMs(record);
  return [nextDueAtMs(record.saga), record.publishDueAtMs].some((dueAtMs) => dueAtMs !== null && dueAtMs <= nowMs);
}

/**
 * When the object must be woken: for what is due first; at rest, when it expires. Where nothing is due and a person's
 * turn it is, daily all the same: every live saga has an armed alarm (S6).
 */
export function alarmWantedAtMs(record: SagaRecord, nowMs: number): number {
  if (isAtRest(record)) return expiresAtMs(record);
  const dues = [nextDueAtMs(record.saga), record.publishDueAtMs, nowMs + DAY_MS];
  return Math.min(...dues.filter((dueAtMs) => dueAtMs !== null));
}

/**
 * The record with `alarmAtMs` as it must be set. One that is armed for earlier is left: it then finds nothing due and
 * arms the next, and that is rarer, and so cheaper, than one more written row per commit.
 */
export function armed<Recorded extends SagaRecord>(record: Recorded, nowMs: number): Recorded {
  const wantedAtMs = alarmWantedAtMs(record, nowMs);
  const standsEarlier = record.alarmAtMs > nowMs && record.alarmAtMs <= wantedAtMs;
  return standsEarlier && !isAtRest(record) ? record : { ...record, alarmAtMs: wantedAtMs };
}
