/** The bounds of both backoffs, for any policy, attempt and draw. HOLDFAST_SEED repeats a run. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoffMs, fullJitterSeconds } from '../../src/domain/retry.ts';

const RUN = {
  seed: Number(process.env.HOLDFAST_SEED ?? 20261124),
  numRuns: Number(process.env.HOLDFAST_RUNS ?? 5_000),
};
const backoff = fc
  .tuple(fc.integer({ min: 1, max: 3_600_000 }), fc.integer({ min: 1, max: 1_000 }))
  .map(([firstMs, factor]) => ({ firstMs, maxMs: firstMs * factor }));
const attempt = fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }));
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test('a wait is a whole number between half of the ceiling and the ceiling, and the ceiling only grows', () => {
  fc.assert(
    fc.property(backoff, attempt, random, (policy, n, draw) => {
      const waitMs = backoffMs(policy, n, draw);
      const ceilingMs = Math.min(policy.maxMs, policy.firstMs * 2 ** (n - 1));
      expect(Number.isSafeInteger(waitMs)).toBe(true);
      expect(waitMs).toBeGreaterThanOrEqual(Math.floor(ceilingMs / 2));
      expect(waitMs).toBeLessThanOrEqual(ceilingMs);
      expect(backoffMs(policy, n + 1, draw)).toBeGreaterThanOrEqual(waitMs);
    }),
    RUN,
  );
});

test('a jittered wait is a whole number of seconds, at least 1 and at most the ceiling', () => {
  fc.assert(
    fc.property(backoff, attempt, random, (policy, n, draw) => {
      const seconds = fullJitterSeconds(policy, n, draw);
      expect(Number.isSafeInteger(seconds)).toBe(true);
      expect(seconds).toBeGreaterThanOrEqual(1);
      expect(seconds).toBeLessThanOrEqual(Math.max(1, Math.round(policy.maxMs / 1_000)));
    }),
    RUN,
  );
});
