/**
 * Pure: how a charge stands at its provider, as the answer to a call that may have been refused, or lost: the provider's
 * present word counts more than the refusal. Used by the adapters to real providers.
 */
import {
  type CaptureAnswer,
  type LookupAnswer,
  MATTERS,
  type NoAnswer,
  type ProviderAnswer,
  type VoidAnswer,
} from '../provider.ts';

export function unknown(reason: string): Extract<NoAnswer, { kind: 'unknown' }> {
  return { kind: 'unknown', reason };
}

export function isNoAnswer(answer: ProviderAnswer): answer is NoAnswer {
  return ['unknown', 'not_sent', 'throttled', 'misconfigured'].includes(answer.kind);
}

/** How a charge that was to be captured stands, as the answer to that; null: not captured, and not out of reach. */
export function captureOf(standing: LookupAnswer): CaptureAnswer | null {
  switch (standing.kind) {
    case 'approved':
      return standing.captured ? { kind: 'captured', reference: standing.reference } : null;
    case 'pending':
      return standing;
    case 'voided':
    case 'refunded':
      return { kind: 'refused', code: `charge_${standing.kind}`, reference: standing.reference };
    default:
      return null;
  }
}

/** How a charge that was to be voided stands, as the answer to that; null: still in force. */
export function voidOf(standing: LookupAnswer): VoidAnswer | null {
  switch (standing.kind) {
    case 'approved':
      return standing.captured ? { kind: 'refused', code: 'charge_captured', reference: standing.reference } : null;
    case 'pending':
    case 'voided':
      return standing;
    case 'declined':
      return standing.reference === undefined ? null : { kind: 'voided', reference: standing.reference };
    default:
      return null;
  }
}

/**
 * The one answer where a look-up has found several charges of one payment; null where it has found none. Money in force
 * first; two in force are nobody's answer but a person's (S1).
 */
export function decisive(found: readonly LookupAnswer[]): LookupAnswer | null {
  if (found.filter(({ kind }) => kind === 'approved' || kind === 'pending').length > 1) {
    return { kind: 'unknown', reason: 'several_charges_in_force' };
  }
  const rank = (answer: LookupAnswer): number => MATTERS.indexOf(answer.kind);
  return [...found].sort((left, right) => rank(left) - rank(right))[0] ?? null;
}
