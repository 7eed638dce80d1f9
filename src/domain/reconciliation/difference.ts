/**
 * Pure: what a reconciliation can find, by class, and what of it adds up to money in doubt. A class says what disagrees;
 * `expected` is our side and `found` the other's. Used by the comparison, the report and the documentation.
 */
import { AMOUNT_MINOR_MAX } from '../limits.ts';
import { addMinor } from '../money.ts';

/** What disagrees, and what it means. docs/runbook.md says what to do about each. */
export const DIFFERENCE_CLASSES = {
  missing_at_provider: 'We say COMPLETED; the provider knows nothing of it, or has voided or declined it.',
  missing_here: 'Money is in force at the provider for a payment that we say FAILED.',
  unknown_here: 'Money is in force at the provider for no payment of ours.',
  duplicate_at_provider: 'Money is in force at the provider more than once for one payment.',
  amount_mismatch: 'The provider has charged another amount.',
  currency_mismatch: 'The provider has charged in another currency.',
  status_mismatch: 'The charge is neither in force as we believe, nor gone: pending, not captured, or charged back.',
  refund_missing_at_provider: 'We say that a refund is COMPLETED; the provider knows nothing of it, or it failed.',
  refund_missing_here: 'The provider has given money back for no completed refund of ours.',
  refund_duplicate_at_provider: 'The provider has given one refund back more than once.',
  refund_amount_mismatch: 'The provider has given another amount back.',
  refund_currency_mismatch: 'The provider has given back in another currency.',
  refund_status_mismatch: 'We say that a refund is COMPLETED; at the provider it is still pending.',
  ledger_missing: "The wallet's ledger lacks the debit of a completed payment, or the credit of a completed refund.",
  ledger_extra: "The wallet's ledger has moved money for a payment or refund that says it moved none.",
  ledger_amount_mismatch: "The wallet's ledger has moved another amount.",
  open_hold: 'The wallet still holds funds for a payment that has ended.',
} as const;
export type DifferenceClass = keyof typeof DIFFERENCE_CLASSES;

export interface Side {
  /** A status, a provider's state, `nothing`, or a type of ledger entry. */
  readonly state: string;
  readonly amountMinor: number | null;
  readonly currency: string | null;
}

export interface Difference {
  readonly class: DifferenceClass;
  readonly paymentId: string | null;
  /** What of the payment: a refund's id, a provider's reference, or a side of the ledger. Unique with class and payment. */
  readonly subject: string;
  readonly merchant: string | null;
  readonly provider: string | null;
  readonly expected: Side;
  readonly found: Side;
  /** How much money may be where it should not be, or not where it should be; in `currency`. */
  readonly inDoubtMinor: number;
  readonly currency: string;
  /** False where a second look could not be taken: the provider did not answer. */
  readonly confirmed: boolean;
}

export interface MoneyInDoubt {
  readonly currency: string;
  readonly differences: number;
  readonly inDoubtMinor: number;
}

/** Sums per currency, in the order of their codes. A sum beyond what an amount can be stays at that limit. */
export function moneyInDoubt(differences: Iterable<Pick<Difference, 'currency' | 'inDoubtMinor'>>): MoneyInDoubt[] {
  const sums = new Map<string, MoneyInDoubt>();
  for (const { currency, inDoubtMinor } of differences) {
    const before = sums.get(currency) ?? { currency, differences: 0, inDoubtMinor: 0 };
    sums.set(currency, {
      currency,
      differences: before.differences + 1,
      inDoubtMinor: addMinor(before.inDoubtMinor, inDoubtMinor) ?? AMOUNT_MINOR_MAX,
    });
  }
  return [...sums.values()].sort((left, right) => (left.currency < right.currency ? -1 : 1));
}

/** How many there are of each class, classes without any left out, in the order of the table. */
export function countByClass(
  differences: Iterable<Pick<Difference, 'class'>>,
): Partial<Record<DifferenceClass, number>> {
  const counts: Partial<Record<DifferenceClass, number>> = {};
  for (const name of Object.keys(DIFFERENCE_CLASSES) as DifferenceClass[]) counts[name] = 0;
  for (const { class: name } of differences) counts[name] = (counts[name] ?? 0) + 1;
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}
