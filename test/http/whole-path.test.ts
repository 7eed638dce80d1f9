// The whole path as a client sees it: from the POST through saga, wallet and gateway to every place that shows the end.
import { describe, expect, it } from 'vitest';
import type { Envelope } from '../../src/domain/events/envelope.ts';
import type { PaymentView } from '../../src/domain/payment.ts';
import type { WalletView } from '../../src/domain/wallet-rpc.ts';
import { paymentSchema } from '../../src/http/schemas/payment.ts';
import { walletSchema } from '../../src/http/schemas/wallet.ts';
import { freshKey, jsonOf, pay, post, send, validPayment } from './client.ts';

const WAIT = { prefer: 'wait=20' };

async function fundedWallet(amount: number): Promise<string> {
  const id = `wal-${freshKey()}`;
  await jsonOf(await post('/wallets', { id, currency: 'USD' }), 201);
  const deposit = { amount, currency: 'USD' };
  await jsonOf(await post(`/wallets/${id}/deposits`, deposit, { 'idempotency-key': freshKey() }), 201);
  return id;
}

describe('a balance payment', () => {
  it('completes, and every view of it agrees', async () => {
    const wallet_id = await fundedWallet(5_000);
    const [key, body] = [freshKey(), { ...validPayment(), wallet_id, reference: 'order-1' }];
    const text = await (await pay(key, body, WAIT)).text();
    const payment = JSON.parse(text) as PaymentView;
    expect(payment).toMatchObject({ status: 'COMPLETED', saga_state: 'completed', amount: 1230 });
    expect(paymentSchema.strict().safeParse(payment).error).toBeUndefined();

    const replay = await pay(key, body);
    expect(replay.status).toBe(200);
    expect(await replay.text()).toBe(text);
    expect(await jsonOf<PaymentView>(await send(`/payments/${payment.id}`), 200)).toMatchObject({
      status: 'COMPLETED',
    });

    const wallet = await jsonOf<WalletView>(await send(`/wallets/${wallet_id}`), 200);
    expect(walletSchema.strict().safeParse(wallet).error).toBeUndefined();
    expect(wallet).toMatchObject({ available: 3_770, held: 0, settled: 1_230, external: 5_000, holds: [] });

    const events = await jsonOf<{ data: Envelope[] }>(await send(`/payments/${payment.id}/events`), 200);
    const types = events.data.map((event) => event.event_type);
    const story = [
      'payment.created',
      'wallet.hold_funds',
      'payment_gateway.response',
      'wallet.debit',
      'payment.completed',
    ];
    expect(types.filter((type) => story.includes(type))).toEqual(story);

    const listed = async () => {
      const page = await jsonOf<{ data: PaymentView[] }>(await send(`/payments?wallet_id=${wallet_id}`), 200);
      return page.data.map(({ id, status }) => ({ id, status }));
    };
    await expect.poll(listed, { timeout: 15_000 }).toEqual([{ id: payment.id, status: 'COMPLETED' }]);
  });

  it('beyond the balance fails, and nothing is held', async () => {
    const wallet_id = await fundedWallet(100);
    const payment = await jsonOf<PaymentView>(await pay(freshKey(), { ...validPayment(), wallet_id }, WAIT), 201);
    expect(payment).toMatchObject({ status: 'FAILED', failure: { code: 'insufficient_funds' } });
    const wallet = await jsonOf<WalletView>(await send(`/wallets/${wallet_id}`), 200);
    expect(wallet).toMatchObject({ available: 100, held: 0, settled: 0 });
  });

  it('of many at once never spends more than the wallet has', async () => {
    const wallet_id = await fundedWallet(5 * 1_230);
    const body = { ...validPayment(), wallet_id };
    const answers = await Promise.all(Array.from({ length: 12 }, () => pay(freshKey(), body, WAIT)));
    const payments = await Promise.all(answers.map((answer) => jsonOf<PaymentView>(answer, 201)));
    expect(payments.filter((payment) => payment.status === 'COMPLETED')).toHaveLength(5);
    const wallet = await jsonOf<WalletView>(await send(`/wallets/${wallet_id}`), 200);
    expect(wallet).toMatchObject({ available: 0, held: 0, settled: 6_150 });
  });
});

describe('a card payment', () => {
  const card = (token: string) => ({ ...validPayment(), method: 'credit_card', token });

  it('completes without touching the wallet', async () => {
    const payment = await jsonOf<PaymentView>(await pay(freshKey(), card('pm_card_visa'), WAIT), 201);
    expect(payment.status).toBe('COMPLETED');
    expect(payment.provider).toBeDefined();
  });

  it('that is declined fails with the reason of the issuer', async () => {
    const declined = card('pm_card_visa_chargeDeclinedInsufficientFunds');
    const payment = await jsonOf<PaymentView>(await pay(freshKey(), declined, WAIT), 201);
    expect(payment).toMatchObject({
      status: 'FAILED',
      failure: { code: 'gateway_declined', decline_code: 'insufficient_funds' },
    });
  });
});
