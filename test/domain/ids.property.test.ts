/** Ids over all 256-bit numbers. HOLDFAST_SEED repeats a run. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { base62, hexFromPublicId, publicIdFromHex, sagaObjectName } from '../../src/domain/ids.ts';

const RUN = {
  seed: Number(process.env.HOLDFAST_SEED ?? 20261124),
  numRuns: Number(process.env.HOLDFAST_RUNS ?? 5_000),
};
const number256 = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }),
  // Small ones, and those next to a power of two: where padding and carries go wrong.
  fc.bigInt({ min: 0n, max: 10_000n }),
  fc.integer({ min: 1, max: 256 }).map((bits) => 2n ** BigInt(bits) - 1n),
);
const hexOf = (value: bigint) => value.toString(16).padStart(64, '0');

test('every object id has one public id, which leads back to it', () => {
  fc.assert(
    fc.property(number256, fc.constantFrom('pay_' as const, 'ref_' as const), (value, prefix) => {
      const id = publicIdFromHex(prefix, hexOf(value));
      expect(id).toMatch(/^(pay|ref)_[0-9A-Za-z]{43}$/);
      expect(hexFromPublicId(prefix, id)).toBe(hexOf(value));
      expect(hexFromPublicId(prefix === 'pay_' ? 'ref_' : 'pay_', id)).toBeNull();
    }),
    RUN,
  );
});

test('ids sort as their numbers do', () => {
  fc.assert(
    fc.property(number256, number256, (left, right) => {
      const [a, b] = [base62(left), base62(right)];
      expect(a < b).toBe(left < right);
    }),
    RUN,
  );
});

test('43 digits above the range are refused, those in it are read', () => {
  const digits = fc.string({
    unit: fc.constantFrom(...'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'),
    minLength: 43,
    maxLength: 43,
  });
  const largest = base62(2n ** 256n - 1n);
  fc.assert(
    fc.property(digits, (text) => {
      const hex = hexFromPublicId('pay_', `pay_${text}`);
      expect(hex === null).toBe(text > largest);
      if (hex !== null) expect(publicIdFromHex('pay_', hex)).toBe(`pay_${text}`);
    }),
    RUN,
  );
});

test('anything else is refused and never throws', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(hexFromPublicId('pay_', text)).toBeNull();
      if (!/^[0-9A-Za-z]{43}$/.test(text)) expect(hexFromPublicId('pay_', `pay_${text}`)).toBeNull();
    }),
    RUN,
  );
});

test('two scopes, routes or keys never make one object name', () => {
  const part = fc.string({ unit: fc.constantFrom('a', 'b', '-', ':'), maxLength: 3 });
  // Keys may hold the separator; what stands before them may not.
  const key = fc.string({ unit: fc.constantFrom('a', '|', 'live', 'sandbox'), maxLength: 5 });
  const name = fc.record({
    merchant: part,
    mode: fc.constantFrom('sandbox' as const, 'live' as const),
    route: part,
    key,
  });
  const made = ({
    merchant,
    mode,
    route,
    key: idempotencyKey,
  }: {
    merchant: string;
    mode: 'sandbox' | 'live';
    route: string;
    key: string;
  }) => sagaObjectName({ merchant, mode }, route, idempotencyKey);
  fc.assert(
    fc.property(name, name, (left, right) => {
      expect(made(left) === made(right)).toBe(JSON.stringify(left) === JSON.stringify(right));
    }),
    { ...RUN, numRuns: 4 * RUN.numRuns },
  );
});
