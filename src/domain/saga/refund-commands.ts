/**
 * Pure: the commands of the refund saga: their event types, payloads, and how long each is tried; and the facts that it
 * records of itself.
 */
import { InvariantError } from '../errors.ts';
import type { EventPayload, EventType } from '../events/catalogue.ts';
import { toTimestamp } from '../events/envelope.ts';
import type { RefundData, RefundedPayment, RefundFailure } from '../refund.ts';
import type { Backoff } from '../retry.ts';
import type { RefundReservation } from '../saga-rpc.ts';
import { resendWithRun, type SagaPolicy } from './policy.ts';
import type { RefundCommand } from './refund-types.ts';
import type { CommandSpec } from './table.ts';

/** @throws InvariantError before the amount is reserved: no command but `reserve` is issued before. */
export function paymentOf({ payment, refundId }: RefundData): RefundedPayment {
  if (payment === null) throw new InvariantError('refund_reserved', { refund_id: refundId });
  return payment;
}

/** @throws InvariantError where there is none: whatever leads to `failed` has said why. */
export function failureOf({ failure, refundId }: RefundData): RefundFailure {
  if (failure === null) throw new InvariantError('failed_for_a_reason', { refund_id: refundId });
  return failure;
}

function ids(data: RefundData) {
  return { refund_id: data.refundId, payment_id: data.request.payment_id };
}

function walletPayload(data: RefundData): Record<string, unknown> {
  const { walletId, amountMinor, currency } = paymentOf(data);
  return { ...ids(data), wallet_id: walletId, amount: amountMinor, currency };
}

function gatewayPayload(data: RefundData): Record<string, unknown> {
  const { amountMinor, currency, method, serviceId, provider, providerReference } = paymentOf(data);
  return {
    ...ids(data),
    amount: amountMinor,
    currency,
    method,
    service_id: serviceId,
    ...(provider !== null && { provider }),
    ...(providerReference !== null && { provider_reference: providerReference }),
  };
}

const resendGateway = (policy: SagaPolicy): Backoff => policy.resendGateway;

export const REFUND_COMMAND_SPECS: Readonly<Record<RefundCommand, CommandSpec<RefundData, RefundCommand>>> = {
  reserve: {
    name: 'reserve',
    type: () => 'orchestrator.payment.reserve_refund',
    isCall: true,
    payload: (data) => ({ ...ids(data), ...(data.request.amount !== undefined && { amount: data.request.amount }) }),
  },
  refund: {
    name: 'refund',
    type: () => 'orchestrator.gateway.refund',
    // Asked for again after a look-up found nothing: another effect for the saga, the same key for the provider.
    repeats: true,
    resend: resendGateway,
    // No call begins once the saga may have given it up: a late duplicate must not give money back that was freed (S10).
    payload: (data, { nowMs, policy }) => ({
      ...gatewayPayload(data),
      not_after: toTimestamp(nowMs + policy.compensationBudgetMs),
    }),
    giveUpAtMs: (saga, _command, policy) => saga.enteredAtMs + policy.compensationBudgetMs,
  },
  lookup: {
    name: 'lookup',
    type: () => 'orchestrator.gateway.lookup',
    repeats: true,
    resend: resendGateway,
    payload: (data) => ({
      ...gatewayPayload(data),
      ...(data.refundReference !== undefined && { refund_reference: data.refundReference }),
    }),
    waitMs: (policy, issuedBefore) =>
      policy.lookupScheduleMs[Math.min(issuedBefore, policy.lookupScheduleMs.length - 1)] ?? 0,
    giveUpAtMs: (saga, _command, policy) => (saga.data.unknownSinceMs ?? saga.enteredAtMs) + policy.lateWindowMs,
  },
  credit: { name: 'credit', retriable: true, type: () => 'orchestrator.wallet.credit', payload: walletPayload },
  reverse: {
    name: 'reverse',
    retriable: true,
    type: () => 'orchestrator.wallet.reverse_credit',
    payload: walletPayload,
  },
  settle: {
    name: 'settle',
    type: () => 'orchestrator.payment.settle_refund',
    isCall: true,
    // Twice where a success is taken back.
    repeats: true,
    payload: (data, _context, state) => ({ ...ids(data), settlement: state === 'failed' ? 'released' : 'completed' }),
  },
  notify: {
    name: 'notify',
    goesWithRun: true,
    resend: resendWithRun,
    type: (_data, state): EventType =>
      state === 'failed' ? 'orchestrator.notify.refund_failure' : 'orchestrator.notify.refund_success',
    payload: (data, _context, state) => ({ ...ids(data), status: state === 'failed' ? 'FAILED' : 'COMPLETED' }),
  },
};

export function refundFact(data: RefundData, status: 'COMPLETED' | 'FAILED'): Record<string, unknown> {
  const { amountMinor, currency } = paymentOf(data);
  return { ...ids(data), amount: amountMinor, currency, status };
}

/** What the refund learns of its payment's answer: the payload of `payment.refund_reserved`. */
export function reservedPayload(
  paymentId: string,
  answer: Extract<RefundReservation, { kind: 'reserved' }>,
): EventPayload<'payment.refund_reserved'> {
  return {
    payment_id: paymentId,
    amount: answer.amountMinor,
    currency: answer.currency,
    wallet_id: answer.walletId,
    service_id: answer.serviceId,
    method: answer.method,
    ...(answer.provider !== null && { provider: answer.provider }),
    ...(answer.providerReference !== null && { provider_reference: answer.providerReference }),
  };
}
