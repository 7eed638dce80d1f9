/**
 * The direct calls of a refund's object to its payment's object, reserve and settle, as `durable-objects/refund-saga` makes
 * them: one reservation at a time in one life of the object; made again by the alarm while no outcome is in; a refusal takes
 * the claim back. Either object can die at any await, and an answer that nobody waits for any more is dropped.
 */
import type { EventPayload } from '../../src/domain/events/catalogue.ts';
import { reserveRefund, settleRefund } from '../../src/domain/payment-refunds.ts';
import type { Fact } from '../../src/domain/saga/outcome.ts';
import { reservedPayload } from '../../src/domain/saga/refund-commands.ts';
import type { PendingCommand } from '../../src/domain/saga/table.ts';
import type { RefundReservation, RefundSettlement } from '../../src/domain/saga-rpc.ts';
import { pointOf, type Struck, UNHARMED } from './faults.ts';
import type { StepName } from './matrix.ts';
import type { Answered, Crash, Node } from './saga-node.ts';
import type { PaymentNode, RefundNode, World } from './world.ts';

const CALL_MS = 4;
/** A call between two objects is cut before a second one is made: it is never so late as a message can be. */
const CALL_DELAY_MS = 1_500;

type Reserved = Extract<RefundReservation, { kind: 'reserved' }>;

interface Call {
  readonly node: RefundNode;
  readonly command: PendingCommand;
  readonly step: StepName;
  readonly fault: Struck;
  /** The caller's: an answer to an earlier one is heard by nobody. */
  readonly life: number;
}

export class Calls {
  readonly #world: World;
  /** The life in which each refund's reservation is under way. */
  readonly #reserving = new Map<Node, number>();

  constructor(world: World) {
    this.#world = world;
  }

  call(from: Node, command: PendingCommand): void {
    const world = this.#world;
    const node = world.refunds.get(from.id);
    if (node === undefined) throw new Error(`${from.id} is no refund`);
    if (command.name === 'reserve') {
      if (this.#reserving.get(node) === node.life) return;
      this.#reserving.set(node, node.life);
    }
    const step = `refund.${command.name}` as StepName;
    const call = { node, command, step, fault: world.fault(node.who, step), life: node.life };
    const what = () => `${step} of ${node.id}`;
    if (world.strikes(call.fault, 'lost', 'before', node.who, what)) {
      world.inFlight(CALL_DELAY_MS, () => this.#ended(call));
      return;
    }
    const isDelayed = world.strikes(call.fault, 'delayed', 'before', node.who, what);
    const waitMs = world.waitMs(node.who, step, CALL_MS) + (isDelayed ? this.#delayMs(call) : 0);
    world.inFlight(waitMs, () => this.#land(call));
    if (world.strikes(call.fault, 'doubled', 'before', node.who, what)) {
      // One reservation at a time: two of them can only be there at once, never one after the other's answer.
      const laterMs = command.name === 'settle' ? this.#delayMs(call) : 0;
      world.inFlight(waitMs + laterMs, () => this.#land({ ...call, fault: UNHARMED }));
    }
  }

  /** A client asks for the refund again while it is reserving: it waits for the call under way, or one is made. */
  again(node: RefundNode): void {
    const command = node.record()?.saga.pending.find(({ name }) => name === 'reserve');
    if (command !== undefined) this.call(node, command);
  }

  #land(call: Call): void {
    const world = this.#world;
    const { node, command, step, fault } = call;
    const what = () => `${step} of ${node.id}`;
    const paymentId = (command.event?.payload as { payment_id?: string } | undefined)?.payment_id ?? '';
    const payment = world.payments.get(paymentId);
    // A call that has not arrived goes with the object that made it (decision 0050 says what is left of that).
    if (node.life !== call.life || world.kills(fault, 'before', node.who, what)) return;
    const diesBefore = world.strikes(fault, 'consumer_died', 'before', node.who, what);
    const diesAfter = world.strikes(fault, 'consumer_died', 'after', node.who, what);
    const crash: Crash = diesBefore ? 'before' : diesAfter ? 'after' : null;
    const carried =
      command.name === 'reserve' ? this.#reserve(call, payment, crash) : this.#settle(call, payment, crash);
    if (world.kills(fault, 'after', node.who, what)) return;
    const isLost = carried.answered === 'broken' || world.strikes(fault, 'lost', 'after', node.who, what);
    const isDelayed = world.strikes(fault, 'delayed', 'after', node.who, what);
    world.inFlight(CALL_MS + (isDelayed ? this.#delayMs(call) : 0), () => {
      if (isLost) this.#ended(call);
      else this.#hear(call, carried.answer);
    });
  }

  #reserve(
    { node, command }: Call,
    payment: PaymentNode | undefined,
    crash: Crash,
  ): { readonly answered: Answered; readonly answer: Reserved | null } {
    const record = payment?.record() ?? null;
    if (payment === undefined || record === null) return { answered: 'ok', answer: null };
    const wanted = (command.event?.payload as { amount?: number } | undefined)?.amount ?? null;
    const { answer, data } = reserveRefund(record.saga, node.id, wanted);
    const answered = payment.apply(
      ({ saga }) => (data === null ? null : { saga: { ...saga, data }, events: [], send: [] }),
      crash,
    );
    this.#world.note('effect', node.who, wanted ?? 0, () => `${payment.id}: ${answer.kind} for ${node.id}`);
    return { answered, answer: answer.kind === 'reserved' ? answer : null };
  }

  #settle(
    { node, command }: Call,
    payment: PaymentNode | undefined,
    crash: Crash,
  ): { readonly answered: Answered; readonly answer: null } {
    const { settlement } = (command.event?.payload ?? {}) as { settlement: RefundSettlement };
    const settle = this.#world.sabotage.settles ?? settleRefund;
    const answered = payment?.apply(({ saga }, context) => settle(saga, node.id, settlement, context), crash) ?? 'ok';
    this.#world.note('effect', node.who, settlement.length, () => `${payment?.id}: ${node.id} is ${settlement}`);
    return { answered, answer: null };
  }

  #hear(call: Call, answer: Reserved | null): void {
    const world = this.#world;
    const { node, command, fault, life } = call;
    if (node.life !== life) return;
    this.#ended(call);
    const effectId = command.event?.metadata.message_deduplication_id ?? '';
    const payload = command.event?.payload ?? {};
    const isReserve = command.name === 'reserve';
    if (isReserve && node.record()?.saga.state !== 'reserving') return;
    world.jumps(fault, 'before', node);
    if (isReserve && answer === null) {
      world.note('reported', node.who, 0, () => `${node.id} is refused, and its key is free again`);
      node.forget();
      return;
    }
    const fact: Fact =
      answer !== null
        ? { event_type: 'payment.refund_reserved', payload: reservedPayload(String(payload.payment_id), answer) }
        : { event_type: 'payment.refund_settled', payload: payload as EventPayload<'payment.refund_settled'> };
    node.take([{ kind: 'outcome', outcome: { effect_id: effectId, fact } }], world.crashOf(fault, node));
    world.jumps(fault, 'after', node);
  }

  #ended({ node, command, life }: Call): void {
    if (command.name === 'reserve' && this.#reserving.get(node) === life) this.#reserving.delete(node);
  }

  #delayMs({ node, step }: Call): number {
    return CALL_DELAY_MS * this.#world.dice.roll(node.who, pointOf(step, 2));
  }
}
