/**
 * The object of one saga, simulated: what `durable-objects/saga/saga-host.ts` does over the same pure record, with what the
 * platform may do to it: die before a commit, after it and before its sends, or after them; forget its memory at any time;
 * ring late, twice, or with its clock set elsewhere. Storage and alarm outlive it; memory does not. It must mirror the
 * host and decide nothing.
 */

import type { Envelope } from '../../src/domain/events/envelope.ts';
import { MINUTE_MS } from '../../src/domain/limits.ts';
import type { Publication } from '../../src/domain/messages.ts';
import { effectIdOf } from '../../src/domain/saga/effects.ts';
import { nextDueAtMs, step } from '../../src/domain/saga/engine.ts';
import { runsOf } from '../../src/domain/saga/publication.ts';
import {
  afterAcknowledgement,
  afterPublishing,
  afterStep,
  beginRecord,
  isAtRest,
  publicationDue,
  type RecordChange,
  type SagaData,
  type SagaKind,
  type SagaRecord,
  takeInputs,
} from '../../src/domain/saga/record.ts';
import type { PendingCommand, Step, StepContext, StepInput } from '../../src/domain/saga/table.ts';
import type { Acknowledgement } from '../../src/domain/saga-rpc.ts';

/** saga-host.ts: WATCHDOG_MS. */
const WATCHDOG_MS = MINUTE_MS;
/** The platform's first retry of an alarm that it has not heard end well. */
const RETRY_MS = 2_000;

/** When the object dies: before it commits, after it and before it sends, after it has sent and before it answers. */
export type Crash = 'before' | 'after' | 'sent' | 'throws' | null;
/** `broken`: the caller sees an exception, and cannot know how far it came. */
export type Answered = 'ok' | 'broken';
export type RowPart = Pick<Publication, 'payment' | 'refund'>;

export interface Commit {
  readonly events: readonly Envelope[];
  readonly closes: boolean;
}

/** What others see of a node, whatever its kind. */
export interface Node {
  readonly who: number;
  readonly service: 'payment' | 'refund';
  readonly id: string;
  readonly alarmAtMs: number | null;
  /** Its alarm has failed: what is left is the platform's retry, or the watchdog. */
  readonly isWatched: boolean;
  /** Ahead of the world's. */
  clockAheadMs: number;
  /** Raised whenever its memory is lost: what waited in an earlier life waits no more. */
  readonly life: number;
  nowMs(): number;
  record(): SagaRecord | null;
  readonly commits: readonly Commit[];
  take(inputs: readonly StepInput[], crash: Crash): Answered;
  acknowledge(acknowledgement: Acknowledgement): void;
  awaits(effectId: string): boolean;
  ring(crash: Crash): void;
  die(): void;
}

/** What a node needs of its world. */
export interface Surroundings {
  readonly nowMs: number;
  context(node: Node): StepContext;
  send(node: Node, command: PendingCommand): void;
  publish(node: Node, publication: Publication): void;
  /** The alarm is set, or moved, or off. */
  alarmSet(node: Node): void;
  /** Whether the alarm is really set; a canary forgets it. */
  armsAlarm(node: Node): boolean;
  committed(node: Node, before: SagaRecord | null, after: SagaRecord, taken: Step<string, unknown, string>): void;
}

export class SagaNode<State extends string, Data extends SagaData, Name extends string> implements Node {
  readonly who: number;
  readonly service: 'payment' | 'refund';
  readonly id: string;
  alarmAtMs: number | null = null;
  isWatched = false;
  clockAheadMs = 0;
  life = 0;
  readonly commits: Commit[] = [];
  protected readonly world: Surroundings;
  readonly #kind: SagaKind<State, Data, Name, RowPart>;
  #stored: SagaRecord<State, Data, Name> | null = null;
  #memory: SagaRecord<State, Data, Name> | null | undefined = null;

  constructor(
    world: Surroundings,
    kind: SagaKind<State, Data, Name, RowPart>,
    { who, service, id }: Pick<Node, 'who' | 'service' | 'id'>,
  ) {
    this.world = world;
    this.#kind = kind;
    this.who = who;
    this.service = service;
    this.id = id;
  }

  record(): SagaRecord<State, Data, Name> | null {
    // Memory is gone: what is stored is read. As text, as it was written, in every fourth life: that is enough to see that it
    // can be, and a seventh of the run's time to see it always.
    if (this.#memory === undefined) {
      const isRead = this.#stored !== null && this.life % 4 === 1;
      this.#memory = isRead
        ? (JSON.parse(JSON.stringify(this.#stored)) as SagaRecord<State, Data, Name>)
        : this.#stored;
    }
    return this.#memory;
  }

  nowMs(): number {
    return this.world.nowMs + this.clockAheadMs;
  }

  die(): void {
    this.#memory = undefined;
    this.life += 1;
  }

  claim(fingerprint: string, first: (context: StepContext) => Step<State, Data, Name>, crash: Crash): Answered {
    const known = this.record();
    if (known !== null) return crash === null ? 'ok' : this.#cut();
    const context = this.world.context(this);
    return this.#commit(beginRecord(this.#kind, fingerprint, first(context), context), crash);
  }

  forget(): void {
    this.commits.length = 0;
    this.#stored = null;
    this.#memory = null;
    this.alarmAtMs = null;
    this.world.alarmSet(this);
  }

  apply(
    change: (record: SagaRecord<State, Data, Name>, context: StepContext) => Step<State, Data, Name> | null,
    crash: Crash,
  ): Answered {
    const record = this.record();
    if (record === null) return 'broken';
    const context = this.world.context(this);
    const taken = change(record, context);
    if (taken === null) return crash === null ? 'ok' : this.#cut();
    return this.#commit(afterStep(this.#kind, record, taken, context), crash);
  }

  take(inputs: readonly StepInput[], crash: Crash): Answered {
    const record = this.record();
    if (record === null) return 'ok';
    const change = takeInputs(this.#kind, record, inputs, this.world.context(this));
    if (change === null) return crash === null ? 'ok' : this.#cut();
    return this.#commit(change, crash);
  }

  acknowledge(acknowledgement: Acknowledgement): void {
    const record = this.record();
    if (record === null || isAtRest(record)) return;
    const next = afterAcknowledgement(record, acknowledgement, this.nowMs());
    if (isAtRest(next)) {
      this.#stored = next;
      this.#setAlarm(next);
    }
    this.#memory = next;
  }

  awaits(effectId: string): boolean {
    const isAwaited = this.record()?.saga.pending.some((command) => effectIdOf(command) === effectId) ?? false;
    if (isAwaited) this.take([{ kind: 'asked', effectId }], null);
    return isAwaited;
  }

  /** The alarm has rung: first the watchdog, then whatever is due. */
  ring(crash: Crash): void {
    const stored = this.record();
    if (stored === null) return;
    // What dies before its commit has not set the watchdog either: the platform rings again.
    if (crash === 'before') {
      this.die();
      this.#alarmTo(this.nowMs() + RETRY_MS);
      this.isWatched = true;
      return;
    }
    this.#alarmTo(this.nowMs() + WATCHDOG_MS);
    if (crash === 'throws') {
      this.#memory = undefined;
      this.isWatched = true;
      return;
    }
    const record = { ...stored, alarmAtMs: 0 };
    this.#memory = record;
    const context = this.world.context(this);
    const isAgain = publicationDue(record, context.nowMs) === 'again';
    if (isAgain) this.#publish(record, record.recordedSequence);
    const published = isAgain ? afterPublishing(record, context) : record;
    const taken = step(this.#kind.table, record.saga, { kind: 'timer' }, context);
    this.#commit(afterStep(this.#kind, published, taken, context), crash);
  }

  /** Nothing is left that an alarm would do before the retention, or a person. */
  isIdle(): boolean {
    const stored = this.#stored;
    return stored === null || (nextDueAtMs(stored.saga) === null && stored.publishDueAtMs === null);
  }

  #commit({ record, step: taken, closes, send, publish }: RecordChange<State, Data, Name>, crash: Crash): Answered {
    if (crash === 'before') return this.#cut();
    const before = this.#stored;
    const newest = this.commits.at(-1);
    if (taken.events.length > 0) this.commits.push({ events: taken.events, closes });
    else if (closes && newest !== undefined) this.commits[this.commits.length - 1] = { ...newest, closes };
    this.#stored = record;
    this.#setAlarm(record);
    this.#memory = record;
    this.world.committed(this, before, record, taken);
    if (crash === 'after') return this.#cut();
    for (const command of send) this.world.send(this, command);
    if (publish !== null) this.#publish(record, publish.after, publish.toTell);
    return crash === null ? 'ok' : this.#cut();
  }

  #cut(): Answered {
    this.die();
    return 'broken';
  }

  #setAlarm(record: SagaRecord<State, Data, Name>): void {
    const known = this.#memory;
    const isSet = known !== undefined && known !== null && known.alarmAtMs === record.alarmAtMs;
    if (!isSet && this.world.armsAlarm(this)) this.#alarmTo(record.alarmAtMs);
  }

  #alarmTo(atMs: number): void {
    this.alarmAtMs = atMs;
    this.isWatched = false;
    this.world.alarmSet(this);
  }

  #publish(record: SagaRecord<State, Data, Name>, sequence: number, toTell: readonly string[] = []): void {
    const after = this.commits.filter(({ events }) => (events.at(-1)?.metadata.sequence ?? 0) > sequence);
    const runs = runsOf(after);
    if (runs.length === 0) return;
    this.world.publish(this, {
      kind: 'publication',
      group_id: this.#kind.table.group(record.saga.data).groupId,
      ...this.#kind.row(record.saga),
      runs: runs.map(({ first, last, events }) => ({ first, last, events: [...events] })),
      to_tell: [...toTell],
    });
  }
}
