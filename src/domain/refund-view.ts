/**
 * Pure: a refund as the public sees it, and as a row of the record; made from the saga alone, in one fixed order.
 */
import { toTimestamp } from './events/envelope.ts';
import type { RefundRow } from './messages.ts';
import type { PaymentStatus } from './payment.ts';
import type { RefundData, RefundView } from './refund.ts';
import { refundInForce } from './saga/in-force.ts';
import type { SagaKind } from './saga/record.ts';
import { REFUND_SAGA } from './saga/refund-saga.ts';
import type { RefundCommand, RefundSagaValue, RefundState } from './saga/refund-types.ts';

export function refundStatus(saga: RefundSagaValue): PaymentStatus {
  if (saga.state === 'completed') return 'COMPLETED';
  return saga.state === 'failed' ? 'FAILED' : 'PENDING';
}

/** `amount` is 0, and the currency empty, only for the moment before the payment's object has answered. */
export function refundView(saga: RefundSagaValue): RefundView {
  const { data } = saga;
  const nextLookup = saga.pending.find((command) => command.name === 'lookup');
  const status = refundStatus(saga);
  return {
    id: data.refundId,
    object: 'refund',
    payment_id: data.request.payment_id,
    amount: data.payment?.amountMinor ?? data.request.amount ?? 0,
    currency: data.payment?.currency ?? '',
    ...(data.request.reason !== undefined && { reason: data.request.reason }),
    status,
    saga_state: saga.state,
    ...(data.failure !== null && status === 'FAILED' && { failure: data.failure }),
    ...(data.payment?.provider != null && { provider: data.payment.provider }),
    ...(nextLookup !== undefined && { next_check_at: toTimestamp(nextLookup.dueAtMs) }),
    created_at: toTimestamp(data.createdAtMs),
    updated_at: toTimestamp(data.updatedAtMs),
    ...(data.completedAtMs !== null && { completed_at: toTimestamp(data.completedAtMs) }),
  };
}

export function refundRow(saga: RefundSagaValue): RefundRow {
  const { data } = saga;
  return {
    id: data.refundId,
    merchant: data.scope.merchant,
    mode: data.scope.mode,
    payment_id: data.request.payment_id,
    status: refundStatus(saga),
    created_at_ms: data.createdAtMs,
    updated_at_ms: data.updatedAtMs,
    sequence: saga.sequence,
    body: JSON.stringify(refundView(saga)),
    attention: REFUND_SAGA.attention.reasonOf(saga),
  };
}

export const REFUND_KIND: SagaKind<RefundState, RefundData, RefundCommand, { readonly refund: RefundRow }> = {
  table: REFUND_SAGA,
  view: refundView,
  inForce: refundInForce,
  row: (saga) => ({ refund: refundRow(saga) }),
  isRevocable: true,
};
