import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { migrate, SCHEMA } from '../../durable-objects/wallet/schema.ts';
import { walletObjectName } from '../../src/domain/ids.ts';
import { DAY_MS, WALLET_HOLDS_LISTED_MAX } from '../../src/domain/limits.ts';
import type { Deposit, WalletCommand } from '../../src/domain/rpc.ts';

const SCOPE = { merchant: 'default', mode: 'sandbox' } as const;

let wallets = 0;

function freshWallet() {
  wallets += 1;
  const walletId = `object-wallet-${wallets}`;
  const stub = env.WALLET.getByName(walletObjectName(SCOPE, walletId));
  return {
    walletId,
    stub,
    execute: (...commands: WalletCommand[]) => stub.execute(SCOPE, walletId, commands),
    open: (currency = 'USD') => stub.open(SCOPE, walletId, currency),
    deposit: (deposit: Partial<Deposit> = {}) =>
      stub.deposit({ effectId: 'deposit.1', amountMinor: 1_000, currency: 'USD', ...deposit }),
    view: async () => {
      const read = await stub.read();
      if (read.kind !== 'found') throw new Error(read.kind);
      return read.wallet;
    },
    /** Runs SQL inside the object. */
    sql: (statement: string) => runInDurableObject(stub, (_, state) => state.storage.sql.exec(statement).toArray()),
  };
}

async function funded(amountMinor = 1_000) {
  const wallet = freshWallet();
  await wallet.open();
  await wallet.deposit({ amountMinor });
  return wallet;
}

function hold(n: number, amountMinor = 100, ttlMs = DAY_MS): WalletCommand {
  return {
    type: 'hold',
    effectId: `hold.${n}`,
    paymentId: `pay_${n}`,
    amountMinor,
    currency: 'USD',
    expiresAtMs: Date.now() + ttlMs,
  };
}

function act(type: 'debit' | 'release' | 'credit' | 'reverse', n: number, amountMinor = 100): WalletCommand {
  return { type, effectId: `${type}.${n}`, paymentId: `pay_${n}`, amountMinor, currency: 'USD' };
}

const tablesOf = (stub: ReturnType<typeof freshWallet>['stub']) =>
  runInDurableObject(stub, (_, state) =>
    state.storage.sql
      .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'")
      .toArray(),
  );

afterEach(() => {
  vi.useRealTimers();
});

describe('a wallet that was only read', () => {
  test('has written nothing, not even a table', async () => {
    const { stub } = freshWallet();
    expect(await stub.read()).toEqual({ kind: 'not_found' });
    expect(await stub.readEntries({ beforeSequence: null, limit: 10, atMs: null })).toEqual({ kind: 'not_found' });
    expect(await tablesOf(stub)).toEqual([]);
  });
});

describe('opening', () => {
  test('is idempotent in one currency and refused in another', async () => {
    const wallet = freshWallet();
    expect((await wallet.open()).kind).toBe('opened');
    expect((await wallet.open()).kind).toBe('exists');
    expect(await wallet.open('EUR')).toMatchObject({ kind: 'currency_conflict', currency: 'USD' });
    expect(await wallet.view()).toMatchObject({ available: 0, held: 0, version: 0, currency: 'USD' });
  });
});

describe('a deposit', () => {
  test('is made once per effect id', async () => {
    const wallet = freshWallet();
    await wallet.open();
    const first = await wallet.deposit({ reference: 'r' });
    const again = await wallet.deposit({ reference: 'r' });
    expect([first.kind, again.kind]).toEqual(['deposited', 'replayed']);
    expect(again).toMatchObject({ entry: (first as { entry: object }).entry });
    expect(await wallet.deposit({ amountMinor: 1, reference: 'other' })).toEqual({
      kind: 'key_reused',
      fields: ['/amount', '/reference'],
    });
    expect((await wallet.view()).available).toBe(1_000);
  });

  test('to a wallet that does not exist is refused and leaves the key free', async () => {
    const wallet = freshWallet();
    expect(await wallet.deposit()).toEqual({ kind: 'refused', reason: 'wallet_not_found' });
    await wallet.open();
    expect((await wallet.deposit()).kind).toBe('deposited');
  });
});

describe('commands', () => {
  test('are answered in order, each by itself', async () => {
    const wallet = await funded(150);
    expect(await wallet.execute(hold(1), hold(2), act('debit', 1), act('debit', 1, 99), act('release', 3))).toEqual([
      { effectId: 'hold.1', kind: 'applied', version: 2 },
      { effectId: 'hold.2', kind: 'refused', reason: 'insufficient_funds' },
      { effectId: 'debit.1', kind: 'applied', version: 3 },
      { effectId: 'debit.1', kind: 'refused', reason: 'effect_id_conflict' },
      { effectId: 'release.3', kind: 'refused', reason: 'hold_not_found' },
    ]);
  });

  test('that meet a bug undo the whole call', async () => {
    const wallet = await funded();
    const broken = { ...hold(2), amountMinor: 0.5 };
    const told = await wallet.execute(hold(1), broken).then(
      () => 'no error',
      (error: Error) => error.name,
    );
    expect(told).toBe('InvariantError');
    expect(await wallet.view()).toMatchObject({ available: 1_000, held: 0, version: 1, holds: [] });
    expect(await wallet.execute(hold(1))).toMatchObject([{ kind: 'applied', version: 2 }]);
  });

  test('open a wallet in the sandbox when they say so, with a deposit of its own', async () => {
    const wallet = freshWallet();
    const outcome = await wallet.execute({ ...hold(1), openWithMinor: 500 } as WalletCommand);
    expect(outcome).toMatchObject([{ kind: 'applied', version: 2 }]);
    expect(await wallet.view()).toMatchObject({ available: 400, held: 100, external: 500 });
    expect(await wallet.sql('SELECT type FROM entries ORDER BY sequence')).toEqual([
      { type: 'deposit' },
      { type: 'hold' },
    ]);
  });

  test('are refused while the wallet is frozen', async () => {
    const wallet = await funded();
    await wallet.sql('UPDATE wallet SET frozen = 1');
    await evictDurableObject(wallet.stub);
    expect(await wallet.execute(hold(1))).toMatchObject([{ reason: 'wallet_frozen' }]);
    expect(await wallet.view()).toMatchObject({ frozen: true });
  });

  test('cost at most three written rows each', async () => {
    const wallet = await funded(100_000);
    // The first hold sets the alarm; what every later one costs is measured.
    await wallet.execute(hold(0));
    const written = await runInDurableObject(wallet.stub, (instance, state) => {
      const { sql } = state.storage;
      const cursors: { rowsWritten: number }[] = [];
      const exec = sql.exec.bind(sql);
      sql.exec = ((...input: Parameters<typeof exec>) => {
        const cursor = exec(...input);
        cursors.push(cursor);
        return cursor;
      }) as typeof sql.exec;
      const counts = [hold(1), act('debit', 1), hold(2), act('release', 2), act('credit', 1)].map((command) => {
        cursors.length = 0;
        instance.execute(SCOPE, wallet.walletId, [command]);
        return cursors.reduce((sum, cursor) => sum + cursor.rowsWritten, 0);
      });
      sql.exec = exec;
      return counts;
    });
    for (const rows of written) expect(rows).toBeLessThanOrEqual(3);
    expect(Math.min(...written)).toBeGreaterThan(0);
  });
});

describe('an eviction', () => {
  test('loses nothing: balances, holds, effects and the chain go on', async () => {
    const wallet = await funded();
    await wallet.execute(hold(1), hold(2, 200), act('debit', 1));
    const before = await wallet.view();
    await evictDurableObject(wallet.stub);
    expect(await wallet.view()).toEqual(before);
    expect(await wallet.execute(hold(2, 200), act('release', 2, 200))).toMatchObject([
      { kind: 'refused', reason: 'effect_id_conflict' },
      { kind: 'applied', version: before.version + 1 },
    ]);
    const entries = await wallet.sql('SELECT hash, previous_hash FROM entries ORDER BY sequence');
    for (const [index, entry] of entries.entries()) {
      if (index > 0) expect(entry.previous_hash).toBe(entries[index - 1]?.hash);
    }
  });
});

describe('a hold that expires', () => {
  test('is given back by the alarm', async () => {
    const wallet = await funded();
    await wallet.execute(hold(1, 100, 1_000));
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 1_001 });
    expect(await runDurableObjectAlarm(wallet.stub)).toBe(true);
    expect(await wallet.view()).toMatchObject({ available: 1_000, held: 0, holds: [] });
    expect(await wallet.execute(act('debit', 1))).toMatchObject([{ reason: 'hold_resolved' }]);
  });

  test('is given back by the next command when the alarm is late', async () => {
    const wallet = await funded(100);
    await wallet.execute(hold(1, 100, 1_000));
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 1_001 });
    expect(await wallet.execute(hold(2))).toMatchObject([{ kind: 'applied' }]);
    expect(await wallet.execute(act('release', 1))).toMatchObject([{ kind: 'applied' }]);
  });

  test('leaves the alarm set for the next one', async () => {
    const wallet = await funded();
    await wallet.execute(hold(1, 100, 1_000), hold(2, 100, 60_000));
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 1_001 });
    await runDurableObjectAlarm(wallet.stub);
    const alarmAtMs = await runInDurableObject(wallet.stub, (_, state) => state.storage.getAlarm());
    expect(alarmAtMs).toBeGreaterThan(Date.now());
    expect((await wallet.view()).holds).toHaveLength(1);
  });
});

describe('reading', () => {
  test('lists open holds oldest first, at most so many, and counts all', async () => {
    const wallet = await funded(100_000);
    for (let n = 0; n < 3; n++) {
      await wallet.execute(...Array.from({ length: 50 }, (_, index) => hold(n * 50 + index, 1)));
    }
    const view = await wallet.view();
    expect(view.holds).toHaveLength(WALLET_HOLDS_LISTED_MAX);
    expect(view.holds_total).toBe(150);
    expect(view.holds[0]?.payment_id).toBe('pay_0');
  });

  test('pages the ledger newest first, with neither gap nor repeat', async () => {
    const wallet = await funded(1_000);
    for (let n = 1; n <= 5; n++) await wallet.execute(hold(n), act('debit', n));
    const seen: number[] = [];
    for (let before: number | null = null, more = true; more; ) {
      const page = await wallet.stub.readEntries({ beforeSequence: before, limit: 4, atMs: null });
      if (page.kind !== 'found') throw new Error(page.kind);
      seen.push(...page.entries.map((entry) => entry.sequence));
      before = seen.at(-1) ?? null;
      more = page.more;
    }
    expect(seen).toEqual(Array.from({ length: 11 }, (_, index) => 11 - index));
  });

  test('tells the balance at an instant', async () => {
    const wallet = await funded(1_000);
    const between = Date.now();
    vi.useFakeTimers({ toFake: ['Date'], now: between + 10_000 });
    await wallet.execute(hold(1));
    const then = await wallet.stub.readEntries({ beforeSequence: null, limit: 10, atMs: between + 1 });
    const before = await wallet.stub.readEntries({ beforeSequence: null, limit: 10, atMs: 1 });
    expect(then).toMatchObject({ balanceAt: { available: 1_000, held: 0, version: 1 } });
    expect(before).toMatchObject({ entries: [], balanceAt: { available: 0, version: 0 } });
  });
});

describe('the storage', () => {
  test('whose past differs from the list refuses to work', async () => {
    const wallet = await funded();
    const told = await runInDurableObject(wallet.stub, (_, state) => {
      try {
        migrate(state.storage.sql, [`${SCHEMA[0]} -- edited`, ...SCHEMA.slice(1)]);
        return 'migrated';
      } catch (error) {
        return error instanceof Error ? error.name : 'other';
      }
    });
    expect(told).toBe('InvariantError');
  });

  test('takes a step that is added to the list', async () => {
    const wallet = await funded();
    await runInDurableObject(wallet.stub, (_, state) => {
      migrate(state.storage.sql, [...SCHEMA, 'CREATE TABLE later (id INTEGER PRIMARY KEY)']);
    });
    expect((await tablesOf(wallet.stub)).map(({ name }) => name)).toContain('later');
  });
});
