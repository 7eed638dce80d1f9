/**
 * Pure: what of a provider's words may enter our records: codes, never texts. An error text can repeat what a customer
 * typed into the wrong field; a code cannot. Shared by the adapters to real providers.
 */
import type { LookupAnswer } from '../provider.ts';

/** Codes are lower-case words; a run of digits as long as this could be part of a card number. */
const CODE = /^[a-z][a-z0-9_.]{0,63}$/;
const LONG_NUMBER = /\d{6}/;

/** `value` where it is a code, else `fallback`. */
export function safeCode(value: unknown, fallback: string): string {
  return typeof value === 'string' && CODE.test(value) && !LONG_NUMBER.test(value) ? value : fallback;
}

const PRECEDENCE: readonly LookupAnswer['kind'][] = [
  'approved',
  'pending',
  'unknown',
  'not_sent',
  'throttled',
  'misconfigured',
  'declined',
  'refused',
  'refunded',
  'voided',
  'absent',
];

/**
 * The one answer where a look-up has found several charges of one payment; null where it has found none. Money in force
 * first; two in force are nobody's answer but a person's (S1).
 */
export function decisive(found: readonly LookupAnswer[]): LookupAnswer | null {
  if (found.filter(({ kind }) => kind === 'approved' || kind === 'pending').length > 1) {
    return { kind: 'unknown', reason: 'several_charges_in_force' };
  }
  const rank = (answer: LookupAnswer): number => PRECEDENCE.indexOf(answer.kind);
  return [...found].sort((left, right) => rank(left) - rank(right))[0] ?? null;
}
