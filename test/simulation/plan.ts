/**
 * Pure: what a world is made of, drawn from its seed: wallets, payments with the provider's story of each (by the sandbox's
 * own tokens), and refunds. Rare stories are drawn more often than life would, since a fault can only be tried at a step
 * that is reached (P2). What goes wrong on the way is not drawn here but at each step (`faults.ts`).
 */
import { MINUTE_MS, SECOND_MS } from '../../src/domain/limits.ts';
import type { PaymentMethod } from '../../src/domain/payment.ts';
import { SAGA_POLICIES, type SagaPolicy } from '../../src/domain/saga/policy.ts';
import type { Dice } from './random.ts';

export const START_MS = Date.UTC(2026, 0, 1);
/** The world's own draws: the plan's. */
const PLAN_POINT = 0;

export interface RefundPlan {
  readonly who: number;
  readonly refundId: string;
  /** Null: all that is left. */
  readonly amountMinor: number | null;
  /** After the payment was posted (`early`) or is completed. */
  readonly afterMs: number;
  readonly early: boolean;
}

export interface PaymentPlan {
  readonly who: number;
  readonly paymentId: string;
  readonly walletId: string;
  readonly amountMinor: number;
  readonly method: PaymentMethod;
  readonly token: string | null;
  readonly postAfterMs: number;
  readonly deadlineAfterMs: number | null;
  /** The provider takes the money with the authorization. */
  readonly capturesAtOnce: boolean;
  /** The first call lands when its absence has been taken for proven; the provider then says so by callback. */
  readonly landsTooLate: boolean;
  readonly refunds: readonly RefundPlan[];
}

/** How long things take in a world, by its policy. */
export interface Times {
  readonly policy: SagaPolicy;
  readonly callTimeoutMs: number;
  /** How far a late call lands after it began: within the grace that the saga allows for. */
  readonly lateMs: number;
  /** After which an authorization lands when nobody counts on it any more. */
  readonly tooLateMs: number;
  /** How far the clock of a saga may go ahead: late landing and skew together stay within the grace (decision 0007). */
  readonly aheadMs: number;
  /** Until when things go wrong, from the start. */
  readonly faultsForMs: number;
}

const TIMES: Readonly<Record<'sandbox' | 'live', Times>> = {
  sandbox: {
    policy: SAGA_POLICIES.sandbox,
    callTimeoutMs: 2 * SECOND_MS,
    lateMs: 3 * SECOND_MS,
    tooLateMs: 75 * SECOND_MS,
    aheadMs: SECOND_MS,
    faultsForMs: 4 * MINUTE_MS,
  },
  live: {
    policy: SAGA_POLICIES.live,
    callTimeoutMs: 30 * SECOND_MS,
    lateMs: 45 * SECOND_MS,
    tooLateMs: 7 * MINUTE_MS,
    aheadMs: 10 * SECOND_MS,
    faultsForMs: 30 * MINUTE_MS,
  },
};

export interface WalletPlan {
  readonly walletId: string;
  /** Null: the first hold opens it, with plenty (sandbox). */
  readonly depositMinor: number | null;
}

export interface Plan {
  readonly mode: 'sandbox' | 'live';
  readonly times: Times;
  readonly wallets: readonly WalletPlan[];
  readonly payments: readonly PaymentPlan[];
  /** A breaker that is open when the world begins. */
  readonly breakerOpen: boolean;
}

interface Story {
  readonly parts: number;
  readonly tokens: readonly (string | null)[];
  readonly method?: 'balance' | 'card';
  readonly deadline?: boolean;
  readonly capturesAtOnce?: boolean;
  readonly landsTooLate?: boolean;
  readonly refunds?: boolean;
  /**
   * Only with live's look-ups, which are a day apart in the end, or only with the sandbox's: what a provider tells to look-ups
   * alone is a fault of its own that does not end with the others.
   */
  readonly mode?: 'sandbox' | 'live';
}

const DECLINES = ['pm_card_visa_chargeDeclined', 'pm_card_fraudulent', 'pm_card_chargeDeclinedExpiredCard'];
const PENDING = [
  'pm_sim_pending',
  'pm_sim_pending_decline',
  'pm_sim_callback_never',
  'pm_sim_callback_duplicate',
  'pm_sim_callback_out_of_order',
  'pm_sim_callback_before_response',
  'pm_sim_callback_bad_signature',
];
const UNHEARD = [
  'pm_sim_timeout_before',
  'pm_sim_timeout_after_success',
  'pm_sim_5xx_after_success',
  'pm_sim_slow_1500',
  'pm_sim_slow_9000',
];
const UNAVAILABLE = ['pm_sim_unavailable', 'pm_sim_rate_limited', 'pm_sim_flaky_2', 'pm_sim_primary_down'];
const REFUNDS = ['pm_card_pendingRefund', 'pm_sim_refund_timeout', 'pm_card_visa', null];

const STORIES: readonly Story[] = [
  { parts: 8, tokens: [null, 'pm_card_visa'], refunds: true },
  { parts: 4, tokens: REFUNDS, method: 'balance', refunds: true },
  { parts: 1, tokens: ['pm_sim_refund_no_callback'], method: 'balance', refunds: true, mode: 'sandbox' },
  { parts: 14, tokens: [null, 'pm_card_mastercard'], method: 'card', refunds: true },
  { parts: 4, tokens: DECLINES },
  { parts: 5, tokens: PENDING },
  { parts: 4, tokens: UNHEARD },
  { parts: 2, tokens: ['pm_sim_stale_status', 'pm_sim_primary_ambiguous'], mode: 'sandbox' },
  { parts: 4, tokens: UNAVAILABLE },
  { parts: 17, tokens: ['pm_sim_debit_fail', 'pm_sim_void_fail_1', 'pm_sim_void_fail_3'], method: 'balance' },
  { parts: 36, tokens: [null], method: 'card', deadline: true, capturesAtOnce: true },
  { parts: 5, tokens: [null, 'pm_sim_pending'], deadline: true },
  { parts: 2, tokens: [null], method: 'card', capturesAtOnce: true, refunds: true },
  { parts: 24, tokens: [null], landsTooLate: true },
  { parts: 5, tokens: [null], method: 'card', capturesAtOnce: true, landsTooLate: true },
  { parts: 24, tokens: ['pm_card_refundFail'], method: 'balance', refunds: true },
  { parts: 2, tokens: ['pm_card_refundFail'], method: 'card', refunds: true },
  { parts: 1, tokens: ['pm_sim_lost'], mode: 'live' },
];

const PARTS = STORIES.reduce((sum, { parts }) => sum + parts, 0);
const PAYMENTS_MAX = 4;
const REFUNDS_MAX = 3;

/** Every draw is the plan's own, so that a saga that is left out changes no other. */
export function planOf(dice: Dice): Plan {
  const draw = (below: number): number => dice.pick(0, PLAN_POINT, below);
  const mode = draw(3) === 0 ? 'live' : 'sandbox';
  const isPoor = draw(5) === 0;
  const wallets: WalletPlan[] = [{ walletId: 'w1', depositMinor: isPoor ? 1_000 + draw(4_000) : null }];
  if (draw(2) === 0) wallets.push({ walletId: 'w2', depositMinor: null });
  const breakerOpen = draw(40) === 0;
  const payments = Array.from({ length: 1 + draw(PAYMENTS_MAX) }, (_, n) => paymentOf(n, mode, wallets, draw));
  return { mode, times: TIMES[mode], wallets, payments, breakerOpen };
}

function paymentOf(
  n: number,
  mode: 'sandbox' | 'live',
  wallets: readonly WalletPlan[],
  draw: (below: number) => number,
): PaymentPlan {
  const drawn = storyAt(draw(PARTS));
  const story = drawn.mode !== undefined && drawn.mode !== mode ? (STORIES[0] ?? drawn) : drawn;
  const isCard = story.method === undefined ? draw(2) === 0 : story.method === 'card';
  const amountMinor = 100 + draw(1_900);
  const who = 1 + n * (1 + REFUNDS_MAX);
  const refundsCount = story.refunds === true ? 1 + draw(REFUNDS_MAX) : 0;
  return {
    who,
    paymentId: `pay_${n + 1}`,
    walletId: wallets[draw(wallets.length)]?.walletId ?? 'w1',
    amountMinor,
    method: isCard ? (draw(2) === 0 ? 'credit_card' : 'debit_card') : 'balance',
    token: story.tokens[draw(story.tokens.length)] ?? null,
    postAfterMs: draw(20_000),
    deadlineAfterMs: story.deadline === true ? 1 + draw(60) : null,
    capturesAtOnce: story.capturesAtOnce === true,
    landsTooLate: story.landsTooLate === true,
    refunds: Array.from({ length: refundsCount }, (_, index) => ({
      who: who + 1 + index,
      refundId: `ref_${n + 1}${'abc'.charAt(index)}`,
      amountMinor: draw(4) === 0 ? null : Math.max(1, Math.floor((amountMinor * (1 + draw(8))) / 10)),
      afterMs: draw(30_000),
      early: draw(20) === 0,
    })),
  };
}

function storyAt(part: number): Story {
  let left = part;
  for (const story of STORIES) {
    left -= story.parts;
    if (left < 0) return story;
  }
  throw new Error('the parts add up');
}
