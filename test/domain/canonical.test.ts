import { describe, expect, test } from 'vitest';
import { canonicalJson, sha256Hex } from '../../src/domain/canonical.ts';
import { InvariantError } from '../../src/domain/errors.ts';

describe('canonical JSON (RFC 8785)', () => {
  test('orders members by UTF-16 code units, at every depth, and writes no white space', () => {
    // The example of RFC 8785, section 3.2.3.
    const value = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\ud83d\ude00': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis',
    };
    expect(canonicalJson(value)).toBe(
      '{"\\r":"Carriage Return","1":"One","\u0080":"Control","ö":"Latin Small Letter O With Diaeresis",' +
        '"€":"Euro Sign","😀":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}',
    );
    expect(canonicalJson({ b: [{ d: 1, c: 2 }], a: null })).toBe('{"a":null,"b":[{"c":2,"d":1}]}');
  });

  test.each([
    [1e21, '1e+21'],
    [333333333.3333333, '333333333.3333333'],
    [4.5, '4.5'],
    [2e-3, '0.002'],
    [1e-27, '1e-27'],
    [-0, '0'],
    [9_000_000_000_000_000, '9000000000000000'],
  ])('writes the number %d as %s', (value, text) => {
    expect(canonicalJson(value)).toBe(text);
  });

  test('keeps the order of arrays', () => {
    expect(canonicalJson([2, 1])).not.toBe(canonicalJson([1, 2]));
  });

  test('leaves out members that are undefined', () => {
    expect(canonicalJson({ a: 1, b: undefined })).toBe(canonicalJson({ a: 1 }));
  });

  test('tells a number from the text of it, and null from nothing', () => {
    expect(canonicalJson({ a: 1 })).not.toBe(canonicalJson({ a: '1' }));
    expect(canonicalJson({ a: null })).not.toBe(canonicalJson({}));
  });

  test.each([
    ['undefined', undefined],
    ['a function', () => 1],
    ['not a number', Number.NaN],
    ['the infinite', { a: Number.POSITIVE_INFINITY }],
    ['half of a surrogate pair', { a: '\ud800' }],
  ])('of %s does not exist: that is a bug', (_what, value) => {
    expect(() => canonicalJson(value)).toThrow(new InvariantError('canonical_json', { type: typeof value }));
  });
});

describe('SHA-256', () => {
  test.each([
    ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    ['ö€', '9e4fe9f64b4de36aef1508c12038cb6e3bb03203c1929d3221131e5e5ca53d72'],
  ])('of %j is over its UTF-8 bytes', (text, expected) => {
    expect(sha256Hex(text)).toBe(expected);
  });
});
