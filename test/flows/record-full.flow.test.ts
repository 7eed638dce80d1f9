/**
 * A record (D1) that has no room: it answers what it is asked, and takes no row and no change of one. Payments need none of it;
 * what it is needed for is refused, and nothing of it half done; and when there is room again it is told of everything.
 */
import { env } from 'cloudflare:workers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HOUR_MS } from '../../src/domain/limits.ts';
import type { RefundView } from '../../src/domain/refund.ts';
import { sweep } from '../../src/recovery/sweep.ts';
import { atRest, post, walkFindings } from '../audit/world.ts';
import {
  chargeOf,
  createPayment,
  entries,
  freshKey,
  json,
  openWallet,
  terminal,
  timeline,
  until,
  wallet,
} from '../support/payments.ts';
import { Receiver, verified } from '../support/receiver.ts';
import { stuckPayment } from '../support/stuck.ts';
import { type Endpoint, makeEndpoint } from '../support/webhooks.ts';

/** In D1's own words (https://developers.cloudflare.com/d1/observability/debug-d1/). */
const FULL = 'Exceeded maximum DB size';
const KINDS = ['INSERT', 'UPDATE'] as const;

let tables: readonly string[] = [];
/** What the record has to be told of when there is room again. The first is stuck, and recorded: it has lost its alarm. */
const payments: string[] = [];
const refunds: string[] = [];
const receiver = new Receiver();
let endpoint: Endpoint;

async function fill(): Promise<void> {
  await env.DB.batch(
    tables.flatMap((table) =>
      KINDS.map((kind) =>
        env.DB.prepare(
          `CREATE TRIGGER full_${kind}_${table} BEFORE ${kind} ON ${table} BEGIN SELECT RAISE(ABORT, '${FULL}'); END`,
        ),
      ),
    ),
  );
}

async function makeRoom(): Promise<void> {
  await env.DB.batch(
    tables.flatMap((table) => KINDS.map((kind) => env.DB.prepare(`DROP TRIGGER IF EXISTS full_${kind}_${table}`))),
  );
}

const listed = async (path: string) => (await json<{ data: { id: string }[] }>(path)).data.map(({ id }) => id);

beforeAll(async () => {
  const { results } = await env.DB.prepare(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_cf_%' AND name <> 'd1_migrations'",
  ).all<{ name: string }>();
  tables = results.map(({ name }) => name);
  await openWallet('full-before', 10_000);
  await until(
    () => listed('/wallets'),
    (ids) => ids.length === 1,
  );
  payments.push(await stuckPayment('full-before'));
  endpoint = await makeEndpoint({ url: receiver.url });
  await fill();
});
afterAll(makeRoom);

test('payments, refunds, wallets and deposits need none of it, and their owners answer', async () => {
  await openWallet('full-since', 5_000);
  const endings = [
    { token: 'pm_card_visa', status: 'COMPLETED' },
    { token: 'pm_card_visa_chargeDeclined', status: 'FAILED' },
    { token: 'pm_sim_timeout_after_success', status: 'COMPLETED' },
    // Its callback finds the payment as it would with a record, or is answered 503 and the payment is looked up.
    { token: 'pm_sim_pending', status: 'COMPLETED' },
  ];
  const made = await Promise.all(
    endings.map(({ token }) => createPayment({ wallet_id: 'full-since', amount: 500, token })),
  );
  const ended = await Promise.all(made.map(({ id }) => terminal(id, 60_000)));
  expect(ended.map(({ status }) => status)).toEqual(endings.map(({ status }) => status));
  payments.push(...made.map(({ id }) => id));
  expect(await wallet('full-since')).toMatchObject({ available: 3_500, held: 0, settled: 1_500 });

  const [refunded = ''] = made.map(({ id }) => id);
  const key = { 'idempotency-key': freshKey('refund') };
  const { id } = await (await post('/refunds', { payment_id: refunded, amount: 200 }, key)).json<RefundView>();
  const refund = await until(
    () => json<RefundView>(`/refunds/${id}`),
    ({ status }) => status !== 'PENDING',
  );
  expect(refund.status).toBe('COMPLETED');
  refunds.push(id);
  expect((await entries('full-since')).map(({ type }) => type)).toContain('credit');
  expect(await chargeOf(refunded)).toMatchObject({ status: 'authorized', refundedMinor: 200, calls: { authorize: 1 } });

  expect(await timeline(refunded)).toContain('payment.completed');
  const known = await json(`/idempotency-keys/${key['idempotency-key']}?route=/refunds`);
  expect(known).toMatchObject({ status: 'completed' });

  // The record answers, with what it was told before.
  expect(await listed('/wallets')).toEqual(['full-before']);
  expect(await listed('/payments')).toEqual(payments.slice(0, 1));
});

test('a payment that has lost its alarm is set going, though the sweeper can note nothing', async () => {
  const [stuck = ''] = payments;
  expect(await json(`/payments/${stuck}`)).toMatchObject({ status: 'PENDING', saga_state: 'holding_funds' });
  await expect(sweep(env, Date.now() + HOUR_MS)).rejects.toThrow(FULL);
  expect((await terminal(stuck)).status).toBe('COMPLETED');
});

test.each([
  ['POST /webhook-endpoints', '/webhook-endpoints', { url: 'https://example.com/hook' }],
  ['POST /ops/breakers', '/ops/breakers/acme', { state: 'open', actor: 'jane', reason: 'test' }],
  ['POST /ops/reconcile', '/ops/reconcile', { actor: 'jane', reason: 'test' }],
])('%s needs it: 503, to be tried again, and nothing is changed', async (_, path, body) => {
  const response = await post(path, body);
  expect(response.status).toBe(503);
  expect(response.headers.get('retry-after')).toBe('1');
  expect(await response.json()).toMatchObject({ code: 'temporarily_unavailable', retryable: true });
  expect(await listed('/webhook-endpoints')).toEqual([endpoint.id]);
  const breakers = await json<{ data: { state: string }[] }>('/ops/breakers');
  expect(new Set(breakers.data.map(({ state }) => state))).toEqual(new Set(['closed']));
  expect(await listed('/ops/reconciliations')).toEqual([]);
});

test('with room again the record and the merchant are told of all of it, and the audit finds nothing', {
  timeout: 180_000,
}, async () => {
  // What is told is recorded first.
  expect(await receiver.received()).toEqual([]);
  await makeRoom();
  const recordedSoFar = async () => {
    const [wallets, known, back] = await Promise.all([
      listed('/wallets'),
      listed('/payments'),
      Promise.all(payments.map((id) => listed(`/refunds?payment_id=${id}`))),
    ]);
    return { wallets, payments: known.toSorted(), refunds: back.flat() };
  };
  const whole = { wallets: ['full-before', 'full-since'], payments: payments.toSorted(), refunds };
  await until(recordedSoFar, (found) => JSON.stringify(found) === JSON.stringify(whole), 90_000);
  await atRest([...payments, ...refunds]);
  const ids = [...payments, ...refunds].toSorted();
  const told = (await receiver.heard(ids.length)).map((heard) => verified(endpoint.secret, heard));
  expect(told.map(({ data }) => data.id).toSorted()).toEqual(ids);
  expect(await walkFindings()).toEqual([]);
  // What was to be told to the record, or a notification, is a letter when it spent its attempts meanwhile; nothing else has died.
  const letters = await json<{ data: { message_type: string }[] }>('/ops/dead-letters?limit=100');
  const isExpected = (type: string) => /^(publication|wallet_opened|orchestrator\.notify\..*)$/.test(type);
  expect(letters.data.filter(({ message_type: type }) => !isExpected(type))).toEqual([]);
});
