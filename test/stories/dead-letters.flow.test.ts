/**
 * Dead letters of real sagas, carried to their dead-letter queue by the platform. Alarms are taken away where a test shows
 * what a redrive does: without them nothing but the redrive can move a saga.
 */
import { runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, expect, test } from 'vitest';
import { paymentObjectId } from '../../src/stubs.ts';
import { balance, discard, type Letter, letter, letters, redriveAll, redriveOne } from '../support/dead-letters.ts';
import { type Delivery, killMessages, kindOf, loseMessages } from '../support/losses.ts';
import {
  call,
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
import { tellSomebody } from '../support/webhooks.ts';

afterEach(async () => {
  heal();
  const { in: came, present, redriven, discarded, ...counted } = await balance();
  expect(present + redriven + discarded, 'X3').toBe(came);
  expect(counted).toEqual({ countedRedriven: redriven, countedDiscarded: discarded });
});

let wallets = 0;

async function funded(): Promise<string> {
  wallets += 1;
  await openWallet(`dead-${wallets}`, 5_000);
  return `dead-${wallets}`;
}

/** Kills the first message of that kind; what is sent after it is lost, until the test lets it through. */
function killFirst(kind: string): void {
  const killed = new Set<string>();
  killMessages((delivery) => {
    if (kindOf(delivery) !== kind) return false;
    killed.add(JSON.stringify(delivery.body));
    return killed.size === 1;
  });
  loseMessages(
    (delivery) => kindOf(delivery) === kind && killed.size > 0 && !killed.has(JSON.stringify(delivery.body)),
  );
}

function heal(): void {
  killMessages(null);
  loseMessages(null);
}

async function withoutAlarm(paymentId: string): Promise<void> {
  const id = paymentObjectId(env, paymentId);
  if (id === null) throw new Error('no object');
  await runInDurableObject(env.PAYMENT_SAGA.get(id), (_object, state) => state.storage.deleteAlarm());
}

function lettersOf(entityId: string, count = 1): Promise<Letter[]> {
  return until(
    () => letters({ entity_id: entityId }),
    (found) => found.length >= count,
  );
}

test.each(['orchestrator.wallet.hold_funds', 'orchestrator.wallet.debit'])(
  '%s dies: its saga goes on waiting, and a redrive carries it to its end, with one effect',
  async (type) => {
    const walletId = await funded();
    killFirst(type);
    const { id } = await createPayment({ wallet_id: walletId });
    const [dead] = await lettersOf(id);
    expect(dead).toMatchObject({ queue: 'wallet-commands', message_type: type, reason: 'its attempts are spent' });
    await withoutAlarm(id);
    heal();
    expect(await letter(dead?.id ?? '')).toMatchObject({ status: 'present', owner: { awaits: true } });
    expect(await redriveOne(dead?.id ?? '')).toMatchObject({ result: 'redriven', outcome: 'sent_again' });
    expect((await terminal(id)).status).toBe('COMPLETED');
    expect((await letter(dead?.id ?? '')).owner).toEqual({ awaits: false, state: 'completed' });
    expect(await redriveOne(dead?.id ?? '')).toMatchObject({ result: 'already_redriven', outcome: 'sent_again' });
    expect((await entries(walletId)).map((entry) => entry.type)).toEqual(['deposit', 'hold', 'debit']);
    expect(await chargeOf(id)).toMatchObject({ status: 'authorized', calls: { authorize: 1 } });
  },
);

test('a redriven command that dies again is a letter of its own, and the old one stays redriven', async () => {
  const walletId = await funded();
  const isDebit = (delivery: Delivery) => kindOf(delivery) === 'orchestrator.wallet.debit';
  killMessages(isDebit);
  const { id } = await createPayment({ wallet_id: walletId });
  const [first] = await lettersOf(id);
  await withoutAlarm(id);
  expect(await redriveOne(first?.id ?? '')).toMatchObject({ result: 'redriven', outcome: 'sent_again' });
  const both = await lettersOf(id, 2);
  const second = both.find((each) => each.id !== first?.id);
  expect(second).toMatchObject({ effect_id: first?.effect_id, status: 'present' });
  expect((await letter(first?.id ?? '')).status).toBe('redriven');
  await withoutAlarm(id);
  heal();
  expect(await redriveOne(second?.id ?? '')).toMatchObject({ result: 'redriven', outcome: 'sent_again' });
  expect((await terminal(id)).status).toBe('COMPLETED');
  expect((await entries(walletId)).map((entry) => entry.type)).toEqual(['deposit', 'hold', 'debit']);
});

test('a dead authorization of a saga that has turned back is redriven and charges nothing', {
  timeout: 120_000,
}, async () => {
  const walletId = await funded();
  killFirst('orchestrator.gateway.authorize');
  const { id } = await createPayment({ wallet_id: walletId });
  const [dead] = await lettersOf(id);
  // The saga is told: what died may have charged, so it asks, until the absence is proven.
  const payment = await terminal(id, 90_000);
  expect(payment).toMatchObject({ status: 'FAILED', failure: { code: 'gateway_unavailable' } });
  const told = await timeline(id);
  expect(told).toContain('orchestrator.gateway.lookup');
  heal();
  expect(await redriveOne(dead?.id ?? '')).toEqual({
    id: dead?.id,
    object: 'dead_letter_redrive',
    result: 'redriven',
    outcome: 'no_longer_awaited',
    owner_state: 'failed',
  });
  // A payment that goes the whole way after it has overtaken whatever the redrive might have sent.
  const after = await createPayment({ wallet_id: walletId });
  expect((await terminal(after.id)).status).toBe('COMPLETED');
  expect((await chargeOf(id))?.calls.authorize ?? 0).toBe(0);
  // The gateway would not have called so late, but it would have said so, and had the saga undo what may be.
  expect(await timeline(id)).toEqual(told);
  expect((await entries(walletId)).map((entry) => entry.type)).toEqual(['deposit', 'hold', 'release', 'hold', 'debit']);
});

test('a dead look-up is asked again, by itself and by a redrive', async () => {
  const walletId = await funded();
  killFirst('orchestrator.gateway.lookup');
  const { id } = await createPayment({ wallet_id: walletId, token: 'pm_sim_timeout_after_success' });
  const [dead] = await lettersOf(id);
  await withoutAlarm(id);
  heal();
  expect(await redriveOne(dead?.id ?? '')).toMatchObject({ outcome: 'sent_again' });
  expect((await terminal(id)).status).toBe('COMPLETED');
  expect(await chargeOf(id)).toMatchObject({ status: 'authorized', calls: { authorize: 1 } });
});

test('a dead void is not taken for done: it is sent again, by itself and by a redrive', async () => {
  const walletId = await funded();
  killFirst('orchestrator.gateway.unauthorize');
  const { id } = await createPayment({ wallet_id: walletId, token: 'pm_sim_debit_fail' });
  const [dead] = await lettersOf(id);
  await withoutAlarm(id);
  expect(await json(`/payments/${id}`)).toMatchObject({ status: 'PENDING', saga_state: 'compensating' });
  heal();
  expect(await redriveOne(dead?.id ?? '')).toMatchObject({ outcome: 'sent_again' });
  expect(await terminal(id)).toMatchObject({ status: 'FAILED', failure: { code: 'debit_failed' } });
  expect(await chargeOf(id)).toMatchObject({ status: 'voided', calls: { void: 1 } });
  expect((await wallet(walletId)).held).toBe(0);
});

test('a dead notification is taken over after a redrive, once', async () => {
  const walletId = await funded();
  await tellSomebody();
  killFirst('orchestrator.notify.payment_success');
  const { id } = await createPayment({ wallet_id: walletId });
  await terminal(id);
  const [dead] = await lettersOf(id);
  await withoutAlarm(id);
  const stored = async () =>
    (await env.DB.prepare('SELECT id FROM notifications WHERE group_id = ?').bind(`payment_${id}`).all()).results;
  expect(await stored()).toEqual([]);
  heal();
  expect(await redriveOne(dead?.id ?? '')).toMatchObject({ outcome: 'sent_again' });
  await until(stored, (rows) => rows.length > 0);
  await until(
    async () => (await letter(dead?.id ?? '')).owner?.awaits,
    (awaits) => awaits === false,
  );
  expect(await stored()).toEqual([{ id: dead?.effect_id }]);
});

test('a dead publication is published by its saga after a redrive, from all that is not recorded', async () => {
  const walletId = await funded();
  killMessages((delivery) => delivery.queue === 'payment-events');
  const { id } = await createPayment({ wallet_id: walletId });
  await terminal(id);
  const [dead] = await until(
    () => letters({ entity_id: id, message_type: 'publication' }),
    (found) => found.length > 0,
  );
  await withoutAlarm(id);
  heal();
  expect(await redriveOne(dead?.id ?? '')).toMatchObject({ outcome: 'sent_again', owner_state: 'completed' });
  const rows = await until(
    async () =>
      (
        await env.DB.prepare('SELECT events FROM events WHERE group_id = ? ORDER BY sequence_first')
          .bind(`payment_${id}`)
          .all<{ events: string }>()
      ).results,
    (found) => found.length > 0,
  );
  const recorded = rows.flatMap((row) => JSON.parse(row.events) as { event_type: string }[]);
  expect(recorded.map((event) => event.event_type)).toEqual(await timeline(id));
  await until(
    async () => (await letter(dead?.id ?? '')).owner?.awaits,
    (awaits) => awaits === false,
  );
});

test("a refund's dead credit is redriven through the refund's saga, and credits once", async () => {
  const walletId = await funded();
  const { id } = await createPayment({ wallet_id: walletId, amount: 500 });
  expect((await terminal(id)).status).toBe('COMPLETED');
  killFirst('orchestrator.wallet.credit');
  const response = await call('/refunds', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': freshKey('refund') },
    body: JSON.stringify({ payment_id: id }),
  });
  const refund = await response.json<{ id: string }>();
  const [dead] = await lettersOf(refund.id);
  heal();
  expect(await redriveAll([dead?.id ?? '', dead?.id ?? ''])).toMatchObject([{ outcome: 'sent_again' }]);
  await until(
    () => json<{ status: string }>(`/refunds/${refund.id}`),
    (view) => view.status === 'COMPLETED',
  );
  expect((await entries(walletId)).map((entry) => entry.type)).toEqual(['deposit', 'hold', 'debit', 'credit']);
});

test('discarding a letter changes no saga: it sends again by itself and ends', async () => {
  const walletId = await funded();
  killFirst('orchestrator.wallet.debit');
  const { id } = await createPayment({ wallet_id: walletId });
  const [dead] = await lettersOf(id);
  heal();
  expect((await discard(dead?.id ?? '')).status).toBe(200);
  expect((await terminal(id, 60_000)).status).toBe('COMPLETED');
  expect((await letter(dead?.id ?? '')).status).toBe('discarded');
});
