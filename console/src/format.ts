/** Pure: amounts, times and words as people read them. Amounts stay whole numbers: the decimals are cut out of their digits. */
import { currencyExponent, isCurrency } from '../../src/domain/money.ts';
import type { Redrive } from './api/types.ts';

/** `1230`, `USD` → `12.30 USD`. Digits too, where a sum is more than a number holds. */
export function moneyText(amountMinor: number | string, currency: string): string {
  const text = String(amountMinor);
  const sign = text.startsWith('-') ? '−' : '';
  const exponent = isCurrency(currency) ? currencyExponent(currency) : 0;
  const digits = text.replace('-', '').padStart(exponent + 1, '0');
  const whole = digits.slice(0, digits.length - exponent).replace(/\B(?=(\d{3})+$)/g, ',');
  const decimals = exponent === 0 ? '' : `.${digits.slice(-exponent)}`;
  return `${sign}${whole}${decimals} ${currency}`;
}

/** A time of the API in the reader's own time zone, to the second. */
export function timeText(timestamp: string): string {
  return new Date(timestamp).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
}

/** `needs_attention` → `needs attention`. */
export function words(name: string): string {
  return name.replaceAll('_', ' ');
}

/** What a redrive came to; of a saga that has given up what the letter carried, that it is a person's turn. */
export function redriveText({
  result,
  outcome,
  owner_state: state,
}: Pick<Redrive, 'result' | 'outcome' | 'owner_state'>): string {
  const came = [result, outcome].filter((part) => part !== null).join(': ');
  return words(state === 'needs_attention' ? `${came}; its saga needs a person` : came);
}

/** `1 payment`, `2 payments`. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}
