/** Amounts at the edge of the adapters: exact, or refused. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AMOUNT_MINOR_MAX } from '../../src/domain/limits.ts';
import { currencyExponent, formatMinor } from '../../src/domain/money.ts';
import { isSameAmount, toDecimal } from '../../src/gateway/providers/mercado-pago-protocol.ts';
import { toStripeAmount } from '../../src/gateway/providers/stripe-protocol.ts';

/** Cheap, and the rare amounts are the point. fast-check prints the seed of what fails. */
const RUNS = 5_000;

const amountMinor = fc.oneof(
  fc.integer({ min: 1, max: AMOUNT_MINOR_MAX }),
  fc.integer({ min: 1, max: 1_000_000 }),
  fc.integer({ min: 999_999_999_999_000, max: 999_999_999_999_999 }),
);
const currency = fc.constantFrom('ARS', 'BRL', 'CLP', 'COP', 'MXN', 'PEN', 'UYU', 'USD', 'JPY', 'KWD');

describe('a decimal amount', () => {
  it('says in JSON what the minor units say, digit by digit, or is refused', () => {
    fc.assert(
      fc.property(amountMinor, currency, (amount, code) => {
        const decimal = toDecimal(amount, code);
        if (decimal === null) {
          expect(amount).toBeGreaterThan(999_999_999_999_999);
          return;
        }
        const [whole = '', fraction = ''] = JSON.stringify(decimal).split('.');
        const digits = whole + fraction.padEnd(currencyExponent(code), '0');
        // Texts: a number would hide what a number loses.
        expect(digits.replace(/^0+/, '')).toBe(String(amount));
        expect(isSameAmount(decimal, amount, code)).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });

  it('is never the amount next to it', () => {
    fc.assert(
      fc.property(amountMinor, currency, (amount, code) => {
        const decimal = toDecimal(amount, code);
        if (decimal !== null) expect(isSameAmount(decimal, amount + 1, code)).toBe(false);
      }),
      { numRuns: RUNS },
    );
  });

  it('of sixteen digits is refused: some would be sent as the one next to them', () => {
    expect(JSON.stringify(Number(formatMinor(8_911_989_962_097_971, 'KWD')))).not.toContain('971');
    expect(toDecimal(8_911_989_962_097_971, 'KWD')).toBeNull();
    expect(toDecimal(1_000_000_000_000_000, 'BRL')).toBeNull();
    expect(JSON.stringify(toDecimal(999_999_999_999_999, 'KWD'))).toBe('999999999999.999');
  });

  it.each([
    [10, 'BRL', '0.1'],
    [29, 'BRL', '0.29'],
    [1_999, 'MXN', '19.99'],
    [110, 'ARS', '1.1'],
    [1_230, 'CLP', '1230'],
    [100_000_000_000_001, 'BRL', '1000000000000.01'],
  ])('of %i %s is %s', (amount, code, text) => {
    expect(JSON.stringify(toDecimal(amount, code))).toBe(text);
  });
});

describe('an amount in Stripe\u2019s units', () => {
  /** Stripe's own decimals (https://docs.stripe.com/currencies), written down apart from the code. */
  const STRIPE_DECIMALS: Readonly<Record<string, number>> = { USD: 2, JPY: 0, CLP: 0, ISK: 2, UGX: 2, MGA: 0, KWD: 3 };

  it('is the same money, or is refused', () => {
    fc.assert(
      fc.property(amountMinor, fc.constantFrom(...Object.keys(STRIPE_DECIMALS)), (amount, code) => {
        const theirs = toStripeAmount(amount, code);
        if (theirs === null) return;
        expect(Number.isSafeInteger(theirs)).toBe(true);
        const shift = BigInt(10) ** BigInt(currencyExponent(code));
        const theirShift = BigInt(10) ** BigInt(STRIPE_DECIMALS[code] ?? 0);
        expect(BigInt(theirs) * shift).toBe(BigInt(amount) * theirShift);
      }),
      { numRuns: RUNS },
    );
  });

  it.each([
    ['a third decimal that is not 0', 1_235, 'KWD'],
    ['a fraction of an ariary', 1_250, 'MGA'],
    ['more than a safe integer, once it is a hundredfold', AMOUNT_MINOR_MAX, 'ISK'],
  ])('is refused where it has %s', (_what, amount, code) => {
    expect(toStripeAmount(amount, code)).toBeNull();
    expect(formatMinor(amount, code)).toBeDefined();
  });
});
