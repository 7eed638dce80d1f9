/**
 * Pure: which token, or which amount, makes a sandbox provider behave how. The table of docs/sandbox.md as data; the desk
 * (`desk.ts`) acts on it and knows no token. A token that stands nowhere here is declined, as a real provider would.
 */
import { SANDBOX_PROVIDERS } from '../../src/gateway/providers/sandbox-protocol.ts';
import { drawBehaviour } from './seeded.ts';

export interface Behaviour {
  /** What the books say once the call is taken. */
  readonly verdict: 'approve' | 'decline' | 'pending';
  readonly declineCode?: string;
  /** Turned away before anything is booked: for the first `calls` calls, or for `forMs` after the first. */
  readonly turnAway?: { readonly as: 'unavailable' | 'rate_limited'; readonly calls?: number; readonly forMs?: number };
  /** The call is never received: no trace of it in the books, and no answer. */
  readonly neverReceived?: boolean;
  /** Booked, and then the answer does not arrive. */
  readonly answerLost?: 'timeout' | 'http_500';
  /** Booked, and then the answer waits. */
  readonly delayMs?: number;
  /** What a pending charge turns into, when time (`SETTLE_AFTER_MS`) or look-ups (`pollsPending`) have passed. */
  readonly settlesTo?: 'authorized' | 'declined';
  readonly pollsPending?: number;
  readonly callback?: 'once' | 'duplicate' | 'out_of_order' | 'before_response' | 'bad_signature';
  /** How many look-ups fail before one is answered. */
  readonly pollsFailing?: number;
  readonly voidsFailing?: number;
  readonly refund?: 'pending' | 'fails' | 'answer_lost' | 'no_callback';
}

export const APPROVE: Behaviour = { verdict: 'approve' };
const decline = (declineCode: string): Behaviour => ({ verdict: 'decline', declineCode });

/** The longest that `pm_sim_slow_MS` waits: beyond it every caller has given up. */
const SLOW_MS_MAX = 10_000;
const ALWAYS = Number.POSITIVE_INFINITY;
const RATE_LIMITED_FOR_MS = 2_000;

/** Decline codes by Stripe's names (https://docs.stripe.com/declines/codes). */
export const DECLINE_TOKENS: Readonly<Record<string, string>> = {
  pm_card_visa_chargeDeclined: 'generic_decline',
  pm_card_visa_chargeDeclinedInsufficientFunds: 'insufficient_funds',
  pm_card_visa_chargeDeclinedLostCard: 'lost_card',
  pm_card_visa_chargeDeclinedStolenCard: 'stolen_card',
  pm_card_chargeDeclinedExpiredCard: 'expired_card',
  pm_card_chargeDeclinedIncorrectCvc: 'incorrect_cvc',
  pm_card_chargeDeclinedProcessingError: 'processing_error',
  pm_card_fraudulent: 'fraudulent',
};

export const TOKENS: Readonly<Record<string, Behaviour>> = {
  pm_card_visa: APPROVE,
  pm_card_mastercard: APPROVE,
  ...Object.fromEntries(Object.entries(DECLINE_TOKENS).map(([token, code]) => [token, decline(code)])),
  pm_sim_pending: { verdict: 'pending', settlesTo: 'authorized', callback: 'once' },
  pm_sim_pending_decline: { verdict: 'pending', settlesTo: 'declined', callback: 'once' },
  pm_sim_callback_never: { verdict: 'pending', settlesTo: 'authorized' },
  pm_sim_callback_duplicate: { verdict: 'pending', settlesTo: 'authorized', callback: 'duplicate' },
  pm_sim_callback_out_of_order: { verdict: 'pending', settlesTo: 'authorized', callback: 'out_of_order' },
  pm_sim_callback_before_response: { verdict: 'approve', callback: 'before_response', delayMs: 1_000 },
  pm_sim_callback_bad_signature: { verdict: 'pending', settlesTo: 'authorized', callback: 'bad_signature' },
  pm_sim_timeout_before: { verdict: 'approve', neverReceived: true },
  pm_sim_timeout_after_success: { verdict: 'approve', answerLost: 'timeout' },
  pm_sim_5xx_after_success: { verdict: 'approve', answerLost: 'http_500' },
  pm_sim_stale_status: { verdict: 'pending', settlesTo: 'authorized', pollsPending: 3 },
  pm_sim_lost: { verdict: 'approve', answerLost: 'timeout', pollsFailing: ALWAYS },
  pm_sim_unavailable: { verdict: 'approve', turnAway: { as: 'unavailable', calls: ALWAYS } },
  pm_sim_rate_limited: { verdict: 'approve', turnAway: { as: 'rate_limited', forMs: RATE_LIMITED_FOR_MS } },
  pm_sim_debit_fail: APPROVE,
  pm_card_pendingRefund: { verdict: 'approve', refund: 'pending' },
  pm_card_refundFail: { verdict: 'approve', refund: 'fails' },
  pm_sim_refund_timeout: { verdict: 'approve', refund: 'answer_lost' },
  pm_sim_refund_no_callback: { verdict: 'approve', refund: 'no_callback' },
};

/** Tokens that differ by provider: the first provider's behaviour; every other provider approves. */
const PRIMARY_TOKENS: Readonly<Record<string, Behaviour>> = {
  pm_sim_primary_down: { verdict: 'approve', turnAway: { as: 'unavailable', calls: ALWAYS } },
  // Charged, and the first look-up fails too: a failover in the meantime would charge twice, and the books show it.
  pm_sim_primary_ambiguous: { verdict: 'approve', answerLost: 'timeout', pollsFailing: 1 },
};

const NUMBERED: Readonly<Record<string, (n: number) => Behaviour>> = {
  pm_sim_flaky: (n) => ({ verdict: 'approve', turnAway: { as: 'unavailable', calls: n } }),
  pm_sim_slow: (n) => ({ verdict: 'approve', delayMs: Math.min(n, SLOW_MS_MAX) }),
  pm_sim_void_fail: (n) => ({ verdict: 'approve', voidsFailing: n }),
  pm_sim_seed: (n) => drawBehaviour(n, TOKENS),
};

/** ISO 8583 answer codes (field 39) by the last two digits of an amount in minor units. */
export const AMOUNT_CODES: Readonly<Record<string, string>> = {
  '05': 'do_not_honor',
  '51': 'insufficient_funds',
  '54': 'expired_card',
  '61': 'limit_exceeded',
  '91': 'issuer_not_available',
};

/** How provider `provider` behaves towards a charge. `amountMinor` counts only without a token, and when asked for. */
export function behaviourOf(
  provider: string,
  charge: { readonly token: string | null; readonly amountMinor: number; readonly amountCodes: boolean },
): Behaviour {
  const { token } = charge;
  if (token === null) {
    const code = charge.amountCodes ? AMOUNT_CODES[String(charge.amountMinor).slice(-2)] : undefined;
    return code === undefined ? APPROVE : decline(code);
  }
  if (Object.hasOwn(TOKENS, token)) return TOKENS[token] ?? APPROVE;
  if (Object.hasOwn(PRIMARY_TOKENS, token)) {
    return (provider === SANDBOX_PROVIDERS[0] ? PRIMARY_TOKENS[token] : undefined) ?? APPROVE;
  }
  const [, stem = '', digits = ''] = /^(pm_sim_[a-z_]+)_(\d{1,9})$/.exec(token) ?? [];
  return Object.hasOwn(NUMBERED, stem) ? (NUMBERED[stem]?.(Number(digits)) ?? APPROVE) : decline('invalid_token');
}
