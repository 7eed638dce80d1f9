// Regressions of the wallet: each test is a fault that another system had (README.md), against the real object.
import { evictDurableObject, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { describe, expect, test } from 'vitest';
import { walletObjectName } from '../../src/domain/ids.ts';
import { DAY_MS } from '../../src/domain/limits.ts';
import type { WalletCommand } from '../../src/domain/wallet-rpc.ts';
import { audit } from '../durable-objects/wallet-audit.ts';

const SCOPE = { merchant: 'default', mode: 'sandbox' } as const;

let wallets = 0;

/** A wallet of its own with 1,000 in it. */
async function funded() {
  wallets += 1;
  const walletId = `wallet-regression-${wallets}`;
  const stub = env.WALLET.getByName(walletObjectName(SCOPE, walletId));
  await stub.open(SCOPE, walletId, 'USD');
  await stub.deposit({ effectId: 'deposit.1', amountMinor: 1_000, currency: 'USD' });
  return {
    stub,
    execute: (...commands: WalletCommand[]) => stub.execute(SCOPE, walletId, commands),
    view: async () => {
      const read = await stub.read();
      if (read.kind !== 'found') throw new Error(read.kind);
      return read.wallet;
    },
  };
}

function hold(n: number, amountMinor: number): WalletCommand {
  const expiresAtMs = Date.now() + DAY_MS;
  return { type: 'hold', effectId: `hold.${n}`, paymentId: `pay_${n}`, amountMinor, currency: 'USD', expiresAtMs };
}

function act(type: 'debit' | 'release', n: number, amountMinor: number, effectId = `${type}.${n}`): WalletCommand {
  return { type, effectId, paymentId: `pay_${n}`, amountMinor, currency: 'USD' };
}

const reasonOf = (outcome: unknown): unknown => Reflect.get(Object(outcome), 'reason');

test('holds that are not counted in the funds check: what is held is not there for a second hold', async () => {
  const wallet = await funded();
  const outcomes = await wallet.execute(hold(1, 600), hold(2, 600), hold(3, 400), hold(4, 1));
  expect(outcomes.map(reasonOf)).toEqual([undefined, 'insufficient_funds', undefined, 'insufficient_funds']);
  expect(await wallet.view()).toMatchObject({ available: 0, held: 1_000 });
});

test('a refused hold that is debited by another id: no id can debit what was never held', async () => {
  const wallet = await funded();
  const refused = hold(1, 5_000);
  await wallet.execute(refused);
  const outcomes = await wallet.execute(
    act('debit', 1, 5_000),
    act('debit', 1, 500, 'debit.other'),
    act('debit', 1, 500, 'hold.1'),
    refused,
  );
  expect(outcomes.map(reasonOf)).toEqual([
    'hold_not_found',
    'hold_not_found',
    'effect_id_conflict',
    // An id that was refused stays refused, whatever has been paid in since.
    'insufficient_funds',
  ]);
  await wallet.stub.deposit({ effectId: 'deposit.2', amountMinor: 9_000, currency: 'USD' });
  expect((await wallet.execute(refused)).map(reasonOf)).toEqual(['insufficient_funds']);
  expect(await wallet.view()).toMatchObject({ available: 10_000, held: 0, settled: 0 });
});

describe('a crash between balance and journal', () => {
  test.each(['effects', 'resolutions'])(
    '%s that cannot be written take the balance and the entry with them',
    async (table) => {
      const wallet = await funded();
      await wallet.execute(hold(1, 400));
      const before = await wallet.view();
      await runInDurableObject(wallet.stub, (_, { storage }) => {
        storage.sql.exec(`CREATE TRIGGER crash BEFORE INSERT ON ${table} BEGIN SELECT RAISE(ABORT, 'crash'); END`);
      });
      // Two commands in one call: what the first has written goes with the second.
      const error = await wallet.execute(act('debit', 1, 400)).then(
        () => null,
        (thrown: Error) => thrown,
      );
      expect(error?.message).toContain('crash');
      expect(await wallet.view()).toEqual(before);
      await evictDurableObject(wallet.stub);
      expect(await wallet.view()).toEqual(before);
      await runInDurableObject(wallet.stub, (_, { storage }) => void storage.sql.exec('DROP TRIGGER crash'));
      expect(await audit(wallet.stub)).toEqual([]);
      expect((await wallet.execute(act('debit', 1, 400))).map(({ kind }) => kind)).toEqual(['applied']);
    },
  );
});

test('two concurrent debits of one hold: one takes it, and the other finds it taken', async () => {
  const wallet = await funded();
  await wallet.execute(hold(1, 400));
  const debits = [1, 2, 3, 4].map((n) => wallet.execute(act('debit', 1, 400, `debit.${n}`)));
  const outcomes = (await Promise.all(debits)).flat();
  expect(outcomes.map(reasonOf).sort()).toEqual(['hold_resolved', 'hold_resolved', 'hold_resolved', undefined]);
  expect(await wallet.view()).toMatchObject({ available: 600, held: 0, settled: 400 });
});

test('a balance that is read, and written as an absolute value: none of 40 changes at once is lost', async () => {
  const wallet = await funded();
  await Promise.all(
    Array.from({ length: 20 }, (_, n) => [
      wallet.stub.deposit({ effectId: `more.${n}`, amountMinor: 7, currency: 'USD' }),
      wallet.execute(hold(n, 11)),
    ]).flat(),
  );
  expect(await wallet.view()).toMatchObject({ available: 1_000 + 20 * 7 - 20 * 11, held: 220, version: 41 });
  expect(await audit(wallet.stub)).toEqual([]);
});
