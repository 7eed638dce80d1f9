/**
 * What every saga's object does, whatever its kind: keeps the record, commits each change (state, events, commands and
 * alarm together) and only then sends; takes outcomes and acknowledgements; sends again by its alarm whatever has
 * no outcome, for as long as it takes. It decides nothing: the saga's table does (src/domain/saga). Used by the shells.
 */
import { readConfig } from '../../src/config.ts';
import { afterTheEnd, REQUEST } from '../../src/domain/cost/work.ts';
import { InvariantError } from '../../src/domain/errors.ts';
import { differingFields } from '../../src/domain/idempotency.ts';
import type { Scope } from '../../src/domain/ids.ts';
import { DAY_MS, MINUTE_MS, WAITERS_MAX } from '../../src/domain/limits.ts';
import { readLiveRequest } from '../../src/domain/live.ts';
import { isPending, step } from '../../src/domain/saga/engine.ts';
import { messagesOf, runsOf } from '../../src/domain/saga/publication.ts';
import {
  afterAcknowledgement,
  afterLoss,
  afterPublishing,
  afterStep,
  armed,
  beginRecord,
  billed,
  expiresAtMs,
  isAtRest,
  publicationDue,
  type RecordChange,
  type SagaData,
  type SagaRecord,
  takeInputs,
} from '../../src/domain/saga/record.ts';
import type { PendingCommand, Step, StepContext, StepInput } from '../../src/domain/saga/table.ts';
import { retentionVerdict, tombstoneOf } from '../../src/domain/saga/tombstone.ts';
import type { Acknowledgement, Delivered, RetireResult, Trace } from '../../src/domain/saga-rpc.ts';
import { errorText, logLine } from '../../src/telemetry/log.ts';
import { sendCommands, sendPublication } from './dispatch.ts';
import { LiveStreams } from './live.ts';
import { logCommit } from './log-commit.ts';
import type { Claim, ClaimResult, HostOptions } from './options.ts';
import { SagaReader } from './saga-reader.ts';

/** If an alarm ever fails, it comes again after this, whatever the platform's own retries do. */
const WATCHDOG_MS = MINUTE_MS;

export class SagaHost<State extends string, Data extends SagaData, Name extends string> extends SagaReader<
  State,
  Data,
  Name
> {
  readonly #ctx: DurableObjectState;
  readonly #env: Env;
  readonly #waiters = new Set<() => void>();
  readonly #live: LiveStreams;

  constructor(ctx: DurableObjectState, env: Env, options: HostOptions<State, Data, Name>) {
    super(ctx.storage, options);
    this.#ctx = ctx;
    this.#env = env;
    this.#live = new LiveStreams(ctx, {
      eventsAfter: (sequence) => this.eventsAfter(sequence),
      isEnded: () => this.requireRecord().terminalBody !== null,
    });
  }

  /**
   * Claims the key with the saga's first step as the object's first commit, or answers what the key already stands for:
   * the same request (`replayed`), another one, or one that has expired.
   */
  claim(
    { fingerprint, request, trace, scope }: Claim,
    first: (context: StepContext) => Step<State, Data, Name>,
  ): ClaimResult {
    const known = this.load();
    this.cost.add(REQUEST);
    if (known === 'expired') return { kind: 'key_expired' };
    if (known === null) {
      const context = this.context(trace, scope);
      this.#commit(beginRecord(this.options.kind, fingerprint, first(context), context));
      return { kind: 'created' };
    }
    if (known.fingerprint === fingerprint) return { kind: 'replayed' };
    return { kind: 'key_reused', fields: differingFields({ ...known.saga.data.request }, { ...request }) };
  }

  /** Takes back a claim of which nothing has come: the key is free again. */
  forget(): void {
    this.store.forget();
    this.record = null;
    this.#ctx.waitUntil(this.cost.storage.deleteAlarm());
  }

  /** Commits a step that is not an outcome: a change of what the saga knows, and its facts. Null: nothing changes. */
  apply(change: (record: SagaRecord<State, Data, Name>, context: StepContext) => Step<State, Data, Name> | null): void {
    const record = this.requireRecord();
    const context = this.context(record.trace, record.saga.data.scope);
    const taken = change(record, context);
    if (taken !== null) this.#commit(afterStep(this.options.kind, record, taken, context));
  }

  /**
   * The timeline as a stream (`liveRequest`): 101, 404 where there is none for this scope, 410 where it has expired, 503 where
   * there are too many.
   */
  openStream(request: Request): Response {
    const asked = readLiveRequest(request);
    if (asked === null) return new Response(null, { status: 404 });
    if (this.owned(asked.scope) === null) {
      return new Response(null, { status: this.isExpiredFor(asked.scope) ? 410 : 404 });
    }
    return this.#live.open(asked.afterSequence);
  }

  /**
   * The tombstone, for whoever is about to archive what the record has; one whose time has come is emptied now, in case its
   * alarm was lost. `kept`: when to ask again.
   */
  retire(): RetireResult {
    const nowMs = Date.now();
    const before = this.load();
    if (before !== null && before !== 'expired' && retentionVerdict(this.kind, before, nowMs) === 'due') this.alarm();
    const record = this.load();
    if (record === null) return { kind: 'unknown_saga' };
    const tombstone = record === 'expired' ? this.store.tombstone() : null;
    if (tombstone !== null) return { kind: 'retired', tombstone };
    const dueAtMs = record === 'expired' ? nowMs : expiresAtMs(record);
    return { kind: 'kept', dueAtMs: Math.max(dueAtMs, nowMs + DAY_MS) };
  }

  /**
   * Whether the effect of a command has no outcome yet. Asked by a delivery that may begin its call after this answer: that
   * is stored first, so that "not sent" of another delivery, heard in between, is no proof (decision 0011).
   */
  awaits(effectId: string): boolean {
    const record = this.load();
    if (record === null || record === 'expired') return false;
    const isAwaited = isPending(record.saga, effectId);
    if (isAwaited) this.take([{ kind: 'asked', effectId }]);
    return isAwaited;
  }

  /** Takes inputs in order, as one commit. */
  take(inputs: readonly StepInput[]): Delivered {
    const record = this.load();
    // A late message for an entity that has expired is as good as delivered: there is nothing left to change.
    if (record === 'expired') return { kind: 'delivered' };
    if (record === null) return { kind: 'unknown_saga' };
    const context = this.context(record.trace, record.saga.data.scope);
    const change = takeInputs(this.options.kind, record, inputs, context);
    if (change !== null) this.#commit(change);
    return { kind: 'delivered' };
  }

  /** Sends every run that is not known to be recorded, before its time. */
  publishAgain(): void {
    const record = this.requireRecord();
    const context = this.context(record.trace, record.saga.data.scope);
    this.#publish(record, record.recordedSequence);
    this.#replace(armed(afterPublishing(record, context), context.nowMs));
  }

  /**
   * Drops what others have taken over. Kept in memory until nothing at all is left to send, and stored then, in one row
   * with the alarm of the retention: if the object is evicted in between, the alarm sends again, which is harmless.
   */
  acknowledge(acknowledgement: Acknowledgement): void {
    const record = this.load();
    if (record === null || record === 'expired') return;
    this.cost.add(acknowledgement.spent);
    if (isAtRest(record)) return;
    const next = afterAcknowledgement(record, acknowledgement, Date.now());
    if (isAtRest(next)) this.#replace(next);
    else this.record = next;
  }

  /**
   * Sends again what is due, or lets the entity expire. The watchdog is armed first: were this to fail in any way, the
   * object is woken again, since the platform gives an alarm up after six failures.
   */
  alarm(): void {
    const stored = this.load();
    if (stored === null || stored === 'expired') return;
    this.cost.called();
    // One that is only to be forgotten needs no watchdog, which is a written row: what fails then is set again below.
    const isOver = retentionVerdict(this.kind, stored, Date.now()) !== 'not_yet';
    if (!isOver) this.#armWatchdog();
    try {
      // It has fired, whatever the clock says: the next one must be set.
      this.record = { ...stored, alarmAtMs: 0 };
      this.#onAlarm(this.record);
    } catch (error) {
      this.record = undefined;
      if (isOver) this.#armWatchdog();
      logLine('saga.alarm_failed', {
        group_id: this.groupId(stored.saga.data),
        error: errorText(error),
        alert: true,
      });
    }
  }

  #armWatchdog(): void {
    this.#ctx.waitUntil(this.cost.storage.setAlarm(Date.now() + WATCHDOG_MS));
  }

  /** Publishes every run once more when the record has acknowledged them all and yet knows less; says whether. */
  republishLost(seenSequence: number): boolean {
    const record = this.requireRecord();
    if (record.publishDueAtMs !== null || seenSequence >= record.closedSequence) return false;
    this.#publish(record, 0);
    this.#replace(afterLoss(record, this.context(record.trace, record.saga.data.scope)));
    return true;
  }

  /** Resolves when the entity is terminal, or after `waitMs`; at once, and to false, where as many wait as may. */
  async terminalWithin(waitMs: number): Promise<boolean> {
    if (waitMs <= 0 || this.requireRecord().terminalBody !== null) return true;
    if (this.#waiters.size >= WAITERS_MAX) return false;
    const waited = Promise.withResolvers<void>();
    const timer = setTimeout(waited.resolve, waitMs);
    this.#waiters.add(waited.resolve);
    await this.cost.during(waited.promise);
    clearTimeout(timer);
    this.#waiters.delete(waited.resolve);
    return true;
  }

  /** @throws InvariantError when the deployment is misconfigured: HTTP refuses first, and the alarm waits and tries again. */
  context(trace: Trace, scope: Scope): StepContext {
    const result = readConfig(this.#env);
    if (!result.ok || result.config.mode !== scope.mode) {
      throw new InvariantError('mode_configured', { mode: scope.mode });
    }
    return {
      nowMs: Date.now(),
      policy: result.config.policy,
      random: Math.random,
      newId: () => crypto.randomUUID(),
      trace,
    };
  }

  #onAlarm(record: SagaRecord<State, Data, Name>): void {
    const nowMs = Date.now();
    const { kind } = this.options;
    const verdict = retentionVerdict(kind, record, nowMs);
    if (verdict === 'due') {
      this.#expire(record, nowMs);
      return;
    }
    if (verdict === 'held_back') {
      this.#ctx.waitUntil(this.cost.storage.setAlarm(nowMs + DAY_MS));
      logLine('saga.held_back', { group_id: this.groupId(record.saga.data), saga_state: record.saga.state });
      return;
    }
    const context = this.context(record.trace, record.saga.data.scope);
    const isAgain = publicationDue(record, nowMs) === 'again';
    if (isAgain) this.#publish(record, record.recordedSequence);
    const published = isAgain ? afterPublishing(record, context) : record;
    const taken = step(kind.table, record.saga, { kind: 'timer' }, context);
    this.#commit(afterStep(kind, published, taken, context));
  }

  /**
   * Leaves a tombstone, and no alarm: the one that woke it has fired. Whoever still listens has been told all there is, and is
   * sent away. One transaction: it is all there afterwards or all gone, whatever fails in between.
   */
  #expire(record: SagaRecord<State, Data, Name>, nowMs: number): void {
    this.#live.advance();
    const tombstone = tombstoneOf(this.kind, record, this.eventsAfter(0), this.store.lastSeal(), nowMs);
    this.#ctx.storage.transactionSync(() => this.store.expire(tombstone));
    this.record = 'expired';
    logLine('saga.expired', { group_id: this.groupId(record.saga.data), sequence: record.saga.sequence });
  }

  /**
   * The one way in which state changes: the step's events and the saga as one commit, then the alarm, with no await between,
   * so that they commit together; the output gate holds the sends until they have.
   */
  #commit({ record: made, step: taken, closes, send, publish }: RecordChange<State, Data, Name>): void {
    const isClaim = this.record === null;
    const record = this.#charged(made, closes);
    if (taken.events.length > 0) this.store.append({ events: taken.events, closes }, record);
    else this.store.replace(record, closes);
    this.#setAlarm(record);
    this.record = record;
    this.#ctx.waitUntil(this.cost.during(this.#send(send, record.saga.data, isClaim)));
    if (publish !== null) this.#publish(record, publish.after, publish.toTell);
    if (record.terminalBody !== null) this.#wakeWaiters();
    if (taken.events.length > 0) this.#live.advance();
    logCommit(this.groupId(record.saga.data), record, taken, Date.now());
  }

  /** Stores a record that has nothing new to tell. */
  #replace(made: SagaRecord<State, Data, Name>): void {
    const record = this.#charged(made, false);
    this.store.replace(record);
    this.#setAlarm(record);
    this.record = record;
  }

  /** Writes the alarm when it is not the one that is set already. */
  #setAlarm(record: SagaRecord<State, Data, Name>): void {
    if (!this.#isAlarmSet(record)) this.#ctx.waitUntil(this.cost.storage.setAlarm(record.alarmAtMs));
  }

  #isAlarmSet(record: SagaRecord<State, Data, Name>): boolean {
    const known = this.record;
    return known !== undefined && known !== null && known !== 'expired' && known.alarmAtMs === record.alarmAtMs;
  }

  /** The record as it is to be written, with what it has cost, and what the run tells of that which it closes. */
  #charged(record: SagaRecord<State, Data, Name>, closes: boolean): SagaRecord<State, Data, Name> {
    const known = this.record;
    const isWaiting = known !== undefined && known !== null && known !== 'expired' && known.publishDueAtMs !== null;
    const earlier = isWaiting ? (known.publishAttempts > 0 ? 'out' : 'untold') : 'recorded';
    const toCome = closes && record.terminalBody !== null ? afterTheEnd(earlier) : {};
    const charged = this.cost.charged(record, !this.#isAlarmSet(record));
    return closes ? billed(charged, toCome) : charged;
  }

  /** @param isClaim somebody waits for the answer: that goes first, and sending begins in a turn of its own. */
  async #send(commands: readonly PendingCommand<Name>[], data: Data, isClaim: boolean): Promise<void> {
    if (isClaim) await scheduler.wait(0);
    const { call, token, kind } = this.options;
    const isCall = (command: PendingCommand<Name>) => kind.table.commands[command.name].isCall === true;
    const messages = commands.filter((command) => !isCall(command));
    const calls = commands.filter(isCall).map((command) => call?.(command));
    await Promise.all([sendCommands(this.#env, this.cost, messages, token?.(data)), ...calls]);
  }

  /** Sends the closed runs after `sequence` to the record, with the effect ids of what is to be told with them. */
  #publish(record: SagaRecord<State, Data, Name>, sequence: number, toTell: readonly string[] = []): void {
    const messages = messagesOf(runsOf(this.store.commitsAfter(sequence)));
    const sending = messages.map((runs, index) => {
      // What is told with its run is in the newest commit.
      const tells = toTell.length > 0 && index === messages.length - 1;
      const publication = { ...this.publicationOf(record, runs), ...(tells && { to_tell: [...toTell] }) };
      return sendPublication(this.#env, this.cost, publication);
    });
    if (sending.length > 0) this.#ctx.waitUntil(this.cost.during(Promise.all(sending)));
  }

  #wakeWaiters(): void {
    for (const wake of this.#waiters) wake();
  }
}
