/** A provider that is down: payments go elsewhere, its breaker opens, and its return is found out with a few calls. */
import { env } from 'cloudflare:workers';
import { afterEach, expect, test, vi } from 'vitest';
import { OPEN_FIRST_MS, OPEN_JITTER, PERMITS_MAX } from '../../src/domain/circuit-breaker.ts';
import type { BreakerView } from '../../src/domain/provider-health.ts';
import { chargeOf, createPayment, terminal, until } from '../support/payments.ts';

const acmeHealth = () => env.PROVIDER_HEALTH.getByName('acme');

async function breaker(): Promise<BreakerView | undefined> {
  return (await acmeHealth().read()).find((view) => view.operation === 'authorize');
}

/** Pays `count` times at once; how many of them the first provider's books have heard of, and where the money is. */
async function pay(count: number, body: Record<string, unknown>) {
  const created = await Promise.all(
    Array.from({ length: count }, () => createPayment({ wallet_id: 'failover', ...body })),
  );
  for (const { id } of created) expect((await terminal(id, 60_000)).status).toBe('COMPLETED');
  const charges = await Promise.all(
    created.map(async ({ id }) => ({ acme: await chargeOf(id), borealis: await chargeOf(id, 'borealis') })),
  );
  return {
    askedAcme: charges.filter(({ acme }) => acme !== null).length,
    atAcme: charges.filter(({ acme }) => acme?.status === 'authorized').length,
    atBorealis: charges.filter(({ borealis }) => borealis?.status === 'authorized').length,
  };
}

afterEach(() => {
  vi.useRealTimers();
});

test('a provider that is down is failed over from, then left alone, then tried with its permits only', {
  timeout: 120_000,
}, async () => {
  // Down: every payment completes at the second provider, and the breaker opens.
  const down = await pay(30, { token: 'pm_sim_primary_down' });
  expect(down).toMatchObject({ atAcme: 0, atBorealis: 30 });
  await until(breaker, (view) => view?.state === 'open');

  // Open: it is not asked at all. (An isolate remembers "free" for a second.)
  await scheduler.wait(1_100);
  expect(await pay(10, {})).toEqual({ askedAcme: 0, atAcme: 0, atBorealis: 10 });

  // Back, half open: of many that come at once, only the permits go through; the others complete elsewhere.
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + OPEN_FIRST_MS * (1 + OPEN_JITTER) + 1 });
  const tried = await pay(25, {});
  expect(tried.askedAcme).toBeGreaterThan(0);
  expect(tried.atAcme).toBe(tried.askedAcme);
  expect(tried.atAcme + tried.atBorealis).toBe(25);

  // Its permits all went well: closed, and everything goes there again.
  await until(breaker, (view) => view?.state === 'closed');
  expect(await pay(5, {})).toEqual({ askedAcme: 5, atAcme: 5, atBorealis: 0 });
});

test('half open, no more calls are under way at once than there are permits', { timeout: 60_000 }, async () => {
  await acmeHealth().force(null);
  await pay(30, { token: 'pm_sim_primary_down' });
  await until(breaker, (view) => view?.state === 'open');
  // Past whatever an isolate remembers of the test before.
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 5 * OPEN_FIRST_MS });
  // Twenty ask in one turn, as a batch does: those without a lease are refused, and none of the leases is told of yet.
  const permits = await acmeHealth().ask({ authorize: 20 });
  expect(permits.authorize).toMatchObject({ kind: 'leased' });
  expect(permits.authorize?.kind === 'leased' ? permits.authorize.leases : []).toHaveLength(PERMITS_MAX);
  expect((await acmeHealth().ask({ authorize: 1 })).authorize?.kind).toBe('refused');
  const { askedAcme, atBorealis } = await pay(5, {});
  expect({ askedAcme, atBorealis }).toEqual({ askedAcme: 0, atBorealis: 5 });
});
