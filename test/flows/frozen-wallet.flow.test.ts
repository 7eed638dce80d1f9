/**
 * A wallet frozen while payments and refunds are under way: each ends as it would have, whatever it was waiting for, and none
 * needs a person (decision 0084). What is new is refused until the wallet is unfrozen, and the auditor finds nothing.
 */
import { env } from 'cloudflare:workers';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { PaymentView } from '../../src/domain/payment.ts';
import type { RefundView } from '../../src/domain/refund.ts';
import type { WalletView } from '../../src/domain/wallet-rpc.ts';
import { atRest, walkFindings } from '../audit/world.ts';
import { loseAll, loseMessages } from '../support/losses.ts';
import {
  call,
  chargeOf,
  createPayment,
  entries,
  freshKey,
  json,
  openWallet,
  terminal,
  until,
  wallet,
} from '../support/payments.ts';
import { BY, post, saga } from '../support/stuck.ts';

const FUNDS = 5_000;
const PAID = { amount: 500 } as const;

beforeAll(async () => {
  for (const name of ['acme', 'borealis']) await env.PROVIDER_HEALTH.getByName(name).force('closed');
});
afterEach(() => loseMessages(null));

let wallets = 0;
async function freshWallet(): Promise<string> {
  wallets += 1;
  const id = `frozen-${wallets}`;
  await openWallet(id, FUNDS);
  return id;
}

async function say(verb: 'freeze' | 'unfreeze', walletId: string): Promise<WalletView> {
  const response = await post(`/ops/wallets/${walletId}/${verb}`, BY);
  if (response.status !== 200) throw new Error(`${verb}: ${response.status} ${await response.text()}`);
  return response.json<WalletView>();
}

const postWithKey = (path: string, body: object) =>
  call(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': freshKey('frozen') },
    body: JSON.stringify(body),
  });

async function refundOf(paymentId: string): Promise<string> {
  const response = await postWithKey('/refunds', { payment_id: paymentId });
  if (response.status !== 202) throw new Error(`POST /refunds: ${response.status} ${await response.text()}`);
  return (await response.json<RefundView>()).id;
}

/** Freezes the wallet while the saga waits for a command that is lost as often as it is sent, and then lets it through. */
async function freezeWhileWaiting(id: string, command: string, walletId: string, lost: ReturnType<typeof loseAll>) {
  await until(
    () => saga(id),
    ({ pending }) => pending.some((each) => each.command === command && lost.isAllLost(id, each.attempts)),
  );
  expect(await say('freeze', walletId)).toMatchObject({ frozen: true });
  loseMessages(null);
}

const ledgerOf = async (walletId: string) => (await entries(walletId)).map(({ type }) => type).slice(1);

describe('a payment that is under way when its wallet is frozen', () => {
  test.each([
    ['debit', 'debit', 'pm_card_visa', 'COMPLETED', ['hold', 'debit'], 'authorized'],
    ['release', 'release_funds', 'pm_card_visa_chargeDeclined', 'FAILED', ['hold', 'release'], 'declined'],
    ['release', 'release_funds', 'pm_sim_debit_fail', 'FAILED', ['hold', 'release'], 'voided'],
    ['hold', 'hold_funds', 'pm_card_visa', 'FAILED', [], null],
  ] as const)('and waits for its %s (%s) with %s ends %s', async (command, name, token, status, ledger, charge) => {
    const walletId = await freshWallet();
    const lost = loseAll(`orchestrator.wallet.${name}`);
    const { id } = await createPayment({ wallet_id: walletId, token, ...PAID });
    await freezeWhileWaiting(id, command, walletId, lost);
    expect(await terminal(id)).toMatchObject({ status });
    await atRest([id]);
    expect(await saga(id)).toMatchObject({ attention: null });
    expect(await ledgerOf(walletId)).toEqual(ledger);
    expect(await wallet(walletId)).toMatchObject({ held: 0, frozen: true });
    expect((await chargeOf(id))?.status ?? null).toBe(charge);
  });
});

describe('a refund of a payment from a wallet that is frozen since', () => {
  async function paid(token: string): Promise<{ id: string; walletId: string }> {
    const walletId = await freshWallet();
    const { id } = await createPayment({ wallet_id: walletId, token, ...PAID });
    expect(await terminal(id)).toMatchObject({ status: 'COMPLETED' });
    return { id, walletId };
  }
  const ended = (id: string) =>
    until(
      () => json<RefundView>(`/refunds/${id}`),
      ({ status }) => status !== 'PENDING',
    );

  test('is credited', async () => {
    const { id: paymentId, walletId } = await paid('pm_card_visa');
    await say('freeze', walletId);
    const id = await refundOf(paymentId);
    expect(await ended(id)).toMatchObject({ status: 'COMPLETED' });
    expect(await ledgerOf(walletId)).toEqual(['hold', 'debit', 'credit']);
    expect(await wallet(walletId)).toMatchObject({ available: FUNDS, frozen: true });
  });

  test('whose success the provider takes back is reversed', async () => {
    const { id: paymentId, walletId } = await paid('pm_card_refundFail');
    const lost = loseAll('orchestrator.wallet.reverse_credit');
    const id = await refundOf(paymentId);
    await freezeWhileWaiting(id, 'reverse', walletId, lost);
    await until(
      () => json<RefundView>(`/refunds/${id}`),
      ({ status }) => status === 'FAILED',
    );
    expect(await saga(id)).toMatchObject({ attention: null });
    expect(await ledgerOf(walletId)).toEqual(['hold', 'debit', 'credit', 'reverse']);
  });
});

test('what is new is refused with wallet_frozen, works again once it is unfrozen, and the auditor finds nothing', async () => {
  const walletId = await freshWallet();
  await say('freeze', walletId);
  const refused = await createPayment({ wallet_id: walletId, token: 'pm_card_visa', ...PAID });
  expect(await terminal(refused.id)).toMatchObject({ status: 'FAILED', failure: { code: 'wallet_frozen' } });
  const deposit = () => postWithKey(`/wallets/${walletId}/deposits`, { amount: 1, currency: 'USD' });
  const answer = await deposit();
  expect(await answer.json()).toMatchObject({ status: 422, code: 'wallet_frozen' });
  expect(await ledgerOf(walletId)).toEqual([]);
  expect(await wallet(walletId)).toMatchObject({ available: FUNDS, held: 0, version: 1 });

  expect(await say('unfreeze', walletId)).toMatchObject({ frozen: false, version: 1 });
  expect((await deposit()).status).toBe(201);
  const paid = await createPayment({ wallet_id: walletId, token: 'pm_card_visa', ...PAID });
  expect(await terminal(paid.id)).toMatchObject({ status: 'COMPLETED' });
  // Decided once: thawing changes no payment that has ended.
  expect(await json<PaymentView>(`/payments/${refused.id}`)).toMatchObject({ status: 'FAILED' });

  await say('freeze', walletId);
  await atRest([refused.id, paid.id]);
  expect(await walkFindings()).toEqual([]);
});
