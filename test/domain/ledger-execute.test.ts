/** Commands on a ledger, one after another: effects, holds to their end, deposits, limits, and a clock that is set back. */
import { describe, expect, test } from 'vitest';
import { InvariantError } from '../../src/domain/errors.ts';
import { foldHolds, type OpenHold } from '../../src/domain/ledger/entry.ts';
import { earliestExpiryAtMs, executeCommands, executeDeposit, openWallet } from '../../src/domain/ledger/execute.ts';
import { verifyLedger } from '../../src/domain/ledger/replay.ts';
import {
  AMOUNT_MINOR_MAX,
  HOLDS_SNAPSHOT_ENTRIES,
  WALLET_COMMANDS_MAX,
  WALLET_OPEN_HOLDS_MAX,
} from '../../src/domain/limits.ts';
import { ENTRY_TYPES } from '../../src/domain/wallet-rpc.ts';
import { command, everyEntryType, execute, funded, HOLD_TTL_MS, NOW_MS, OWNER } from './ledger/builders.ts';
import { MemoryStore } from './ledger/memory-store.ts';

const EXPIRES_AT_MS = NOW_MS + HOLD_TTL_MS;
const types = (store: MemoryStore) => store.entries.map(({ type }) => type);
const deposit = (store: MemoryStore, fields: object = {}, nowMs = NOW_MS) =>
  executeDeposit(store, { effectId: 'deposit.2', amountMinor: 100, currency: 'USD', ...fields }, nowMs);

describe('an effect (L6)', () => {
  test('that comes again has its first outcome, whatever has happened since, and moves nothing', () => {
    const store = funded(1_000);
    expect(execute(store, [command('hold', 1), command('hold', 2), command('debit', 1)])).toEqual([
      'applied 2',
      'applied 3',
      'applied 4',
    ]);
    const before = store.head();
    expect(execute(store, [command('debit', 1), command('hold', 1)], NOW_MS + 5)).toEqual(['applied 4', 'applied 2']);
    expect(store.head()).toBe(before);
  });

  test('that was refused stays refused when it would be granted', () => {
    const store = funded(50);
    expect(execute(store, [command('hold', 1)])).toEqual(['insufficient_funds']);
    deposit(store);
    expect(execute(store, [command('hold', 1)])).toEqual(['insufficient_funds']);
    expect(execute(store, [command('hold', 1, { effectId: 'another' })])).toEqual(['applied 3']);
  });

  test('with other content is refused, and what is stored stays', () => {
    const store = funded(1_000);
    execute(store, [command('hold', 1)]);
    expect(execute(store, [command('hold', 1, { amountMinor: 99 }), command('hold', 1)])).toEqual([
      'effect_id_conflict',
      'applied 2',
    ]);
  });

  test('of a wallet that does not exist is kept: the same command after it was opened is refused', () => {
    const store = new MemoryStore();
    expect(execute(store, [command('hold', 1)])).toEqual(['wallet_not_found']);
    openWallet(store, OWNER, 'USD', NOW_MS);
    deposit(store);
    expect(execute(store, [command('hold', 1)])).toEqual(['wallet_not_found']);
  });

  test.each([
    { version: null, refusal: null },
    { version: 2, refusal: 'insufficient_funds' as const },
  ])('whose row says %o is a bug and answers nothing', (edit) => {
    const store = funded(1_000);
    execute(store, [command('hold', 1)]);
    const effect = store.effects.get('hold.1');
    if (effect === undefined) throw new Error('no effect');
    store.effects.set('hold.1', { ...effect, ...edit });
    const broken = new InvariantError('L6', { effectId: 'hold.1' });
    expect(() => execute(store, [command('hold', 1)])).toThrow(broken);
  });
});

describe('a hold', () => {
  test('is debited in full, or in part with the rest given back in the same entry', () => {
    const store = funded(1_000);
    execute(store, [
      command('hold', 1),
      command('hold', 2),
      command('debit', 1),
      command('debit', 2, { amountMinor: 30 }),
    ]);
    expect(types(store)).toEqual(['deposit', 'hold', 'hold', 'debit', 'debit']);
    expect(store.head()?.balances).toEqual({ available: 870, held: 0, settled: 130, external: 1_000 });
  });

  test('is not debited above what it holds, and is still there afterwards', () => {
    const store = funded(1_000);
    const above = command('debit', 1, { effectId: 'above', amountMinor: 101 });
    expect(execute(store, [command('hold', 1), above, command('debit', 1)])).toEqual([
      'applied 2',
      'amount_exceeds_hold',
      'applied 3',
    ]);
  });

  test.each([
    ['debit', 'debited'],
    ['release', 'released'],
  ] as const)('that was ended by a %s is %s for good (L3)', (type, resolution) => {
    const store = funded(1_000);
    execute(store, [command('hold', 1), command(type, 1)]);
    expect(store.resolution('pay_1')).toBe(resolution);
    const again = (kind: 'hold' | 'debit' | 'release') => command(kind, 1, { effectId: `again.${kind}` });
    expect(execute(store, [again('debit'), again('release'), again('hold')], EXPIRES_AT_MS)).toEqual([
      'hold_resolved',
      'hold_resolved',
      'hold_exists',
    ]);
    expect(types(store)).toEqual(['deposit', 'hold', type]);
  });

  test('that nobody made is neither debited nor released', () => {
    expect(execute(funded(1_000), [command('debit', 1), command('release', 1)])).toEqual([
      'hold_not_found',
      'hold_not_found',
    ]);
  });

  test('counts in the funds check of the next one (P13)', () => {
    const sixty = (n: number) => command('hold', n, { amountMinor: 60 });
    expect(execute(funded(100), [sixty(1), sixty(2)])).toEqual(['applied 2', 'insufficient_funds']);
  });

  test('that was refused is not debited under another id (P13)', () => {
    const store = funded(100);
    const outcomes = execute(store, [command('hold', 1, { amountMinor: 200 }), command('debit', 1)]);
    expect(outcomes).toEqual(['insufficient_funds', 'hold_not_found']);
    expect(types(store)).toEqual(['deposit']);
  });

  test('has one debit, of two under two ids (P13)', () => {
    const store = funded(100);
    const second = command('debit', 1, { effectId: 'debit.other' });
    expect(execute(store, [command('hold', 1), command('debit', 1), second])).toEqual([
      'applied 2',
      'applied 3',
      'hold_resolved',
    ]);
  });
});

describe('an expiry', () => {
  test('comes at the very millisecond, before the command that meets it', () => {
    const store = funded(100);
    execute(store, [command('hold', 1)]);
    expect(execute(store, [command('hold', 2)], EXPIRES_AT_MS - 1)).toEqual(['insufficient_funds']);
    const later = command('hold', 3, { expiresAtMs: EXPIRES_AT_MS + 1 });
    expect(execute(store, [later, command('debit', 1)], EXPIRES_AT_MS)).toEqual(['applied 4', 'hold_resolved']);
    expect(types(store)).toEqual(['deposit', 'hold', 'expire', 'hold']);
    expect(store.entry(3)).toMatchObject({
      effectId: 'wallet.hold_expired.pay_1',
      paymentId: 'pay_1',
      reference: null,
    });
    expect(store.resolution('pay_1')).toBe('expired');
  });

  test('of a hold that the balances do not know is a bug, and so is one in no wallet (L2)', () => {
    const expiry = (store: MemoryStore, amountMinor: number) => {
      store.holds.set('pay_1', { paymentId: 'pay_1', amountMinor, expiresAtMs: NOW_MS });
      return () => execute(store, [], NOW_MS);
    };
    const broken = new InvariantError('L2', { effectId: 'wallet.hold_expired.pay_1' });
    expect(expiry(funded(100), 1)).toThrow(broken);
    expect(expiry(new MemoryStore(), 0)).toThrow(broken);
  });

  test('comes before a deposit, too', () => {
    const store = funded(100);
    execute(store, [command('hold', 1)]);
    deposit(store, {}, EXPIRES_AT_MS);
    expect(types(store)).toEqual(['deposit', 'hold', 'expire', 'deposit']);
    expect(store.head()?.balances.available).toBe(200);
  });

  test('makes a release applied without an entry, once and for ever', () => {
    const store = funded(100);
    execute(store, [command('hold', 1)]);
    expect(execute(store, [command('release', 1)], EXPIRES_AT_MS)).toEqual(['applied 3']);
    deposit(store, {}, EXPIRES_AT_MS);
    expect(execute(store, [command('release', 1)], EXPIRES_AT_MS)).toEqual(['applied 3']);
    expect(types(store)).toEqual(['deposit', 'hold', 'expire', 'deposit']);
    expect(store.head()?.balances).toMatchObject({ available: 200, held: 0 });
  });

  test('of several holds goes by their times, not by their age', () => {
    const store = funded(1_000);
    const ends = [30, 10, 20, 99];
    execute(
      store,
      ends.map((ms, n) => command('hold', n, { expiresAtMs: NOW_MS + ms })),
    );
    expect(earliestExpiryAtMs(store.holds)).toBe(NOW_MS + 10);
    execute(store, [], NOW_MS + 30);
    expect(store.entries.slice(-3).map(({ paymentId }) => paymentId)).toEqual(['pay_1', 'pay_2', 'pay_0']);
    expect(earliestExpiryAtMs(store.holds)).toBe(NOW_MS + 99);
    execute(store, [], NOW_MS + 99);
    expect(earliestExpiryAtMs(store.holds)).toBeNull();
  });
});

describe('money that comes back', () => {
  test('is never more than what left, over all credits together', () => {
    const store = funded(1_000);
    execute(store, [command('hold', 1), command('debit', 1)]);
    const credit = (n: number, amountMinor: number) => command('credit', n, { amountMinor });
    expect(execute(store, [credit(1, 60), credit(2, 41), credit(3, 40), credit(4, 1)])).toEqual([
      'applied 4',
      'insufficient_funds',
      'applied 5',
      'insufficient_funds',
    ]);
    expect(store.head()?.balances).toEqual({ available: 1_000, held: 0, settled: 0, external: 1_000 });
  });

  test('is taken back only as far as it is there: what is held is not', () => {
    const store = funded(100);
    execute(store, [
      command('hold', 1),
      command('debit', 1),
      command('credit', 1),
      command('hold', 2, { amountMinor: 60 }),
    ]);
    const reverse = (n: number, amountMinor: number) => command('reverse', n, { amountMinor });
    expect(execute(store, [reverse(1, 41), reverse(2, 40)])).toEqual(['insufficient_funds', 'applied 6']);
    expect(store.head()?.balances).toEqual({ available: 0, held: 60, settled: 40, external: 100 });
  });
});

describe('a deposit', () => {
  test('up to the largest amount is made, one more is refused and stays refused', () => {
    const store = funded(AMOUNT_MINOR_MAX - 100);
    expect(deposit(store, { amountMinor: 101 })).toEqual({ kind: 'refused', reason: 'balance_limit_exceeded' });
    expect(deposit(store, { effectId: 'deposit.3' }).kind).toBe('deposited');
    expect(deposit(store, { effectId: 'deposit.4', amountMinor: 1 })).toMatchObject({ kind: 'refused' });
    expect(deposit(store, { amountMinor: 101 })).toEqual({ kind: 'refused', reason: 'balance_limit_exceeded' });
    expect(store.head()?.balances).toMatchObject({ available: AMOUNT_MINOR_MAX, external: AMOUNT_MINOR_MAX });
    expect(verifyLedger(store.stored()).violations).toEqual([]);
  });

  test('counts what came in for good: what has left for services makes no room', () => {
    const store = funded(AMOUNT_MINOR_MAX);
    execute(store, [command('hold', 1), command('debit', 1)]);
    expect(deposit(store, { amountMinor: 1 })).toEqual({ kind: 'refused', reason: 'balance_limit_exceeded' });
  });

  test('names the fields in which a second body under its key differs', () => {
    const store = funded(1_000);
    const second = (fields: object) => deposit(store, { effectId: 'deposit.1', amountMinor: 1_000, ...fields });
    expect(second({ reference: 'r' }).kind).toBe('replayed');
    expect(second({ reference: 'r', amountMinor: 7 })).toEqual({ kind: 'key_reused', fields: ['/amount'] });
    expect(second({ currency: 'EUR' })).toEqual({ kind: 'key_reused', fields: ['/currency', '/reference'] });
  });

  test('under an id that a command has taken is refused: there are no fields to name', () => {
    const store = funded(1_000);
    execute(store, [command('hold', 1)]);
    expect(deposit(store, { effectId: 'hold.1' })).toEqual({ kind: 'refused', reason: 'effect_id_conflict' });
  });

  test('into no wallet is not kept', () => {
    const store = new MemoryStore();
    expect(deposit(store)).toEqual({ kind: 'refused', reason: 'wallet_not_found' });
    expect(store.effects.size).toBe(0);
  });
});

describe('a wallet', () => {
  test('is opened once, in one currency that exists', () => {
    const store = new MemoryStore();
    expect(() => openWallet(store, OWNER, 'XXX', NOW_MS)).toThrow(
      new InvariantError('currency_known', { currency: 'XXX' }),
    );
    expect(openWallet(store, OWNER, 'USD', NOW_MS)).toBe('opened');
    expect(openWallet(store, OWNER, 'USD', NOW_MS + 1)).toBe('exists');
    expect(openWallet(store, OWNER, 'EUR', NOW_MS)).toBe('currency_conflict');
    expect(store.wallet()).toMatchObject({ currency: 'USD', createdAtMs: NOW_MS });
  });

  test.each([
    { ...OWNER, walletId: 'wal-2' },
    { ...OWNER, scope: { merchant: 'other', mode: 'sandbox' } as const },
    { ...OWNER, scope: { merchant: 'default', mode: 'live' } as const },
  ])('does nothing under the name of another: %o', (other) => {
    const store = funded(1_000);
    const broken = new InvariantError('wallet_owner', { walletId: other.walletId });
    expect(() => executeCommands(store, other, [command('hold', 1)], NOW_MS)).toThrow(broken);
    expect(() => openWallet(store, other, 'USD', NOW_MS)).toThrow(broken);
    expect(types(store)).toEqual(['deposit']);
  });

  test('is opened by the first hold that says so, and by no other command and no second time', () => {
    const store = new MemoryStore();
    const first = command('hold', 1, { openWithMinor: 150 });
    const debit = command('debit', 1, { openWithMinor: 150 });
    expect(execute(store, [debit, first, command('hold', 2, { openWithMinor: 150 }), first])).toEqual([
      'wallet_not_found',
      'applied 2',
      'insufficient_funds',
      'applied 2',
    ]);
    expect(types(store)).toEqual(['deposit', 'hold']);
    expect(store.entry(1)).toMatchObject({ effectId: 'sandbox-opening', paymentId: null });
  });

  test('is not opened by a hold that was refused before', () => {
    const store = new MemoryStore();
    execute(store, [command('hold', 1)]);
    expect(execute(store, [command('hold', 1, { openWithMinor: 150 })])).toEqual(['effect_id_conflict']);
    expect(store.wallet()).toBeNull();
  });

  test(`takes ${WALLET_COMMANDS_MAX} commands at once and not one more`, () => {
    const store = funded(1_000_000);
    const commands = Array.from({ length: WALLET_COMMANDS_MAX + 1 }, (_, n) => command('hold', n));
    expect(() => execute(store, commands)).toThrow(new InvariantError('wallet_commands_max', { n: commands.length }));
    expect(types(store)).toEqual(['deposit']);
    expect(execute(store, commands.slice(1))).toHaveLength(WALLET_COMMANDS_MAX);
  });

  test('has at most so many open holds, and room again when one is resolved', () => {
    const store = funded(1_000_000);
    for (let n = 0; n < WALLET_OPEN_HOLDS_MAX; n++) {
      const paymentId = `pay_${n}`;
      store.holds.set(paymentId, { paymentId, amountMinor: 1, expiresAtMs: NOW_MS + 9_999 });
    }
    expect(execute(store, [command('hold', 1e6)])).toEqual(['holds_limit_exceeded']);
    store.holds.delete('pay_0');
    expect(execute(store, [command('hold', 1e6, { effectId: 'again' })])).toEqual(['applied 2']);
  });
});

describe('a full wallet', () => {
  test('ends what it has begun, and takes in nothing', () => {
    const store = funded(1_000);
    execute(store, [command('hold', 1), command('hold', 2), command('hold', 3), command('debit', 3)]);
    store.full = true;
    const effects = store.effects.size;
    expect(execute(store, [command('hold', 4), command('hold', 5, { amountMinor: 9_999 })])).toEqual([
      'wallet_full',
      'insufficient_funds',
    ]);
    expect(deposit(store, { effectId: 'deposit.late' })).toEqual({ kind: 'refused', reason: 'wallet_full' });
    // What it refuses takes none of the room that is left.
    expect(store.effects.size).toBe(effects);
    expect(
      execute(store, [command('debit', 1), command('release', 2), command('credit', 3), command('reverse', 3)]),
    ).toEqual(['applied 6', 'applied 7', 'applied 8', 'applied 9']);
    expect(execute(store, [command('debit', 4)])).toEqual(['hold_not_found']);
    expect(store.effects.has('debit.4')).toBe(true);
  });

  test('answers what it has decided before', () => {
    const store = funded(1_000);
    execute(store, [command('hold', 1), command('hold', 2, { amountMinor: 9_999 })]);
    store.full = true;
    expect(execute(store, [command('hold', 1), command('hold', 2, { amountMinor: 9_999 })])).toEqual([
      'applied 2',
      'insufficient_funds',
    ]);
    const first = { effectId: 'deposit.1', amountMinor: 1_000, reference: 'r' };
    expect(deposit(store, first)).toMatchObject({ kind: 'replayed' });
    expect(deposit(store, { ...first, amountMinor: 7 })).toMatchObject({ kind: 'key_reused' });
  });
});

describe('entries', () => {
  test('of every type post to zero (L1), with balances that are their sum', () => {
    const { entries } = everyEntryType();
    for (const { sequence, postings } of entries) {
      expect(
        postings.reduce((sum, { amount }) => sum + amount, 0),
        `entry ${sequence}`,
      ).toBe(0);
    }
    expect([...new Set(entries.map(({ type }) => type))].sort()).toEqual(
      ENTRY_TYPES.filter((type) => type !== 'correction').sort(),
    );
  });

  test(`write all open holds out in every ${HOLDS_SNAPSHOT_ENTRIES}th, and in no other`, () => {
    const { entries } = everyEntryType();
    const snapshots = entries.filter(({ openHolds }) => openHolds !== null);
    expect(snapshots.map(({ sequence }) => sequence)).toEqual([HOLDS_SNAPSHOT_ENTRIES]);
    expect(snapshots[0]?.openHolds?.length).toBeGreaterThan(3);
  });

  test('never run backwards in time, nor begin before their wallet, though the clock does', () => {
    const store = new MemoryStore();
    openWallet(store, OWNER, 'USD', NOW_MS);
    deposit(store, {}, NOW_MS - 50);
    execute(store, [command('hold', 1)], NOW_MS + 10);
    execute(store, [command('debit', 1)], NOW_MS - 10);
    expect(store.entries.map(({ createdAtMs }) => createdAtMs - NOW_MS)).toEqual([0, 10, 10]);
    expect(verifyLedger(store.stored()).violations).toEqual([]);
  });

  test.each([
    ['a hold with an end', { type: 'hold', expiresAtMs: EXPIRES_AT_MS }, [100]],
    ['a hold without an end', { type: 'hold', expiresAtMs: null }, []],
    ['another entry, though it has an end', { type: 'credit', expiresAtMs: EXPIRES_AT_MS }, []],
    ['a hold that moves nothing', { type: 'hold', expiresAtMs: EXPIRES_AT_MS, postings: [] }, [0]],
  ] as const)('open by %s: %o', (_, fields, amountsMinor) => {
    const holds = new Map<string, OpenHold>();
    foldHolds(holds, { paymentId: 'pay_1', postings: [{ account: 'held', amount: 100 }], ...fields });
    expect([...holds.values()].map(({ amountMinor }) => amountMinor)).toEqual(amountsMinor);
  });
});
