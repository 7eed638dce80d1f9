/**
 * P3, twice: a saga that is cut at two of its points, or on its way back from a crash, ends as the run that nothing cut. Of the
 * payment from a wallet every third pair of points, another third by turns (CRASH_PAIRS=balance: every pair; CRASH_PAIRS=all: of every flow).
 */
import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, test } from 'vitest';
import { countersCountEachOnce, differing, runUninterrupted, SHOWN_MAX } from './support/differing.ts';
import { type Plan, planFor } from './support/plans.ts';
import { FLOW_NAMES, type FlowName, POINTS, RECOVERY } from './support/points.ts';

/** The short form takes one pair in so many, whichever it is the turn of. */
const PAIRS_SHARE = env.CRASH_PAIRS === '' ? 3 : 1;

beforeAll(runUninterrupted);

/** The pairs whose turn it is. */
function shareOf(flow: FlowName, pairs: readonly (readonly string[])[]): Plan[] {
  const turn = Date.now() % PAIRS_SHARE;
  console.info(`P3 ${flow}: the pairs from ${turn} on, one in ${PAIRS_SHARE}`);
  return pairs.filter((_, index) => index % PAIRS_SHARE === turn).map((pair) => planFor(pair));
}

describe.each(env.CRASH_PAIRS === 'all' ? FLOW_NAMES : (['balance'] as const))('%s', (flow) => {
  test('crashes at any two points change nothing of how it ends', async () => {
    const points = POINTS[flow];
    const all = points.flatMap((first, index) => points.slice(index).map((second) => [first, second]));
    const pairs = shareOf(flow, all);
    const differ = await differing(flow, pairs, 'two');
    console.info(`P3 ${flow} two: ${pairs.filter(({ left }) => left.length > 0).length} pairs met one crash only`);
    expect(differ.slice(0, SHOWN_MAX)).toEqual([]);
  });

  test('a crash on the way back from a crash changes nothing of how it ends', async () => {
    const pairs = shareOf(
      flow,
      POINTS[flow].flatMap((first) => RECOVERY.map((second) => [first, second])),
    );
    const differ = await differing(flow, pairs, 'back');
    expect(differ.slice(0, SHOWN_MAX)).toEqual([]);
  });
});

test('after all of it, every counter has counted each saga once', countersCountEachOnce);
