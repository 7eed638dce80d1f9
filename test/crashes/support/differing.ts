/**
 * Sagas that are cut at named points, held against the run that nothing cut: what the tests of P3 share. A file that uses it calls
 * `runUninterrupted` before its tests.
 */
import { env } from 'cloudflare:workers';
import { expect } from 'vitest';
import { tellSomebody } from '../../support/webhooks.ts';
import { difference, type EndState, type Exactness } from './compare.ts';
import { Run, runAll } from './flows.ts';
import { type Plan, planFor } from './plans.ts';
import { FLOW_NAMES, type FlowName } from './points.ts';

/** Enough that waiting overlaps; a busy machine takes fewer. */
const SIDE_BY_SIDE = 100;
export const SHOWN_MAX = 10;
const REASON_LENGTH = 60;
/** Of the sagas of one test: how many may lose so much time to two crashes that the saga has to look its outcome up. */
const LOOKED_UP_SHARE_MAX = 0.05;

const EXACTNESS: Partial<Record<FlowName, Exactness>> = { compensation: 'any_order', lookup: 'without_questions' };

export const uninterrupted = new Map<FlowName, { readonly end: EndState; readonly passed: readonly string[] }>();

/** Runs every flow once, with nothing in its way. */
export async function runUninterrupted(): Promise<void> {
  // Answers that are lost on purpose would open them.
  for (const name of ['acme', 'borealis']) await env.PROVIDER_HEALTH.getByName(name).force('closed');
  await tellSomebody(['payment.completed', 'refund.completed']);
  const runs = FLOW_NAMES.map((flow) => new Run(flow, 'uninterrupted', planFor([], { traced: true })));
  const ends = await runAll(runs, runs.length);
  for (const run of runs) uninterrupted.set(run.flow, { end: ends.get(run) ?? {}, passed: run.plan.passed });
}

/** Runs a saga for each plan, and tells which of them did not end as the uninterrupted run, and how. */
export async function differing(flow: FlowName, plans: readonly Plan[], name: string): Promise<string[]> {
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

/** After all of a file's sagas, every counter has counted each of them once. */
export async function countersCountEachOnce(): Promise<void> {
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
}
