/** The stories of docs/sandbox.md through the whole service: signed callbacks over HTTP, sagas, and both sides' books. */
import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, it } from 'vitest';
import { createPayment, terminal, timeline, until } from '../support/payments.ts';

beforeAll(async () => {
  // The faults of this file would open the breakers, rightly, and send its other stories to the other provider.
  for (const name of ['acme', 'borealis']) await env.PROVIDER_HEALTH.getByName(name).force('closed');
});

async function chargesOf(paymentId: string) {
  const of = async (provider: string) =>
    (await env.SANDBOX_PROVIDER.getByName(provider).books()).charges.filter((entry) => entry.paymentId === paymentId);
  return [...(await of('acme')), ...(await of('borealis'))];
}

async function callbacksOf(paymentId: string, count: number) {
  return await until(
    async () => {
      const { callbacks } = await env.SANDBOX_PROVIDER.getByName('acme').books();
      return callbacks.filter((entry) => entry.body.includes(paymentId));
    },
    (entries) => entries.length === count && entries.every((entry) => entry.done),
  );
}

describe('a story that callbacks tell', () => {
  it.each([
    ['pm_sim_pending', 'COMPLETED', 1],
    ['pm_sim_pending_decline', 'FAILED', 1],
    ['pm_sim_callback_duplicate', 'COMPLETED', 2],
    ['pm_sim_callback_out_of_order', 'COMPLETED', 2],
    ['pm_sim_callback_before_response', 'COMPLETED', 1],
  ] as const)('%s ends %s, with one call and every callback taken', async (token, status, count) => {
    const payment = await createPayment({ wallet_id: `w-${token}`, token });
    expect(await terminal(payment.id)).toMatchObject({ status });
    expect((await callbacksOf(payment.id, count)).map((entry) => entry.lastStatus)).toEqual(Array(count).fill(200));
    // What comes after the end changes nothing: the second callback, and the answer that a callback overtook.
    await scheduler.wait(1_200);
    expect(await terminal(payment.id)).toMatchObject({ status });
    expect(await chargesOf(payment.id)).toMatchObject([{ calls: { authorize: 1, void: 0 } }]);
    const debits = (await timeline(payment.id)).filter((type) => type === 'wallet.debit');
    expect(debits).toHaveLength(status === 'COMPLETED' ? 1 : 0);
  });

  it('under a wrong signature is refused each time, and ends COMPLETED by look-up', async () => {
    const payment = await createPayment({ wallet_id: 'w-bad', token: 'pm_sim_callback_bad_signature' });
    expect(await terminal(payment.id)).toMatchObject({ status: 'COMPLETED' });
    expect(await callbacksOf(payment.id, 1)).toMatchObject([{ forged: true, lastStatus: 401, attempts: 4 }]);
  });
});

type Ending = readonly [token: string, status: 'COMPLETED' | 'FAILED', inForce: readonly string[]];

/** Side by side. `inForce`: the providers at which money is in force in the end. */
async function tell(endings: readonly Ending[]): Promise<Ending[]> {
  return await Promise.all(
    endings.map(async ([token]): Promise<Ending> => {
      const payment = await createPayment({ wallet_id: `w-${token}`, token });
      const { status } = await terminal(payment.id, 55_000);
      const charges = await chargesOf(payment.id);
      const inForce = charges.filter((charge) => charge.status === 'authorized').map((charge) => charge.key);
      const providers = inForce.map((key) => key.slice(key.lastIndexOf('.') + 1));
      return [token, status === 'COMPLETED' ? 'COMPLETED' : 'FAILED', providers];
    }),
  );
}

describe('every other story ends as docs/sandbox.md says, with money in force at one provider or at none', () => {
  it.each<[string, Ending[]]>([
    [
      'those that answer',
      [
        ['pm_sim_callback_never', 'COMPLETED', ['acme']],
        ['pm_sim_5xx_after_success', 'COMPLETED', ['acme']],
        ['pm_sim_stale_status', 'COMPLETED', ['acme']],
        ['pm_sim_rate_limited', 'COMPLETED', ['acme']],
        ['pm_sim_flaky_1', 'COMPLETED', ['acme']],
        ['pm_sim_primary_down', 'COMPLETED', ['borealis']],
        ['pm_sim_debit_fail', 'FAILED', []],
        ['pm_sim_unavailable', 'FAILED', []],
      ],
    ],
    [
      'those that time out',
      [
        ['pm_sim_timeout_before', 'FAILED', []],
        ['pm_sim_timeout_after_success', 'COMPLETED', ['acme']],
        ['pm_sim_slow_2500', 'COMPLETED', ['acme']],
        ['pm_sim_primary_ambiguous', 'COMPLETED', ['acme']],
      ],
    ],
  ])('%s', async (_says, endings) => {
    expect(await tell(endings)).toEqual(endings);
  });
});
