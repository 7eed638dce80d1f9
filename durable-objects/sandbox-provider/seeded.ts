/**
 * Pure: `pm_sim_seed_N`: one behaviour drawn from a generator seeded with N, so that N alone tells a payment's whole story,
 * and a load that draws its Ns from one seed is one number too.
 */
import { seededRandom } from '../../src/domain/seeded-random.ts';
import type { Behaviour } from './behaviours.ts';

/** How often each story is drawn, in parts; `pm_sim_lost` is left out, so that every seed ends within a minute. */
const WEIGHTS: readonly (readonly [parts: number, token: string])[] = [
  [40, 'pm_card_visa'],
  [5, 'pm_card_visa_chargeDeclined'],
  [5, 'pm_card_visa_chargeDeclinedInsufficientFunds'],
  [8, 'pm_sim_pending'],
  [4, 'pm_sim_pending_decline'],
  [4, 'pm_sim_callback_never'],
  [4, 'pm_sim_callback_duplicate'],
  [4, 'pm_sim_callback_out_of_order'],
  [4, 'pm_sim_callback_before_response'],
  [4, 'pm_sim_callback_bad_signature'],
  [3, 'pm_sim_timeout_before'],
  [3, 'pm_sim_timeout_after_success'],
  [4, 'pm_sim_5xx_after_success'],
  [4, 'pm_sim_stale_status'],
  [4, 'pm_sim_rate_limited'],
];
const REFUNDS: readonly (NonNullable<Behaviour['refund']> | 'now')[] = [
  'now',
  'now',
  'pending',
  'fails',
  'answer_lost',
  'no_callback',
];

export function drawBehaviour(seed: number, tokens: Readonly<Record<string, Behaviour>>): Behaviour {
  const random = seededRandom(seed);
  const token = pick(WEIGHTS, random());
  const refund = REFUNDS[Math.floor(random() * REFUNDS.length)] ?? 'now';
  const base: Behaviour = tokens[token] ?? { verdict: 'approve' };
  return {
    ...base,
    delayMs: (base.delayMs ?? 0) + Math.floor(random() * 200),
    voidsFailing: random() < 0.2 ? 1 : 0,
    ...(refund !== 'now' && { refund }),
  };
}

/** The token at `point` (0 to 1) of the line that the weights make. */
function pick(weights: typeof WEIGHTS, point: number): string {
  let left = point * weights.reduce((sum, [parts]) => sum + parts, 0);
  for (const [parts, token] of weights) {
    left -= parts;
    if (left < 0) return token;
  }
  return 'pm_card_visa';
}
