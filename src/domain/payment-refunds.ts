/**
 * Pure: what of a payment is set aside for refunds and what was given back. The payment's object is the only one that
 * keeps it, so that no number of refunds at once can give back more than was paid (S10).
 */
import { REFUNDS_IN_FORCE_MAX, REFUNDS_PER_PAYMENT_MAX } from './limits.ts';
import type { PaymentData, PaymentRefund } from './payment.ts';
import { annotate } from './saga/engine.ts';
import { PAYMENT_SAGA } from './saga/payment-saga.ts';
import type { PaymentSagaValue, PaymentStep } from './saga/payment-types.ts';
import type { StepContext } from './saga/table.ts';
import type { RefundReservation, RefundSettlement } from './saga-rpc.ts';

/**
 * Reserves for a refund. Checks, in order: known refund (the same answer again) → the payment is completed → something is
 * left → the amount is not more than that → it may have one more. `data` null: nothing has changed.
 * @param amountMinor null: all that is left.
 */
export function reserveRefund(
  saga: PaymentSagaValue,
  refundId: string,
  amountMinor: number | null,
): { readonly answer: RefundReservation; readonly data: PaymentData | null } {
  const { data } = saga;
  const known = data.refunds[refundId];
  if (known !== undefined) return { answer: reserved(data, known.amountMinor), data: null };
  if (saga.state !== 'completed') return { answer: { kind: 'payment_not_refundable' }, data: null };
  const leftMinor = refundableMinor(data);
  const wantedMinor = amountMinor ?? leftMinor;
  if (leftMinor === 0 || wantedMinor > leftMinor) {
    return { answer: { kind: 'refund_amount_exceeds_refundable' }, data: null };
  }
  const states = Object.values(data.refunds).map(({ state }) => state);
  const inForce = states.filter((state) => state !== 'released').length;
  if (inForce >= REFUNDS_IN_FORCE_MAX || states.length >= REFUNDS_PER_PAYMENT_MAX) {
    return { answer: { kind: 'refunds_limit_exceeded' }, data: null };
  }
  const refunds = { ...data.refunds, [refundId]: { amountMinor: wantedMinor, state: 'reserved' as const } };
  return { answer: reserved(data, wantedMinor), data: { ...data, refunds } };
}

/** What can still be refunded: the amount less all that is reserved or was given back. */
export function refundableMinor({ request, refunds }: PaymentData): number {
  const takenMinor = Object.values(refunds)
    .filter(({ state }) => state !== 'released')
    .reduce((sum, { amountMinor }) => sum + amountMinor, 0);
  return request.amount - takenMinor;
}

function reserved(data: PaymentData, amountMinor: number): RefundReservation {
  const { currency, wallet_id, service_id, method } = data.request;
  return {
    kind: 'reserved',
    amountMinor,
    currency,
    walletId: wallet_id,
    serviceId: service_id,
    method,
    provider: data.provider,
    providerReference: data.providerReference,
  };
}

/**
 * The step that notes how a refund ended; null when that is known already, or the refund is not. What was released stays
 * released: another refund may have taken the amount since, and an older word may come late.
 */
export function settleRefund(
  saga: PaymentSagaValue,
  refundId: string,
  settlement: RefundSettlement,
  context: StepContext,
): PaymentStep | null {
  const before = saga.data.refunds[refundId];
  if (before === undefined || before.state === settlement || before.state === 'released') return null;
  const after: PaymentRefund = { ...before, state: settlement };
  const movesMinor = refundedBy(after) - refundedBy(before);
  const data = {
    ...saga.data,
    refunds: { ...saga.data.refunds, [refundId]: after },
    refundedAmount: saga.data.refundedAmount + movesMinor,
  };
  // A reservation that is given up moved nothing: there is nothing to tell of it in the payment's log.
  if (movesMinor === 0) return { saga: { ...saga, data }, events: [], send: [] };
  const payload = {
    payment_id: data.paymentId,
    refund_id: refundId,
    amount: movesMinor,
    refunded_amount: data.refundedAmount,
  };
  return annotate(PAYMENT_SAGA, { ...saga, data }, [{ type: 'payment.refunded', payload, repeats: true }], context);
}

function refundedBy({ amountMinor, state }: PaymentRefund): number {
  return state === 'completed' ? amountMinor : 0;
}
