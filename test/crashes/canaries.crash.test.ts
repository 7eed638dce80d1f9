/**
 * That the crash tests can fail: faults are planted into the saga's objects and consumers, each with the crash that brings
 * it out, and the comparison with the uninterrupted run must tell. Also: that what is not durable yet is really undone.
 */
import { env } from 'cloudflare:workers';
import { beforeAll, expect, test } from 'vitest';
import { postPayment } from '../support/payments.ts';
import { difference, type EndState } from './support/compare.ts';
import { Run, runAll } from './support/flows.ts';
import { follow, type Plant, planFor } from './support/plans.ts';

/** Longer than a saga that is whole needs after one crash; shorter than the patience of the other tests. */
const REST_BOUND_MS = 20_000;

let expected: EndState = {};

async function endOf(run: Run): Promise<EndState> {
  return (await runAll([run], 1)).get(run) ?? {};
}

beforeAll(async () => {
  expected = await endOf(new Run('balance', 'uninterrupted', planFor([])));
});

// At once: most of it is waiting for what never comes, and each run has plans of its own.
test.concurrent.each<[Plant, string, RegExp]>([
  ['no_alarm', 'object sends orchestrator.wallet.hold_funds #before', /^stuck in holding_funds$/],
  ['unstored', 'payment create #before', /^lost$/],
  ['fresh_effect_ids', 'consumer of orchestrator.wallet.debit execute #after', /^stuck in needs_attention$/],
  ['fresh_provider_keys', 'consumer of orchestrator.gateway.authorize fetch #after', /\.again/],
])('%s, with a crash at "%s", is caught', async (plant, point, told) => {
  const healthy = await endOf(new Run('balance', `without-${plant}`, planFor([point]), REST_BOUND_MS));
  expect(difference(healthy, expected, 'exact')).toBeNull();
  const broken = await endOf(
    new Run('balance', plant, planFor([point], { plants: [plant], traced: true }), REST_BOUND_MS),
  );
  expect(difference(broken, expected, 'exact')).toMatch(told);
  if (plant === 'fresh_provider_keys') expect(broken.books?.match(/"status":"authorized"/g)).toHaveLength(2);
});

test('what a crash takes before it is durable was never there: the claim of a key is undone', async () => {
  const run = new Run('balance', 'undone', planFor(['payment create #uncommitted', 'payment create #uncommitted']));
  follow(run.plan, [run.paymentId]);
  expect((await postPayment({ wallet_id: run.walletId }, run.key)).status).toBeGreaterThanOrEqual(500);
  const object = env.PAYMENT_SAGA.getByName(`default|sandbox|/payments|${run.key}`);
  expect(await object.describeKey()).toEqual({ kind: 'unused' });
});
