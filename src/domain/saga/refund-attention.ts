/**
 * Pure: what a person may do about a refund that needs attention, as a table by its reason; docs/saga.md is made from it.
 * The same way of reading as for payments (`payment-attention.ts`).
 */
import type { RefundData } from '../refund.ts';
import { movePayload } from './operator.ts';
import { failedWith, isNotTakenBack, isTakenBack, REFUNDED, unknownFromNow, writtenOff } from './refund-rules.ts';
import type { RefundAttention, RefundAttentionSpec, RefundSagaValue } from './refund-types.ts';

const MOVES: Readonly<Record<RefundAttention, RefundAttentionSpec['moves'][string]>> = {
  refund_unknown: {
    says: 'The late window has closed, and the provider has not said whether it gave the money back.',
    retry: [{ to: 'refund_unknown', learn: unknownFromNow }],
    resolve: { refunded: REFUNDED, not_refunded: [{ to: 'failed', learn: failedWith('refund_declined') }] },
  },
  credit_refused: {
    says: 'The provider has given the money back, and the wallet refuses to take it.',
    retry: [{ when: isTakenBack, to: 'failed', learn: failedWith('refund_failed_after_success') }, { to: 'crediting' }],
    resolve: { written_off: [{ when: isNotTakenBack, to: 'completed', learn: writtenOff }] },
  },
  credited_money_is_gone: {
    says: 'The provider has taken its refund back, and what the wallet was credited has been spent.',
    retry: [{ to: 'reversing' }],
    resolve: { written_off: [{ to: 'completed', learn: writtenOff }] },
  },
  refunded_after_failure: {
    says: 'The provider has given back what a failed refund had freed; the status stays what it is.',
    retry: [],
    resolve: { settled_by_hand: [{ learn: ({ givenAfterFailure: _, ...data }) => data }] },
  },
};

/** Why a refund in `needs_attention` is there. */
export function reasonOf({ attentionReason }: RefundData): string {
  return attentionReason ?? 'unknown';
}

export const REFUND_ATTENTION: RefundAttentionSpec = {
  reasonOf: ({ state, data }: RefundSagaValue): string | null => {
    if (state === 'needs_attention') return reasonOf(data);
    return data.givenAfterFailure === true ? 'refunded_after_failure' : null;
  },
  moves: MOVES,
  fact: (data, attention, move) => ({
    type: move.kind === 'retry' ? 'refund.retried' : 'refund.resolved',
    payload: { refund_id: data.refundId, payment_id: data.request.payment_id, ...movePayload(attention, move) },
    repeats: true,
  }),
  leave: (data) => ({ ...data, attentionReason: null }),
};
