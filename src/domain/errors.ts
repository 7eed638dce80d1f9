/**
 * Pure: what can go wrong, once. `API_ERRORS` is the list of codes a client can meet, with the class, the HTTP status
 * and the title of each; `docs/errors.md` is made from it. A refusal is a value; only a broken invariant is thrown.
 */

/** The six failure classes (docs/architecture.md): each has one meaning and one treatment. */
export type ErrorClass = 'refusal' | 'unknown_outcome' | 'transient' | 'overloaded' | 'poison' | 'bug';

interface ApiErrorRow {
  readonly class: ErrorClass;
  readonly status: number;
  readonly title: string;
  /** May the same request, with the same key, be sent again? After a bug too: it may have been carried out, and then its result is answered. */
  readonly retryable: boolean;
}

/** Every `code` of a problem+json answer. Stable: a code is never renamed or reused. */
export const API_ERRORS = {
  idempotency_key_missing: row('poison', 400, 'The Idempotency-Key header is missing'),
  idempotency_key_invalid: row('poison', 400, 'The Idempotency-Key header is not valid'),
  invalid_json: row('poison', 400, 'The body is not valid JSON'),
  validation_failed: row('poison', 400, 'The request is not valid'),
  pan_in_request: row('poison', 400, 'The request contains a card number'),
  callback_malformed: row('poison', 400, 'The callback is genuine and cannot be read'),
  invalid_cursor: row('poison', 400, 'The cursor is not valid'),
  callback_signature_invalid: row('refusal', 401, 'The callback is not signed by its provider'),
  unauthenticated: row('refusal', 401, 'Authentication is required'),
  forbidden: row('refusal', 403, 'The API key may not do this'),
  not_found: row('refusal', 404, 'There is no such resource'),
  idempotency_key_not_found: row('refusal', 404, 'The idempotency key has not been used'),
  method_not_allowed: row('refusal', 405, 'The resource does not take this method'),
  idempotency_key_expired: row('refusal', 409, 'The idempotency key was used and its record has expired'),
  wallet_currency_conflict: row('refusal', 409, 'The wallet exists in another currency'),
  payment_not_refundable: row('refusal', 409, 'The payment is not completed'),
  webhook_endpoint_disabled: row('refusal', 409, 'The webhook endpoint is disabled'),
  dead_letter_not_redrivable: row('refusal', 409, 'Nobody can send again what the dead letter carried'),
  dead_letter_resolved: row('refusal', 409, 'The dead letter has been resolved otherwise'),
  api_key_not_active: row('refusal', 409, 'The API key is revoked or has expired'),
  api_keys_not_configured: row('refusal', 409, 'No API key can be made: this instance has no API_KEY_SECRET'),
  saga_not_in_attention: row('refusal', 409, 'The saga needs nobody'),
  saga_move_not_possible: row('refusal', 409, 'The saga does not take this as it stands'),
  record_archived: row('refusal', 410, 'The record was archived'),
  payload_too_large: row('refusal', 413, 'The body is too large'),
  unsupported_media_type: row('refusal', 415, 'The body must be application/json'),
  idempotency_key_reused: row('refusal', 422, 'The idempotency key was used with another body'),
  refund_amount_exceeds_refundable: row('refusal', 422, 'The amount is more than is left to refund'),
  wallet_frozen: row('refusal', 422, 'The wallet is frozen'),
  currency_mismatch: row('refusal', 422, 'The wallet is in another currency'),
  balance_limit_exceeded: row('refusal', 422, 'The wallet would hold more than the limit'),
  wallet_full: row('refusal', 422, 'The wallet has no room for new entries'),
  refunds_limit_exceeded: row('refusal', 422, 'The payment has as many refunds as it may'),
  webhook_endpoints_limit_exceeded: row('refusal', 422, 'There are as many webhook endpoints as there may be'),
  api_keys_limit_exceeded: row('refusal', 422, 'There are as many active API keys as there may be'),
  rate_limited: row('overloaded', 429, 'Too many requests', true),
  internal_error: row('bug', 500, 'Something went wrong on our side', true),
  overloaded: row('overloaded', 503, 'The service is overloaded', true),
  temporarily_unavailable: row('transient', 503, 'The service is temporarily unavailable', true),
  callback_unmatched: row('transient', 503, 'The callback is kept; no payment of ours matches it yet', true),
  misconfigured: row('bug', 503, 'The service is not configured'),
} as const satisfies Record<string, ApiErrorRow>;

export type ApiErrorCode = keyof typeof API_ERRORS;

function row(errorClass: ErrorClass, status: number, title: string, retryable = false): ApiErrorRow {
  return { class: errorClass, status, title, retryable };
}

/** Why a wallet refused a command: stored with the effect, and in order of precedence in `ledger/decide.ts`. */
export type WalletRefusal =
  | 'effect_id_conflict'
  | 'wallet_not_found'
  | 'wallet_frozen'
  | 'currency_mismatch'
  | 'hold_exists'
  | 'hold_not_found'
  | 'hold_resolved'
  | 'amount_exceeds_hold'
  | 'deadline_exceeded'
  | 'insufficient_funds'
  | 'balance_limit_exceeded'
  | 'holds_limit_exceeded'
  | 'wallet_full'
  | 'simulated_refusal';

/** `failure.code` of a payment that FAILED (docs/errors.md). */
export type PaymentFailureCode =
  | 'insufficient_funds'
  | 'wallet_not_found'
  | 'wallet_frozen'
  | 'currency_mismatch'
  | 'gateway_declined'
  | 'gateway_unavailable'
  | 'holds_limit_exceeded'
  | 'wallet_full'
  | 'debit_failed'
  | 'deadline_exceeded';

/** What a failed payment says to a person, by code. */
export const PAYMENT_FAILURE_MESSAGES: Readonly<Record<PaymentFailureCode, string>> = {
  insufficient_funds: 'The wallet does not have the funds.',
  wallet_not_found: 'There is no such wallet.',
  wallet_frozen: 'The wallet is frozen.',
  currency_mismatch: 'The wallet is in another currency than the payment.',
  gateway_declined: 'The payment gateway declined the payment.',
  gateway_unavailable: 'No payment gateway could be reached; nothing was charged.',
  holds_limit_exceeded: 'The wallet has too many payments in progress.',
  wallet_full: 'The wallet has no room for new payments.',
  debit_failed: 'The wallet refused the debit; what the gateway had authorized was undone.',
  deadline_exceeded: 'The deadline passed before the payment could complete; everything was undone.',
};

/**
 * The `failure.code` that a refused hold gives its payment. A refusal that a hold of ours cannot rightly meet
 * (another content under its effect id, a hold that exists under another) is a bug of ours, not the client's failure.
 * @throws InvariantError for those.
 */
export function failureOfRefusedHold(refusal: WalletRefusal): PaymentFailureCode {
  switch (refusal) {
    case 'wallet_not_found':
    case 'wallet_frozen':
    case 'currency_mismatch':
    case 'insufficient_funds':
    case 'holds_limit_exceeded':
    case 'wallet_full':
      return refusal;
    case 'balance_limit_exceeded':
    case 'simulated_refusal':
    case 'effect_id_conflict':
    case 'hold_exists':
    case 'hold_not_found':
    case 'hold_resolved':
    case 'amount_exceeds_hold':
    case 'deadline_exceeded':
      throw new InvariantError('hold_refusal_expected', { refusal });
  }
}

/**
 * A bug: something that the rules of the system exclude has happened. Thrown, logged, alerted; never caught to go on.
 * `facts` are safe to log: ids, states and codes, never bodies or secrets.
 */
export class InvariantError extends Error {
  readonly invariant: string;
  readonly facts: Readonly<Record<string, string | number | boolean | null>>;

  constructor(invariant: string, facts: Readonly<Record<string, string | number | boolean | null>> = {}) {
    super(`invariant broken: ${invariant} ${JSON.stringify(facts)}`);
    this.name = 'InvariantError';
    this.invariant = invariant;
    this.facts = facts;
  }
}

/** What D1's client writes before what the database said; before what a call met on its way there it writes nothing. */
const D1_PREFIX = 'D1_ERROR: ';
const D1_OVERLOADED = 'D1 DB is overloaded';
/**
 * How D1 says that it is away, or full; a reference may follow, so the ends are left open. Not among them: a limit of memory or CPU
 * that was exceeded, for which less at a time is the cure (https://developers.cloudflare.com/d1/observability/debug-d1/#error-list).
 */
const D1_AWAY = [
  D1_OVERLOADED,
  'D1 DB storage operation exceeded timeout which caused object to be reset',
  'D1 DB reset because its code was updated',
  'Network connection lost',
  'Internal error while starting up D1 DB storage caused object to be reset',
  'Internal error in D1 DB storage caused object to be reset',
  'Cannot resolve D1 DB due to transient issue on remote node',
  'Exceeded maximum DB size',
];

/**
 * Whether the platform says of a thrown value that its object, or D1, has more to do than it can take: never ask again at once.
 * An object says it by a flag, D1 by words: its client throws plain errors.
 * Source: https://developers.cloudflare.com/durable-objects/best-practices/error-handling/
 */
export function isOverloaded(error: unknown): boolean {
  return hasFlag(error, 'overloaded') || saysD1(error, [D1_OVERLOADED]);
}

/** Whether the runtime says that the same call may succeed on a fresh stub (source: as above). D1's errors never bear the flag. */
export function isRetryable(error: unknown): boolean {
  return hasFlag(error, 'retryable');
}

/**
 * Whether the platform says of a thrown value that all of its object or of D1 is away, overloaded or full. Nothing is said of any
 * one message then: to ask again with fewer is to ask more often who cannot take them.
 */
export function isAway(error: unknown): boolean {
  return isOverloaded(error) || isRetryable(error) || saysD1(error, D1_AWAY);
}

function hasFlag(error: unknown, flag: 'overloaded' | 'retryable'): boolean {
  return error instanceof Error && Reflect.get(error, flag) === true;
}

function saysD1(error: unknown, beginnings: readonly string[]): boolean {
  if (!(error instanceof Error)) return false;
  const { message } = error;
  const said = message.startsWith(D1_PREFIX) ? message.slice(D1_PREFIX.length) : message;
  return beginnings.some((beginning) => said.startsWith(beginning));
}
