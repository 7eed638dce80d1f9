/** When the client sends again, and after how long. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Fault, RETRY_DEFAULT, retryAfterMs, waitBeforeNext } from '../../client/src/retry.ts';

const POLICY = { attemptsMax: 4, firstMs: 100, waitMaxMs: 1_000 };
const problem = (status: number, retryable: boolean, afterMs: number | null = null): Fault => ({
  kind: 'problem',
  status,
  retryable,
  retryAfterMs: afterMs,
});
const NO_ANSWER: Fault = { kind: 'no_answer' };

describe('an attempt that failed', () => {
  test.each<[string, Fault, boolean, boolean]>([
    ['no answer, with a key', NO_ANSWER, true, true],
    ['no answer, with none', NO_ANSWER, false, false],
    ['a 502 in between, with a key', { kind: 'bad_gateway', retryAfterMs: null }, true, true],
    ['a 502 in between, with none', { kind: 'bad_gateway', retryAfterMs: null }, false, false],
    ['503, retryable, with a key', problem(503, true), true, true],
    ['503, retryable, with none: it may have been carried out', problem(503, true), false, false],
    ['503, misconfigured', problem(503, false), true, false],
    ['500, a bug of theirs, with a key: it may have been carried out', problem(500, true), true, true],
    ['500, a bug of theirs, with none', problem(500, true), false, false],
    ['422', problem(422, false), true, false],
    ['429, with a key', problem(429, true), true, true],
    ['429, with none: nothing was done', problem(429, true), false, true],
  ])('%s', (_, fault, canResend, isResent) => {
    expect(waitBeforeNext(POLICY, 1, fault, canResend, 0.5) !== null).toBe(isResent);
  });

  test('is the last when there are no more', () => {
    expect(waitBeforeNext(POLICY, 3, NO_ANSWER, true, 0)).toBe(0);
    expect(waitBeforeNext(POLICY, 4, NO_ANSWER, true, 0)).toBeNull();
    expect(waitBeforeNext({ ...POLICY, attemptsMax: 1 }, 1, NO_ANSWER, true, 0)).toBeNull();
  });

  test('waits up to twice as long each time, at random, and never longer than the limit', () => {
    const ends = [1, 2, 3, 4, 5, 6].map((attempt) =>
      waitBeforeNext({ ...POLICY, attemptsMax: 9 }, attempt, NO_ANSWER, true, 1),
    );
    expect(ends).toEqual([100, 200, 400, 800, 1_000, 1_000]);
    expect(waitBeforeNext(POLICY, 2, NO_ANSWER, true, 0.25)).toBe(50);
  });

  test('waits at least what is asked for, and gives up when that is too long', () => {
    expect(waitBeforeNext(POLICY, 1, problem(503, true, 700), true, 0)).toBe(700);
    expect(waitBeforeNext(POLICY, 1, problem(503, true, 700), true, 1)).toBe(800);
    expect(waitBeforeNext(POLICY, 1, problem(503, true, 1_001), true, 0)).toBeNull();
    // All who were refused together were told the same: at random after it, at its longest too.
    expect(waitBeforeNext(POLICY, 1, problem(429, true, 1_000), true, 0.5)).toBe(1_050);
    expect(waitBeforeNext(RETRY_DEFAULT, 1, problem(429, true, 10_000), true, 0.5)).toBe(10_125);
    expect(waitBeforeNext(POLICY, 1, { kind: 'bad_gateway', retryAfterMs: 300 }, true, 0)).toBe(300);
  });

  test('waits at most the limit beyond what is asked for, which is at most the limit, whatever comes', () => {
    const faults = fc.oneof(
      fc.constant(NO_ANSWER),
      fc.record({ kind: fc.constant('bad_gateway' as const), retryAfterMs: fc.option(fc.nat()) }),
      fc.record({
        kind: fc.constant('problem' as const),
        status: fc.integer({ min: 400, max: 599 }),
        retryable: fc.boolean(),
        retryAfterMs: fc.option(fc.nat()),
      }),
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2_000 }),
        faults,
        fc.boolean(),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (attempt, fault, canResend, random) => {
          const waitMs = waitBeforeNext(RETRY_DEFAULT, attempt, fault, canResend, random);
          const askedMs = 'retryAfterMs' in fault ? (fault.retryAfterMs ?? 0) : 0;
          return (
            waitMs === null ||
            (askedMs <= RETRY_DEFAULT.waitMaxMs &&
              waitMs >= askedMs &&
              waitMs <= askedMs + RETRY_DEFAULT.waitMaxMs &&
              attempt < RETRY_DEFAULT.attemptsMax)
          );
        },
      ),
    );
  });
});

test.each([
  [null, null],
  ['2', 2_000],
  [' 0 ', 0],
  ['Tue, 24 Nov 2026 12:00:05 GMT', 5_000],
  ['Tue, 24 Nov 2026 11:00:00 GMT', 0],
  ['soon', null],
])('Retry-After: %s', (header, ms) => {
  expect(retryAfterMs(header, Date.parse('2026-11-24T12:00:00Z'))).toBe(ms);
});
