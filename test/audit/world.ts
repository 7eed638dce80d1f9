/**
 * A small world for the tests of the auditor: wallets, payments and refunds of every ending, made over HTTP as a client
 * would, and at rest: every message is handled, every object knows it. Also the whole walk of the auditor, over HTTP.
 */
import { env } from 'cloudflare:workers';
import type { Finding } from '../../src/domain/audit/finding.ts';
import { walletObjectName } from '../../src/domain/ids.ts';
import { DAY_MS } from '../../src/domain/limits.ts';
import type { RefundView } from '../../src/domain/refund.ts';
import type { SagaRecord } from '../../src/domain/saga/record.ts';
import type { WalletCommand } from '../../src/domain/wallet-rpc.ts';
import { sagaStub } from '../../src/stubs.ts';
import { call, createPayment, freshKey, json, openWallet, terminal, until } from '../support/payments.ts';

const SCOPE = { merchant: 'default', mode: 'sandbox' } as const;
export const WALLETS = ['wal-one', 'wal-two', 'wal-busy'] as const;

/** Every ending that a payment has, and what is refunded of it. */
const STORIES: readonly { readonly body: Record<string, unknown>; readonly refunds: readonly object[] }[] = [
  { body: { wallet_id: 'wal-one', reference: 'order-1', metadata: { note: 'é 😀' } }, refunds: [{ amount: 500 }, {}] },
  { body: { wallet_id: 'wal-two', amount: 7 }, refunds: [] },
  { body: { wallet_id: 'wal-one', token: 'pm_card_visa_chargeDeclinedLostCard' }, refunds: [] },
  { body: { wallet_id: 'wal-one', token: 'pm_sim_debit_fail' }, refunds: [] },
  { body: { wallet_id: 'wal-two', amount: 100_000_000 }, refunds: [] },
  { body: { wallet_id: 'wal-one', token: 'pm_sim_timeout_after_success' }, refunds: [] },
  { body: { wallet_id: 'wal-one', token: 'pm_sim_callback_never' }, refunds: [] },
  { body: { wallet_id: 'wal-two', token: 'pm_card_refundFail' }, refunds: [{ reason: 'broken' }] },
  { body: { wallet_id: 'wal-one', method: 'credit_card', token: 'pm_card_visa' }, refunds: [{ amount: 30 }] },
];

export interface World {
  readonly payments: readonly string[];
  readonly refunds: readonly string[];
}

export async function buildWorld(): Promise<World> {
  await openWallet('wal-one', 100_000);
  await openWallet('wal-two', 50_000);
  await openWallet('wal-busy', 1_000_000);
  await keepBusy();
  const stories = await Promise.all(STORIES.map(tell));
  for (const n of [1, 2, 3, 4, 5]) await forceBreaker(n);
  const world = { payments: stories.map(({ id }) => id), refunds: stories.flatMap(({ refunds }) => refunds) };
  await atRest([...world.payments, ...world.refunds]);
  await until(listedCount, (count) => count === WALLETS.length);
  return world;
}

async function tell({ body, refunds }: (typeof STORIES)[number]) {
  const { id } = await createPayment(body);
  await terminal(id);
  const ids: string[] = [];
  for (const refund of refunds) ids.push(await refunded(id, refund));
  return { id, refunds: ids };
}

/** Commands of sagas that are not there: past two snapshots of the open holds, with refusals and a hold that expires. */
async function keepBusy(): Promise<void> {
  const wallet = env.WALLET.getByName(walletObjectName(SCOPE, 'wal-busy'));
  const command = (type: WalletCommand['type'], n: number): WalletCommand => {
    const base = { effectId: `${type}.${n}`, paymentId: `pay_${n}`, amountMinor: 10 + n, currency: 'USD' };
    return type === 'hold' ? { ...base, type, expiresAtMs: Date.now() + (n === 7 ? 1 : DAY_MS) } : { ...base, type };
  };
  for (let n = 1; n <= 60; n++) {
    const end = n % 3 === 0 ? 'release' : 'debit';
    const ends = n % 5 === 0 || n === 7 ? [] : [command(end, n), command(end === 'debit' ? 'release' : 'debit', n)];
    await wallet.execute(SCOPE, 'wal-busy', [command('hold', n), ...ends]);
    await scheduler.wait(n === 7 ? 10 : 0);
  }
  await wallet.execute(SCOPE, 'wal-busy', [command('release', 7), command('credit', 1), command('reverse', 1)]);
}

async function refunded(paymentId: string, body: object): Promise<string> {
  const response = await post(
    '/refunds',
    { payment_id: paymentId, ...body },
    { 'idempotency-key': freshKey('refund') },
  );
  const { id } = await response.json<RefundView>();
  await until(
    () => json<RefundView>(`/refunds/${id}`),
    ({ status }) => status !== 'PENDING',
  );
  return id;
}

async function forceBreaker(n: number): Promise<void> {
  const response = await post('/ops/breakers/borealis', { state: 'automatic', actor: 'jane', reason: `test ${n}` });
  if (!response.ok) throw new Error(await response.text());
}

export function post(path: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
  return call(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}

/** Waits until each saga has nothing left to send, and has stored that. */
export async function atRest(ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    await until(
      () => newestRecord(id),
      (record) => record !== null && record.saga.pending.length === 0 && record.publishDueAtMs === null,
    );
  }
}

async function newestRecord(id: string): Promise<SagaRecord | null> {
  const stored = await sagaStub(env, id)?.storedCommits(0);
  const text = stored?.commits.at(-1)?.record;
  return text === undefined ? null : (JSON.parse(text) as SagaRecord);
}

async function listedCount(): Promise<number | null> {
  return env.DB.prepare('SELECT count(*) AS n FROM wallets').first<number>('n');
}

export interface Page {
  readonly part: string;
  readonly checked: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
  readonly totals?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly head?: { readonly id: number; readonly hash: string };
  readonly next_cursor: string | null;
}

/** The auditor's walk to its end, as an operator drives it. */
export async function walked(): Promise<readonly Page[]> {
  const pages: Page[] = [];
  let cursor: string | null = null;
  do {
    const response = await post('/ops/audit', cursor === null ? {} : { cursor });
    if (!response.ok) throw new Error(`POST /ops/audit: ${response.status} ${await response.text()}`);
    const page: Page = await response.json();
    pages.push(page);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return pages;
}

export async function walkFindings(): Promise<readonly Finding[]> {
  return (await walked()).flatMap(({ findings }) => findings);
}
