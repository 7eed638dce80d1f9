/**
 * Pure: what an exchange with Stripe means: the outcome mapping of the adapter. A status by itself means nothing: Stripe's
 * error type and code do (https://docs.stripe.com/error-low-level, https://docs.stripe.com/error-codes).
 * test/gateway/stripe-mapping.test.ts goes through it row by row. Rows, in order, of every operation:
 *
 *   not connected                              → not_sent
 *   timeout, connection cut                    → unknown
 *   401, 403                                   → misconfigured
 *   429 `lock_timeout`                         → unknown: it was refused somewhere inside an operation
 *   429                                        → throttled: Stripe's limiters stand before the operation
 *   5xx, whatever `Stripe-Should-Retry` says   → unknown: that header speaks of trying again, not of what was done
 *   5xx of Cloudflare's edge: 521, 530, …      → unknown: it speaks of its last try alone (decision 0090)
 *   no JSON object                             → unknown
 *   400 `idempotency_error`                    → unknown: another body stands under our key
 *   409                                        → unknown: the first call with this key is still running
 *   2xx                                        → by the object's status
 *   4xx `card_error`                           → declined; of anything but an authorization, refused
 *   4xx `invalid_request_error`                → misconfigured by code, else refused
 *   anything else                              → unknown
 */
import { type Exchange, noAnswer } from '../exchange.ts';
import type { AuthorizeAnswer, LookupAnswer, NoAnswer, ProviderAnswer } from '../provider.ts';
import { safeCode } from './codes.ts';
import { unknown } from './standing.ts';
import {
  type PaymentIntent,
  paymentIntentSchema,
  refundSchema,
  type StripeError,
  type StripeRefund,
  stripeErrorSchema,
} from './stripe-protocol.ts';

/** What a PaymentIntent must be of to be our payment's, in Stripe's terms. A refund does not know the payment's amount. */
export interface Expected {
  readonly amount?: number;
  readonly currency: string;
}

/** What Stripe said in its own words, where `noAnswer` has nothing to say. */
export type Said =
  | { readonly kind: 'ok'; readonly body: unknown }
  | { readonly kind: 'error'; readonly status: number; readonly error: StripeError }
  | NoAnswer;

export function said(result: Exchange): Said {
  const error = result.kind === 'answered' ? stripeErrorSchema.safeParse(result.body).data?.error : undefined;
  if (result.kind === 'answered' && result.status === 429 && error?.code === 'lock_timeout')
    return unknown('lock_timeout');
  const none = noAnswer(result);
  if (none !== null || result.kind !== 'answered') return none ?? unknown('no_answer');
  const { status, body } = result;
  if (status >= 200 && status < 300) return { kind: 'ok', body };
  if (error === undefined) return unknown(`http_${status}`);
  if (error.type === 'idempotency_error') {
    return unknown(status === 409 ? 'idempotency_key_in_use' : 'idempotency_key_reused');
  }
  if (status === 409) return unknown(safeCode(error.code, 'http_409'));
  return { kind: 'error', status, error };
}

/** An answer that stood under the key before: the request that came to it, of the same body, has ended. */
export function isReplayed(result: Exchange): boolean {
  return result.kind === 'answered' && result.headers.get('idempotent-replayed') === 'true';
}

/** Codes of `invalid_request_error` that nobody but us can put right (https://docs.stripe.com/error-codes). */
const MISCONFIGURED_CODES: ReadonlySet<string> = new Set([
  'account_closed',
  'account_country_invalid_address',
  'account_error_country_change_requires_additional_steps',
  'account_invalid',
  'account_number_invalid',
  'api_key_expired',
  'livemode_mismatch',
  'not_allowed_on_standard_account',
  'parameter_invalid_empty',
  'parameter_invalid_integer',
  'parameter_missing',
  'parameter_unknown',
  'parameters_exclusive',
  'payment_method_unactivated',
  'platform_account_required',
  'platform_api_key_expired',
  'secret_key_required',
  'testmode_charges_only',
  'tls_version_unsupported',
  'url_invalid',
]);

/** Stripe's codes are the names that we use; these are its other words for the same. */
const DECLINE_ALIASES: Readonly<Record<string, string>> = {
  card_declined: 'generic_decline',
  invalid_cvc: 'incorrect_cvc',
  invalid_expiry_month: 'expired_card',
  invalid_expiry_year: 'expired_card',
  invalid_number: 'incorrect_number',
  resource_missing: 'invalid_token',
  payment_intent_authentication_failure: 'authentication_required',
  card_velocity_exceeded: 'limit_exceeded',
  withdrawal_count_limit_exceeded: 'limit_exceeded',
};

/** The decline code in our words: the issuer's reason where there is one, else Stripe's own. */
export function declineCodeOf(error: { code?: string | undefined; decline_code?: string | undefined }): string {
  const code = safeCode(error.decline_code ?? error.code, 'generic_decline');
  return DECLINE_ALIASES[code] ?? code;
}

/** The answer to an authorization. */
export function authorizeAnswer(result: Exchange, expected: Expected): AuthorizeAnswer {
  const heard = said(result);
  if (heard.kind === 'ok') return asAuthorization(intentOf(heard.body), expected);
  if (heard.kind !== 'error') return heard;
  const { status, error } = heard;
  if (error.type === 'card_error') {
    const reference = error.payment_intent?.id;
    return { kind: 'declined', declineCode: declineCodeOf(error), ...(reference !== undefined && { reference }) };
  }
  return refusal(error) ?? unknown(safeCode(error.code, `http_${status}`));
}

function asAuthorization(intent: PaymentIntent | null, expected: Expected): AuthorizeAnswer {
  const standing = intent === null ? null : intentStanding(intent, expected);
  // Just created and already undone: not by us, and not for the saga to read as a no.
  if (standing === null || standing.kind === 'voided' || standing.kind === 'refunded')
    return unknown('answer_unexpected');
  return standing as AuthorizeAnswer;
}

/** An error that is final and charged nothing; null where it is neither. */
export function refusal(error: StripeError): Extract<ProviderAnswer, { kind: 'refused' | 'misconfigured' }> | null {
  if (error.type === 'card_error') return { kind: 'refused', code: declineCodeOf(error) };
  if (error.type !== 'invalid_request_error') return null;
  const code = safeCode(error.code, 'invalid_request');
  if (MISCONFIGURED_CODES.has(code)) return { kind: 'misconfigured', reason: code };
  return { kind: 'refused', code: DECLINE_ALIASES[code] ?? code };
}

/** How a PaymentIntent stands; null where its state is none that ours can be in. */
export function intentStanding(intent: PaymentIntent, expected: Expected): LookupAnswer | null {
  const isOurs = intent.amount === (expected.amount ?? intent.amount) && intent.currency === expected.currency;
  if (!isOurs) return unknown('answer_mismatch');
  const { id: reference, last_payment_error: failure } = intent;
  switch (intent.status) {
    case 'requires_capture':
      return { kind: 'approved', reference, captured: false };
    case 'succeeded':
      return refundedWhole(intent) ? { kind: 'refunded', reference } : { kind: 'approved', reference, captured: true };
    case 'canceled':
      return { kind: 'voided', reference };
    case 'processing':
    case 'requires_action':
    case 'requires_confirmation':
      return { kind: 'pending', reference };
    case 'requires_payment_method':
      return failure == null ? null : { kind: 'declined', declineCode: declineCodeOf(failure), reference };
  }
}

function refundedWhole({ latest_charge: charge, amount }: PaymentIntent): boolean {
  return typeof charge === 'object' && charge !== null && charge.amount_refunded >= amount;
}

export type RefundStanding = Extract<ProviderAnswer, { kind: 'refunded' | 'pending' | 'refused' | 'unknown' }>;

export function refundStanding({ id: reference, status }: StripeRefund): RefundStanding {
  switch (status) {
    case 'succeeded':
      return { kind: 'refunded', reference };
    case 'pending':
    case 'requires_action':
      return { kind: 'pending', reference };
    case 'failed':
      return { kind: 'refused', code: 'refund_failed', reference };
    case 'canceled':
      return { kind: 'refused', code: 'refund_canceled', reference };
    case null:
      return unknown('refund_status_missing');
  }
}

export function intentOf(body: unknown): PaymentIntent | null {
  return paymentIntentSchema.safeParse(body).data ?? null;
}

export function refundOf(body: unknown): StripeRefund | null {
  return refundSchema.safeParse(body).data ?? null;
}
