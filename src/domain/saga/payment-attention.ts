/**
 * Pure: what a person may do about a payment that needs attention, as a table by its reason; docs/saga.md is made from it.
 * A retry goes back to the state whose command was given up or refused. A resolution states what the person has found to be
 * true, and the saga goes on from there by its own rules; a terminal status is never changed (decision 0052).
 */
import type { PaymentData } from '../payment.ts';
import { movePayload } from './operator.ts';
import {
  AUTHORIZED,
  failedWith,
  found,
  foundCaptured,
  isCaptured,
  lateUndoneAgain,
  lateUndoneByHand,
  turnBack,
  unknownFromNow,
  walletHoldsNothing,
} from './payment-rules.ts';
import type { PaymentAttention, PaymentAttentionSpec, PaymentMoveRule, PaymentSagaValue } from './payment-types.ts';

/** As if the provider had just said yes; only its own word says that it has captured too. */
const CHARGED: readonly PaymentMoveRule[] = AUTHORIZED.filter(({ when }) => when !== isCaptured).map(
  ({ learn, ...rule }) => ({
    ...rule,
    learn: (data, context) => found(learn?.(data, context) ?? data, context),
  }),
);

const MOVES: Readonly<Record<PaymentAttention, PaymentAttentionSpec['moves'][string]>> = {
  authorization_unknown: {
    says: 'The late window has closed, and the provider has not said whether it charged.',
    retry: [{ to: 'authorization_unknown', learn: unknownFromNow }],
    resolve: { charged: CHARGED, not_charged: turnBack({ learn: failedWith('gateway_unavailable') }) },
  },
  capture_unknown: {
    says: 'The provider has authorized, and has not said whether it captured.',
    retry: [{ to: 'capturing' }],
    resolve: {
      captured: [{ to: 'completed', learn: foundCaptured }],
      not_captured: [{ to: 'compensating', learn: failedWith('gateway_unavailable') }],
    },
  },
  release_refused: {
    says: 'Nothing is in force at a provider, and the wallet refuses to give the hold back.',
    retry: [{ to: 'releasing_funds' }],
    resolve: { nothing_held: [{ when: walletHoldsNothing, to: 'failed' }] },
  },
  compensation_failed: {
    says: 'What the provider authorized was not undone, or the hold was not released.',
    retry: [{ to: 'compensating' }],
    resolve: {
      undone_by_hand: [{ to: 'compensating', stated: ['unauthorize', 'refund'] }],
      nothing_held: [{ when: walletHoldsNothing, to: 'compensating', stated: ['release'] }],
    },
  },
  late_authorization_in_force: {
    says: 'A charge that came to light after it was given up was not undone, or a refund that had undone one was taken back; the status stays what it is.',
    retry: [{ learn: lateUndoneAgain, send: ['undo_late'] }],
    resolve: { undone_by_hand: [{ learn: lateUndoneByHand }] },
  },
};

/** Why a payment in `needs_attention` is there. */
export function reasonOf({ attentionReason }: PaymentData): PaymentAttention {
  // Only what waits for several commands goes there without a reason of its own.
  return (attentionReason as PaymentAttention | null) ?? 'compensation_failed';
}

export const PAYMENT_ATTENTION: PaymentAttentionSpec = {
  reasonOf: ({ state, data }: PaymentSagaValue): PaymentAttention | null => {
    if (state === 'needs_attention') return reasonOf(data);
    return data.late.some(({ notUndone }) => notUndone !== undefined) ? 'late_authorization_in_force' : null;
  },
  moves: MOVES,
  fact: (data, attention, move) => ({
    type: move.kind === 'retry' ? 'payment.retried' : 'payment.resolved',
    payload: { payment_id: data.paymentId, ...movePayload(attention, move) },
    repeats: true,
  }),
  leave: (data) => ({ ...data, attentionReason: null }),
};
