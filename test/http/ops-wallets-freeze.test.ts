// An operator's word on a wallet: frozen and unfrozen, over HTTP. Whose wallet it may be is in merchants.test.ts, what a frozen one
// refuses in ../flows/frozen-wallet.flow.test.ts, that who says neither who nor why changes nothing in ops-audited.test.ts.
import { env } from 'cloudflare:workers';
import { describe, expect, test } from 'vitest';
import type { WalletView } from '../../src/domain/wallet-rpc.ts';
import { app } from '../../src/http/app.ts';
import { walletSchema } from '../../src/http/schemas/wallet.ts';
import { freshKey, jsonOf, post, problemOf, requestOf, SCOPE, send } from './client.ts';

const WORD = { actor: 'jane', reason: 'ticket-7' };
const say = (verb: string, id: string, body: object = WORD) => post(`/ops/wallets/${id}/${verb}`, body);
const read = async (id: string) => jsonOf<WalletView>(await send(`/wallets/${id}`), 200);

async function opened(): Promise<string> {
  const id = `wal-${freshKey()}`;
  await jsonOf(await post('/wallets', { id, currency: 'USD' }), 201);
  return id;
}

async function actionsOn(id: string): Promise<unknown[]> {
  const { results } = await env.DB.prepare('SELECT action FROM audit_log WHERE subject = ? ORDER BY id').bind(id).all();
  return results.map(({ action }) => action);
}

describe('an operator', () => {
  test('freezes a wallet and unfreezes it: the answer is the wallet, as it is read', async () => {
    const id = await opened();
    const before = await read(id);
    for (const [verb, frozen] of [
      ['freeze', true],
      ['unfreeze', false],
    ] as const) {
      const wallet = await jsonOf<WalletView>(await say(verb, id), 200);
      expect(walletSchema.strict().safeParse(wallet).error).toBeUndefined();
      expect(wallet).toEqual({ ...before, frozen });
      expect(await read(id)).toEqual(wallet);
    }
    expect(await actionsOn(id)).toEqual(['wallet.freeze', 'wallet.unfreeze']);
  });

  test('who says it again is answered the same, and the log has it once', async () => {
    const id = await opened();
    for (const [verb, frozen] of [
      ['unfreeze', false],
      ['freeze', true],
      ['freeze', true],
    ] as const) {
      expect(await jsonOf(await say(verb, id), 200)).toMatchObject({ id, frozen });
    }
    expect(await actionsOn(id)).toEqual(['wallet.freeze']);
  });

  test.each(['freeze', 'unfreeze'])('finds nothing to %s where no wallet is, and opens none', async (verb) => {
    const id = `wal-${freshKey()}`;
    await problemOf(await say(verb, id), 404, 'not_found');
    await problemOf(await send(`/wallets/${id}`), 404, 'not_found');
    expect(await actionsOn(id)).toEqual([]);
  });

  test('names their own merchant, or another that has no such wallet', async () => {
    const id = await opened();
    await problemOf(await say('freeze', id, { ...WORD, merchant: 'shop' }), 404, 'not_found');
    expect((await read(id)).frozen).toBe(false);
    expect(await jsonOf(await say('freeze', id, { ...WORD, merchant: SCOPE.merchant }), 200)).toMatchObject({
      frozen: true,
    });
  });

  test('is told which field is wrong', async () => {
    const { errors } = await problemOf(
      await say('freeze', await opened(), { ...WORD, until: 1 }),
      400,
      'validation_failed',
    );
    expect(errors?.map(({ pointer }) => pointer)).toEqual(['/until']);
  });

  test('whose word cannot be logged changes nothing', async () => {
    const id = await opened();
    const DB = {
      prepare: () => {
        throw new Error('D1_ERROR: away');
      },
    };
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(WORD) };
    const response = await app.fetch(requestOf(`/ops/wallets/${id}/freeze`, init), { ...env, DB });
    expect(response.status).toBeGreaterThanOrEqual(500);
    expect((await read(id)).frozen).toBe(false);
  });
});
