import { describe, expect, test } from 'vitest';
import { InvariantError } from '../../src/domain/errors.ts';
import {
  base62,
  CLIENT_ID_PATTERN,
  hexFromPublicId,
  publicIdFromHex,
  sagaObjectName,
  WALLET_ID_PATTERN,
  walletObjectName,
} from '../../src/domain/ids.ts';
import { CLIENT_ID_LENGTH_MAX } from '../../src/domain/limits.ts';

const LARGEST_HEX = 'f'.repeat(64);
const LARGEST = publicIdFromHex('pay_', LARGEST_HEX);
/** One more than the largest 256-bit number: it fits 43 digits and no object id. */
const TOO_LARGE = `pay_${base62(2n ** 256n)}`;

describe('a public id', () => {
  test('is its prefix and 43 base62 digits, whatever the number', () => {
    expect(publicIdFromHex('pay_', '0'.repeat(64))).toBe(`pay_${'0'.repeat(43)}`);
    expect(publicIdFromHex('ref_', `${'0'.repeat(63)}1`)).toBe(`ref_${'0'.repeat(42)}1`);
    expect(publicIdFromHex('pay_', `${'0'.repeat(62)}3d`)).toBe(`pay_${'0'.repeat(42)}z`);
    expect(publicIdFromHex('pay_', `${'0'.repeat(62)}3e`)).toBe(`pay_${'0'.repeat(41)}10`);
    expect(LARGEST).toMatch(/^pay_[0-9A-Za-z]{43}$/);
  });

  test('leads back to the largest object id, and one more is refused', () => {
    expect(hexFromPublicId('pay_', LARGEST)).toBe(LARGEST_HEX);
    expect(TOO_LARGE).toHaveLength(LARGEST.length);
    expect(hexFromPublicId('pay_', TOO_LARGE)).toBeNull();
    expect(hexFromPublicId('pay_', `pay_${'z'.repeat(43)}`)).toBeNull();
  });

  test.each([
    ['of another kind', `ref_${'0'.repeat(43)}`],
    ['with no prefix', '0'.repeat(47)],
    ['with a prefix in capitals', `PAY_${'0'.repeat(43)}`],
    ['empty', ''],
    ['only a prefix', 'pay_'],
    ['one digit short', `pay_${'0'.repeat(42)}`],
    ['one digit long', `pay_${'0'.repeat(44)}`],
    ['with a sign in it', `pay_-${'0'.repeat(42)}`],
    ['with a space', `pay_${'0'.repeat(42)} `],
    ['with base64url digits', `pay_${'0'.repeat(42)}_`],
    ['with a digit of another script', `pay_${'0'.repeat(42)}٣`],
    ['with half a character', `pay_${'0'.repeat(42)}\ud83d`],
    ['with a character of two halves', `pay_${'0'.repeat(41)}😀`],
    ['in hex', `pay_${'0'.repeat(64)}`],
  ])('%s is refused', (_what, id) => {
    expect(hexFromPublicId('pay_', id)).toBeNull();
  });

  test.each([
    ['capitals', 'F'.repeat(64)],
    ['63 digits', 'f'.repeat(63)],
    ['65 digits', 'f'.repeat(65)],
    ['a digit that is none', 'g'.repeat(64)],
    ['a line break at the end', `${'f'.repeat(64)}\n`],
    ['nothing', ''],
  ])('is never made from %s: that is a bug', (_what, hex) => {
    expect(() => publicIdFromHex('pay_', hex)).toThrow(new InvariantError('object_id_hex', { length: hex.length }));
  });
});

describe('an id that a client chooses', () => {
  test.each(['w', 'wal-1234', 'a_b.c:d-E', '0', 'x'.repeat(CLIENT_ID_LENGTH_MAX)])('%s is taken', (id) => {
    expect(id).toMatch(CLIENT_ID_PATTERN);
  });

  test.each([
    ['empty', ''],
    ['one too long', 'x'.repeat(CLIENT_ID_LENGTH_MAX + 1)],
    ['with a space', 'a b'],
    ['with the separator of object names', 'a|b'],
    ['with a slash', 'a/b'],
    ['with a quote', "a'b"],
    ['with a line break at the end', 'a\n'],
    ['with an accent', 'é'],
    ['with a NUL', 'a\0'],
  ])('%s is refused', (_what, id) => {
    expect(id).not.toMatch(CLIENT_ID_PATTERN);
  });
});

describe('the id of a wallet', () => {
  const alphabet = ['a', 'Z', '0', '.', '_', ':', '-', '/', ' ', 'é', '|'];
  const upToThree = ['', ...alphabet].flatMap((a) =>
    ['', ...alphabet].flatMap((b) => ['', ...alphabet].map((c) => a + b + c)),
  );
  const long = ['x', '.', '..', '...'].flatMap((start) =>
    [CLIENT_ID_LENGTH_MAX, CLIENT_ID_LENGTH_MAX + 1].flatMap((length) => [
      start.padEnd(length, 'x'),
      start.padEnd(length, '.'),
    ]),
  );

  test('is that of any other thing, but no dot segment', () => {
    for (const id of [...upToThree, ...long, 'wal-1234', 'a\n', '..\n']) {
      expect(WALLET_ID_PATTERN.test(id), id).toBe(CLIENT_ID_PATTERN.test(id) && id !== '.' && id !== '..');
    }
  });
});

describe('the name of an object', () => {
  test('says whose it is, in which mode, and what for', () => {
    const scope = { merchant: 'acme', mode: 'live' } as const;
    expect(sagaObjectName(scope, '/payments', 'k|1')).toBe('acme|live|/payments|k|1');
    expect(walletObjectName(scope, 'wal-1')).toBe('acme|live|wal-1');
  });
});
