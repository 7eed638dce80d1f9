import { env } from 'cloudflare:workers';
import { expect, test } from 'vitest';
import type { PaymentView } from '../../src/domain/payment.ts';
import {
  call,
  chargeOf,
  chargesAt,
  entries,
  freshKey,
  openWallet,
  postPayment,
  terminal,
  until,
  wallet,
} from '../support/payments.ts';

test('P5: 1,000 concurrent POSTs with one key are one saga, one authorization and equal answers', async () => {
  await openWallet('one-key', 5_000);
  const key = freshKey('p5');
  const responses = await Promise.all(
    Array.from({ length: 1_000 }, () => postPayment({ wallet_id: 'one-key' }, key, { prefer: 'wait=20' })),
  );
  const bodies = new Set(await Promise.all(responses.map((response) => response.text())));
  expect(bodies.size).toBe(1);
  const payment = JSON.parse([...bodies][0] ?? '') as PaymentView;
  expect(payment.status).toBe('COMPLETED');
  const statuses = responses.map((response) => response.status);
  expect(statuses.filter((status) => status === 201)).toHaveLength(1);
  expect(statuses.filter((status) => status === 200)).toHaveLength(999);
  expect((await entries('one-key')).map((entry) => entry.type)).toEqual(['deposit', 'hold', 'debit']);
  const charge = await chargeOf(payment.id);
  expect(charge).toMatchObject({ status: 'authorized', calls: { authorize: 1 } });
  console.info(`P5 posts=${responses.length} answers=${bodies.size} authorizations=${charge?.calls.authorize}`);
});

test('P6: of 1,000 payments on a wallet funded for exactly 500, exactly 500 complete', {
  timeout: 600_000,
}, async () => {
  const amount = 100;
  await openWallet('crowded', 500 * amount);
  const ids = await Promise.all(
    Array.from({ length: 1_000 }, async () => {
      const response = await postPayment({ wallet_id: 'crowded', amount });
      expect(response.status).toBe(202);
      return (await response.json<PaymentView>()).id;
    }),
  );
  const payments: PaymentView[] = [];
  // One after the other: a thousand pollers would be the load.
  for (const id of ids) payments.push(await terminal(id, 300_000));
  expect(payments.filter((payment) => payment.status === 'COMPLETED')).toHaveLength(500);
  expect(payments.filter((payment) => payment.failure?.code === 'insufficient_funds')).toHaveLength(500);
  expect(await wallet('crowded')).toMatchObject({ available: 0, held: 0, settled: 500 * amount, holds_total: 0 });
  // Where calls are slow a breaker opens, and the next provider is asked: whichever has authorized.
  const charges = [...(await chargesAt('acme')), ...(await chargesAt('borealis'))];
  const authorized = charges.filter(
    (charge) => charge.status === 'authorized' && ids.includes(charge.paymentId),
  ).length;
  expect(authorized).toBe(500);
  const counted = await until(
    () =>
      env.DB.prepare("SELECT value FROM metric_counters WHERE series = 'metrics.payment.failure'").first<number>(
        'value',
      ),
    (value) => (value ?? 0) >= 500,
  );
  expect(counted).toBe(500);
  expect((await call('/health')).status).toBe(200);
  console.info(`P6 payments=${ids.length} authorized=${authorized} failed=${counted}`);
});
