/** The seal of a stored commit: what it covers, and what no two rows share. */
import { describe, expect, test } from 'vitest';
import { sha256Hex } from '../../src/domain/canonical.ts';
import { SEALED_FORMAT, sealOf } from '../../src/domain/saga/seal.ts';

const ROW = { sequenceLast: 12, closes: 1, events: '[1]', record: '{"a":2}' };

describe('a seal', () => {
  test('is the SHA-256 of the seal before and the four columns, a line each', () => {
    expect(sealOf('before', ROW)).toBe(sha256Hex('before\n12\n1\n[1]\n{"a":2}'));
    expect(sealOf('before', { ...ROW, closes: 0 })).toBe(sha256Hex('before\n12\n0\n[1]\n{"a":2}'));
  });

  test('of a first row has an empty line where the seal before would be', () => {
    expect(sealOf(null, ROW)).toBe(sha256Hex('\n12\n1\n[1]\n{"a":2}'));
    expect(sealOf(null, ROW)).toBe(sealOf('', ROW));
  });

  test('is the same for the same row, whatever else comes with it', () => {
    expect(sealOf('before', { ...ROW })).toBe(sealOf('before', ROW));
    const stored = { ...ROW, seal: 'its own' };
    expect(sealOf('before', stored)).toBe(sealOf('before', ROW));
  });

  test('is another for each column, another spelling of a text with it, and for another seal before', () => {
    const others = [
      sealOf('before', ROW),
      sealOf('another', ROW),
      sealOf(null, ROW),
      sealOf('before', { ...ROW, sequenceLast: 13 }),
      sealOf('before', { ...ROW, closes: 0 }),
      sealOf('before', { ...ROW, events: '[ 1]' }),
      sealOf('before', { ...ROW, record: '{"a": 2}' }),
      // What moves from one column to the next is no other way to write the same row.
      sealOf('before', { ...ROW, events: '[1]{"a":2}', record: '' }),
      sealOf('before', { ...ROW, sequenceLast: 1, closes: 21 }),
    ];
    expect(new Set(others).size).toBe(others.length);
  });

  test('is in rows from format 2 on', () => {
    expect(SEALED_FORMAT).toBe(2);
  });
});
