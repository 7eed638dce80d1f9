/**
 * P1 and P2: both sagas through every fault of the matrix, a hundred thousand of them, and every invariant asked after every
 * event; the same seed is the same run, to the bit. HOLDFAST_SEED repeats a run, HOLDFAST_SAGAS makes it longer; on demand:
 * `npm run simulate`.
 */
import { expect, test } from 'vitest';
import { brokenStory, figures, HITS_MIN, matrixReport, missed, stopwatch } from './report.ts';
import { runSagas, runWorld } from './run.ts';

const SEED = Number(process.env.HOLDFAST_SEED ?? 20_261_124);
const SAGAS = Number(process.env.HOLDFAST_SAGAS ?? 100_000);
/**
 * P1: a hundred thousand sagas in a minute of a core, as a ratio, for a slower machine’s minute is less. A quiet machine
 * takes 51 to 65 yardsticks; the minute was 2.3 times what the run took where it was set, this is 1.5 to 2 times.
 */
const YARDSTICKS_MAX = 100;
/** Long enough to tell runs apart. */
const SHORT = 500;

test('no schedule of faults breaks an invariant, and every cell of the fault matrix is hit', () => {
  const stop = stopwatch();
  const result = runSagas({ seed: SEED, sagas: SAGAS });
  const took = stop();
  console.log(`${figures(result, took)}\n${matrixReport(result)}`);
  expect(brokenStory(result)).toBe('');
  expect(result.sagas).toBeGreaterThanOrEqual(SAGAS);
  expect(missed(result, HITS_MIN)).toEqual([]);
  // Of a core, not on the clock: what else runs on the machine is not the simulator's fault.
  expect(took.yardsticks / result.sagas).toBeLessThan(YARDSTICKS_MAX / 100_000);
});

/** What runs of a million found, and no shorter one had met: the first in the saga, the second in the simulator. */
test.each([
  [4_016_222_740, 'a first sending that comes after the second was answered "pending", and is turned away'],
  [1_113_603_053, 'a clock that jumped when the faults had ended, and stayed wrong for ever'],
])('world %i holds, which was broken by %s', (seed) => {
  expect(runWorld({ seed }).violation).toBeNull();
});

test('the same seed gives the same trace, and another seed another', () => {
  const one = runSagas({ seed: SEED, sagas: SHORT });
  const same = runSagas({ seed: SEED, sagas: SHORT });
  const other = runSagas({ seed: SEED + 1, sagas: SHORT });
  expect({ hash: same.hash, events: same.events, faults: same.faults }).toEqual({
    hash: one.hash,
    events: one.events,
    faults: one.faults,
  });
  expect(other.hash).not.toBe(one.hash);
});

test('a cell that is hit too seldom fails the run', () => {
  const { matrix } = runSagas({ seed: SEED, sagas: SHORT });
  expect(matrix.below(HITS_MIN).length).toBeGreaterThan(0);
  expect(matrix.below(0)).toEqual([]);
});
