/** Money against arithmetic that cannot round: BigInt. HOLDFAST_SEED repeats a run. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AMOUNT_MINOR_MAX } from '../../src/domain/limits.ts';
import { addMinor, currencyExponent, formatMinor } from '../../src/domain/money.ts';

const RUN = {
  seed: Number(process.env.HOLDFAST_SEED ?? 20261124),
  numRuns: Number(process.env.HOLDFAST_RUNS ?? 5_000),
};
const balance = fc.integer({ min: 0, max: AMOUNT_MINOR_MAX });
const change = fc.integer({ min: -AMOUNT_MINOR_MAX, max: AMOUNT_MINOR_MAX });
/** Near the borders, where a sum is decided. */
const nearBalance = fc.oneof(balance, fc.integer({ min: AMOUNT_MINOR_MAX - 3, max: AMOUNT_MINOR_MAX }), fc.nat(3));

test('a sum is exact or refused, never rounded, and does not depend on the order', () => {
  fc.assert(
    fc.property(nearBalance, fc.oneof(change, nearBalance), (left, right) => {
      const exact = BigInt(left) + BigInt(right);
      const inRange = exact >= 0n && exact <= BigInt(AMOUNT_MINOR_MAX);
      expect(addMinor(left, right)).toBe(inRange ? Number(exact) : null);
      expect(addMinor(right, left)).toBe(addMinor(left, right));
    }),
    RUN,
  );
});

test('the text of an amount has exactly the decimals of its currency, and its digits are the amount', () => {
  fc.assert(
    fc.property(change, fc.constantFrom('CLP', 'USD', 'KWD'), (amount, currency) => {
      const text = formatMinor(amount, currency);
      expect(text).toMatch(/^-?(0|[1-9][0-9]*)(\.[0-9]+)?$/);
      expect(text.split('.')[1]?.length ?? 0).toBe(currencyExponent(currency));
      expect(BigInt(text.replace('.', ''))).toBe(BigInt(amount));
    }),
    RUN,
  );
});
