/**
 * The owner of one payment: claims its idempotency key, drives its saga, and keeps count of what of it is refunded, so
 * that no two refunds together can give back more than was paid (S10). A shell over the saga host: what a payment does is
 * in the saga's table, how a saga is kept in `durable-objects/saga/`. Called by HTTP, by the queue consumers, and by the
 * objects of its refunds.
 */
import { DurableObject } from 'cloudflare:workers';
import { publicIdFromHex, type Scope } from '../../src/domain/ids.ts';
import { reserveRefund, settleRefund } from '../../src/domain/payment-refunds.ts';
import { PAYMENT_KIND } from '../../src/domain/payment-view.ts';
import type {
  Acknowledgement,
  CreatePayment,
  CreateResult,
  Delivered,
  DescribeKeyResult,
  PaymentSagaRpc,
  ReadEventsResult,
  ReadSagaResult,
  RefundReservation,
  RefundSettlement,
} from '../../src/domain/rpc.ts';
import type { Outcome } from '../../src/domain/saga/outcome.ts';
import { beginPayment, paymentDataOf } from '../../src/domain/saga/payment-saga.ts';
import { SagaHost } from '../saga/saga-host.ts';

export class PaymentSaga extends DurableObject<Env> implements PaymentSagaRpc {
  readonly #host = new SagaHost(this.ctx, this.env, { kind: PAYMENT_KIND, token: (data) => data.request.token });

  /**
   * Claims the key and begins the saga, or answers what the key already stands for. The claim is the payment's first
   * commit, so there is no moment at which one exists without the other.
   */
  async create(input: CreatePayment): Promise<CreateResult> {
    const claimed = this.#host.claimed(input.fingerprint, input.request);
    if (claimed !== null && claimed.kind !== 'same') return claimed;
    if (claimed === null) {
      const context = this.#host.context(input.trace, input.scope);
      const data = paymentDataOf(input, publicIdFromHex('pay_', this.ctx.id.toString()), context.nowMs);
      this.#host.begin(input.fingerprint, beginPayment(data, context), context);
    }
    await this.#host.terminalWithin(input.waitMs);
    const { paymentId } = this.#host.requireRecord().saga.data;
    return { kind: claimed === null ? 'created' : 'replayed', entityId: paymentId, ...this.#host.body() };
  }

  read(scope: Scope): ReadSagaResult {
    return this.#host.read(scope);
  }

  readEvents(scope: Scope, afterSequence: number, limit: number): ReadEventsResult {
    return this.#host.readEvents(scope, afterSequence, limit);
  }

  describeKey(): DescribeKeyResult {
    return this.#host.describeKey();
  }

  deliver(outcomes: readonly Outcome[]): Delivered {
    return this.#host.take(outcomes.map((outcome) => ({ kind: 'outcome', outcome })));
  }

  awaits(effectId: string): boolean {
    return this.#host.awaits(effectId);
  }

  commandDied(effectId: string): Delivered {
    return this.#host.take([{ kind: 'died', effectId }]);
  }

  acknowledge(acknowledgement: Acknowledgement): void {
    this.#host.acknowledge(acknowledgement);
  }

  override async alarm(): Promise<void> {
    this.#host.alarm();
  }

  /** Sets part of the payment aside for a refund, once per refund id; null: all that is left. */
  reserveRefund(scope: Scope, refundId: string, amountMinor: number | null): RefundReservation {
    const record = this.#host.owned(scope);
    if (record === null) return { kind: 'payment_not_found' };
    const { answer, data } = reserveRefund(record.saga, refundId, amountMinor);
    this.#host.apply(({ saga }) => (data === null ? null : { saga: { ...saga, data }, events: [], send: [] }));
    return answer;
  }

  /** Tells how a refund ended, any number of times; `released` also takes a completed one back. */
  settleRefund(refundId: string, settlement: RefundSettlement): void {
    // A payment that has expired keeps no count any more, and nothing can be refunded of it.
    if (this.#host.load() === 'expired') return;
    this.#host.apply(({ saga }, context) => settleRefund(saga, refundId, settlement, context));
  }
}
