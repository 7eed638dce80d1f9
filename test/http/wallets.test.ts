// Wallets over HTTP: opening, depositing once per key, reading balances and the ledger.
import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import { AMOUNT_MINOR_MAX } from '../../src/domain/limits.ts';
import type { BalanceAt, EntryView, WalletView } from '../../src/domain/wallet-rpc.ts';
import { app } from '../../src/http/app.ts';
import { entryListSchema, entrySchema, walletSchema } from '../../src/http/schemas/wallet.ts';
import { freshKey, jsonOf, post, problemOf, requestOf, send } from './client.ts';

interface Entries {
  data: EntryView[];
  next_cursor: string | null;
  balance_at?: BalanceAt;
}

const freshId = () => `wal-${freshKey()}`;
const open = (body: unknown, headers = {}) => post('/wallets', body, headers);
const deposit = (id: string, key: string, body: unknown) =>
  post(`/wallets/${id}/deposits`, body, { 'idempotency-key': key });

async function opened(currency = 'USD'): Promise<string> {
  const id = freshId();
  await jsonOf(await open({ id, currency }), 201);
  return id;
}

describe('POST /wallets', () => {
  it('opens an empty wallet under the id of the client', async () => {
    const id = freshId();
    const response = await open({ id, currency: 'CLP' });
    const wallet = await jsonOf<WalletView>(response, 201);
    expect(wallet).toMatchObject({ id, currency: 'CLP', available: 0, held: 0, version: 0, holds: [], frozen: false });
    expect(walletSchema.strict().safeParse(wallet).error).toBeUndefined();
    expect(response.headers.get('location')).toBe(`/wallets/${id}`);
    expect(await jsonOf(await send(`/wallets/${id}`), 200)).toEqual(wallet);
  });

  it.each(['.', '..'])('refuses the id %s, which no path can hold', async (id) => {
    const { errors } = await problemOf(await open({ id, currency: 'USD' }), 400, 'validation_failed');
    expect(errors).toMatchObject([{ pointer: '/id' }]);
  });

  it.each(['...', '.a', '..a', 'a..'])('takes the id %s, and the path holds it', async (id) => {
    expect((await open({ id, currency: 'USD' })).status).toBeLessThan(300);
    expect(await jsonOf(await send(`/wallets/${id}`), 200)).toMatchObject({ id });
  });

  it('again under the same id and currency is 200, the wallet as it is', async () => {
    const id = await opened();
    await deposit(id, freshKey(), { amount: 5, currency: 'USD' });
    expect(await jsonOf<WalletView>(await open({ id, currency: 'USD' }), 200)).toMatchObject({ id, available: 5 });
  });

  it('again in another currency is 409', async () => {
    await problemOf(await open({ id: await opened(), currency: 'EUR' }), 409, 'wallet_currency_conflict');
  });

  it('without an id mints one from the key, so that a retry opens the same wallet', async () => {
    const key = freshKey();
    const first = await jsonOf<WalletView>(await open({ currency: 'USD' }, { 'idempotency-key': key }), 201);
    expect(first.id).toMatch(/^wal_[0-9A-Za-z]{43}$/);
    const again = await jsonOf<WalletView>(await open({ currency: 'USD' }, { 'x-idempotent-key': key }), 200);
    expect(again.id).toBe(first.id);
    const other = await jsonOf<WalletView>(await open({ currency: 'USD' }, { 'idempotency-key': freshKey() }), 201);
    expect(other.id).not.toBe(first.id);
  });

  it('without an id and a key mints a new one each time', async () => {
    const ids = new Set<string>();
    for (const _time of [1, 2, 3]) ids.add((await jsonOf<WalletView>(await open({ currency: 'USD' }), 201)).id);
    expect(ids.size).toBe(3);
  });

  it('refuses a key that is not one', async () => {
    await problemOf(await open({ currency: 'USD' }, { 'idempotency-key': 'a b' }), 400, 'idempotency_key_invalid');
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['no currency', {}, '/currency'],
    ['an unknown currency', { currency: 'XXX' }, '/currency'],
    ['an id with a space', { id: 'a b', currency: 'USD' }, '/id'],
    ['an unknown field', { currency: 'USD', balance: 1 }, '/balance'],
  ])('with %s is refused, naming it', async (_case, body, pointer) => {
    const problem = await problemOf(await open(body), 400, 'validation_failed');
    expect(problem.errors?.map((error) => error.pointer)).toEqual([pointer]);
  });
});

describe('GET /wallets/{id}', () => {
  it.each([
    ['was never opened', 'wal-none'],
    ['cannot be one', 'a%20b'],
    ['is too long', 'x'.repeat(65)],
    ['crosses into another scope', 'x%7Clive%7Cy'],
  ])('answers 404 for an id that %s', async (_case, id) => {
    await problemOf(await send(`/wallets/${id}`), 404, 'not_found');
    await problemOf(await send(`/wallets/${id}/entries`), 404, 'not_found');
  });
});

describe('POST /wallets/{id}/deposits', () => {
  it('puts money in: 201, the ledger entry', async () => {
    const id = await opened();
    const response = await deposit(id, freshKey(), { amount: 1230, currency: 'USD', reference: 'top-up' });
    const entry = await jsonOf<EntryView>(response, 201);
    expect(entry).toMatchObject({ type: 'deposit', sequence: 1, reference: 'top-up', balances: { available: 1230 } });
    expect(entrySchema.strict().safeParse(entry).error).toBeUndefined();
    expect(entry.postings.reduce((sum, posting) => sum + posting.amount, 0)).toBe(0);
    expect(response.headers.get('idempotency-status')).toBe('created');
    expect(await jsonOf<WalletView>(await send(`/wallets/${id}`), 200)).toMatchObject({ available: 1230, version: 1 });
  });

  it('under the same key and body: 200, the same entry, and no more money', async () => {
    const [id, key] = [await opened(), freshKey()];
    const first = await jsonOf(await deposit(id, key, { amount: 7, currency: 'USD' }), 201);
    const response = await deposit(id, key, { currency: 'USD', amount: 7 });
    expect(response.headers.get('idempotent-replayed')).toBe('true');
    expect(response.headers.get('idempotency-status')).toBe('completed');
    expect(await jsonOf(response, 200)).toEqual(first);
    expect(await jsonOf<WalletView>(await send(`/wallets/${id}`), 200)).toMatchObject({ available: 7 });
  });

  it('under the same key and another body: 422, naming the fields that differ', async () => {
    const [id, key] = [await opened(), freshKey()];
    await deposit(id, key, { amount: 7, currency: 'USD' });
    const response = await deposit(id, key, { amount: 8, currency: 'USD', reference: 'r' });
    const problem = await problemOf(response, 422, 'idempotency_key_reused');
    expect(problem.errors?.map((error) => error.pointer)).toEqual(['/amount', '/reference']);
  });

  it('under the same key into another wallet is another deposit', async () => {
    const key = freshKey();
    await jsonOf(await deposit(await opened(), key, { amount: 1, currency: 'USD' }), 201);
    await jsonOf(await deposit(await opened(), key, { amount: 1, currency: 'USD' }), 201);
  });

  it('needs a key', async () => {
    const response = await post(`/wallets/${await opened()}/deposits`, { amount: 1, currency: 'USD' });
    await problemOf(response, 400, 'idempotency_key_missing');
  });

  it('into a wallet that does not exist is 404, and the key stays free', async () => {
    const [id, key] = [freshId(), freshKey()];
    await problemOf(await deposit(id, key, { amount: 1, currency: 'USD' }), 404, 'not_found');
    await open({ id, currency: 'USD' });
    await jsonOf(await deposit(id, key, { amount: 1, currency: 'USD' }), 201);
  });

  it('in another currency is 422', async () => {
    await problemOf(
      await deposit(await opened(), freshKey(), { amount: 1, currency: 'EUR' }),
      422,
      'currency_mismatch',
    );
  });

  it('beyond the limit of a wallet is 422', async () => {
    const id = await opened();
    await jsonOf(await deposit(id, freshKey(), { amount: AMOUNT_MINOR_MAX, currency: 'USD' }), 201);
    const response = await deposit(id, freshKey(), { amount: 1, currency: 'USD' });
    await problemOf(response, 422, 'balance_limit_exceeded');
  });

  it.each<[string, unknown, string]>([
    ['no amount', { currency: 'USD' }, '/amount'],
    ['a fraction', { amount: 0.5, currency: 'USD' }, '/amount'],
    ['a field of payments', { amount: 1, currency: 'USD', wallet_id: 'w' }, '/wallet_id'],
  ])('with %s is refused, naming it', async (_case, body, pointer) => {
    const problem = await problemOf(await deposit('w', freshKey(), body), 400, 'validation_failed');
    expect(problem.errors?.map((error) => error.pointer)).toEqual([pointer]);
  });

  it.each([
    ['wallet_frozen', 422, 'wallet_frozen'],
    ['wallet_full', 422, 'wallet_full'],
    ['effect_id_conflict', 422, 'idempotency_key_reused'],
    ['hold_not_found', 500, 'internal_error'],
  ])('refused by the wallet as %s is %i %s', async (reason, status, code) => {
    const WALLET = { getByName: () => ({ deposit: async () => ({ kind: 'refused', reason }) }) };
    const headers = { 'content-type': 'application/json', 'idempotency-key': freshKey() };
    const body = JSON.stringify({ amount: 1, currency: 'USD' });
    const request = requestOf('/wallets/w/deposits', { method: 'POST', headers, body });
    await problemOf(await app.fetch(request, { ...env, WALLET }), status, code);
  });
});

describe('GET /wallets/{id}/entries', () => {
  async function withEntries(count: number): Promise<string> {
    const id = await opened();
    for (let amount = 1; amount <= count; amount += 1) await deposit(id, freshKey(), { amount, currency: 'USD' });
    return id;
  }

  it('lists the ledger, newest first, in pages without gap or repetition', async () => {
    const id = await withEntries(5);
    const sequences: number[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const path = `/wallets/${id}/entries?limit=2${cursor && `&cursor=${cursor}`}`;
      const page: Entries = await jsonOf<Entries>(await send(path), 200);
      expect(entryListSchema.strict().safeParse(page).error).toBeUndefined();
      expect(page.balance_at).toBeUndefined();
      sequences.push(...page.data.map((entry) => entry.sequence));
      cursor = page.next_cursor;
    }
    expect(sequences).toEqual([5, 4, 3, 2, 1]);
  });

  it('at an instant tells the balance as it stood', async () => {
    const id = await withEntries(3);
    const before = await jsonOf<Entries>(await send(`/wallets/${id}/entries?at=2020-01-01T00:00:00Z`), 200);
    expect(before).toMatchObject({ data: [], balance_at: { available: 0, version: 0 } });
    const after = await jsonOf<Entries>(await send(`/wallets/${id}/entries?at=2099-01-01T00:00:00%2B02:00`), 200);
    expect(after).toMatchObject({ balance_at: { available: 6, version: 3 } });
    expect(entryListSchema.strict().safeParse(after).error).toBeUndefined();
  });

  it.each([
    ['limit=0', 'validation_failed'],
    ['limit=101', 'validation_failed'],
    ['at=yesterday', 'validation_failed'],
    ['order=asc', 'validation_failed'],
    ['cursor=abc', 'invalid_cursor'],
  ])('refuses %s: %s', async (query, code) => {
    await problemOf(await send(`/wallets/w/entries?${query}`), 400, code);
  });

  it("refuses another wallet's cursor", async () => {
    const [first, second] = [await withEntries(2), await withEntries(2)];
    const { next_cursor: cursor } = await jsonOf<Entries>(await send(`/wallets/${first}/entries?limit=1`), 200);
    expect(cursor).not.toBeNull();
    await problemOf(await send(`/wallets/${second}/entries?limit=1&cursor=${cursor}`), 400, 'invalid_cursor');
  });
});
