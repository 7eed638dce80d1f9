/** What the ledger decides, check by check: the order of refusals, replays, and each movement's postings. */
import { describe, expect, test } from 'vitest';
import { InvariantError, type WalletRefusal } from '../../src/domain/errors.ts';
import {
  contentOf,
  decide,
  decideDeposit,
  effectHash,
  type Snapshot,
  type StoredEffect,
} from '../../src/domain/ledger/decide.ts';
import { executeCommands, executeDeposit, openWallet } from '../../src/domain/ledger/execute.ts';
import { verifyLedger } from '../../src/domain/ledger/replay.ts';
import { AMOUNT_MINOR_MAX } from '../../src/domain/limits.ts';
import type { WalletCommand } from '../../src/domain/rpc.ts';
import { MemoryStore } from './ledger/memory-store.ts';

const NOW_MS = Date.UTC(2026, 10, 24);
const BASE = { effectId: 'effect-1', paymentId: 'pay-1', amountMinor: 100, currency: 'USD' };
const COMMANDS: Readonly<Record<WalletCommand['type'], WalletCommand>> = {
  hold: { ...BASE, type: 'hold', expiresAtMs: NOW_MS + 1_000 },
  debit: { ...BASE, type: 'debit' },
  release: { ...BASE, type: 'release' },
  credit: { ...BASE, type: 'credit' },
  reverse: { ...BASE, type: 'reverse' },
};

const HOLD = { paymentId: 'pay-1', amountMinor: 100, expiresAtMs: NOW_MS + 1_000 };
const SNAPSHOT: Snapshot = {
  effect: null,
  wallet: { currency: 'USD', frozen: false },
  balances: { available: 1_000, held: 100, settled: 500, external: 1_600 },
  hold: null,
  resolution: null,
  openHoldsCount: 0,
};

function stored(command: WalletCommand, refusal: WalletRefusal | null): StoredEffect {
  const effect = {
    effectId: command.effectId,
    content: contentOf(command),
    version: refusal === null ? 7 : null,
    refusal,
    decidedAtMs: NOW_MS,
  };
  return { ...effect, hash: effectHash(effect) };
}

describe('the order of the checks', () => {
  /** Each row adds one more reason to refuse; the earliest check that fails is the answer. */
  const other: WalletCommand = { ...COMMANDS.debit, amountMinor: 99 };
  const rows: readonly (readonly [string, WalletCommand, Partial<Snapshot>, string])[] = [
    ['more than is held', { ...COMMANDS.debit, amountMinor: 101 }, { hold: HOLD }, 'amount_exceeds_hold'],
    [
      'and simulated',
      { ...COMMANDS.debit, amountMinor: 101, simulate: 'refuse' } as WalletCommand,
      { hold: HOLD },
      'amount_exceeds_hold',
    ],
    ['no hold', { ...COMMANDS.debit, amountMinor: 101 }, {}, 'hold_not_found'],
    ['a resolved hold', { ...COMMANDS.debit, amountMinor: 101 }, { resolution: 'debited' }, 'hold_resolved'],
    ['and another currency', { ...COMMANDS.debit, currency: 'EUR' }, { resolution: 'debited' }, 'currency_mismatch'],
    [
      'and frozen',
      { ...COMMANDS.debit, currency: 'EUR' },
      { resolution: 'debited', wallet: { currency: 'USD', frozen: true } },
      'wallet_frozen',
    ],
    [
      'and no wallet',
      { ...COMMANDS.debit, currency: 'EUR' },
      { resolution: 'debited', wallet: null },
      'wallet_not_found',
    ],
  ];

  test.each(rows)('%s', (_, command, snapshot, reason) => {
    expect(decide({ ...SNAPSHOT, ...snapshot }, command)).toEqual({ kind: 'refused', reason });
  });

  test('a known effect comes before all of them, and another content under it is a conflict', () => {
    const snapshot = { ...SNAPSHOT, wallet: null, effect: stored(COMMANDS.debit, null) };
    expect(decide(snapshot, COMMANDS.debit).kind).toBe('replayed');
    expect(decide(snapshot, other).kind).toBe('conflict');
  });

  test('a hold that exists comes before the funds', () => {
    const command = { ...COMMANDS.hold, amountMinor: 5_000 };
    expect(decide({ ...SNAPSHOT, hold: HOLD }, command)).toEqual({ kind: 'refused', reason: 'hold_exists' });
    expect(decide(SNAPSHOT, command)).toEqual({ kind: 'refused', reason: 'insufficient_funds' });
  });

  test.each(Object.keys(COMMANDS) as WalletCommand['type'][])('%s of an amount that is none is a bug', (type) => {
    for (const amountMinor of [0, -1, 1.5, AMOUNT_MINOR_MAX + 1, Number.NaN]) {
      expect(() => decide(SNAPSHOT, { ...COMMANDS[type], amountMinor })).toThrow(InvariantError);
    }
  });

  test('an id that was refused stays refused for ever, even when it would be granted now', () => {
    const effect = stored(COMMANDS.hold, 'insufficient_funds');
    expect(decide({ ...SNAPSHOT, effect }, COMMANDS.hold)).toMatchObject({
      kind: 'replayed',
      effect: { refusal: 'insufficient_funds' },
    });
  });
});

describe('each movement posts to zero (L1), between the accounts it names', () => {
  test.each([
    ['hold', COMMANDS.hold, {}, { available: -100, held: 100 }],
    ['debit', COMMANDS.debit, { hold: HOLD }, { held: -100, settled: 100 }],
    [
      'partial debit',
      { ...COMMANDS.debit, amountMinor: 60 },
      { hold: HOLD },
      { held: -100, settled: 60, available: 40 },
    ],
    ['release', COMMANDS.release, { hold: HOLD }, { held: -100, available: 100 }],
    ['credit', COMMANDS.credit, {}, { settled: -100, available: 100 }],
    ['reverse', COMMANDS.reverse, {}, { available: -100, settled: 100 }],
  ] as const)('%s', (_, command, snapshot, expected) => {
    const decision = decide({ ...SNAPSHOT, ...snapshot }, command);
    if (decision.kind !== 'applied') throw new Error(decision.kind);
    const { postings } = decision.draft;
    expect(Object.fromEntries(postings.map(({ account, amount }) => [account, amount]))).toEqual(expected);
    expect(postings.reduce((sum, { amount }) => sum + amount, 0)).toBe(0);
  });

  test('deposit', () => {
    const decision = decideDeposit(SNAPSHOT, { effectId: 'd', amountMinor: 100, currency: 'USD' });
    if (decision.kind !== 'applied') throw new Error(decision.kind);
    expect(decision.draft.postings.reduce((sum, { amount }) => sum + amount, 0)).toBe(0);
  });
});

describe('limits', () => {
  const full = { ...SNAPSHOT.balances, available: AMOUNT_MINOR_MAX - 50 };

  test('a balance never passes the largest amount', () => {
    expect(decide({ ...SNAPSHOT, balances: full }, COMMANDS.credit)).toEqual({
      kind: 'refused',
      reason: 'balance_limit_exceeded',
    });
    expect(
      decideDeposit({ ...SNAPSHOT, balances: full }, { effectId: 'd', amountMinor: 100, currency: 'USD' }),
    ).toEqual({ kind: 'refused', reason: 'balance_limit_exceeded' });
  });

  test('a credit is never more than what left, a reversal never more than what is there', () => {
    expect(decide(SNAPSHOT, { ...COMMANDS.credit, amountMinor: 501 })).toMatchObject({ reason: 'insufficient_funds' });
    expect(decide(SNAPSHOT, { ...COMMANDS.reverse, amountMinor: 1_001 })).toMatchObject({
      reason: 'insufficient_funds',
    });
  });
});

describe('regressions known from other systems (P13)', () => {
  const OWNER = { scope: { merchant: 'default', mode: 'sandbox' }, walletId: 'wal-1' } as const;
  function funded(amountMinor: number): MemoryStore {
    const store = new MemoryStore();
    openWallet(store, OWNER, 'USD', NOW_MS);
    executeDeposit(store, { effectId: 'deposit', amountMinor, currency: 'USD' }, NOW_MS);
    return store;
  }
  const hold = (n: number, amountMinor: number): WalletCommand => ({
    ...BASE,
    effectId: `hold-${n}`,
    paymentId: `pay-${n}`,
    type: 'hold',
    amountMinor,
    expiresAtMs: NOW_MS + 1_000,
  });

  test('holds count in the funds check', () => {
    const outcomes = executeCommands(funded(100), OWNER, [hold(1, 60), hold(2, 60)], NOW_MS);
    expect(outcomes.map((outcome) => outcome.kind)).toEqual(['applied', 'refused']);
  });

  test('a refused hold cannot be debited by another id', () => {
    const store = funded(100);
    const debit: WalletCommand = { ...BASE, effectId: 'debit-1', type: 'debit', amountMinor: 200, paymentId: 'pay-1' };
    const outcomes = executeCommands(store, OWNER, [hold(1, 200), debit], NOW_MS);
    expect(outcomes).toMatchObject([{ reason: 'insufficient_funds' }, { reason: 'hold_not_found' }]);
  });

  test('of two debits of one hold, one is applied', () => {
    const store = funded(100);
    const debit = (n: number): WalletCommand => ({ ...BASE, effectId: `debit-${n}`, type: 'debit', amountMinor: 50 });
    const outcomes = executeCommands(store, OWNER, [hold(1, 50), debit(1), debit(2)], NOW_MS);
    expect(outcomes).toMatchObject([{ kind: 'applied' }, { kind: 'applied' }, { reason: 'hold_resolved' }]);
  });

  test('a hold is given back at its time, whether its alarm has rung or not, and only once', () => {
    const store = funded(100);
    executeCommands(store, OWNER, [hold(1, 50)], NOW_MS);
    const late: WalletCommand = { ...BASE, effectId: 'debit-1', type: 'debit', amountMinor: 50 };
    expect(executeCommands(store, OWNER, [late], NOW_MS + 1_000)).toMatchObject([{ reason: 'hold_resolved' }]);
    const release: WalletCommand = { ...BASE, effectId: 'release-1', type: 'release', amountMinor: 50 };
    expect(executeCommands(store, OWNER, [release], NOW_MS + 1_001)).toMatchObject([{ kind: 'applied' }]);
    expect(store.entries.map((entry) => entry.type)).toEqual(['deposit', 'hold', 'expire']);
    expect(store.head()?.balances).toMatchObject({ available: 100, held: 0 });
  });
});

describe('the audit of a ledger', () => {
  const OWNER = { scope: { merchant: 'default', mode: 'sandbox' }, walletId: 'wal-1' } as const;

  function ledger(): MemoryStore {
    const store = new MemoryStore();
    openWallet(store, OWNER, 'USD', NOW_MS);
    executeDeposit(store, { effectId: 'deposit', amountMinor: 1_000, currency: 'USD', reference: 'r' }, NOW_MS);
    for (let n = 1; n <= 6; n++) {
      const base = { paymentId: `pay-${n}`, amountMinor: 10 * n, currency: 'USD' };
      executeCommands(
        store,
        OWNER,
        [{ ...base, effectId: `h${n}`, type: 'hold', expiresAtMs: NOW_MS + 9_999 }],
        NOW_MS + n,
      );
      const type = (['debit', 'release', 'credit'] as const)[n % 3] ?? 'debit';
      if (n < 6) executeCommands(store, OWNER, [{ ...base, effectId: `x${n}`, type }], NOW_MS + n);
    }
    return store;
  }

  test('finds nothing in a sound one', () => {
    expect(verifyLedger(ledger().stored()).violations).toEqual([]);
  });

  test('finds every flip of every stored field of every entry', () => {
    const sound = ledger().stored();
    const entries = [...sound.entries];
    let flips = 0;
    for (const [index, entry] of entries.entries()) {
      for (const [name, value] of Object.entries(flattened(entry))) {
        const edited = [...entries];
        edited[index] = withFlip(entry, name, value);
        const { violations } = verifyLedger({ ...sound, entries: edited });
        expect(violations, `${entry.sequence} ${name}`).not.toEqual([]);
        flips += 1;
      }
    }
    expect(flips).toBeGreaterThan(150);
  });

  test('finds an entry that is gone, doubled, or out of order', () => {
    const sound = ledger().stored();
    const entries = [...sound.entries];
    const [first, second, ...rest] = entries;
    if (first === undefined || second === undefined) throw new Error('too short');
    for (const edited of [
      [second, ...rest],
      [first, ...rest],
      [first, first, second, ...rest],
      [second, first, ...rest],
    ]) {
      expect(verifyLedger({ ...sound, entries: edited }).violations).not.toEqual([]);
    }
  });

  test('finds a last entry that was cut off, by the effect that is left of it', () => {
    const sound = ledger().stored();
    expect(verifyLedger({ ...sound, entries: [...sound.entries].slice(0, -1) }).violations).not.toEqual([]);
  });
});

/** Every scalar of an entry, by its path. */
function flattened(value: object, path = ''): Record<string, unknown> {
  return Object.entries(value).reduce<Record<string, unknown>>((all, [name, member]) => {
    const at = path === '' ? name : `${path}.${name}`;
    if (typeof member === 'object' && member !== null) Object.assign(all, flattened(member, at));
    else all[at] = member;
    return all;
  }, {});
}

/** The entry with one scalar changed: a number by one, a text by a letter, null by a text. */
function withFlip<Entry extends object>(entry: Entry, path: string, value: unknown): Entry {
  const copy = structuredClone(entry) as Record<string, unknown>;
  const names = path.split('.');
  const last = names.pop() ?? '';
  const parent = names.reduce<Record<string, unknown>>((at, name) => at[name] as Record<string, unknown>, copy);
  parent[last] = typeof value === 'number' ? value + 1 : typeof value === 'string' ? `${value}x` : 'x';
  return copy as Entry;
}
