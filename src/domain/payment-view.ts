/**
 * Pure: a payment as the public sees it: made from the saga alone, member for member in one fixed order, so that the same
 * saga always gives the same bytes.
 */
import { toTimestamp } from './events/envelope.ts';
import type { PaymentRow } from './messages.ts';
import { maskToken, type PaymentData, type PaymentStatus, type PaymentView } from './payment.ts';
import { paymentInForce } from './saga/in-force.ts';
import { PAYMENT_SAGA } from './saga/payment-saga.ts';
import type { PaymentCommand, PaymentSagaValue, PaymentState } from './saga/payment-types.ts';
import type { SagaKind } from './saga/record.ts';

/** Public `status`: PENDING until the saga is in a terminal state. `needs_attention` is PENDING: nothing is decided. */
export function paymentStatus(saga: PaymentSagaValue): PaymentStatus {
  if (saga.state === 'completed') return 'COMPLETED';
  return saga.state === 'failed' ? 'FAILED' : 'PENDING';
}

export function paymentView(saga: PaymentSagaValue): PaymentView {
  const { data } = saga;
  const { token, ...request } = data.request;
  const nextLookup = saga.pending.find((command) => command.name === 'lookup');
  return {
    id: data.paymentId,
    object: 'payment',
    wallet_id: request.wallet_id,
    service_id: request.service_id,
    amount: request.amount,
    currency: request.currency,
    method: request.method,
    ...(token !== undefined && { token: maskToken(token) }),
    ...(request.customer_id !== undefined && { customer_id: request.customer_id }),
    ...(request.reference !== undefined && { reference: request.reference }),
    ...(request.metadata !== undefined && { metadata: { ...request.metadata } }),
    ...(request.deadline !== undefined && { deadline: request.deadline }),
    status: paymentStatus(saga),
    saga_state: saga.state,
    ...(data.failure !== null && paymentStatus(saga) === 'FAILED' && { failure: data.failure }),
    ...(data.provider !== null && { provider: data.provider }),
    ...(data.providerReference !== null && { provider_reference: data.providerReference }),
    refunded_amount: data.refundedAmount,
    ...(nextLookup !== undefined && { next_check_at: toTimestamp(nextLookup.dueAtMs) }),
    created_at: toTimestamp(data.createdAtMs),
    updated_at: toTimestamp(data.updatedAtMs),
    ...(data.completedAtMs !== null && { completed_at: toTimestamp(data.completedAtMs) }),
  };
}

/** The row of the record that this state amounts to. */
export function paymentRow(saga: PaymentSagaValue): PaymentRow {
  const { data } = saga;
  const { wallet_id, service_id, method, reference } = data.request;
  return {
    id: data.paymentId,
    merchant: data.scope.merchant,
    mode: data.scope.mode,
    wallet_id,
    service_id,
    method,
    status: paymentStatus(saga),
    reference: reference ?? null,
    created_at_ms: data.createdAtMs,
    updated_at_ms: data.updatedAtMs,
    sequence: saga.sequence,
    body: JSON.stringify(paymentView(saga)),
    attention: PAYMENT_SAGA.attention.reasonOf(saga),
  };
}

export const PAYMENT_KIND: SagaKind<PaymentState, PaymentData, PaymentCommand, { readonly payment: PaymentRow }> = {
  table: PAYMENT_SAGA,
  view: paymentView,
  inForce: paymentInForce,
  row: (saga) => ({ payment: paymentRow(saga) }),
  // A refund that has its amount set aside will settle it, and needs the payment for that.
  isNeeded: ({ data }) => Object.values(data.refunds).some(({ state }) => state === 'reserved'),
};
