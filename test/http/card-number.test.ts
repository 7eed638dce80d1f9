// What counts as a card number, and what machines write that must not.
import { describe, expect, it } from 'vitest';
import { containsCardNumber } from '../../src/http/card-number.ts';

describe('a card number', () => {
  it.each([
    ['Visa', '4242424242424242'],
    ['Visa of 13 digits', '4222222222222'],
    ['Mastercard', '5555555555554444'],
    ['Mastercard, series 2', '2223003122003222'],
    ['American Express', '378282246310005'],
    ['American Express as printed', '3782 822463 10005'],
    ['Discover', '6011111111111117'],
    ['Diners as printed', '3056 930902 5904'],
    ['JCB', '3566002020360505'],
    ['UnionPay', '6200000000000005'],
    ['UnionPay of 19 digits', '6205500000000000004'],
    ['as printed', '4242 4242 4242 4242'],
    ['with dashes', '4242-4242-4242-4242'],
    ['digit by digit', '4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2'],
    ['between letters', 'pan4242424242424242end'],
    ['after other groups', 'order 12 4242 4242 4242 4242 of 3'],
  ])('is found: %s', (_case, text) => {
    expect(containsCardNumber(text)).toBe(true);
  });

  it.each([
    ['a wrong check digit', '4242424242424241'],
    ['12 digits', '424242424242'],
    ['20 digits', '42424242424242424242'],
    ['a UUID', '4f1c9d1e-4b7e-4c8e-9a63-424242424242'],
    ['a UUID of digits that end like a card', '00000000-0000-4000-8424-242424242424'],
    ['a digest', 'a4242424242424242bcdef0123456789abcdef0123456789abcdef0123456789'],
    ['milliseconds', '1763972913126'],
    ['two dates', '2026-11-24 2026-11-25'],
    ['a time', '2026-11-24T08:28:33.123Z'],
    ['a telephone number', '+49 1512 3456789'],
    ['zeros', '0000000000000000'],
    ['nothing', ''],
  ])('is not found in %s', (_case, text) => {
    expect(containsCardNumber(text)).toBe(false);
  });

  it('is looked for in time that grows with the text, not faster', () => {
    const startedAtMs = Date.now();
    containsCardNumber('1 '.repeat(32_000));
    containsCardNumber('1'.repeat(64_000));
    expect(Date.now() - startedAtMs).toBeLessThan(1_000);
  });
});
