// Regressions of payments and refunds: each test is a fault that another system had (README.md), through the real entry,
// with real objects, queues and provider books.
import { abortAllDurableObjects, createMessageBatch, evictDurableObject, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, describe, expect, test } from 'vitest';
import { consumeGatewayCommands } from '../../queues/gateway-commands.ts';
import { publicIdFromHex, sagaObjectName } from '../../src/domain/ids.ts';
import type { PaymentView } from '../../src/domain/payment.ts';
import { kindOf, loseMessages } from '../support/losses.ts';
import {
  call,
  chargeOf,
  createPayment,
  entries,
  freshKey,
  json,
  openWallet,
  postPayment,
  provider,
  terminal,
  until,
  wallet,
} from '../support/payments.ts';
import { failWrites } from '../support/saga-storage.ts';

const FUNDS = 5_000;
const AUTHORIZE = 'orchestrator.gateway.authorize';

let wallets = 0;

async function freshWallet(): Promise<string> {
  wallets += 1;
  await openWallet(`regression-${wallets}`, FUNDS);
  return `regression-${wallets}`;
}

function sagaOf(key: string) {
  return env.PAYMENT_SAGA.getByName(sagaObjectName({ merchant: 'default', mode: 'sandbox' }, '/payments', key));
}

const types = async (walletId: string): Promise<string[]> => (await entries(walletId)).map(({ type }) => type);

function deliverToGateway(body: unknown): Promise<void> {
  const message = { id: crypto.randomUUID(), timestamp: Date.now(), attempts: 1, body };
  return consumeGatewayCommands(createMessageBatch('gateway-commands', [message]), env);
}

afterEach(() => loseMessages(null));

describe('an idempotency record that is read first and written last', () => {
  test('50 requests with one key at once are one payment, one hold and one charge', async () => {
    const [walletId, key] = [await freshWallet(), freshKey()];
    const responses = await Promise.all(Array.from({ length: 50 }, () => postPayment({ wallet_id: walletId }, key)));
    const payments = await Promise.all(responses.map((response) => response.json<PaymentView>()));
    expect(new Set(payments.map(({ id }) => id)).size).toBe(1);
    expect(responses.filter(({ headers }) => headers.get('idempotency-status') === 'created')).toHaveLength(1);
    await terminal(payments[0]?.id ?? '');
    expect(await types(walletId)).toEqual(['deposit', 'hold', 'debit']);
    expect(await chargeOf(payments[0]?.id ?? '')).toMatchObject({ calls: { authorize: 1 } });
  });

  test('a crash right after the answer finds the key claimed: the next try is the same payment', async () => {
    loseMessages(() => true);
    const [walletId, key] = [await freshWallet(), freshKey()];
    const { id } = await createPayment({ wallet_id: walletId }, key);
    await evictDurableObject(sagaOf(key));
    const again = await postPayment({ wallet_id: walletId }, key);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect((await again.json<PaymentView>()).id).toBe(id);
  });
});

describe('an outbox in name only', () => {
  test('a commit that cannot be written sends nothing, claims nothing, and says so', async () => {
    const [walletId, key] = [await freshWallet(), freshKey()];
    const paymentId = publicIdFromHex('pay_', sagaOf(key).id.toString());
    const delivered: string[] = [];
    loseMessages((delivery) => {
      if (JSON.stringify(delivery.body).includes(paymentId)) delivered.push(kindOf(delivery));
      return false;
    });
    const heal = await runInDurableObject(sagaOf(key), (_, { storage }) =>
      failWrites(storage, (_key, value) => JSON.stringify(value).includes(key)),
    );
    expect((await postPayment({ wallet_id: walletId }, key)).status).toBe(500);
    // Another payment goes all the way: by then a message of the first would have been here.
    await terminal((await createPayment({ wallet_id: walletId })).id);
    expect(delivered).toEqual([]);

    heal();
    const { id } = await createPayment({ wallet_id: walletId }, key);
    expect((await terminal(id)).status).toBe('COMPLETED');
  });
});

test('sagas in memory, fire and forget: with every message lost and every object gone, the alarm goes on', async () => {
  const lost: string[] = [];
  loseMessages((delivery) => lost.push(kindOf(delivery)) > 0);
  const walletId = await freshWallet();
  const { id } = await createPayment({ wallet_id: walletId });
  await until(
    async () => lost,
    (kinds) => kinds.includes('orchestrator.wallet.hold_funds'),
  );
  await abortAllDurableObjects();
  loseMessages(null);
  expect((await terminal(id)).status).toBe('COMPLETED');
  expect(await types(walletId)).toEqual(['deposit', 'hold', 'debit']);
});

test('a timeout that is treated as a decline, and refunded: unknown is looked up, and the charge that was made is kept', async () => {
  const walletId = await freshWallet();
  const { id } = await createPayment({ wallet_id: walletId, token: 'pm_sim_timeout_after_success' });
  const unknown = await until(
    () => json<PaymentView>(`/payments/${id}`),
    ({ saga_state: state }) => state === 'authorization_unknown' || state === 'completed' || state === 'failed',
  );
  expect(unknown.saga_state).toBe('authorization_unknown');
  expect(await wallet(walletId)).toMatchObject({ held: 1_230 });
  expect((await terminal(id)).status).toBe('COMPLETED');
  expect(await types(walletId)).toEqual(['deposit', 'hold', 'debit']);
  expect(await chargeOf(id)).toMatchObject({ status: 'authorized', calls: { authorize: 1, void: 0 } });
});

test('a POST to a provider that is tried again without a key: five calls are one charge', async () => {
  const authorizations: unknown[] = [];
  loseMessages((delivery) => {
    if (kindOf(delivery) === AUTHORIZE) authorizations.push(delivery.body);
    return false;
  });
  const { id } = await createPayment({ wallet_id: await freshWallet() });
  await terminal(id);
  for (let n = 0; n < 4; n++) await deliverToGateway(authorizations[0]);
  const { charges } = await provider('acme').books({ afterCharge: id, limit: 10 });
  const own = charges.filter(({ paymentId }) => paymentId === id);
  expect(own).toMatchObject([{ status: 'authorized', calls: { authorize: 5 } }]);
});

test('a cancel that "succeeds" before a late create lands: an authorization that comes after the end charges nobody', {
  timeout: 120_000,
}, async () => {
  // No authorization reaches the gateway; look-ups do, and find nothing.
  const late: unknown[] = [];
  loseMessages((delivery) => {
    if (kindOf(delivery) !== AUTHORIZE) return false;
    late.push(delivery.body);
    return true;
  });
  const walletId = await freshWallet();
  const { id } = await createPayment({ wallet_id: walletId });
  const failed = await terminal(id, 100_000);
  expect(failed).toMatchObject({ status: 'FAILED', failure: { code: 'gateway_unavailable' } });
  expect(await wallet(walletId)).toMatchObject({ available: FUNDS, held: 0 });

  expect(late.length).toBeGreaterThan(0);
  for (const message of late) await deliverToGateway(message);
  const inForce = await Promise.all(['acme', 'borealis'].map((name) => chargeOf(id, name)));
  expect(inForce).toEqual([null, null]);
  expect((await json<PaymentView>(`/payments/${id}`)).status).toBe('FAILED');
});

test('a compensation that is stored as done although a step failed: FAILED only once the void has succeeded', async () => {
  const walletId = await freshWallet();
  // The debit comes to the wallet only after the deadline: everything is to be undone, and the first two voids fail.
  const deadlineMs = Date.now() + 15_000;
  const debits: unknown[] = [];
  loseMessages((delivery) => {
    if (kindOf(delivery) !== 'orchestrator.wallet.debit') return false;
    debits.push(delivery.body);
    return Date.now() <= deadlineMs;
  });
  const deadline = new Date(deadlineMs).toISOString();
  const { id } = await createPayment({ wallet_id: walletId, token: 'pm_sim_void_fail_2', deadline });
  await until(
    async () => debits.length,
    (sent) => sent > 0 && Date.now() > deadlineMs,
  );
  await env.WALLET_COMMANDS.send(debits[0]);
  // Read in this order, a payment that says FAILED has had its charge undone before.
  const ended = await until(
    async () => ({ payment: await json<PaymentView>(`/payments/${id}`), charge: await chargeOf(id) }),
    ({ payment }) => payment.status !== 'PENDING' || payment.saga_state === 'needs_attention',
  );
  expect(ended.payment).toMatchObject({ status: 'FAILED', failure: { code: 'deadline_exceeded' } });
  expect(ended.charge).toMatchObject({ status: 'voided', calls: { void: 3 } });
  expect(await types(walletId)).toEqual(['deposit', 'hold', 'release']);
});

describe('a double refund', () => {
  function refund(paymentId: string, key: string): Promise<Response> {
    return call('/refunds', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify({ payment_id: paymentId }),
    });
  }

  test('at once under two keys: one is taken, the other refused, and the money goes back once', async () => {
    const walletId = await freshWallet();
    const { id } = await createPayment({ wallet_id: walletId });
    await terminal(id);
    const responses = await Promise.all([1, 2, 3, 4].map(() => refund(id, freshKey('refund'))));
    expect(responses.map(({ status }) => status).sort()).toEqual([202, 422, 422, 422]);
    await until(
      () => wallet(walletId),
      ({ available }) => available === FUNDS,
    );
    expect(await types(walletId)).toEqual(['deposit', 'hold', 'debit', 'credit']);
    expect(await chargeOf(id)).toMatchObject({ refundedMinor: 1_230 });
  });

  test('at once under one key: one refund, told twice', async () => {
    const walletId = await freshWallet();
    const { id } = await createPayment({ wallet_id: walletId });
    await terminal(id);
    const key = freshKey('refund');
    const responses = await Promise.all([1, 2, 3, 4].map(() => refund(id, key)));
    const refunds = await Promise.all(responses.map((response) => response.json<{ id: string }>()));
    expect(new Set(refunds.map((each) => each.id)).size).toBe(1);
    await until(
      () => wallet(walletId),
      ({ available }) => available === FUNDS,
    );
    expect(await types(walletId)).toEqual(['deposit', 'hold', 'debit', 'credit']);
  });
});
