/**
 * What must hold of a world, asked after every event that can break it: of the saga that has committed (S2–S6, S8–S10), of
 * the provider that was called (S1), and of everything at the end (X1, X2, S2, S9; `books.ts`). The wallets ask L1–L6 of
 * themselves. Throws `Violation`. It knows the truth, the providers' books, which no saga can see.
 */
import { decodeEvent } from '../../src/domain/events/decode.ts';
import type { Envelope } from '../../src/domain/events/envelope.ts';
import type { PaymentData } from '../../src/domain/payment.ts';
import type { RefundData } from '../../src/domain/refund.ts';
import { PAYMENT_SAGA } from '../../src/domain/saga/payment-saga.ts';
import { alarmWantedAtMs, isAtRest, type SagaRecord } from '../../src/domain/saga/record.ts';
import { REFUND_SAGA } from '../../src/domain/saga/refund-saga.ts';
import type { Step } from '../../src/domain/saga/table.ts';
import type { ProviderAnswer } from '../../src/gateway/provider.ts';
import { Attention } from './attention.ts';
import { Books } from './books.ts';
import type { Struck } from './faults.ts';
import type { Call } from './providers.ts';
import type { Message } from './queues.ts';
import type { Node } from './saga-node.ts';
import { must } from './violation.ts';
import type { World } from './world.ts';

interface StateOf {
  readonly terminal?: boolean;
  readonly mayTurnTo?: readonly string[];
}

export class Invariants {
  readonly #world: World;
  readonly #attention: Attention;
  readonly #books: Books;
  /** Effect ids and other deduplication ids of each log. */
  readonly #ids = new Map<Node, Set<string>>();
  /** Payments whose planned fault has been given. */
  readonly #planned = new Set<string>();
  /** Terminal bodies: a replay has the same bytes. */
  readonly #bodies = new Map<string, string>();

  constructor(world: World) {
    this.#world = world;
    this.#attention = new Attention(world);
    this.#books = new Books(world);
  }

  /** The fault that a payment's plan asks for at its first authorization. */
  plannedFault({ node, step }: Message): Struck | null {
    const world = this.#world;
    if (step !== 'payment.authorize' || this.#planned.has(node.id)) return null;
    this.#planned.add(node.id);
    const plan = world.plan.payments.find(({ paymentId }) => paymentId === node.id);
    return plan?.landsTooLate === true ? world.faults.planned(node.who, step, 'late', 'after') : null;
  }

  sent(message: Message): void {
    this.#attention.sent(message);
  }

  told(effectId: string): void {
    this.#attention.told(effectId);
  }

  disturbed(node: Node): void {
    this.#attention.disturbed(node);
  }

  allDisturbed(): void {
    for (const node of this.#world.nodes()) this.#attention.disturbed(node);
  }

  landed(call: Call, provider: string, answer: ProviderAnswer, isTooLate: boolean): void {
    this.#attention.landed(call, answer);
    this.#books.landed(call, provider, answer, isTooLate);
  }

  committed(node: Node, before: SagaRecord | null, after: SagaRecord, taken: Step<string, unknown, string>): void {
    this.#checkLog(node, before, after, taken);
    if (this.#world.decodes) this.#checkEvents(node, taken.events);
    this.#checkAlarm(node, after);
    for (const command of taken.send) this.#attention.handed(node, command);
    this.#checkState(node, before, after);
    if (node.service === 'payment') this.#checkRefunds(node, after.saga.data as PaymentData);
    for (const { event_type: type, payload } of taken.events) {
      if (type.endsWith('.needs_attention')) this.#attention.justify(node, after, String(payload.reason));
    }
    if (before?.saga.state === after.saga.state) return;
    if (node.service === 'payment') this.#books.paymentIs(node.id, after.saga.state, after.saga.data as PaymentData);
    else this.#books.refundIs(node.id, after.saga.state, after.saga.data as RefundData);
  }

  /** The end of the world: everything has ended, and all books agree. */
  ended(): void {
    for (const node of this.#world.nodes()) {
      const record = node.record();
      if (record === null) continue;
      const { state, pending } = record.saga;
      const isDone = isAtRest(record) || (state === 'needs_attention' && pending.length === 0);
      must(isDone, 'S2', () => `${node.id} has stopped in ${state}, waiting for ${pending.map(({ name }) => name)}`);
      this.#checkRecord(node, record);
    }
    this.#world.wallets.audit();
    this.#books.compare((node) => this.#attention.isRaised(node));
  }

  /** Every event of some worlds is read as its readers would: the schemas cost too much to ask them always. */
  #checkEvents(node: Node, events: readonly Envelope[]): void {
    for (const event of events) {
      const decoded = decodeEvent(event);
      must(decoded.ok, 'decodes', () => `${node.id}: ${event.event_type}: ${JSON.stringify(decoded)}`);
    }
  }

  /** S9, S6: gapless, every effect id once, and every command that is sent stands in the log. */
  #checkLog(node: Node, before: SagaRecord | null, after: SagaRecord, taken: Step<string, unknown, string>): void {
    const ids = this.#ids.get(node) ?? new Set<string>();
    // A claim that was taken back began another log.
    if (before === null) ids.clear();
    this.#ids.set(node, ids);
    let sequence = before?.saga.sequence ?? 0;
    for (const { metadata } of taken.events) {
      sequence += 1;
      must(
        metadata.sequence === sequence,
        'S9',
        () => `${node.id}: event ${metadata.sequence} where ${sequence} is due`,
      );
      const id = metadata.message_deduplication_id;
      must(!ids.has(id), 'S9', () => `${node.id}: ${id} stands in its log twice`);
      ids.add(id);
    }
    must(
      after.saga.sequence === sequence,
      'S9',
      () => `${node.id} is at ${after.saga.sequence}, its log at ${sequence}`,
    );
    for (const { event, name } of taken.send) {
      const isLogged = event !== null && ids.has(event.metadata.message_deduplication_id);
      must(isLogged, 'S6', () => `${node.id} sends ${name}, which is not in its log`);
    }
  }

  /** S6: armed, and not for later than what is due first, or than the watchdog. */
  #checkAlarm(node: Node, after: SagaRecord): void {
    const wantedAtMs = alarmWantedAtMs(after, this.#world.nowMs + node.clockAheadMs);
    const isArmed = node.alarmAtMs !== null && (node.isWatched || node.alarmAtMs <= wantedAtMs);
    must(
      isArmed,
      'S6',
      () => `${node.id} in ${after.saga.state}: its alarm is set to ${node.alarmAtMs}, due is ${wantedAtMs}`,
    );
  }

  /** S4, and the bytes of replays. */
  #checkState(node: Node, before: SagaRecord | null, after: SagaRecord): void {
    const from = before?.saga.state;
    const to = after.saga.state;
    const states: Readonly<Record<string, StateOf>> =
      node.service === 'payment' ? PAYMENT_SAGA.states : REFUND_SAGA.states;
    if (from !== undefined && from !== to && states[from]?.terminal === true) {
      must(states[from]?.mayTurnTo?.includes(to) === true, 'S4', () => `${node.id} leaves ${from} for ${to}`);
    }
    const isTerminal = states[to]?.terminal === true;
    must(isTerminal === (after.terminalBody !== null), 'S4', () => `${node.id} in ${to}: its terminal body`);
    if (after.terminalBody === null) return;
    const known = this.#bodies.get(`${node.id} ${to}`) ?? after.terminalBody;
    must(known === after.terminalBody, 'S4', () => `${node.id}: the bytes of its terminal body have changed`);
    this.#bodies.set(`${node.id} ${to}`, known);
  }

  /** S10. */
  #checkRefunds(node: Node, { request, refunds, refundedAmount }: PaymentData): void {
    let takenMinor = 0;
    let completedMinor = 0;
    for (const { amountMinor, state } of Object.values(refunds)) {
      if (state !== 'released') takenMinor += amountMinor;
      if (state === 'completed') completedMinor += amountMinor;
    }
    must(
      takenMinor <= request.amount,
      'S10',
      () => `${node.id}: ${takenMinor} of ${request.amount} are to be refunded`,
    );
    must(
      completedMinor === refundedAmount,
      'S10',
      () => `${node.id}: ${refundedAmount} counted, ${completedMinor} refunded`,
    );
  }

  /** S9: the record is the fold of the log. */
  #checkRecord(node: Node, record: SagaRecord): void {
    const groupId = `${node.service}_${node.id}`;
    const recorded = this.#world.record.recordedUntil(groupId);
    must(
      recorded === record.closedSequence,
      'S9',
      () => `${node.id}: recorded until ${recorded}, closed until ${record.closedSequence}`,
    );
    if (record.terminalBody === null) return;
    must(
      recorded === record.saga.sequence,
      'S9',
      () => `${node.id}: recorded until ${recorded} of ${record.saga.sequence}`,
    );
    const row = JSON.parse(this.#world.record.rowOf(groupId) ?? '{}') as { status?: string; refunded_amount?: number };
    const status = record.saga.state === 'completed' ? 'COMPLETED' : 'FAILED';
    must(row.status === status, 'S9', () => `${node.id} is ${status}, and ${row.status} in the record`);
    const { refundedAmount } = record.saga.data as Partial<PaymentData>;
    must(
      row.refunded_amount === refundedAmount,
      'S9',
      () => `${node.id}: ${row.refunded_amount} refunded in the record`,
    );
  }
}
