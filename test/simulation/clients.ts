/**
 * The clients of a world: each posts what its plan says under one key, and again when it hears nothing, as often as it
 * takes; some post twice at once. They ask for refunds once they see a payment completed, and a few before.
 */
import { toTimestamp } from '../../src/domain/events/envelope.ts';
import { beginPayment, paymentDataOf } from '../../src/domain/saga/payment-saga.ts';
import { beginRefund, refundDataOf } from '../../src/domain/saga/refund-saga.ts';
import type { CreatePayment, CreateRefund } from '../../src/domain/saga-rpc.ts';
import { type Struck, UNHARMED } from './faults.ts';
import type { StepName } from './matrix.ts';
import { type PaymentPlan, type RefundPlan, START_MS } from './plan.ts';
import type { Answered, Crash, Node } from './saga-node.ts';
import { SCOPE } from './wallets.ts';
import type { World } from './world.ts';

const POST_MS = 15;
/** A client that hears nothing asks again after this. */
const AGAIN_MS = 2_000;
/** Twice as many as the faults' time allows for. */
const POSTS_MAX = 2_000;
const TRACE = { traceId: 'a'.repeat(32), traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` };

interface Post {
  readonly who: number;
  readonly step: StepName;
  readonly node: () => Node;
  readonly claim: (crash: Crash) => Answered;
  readonly tries: number;
}

export class Clients {
  readonly #world: World;
  readonly #refunds = new Map<string, readonly RefundPlan[]>();

  constructor(world: World, sagasOff: ReadonlySet<number>) {
    this.#world = world;
    for (const plan of world.plan.payments) {
      if (sagasOff.has(plan.who)) continue;
      world.agenda.at(START_MS + plan.postAfterMs, () => this.#postPayment(plan));
      const refunds = plan.refunds.filter(({ who }) => !sagasOff.has(who));
      for (const refund of refunds.filter(({ early }) => early)) {
        world.agenda.at(START_MS + plan.postAfterMs + refund.afterMs, () => this.#postRefund(plan, refund));
      }
      this.#refunds.set(plan.paymentId, refunds);
    }
  }

  /** Asked after each commit of a payment: its refunds follow its completion, once. */
  paymentIs(paymentId: string, state: string): void {
    const refunds = this.#refunds.get(paymentId);
    const plan = this.#world.plan.payments.find((each) => each.paymentId === paymentId);
    if (state !== 'completed' || refunds === undefined || plan === undefined) return;
    this.#refunds.delete(paymentId);
    for (const refund of refunds.filter(({ early }) => !early)) {
      this.#world.agenda.in(refund.afterMs, () => this.#postRefund(plan, refund));
    }
  }

  #postPayment(plan: PaymentPlan): void {
    const world = this.#world;
    const { who, paymentId, walletId, amountMinor, method, token, deadlineAfterMs } = plan;
    const input: CreatePayment = {
      scope: SCOPE,
      idempotencyKey: `key_${paymentId}`,
      fingerprint: paymentId,
      request: {
        wallet_id: walletId,
        service_id: 'svc',
        amount: amountMinor,
        currency: 'USD',
        method,
        ...(token !== null && { token }),
        ...(deadlineAfterMs !== null && { deadline: toTimestamp(START_MS + plan.postAfterMs + deadlineAfterMs) }),
      },
      amountCodes: false,
      trace: TRACE,
      waitMs: 0,
    };
    const node = world.payment(paymentId, who);
    this.#post({
      who,
      step: 'payment.create',
      node: () => node,
      claim: (crash) =>
        node.claim(
          paymentId,
          (context) => beginPayment(paymentDataOf(input, paymentId, context.nowMs), context),
          crash,
        ),
      tries: 0,
    });
  }

  #postRefund({ paymentId }: PaymentPlan, plan: RefundPlan): void {
    const world = this.#world;
    const { who, refundId, amountMinor } = plan;
    const input: CreateRefund = {
      scope: SCOPE,
      idempotencyKey: `key_${refundId}`,
      fingerprint: refundId,
      request: { payment_id: paymentId, ...(amountMinor !== null && { amount: amountMinor }) },
      trace: TRACE,
      waitMs: 0,
    };
    const node = world.refund(refundId, who);
    this.#post({
      who,
      step: 'refund.create',
      node: () => node,
      claim: (crash) => {
        const answered = node.claim(
          refundId,
          (context) => beginRefund(refundDataOf(input, refundId, context.nowMs), context),
          crash,
        );
        if (answered === 'ok') world.calls.again(node);
        return answered;
      },
      tries: 0,
    });
  }

  #post(post: Post): void {
    const world = this.#world;
    const { who, step, tries } = post;
    if (tries >= POSTS_MAX) throw new Error(`${step} of ${who} is never answered`);
    const fault = world.fault(who, step);
    const what = () => `POST of ${post.node().id}`;
    const again = () => this.#post({ ...post, tries: tries + 1 });
    if (world.strikes(fault, 'lost', 'before', who, what)) {
      world.agenda.in(AGAIN_MS, again);
      return;
    }
    const waitMs = world.waitMs(who, step, POST_MS);
    if (world.strikes(fault, 'delayed', 'before', who, what)) {
      world.inFlight(waitMs + world.delayMs(who, step), () => this.#arrive(post, fault, () => {}));
      world.agenda.in(AGAIN_MS, again);
      return;
    }
    world.agenda.in(waitMs, () => this.#arrive(post, fault, again));
    if (world.strikes(fault, 'doubled', 'before', who, what)) {
      world.agenda.in(world.waitMs(who, step, POST_MS), () => this.#arrive(post, UNHARMED, () => {}));
    }
  }

  #arrive(post: Post, fault: Struck, again: () => void): void {
    const world = this.#world;
    const { who } = post;
    const node = post.node();
    const what = () => `POST of ${node.id}`;
    world.note('arrived', who, node.commits.length, () => `POST of ${node.id} arrives`);
    if (world.kills(fault, 'before', who, what)) {
      world.agenda.in(AGAIN_MS, again);
      return;
    }
    world.jumps(fault, 'before', node);
    const answered = post.claim(world.crashOf(fault, node));
    world.jumps(fault, 'after', node);
    const isKilled = world.kills(fault, 'after', who, what);
    const isUnheard = world.strikes(fault, 'lost', 'after', who, what);
    const isAskedTwice = world.strikes(fault, 'doubled', 'after', who, what);
    if (answered === 'broken' || isKilled || isUnheard || isAskedTwice) world.agenda.in(AGAIN_MS, again);
  }
}
