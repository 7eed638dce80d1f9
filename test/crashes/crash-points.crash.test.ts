/**
 * P3: objects and consumers end at named points, in the real runtime, and the saga is carried on by its alarm and by
 * redelivery; wherever it was cut, it ends as the run that nothing cut. Every single point of every flow; pairs of points are in
 * crash-pairs.crash.test.ts.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { countersCountEachOnce, differing, runUninterrupted, SHOWN_MAX, uninterrupted } from './support/differing.ts';
import { planFor } from './support/plans.ts';
import { FLOW_NAMES, isRecovery, POINTS } from './support/points.ts';

beforeAll(runUninterrupted);

describe.each(FLOW_NAMES)('%s', (flow) => {
  test('an uninterrupted run passes every point of the table, and no other', () => {
    const passed = new Set(uninterrupted.get(flow)?.passed.filter((point) => !isRecovery(point)));
    expect([...passed].sort()).toEqual([...POINTS[flow]].sort());
  });

  test('a crash at any one point changes nothing of how it ends', async () => {
    const plans = POINTS[flow].map((point) => planFor([point]));
    const differ = await differing(flow, plans, 'one');
    expect(differ.slice(0, SHOWN_MAX)).toEqual([]);
    expect(plans.flatMap(({ left }) => left)).toEqual([]);
  });
});

test('after all of it, every counter has counted each saga once', countersCountEachOnce);
