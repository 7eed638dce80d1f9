import { describe, expect, test } from 'vitest';
import { backoffMs, fullJitterSeconds } from '../../src/domain/retry.ts';

const BACKOFF = { firstMs: 1_000, maxMs: 30_000 };
const ALMOST_ONE = 1 - Number.EPSILON;

describe('a backoff with its lower half kept', () => {
  test.each([
    [1, 500, 1_000],
    [2, 1_000, 2_000],
    [3, 2_000, 4_000],
    [5, 8_000, 16_000],
    [6, 15_000, 30_000],
    [7, 15_000, 30_000],
    [1_000_000, 15_000, 30_000],
  ])('waits after attempt %i from %i to %i ms', (attempt, from, to) => {
    expect(backoffMs(BACKOFF, attempt, 0)).toBe(from);
    expect(backoffMs(BACKOFF, attempt, ALMOST_ONE)).toBe(to);
    expect(backoffMs(BACKOFF, attempt, 0.5)).toBe((from + to) / 2);
  });
});

describe('a backoff with full jitter', () => {
  test.each([
    [1, 1, 1],
    [2, 1, 2],
    [4, 1, 8],
    [6, 1, 30],
    [7, 1, 30],
    [1_000_000, 1, 30],
  ])('waits after attempt %i from %i to %i s', (attempt, from, to) => {
    expect(fullJitterSeconds(BACKOFF, attempt, 0)).toBe(from);
    expect(fullJitterSeconds(BACKOFF, attempt, ALMOST_ONE)).toBe(to);
  });

  test('is drawn from the whole range, not from its upper half', () => {
    expect(fullJitterSeconds(BACKOFF, 6, 0.1)).toBe(3);
  });
});
