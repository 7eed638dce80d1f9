/**
 * Pure: what an exchange with Mercado Pago means: the outcome mapping of the adapter. `rejected` comes inside HTTP 201, and a
 * 400 can be a request that is still under way: only its numbered causes say which
 * (https://www.mercadopago.com/developers/en/reference/payments/_payments/post).
 * test/gateway/mercado-pago-mapping.test.ts goes through it row by row. Rows, in order, of every operation:
 *
 *   not connected                        → not_sent
 *   timeout, connection cut              → unknown
 *   401, 403                             → misconfigured
 *   429                                  → throttled
 *   5xx, Cloudflare's edge's too         → unknown (decision 0090)
 *   no JSON object                       → unknown
 *   2xx                                  → by the object's status
 *   404 with cause 2000                  → absent
 *   4xx with a cause of ours             → misconfigured
 *   4xx with a cause of the request      → refused
 *   4xx with any other cause, or none    → unknown: among them 2001, "already posted in the last minute"
 *   409, and anything else               → unknown
 */
import { type Exchange, noAnswer } from '../exchange.ts';
import type { AuthorizeAnswer, LookupAnswer, NoAnswer, ProviderAnswer } from '../provider.ts';
import { safeCode } from './codes.ts';
import {
  errorSchema,
  isSameAmount,
  type MercadoPagoPayment,
  type MercadoPagoRefund,
  paymentSchema,
} from './mercado-pago-protocol.ts';
import { unknown } from './standing.ts';

/** What a payment must be of to be ours. A refund does not know the payment's amount. */
export interface ExpectedPayment {
  readonly amountMinor?: number;
  readonly currency: string;
}

export type Said =
  | { readonly kind: 'ok'; readonly body: unknown }
  | Extract<ProviderAnswer, { kind: 'refused' | 'absent' }>
  | NoAnswer;

const PAYMENT_NOT_FOUND = 2000;

/** Causes that only we can put right: credentials, the account, a header of ours. */
const MISCONFIGURED_CAUSES: ReadonlySet<number> = new Set([3, 4, 5, 3004, 3007, 3009, 4292]);

/** Causes that are final and moved nothing, in our words: what is wrong with the request, the card or the charge. */
const REFUSED_CAUSES: Readonly<Record<number, string>> = {
  2002: 'invalid_customer',
  2006: 'invalid_token',
  2009: 'invalid_token',
  2024: 'payment_too_old',
  2062: 'invalid_token',
  2063: 'charge_state',
  2067: 'invalid_customer',
  2072: 'invalid_amount',
  // "Deferred capture not supported": a card that can be charged and not reserved (decision 0022).
  2077: 'card_not_supported',
  2131: 'card_not_supported',
  3000: 'invalid_token',
  3001: 'invalid_token',
  3003: 'invalid_token',
  3005: 'charge_state',
  3006: 'invalid_token',
  3008: 'invalid_token',
  3010: 'card_not_supported',
  3011: 'card_not_supported',
  3012: 'incorrect_cvc',
  3013: 'incorrect_cvc',
  3014: 'card_not_supported',
  3015: 'incorrect_number',
  3016: 'incorrect_number',
  3017: 'incorrect_number',
  3018: 'expired_card',
  3019: 'expired_card',
  3020: 'invalid_token',
  3021: 'invalid_token',
  3022: 'invalid_token',
  3023: 'invalid_token',
  3024: 'partial_refund_not_supported',
  3025: 'invalid_token',
  3026: 'invalid_token',
  3027: 'card_not_supported',
  3028: 'card_not_supported',
  3029: 'expired_card',
  3030: 'expired_card',
  3031: 'incorrect_cvc',
  3032: 'incorrect_cvc',
  3033: 'incorrect_number',
  3034: 'incorrect_number',
  4033: 'invalid_amount',
  4037: 'invalid_amount',
  4040: 'invalid_amount',
  4041: 'invalid_amount',
  15016: 'payment_too_old',
};

export function said(result: Exchange): Said {
  const none = noAnswer(result);
  if (none !== null || result.kind !== 'answered') return none ?? unknown('no_answer');
  const { status, body } = result;
  if (status >= 200 && status < 300) return { kind: 'ok', body };
  if (status !== 400 && status !== 404 && status !== 422) return unknown(`http_${status}`);
  const codes = errorSchema.safeParse(body).data?.cause.map(({ code }) => code) ?? [];
  if (status === 404) return codes.includes(PAYMENT_NOT_FOUND) ? { kind: 'absent' } : unknown('http_404');
  const misconfigured = codes.find((code) => MISCONFIGURED_CAUSES.has(code));
  if (misconfigured !== undefined) return { kind: 'misconfigured', reason: `cause_${misconfigured}` };
  const [code] = codes;
  const refused = code === undefined || codes.length > 1 ? undefined : REFUSED_CAUSES[code];
  return refused === undefined
    ? unknown(code === undefined ? `http_${status}` : causeOf(code))
    : { kind: 'refused', code: refused };
}

function causeOf(code: number): string {
  return safeCode(`cause_${code}`, 'cause_unknown');
}

/** `status_detail` of a rejected payment (https://www.mercadopago.com/developers/en/docs/checkout-api/response-handling/collection-results). */
const DECLINE_CODES: Readonly<Record<string, string>> = {
  cc_rejected_3ds_challenge: 'authentication_required',
  cc_rejected_3ds_mandatory: 'authentication_required',
  cc_rejected_bad_filled_card_number: 'incorrect_number',
  cc_rejected_bad_filled_date: 'expired_card',
  cc_rejected_bad_filled_other: 'invalid_token',
  cc_rejected_bad_filled_security_code: 'incorrect_cvc',
  cc_rejected_blacklist: 'fraudulent',
  cc_rejected_call_for_authorize: 'call_issuer',
  cc_rejected_card_disabled: 'card_not_supported',
  cc_rejected_card_error: 'processing_error',
  cc_rejected_card_type_not_allowed: 'card_not_supported',
  cc_rejected_duplicated_payment: 'duplicate_transaction',
  cc_rejected_fraud: 'fraudulent',
  cc_rejected_high_risk: 'fraudulent',
  cc_rejected_insufficient_amount: 'insufficient_funds',
  cc_rejected_invalid_installments: 'invalid_amount',
  cc_rejected_max_attempts: 'limit_exceeded',
  cc_rejected_other_reason: 'generic_decline',
  cc_amount_rate_limit_exceeded: 'limit_exceeded',
  rejected_high_risk: 'fraudulent',
  rejected_insufficient_data: 'invalid_token',
};

/** The decline code in our words; one that we do not know is a decline all the same. */
export function declineCodeOf(statusDetail: string | null | undefined): string {
  return DECLINE_CODES[statusDetail ?? ''] ?? 'generic_decline';
}

/** The answer to an authorization. */
export function authorizeAnswer(heard: Said, expected: ExpectedPayment): AuthorizeAnswer {
  if (heard.kind === 'absent') return unknown('http_404');
  if (heard.kind !== 'ok') return heard;
  return asAuthorization(paymentStanding(heard.body, expected));
}

/** Just created and already undone: not by us, and not for the saga to read as a no. */
export function asAuthorization(standing: LookupAnswer | null): AuthorizeAnswer {
  switch (standing?.kind) {
    case undefined:
    case 'voided':
    case 'refunded':
    case 'absent':
      return unknown('answer_unexpected');
    default:
      return standing as AuthorizeAnswer;
  }
}

/** How a payment stands; null where `body` is none, or none in a state that ours can be in. */
export function paymentStanding(body: unknown, expected: ExpectedPayment): LookupAnswer | null {
  const payment = paymentOf(body);
  if (payment === null) return null;
  return isExpected(payment, expected) ? standingOf(payment) : unknown('answer_mismatch');
}

export function isExpected(payment: MercadoPagoPayment, { amountMinor, currency }: ExpectedPayment): boolean {
  if (payment.currency_id !== currency) return false;
  return amountMinor === undefined || isSameAmount(payment.transaction_amount, amountMinor, currency);
}

export function standingOf({ id: reference, status, status_detail: detail }: MercadoPagoPayment): LookupAnswer | null {
  switch (status) {
    case 'authorized':
      return { kind: 'approved', reference, captured: false };
    case 'approved':
    case 'in_mediation':
      return { kind: 'approved', reference, captured: true };
    case 'pending':
    case 'in_process':
      return { kind: 'pending', reference };
    case 'rejected':
      return { kind: 'declined', declineCode: declineCodeOf(detail), reference };
    case 'cancelled':
      return { kind: 'voided', reference };
    case 'refunded':
      return { kind: 'refunded', reference };
    case 'charged_back':
      return null;
  }
}

export type RefundStanding = Extract<ProviderAnswer, { kind: 'refunded' | 'pending' | 'refused' }>;

export function refundStanding({ id: reference, status }: MercadoPagoRefund): RefundStanding {
  switch (status) {
    case 'approved':
      return { kind: 'refunded', reference };
    case 'in_process':
      return { kind: 'pending', reference };
    case 'rejected':
    case 'cancelled':
      return { kind: 'refused', code: `refund_${status}`, reference };
  }
}

export function paymentOf(body: unknown): MercadoPagoPayment | null {
  return paymentSchema.safeParse(body).data ?? null;
}
