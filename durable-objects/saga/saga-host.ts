/**
 * What every saga's object does, whatever its kind: keeps the record, commits each change (state, events, commands and
 * alarm together) and only then sends; answers reads, outcomes and acknowledgements; sends again by its alarm whatever has
 * no outcome, for as long as it takes. It decides nothing: the saga's table does (src/domain/saga). Used by the shells.
 */
import { readConfig } from '../../src/config.ts';
import { InvariantError } from '../../src/domain/errors.ts';
import { differingFields } from '../../src/domain/idempotency.ts';
import type { Scope } from '../../src/domain/ids.ts';
import { MINUTE_MS, WAITERS_MAX } from '../../src/domain/limits.ts';
import type { Publication } from '../../src/domain/messages.ts';
import type {
  Acknowledgement,
  Delivered,
  DescribeKeyResult,
  ReadEventsResult,
  ReadSagaResult,
  Trace,
} from '../../src/domain/rpc.ts';
import { effectIdOf, step } from '../../src/domain/saga/engine.ts';
import { runsOf } from '../../src/domain/saga/publication.ts';
import {
  afterAcknowledgement,
  afterPublishing,
  afterStep,
  beginRecord,
  expiresAtMs,
  isAtRest,
  type RecordChange,
  type SagaData,
  type SagaKind,
  type SagaRecord,
  takeInputs,
} from '../../src/domain/saga/record.ts';
import type { PendingCommand, Step, StepContext, StepInput } from '../../src/domain/saga/table.ts';
import { errorText, logLine } from '../../src/telemetry/log.ts';
import { sendCommands, sendPublication } from './dispatch.ts';
import { SagaStore } from './store.ts';

/** If an alarm ever fails, it comes again after this, whatever the platform's own retries do. */
const WATCHDOG_MS = MINUTE_MS;

/** The part of a publication that says what the entity amounts to now. */
export type RowPart = Pick<Publication, 'payment' | 'refund'>;

export interface HostOptions<State extends string, Data extends SagaData, Name extends string> {
  readonly kind: SagaKind<State, Data, Name, RowPart>;
  /** Secrets that the gateway's messages carry and no stored event does. */
  readonly token?: (data: Data) => string | undefined;
  /** Carries out commands that are direct calls to another object instead of messages; absent: there are none. */
  readonly call?: (command: PendingCommand<Name>) => Promise<void>;
}

/** What a request brings that claims a key. */
export interface Claim {
  readonly fingerprint: string;
  readonly request: object;
  readonly trace: Trace;
  readonly scope: Scope;
}

export type ClaimResult =
  | { readonly kind: 'created' | 'replayed' }
  | { readonly kind: 'key_expired' }
  | { readonly kind: 'key_reused'; readonly fields: readonly string[] };

export class SagaHost<State extends string, Data extends SagaData, Name extends string> {
  readonly #ctx: DurableObjectState;
  readonly #env: Env;
  readonly #options: HostOptions<State, Data, Name>;
  readonly #store: SagaStore<SagaRecord<State, Data, Name>>;
  /** As stored; `undefined`: not read yet in this life of the object. */
  #record: SagaRecord<State, Data, Name> | 'expired' | null | undefined;
  readonly #waiters = new Set<() => void>();

  constructor(ctx: DurableObjectState, env: Env, options: HostOptions<State, Data, Name>) {
    this.#ctx = ctx;
    this.#env = env;
    this.#options = options;
    this.#store = new SagaStore(ctx.storage.sql);
  }

  /** The record; `expired` where a tombstone is left; null for an object that holds nothing. */
  load(): SagaRecord<State, Data, Name> | 'expired' | null {
    if (this.#record === undefined) this.#record = this.#store.load();
    return this.#record;
  }

  /** @throws InvariantError where there is none. */
  requireRecord(): SagaRecord<State, Data, Name> {
    const record = this.load();
    if (record === null || record === 'expired') throw new InvariantError('saga_record_present');
    return record;
  }

  /** The record, for its own merchant and mode only. */
  owned(scope: Scope): SagaRecord<State, Data, Name> | null {
    const record = this.load();
    if (record === null || record === 'expired') return null;
    const owner = record.saga.data.scope;
    return owner.merchant === scope.merchant && owner.mode === scope.mode ? record : null;
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
    if (known === 'expired') return { kind: 'key_expired' };
    if (known === null) {
      const context = this.context(trace, scope);
      this.#commit(beginRecord(this.#options.kind, fingerprint, first(context), context), 0);
      return { kind: 'created' };
    }
    if (known.fingerprint === fingerprint) return { kind: 'replayed' };
    return { kind: 'key_reused', fields: differingFields({ ...known.saga.data.request }, { ...request }) };
  }

  /** Takes back a claim of which nothing has come: the key is free again. */
  forget(): void {
    this.#store.forget();
    this.#record = null;
    this.#ctx.waitUntil(this.#ctx.storage.deleteAlarm());
  }

  /** Commits a step that is not an outcome: a change of what the saga knows, and its facts. Null: nothing changes. */
  apply(change: (record: SagaRecord<State, Data, Name>, context: StepContext) => Step<State, Data, Name> | null): void {
    const record = this.requireRecord();
    const context = this.context(record.trace, record.saga.data.scope);
    const taken = change(record, context);
    if (taken !== null) this.#commit(afterStep(this.#options.kind, record, taken, context), record.closedSequence);
  }

  read(scope: Scope): ReadSagaResult {
    const record = this.owned(scope);
    if (record === null) return { kind: 'not_found' };
    const body = JSON.stringify(this.#options.kind.view(record.saga));
    return { kind: 'found', body, terminal: record.terminalBody !== null };
  }

  /** A terminal entity answers with the bytes kept at that moment; a running one as it is. */
  body(): { readonly body: string; readonly terminal: boolean } {
    const record = this.requireRecord();
    const body = record.terminalBody ?? JSON.stringify(this.#options.kind.view(record.saga));
    return { body, terminal: record.terminalBody !== null };
  }

  /** At most `limit` events of the log, after `afterSequence`, in order. */
  readEvents(scope: Scope, afterSequence: number, limit: number): ReadEventsResult {
    const record = this.owned(scope);
    if (record === null) return { kind: 'not_found' };
    const events = this.#store
      .commitsAfter(afterSequence)
      .flatMap((commit) => commit.events)
      .filter((event) => event.metadata.sequence > afterSequence);
    const terminal = record.terminalBody !== null;
    return { kind: 'found', events: events.slice(0, limit), more: events.length > limit, terminal };
  }

  /** What became of the key that the object is named by. */
  describeKey(): DescribeKeyResult {
    const record = this.load();
    if (record === null) return { kind: 'unused' };
    if (record === 'expired') return { kind: 'expired' };
    const { id, status } = this.#options.kind.view(record.saga);
    return {
      kind: 'used',
      entityId: id,
      status,
      createdAtMs: record.saga.data.createdAtMs,
      expiresAtMs: record.terminalBody === null ? null : expiresAtMs(record),
    };
  }

  /** Whether the effect of a command has no outcome yet. */
  awaits(effectId: string): boolean {
    const record = this.load();
    if (record === null || record === 'expired') return false;
    return record.saga.pending.some((command) => effectIdOf(command) === effectId);
  }

  /** Takes inputs in order, as one commit. */
  take(inputs: readonly StepInput[]): Delivered {
    const record = this.load();
    // A late message for an entity that has expired is as good as delivered: there is nothing left to change.
    if (record === 'expired') return { kind: 'delivered' };
    if (record === null) return { kind: 'unknown_saga' };
    const context = this.context(record.trace, record.saga.data.scope);
    const change = takeInputs(this.#options.kind, record, inputs, context);
    if (change !== null) this.#commit(change, record.closedSequence);
    return { kind: 'delivered' };
  }

  /**
   * Drops what others have taken over. Kept in memory until nothing at all is left to send, and stored then, in one row
   * with the alarm of the retention: if the object is evicted in between, the alarm sends again, which is harmless.
   */
  acknowledge(acknowledgement: Acknowledgement): void {
    const record = this.load();
    if (record === null || record === 'expired' || isAtRest(record)) return;
    const next = afterAcknowledgement(record, acknowledgement, Date.now());
    if (isAtRest(next)) this.#replace(next);
    else this.#record = next;
  }

  /**
   * Sends again what is due, or lets the entity expire. The watchdog is armed first: were this to fail in any way, the
   * object is woken again, since the platform gives an alarm up after six failures.
   */
  alarm(): void {
    const stored = this.load();
    if (stored === null || stored === 'expired') return;
    this.#ctx.waitUntil(this.#ctx.storage.setAlarm(Date.now() + WATCHDOG_MS));
    try {
      // It has fired, whatever the clock says: the next one must be set.
      this.#record = { ...stored, alarmAtMs: 0 };
      this.#onAlarm(this.#record);
    } catch (error) {
      this.#record = undefined;
      logLine('saga.alarm_failed', {
        group_id: this.#groupId(stored.saga.data),
        error: errorText(error),
        alert: true,
      });
    }
  }

  /** Resolves when the entity is terminal, or after `waitMs`. */
  async terminalWithin(waitMs: number): Promise<void> {
    const record = this.requireRecord();
    if (waitMs <= 0 || record.terminalBody !== null || this.#waiters.size >= WAITERS_MAX) return;
    const waited = Promise.withResolvers<void>();
    const timer = setTimeout(waited.resolve, waitMs);
    this.#waiters.add(waited.resolve);
    await waited.promise;
    clearTimeout(timer);
    this.#waiters.delete(waited.resolve);
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
    if (isAtRest(record) && nowMs >= expiresAtMs(record)) {
      this.#store.expire(this.#options.kind.view(record.saga).id, nowMs);
      this.#record = 'expired';
      this.#ctx.waitUntil(this.#ctx.storage.deleteAlarm());
      return;
    }
    const { kind } = this.#options;
    const context = this.context(record.trace, record.saga.data.scope);
    const publishes = record.publishDueAtMs !== null && record.publishDueAtMs <= nowMs;
    if (publishes) this.#publish(record, record.recordedSequence);
    const published = publishes ? afterPublishing(record, context) : record;
    const taken = step(kind.table, record.saga, { kind: 'timer' }, context);
    this.#commit(afterStep(kind, published, taken, context), record.closedSequence);
  }

  /**
   * The one way in which state changes: the step's events and the saga as one row, then the alarm, with no await between,
   * so that they commit together; the output gate holds the sends until they have.
   * @param closedBefore the last sequence of the newest run that was closed before.
   */
  #commit({ record, step: taken, closes }: RecordChange<State, Data, Name>, closedBefore: number): void {
    if (taken.events.length > 0) this.#store.append({ events: taken.events, closes }, record);
    else this.#store.replace(record);
    this.#setAlarm(record);
    this.#record = record;
    this.#ctx.waitUntil(this.#send(taken.send, record.saga.data));
    if (closes) this.#publish(record, closedBefore);
    if (record.terminalBody !== null) this.#wakeWaiters();
    logLine('saga.committed', {
      group_id: this.#groupId(record.saga.data),
      saga_state: record.saga.state,
      sequence: record.saga.sequence,
      events: taken.events.map((event) => event.event_type).join(' '),
      sent: taken.send.map((command) => command.event?.event_type ?? command.name).join(' '),
      trace_id: record.trace.traceId,
    });
  }

  /** Stores a record that has nothing new to tell. */
  #replace(record: SagaRecord<State, Data, Name>): void {
    this.#store.replace(record);
    this.#setAlarm(record);
    this.#record = record;
  }

  /** Writes the alarm when it is not the one that is set already. */
  #setAlarm(record: SagaRecord<State, Data, Name>): void {
    const known = this.#record;
    const isSet = known !== undefined && known !== null && known !== 'expired' && known.alarmAtMs === record.alarmAtMs;
    if (!isSet) this.#ctx.waitUntil(this.#ctx.storage.setAlarm(record.alarmAtMs));
  }

  async #send(commands: readonly PendingCommand<Name>[], data: Data): Promise<void> {
    const { call, token, kind } = this.#options;
    const isCall = (command: PendingCommand<Name>) => kind.table.commands[command.name].isCall === true;
    const messages = commands.filter((command) => !isCall(command));
    const calls = commands.filter(isCall).map((command) => call?.(command));
    await Promise.all([sendCommands(this.#env, messages, token?.(data)), ...calls]);
  }

  /** Sends the closed runs after `sequence` to the record. */
  #publish(record: SagaRecord<State, Data, Name>, sequence: number): void {
    const runs = runsOf(this.#store.commitsAfter(sequence));
    if (runs.length === 0) return;
    const publication: Publication = {
      kind: 'publication',
      group_id: this.#groupId(record.saga.data),
      ...this.#options.kind.row(record.saga),
      runs: runs.map(({ first, last, events }) => ({ first, last, events: [...events] })),
    };
    this.#ctx.waitUntil(sendPublication(this.#env, publication));
  }

  #wakeWaiters(): void {
    for (const wake of this.#waiters) wake();
  }

  #groupId(data: Data): string {
    return this.#options.kind.table.group(data).groupId;
  }
}
