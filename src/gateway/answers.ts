/**
 * Pure: what a provider's answer is to a saga: the fact `payment_gateway.response`. Exhaustive over the port's answers, so
 * that a new kind of answer does not compile until it has a meaning. Unknown is never read as declined (S8).
 */
import type { EventPayload, GatewayOperation, GatewayStatus } from '../domain/events/catalogue.ts';
import type { Outcome } from '../domain/saga/outcome.ts';
import type { ProviderAnswer } from './provider.ts';

/** What is kept of a reason: codes of ours and of providers are far shorter. */
const REASON_LENGTH_MAX = 200;

/** The status that `answer` gives to `operation`. */
export function gatewayStatusOf(operation: GatewayOperation, answer: ProviderAnswer): GatewayStatus {
  switch (answer.kind) {
    case 'approved':
      return answer.captured ? 'CAPTURED' : 'AUTHORIZED';
    case 'captured':
      return 'CAPTURED';
    case 'declined':
      return 'UNAUTHORIZED';
    case 'pending':
      return 'PENDING';
    case 'voided':
      return 'VOIDED';
    case 'refunded':
      return 'REFUNDED';
    case 'refused':
      return REFUSED[operation];
    case 'absent':
      return ABSENT[operation];
    case 'unknown':
      return 'UNKNOWN';
    case 'not_sent':
    case 'throttled':
    case 'unfit':
    case 'misconfigured':
      return 'NOT_SENT';
  }
}

/** A look-up is refused only of a refund: the provider says that it failed. */
const REFUSED: Readonly<Record<GatewayOperation, GatewayStatus>> = {
  authorize: 'UNAUTHORIZED',
  capture: 'UNAUTHORIZED',
  unauthorize: 'VOID_FAILED',
  refund: 'REFUND_FAILED',
  lookup: 'REFUND_FAILED',
};

/**
 * Absence is an answer to a look-up, and to a void (nothing is there to be undone). A charge that is known to be
 * authorized and cannot be found when it is to be captured or refunded is a riddle, not an answer.
 */
const ABSENT: Readonly<Record<GatewayOperation, GatewayStatus>> = {
  authorize: 'UNKNOWN',
  capture: 'UNKNOWN',
  unauthorize: 'ABSENT',
  refund: 'UNKNOWN',
  lookup: 'ABSENT',
};

export interface AnsweredCall {
  readonly effectId: string;
  readonly paymentId: string;
  readonly operation: GatewayOperation;
  /** A refund is given or looked up: a reference in the answer is the refund's. */
  readonly isOfRefund: boolean;
  /** Absent: no provider was asked, or several were and none knows anything. */
  readonly provider?: string;
  readonly answer: ProviderAnswer;
}

/** The outcome that a saga is told. `retryAfterMs` is the provider's wish, or ours for it. */
export function outcomeOf({ effectId, paymentId, operation, isOfRefund, provider, answer }: AnsweredCall): Outcome {
  const reason = reasonOf(answer);
  const retryAfterMs = 'retryAfterMs' in answer ? answer.retryAfterMs : undefined;
  const reference = 'reference' in answer ? answer.reference : undefined;
  const declineCode = declineCodeOf(operation, answer);
  const payload: EventPayload<'payment_gateway.response'> = {
    payment_id: paymentId,
    operation,
    gateway_status: gatewayStatusOf(operation, answer),
    ...(provider !== undefined && { provider }),
    // A refund's own reference is not the payment's: the saga must keep the charge's.
    ...(reference !== undefined && (isOfRefund ? { refund_reference: reference } : { provider_reference: reference })),
    ...(declineCode !== undefined && { decline_code: declineCode }),
    ...(reason !== undefined && { reason: reason.slice(0, REASON_LENGTH_MAX) }),
    ...(retryAfterMs !== undefined && { retry_after_ms: retryAfterMs }),
  };
  return {
    effect_id: effectId,
    fact: { event_type: 'payment_gateway.response', payload },
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
}

function declineCodeOf(operation: GatewayOperation, answer: ProviderAnswer): string | undefined {
  if (answer.kind === 'declined') return answer.declineCode;
  if (answer.kind === 'unfit') return answer.code;
  return answer.kind === 'refused' && REFUSED[operation] === 'UNAUTHORIZED' ? answer.code : undefined;
}

function reasonOf(answer: ProviderAnswer): string | undefined {
  switch (answer.kind) {
    case 'unknown':
    case 'not_sent':
    case 'misconfigured':
      return answer.reason;
    case 'throttled':
      return 'throttled';
    case 'refused':
    case 'unfit':
      return answer.code;
    default:
      return undefined;
  }
}
