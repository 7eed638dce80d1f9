/**
 * The owner of one payment: claims its idempotency key, drives its saga, and keeps count of what of it is refunded, so
 * that no two refunds together can give back more than was paid (S10). A shell over the saga host: what a payment does is
 * in the saga's table, how a saga is kept in `durable-objects/saga/`. Called by HTTP, by the queue consumers, and by the
 * objects of its refunds.
 */
import { publicIdFromHex, type Scope } from '../../src/domain/ids.ts';
import type { PaymentData } from '../../src/domain/payment.ts';
import { reserveRefund, settleRefund } from '../../src/domain/payment-refunds.ts';
import { PAYMENT_KIND } from '../../src/domain/payment-view.ts';
import { beginPayment, paymentDataOf } from '../../src/domain/saga/payment-saga.ts';
import type { PaymentCommand, PaymentState } from '../../src/domain/saga/payment-types.ts';
import type {
  CreatePayment,
  CreateResult,
  PaymentSagaRpc,
  RefundReservation,
  RefundSettlement,
} from '../../src/domain/saga-rpc.ts';
import { SagaHost } from '../saga/saga-host.ts';
import { SagaObject } from '../saga/saga-object.ts';

export class PaymentSaga extends SagaObject<PaymentState, PaymentData, PaymentCommand> implements PaymentSagaRpc {
  protected readonly host = new SagaHost(this.ctx, this.env, {
    kind: PAYMENT_KIND,
    token: (data) => data.request.token,
  });

  /**
   * Claims the key and begins the saga, or answers what the key already stands for. The claim is the payment's first
   * commit, so there is no moment at which one exists without the other.
   */
  async create(input: CreatePayment): Promise<CreateResult> {
    const id = publicIdFromHex('pay_', this.ctx.id.toString());
    const claim = this.host.claim(input, (context) => beginPayment(paymentDataOf(input, id, context.nowMs), context));
    if (claim.kind === 'key_expired' || claim.kind === 'key_reused') return claim;
    const waited = await this.host.terminalWithin(input.waitMs);
    return { kind: claim.kind, entityId: id, ...this.host.body(), waited };
  }

  /** Sets part of the payment aside for a refund, once per refund id; null: all that is left. */
  reserveRefund(scope: Scope, refundId: string, amountMinor: number | null): RefundReservation {
    this.host.cost.called();
    const record = this.host.owned(scope);
    if (record === null) return { kind: 'payment_not_found' };
    const { answer, data } = reserveRefund(record.saga, refundId, amountMinor);
    this.host.apply(({ saga }) => (data === null ? null : { saga: { ...saga, data }, events: [], send: [] }));
    return answer;
  }

  /** Tells how a refund ended, any number of times; `released` also takes a completed one back. */
  settleRefund(refundId: string, settlement: RefundSettlement): void {
    this.host.cost.called();
    // A payment that has expired keeps no count any more, and nothing can be refunded of it.
    if (this.host.load() === 'expired') return;
    this.host.apply(({ saga }, context) => settleRefund(saga, refundId, settlement, context));
  }
}
