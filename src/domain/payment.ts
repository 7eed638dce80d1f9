/**
 * Pure: what a payment is made of, what its saga knows of it, and how the public sees it.
 */
import type { PaymentFailureCode } from './errors.ts';
import type { Scope } from './ids.ts';
import type { PassedOver } from './routing.ts';

export const PAYMENT_METHODS = ['balance', 'credit_card', 'debit_card'] as const;
export type PaymentMethod = (typeof PAYMENT_METHODS)[number];
export const PAYMENT_STATUSES = ['PENDING', 'COMPLETED', 'FAILED'] as const;
export type PaymentStatus = (typeof PAYMENT_STATUSES)[number];

/** The validated body of `POST /payments`: what the fingerprint is taken over. Absent members stay absent. */
export interface PaymentRequest {
  readonly wallet_id: string;
  readonly service_id: string;
  /** Minor units. */
  readonly amount: number;
  readonly currency: string;
  readonly method: PaymentMethod;
  readonly token?: string;
  readonly customer_id?: string;
  readonly reference?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  /** RFC 3339; the saga compensates rather than completes when it has passed before the pivot. */
  readonly deadline?: string;
}

export interface PaymentFailure {
  readonly code: PaymentFailureCode;
  readonly message: string;
  readonly decline_code?: string;
}

/** A refund as its payment keeps it. */
export interface PaymentRefund {
  readonly amountMinor: number;
  /** `released`: it gives nothing back (any more). */
  readonly state: 'reserved' | 'completed' | 'released';
}

export interface LateAuthorization {
  readonly provider: string | null;
  readonly reference: string | null;
  readonly captured: boolean;
  /** Why undoing it has ended without success: it may be in force, and a person is needed. Absent: it is not so. */
  readonly notUndone?: 'spent' | 'refused';
  /** How the provider has undone it, by its own word. Absent: it has not said so, or has taken it back. */
  readonly undone?: 'voided' | 'refunded';
}

/** What the payment saga knows besides its state: the request, and what was learnt on the way. */
export interface PaymentData {
  readonly paymentId: string;
  readonly scope: Scope;
  readonly idempotencyKey: string;
  readonly request: PaymentRequest;
  /** Sandbox: the caller sent `X-Sandbox-Amount-Codes: on`. */
  readonly amountCodes: boolean;
  /** The provider that the authorization went to, and that holds the money: all that follows is pinned to it. */
  readonly provider: string | null;
  readonly providerReference: string | null;
  /** Providers of this round that provably charged nothing, and why. */
  readonly passedOver: readonly PassedOver[];
  /** How often every provider was passed over. */
  readonly rounds: number;
  /** Authorizations that came to light after the saga had given them up: each is undone by itself. */
  readonly late: readonly LateAuthorization[];
  /** The provider has taken the money, not only set it aside: undoing is a refund, not a void. */
  readonly captured: boolean;
  readonly failure: PaymentFailure | null;
  readonly refundedAmount: number;
  /** By refund id. */
  readonly refunds: Readonly<Record<string, PaymentRefund>>;
  /** Calls that authorize may begin until then; an absence that a look-up sees before, or soon after, proves nothing. */
  readonly authorizeNotAfterMs: number;
  /** When an authorization first became unknown; the late window is counted from here. */
  readonly unknownSinceMs: number | null;
  /** Why the wallet last refused to release the hold: some of its reasons say that there is none. */
  readonly releaseRefusal?: string;
  readonly attentionReason: string | null;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly completedAtMs: number | null;
}

/** The public JSON of a payment (docs/openapi.json). */
export interface PaymentView {
  id: string;
  object: 'payment';
  wallet_id: string;
  service_id: string;
  amount: number;
  currency: string;
  method: PaymentMethod;
  token?: string;
  customer_id?: string;
  reference?: string;
  metadata?: Record<string, string>;
  deadline?: string;
  status: PaymentStatus;
  saga_state: string;
  failure?: PaymentFailure;
  provider?: string;
  provider_reference?: string;
  refunded_amount: number;
  next_check_at?: string;
  created_at: string;
  updated_at: string;
  completed_at?: string;
}

/** A token as it may be shown: enough to recognise it, never enough to use it; at most half of it. */
export function maskToken(token: string): string {
  if (token.length <= 8) return '…';
  return token.length <= 16 ? `…${token.slice(-4)}` : `${token.slice(0, 4)}…${token.slice(-4)}`;
}
