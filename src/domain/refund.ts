/**
 * Pure: what a refund is made of, what its saga knows of it, and how the public sees it.
 */
import type { Scope } from './ids.ts';
import type { PaymentMethod, PaymentStatus } from './payment.ts';

/** The validated body of `POST /refunds`: what the fingerprint is taken over. */
export interface RefundRequest {
  readonly payment_id: string;
  /** Minor units; absent: all that is left. */
  readonly amount?: number;
  readonly reason?: string;
}

export type RefundFailureCode = 'refund_declined' | 'gateway_unavailable' | 'refund_failed_after_success';

export const REFUND_FAILURE_MESSAGES: Readonly<Record<RefundFailureCode, string>> = {
  refund_declined: 'The payment gateway refused the refund; nothing was given back.',
  gateway_unavailable: 'The payment gateway could not be reached; nothing was given back.',
  refund_failed_after_success: 'The gateway took the refund back after it had succeeded; the credit was reversed.',
};

export interface RefundFailure {
  readonly code: RefundFailureCode;
  readonly message: string;
}

/** What the payment's object lent the refund: fixed when the amount was reserved. */
export interface RefundedPayment {
  readonly amountMinor: number;
  readonly currency: string;
  readonly walletId: string;
  readonly serviceId: string;
  readonly method: PaymentMethod;
  readonly provider: string | null;
  readonly providerReference: string | null;
}

export interface RefundData {
  readonly refundId: string;
  readonly scope: Scope;
  readonly idempotencyKey: string;
  readonly request: RefundRequest;
  /** Null until the amount is reserved. */
  readonly payment: RefundedPayment | null;
  readonly failure: RefundFailure | null;
  /** The provider took its success back before the wallet was credited. */
  readonly takenBack: boolean;
  /** A person has closed the books on what of it was not credited, or not taken back: what comes later is only recorded. */
  readonly writtenOff?: boolean;
  /** The provider gave it back after the refund had failed, and no person has seen to it yet. */
  readonly givenAfterFailure?: boolean;
  /** What the provider calls the refund; absent until it has told. */
  readonly refundReference?: string;
  readonly unknownSinceMs: number | null;
  readonly attentionReason: string | null;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly completedAtMs: number | null;
}

/** The public JSON of a refund (docs/openapi.json). */
export interface RefundView {
  id: string;
  object: 'refund';
  payment_id: string;
  amount: number;
  currency: string;
  reason?: string;
  status: PaymentStatus;
  saga_state: string;
  failure?: RefundFailure;
  provider?: string;
  next_check_at?: string;
  created_at: string;
  updated_at: string;
  completed_at?: string;
}
