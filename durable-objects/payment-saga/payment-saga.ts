/**
 * The owner of one payment: claims its idempotency key, drives its saga, and is the only writer of its state. Every
 * change is one synchronous commit (state, events, commands and alarm together), and only then are messages sent; the
 * alarm sends again whatever has no outcome, for as long as it takes. It makes no decision of its own: the saga table
 * does (src/domain/saga). Called by HTTP (create, read…) and by the queue consumers (deliver, acknowledge).
 */
import { DurableObject } from 'cloudflare:workers';
import { readConfig } from '../../src/config.ts';
import { InvariantError } from '../../src/domain/errors.ts';
import { differingFields } from '../../src/domain/idempotency.ts';
import { publicIdFromHex, type Scope } from '../../src/domain/ids.ts';
import { MINUTE_MS, WAITERS_MAX } from '../../src/domain/limits.ts';
import type { Publication } from '../../src/domain/messages.ts';
import { paymentRow, paymentStatus, paymentView } from '../../src/domain/payment-view.ts';
import type {
  Acknowledgement,
  CreatePayment,
  CreatePaymentResult,
  DescribeKeyResult,
  PaymentSagaRpc,
  ReadEventsResult,
  ReadPaymentResult,
  Trace,
} from '../../src/domain/rpc.ts';
import type { Outcome } from '../../src/domain/saga/outcome.ts';
import {
  afterAcknowledgement,
  afterPublishing,
  afterStep,
  beginRecord,
  bodyOf,
  expiresAtMs,
  isAtRest,
  type PaymentRecord,
  type RecordChange,
  takeInputs,
} from '../../src/domain/saga/payment-record.ts';
import { stepPayment } from '../../src/domain/saga/payment-saga.ts';
import { runsOf } from '../../src/domain/saga/publication.ts';
import type { StepContext, StepInput } from '../../src/domain/saga/table.ts';
import { errorText, logLine } from '../../src/telemetry/log.ts';
import { sendCommands, sendPublication } from './dispatch.ts';
import { PaymentStore } from './store.ts';

/** If an alarm ever fails, it comes again after this, whatever the platform's own retries do. */
const WATCHDOG_MS = MINUTE_MS;

export class PaymentSaga extends DurableObject<Env> implements PaymentSagaRpc {
  readonly #store: PaymentStore;
  /** As stored; `undefined`: not read yet in this life of the object. */
  #record: PaymentRecord | 'expired' | null | undefined;
  readonly #waiters = new Set<() => void>();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new PaymentStore(ctx.storage.sql);
  }

  /**
   * Claims the key and begins the saga, or answers what the key already stands for. The claim is the payment's first
   * commit, so there is no moment at which one exists without the other.
   */
  async create(input: CreatePayment): Promise<CreatePaymentResult> {
    const known = this.#load();
    if (known === 'expired') return { kind: 'key_expired' };
    if (known !== null && known.fingerprint !== input.fingerprint) {
      return { kind: 'key_reused', fields: differingFields({ ...known.saga.data.request }, { ...input.request }) };
    }
    if (known === null) {
      const paymentId = publicIdFromHex('pay_', this.ctx.id.toString());
      this.#commit(beginRecord(input, paymentId, this.#context(input.trace, input.scope)), 0);
    }
    await this.#terminalWithin(input.waitMs);
    const record = this.#requireRecord();
    return {
      kind: known === null ? 'created' : 'replayed',
      paymentId: record.saga.data.paymentId,
      body: bodyOf(record),
      terminal: record.terminalBody !== null,
    };
  }

  /** The payment as it is now; another merchant's or mode's is not found. */
  read(scope: Scope): ReadPaymentResult {
    const record = this.#owned(scope);
    return record === null
      ? { kind: 'not_found' }
      : { kind: 'found', body: JSON.stringify(paymentView(record.saga)), terminal: record.terminalBody !== null };
  }

  /** At most `limit` events of the log, after `afterSequence`, in order. */
  readEvents(scope: Scope, afterSequence: number, limit: number): ReadEventsResult {
    const record = this.#owned(scope);
    if (record === null) return { kind: 'not_found' };
    const events = this.#store
      .commitsAfter(afterSequence)
      .flatMap((commit) => commit.events)
      .filter((event) => event.metadata.sequence > afterSequence);
    return {
      kind: 'found',
      events: events.slice(0, limit),
      more: events.length > limit,
      terminal: record.terminalBody !== null,
    };
  }

  /** What became of the key that this object is named by. */
  describeKey(): DescribeKeyResult {
    const record = this.#load();
    if (record === null) return { kind: 'unused' };
    if (record === 'expired') return { kind: 'expired' };
    const { data } = record.saga;
    return {
      kind: 'used',
      paymentId: data.paymentId,
      status: paymentStatus(record.saga),
      createdAtMs: data.createdAtMs,
      expiresAtMs: record.terminalBody === null ? null : expiresAtMs(record),
    };
  }

  deliver(outcomes: readonly Outcome[]): { readonly kind: 'delivered' | 'unknown_saga' } {
    return this.#take(outcomes.map((outcome) => ({ kind: 'outcome', outcome })));
  }

  commandDied(effectId: string): { readonly kind: 'delivered' | 'unknown_saga' } {
    return this.#take([{ kind: 'died', effectId }]);
  }

  /**
   * Drops what others have taken over. Kept in memory until nothing at all is left to send, and stored then, in one row
   * with the alarm of the retention: if the object is evicted in between, the alarm sends again, which is harmless.
   */
  acknowledge(acknowledgement: Acknowledgement): void {
    const record = this.#load();
    if (record === null || record === 'expired' || isAtRest(record)) return;
    const next = afterAcknowledgement(record, acknowledgement, Date.now());
    if (isAtRest(next)) this.#replace(next);
    else this.#record = next;
  }

  /**
   * Sends again what is due, or lets the payment expire. The watchdog is armed first: were this to fail in any way, the
   * object is woken again, since the platform gives an alarm up after six failures.
   */
  override async alarm(): Promise<void> {
    const stored = this.#load();
    if (stored === null || stored === 'expired') return;
    this.ctx.waitUntil(this.ctx.storage.setAlarm(Date.now() + WATCHDOG_MS));
    try {
      // It has fired, whatever the clock says: the next one must be set.
      this.#record = { ...stored, alarmAtMs: 0 };
      this.#onAlarm(this.#record);
    } catch (error) {
      this.#record = undefined;
      logLine('saga.alarm_failed', { payment_id: stored.saga.data.paymentId, error: errorText(error), alert: true });
    }
  }

  #onAlarm(record: PaymentRecord): void {
    const nowMs = Date.now();
    if (isAtRest(record) && nowMs >= expiresAtMs(record)) {
      this.#store.expire(record.saga.data.paymentId, nowMs);
      this.#record = 'expired';
      this.ctx.waitUntil(this.ctx.storage.deleteAlarm());
      return;
    }
    const context = this.#context(record.trace, record.saga.data.scope);
    const publishes = record.publishDueAtMs !== null && record.publishDueAtMs <= nowMs;
    if (publishes) this.#publish(record, record.recordedSequence);
    const published = publishes ? afterPublishing(record, context) : record;
    const step = stepPayment(record.saga, { kind: 'timer' }, context);
    this.#commit(afterStep(published, step, context), record.closedSequence);
  }

  #take(inputs: readonly StepInput[]): { readonly kind: 'delivered' | 'unknown_saga' } {
    const record = this.#load();
    // A late message for a payment that has expired is as good as delivered: there is nothing left to change.
    if (record === 'expired') return { kind: 'delivered' };
    if (record === null) return { kind: 'unknown_saga' };
    const change = takeInputs(record, inputs, this.#context(record.trace, record.saga.data.scope));
    if (change !== null) this.#commit(change, record.closedSequence);
    return { kind: 'delivered' };
  }

  /**
   * The one way in which state changes: the step's events and the saga as one row, then the alarm, with no await between,
   * so that they commit together; the output gate holds the sends until they have.
   * @param closedBefore the last sequence of the newest run that was closed before.
   */
  #commit({ record, step, closes }: RecordChange, closedBefore: number): void {
    if (step.events.length > 0) this.#store.append({ events: step.events, closes }, record);
    else this.#store.replace(record);
    this.#setAlarm(record);
    this.#record = record;
    this.ctx.waitUntil(sendCommands(this.env, step.send, record.saga.data.request.token));
    if (closes) this.#publish(record, closedBefore);
    if (record.terminalBody !== null) this.#wakeWaiters();
    logLine('saga.committed', {
      payment_id: record.saga.data.paymentId,
      saga_state: record.saga.state,
      sequence: record.saga.sequence,
      events: step.events.map((event) => event.event_type).join(' '),
      sent: step.send.map((command) => command.event?.event_type ?? command.name).join(' '),
      trace_id: record.trace.traceId,
    });
  }

  /** Stores a record that has nothing new to tell. */
  #replace(record: PaymentRecord): void {
    this.#store.replace(record);
    this.#setAlarm(record);
    this.#record = record;
  }

  /** Writes the alarm when it is not the one that is set already. */
  #setAlarm(record: PaymentRecord): void {
    const known = this.#record;
    const isSet = known !== undefined && known !== null && known !== 'expired' && known.alarmAtMs === record.alarmAtMs;
    if (!isSet) this.ctx.waitUntil(this.ctx.storage.setAlarm(record.alarmAtMs));
  }

  /** Sends the closed runs after `sequence` to the record. */
  #publish(record: PaymentRecord, sequence: number): void {
    const runs = runsOf(this.#store.commitsAfter(sequence));
    if (runs.length === 0) return;
    const { saga } = record;
    const publication: Publication = {
      kind: 'publication',
      group_id: `payment_${saga.data.paymentId}`,
      payment: paymentRow(saga),
      runs: runs.map(({ first, last, events }) => ({ first, last, events: [...events] })),
    };
    this.ctx.waitUntil(sendPublication(this.env, publication));
  }

  async #terminalWithin(waitMs: number): Promise<void> {
    const record = this.#requireRecord();
    if (waitMs <= 0 || record.terminalBody !== null || this.#waiters.size >= WAITERS_MAX) return;
    const waited = Promise.withResolvers<void>();
    const timer = setTimeout(waited.resolve, waitMs);
    this.#waiters.add(waited.resolve);
    await waited.promise;
    clearTimeout(timer);
    this.#waiters.delete(waited.resolve);
  }

  #wakeWaiters(): void {
    for (const wake of this.#waiters) wake();
  }

  #load(): PaymentRecord | 'expired' | null {
    if (this.#record === undefined) this.#record = this.#store.load();
    return this.#record;
  }

  #requireRecord(): PaymentRecord {
    const record = this.#load();
    if (record === null || record === 'expired') throw new InvariantError('payment_record_present');
    return record;
  }

  #owned(scope: Scope): PaymentRecord | null {
    const record = this.#load();
    if (record === null || record === 'expired') return null;
    const owner = record.saga.data.scope;
    return owner.merchant === scope.merchant && owner.mode === scope.mode ? record : null;
  }

  #context(trace: Trace, scope: Scope): StepContext {
    return {
      nowMs: Date.now(),
      policy: this.#policy(scope),
      random: Math.random,
      newId: () => crypto.randomUUID(),
      trace,
    };
  }

  /** @throws InvariantError when the deployment is misconfigured: HTTP refuses first, and the alarm waits and tries again. */
  #policy(scope: Scope) {
    const result = readConfig(this.env);
    if (!result.ok || result.config.mode !== scope.mode) {
      throw new InvariantError('mode_configured', { mode: scope.mode });
    }
    return result.config.policy;
  }
}
