import { evictDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, describe, expect, test } from 'vitest';
import { hexFromPublicId } from '../../src/domain/ids.ts';
import { loseFirst, loseMessages } from '../support/losses.ts';
import {
  chargeOf,
  createPayment,
  entries,
  json,
  openWallet,
  terminal,
  timeline,
  until,
  wallet,
} from '../support/payments.ts';
import { tellSomebody } from '../support/webhooks.ts';

afterEach(() => loseMessages(null));

const SUCCESS = {
  body: {},
  commands: ['orchestrator.wallet.hold_funds', 'orchestrator.gateway.authorize', 'orchestrator.wallet.debit'],
  entries: ['deposit', 'hold', 'debit'],
  charge: 'authorized',
  status: 'COMPLETED',
};
const DECLINE = {
  body: { token: 'pm_card_visa_chargeDeclined' },
  commands: ['orchestrator.wallet.hold_funds', 'orchestrator.gateway.authorize', 'orchestrator.wallet.release_funds'],
  entries: ['deposit', 'hold', 'release'],
  charge: 'declined',
  status: 'FAILED',
};
const COMPENSATION = {
  body: { token: 'pm_sim_debit_fail' },
  commands: [
    'orchestrator.wallet.hold_funds',
    'orchestrator.gateway.authorize',
    'orchestrator.wallet.debit',
    'orchestrator.gateway.unauthorize',
    'orchestrator.wallet.release_funds',
  ],
  entries: ['deposit', 'hold', 'release'],
  charge: 'voided',
  status: 'FAILED',
};

let wallets = 0;

async function payAndCompare(flow: typeof SUCCESS): Promise<string> {
  wallets += 1;
  const walletId = `loss-${wallets}`;
  await openWallet(walletId, 5_000);
  const created = await createPayment({ wallet_id: walletId, ...flow.body });
  const payment = await terminal(created.id);
  expect(payment.status).toBe(flow.status);
  expect((await entries(walletId)).map((entry) => entry.type)).toEqual(flow.entries);
  expect((await wallet(walletId)).held).toBe(0);
  expect((await chargeOf(created.id))?.status).toBe(flow.charge);
  const types = await timeline(created.id);
  for (const type of flow.commands) expect(types.filter((candidate) => candidate === type)).toHaveLength(1);
  return created.id;
}

describe('a message that is lost only delays a payment, and each effect happens once', () => {
  for (const [name, flow] of Object.entries({ SUCCESS, DECLINE, COMPENSATION })) {
    test.each(flow.commands)(`${name}: the first three deliveries of %s are lost`, async (command) => {
      const { lost } = loseFirst(3, (kind) => kind === command);
      await payAndCompare(flow);
      expect(lost.get(command)).toBe(3);
    });

    test(`${name}: the first delivery of every message is lost`, async () => {
      const { lost } = loseFirst(1, () => true);
      await payAndCompare(flow);
      for (const command of flow.commands) expect(lost.get(command)).toBe(1);
    });
  }

  test('the object is evicted while all of its messages are lost: the alarm on disk carries it on', async () => {
    const { lost } = loseFirst(2, () => true);
    await openWallet('evicted', 5_000);
    const created = await createPayment({ wallet_id: 'evicted' });
    const hex = hexFromPublicId('pay_', created.id) ?? '';
    await until(
      async () => lost.get('orchestrator.wallet.hold_funds') ?? 0,
      (count) => count > 0,
    );
    await evictDurableObject(env.PAYMENT_SAGA.get(env.PAYMENT_SAGA.idFromString(hex)));
    expect((await terminal(created.id)).status).toBe('COMPLETED');
    expect((await entries('evicted')).map((entry) => entry.type)).toEqual(['deposit', 'hold', 'debit']);
  });

  test('the publication is lost: the record still gets every event, each once, and so do the counters', async () => {
    const { lost } = loseFirst(2, (kind) => kind === 'payment-events');
    const id = await payAndCompare(SUCCESS);
    const listed = await until(
      () => json<{ data: { id: string; status: string }[] }>(`/payments?wallet_id=loss-${wallets}`),
      (page) => page.data.some((payment) => payment.status === 'COMPLETED'),
    );
    expect(listed.data.map((payment) => payment.id)).toEqual([id]);
    const rows = await env.DB.prepare('SELECT events FROM events WHERE group_id = ? ORDER BY sequence_first')
      .bind(`payment_${id}`)
      .all<{ events: string }>();
    const recorded = rows.results.flatMap((row) => JSON.parse(row.events) as { event_type: string }[]);
    expect(recorded.map((event) => event.event_type)).toEqual(await timeline(id));
    expect(lost.get('payment-events')).toBe(2);
  });

  test('the notification is lost: it is taken over once in the end', async () => {
    await tellSomebody();
    const { lost } = loseFirst(2, (kind) => kind === 'orchestrator.notify.payment_success');
    const id = await payAndCompare(SUCCESS);
    const rows = await until(
      () => env.DB.prepare('SELECT id FROM notifications WHERE group_id = ?').bind(`payment_${id}`).all(),
      (found) => found.results.length > 0,
    );
    expect(rows.results).toHaveLength(1);
    expect(lost.get('orchestrator.notify.payment_success')).toBe(2);
  });
});
