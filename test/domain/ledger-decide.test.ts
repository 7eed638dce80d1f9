/** What the ledger decides, check by check: the order of refusals, replays, and each movement's postings. */
import { describe, expect, test } from 'vitest';
import { InvariantError, type WalletRefusal } from '../../src/domain/errors.ts';
import {
  contentOf,
  type Decision,
  decide,
  decideDeposit,
  effectHash,
  type Snapshot,
  type StoredEffect,
} from '../../src/domain/ledger/decide.ts';
import { AMOUNT_MINOR_MAX, WALLET_OPEN_HOLDS_MAX } from '../../src/domain/limits.ts';
import type { Deposit, WalletCommand } from '../../src/domain/wallet-rpc.ts';
import { command, HOLD_TTL_MS, NOW_MS } from './ledger/builders.ts';

const TYPES = ['hold', 'debit', 'release', 'credit', 'reverse', 'deposit'] as const;
type Type = (typeof TYPES)[number];

interface Case {
  readonly snapshot: Snapshot;
  readonly request: WalletCommand | Deposit;
}

const HOLD = { paymentId: 'pay_1', amountMinor: 100, expiresAtMs: NOW_MS + HOLD_TTL_MS };
const BALANCES = { available: 1_000, held: 100, settled: 500, external: 1_600 };

/** One that is applied: a debit and a release find their hold. */
function applicable(type: Type): Case {
  const hold = type === 'debit' || type === 'release' ? HOLD : null;
  const wallet = { currency: 'USD', frozen: false };
  const snapshot = {
    effect: null,
    wallet,
    balances: BALANCES,
    hold,
    resolution: null,
    openHoldsCount: 0,
    nowMs: NOW_MS,
    isFull: false,
  };
  const deposit = { effectId: 'deposit.1', amountMinor: 100, currency: 'USD' };
  return { snapshot, request: type === 'deposit' ? deposit : command(type, 1) };
}

function decided({ snapshot, request }: Case): Decision {
  return 'type' in request ? decide(snapshot, request) : decideDeposit(snapshot, request);
}

function stored(request: WalletCommand | Deposit, refusal: WalletRefusal | null): StoredEffect {
  const version = refusal === null ? 7 : null;
  const effect = { effectId: request.effectId, content: contentOf(request), version, refusal, decidedAtMs: NOW_MS };
  return { ...effect, hash: effectHash(effect) };
}

const EVERY: readonly Type[] = TYPES;
const asks = (fields: object) => (at: Case) => ({ ...at, request: { ...at.request, ...fields } });
const finds = (fields: Partial<Snapshot>) => (at: Case) => ({ ...at, snapshot: { ...at.snapshot, ...fields } });
const FROZEN = finds({ wallet: { currency: 'USD', frozen: true } });
const nearlyFull = AMOUNT_MINOR_MAX - 50;

/** In order of precedence: why a command is refused, which commands can be, and what makes it so. */
const REASONS: readonly (readonly [WalletRefusal, readonly Type[], (at: Case) => Case])[] = [
  [
    'effect_id_conflict',
    EVERY,
    (at) => finds({ effect: stored({ ...at.request, amountMinor: 7 } as WalletCommand, null) })(at),
  ],
  ['wallet_not_found', EVERY, finds({ wallet: null })],
  ['wallet_frozen', ['hold', 'deposit'], FROZEN],
  ['currency_mismatch', EVERY, asks({ currency: 'EUR' })],
  ['hold_exists', ['hold'], finds({ hold: HOLD })],
  ['hold_not_found', ['debit', 'release'], finds({ hold: null, resolution: null })],
  ['hold_resolved', ['debit', 'release'], finds({ hold: null, resolution: 'debited' })],
  ['amount_exceeds_hold', ['debit', 'release'], asks({ amountMinor: 101 })],
  ['deadline_exceeded', ['debit'], asks({ notAfterMs: NOW_MS - 1 })],
  ['simulated_refusal', ['debit'], asks({ simulate: 'refuse' })],
  ['insufficient_funds', ['hold', 'credit', 'reverse'], asks({ amountMinor: 5_000 })],
  ['holds_limit_exceeded', ['hold'], finds({ openHoldsCount: WALLET_OPEN_HOLDS_MAX })],
  ['wallet_full', ['hold', 'deposit'], finds({ isFull: true })],
  ['balance_limit_exceeded', ['deposit'], finds({ balances: { ...BALANCES, external: nearlyFull } })],
  ['balance_limit_exceeded', ['credit'], finds({ balances: { ...BALANCES, available: nearlyFull } })],
  ['balance_limit_exceeded', ['reverse'], finds({ balances: { ...BALANCES, settled: nearlyFull } })],
];

const ALONE = REASONS.flatMap(([reason, types, spoil]) => types.map((type) => ({ type, reason, spoil })));
const PAIRS = ALONE.flatMap((earlier, index) =>
  ALONE.slice(index + 1)
    .filter((later) => later.type === earlier.type && later.reason !== earlier.reason)
    .map((later) => ({ type: earlier.type, earlier, later })),
);

function reasonOf(at: Case): string {
  const decision = decided(at);
  if (decision.kind === 'conflict') return 'effect_id_conflict';
  return decision.kind === 'refused' ? decision.reason : decision.kind;
}

describe('the order of refusals', () => {
  test.each(TYPES)('a %s with nothing against it is applied', (type) => {
    expect(decided(applicable(type)).kind).toBe('applied');
  });

  test.each(ALONE)('$type: $reason', ({ type, reason, spoil }) => {
    expect(reasonOf(spoil(applicable(type)))).toBe(reason);
  });

  test.each(PAIRS)('$type: $earlier.reason comes before $later.reason', ({ type, earlier, later }) => {
    expect(reasonOf(earlier.spoil(later.spoil(applicable(type))))).toBe(earlier.reason);
  });

  test('a hold whose payment had one is refused however that one ended', () => {
    for (const resolution of ['debited', 'released', 'expired'] as const) {
      expect(reasonOf(finds({ resolution })(applicable('hold')))).toBe('hold_exists');
    }
  });
});

describe('a known effect', () => {
  test.each(ALONE)('$type: its outcome stands before $reason', ({ type, spoil }) => {
    const at = spoil(applicable(type));
    const effect = stored(at.request, null);
    expect(decided(finds({ effect })(at))).toEqual({ kind: 'replayed', effect });
  });

  test.each(TYPES)('%s: an id that was refused stays refused, though it would be granted now', (type) => {
    const at = applicable(type);
    const effect = stored(at.request, 'insufficient_funds');
    expect(decided(finds({ effect })(at))).toEqual({ kind: 'replayed', effect });
  });

  test('is in conflict with any other content: type, payment, amount, currency, expiry, simulation', () => {
    const effect = stored(command('debit', 1), null);
    const others = [
      command('release', 1, { effectId: 'debit.1' }),
      command('debit', 1, { paymentId: 'pay_2' }),
      command('debit', 1, { amountMinor: 99 }),
      command('debit', 1, { currency: 'EUR' }),
      command('debit', 1, { simulate: 'refuse' }),
      { effectId: 'debit.1', amountMinor: 100, currency: 'USD' },
    ];
    for (const request of others) {
      const { snapshot } = applicable('debit');
      expect(decided({ snapshot: { ...snapshot, effect }, request }).kind).toBe('conflict');
    }
    const hold = stored(command('hold', 1), null);
    const later = command('hold', 1, { expiresAtMs: NOW_MS + HOLD_TTL_MS + 1 });
    expect(decided({ snapshot: { ...applicable('hold').snapshot, effect: hold }, request: later }).kind).toBe(
      'conflict',
    );
  });

  test('is the same whatever the order of its fields, and with a field that is undefined', () => {
    const { type, effectId, ...rest } = command('debit', 1);
    const shuffled = { simulate: undefined, ...rest, effectId, type } as unknown as WalletCommand;
    const snapshot = { ...applicable('debit').snapshot, effect: stored(command('debit', 1), null) };
    expect(decided({ snapshot, request: shuffled }).kind).toBe('replayed');
  });
});

describe('an amount that is none', () => {
  test.each(TYPES)('%s: is a bug, before everything else', (type) => {
    for (const amountMinor of [0, -1, 1.5, AMOUNT_MINOR_MAX + 1, Number.NaN, Number.POSITIVE_INFINITY]) {
      const at = asks({ amountMinor })(applicable(type));
      const { effectId } = at.request;
      expect(() => decided(at)).toThrow(new InvariantError('amount_minor', { effectId }));
    }
  });
});

describe('each movement posts to zero (L1), between the accounts that it names', () => {
  test.each([
    ['hold', 100, { available: -100, held: 100 }],
    ['debit', 100, { held: -100, settled: 100 }],
    ['debit', 60, { held: -100, settled: 60, available: 40 }],
    ['release', 100, { held: -100, available: 100 }],
    ['release', 60, { held: -100, available: 100 }],
    ['credit', 100, { settled: -100, available: 100 }],
    ['reverse', 100, { available: -100, settled: 100 }],
    ['deposit', 100, { external: -100, available: 100 }],
  ] as const)('%s of %i', (type, amountMinor, expected) => {
    const decision = decided(asks({ amountMinor })(applicable(type)));
    if (decision.kind !== 'applied') throw new Error(decision.kind);
    const { postings } = decision.draft;
    expect(Object.fromEntries(postings.map(({ account, amount }) => [account, amount]))).toEqual(expected);
    expect(postings).toHaveLength(Object.keys(expected).length);
    expect(postings.reduce((sum, { amount }) => sum + amount, 0)).toBe(0);
    expect(decision.draft.type).toBe(type);
    expect(decision.draft.expiresAtMs).toBe(type === 'hold' ? NOW_MS + HOLD_TTL_MS : null);
  });
});

test('a deposit carries the reference that it came with, or none', () => {
  const referenceOf = (at: Case) => {
    const decision = decided(at);
    return decision.kind === 'applied' ? decision.draft.reference : decision.kind;
  };
  expect(referenceOf(asks({ reference: 'invoice 7' })(applicable('deposit')))).toBe('invoice 7');
  expect(referenceOf(applicable('deposit'))).toBeNull();
});

describe('bounds are met exactly', () => {
  const settled = 500;
  test.each([
    ['hold', 1_000, 'applied'],
    ['hold', 1_001, 'insufficient_funds'],
    ['debit', 1, 'applied'],
    ['release', 1, 'applied'],
    ['credit', settled, 'applied'],
    ['credit', settled + 1, 'insufficient_funds'],
    ['reverse', 1_000, 'applied'],
    ['reverse', 1_001, 'insufficient_funds'],
    ['deposit', AMOUNT_MINOR_MAX - BALANCES.external, 'applied'],
    ['deposit', AMOUNT_MINOR_MAX - BALANCES.external + 1, 'balance_limit_exceeded'],
  ] as const)('%s of %i is %s', (type, amountMinor, reason) => {
    expect(reasonOf(asks({ amountMinor })(applicable(type)))).toBe(reason);
  });

  test('one hold fewer than the limit leaves room for one', () => {
    expect(reasonOf(finds({ openHoldsCount: WALLET_OPEN_HOLDS_MAX - 1 })(applicable('hold')))).toBe('applied');
  });
});

test.each(['debit', 'release', 'credit', 'reverse'] as const)('a %s is applied in a full wallet', (type) => {
  expect(reasonOf(finds({ isFull: true })(applicable(type)))).toBe('applied');
});

describe('a release', () => {
  test('of a hold that has expired is done already', () => {
    const at = finds({ hold: null, resolution: 'expired' })(applicable('release'));
    expect(decided(at)).toEqual({ kind: 'applied_before' });
  });

  test.each(['debited', 'released'] as const)('of a hold that was %s is refused', (resolution) => {
    expect(reasonOf(finds({ hold: null, resolution })(applicable('release')))).toBe('hold_resolved');
  });
});

describe('a frozen wallet ends what was begun', () => {
  test.each(['debit', 'release', 'credit', 'reverse'] as const)('a %s is applied, as if it were not frozen', (type) => {
    const thawed = applicable(type);
    expect(decided(FROZEN(thawed))).toEqual(decided(thawed));
    expect(reasonOf(thawed)).toBe('applied');
  });

  test('a release of a hold that has expired is done already', () => {
    expect(reasonOf(FROZEN(finds({ hold: null, resolution: 'expired' })(applicable('release'))))).toBe(
      'applied_before',
    );
  });

  test.each(['hold', 'deposit'] as const)('a %s that was decided before the freeze is answered as it was', (type) => {
    const at = applicable(type);
    expect(reasonOf(FROZEN(finds({ effect: stored(at.request, null) })(at)))).toBe('replayed');
  });
});
