/**
 * Pure: what the refund saga's rules ask (guards: named as the documentation prints them) and what they learn. Which rule
 * stands where is the tables' (`refund-saga.ts`, `refund-attention.ts`).
 */
import { InvariantError } from '../errors.ts';
import type { EventPayload } from '../events/catalogue.ts';
import { REFUND_FAILURE_MESSAGES, type RefundData, type RefundedPayment, type RefundFailureCode } from '../refund.ts';
import type { RefundContext, RefundRule } from './refund-types.ts';

export const isBalance = ({ saga }: RefundContext): boolean => saga.data.payment?.method === 'balance';
export const budgetSpent = ({ saga, nowMs, policy }: RefundContext): boolean =>
  nowMs >= saga.enteredAtMs + policy.compensationBudgetMs;

/** Some sending of it may have given the money back, and none has been heard to have been refused. */
export const isInDoubt = ({ saga }: RefundContext): boolean => saga.data.unknownSinceMs !== null;

export function reservation(data: RefundData, { fact }: RefundContext): RefundData {
  if (fact?.event_type !== 'payment.refund_reserved') throw new InvariantError('reservation_fact');
  const payload = fact.payload as EventPayload<'payment.refund_reserved'>;
  const payment: RefundedPayment = {
    amountMinor: payload.amount,
    currency: payload.currency,
    walletId: payload.wallet_id,
    serviceId: payload.service_id,
    method: payload.method,
    provider: payload.provider ?? null,
    providerReference: payload.provider_reference ?? null,
  };
  return { ...data, payment };
}

/** What the provider calls the refund is kept: a look-up may have no other way to tell it from the payment's others. */
export const referred = (data: RefundData, { fact }: RefundContext): RefundData => {
  if (fact?.event_type !== 'payment_gateway.response') return data;
  const { refund_reference: refundReference } = fact.payload as EventPayload<'payment_gateway.response'>;
  return refundReference === undefined ? data : { ...data, refundReference };
};

export const unknown = (data: RefundData, context: RefundContext): RefundData => ({
  ...referred(data, context),
  unknownSinceMs: data.unknownSinceMs ?? context.nowMs,
});

export const failedWith =
  (code: RefundFailureCode) =>
  (data: RefundData): RefundData => ({ ...data, failure: { code, message: REFUND_FAILURE_MESSAGES[code] } });

/** It failed by our reasoning or a person's word, not by the provider's own no. */
export const failedUnrefused = ({ saga }: RefundContext): boolean =>
  saga.data.failure?.code === 'gateway_unavailable' || saga.lastMove?.resolution === 'not_refunded';
export const isTakenBack = ({ saga }: RefundContext): boolean => saga.data.takenBack;
export const isNotTakenBack = ({ saga }: RefundContext): boolean => !saga.data.takenBack;
/** A person is needed for something else. */
export const refundIsKnown = ({ saga }: RefundContext): boolean => saga.data.attentionReason !== 'refund_unknown';
export const waitsForCredit = ({ saga }: RefundContext): boolean => saga.data.attentionReason === 'credit_refused';
export const isWrittenOff = ({ saga }: RefundContext): boolean => saga.data.writtenOff === true;
export const writtenOff = (data: RefundData): RefundData => ({ ...data, writtenOff: true });
export const takenBack = (data: RefundData): RefundData => ({ ...data, takenBack: true });

export const givenAfterFailure = (data: RefundData): RefundData => ({ ...data, givenAfterFailure: true });

/** The window in which a look-up may still find it begins anew. */
export const unknownFromNow = (data: RefundData, { nowMs }: RefundContext): RefundData => ({
  ...data,
  unknownSinceMs: nowMs,
});

export const attention =
  (reason: string) =>
  (data: RefundData): RefundData => ({ ...data, attentionReason: reason });

export const REFUNDED: readonly RefundRule[] = [{ when: isBalance, to: 'crediting' }, { to: 'completed' }];
