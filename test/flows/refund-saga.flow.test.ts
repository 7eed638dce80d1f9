import { evictDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, describe, expect, test } from 'vitest';
import type { PaymentView } from '../../src/domain/payment.ts';
import type { RefundView } from '../../src/domain/refund.ts';
import { refundObjectId } from '../../src/stubs.ts';
import { loseFirst, loseMessages } from '../support/losses.ts';
import {
  call,
  chargeOf,
  createPayment,
  entries,
  freshKey,
  json,
  openWallet,
  provider,
  terminal,
  until,
  wallet,
} from '../support/payments.ts';

const FUNDS = 5_000;

afterEach(() => loseMessages(null));

let wallets = 0;

/** A completed payment of 500 from a wallet of its own. */
async function paid(body: Record<string, unknown> = {}) {
  wallets += 1;
  const walletId = `refund-${wallets}`;
  await openWallet(walletId, FUNDS);
  const { id } = await createPayment({ wallet_id: walletId, amount: 500, ...body });
  expect((await terminal(id)).status).toBe('COMPLETED');
  return { paymentId: id, walletId };
}

function refund(paymentId: string, body: Record<string, unknown> = {}, key = freshKey('refund')): Promise<Response> {
  return call('/refunds', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify({ payment_id: paymentId, ...body }),
  });
}

async function refunded(paymentId: string, body: Record<string, unknown> = {}): Promise<RefundView> {
  const response = await refund(paymentId, body);
  expect(response.status).toBe(202);
  const { id } = await response.json<RefundView>();
  return until(
    () => json<RefundView>(`/refunds/${id}`),
    (view) => view.status !== 'PENDING',
  );
}

function refundsAt(paymentId: string) {
  return until(
    async () =>
      (await provider('acme').books({ limit: 500 })).refunds.filter((each) => each.chargeKey.startsWith(paymentId)),
    () => true,
  );
}

async function payment(id: string): Promise<PaymentView> {
  return json<PaymentView>(`/payments/${id}`);
}

describe('a refund', () => {
  test('in part gives that part back: the payment, the wallet and the provider agree', async () => {
    const { paymentId, walletId } = await paid();
    const view = await refunded(paymentId, { amount: 200, reason: 'returned' });
    expect(view).toMatchObject({
      status: 'COMPLETED',
      amount: 200,
      currency: 'USD',
      reason: 'returned',
      provider: 'acme',
    });
    expect(await wallet(walletId)).toMatchObject({ available: FUNDS - 300, settled: 300 });
    expect((await entries(walletId)).map((entry) => entry.type)).toEqual(['deposit', 'hold', 'debit', 'credit']);
    expect(await chargeOf(paymentId)).toMatchObject({ refundedMinor: 200 });
    await until(
      () => payment(paymentId),
      (found) => found.refunded_amount === 200,
    );
  });

  test('without an amount gives all that is left back', async () => {
    const { paymentId } = await paid();
    await refunded(paymentId, { amount: 200 });
    expect(await refunded(paymentId)).toMatchObject({ amount: 300, status: 'COMPLETED' });
    const third = await refund(paymentId);
    expect(third.status).toBe(422);
    expect((await third.json<{ code: string }>()).code).toBe('refund_amount_exceeds_refundable');
  });

  test('of more than is left is refused, starts nothing, and leaves the key free', async () => {
    const { paymentId } = await paid();
    const key = freshKey('refund');
    const refused = await refund(paymentId, { amount: 501 }, key);
    expect(refused.status).toBe(422);
    expect((await refund(paymentId, { amount: 500 }, key)).status).toBe(202);
  });

  test('of a payment that is not completed is refused', async () => {
    await openWallet('declined', FUNDS);
    const { id } = await createPayment({ wallet_id: 'declined', token: 'pm_card_visa_chargeDeclined' });
    await terminal(id);
    const response = await refund(id);
    expect(response.status).toBe(409);
    expect((await response.json<{ code: string }>()).code).toBe('payment_not_refundable');
  });

  test('of a payment that is not there is a 404', async () => {
    expect((await refund('pay_nope')).status).toBe(404);
  });

  test('is one per key: replayed with the same bytes, refused with another body', async () => {
    const { paymentId } = await paid();
    const key = freshKey('refund');
    const first = await refund(paymentId, { amount: 100 }, key);
    const { id } = await first.json<RefundView>();
    await until(
      () => json<RefundView>(`/refunds/${id}`),
      (view) => view.status === 'COMPLETED',
    );
    const [second, third] = [
      await refund(paymentId, { amount: 100 }, key),
      await refund(paymentId, { amount: 100 }, key),
    ];
    expect([second.status, third.status]).toEqual([200, 200]);
    expect(await second.text()).toBe(await third.text());
    expect((await refund(paymentId, { amount: 101 }, key)).status).toBe(422);
    expect(await chargeOf(paymentId)).toMatchObject({ refundedMinor: 100 });
  });

  test('is listed by payment, and its timeline is read like a payment’s', async () => {
    const { paymentId } = await paid();
    const view = await refunded(paymentId, { amount: 10 });
    const listed = await until(
      () => json<{ data: RefundView[] }>(`/refunds?payment_id=${paymentId}`),
      (page) => page.data.some((each) => each.status === 'COMPLETED'),
    );
    expect(listed.data.map((each) => each.id)).toEqual([view.id]);
    const { data } = await json<{ data: { event_type: string }[] }>(`/refunds/${view.id}/events`);
    expect(data.map((event) => event.event_type).slice(0, 9)).toEqual([
      'refund.created',
      'orchestrator.payment.reserve_refund',
      'payment.refund_reserved',
      'orchestrator.gateway.refund',
      'payment_gateway.response',
      'orchestrator.wallet.credit',
      'wallet.credit',
      'refund.completed',
      'metrics.refund.success',
    ]);
  });

  test('of a card payment moves nothing in the wallet', async () => {
    const { paymentId, walletId } = await paid({ method: 'credit_card', token: 'pm_card_visa' });
    expect((await refunded(paymentId, { amount: 100 })).status).toBe('COMPLETED');
    expect((await entries(walletId)).map((entry) => entry.type)).toEqual(['deposit']);
    expect(await chargeOf(paymentId)).toMatchObject({ refundedMinor: 100 });
  });
});

describe('a provider that answers a refund', () => {
  test.each([
    ['later, by callback', 'pm_card_pendingRefund'],
    ['never, though it gave the money', 'pm_sim_refund_timeout'],
    ['pending, and never tells', 'pm_sim_refund_no_callback'],
  ])('%s (%s): completes, credited once', async (_, token) => {
    const { paymentId, walletId } = await paid({ token });
    const view = await refunded(paymentId);
    expect(view.status).toBe('COMPLETED');
    expect((await entries(walletId)).map((entry) => entry.type)).toEqual(['deposit', 'hold', 'debit', 'credit']);
    expect((await refundsAt(paymentId)).map((each) => each.status)).toEqual(['refunded']);
  });

  test('with success, and takes it back (pm_card_refundFail): the credit is reversed by a new entry, and it FAILED', async () => {
    const { paymentId, walletId } = await paid({ token: 'pm_card_refundFail' });
    const response = await refund(paymentId);
    const { id } = await response.json<RefundView>();
    const view = await until(
      () => json<RefundView>(`/refunds/${id}`),
      (found) => found.status === 'FAILED',
    );
    expect(view.failure?.code).toBe('refund_failed_after_success');
    expect((await entries(walletId)).map((entry) => entry.type)).toEqual([
      'deposit',
      'hold',
      'debit',
      'credit',
      'reverse',
    ]);
    await until(
      () => payment(paymentId),
      (found) => found.refunded_amount === 0,
    );
    expect(await wallet(walletId)).toMatchObject({ available: FUNDS - 500, settled: 500 });
  });
});

describe('a refund is neither lost nor given twice', () => {
  test.each(['orchestrator.gateway.refund', 'orchestrator.wallet.credit'])(
    'when the first three deliveries of %s are lost',
    async (command) => {
      const { paymentId, walletId } = await paid();
      const { lost } = loseFirst(3, (kind) => kind === command);
      expect((await refunded(paymentId)).status).toBe('COMPLETED');
      expect(lost.get(command)).toBe(3);
      expect((await entries(walletId)).map((entry) => entry.type)).toEqual(['deposit', 'hold', 'debit', 'credit']);
      expect(await chargeOf(paymentId)).toMatchObject({ refundedMinor: 500 });
    },
  );

  test('when its object is evicted between the provider’s refund and the wallet’s credit', async () => {
    const { paymentId, walletId } = await paid();
    const { lost } = loseFirst(2, (kind) => kind === 'orchestrator.wallet.credit');
    const { id } = await (await refund(paymentId)).json<RefundView>();
    await until(
      async () => lost.get('orchestrator.wallet.credit') ?? 0,
      (count) => count > 0,
    );
    const objectId = refundObjectId(env, id);
    if (objectId === null) throw new Error(id);
    await evictDurableObject(env.REFUND_SAGA.get(objectId));
    await until(
      () => json<RefundView>(`/refunds/${id}`),
      (view) => view.status === 'COMPLETED',
    );
    expect((await entries(walletId)).filter((entry) => entry.type === 'credit')).toHaveLength(1);
  });

  test('of 100 concurrent refunds of 10 on a payment of 500, exactly 50 complete, and all books agree (S10)', {
    timeout: 120_000,
  }, async () => {
    const { paymentId, walletId } = await paid();
    const responses = await Promise.all(Array.from({ length: 100 }, () => refund(paymentId, { amount: 10 })));
    const accepted = responses.filter((response) => response.status === 202);
    expect(accepted).toHaveLength(50);
    expect(responses.filter((response) => response.status === 422)).toHaveLength(50);
    for (const response of accepted) {
      const { id } = await response.json<RefundView>();
      await until(
        () => json<RefundView>(`/refunds/${id}`),
        (view) => view.status === 'COMPLETED',
        60_000,
      );
    }
    expect(await wallet(walletId)).toMatchObject({ available: FUNDS, settled: 0 });
    expect(await chargeOf(paymentId)).toMatchObject({ refundedMinor: 500, refundingMinor: 0 });
    await until(
      () => payment(paymentId),
      (found) => found.refunded_amount === 500,
    );
  });
});
