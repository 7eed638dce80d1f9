import { describe, expect, test } from 'vitest';
import { InvariantError } from '../../src/domain/errors.ts';
import { AMOUNT_MINOR_MAX } from '../../src/domain/limits.ts';
import { addMinor, currencyExponent, formatMinor, isAmountMinor, isCurrency } from '../../src/domain/money.ts';

describe('a currency', () => {
  test.each([
    ['CLP', 0],
    ['JPY', 0],
    ['KRW', 0],
    ['ISK', 0],
    ['UGX', 0],
    ['VND', 0],
    ['USD', 2],
    ['EUR', 2],
    ['HUF', 2],
    ['MRU', 2],
    ['UYU', 2],
    ['BHD', 3],
    ['KWD', 3],
    ['TND', 3],
  ])('%s has %i decimals', (code, exponent) => {
    expect(isCurrency(code)).toBe(true);
    expect(currencyExponent(code)).toBe(exponent);
  });

  test.each([
    ['lower case', 'usd'],
    ['mixed case', 'Usd'],
    ['empty', ''],
    ['padded', 'USD '],
    ['two letters', 'US'],
    ['two codes', 'USD EUR'],
    ['withdrawn: the kuna', 'HRK'],
    ['withdrawn: the old leone', 'SLL'],
    ['gold', 'XAU'],
    ['the code for testing', 'XTS'],
    ['no currency', 'XXX'],
    ['a unit of account with four decimals', 'CLF'],
    ['a member of every object', 'constructor'],
    ['a numeric code', '840'],
  ])('is refused when it is %s (%s)', (_what, code) => {
    expect(isCurrency(code)).toBe(false);
    expect(() => currencyExponent(code)).toThrow(new InvariantError('currency_known', { code }));
  });
});

describe('an amount', () => {
  test.each([1, 2, 1230, AMOUNT_MINOR_MAX - 1, AMOUNT_MINOR_MAX])('of %d minor units is taken', (value) => {
    expect(isAmountMinor(value)).toBe(true);
  });

  test.each([
    ['nothing', 0],
    ['negative nothing', -0],
    ['negative', -1],
    ['a fraction', 0.5],
    ['a whole number and a fraction', 12.3],
    ['one more than the limit', AMOUNT_MINOR_MAX + 1],
    ['not a safe integer', Number.MAX_SAFE_INTEGER + 1],
    ['not a number', Number.NaN],
    ['infinite', Number.POSITIVE_INFINITY],
    ['infinitely negative', Number.NEGATIVE_INFINITY],
  ])('that is %s is refused', (_what, value) => {
    expect(isAmountMinor(value)).toBe(false);
  });
});

describe('a sum', () => {
  test.each([
    [0, 0, 0],
    [1, 2, 3],
    [5, -5, 0],
    [AMOUNT_MINOR_MAX, 0, AMOUNT_MINOR_MAX],
    [AMOUNT_MINOR_MAX - 1, 1, AMOUNT_MINOR_MAX],
    [AMOUNT_MINOR_MAX, -AMOUNT_MINOR_MAX, 0],
  ])('%d + %d = %d is in range', (left, right, sum) => {
    expect(addMinor(left, right)).toBe(sum);
  });

  test.each([
    ['below zero', 5, -6],
    ['one above the limit', AMOUNT_MINOR_MAX, 1],
    ['of two largest amounts', AMOUNT_MINOR_MAX, AMOUNT_MINOR_MAX],
    ['with a fraction', 1, 0.5],
    ['with what is not a number', 1, Number.NaN],
    ['with the infinite', 1, Number.POSITIVE_INFINITY],
  ])('%s is refused', (_what, left, right) => {
    expect(addMinor(left, right)).toBeNull();
  });
});

describe('an amount for people', () => {
  test.each([
    [1230, 'USD', '12.30'],
    [5, 'USD', '0.05'],
    [50, 'USD', '0.50'],
    [100, 'USD', '1.00'],
    [0, 'USD', '0.00'],
    [-1230, 'USD', '-12.30'],
    [-5, 'USD', '-0.05'],
    [1230, 'CLP', '1230'],
    [-7, 'CLP', '-7'],
    [0, 'JPY', '0'],
    [1230, 'KWD', '1.230'],
    [1, 'KWD', '0.001'],
    [AMOUNT_MINOR_MAX, 'USD', '90000000000000.00'],
  ])('%d minor units of %s is %s', (amount, currency, text) => {
    expect(formatMinor(amount, currency)).toBe(text);
  });

  test('in an unknown currency is a bug', () => {
    expect(() => formatMinor(1, 'XXX')).toThrow(InvariantError);
  });
});

test.each(['AED', 'COP', 'CRC', 'INR', 'JMD', 'NGN', 'NIO', 'SYP', 'SZL', 'ZMW'])(
  '%s is a currency of two decimals',
  (code) => {
    expect(isCurrency(code)).toBe(true);
    expect(currencyExponent(code)).toBe(2);
  },
);
