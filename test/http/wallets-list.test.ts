// GET /wallets: the directory of the merchant's wallets.
import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, it } from 'vitest';
import { walletListSchema } from '../../src/http/schemas/wallet.ts';
import { enterWallets } from '../../src/read-model/wallets.ts';
import { jsonOf, post, problemOf, send } from './client.ts';

interface Page {
  data: { id: string; object: string; currency: string; created_at: string }[];
  next_cursor: string | null;
}

const list = async (query = '') => jsonOf<Page>(await send(`/wallets${query}`), 200);
const ids = async (query = '') => (await list(query)).data.map(({ id }) => id);

beforeAll(async () => {
  const row = (id: string, merchant = 'default', mode: 'sandbox' | 'live' = 'sandbox') => ({
    merchant,
    mode,
    id,
    currency: 'USD',
    created_at_ms: 1_000,
  });
  await enterWallets(env.DB, [
    ...['b', 'a', 'a-2', 'a.1', 'A', 'a:z', 'c_1', 'zzz'].map((id) => row(id)),
    row('a-foreign', 'another'),
    row('a-live', 'default', 'live'),
  ]);
});

describe('the list of wallets', () => {
  it("has the asking merchant's and mode's, by id", async () => {
    const page = await list();
    expect(walletListSchema.strict().safeParse(page).error).toBeUndefined();
    expect(page.data.map(({ id }) => id)).toEqual(['A', 'a', 'a-2', 'a.1', 'a:z', 'b', 'c_1', 'zzz']);
    expect(page.data[0]).toEqual({
      id: 'A',
      object: 'wallet_row',
      currency: 'USD',
      created_at: '1970-01-01T00:00:01.000Z',
    });
    expect(page.next_cursor).toBeNull();
  });

  it('of a prefix has those whose ids begin with it, itself included', async () => {
    expect(await ids('?prefix=a')).toEqual(['a', 'a-2', 'a.1', 'a:z']);
    expect(await ids('?prefix=a-')).toEqual(['a-2']);
    expect(await ids('?prefix=zzz')).toEqual(['zzz']);
    expect(await ids('?prefix=nobody')).toEqual([]);
  });

  it('has pages, whose cursors are good for their prefix only', async () => {
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: Page = await list(`?limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`);
      seen.push(...page.data.map(({ id }) => id));
      cursor = page.next_cursor;
    }
    expect(seen).toEqual(await ids());
    const first = await list('?prefix=a&limit=1');
    expect(await ids(`?prefix=a&limit=2&cursor=${first.next_cursor}`)).toEqual(['a-2', 'a.1']);
    await problemOf(await send(`/wallets?cursor=${first.next_cursor}`), 400, 'invalid_cursor');
    await problemOf(await send('/wallets?cursor=x'), 400, 'invalid_cursor');
  });

  it.each(['?prefix=', '?prefix=%20', `?prefix=${'a'.repeat(65)}`, '?limit=0', '?limit=101', '?id=a'])(
    'refuses %s',
    async (query) => {
      await problemOf(await send(`/wallets${query}`), 400, 'validation_failed');
    },
  );

  it('has a wallet soon after it is opened', async () => {
    await jsonOf(await post('/wallets', { id: 'fresh', currency: 'CLP' }), 201);
    await expect.poll(() => ids('?prefix=fresh'), { timeout: 10_000, interval: 50 }).toEqual(['fresh']);
  });
});
