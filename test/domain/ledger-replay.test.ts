/**
 * The audit of a stored ledger: it finds whatever was edited, and nothing where nothing was. What it cannot find is told
 * here, too. HOLDFAST_SEED repeats a run.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { effectHash, type StoredEffect } from '../../src/domain/ledger/decide.ts';
import { entryHash, type LedgerEntry } from '../../src/domain/ledger/entry.ts';
import { type StoredLedger, VIOLATIONS_MAX, verifyLedger } from '../../src/domain/ledger/replay.ts';
import { everyEntryType, NOW_MS } from './ledger/builders.ts';

const SEED = Number(process.env.HOLDFAST_SEED ?? Date.now() % 2 ** 31);
const FLIPS = Number(process.env.HOLDFAST_RUNS ?? 2_000);

/** The ledger as plain data, so that any part of it can be edited. */
interface Stored {
  readonly wallet: StoredLedger['wallet'];
  readonly entries: LedgerEntry[];
  readonly effects: StoredEffect[];
  readonly openHolds: StoredLedger['openHolds'];
  readonly resolutions: StoredLedger['resolutions'];
}

let built: Stored | undefined;

/** A copy to edit; what is copied is built once, for the flips ask for thousands. */
function sound(): Stored {
  if (built === undefined) {
    const { wallet, entries, effects, openHolds, resolutions } = everyEntryType().stored();
    built = { wallet, entries: [...entries], effects: [...effects], openHolds, resolutions };
  }
  return structuredClone(built);
}

function found(stored: object): readonly string[] {
  return verifyLedger(stored as StoredLedger).violations.map(({ invariant }) => invariant);
}

function told(stored: object): readonly string[] {
  return verifyLedger(stored as StoredLedger).violations.map(({ invariant, detail }) => `${invariant} ${detail}`);
}

type Path = readonly (string | number)[];

/** The path of every scalar in `value`; maps by their keys. */
function scalars(value: unknown, path: Path = []): Path[] {
  if (value instanceof Map) return [...value].flatMap(([key, member]) => scalars(member, [...path, key]));
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([name, member]) => scalars(member, [...path, name]));
}

function edit(parent: unknown, [name, ...rest]: Path, change: (old: unknown) => unknown): void {
  if (name === undefined) return;
  const isMap = parent instanceof Map;
  const record = parent as Record<string | number, unknown>;
  const member = isMap ? parent.get(name) : record[name];
  if (rest.length > 0) edit(member, rest, change);
  else if (isMap) parent.set(name, change(member));
  else record[name] = change(member);
}

/** Another value, as a fault of the storage or a person with SQL could leave it. */
function flipped(old: unknown, how: number): unknown {
  if (typeof old === 'number')
    return [old + 1, -old - 1, old * 2 + 1, String(old), null, Number.POSITIVE_INFINITY][how];
  if (typeof old !== 'string') return ['x', 0, -1, '', 1, true][how];
  const at = Math.floor((old.length * how) / 6);
  const letter = old[at] === 'a' ? 'b' : 'a';
  return [`${old}x`, old.slice(1), null, old.slice(0, at) + letter + old.slice(at + 1), 0, old.toUpperCase() + letter][
    how
  ];
}

describe('the audit', () => {
  test('finds nothing in a sound ledger, and tells its balances and version', () => {
    const stored = sound();
    const { balances, version, violations } = verifyLedger(stored);
    expect(violations).toEqual([]);
    expect(balances).toEqual(stored.entries.at(-1)?.balances);
    expect(version).toBe(stored.entries.length);
  });

  test(`finds a flip of every scalar that is hashed or replayed (seed ${SEED})`, () => {
    const paths = scalars(sound()).filter(isAudited);
    // All of them, unless HOLDFAST_RUNS asks for fewer: then as many, evenly.
    const stride = Math.max(1, Math.floor(paths.length / FLIPS));
    for (const [index, path] of paths.entries()) {
      if (index % stride !== 0) continue;
      const stored = sound();
      const how = (index + SEED) % 6;
      edit(stored, path, (old) => flipped(old, how));
      expect(found(stored), `${path.join('.')} flipped by ${how}`).not.toEqual([]);
    }
    const parts = new Set(paths.map(([part]) => part));
    expect([...parts].sort()).toEqual(['effects', 'entries', 'openHolds', 'resolutions', 'wallet']);
    expect(paths.length).toBeGreaterThan(1_000);
  });

  test(`finds one to four random flips, ${FLIPS} times (seed ${SEED})`, () => {
    const paths = scalars(sound()).filter(isAudited);
    const flips = fc.array(fc.record({ path: fc.constantFrom(...paths), how: fc.nat(5) }), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(flips, (edits) => {
        const stored = sound();
        const distinct = new Map(edits.map((one) => [one.path.join('.'), one]));
        for (const { path, how } of distinct.values()) edit(stored, path, (old) => flipped(old, how));
        expect(found(stored)).not.toEqual([]);
      }),
      { numRuns: FLIPS, seed: SEED },
    );
  });

  test.each([
    ['the first is gone', (all: LedgerEntry[]) => all.slice(1)],
    ['one in the middle is gone', (all: LedgerEntry[]) => all.toSpliced(20, 1)],
    ['the last is gone', (all: LedgerEntry[]) => all.slice(0, -1)],
    ['all are gone', () => []],
    ['one comes twice', (all: LedgerEntry[]) => all.toSpliced(20, 0, ...all.slice(20, 21))],
    ['two have changed places', (all: LedgerEntry[]) => all.toSpliced(20, 2, ...all.slice(20, 22).reverse())],
    ['they run backwards', (all: LedgerEntry[]) => all.toReversed()],
  ])('finds that of the entries %s', (_, change) => {
    const stored = sound();
    expect(found({ ...stored, entries: change(stored.entries) })).not.toEqual([]);
  });

  test('finds an effect, a resolution or an open hold that is gone or too many', () => {
    const stored = sound();
    const applied = stored.effects.findIndex(({ version }) => version === 20);
    const effectId = stored.effects[applied]?.effectId;
    expect(told({ ...stored, effects: stored.effects.toSpliced(applied, 1) })).toEqual([`L6 no effect ${effectId}`]);
    const [paymentId = ''] = stored.resolutions.keys();
    const fewer = new Map(stored.resolutions);
    fewer.delete(paymentId);
    expect(told({ ...stored, resolutions: fewer })).toEqual(['L5 resolutions']);
    const more = new Map([...stored.resolutions, ['pay_77', 'debited']]);
    expect(told({ ...stored, resolutions: more })).toEqual(['L5 resolutions']);
    expect(stored.openHolds.size).toBeGreaterThan(0);
    expect(told({ ...stored, openHolds: new Map() })).toEqual(['L5 open holds']);
  });

  test('finds a hold that is open and resolved', () => {
    const stored = sound();
    const [paymentId = ''] = stored.openHolds.keys();
    const resolutions = new Map([...stored.resolutions, [paymentId, 'debited'] as const]);
    expect(told({ ...stored, resolutions })).toEqual([
      'L5 resolutions',
      `L3 the hold of ${paymentId} is open and resolved`,
    ]);
  });

  test('does not ask in which order a store has its resolutions', () => {
    const stored = sound();
    expect(found({ ...stored, resolutions: new Map([...stored.resolutions].toReversed()) })).toEqual([]);
  });

  test('finds that an effect was edited, and a chain that does not begin with its wallet', () => {
    const stored = sound();
    const [first, ...others] = stored.effects;
    expect(told({ ...stored, effects: [{ ...first, decidedAtMs: 1 }, ...others] })).toEqual([
      `L6 hash of effect ${first?.effectId}`,
    ]);
    expect(told({ ...stored, wallet: { ...stored.wallet, walletId: 'wal-2' } })).toEqual(['L5 chain']);
  });

  test.each([
    { scope: { merchant: 'other', mode: 'sandbox' } },
    { scope: { merchant: 'default', mode: 'live' } },
    { walletId: 'wal-2' },
    { currency: 'EUR' },
    { createdAtMs: NOW_MS - 1 },
  ])('finds that the entries are of another wallet than %o', (identity) => {
    const stored = sound();
    expect(found({ ...stored, wallet: { ...stored.wallet, ...identity } })).toEqual(['L5']);
  });

  test('finds an entry that was written anew with its own hash, and the link of the next with it', () => {
    const stored = sound();
    const { entries } = stored;
    const [old, next] = entries.slice(20, 22);
    if (old === undefined || next === undefined) throw new Error('too short');
    const edited = { ...old, reference: 'written anew' };
    const hash = entryHash(edited);
    entries.splice(20, 2, { ...edited, hash }, { ...next, previousHash: hash });
    expect(verifyLedger(stored).violations).toEqual([{ invariant: 'L5', sequence: next.sequence, detail: 'hash' }]);
  });

  test('tells of what cannot be read instead of throwing', () => {
    const stored = sound();
    const entries = function* () {
      yield* stored.entries.slice(0, 5);
      throw new SyntaxError('postings are no JSON');
    };
    expect(verifyLedger({ ...stored, entries: entries() } as StoredLedger).violations[0]).toEqual({
      invariant: 'L5',
      sequence: null,
      detail: 'unreadable after entry 5: SyntaxError',
    });
    const unreadable = { ...stored.wallet, createdAtMs: Number.POSITIVE_INFINITY };
    expect(told({ ...stored, wallet: unreadable })[0]).toBe('L5 unreadable after entry 0: InvariantError');
    expect(told({ ...stored, effects: [null] })[0]).toBe('L6 unreadable after entry 0: TypeError');
    expect(told({ ...stored, openHolds: null })).toEqual([
      `L5 unreadable after entry ${stored.entries.length}: TypeError`,
    ]);
  });

  test('stops at so many violations', () => {
    const stored = sound();
    for (const entry of stored.entries) Object.assign(entry, { hash: 'x' });
    expect(found(stored)).toHaveLength(VIOLATIONS_MAX);
  });
});

describe('a writer that hashes what it writes', () => {
  /** Changes one entry and hashes it and all after it again, as a fault in the ledger's own code would. */
  function rewritten(sequence: number, change: (entry: LedgerEntry) => object): Stored {
    const stored = sound();
    let previousHash = stored.entries[0]?.previousHash ?? '';
    for (const [index, entry] of stored.entries.entries()) {
      const edited = { ...entry, ...(entry.sequence === sequence && change(entry)), previousHash } as LedgerEntry;
      stored.entries[index] = { ...edited, hash: entryHash(edited) };
      previousHash = stored.entries[index]?.hash ?? '';
    }
    return stored;
  }
  function sequenceOf(type: string): number {
    return sound().entries.find((entry) => entry.type === type)?.sequence ?? 0;
  }

  test('is believed when it changes nothing: the helper of these tests plants no fault of its own', () => {
    expect(found(rewritten(3, () => ({})))).toEqual([]);
  });

  test.each([
    [
      'postings that do not sum to zero',
      'L1 postings sum to 10',
      'hold',
      (entry: LedgerEntry) => ({ postings: entry.postings.slice(1) }),
    ],
    [
      'a balance that is not the sum',
      'L5 balances',
      'deposit',
      () => ({ balances: { available: 1, held: 0, settled: 0, external: 1 } }),
    ],
    [
      'a balance below zero',
      'L2 a balance out of range',
      'credit',
      () => ({
        postings: [
          { account: 'settled', amount: -1e6 },
          { account: 'available', amount: 1e6 },
        ],
      }),
    ],
    ['a second hold of one payment', 'L3 a second hold of one payment', 'hold', () => ({ paymentId: 'pay_3' })],
    ['a hold of no payment', 'L3 a second hold of one payment', 'hold', () => ({ paymentId: null })],
    ['a debit of a hold that is not there', 'L3 no such open hold', 'debit', () => ({ paymentId: 'pay_77' })],
    [
      'held money moved by an entry that ends no hold',
      'L3 held money moved by no hold',
      'release',
      () => ({ type: 'credit' }),
    ],
    ['a hold without an end', 'L3 a hold without an end', 'hold', () => ({ expiresAtMs: null })],
    ['a time before the last one', 'L5 time runs backwards', 'debit', () => ({ createdAtMs: 0 })],
    ['a gap in the sequence', 'L5 gap in sequence', 'debit', () => ({ sequence: 1_000 })],
    ['an entry that no effect asked for', 'L6 no effect nobody', 'debit', () => ({ effectId: 'nobody' })],
    ['an entry for another payment than asked', 'L6 no effect credit.6', 'credit', () => ({ paymentId: 'pay_77' })],
    ['an entry of another type than asked', 'L6 no effect credit.6', 'credit', () => ({ type: 'correction' })],
    ['open holds where they are not due', 'L5 snapshot of the open holds', 'debit', () => ({ openHolds: [] })],
  ] as const)('is found to have written %s: %s', (_, violation, type, change) => {
    const { violations } = verifyLedger(rewritten(sequenceOf(type), change as (entry: LedgerEntry) => object));
    expect(violations.map(({ invariant, detail }) => `${invariant} ${detail}`)).toContain(violation);
  });

  const UNCLAIMED = 'L6 effect extra has no entry';
  test.each([
    ['debit', 'pay_3', { version: 9, refusal: null }, UNCLAIMED],
    ['debit', 'pay_2', { version: 9, refusal: null }, UNCLAIMED],
    ['release', 'pay_1', { version: 9, refusal: null }, UNCLAIMED],
    ['release', 'pay_2', { version: 10_000, refusal: null }, UNCLAIMED],
    ['release', 'pay_2', { version: null, refusal: null }, 'L6 effect extra'],
    ['release', 'pay_2', { version: 9, refusal: 'insufficient_funds' }, 'L6 effect extra'],
  ] as const)('is found to have kept an effect that cannot be: %s of %s, %o', (type, paymentId, outcome, violation) => {
    const stored = sound();
    const content = JSON.stringify({ type, paymentId });
    const effect = { effectId: 'extra', content, ...outcome, decidedAtMs: 0 };
    const effects = [...stored.effects, { ...effect, hash: effectHash(effect) }];
    expect(told({ ...stored, effects })).toEqual([violation]);
  });

  test('is found to have kept an effect at the version of another (L6), by the effect and by its entry', () => {
    const stored = sound();
    const effects = stored.effects.map((effect) => {
      const edited = { ...effect, version: effect.effectId === 'debit.3' ? 2 : effect.version };
      return { ...edited, hash: effectHash(edited) };
    });
    expect(found({ ...stored, effects })).toEqual(['L6', 'L6']);
  });
});

describe('no audit of one ledger alone', () => {
  test('sees that a refused effect is gone, or whether the wallet was frozen', () => {
    const stored = sound();
    expect(found({ ...stored, effects: stored.effects.filter(({ refusal }) => refusal === null) })).toEqual([]);
    expect(found({ ...stored, wallet: { ...stored.wallet, frozen: true } })).toEqual([]);
  });
});

/** Everything but `frozen`, which has no entry. */
function isAudited(path: Path): boolean {
  return path.at(-1) !== 'frozen';
}
