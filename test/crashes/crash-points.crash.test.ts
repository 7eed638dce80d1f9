/**
 * P3: objects and consumers end at named points, in the real runtime, and the saga is carried on by its alarm and by
 * redelivery; however often and wherever it was cut, it ends as the run that nothing cut. Every single point of every
 * flow; of the payment from a wallet every third pair of points, another third by turns (CRASH_PAIRS=balance: every pair;
 * CRASH_PAIRS=all: of every flow).
 */
import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, test } from 'vitest';
import { tellSomebody } from '../support/webhooks.ts';
import { difference, type EndState, type Exactness } from './support/compare.ts';
import { Run, runAll } from './support/flows.ts';
import { type Plan, planFor } from './support/plans.ts';
import { FLOW_NAMES, type FlowName, isRecovery, POINTS, RECOVERY } from './support/points.ts';

/** Enough that waiting overlaps; a busy machine takes fewer. */
const SIDE_BY_SIDE = 100;
const SHOWN_MAX = 10;
const REASON_LENGTH = 60;
/** The short form takes one pair in so many, whichever it is the turn of. */
const PAIRS_SHARE = env.CRASH_PAIRS === '' ? 3 : 1;
/** Of the sagas of one test: how many may lose so much time to two crashes that the saga has to look its outcome up. */
const LOOKED_UP_SHARE_MAX = 0.05;

const EXACTNESS: Partial<Record<FlowName, Exactness>> = { compensation: 'any_order', lookup: 'without_questions' };

const uninterrupted = new Map<FlowName, { readonly end: EndState; readonly passed: readonly string[] }>();

beforeAll(async () => {
  // Answers that are lost on purpose would open them.
  for (const name of ['acme', 'borealis']) await env.PROVIDER_HEALTH.getByName(name).force('closed');
  await tellSomebody(['payment.completed', 'refund.completed']);
  const runs = FLOW_NAMES.map((flow) => new Run(flow, 'uninterrupted', planFor([], { traced: true })));
  const ends = await runAll(runs, runs.length);
  for (const run of runs) uninterrupted.set(run.flow, { end: ends.get(run) ?? {}, passed: run.plan.passed });
});

/** Runs a saga for each plan, and tells which of them did not end as the uninterrupted run, and how. */
async function differing(flow: FlowName, plans: readonly Plan[], name: string): Promise<string[]> {
  const startedAtMs = Date.now();
  const named = plans.map((plan, index) => ({ points: [...plan.left], run: new Run(flow, `${name}-${index}`, plan) }));
  const ends = await runAll(
    named.map(({ run }) => run),
    SIDE_BY_SIDE,
  );
  const expected = uninterrupted.get(flow)?.end ?? {};
  let lookedUp = 0;
  const differ = named.flatMap(({ points, run }) => {
    const end = ends.get(run) ?? {};
    const exactness = EXACTNESS[flow] ?? 'exact';
    const differs = difference(end, expected, exactness);
    if (differs === null) return [];
    // Twice cut at the gateway, its budget may be spent: then the same is reached by asking what became of it.
    if (end.stuck === undefined && exactness === 'exact' && difference(end, expected, 'without_questions') === null) {
      lookedUp += 1;
      return [];
    }
    return [`${points.join(' + ')}: ${differs}`];
  });
  const crashes = named.reduce((sum, { points, run }) => sum + points.length - run.plan.left.length, 0);
  const seconds = ((Date.now() - startedAtMs) / 1_000).toFixed(0);
  console.info(
    `P3 ${flow} ${name}: sagas=${plans.length} crashes=${crashes} differing=${differ.length} looked_up=${lookedUp} ${seconds} s`,
  );
  const reasons = Map.groupBy(differ, (each) => each.slice(each.indexOf(': ') + 2).slice(0, REASON_LENGTH));
  for (const [reason, group] of reasons) console.info(`P3 ${flow} ${name}: ${group.length} differ by ${reason}`);
  expect(lookedUp).toBeLessThanOrEqual(plans.length * LOOKED_UP_SHARE_MAX);
  return differ;
}

/** The pairs whose turn it is. */
function shareOf(flow: FlowName, pairs: readonly (readonly string[])[]): Plan[] {
  const turn = Date.now() % PAIRS_SHARE;
  console.info(`P3 ${flow}: the pairs from ${turn} on, one in ${PAIRS_SHARE}`);
  return pairs.filter((_, index) => index % PAIRS_SHARE === turn).map((pair) => planFor(pair));
}

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

test('after all of it, every counter has counted each saga once', async () => {
  for (const noun of ['payment', 'refund']) {
    const ended = await env.DB.prepare(`SELECT status, COUNT(*) AS count FROM ${noun}s GROUP BY status`).all<{
      status: string;
      count: number;
    }>();
    for (const [status, series] of [
      ['COMPLETED', 'success'],
      ['FAILED', 'failure'],
    ]) {
      const counted = await env.DB.prepare('SELECT value FROM metric_counters WHERE series = ?')
        .bind(`metrics.${noun}.${series}`)
        .first<number>('value');
      const expected = ended.results.find((row) => row.status === status)?.count ?? 0;
      expect(counted ?? 0, `${noun} ${series}`).toBe(expected);
    }
  }
});
