/**
 * Pure: what of a provider's words may enter our records: codes, never texts. An error text can repeat what a customer
 * typed into the wrong field; a code cannot. Used by the adapters to real providers.
 */

/** Codes are lower-case words; a run of digits as long as this could be part of a card number. */
const CODE = /^[a-z][a-z0-9_.]{0,63}$/;
const LONG_NUMBER = /\d{6}/;

/** `value` where it is a code, else `fallback`. */
export function safeCode(value: unknown, fallback: string): string {
  return typeof value === 'string' && CODE.test(value) && !LONG_NUMBER.test(value) ? value : fallback;
}
