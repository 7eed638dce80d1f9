import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { migrate, SCHEMA } from '../../durable-objects/wallet/schema.ts';
import type { Wallet } from '../../durable-objects/wallet/wallet.ts';
import { walletObjectName } from '../../src/domain/ids.ts';
import {
  DAY_MS,
  HOLDS_SNAPSHOT_ENTRIES,
  MINUTE_MS,
  PAGE_LIMIT_MAX,
  WALLET_HOLDS_LISTED_MAX,
  WALLET_SIZE_BYTES_MAX,
} from '../../src/domain/limits.ts';
import type { Deposit, WalletCommand } from '../../src/domain/wallet-rpc.ts';
import { withoutSpent } from '../support/spent.ts';
import { audit } from './wallet-audit.ts';

const SCOPE = { merchant: 'default', mode: 'sandbox' } as const;

let wallets = 0;

function freshWallet() {
  wallets += 1;
  const walletId = `object-wallet-${wallets}`;
  const stub = env.WALLET.getByName(walletObjectName(SCOPE, walletId));
  return {
    walletId,
    stub,
    execute: async (...commands: WalletCommand[]) => withoutSpent(await stub.execute(SCOPE, walletId, commands)),
    /** Listed, too, so that the alarm stands for holds alone (wallet-listing.test.ts has the rest). */
    open: async (currency = 'USD') => {
      const opened = await stub.open(SCOPE, walletId, currency);
      await stub.acknowledgeListing();
      return opened;
    },
    deposit: (deposit: Partial<Deposit> = {}) =>
      stub.deposit({ effectId: 'deposit.1', amountMinor: 1_000, currency: 'USD', ...deposit }),
    view: async () => {
      const read = await stub.read();
      if (read.kind !== 'found') throw new Error(read.kind);
      return read.wallet;
    },
    /** Runs SQL inside the object. */
    sql: (statement: string) => runInDurableObject(stub, (_, state) => state.storage.sql.exec(statement).toArray()),
    alarmAtMs: () => runInDurableObject(stub, (_, state) => state.storage.getAlarm()),
    /** Like `sql`, and has the object forget what it holds in memory. */
    corrupt: async (statement: string) => {
      await runInDurableObject(stub, (_, state) => state.storage.sql.exec(statement).toArray());
      await evictDurableObject(stub);
    },
  };
}

/** What a call that meets a bug throws; a rejection that crosses RPC must be caught by whoever made the call. */
async function errorOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'no error',
    (error: Error) => error.name,
  );
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

/** All but the sequence, in the order of the table. */
const ENTRY_COLUMNS =
  'type, effect_id, payment_id, reference, expires_at_ms, postings, available_minor, held_minor, settled_minor, ' +
  'external_minor, created_at_ms, open_holds, previous_hash, hash';

const COUNTS =
  'SELECT (SELECT count(*) FROM entries) AS entries, (SELECT count(*) FROM effects) AS effects, ' +
  '(SELECT count(*) FROM resolutions) AS resolutions';

/** Rows that each command writes when it is sent by itself, as the object's own cursors count them. */
function rowsWritten(wallet: ReturnType<typeof freshWallet>, commands: readonly WalletCommand[]): Promise<number[]> {
  return runInDurableObject(wallet.stub, (instance, state) => {
    const { sql } = state.storage;
    const exec = sql.exec.bind(sql);
    const cursors: { rowsWritten: number }[] = [];
    sql.exec = ((...input: Parameters<typeof exec>) => {
      const cursor = exec(...input);
      cursors.push(cursor);
      return cursor;
    }) as typeof sql.exec;
    const counts = commands.map((command) => {
      cursors.length = 0;
      instance.execute(SCOPE, wallet.walletId, [command]);
      return cursors.reduce((sum, cursor) => sum + cursor.rowsWritten, 0);
    });
    sql.exec = exec;
    return counts;
  });
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
    expect(await tablesOf(wallet.stub)).toEqual([]);
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

  test('that meet a bug undo the whole call: entries, effects, resolutions and the alarm', async () => {
    const wallet = await funded();
    expect(await errorOf(wallet.execute(hold(1), act('release', 1), { ...hold(2), amountMinor: 0.5 }))).toBe(
      'InvariantError',
    );
    expect(await wallet.sql(COUNTS)).toEqual([{ entries: 1, effects: 1, resolutions: 0 }]);
    expect(await wallet.alarmAtMs()).toBeNull();
  });

  test('that meet an effect whose row says neither yes nor no undo the whole call', async () => {
    const wallet = await funded();
    const known = hold(9);
    await wallet.execute(known);
    await wallet.corrupt("UPDATE effects SET version = NULL WHERE effect_id = 'hold.9'");
    expect(await errorOf(wallet.execute(hold(1), act('release', 1), known))).toBe('InvariantError');
    expect(await wallet.sql(COUNTS)).toEqual([{ entries: 2, effects: 2, resolutions: 0 }]);
  });

  test('that the storage refuses in the middle undo the whole call', async () => {
    const wallet = await funded();
    // The object has its newest entry in memory: the second command's entry meets this one where it belongs itself.
    await wallet.sql(`INSERT INTO entries SELECT 3, ${ENTRY_COLUMNS} FROM entries`);
    expect(await errorOf(wallet.execute(hold(1), act('release', 1)))).toBe('Error');
    expect(await wallet.sql(COUNTS)).toEqual([{ entries: 2, effects: 1, resolutions: 0 }]);
    await wallet.corrupt('DELETE FROM entries WHERE sequence = 3');
    expect(await wallet.execute(hold(1))).toMatchObject([{ kind: 'applied', version: 2 }]);
    expect(await audit(wallet.stub)).toEqual([]);
  });

  test('go on after a call that was undone', async () => {
    const wallet = await funded();
    expect(await errorOf(wallet.execute(hold(1), { ...hold(2), amountMinor: 0.5 }))).toBe('InvariantError');
    expect(await wallet.view()).toMatchObject({ available: 1_000, held: 0, version: 1, holds: [] });
    expect(await wallet.execute(hold(1))).toMatchObject([{ kind: 'applied', version: 2 }]);
  });

  test('of two at once that debit one hold, one is applied (P13)', async () => {
    const wallet = await funded();
    await wallet.execute(hold(1));
    const debits = Array.from({ length: 10 }, (_, n) => ({ ...act('debit', 1), effectId: `debit.1.${n}` }));
    const outcomes = (await Promise.all(debits.map((debit) => wallet.execute(debit)))).flat();
    expect(outcomes.filter(({ kind }) => kind === 'applied')).toHaveLength(1);
    expect(outcomes.filter((outcome) => 'reason' in outcome && outcome.reason === 'hold_resolved')).toHaveLength(9);
    expect(await wallet.view()).toMatchObject({ available: 900, held: 0, settled: 100 });
  });

  test('at once that hold more than is there get no more than is there (P13)', async () => {
    const wallet = await funded(500);
    const outcomes = await Promise.all(Array.from({ length: 20 }, (_, n) => wallet.execute(hold(n))));
    expect(outcomes.flat().filter(({ kind }) => kind === 'applied')).toHaveLength(5);
    expect(await wallet.view()).toMatchObject({ available: 0, held: 500, version: 6 });
  });

  test('that debit a hold which was refused are refused under any id (P13)', async () => {
    const wallet = await funded(50);
    expect(await wallet.execute(hold(1), act('debit', 1), { ...act('debit', 1), effectId: 'hold.1' })).toMatchObject([
      { reason: 'insufficient_funds' },
      { reason: 'hold_not_found' },
      { reason: 'effect_id_conflict' },
    ]);
  });

  test('sent to a wallet by the name of another change nothing', async () => {
    const wallet = await funded();
    expect(await errorOf(wallet.stub.execute(SCOPE, 'another', [hold(1)]))).toBe('InvariantError');
    expect(await errorOf(wallet.stub.execute({ ...SCOPE, mode: 'live' }, wallet.walletId, [hold(1)]))).toBe(
      'InvariantError',
    );
    expect((await wallet.view()).version).toBe(1);
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

  test('cost two or three written rows each, and a replay none', async () => {
    const wallet = await funded(100_000);
    // The first hold sets the alarm, which a wallet needs once a week: what every later command costs is measured.
    await wallet.execute(hold(0));
    const again = hold(1);
    const commands = [again, act('debit', 1), hold(2), act('release', 2), act('credit', 1), act('reverse', 1)];
    const rows = await rowsWritten(wallet, [...commands, again, hold(3, 1_000_000)]);
    expect(rows).toEqual([2, 3, 2, 3, 2, 2, 0, 1]);
  });

  test('cost as much when they write the open holds out', async () => {
    const wallet = await funded(100_000);
    for (let n = 2; n < HOLDS_SNAPSHOT_ENTRIES; n++) await wallet.execute(hold(n, 1));
    expect(await rowsWritten(wallet, [hold(0, 1)])).toEqual([2]);
    const rows = await wallet.sql('SELECT sequence FROM entries WHERE open_holds IS NOT NULL');
    expect(rows).toEqual([{ sequence: HOLDS_SNAPSHOT_ENTRIES }]);
  });
});

describe('a freeze', () => {
  const FROZEN = { kind: 'found', wallet: { frozen: true } };

  test('has holds and deposits refused and everything else carried out, and outlives an eviction', async () => {
    const wallet = await funded();
    await wallet.execute(hold(1), hold(2), hold(3, 100, 1_000));
    expect(await wallet.stub.setFrozen(true)).toMatchObject(FROZEN);
    await evictDurableObject(wallet.stub);
    expect(await wallet.execute(hold(4))).toMatchObject([{ reason: 'wallet_frozen' }]);
    expect(await wallet.deposit({ effectId: 'deposit.2' })).toEqual({ kind: 'refused', reason: 'wallet_frozen' });
    const ends = [act('debit', 1), act('release', 2), act('credit', 1), act('reverse', 1)];
    expect((await wallet.execute(...ends)).map(({ kind }) => kind)).toEqual(Array(4).fill('applied'));
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 1_001 });
    await runDurableObjectAlarm(wallet.stub);
    expect(await wallet.view()).toMatchObject({ available: 900, held: 0, settled: 100, frozen: true });
    expect(await audit(wallet.stub)).toEqual([]);
  });

  test('is lifted for what comes after; what was refused meanwhile stays refused', async () => {
    const wallet = await funded();
    const refused = hold(1);
    await wallet.stub.setFrozen(true);
    await wallet.execute(refused);
    await wallet.deposit({ effectId: 'deposit.2' });
    expect(await wallet.stub.setFrozen(false)).toMatchObject({ kind: 'found', wallet: { frozen: false } });
    expect(await wallet.execute(refused, hold(2))).toMatchObject([{ reason: 'wallet_frozen' }, { kind: 'applied' }]);
    expect(await wallet.deposit({ effectId: 'deposit.2' })).toMatchObject({ reason: 'wallet_frozen' });
    expect(await wallet.deposit({ effectId: 'deposit.3' })).toMatchObject({ kind: 'deposited' });
    expect(await audit(wallet.stub)).toEqual([]);
  });

  test('is no entry: it moves no money, and said again it writes nothing', async () => {
    const wallet = await funded();
    const before = await wallet.view();
    const written = (frozen: boolean) =>
      runInDurableObject(wallet.stub, (instance, { storage: { sql } }) => {
        const total = () => sql.exec('SELECT total_changes() AS n').one().n;
        const first = total();
        instance.setFrozen(frozen);
        return Number(total()) - Number(first);
      });
    expect(await written(true)).toBe(1);
    expect(await written(true)).toBe(0);
    expect(await wallet.view()).toEqual({ ...before, frozen: true });
    expect(await written(false)).toBe(1);
    expect(await written(false)).toBe(0);
    expect(await wallet.view()).toEqual(before);
  });

  test('of a wallet that was never opened writes nothing, not even a table', async () => {
    const { stub } = freshWallet();
    expect(await stub.setFrozen(true)).toEqual({ kind: 'not_found' });
    expect(await tablesOf(stub)).toEqual([]);
  });
});

describe('as large as it may be', () => {
  afterEach(() => vi.restoreAllMocks());

  /** As the platform would say it. */
  async function sized(stub: DurableObjectStub<Wallet>, bytes: number): Promise<void> {
    await runInDurableObject(stub, (_, { storage: { sql } }) => {
      vi.spyOn(Object.getPrototypeOf(sql) as SqlStorage, 'databaseSize', 'get').mockReturnValue(bytes);
    });
  }
  const said = (log: { mock: { calls: unknown[][] } }) =>
    log.mock.calls.map(([line]) => String(line)).filter((line) => line.includes('"wallet.full"'));

  test('it refuses holds and deposits, ends what it holds, and says so once', async () => {
    const wallet = await funded();
    await wallet.execute(hold(1), hold(2));
    const [log, third] = [vi.spyOn(console, 'log'), hold(3)];
    await sized(wallet.stub, WALLET_SIZE_BYTES_MAX - 1);
    expect(await wallet.execute(third)).toMatchObject([{ kind: 'applied' }]);
    await sized(wallet.stub, WALLET_SIZE_BYTES_MAX);
    const outcomes = await wallet.execute(act('debit', 1), hold(4), hold(5), third);
    expect(outcomes.map((outcome) => (outcome.kind === 'refused' ? outcome.reason : outcome.kind))).toEqual([
      'applied',
      'wallet_full',
      'wallet_full',
      'applied',
    ]);
    expect(await wallet.deposit({ effectId: 'late' })).toEqual({ kind: 'refused', reason: 'wallet_full' });
    expect(await wallet.deposit()).toMatchObject({ kind: 'replayed' });
    expect(said(log)).toEqual([
      JSON.stringify({
        event: 'wallet.full',
        alert: true,
        merchant: 'default',
        mode: 'sandbox',
        payment_id: 'pay_4',
        wallet_version: 5,
      }),
    ]);
    expect(await wallet.view()).toMatchObject({ available: 700, held: 200, settled: 100 });
    expect(await audit(wallet.stub)).toEqual([]);
  });
});

describe('an eviction', () => {
  test('loses nothing: balances, holds, effects and the chain go on', async () => {
    const wallet = await funded();
    const second = hold(2, 200);
    await wallet.execute(hold(1), second, act('debit', 1), act('debit', 77));
    const before = await wallet.view();
    await evictDurableObject(wallet.stub);
    expect(await wallet.view()).toEqual(before);
    expect(await wallet.execute(second, act('debit', 1), act('debit', 77), act('release', 2, 200))).toEqual([
      { effectId: 'hold.2', kind: 'applied', version: 3 },
      { effectId: 'debit.1', kind: 'applied', version: 4 },
      { effectId: 'debit.77', kind: 'refused', reason: 'hold_not_found' },
      { effectId: 'release.2', kind: 'applied', version: 5 },
    ]);
    expect(await audit(wallet.stub)).toEqual([]);
  });

  test.each([-1, 0, 1, HOLDS_SNAPSHOT_ENTRIES - 1].map((more) => HOLDS_SNAPSHOT_ENTRIES + more))(
    'after %i entries finds the open holds again, in their order',
    async (version) => {
      const wallet = await funded(100_000);
      for (let n = 0; n < version - 1; n++) {
        await wallet.execute(n % 3 === 2 ? act('release', n - 1, 1) : hold(n, 1));
      }
      const before = await wallet.view();
      expect(before.version).toBe(version);
      await evictDurableObject(wallet.stub);
      expect(await wallet.view()).toEqual(before);
    },
  );
});

describe('a hold that expires', () => {
  test('is given back by the alarm', async () => {
    const wallet = await funded();
    await wallet.execute(hold(1, 100, 1_000));
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 1_001 });
    expect(await runDurableObjectAlarm(wallet.stub)).toBe(true);
    expect(await wallet.view()).toMatchObject({ available: 1_000, held: 0, holds: [] });
    expect(await wallet.alarmAtMs()).toBeNull();
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
    const next = hold(2, 100, 60_000);
    await wallet.execute(hold(1, 100, 1_000), next);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 1_001 });
    await runDurableObjectAlarm(wallet.stub);
    expect(await wallet.alarmAtMs()).toBe('expiresAtMs' in next ? next.expiresAtMs : null);
    expect((await wallet.view()).holds).toMatchObject([{ payment_id: 'pay_2' }]);
  });

  test('is given back by a deposit when the alarm is late, and by no read', async () => {
    const wallet = await funded(100);
    await wallet.execute(hold(1, 100, 1_000));
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 1_001 });
    expect(await wallet.view()).toMatchObject({ available: 0, held: 100, version: 2 });
    await wallet.deposit({ effectId: 'deposit.2', amountMinor: 1 });
    expect(await wallet.view()).toMatchObject({ available: 101, held: 0, version: 4 });
  });

  test('is given back by the platform itself, at its time', async () => {
    const wallet = await funded(100);
    await wallet.execute(hold(1, 100, 200));
    await vi.waitFor(async () => expect(await wallet.view()).toMatchObject({ available: 100, holds: [] }), 5_000);
    expect(await audit(wallet.stub)).toEqual([]);
  });

  test('sooner than the alarm that is set brings it forward', async () => {
    const wallet = await funded();
    const [later, sooner] = [hold(1), hold(2, 100, MINUTE_MS)];
    await wallet.execute(later);
    expect(await wallet.alarmAtMs()).toBe('expiresAtMs' in later && later.expiresAtMs);
    await wallet.execute(sooner);
    expect(await wallet.alarmAtMs()).toBe('expiresAtMs' in sooner && sooner.expiresAtMs);
  });

  test('whose alarm rings before its time is not given back, and the alarm is set again', async () => {
    const wallet = await funded();
    const only = hold(1);
    await wallet.execute(only);
    expect(await runDurableObjectAlarm(wallet.stub)).toBe(true);
    expect((await wallet.view()).held).toBe(100);
    expect(await wallet.alarmAtMs()).toBe('expiresAtMs' in only && only.expiresAtMs);
  });
});

describe('an alarm', () => {
  test('is not set by a call that leaves no hold open', async () => {
    const wallet = await funded();
    await wallet.execute(hold(1), act('debit', 1));
    expect(await wallet.alarmAtMs()).toBeNull();
  });

  test('that fails is set again, and does its work once the fault is gone', async () => {
    const wallet = await funded();
    await wallet.execute(hold(1, 100, 1_000));
    await wallet.corrupt("UPDATE entries SET postings = 'no JSON' || postings");
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 1_001 });
    const rangAtMs = Date.now();
    expect(await runDurableObjectAlarm(wallet.stub)).toBe(true);
    expect(await wallet.alarmAtMs()).toBe(rangAtMs + MINUTE_MS);
    await wallet.corrupt("UPDATE entries SET postings = substr(postings, length('no JSON') + 1)");
    expect(await runDurableObjectAlarm(wallet.stub)).toBe(true);
    expect(await wallet.view()).toMatchObject({ available: 1_000, held: 0, version: 3 });
    expect(await audit(wallet.stub)).toEqual([]);
  });

  test('that has rung does not pass for one to come when the clock is set back', async () => {
    const wallet = await funded();
    const startMs = Date.now() + DAY_MS;
    vi.useFakeTimers({ toFake: ['Date'], now: startMs });
    await wallet.execute(hold(1, 100, 0));
    expect(await runDurableObjectAlarm(wallet.stub)).toBe(true);
    vi.setSystemTime(startMs - 100);
    const next = hold(2, 100, MINUTE_MS);
    await wallet.execute(next);
    expect(await wallet.alarmAtMs()).toBe('expiresAtMs' in next && next.expiresAtMs);
  });

  test('with nothing left to expire is not set again', async () => {
    const wallet = await funded();
    await wallet.execute(hold(1));
    await wallet.execute(act('debit', 1));
    expect(await runDurableObjectAlarm(wallet.stub)).toBe(true);
    expect(await wallet.alarmAtMs()).toBeNull();
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

  test('brings a page size that is out of range into it', async () => {
    const wallet = await funded(100_000);
    await wallet.execute(...Array.from({ length: 80 }, (_, n) => hold(n, 1)));
    await wallet.execute(...Array.from({ length: 80 }, (_, n) => act('release', n, 1)));
    const page = async (limit: number) => {
      const read = await wallet.stub.readEntries({ beforeSequence: null, limit, atMs: null });
      return read.kind === 'found' ? read.entries.map(({ sequence }) => sequence) : [];
    };
    expect(await page(0)).toEqual([161]);
    expect(await page(1_000)).toHaveLength(PAGE_LIMIT_MAX);
  });

  test('before the first entry finds none and no more', async () => {
    const wallet = await funded();
    const page = await wallet.stub.readEntries({ beforeSequence: 1, limit: 10, atMs: null });
    expect(page).toEqual({ kind: 'found', entries: [], more: false });
  });

  test('tells the balance at every instant, between entries and at them', async () => {
    const wallet = await funded(1_000);
    const startMs = Date.now() + 1_000;
    for (const n of [1, 2, 3]) {
      vi.useFakeTimers({ toFake: ['Date'], now: startMs + 10 * n });
      await wallet.execute(hold(n));
    }
    const versionAt = async (ms: number) => {
      const page = await wallet.stub.readEntries({ beforeSequence: null, limit: 1, atMs: startMs + ms });
      if (page.kind !== 'found') throw new Error(page.kind);
      expect(page.entries[0]?.sequence).toBe(page.balanceAt?.version);
      return page.balanceAt?.version;
    };
    expect(await Promise.all([9, 10, 19, 20, 29, 30, 99].map(versionAt))).toEqual([1, 2, 2, 3, 3, 4, 4]);
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

  test('is not worked on when a step that ran was edited: neither a read nor a command is answered', async () => {
    const wallet = await funded();
    await wallet.corrupt("UPDATE schema_history SET statement_hash = 'other' WHERE step = 2");
    expect(await errorOf(wallet.view())).toBe('InvariantError');
    expect(await errorOf(wallet.execute(hold(1)))).toBe('InvariantError');
  });

  test('of newer code is worked on by older code after a rollback', async () => {
    const wallet = await funded();
    await wallet.corrupt("INSERT INTO schema_history SELECT max(step) + 1, 'newer' FROM schema_history");
    expect(await wallet.execute(hold(1))).toMatchObject([{ kind: 'applied' }]);
  });

  test('takes a step that is added to the list', async () => {
    const wallet = await funded();
    await runInDurableObject(wallet.stub, (_, state) => {
      migrate(state.storage.sql, [...SCHEMA, 'CREATE TABLE later (id INTEGER PRIMARY KEY)']);
    });
    expect((await tablesOf(wallet.stub)).map(({ name }) => name)).toContain('later');
  });
});
