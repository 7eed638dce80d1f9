import { describe, expect, test } from 'vitest';
import { chargeOf, createPayment, entries, openWallet, terminal, timeline, wallet } from '../support/payments.ts';

const FUNDS = 10_000;

let wallets = 0;

/** A wallet of 10,000 of its own, and a payment of 1,230 from it, once terminal. */
async function pay(body: Record<string, unknown> = {}) {
  wallets += 1;
  const walletId = `flow-${wallets}`;
  await openWallet(walletId, FUNDS);
  const created = await createPayment({ wallet_id: walletId, ...body });
  const payment = await terminal(created.id);
  return { payment, walletId, charge: await chargeOf(created.id) };
}

async function expectUntouched(walletId: string): Promise<void> {
  expect(await wallet(walletId)).toMatchObject({ available: FUNDS, held: 0, settled: 0, external: FUNDS, holds: [] });
}

describe('three books agree: the payment, the wallet, the provider', () => {
  test('a payment that succeeds: COMPLETED, debited, authorized', async () => {
    const { payment, walletId, charge } = await pay();
    expect(payment).toMatchObject({
      status: 'COMPLETED',
      saga_state: 'completed',
      provider: 'acme',
      refunded_amount: 0,
    });
    expect(payment.provider_reference).toBe(charge?.id);
    expect(await wallet(walletId)).toMatchObject({ available: FUNDS - 1_230, held: 0, settled: 1_230, holds: [] });
    expect((await entries(walletId)).map((entry) => entry.type)).toEqual(['deposit', 'hold', 'debit']);
    expect(charge).toMatchObject({ status: 'authorized', amountMinor: 1_230, calls: { authorize: 1 } });
    expect(await timeline(payment.id)).toEqual([
      'payment.created',
      'orchestrator.wallet.hold_funds',
      'wallet.hold_funds',
      'payment_gateway.routed',
      'orchestrator.gateway.authorize',
      'payment_gateway.response',
      'orchestrator.wallet.debit',
      'wallet.debit',
      'payment.completed',
      'metrics.payment.success',
      'orchestrator.notify.payment_success',
    ]);
  });

  test('a hold that is refused: FAILED insufficient_funds, nothing moved, the provider never asked', async () => {
    const { payment, walletId, charge } = await pay({ amount: FUNDS + 1 });
    expect(payment).toMatchObject({ status: 'FAILED', failure: { code: 'insufficient_funds' } });
    await expectUntouched(walletId);
    expect((await entries(walletId)).map((entry) => entry.type)).toEqual(['deposit']);
    expect(charge).toBeNull();
  });

  test('a wallet in another currency: FAILED currency_mismatch, nothing moved', async () => {
    const { payment, walletId } = await pay({ currency: 'EUR' });
    expect(payment).toMatchObject({ status: 'FAILED', failure: { code: 'currency_mismatch' } });
    await expectUntouched(walletId);
  });

  test.each([
    ['pm_card_visa_chargeDeclined', 'generic_decline'],
    ['pm_card_visa_chargeDeclinedInsufficientFunds', 'insufficient_funds'],
    ['pm_card_visa_chargeDeclinedLostCard', 'lost_card'],
    ['pm_card_visa_chargeDeclinedStolenCard', 'stolen_card'],
    ['pm_card_chargeDeclinedExpiredCard', 'expired_card'],
    ['pm_card_chargeDeclinedIncorrectCvc', 'incorrect_cvc'],
    ['pm_card_chargeDeclinedProcessingError', 'processing_error'],
    ['pm_card_fraudulent', 'fraudulent'],
  ])('a decline by %s: FAILED with its decline code, the hold released', async (token, declineCode) => {
    const { payment, walletId, charge } = await pay({ token });
    expect(payment).toMatchObject({
      status: 'FAILED',
      failure: { code: 'gateway_declined', decline_code: declineCode },
    });
    await expectUntouched(walletId);
    expect((await entries(walletId)).map((entry) => entry.type)).toEqual(['deposit', 'hold', 'release']);
    expect(charge).toMatchObject({ status: 'declined', calls: { authorize: 1, void: 0 } });
  });

  test('a debit that is refused: the authorization voided and the hold released, FAILED debit_failed', async () => {
    const { payment, walletId, charge } = await pay({ token: 'pm_sim_debit_fail' });
    expect(payment).toMatchObject({ status: 'FAILED', failure: { code: 'debit_failed' } });
    await expectUntouched(walletId);
    expect((await entries(walletId)).map((entry) => entry.type)).toEqual(['deposit', 'hold', 'release']);
    expect(charge).toMatchObject({ status: 'voided', calls: { authorize: 1, void: 1 } });
    const types = await timeline(payment.id);
    // The two compensations run side by side and end in either order.
    const ends = types.splice(11, 2).sort();
    types.splice(11, 0, ...ends);
    expect(types).toEqual([
      'payment.created',
      'orchestrator.wallet.hold_funds',
      'wallet.hold_funds',
      'payment_gateway.routed',
      'orchestrator.gateway.authorize',
      'payment_gateway.response',
      'orchestrator.wallet.debit',
      'wallet.debit_failed',
      'metrics.wallet.debit_failure',
      'orchestrator.gateway.unauthorize',
      'orchestrator.wallet.release_funds',
      'payment_gateway.response',
      'wallet.release_funds',
      'payment.failed',
      'metrics.payment.failure',
      'orchestrator.notify.payment_failure',
    ]);
  });

  test('a slow provider: COMPLETED all the same, one call', async () => {
    const { payment, charge } = await pay({ token: 'pm_sim_slow_50' });
    expect(payment.status).toBe('COMPLETED');
    expect(charge).toMatchObject({ status: 'authorized', calls: { authorize: 1 } });
  });

  test('a provider that turns the first two calls away: COMPLETED by the third, one authorization', async () => {
    const { payment, charge } = await pay({ token: 'pm_sim_flaky_2' });
    expect(payment.status).toBe('COMPLETED');
    expect(charge).toMatchObject({ status: 'authorized', calls: { authorize: 3 } });
  });

  test.each(['balance', 'credit_card'])(
    '%s with a deadline that has passed: FAILED deadline_exceeded, nobody was asked',
    async (method) => {
      const token = method === 'balance' ? {} : { token: 'pm_card_visa' };
      const { payment, walletId, charge } = await pay({ method, ...token, deadline: '2020-01-01T00:00:00Z' });
      expect(payment).toMatchObject({ status: 'FAILED', failure: { code: 'deadline_exceeded' } });
      expect((await entries(walletId)).map((entry) => entry.type)).toEqual(['deposit']);
      expect(charge).toBeNull();
    },
  );

  test('a card payment: authorized and captured, and the wallet does not move', async () => {
    const { payment, walletId, charge } = await pay({ method: 'credit_card', token: 'pm_card_visa' });
    expect(payment.status).toBe('COMPLETED');
    await expectUntouched(walletId);
    expect(charge?.status).toBe('captured');
  });

  test('a wallet named for the first time in sandbox mode: opened with 1,000,000.00 of the currency', async () => {
    for (const [currency, opening] of [
      ['USD', 100_000_000],
      ['CLP', 1_000_000],
      ['KWD', 1_000_000_000],
    ] as const) {
      const created = await createPayment({ wallet_id: `new-${currency}`, currency });
      await terminal(created.id);
      expect(await wallet(`new-${currency}`)).toMatchObject({ available: opening - 1_230, settled: 1_230, currency });
    }
  });
});
