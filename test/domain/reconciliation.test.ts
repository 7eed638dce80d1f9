/** What each class of difference is, one by one, and what is none. */
import { describe, expect, test } from 'vitest';
import type { ChargeLine, RefundLine } from '../../src/domain/reconciliation/books.ts';
import {
  countByClass,
  DIFFERENCE_CLASSES,
  type Difference,
  moneyInDoubt,
} from '../../src/domain/reconciliation/difference.ts';
import {
  advanced,
  BEGUN,
  counted,
  isComplete,
  nightlyPlan,
  PHASES,
  RECONCILIATION_ID_PATTERN,
} from '../../src/domain/reconciliation/plan.ts';
import { type Lists, reconcile } from '../../src/domain/reconciliation/reconcile.ts';
import { ledgerSpans } from '../../src/domain/reconciliation/spans.ts';
import differences from './fixtures/differences-v1.json';
import {
  AT_REST_BEFORE_MS,
  charge,
  entry,
  FROM_MS,
  lists,
  payment,
  refund,
  refundLine,
  SCOPE,
  soundLists,
  TO_MS,
} from './reconciliation/world.ts';

const PAID = payment(1);
const CARD = payment(2, { method: 'credit_card' });
const FAILED = payment(3, { status: 'FAILED' });
const GIVEN = refund(PAID, 1);
const NOT_GIVEN = refund(PAID, 2, { status: 'FAILED' });

const found = (of: Lists, scope = SCOPE) => reconcile(of, scope).differences;
const classes = (of: Lists, scope = SCOPE) => found(of, scope).map((each) => each.class);
const withLines = (of: Lists, lines: Lists['lines']): Lists => ({ ...of, lines });
const charges = (of: Lists) => of.lines.filter((line): line is ChargeLine => line.kind === 'charge');
const refundLines = (of: Lists) => of.lines.filter((line): line is RefundLine => line.kind === 'refund');

const SOUND = soundLists(PAID);
const REFUNDED = soundLists(PAID, [GIVEN]);

describe('what agrees is no difference', () => {
  test.each([
    ['a payment from the wallet', SOUND],
    ['a card payment', soundLists(CARD)],
    ['a failed payment whose charge was voided', soundLists(FAILED)],
    ['a failed payment that never reached a provider', soundLists({ ...FAILED, provider: null, reference: null })],
    ['a refund', REFUNDED],
    ['a refund that failed at both', soundLists(PAID, [NOT_GIVEN])],
    ['refunds that a provider tells as a sum', soundLists(payment(4, { provider: 'sums' }), [])],
    [
      'a captured charge of a failed payment that was given back whole',
      withLines(soundLists(FAILED), [charge(FAILED, { state: 'captured', refundedMinor: 1_000 })]),
    ],
    [
      'a second charge that was voided',
      withLines(SOUND, [...SOUND.lines, charge(PAID, { reference: 'x', state: 'voided' })]),
    ],
    [
      'a charge that is not in force, of nobody',
      lists({ lines: [charge(PAID, { paymentId: null, state: 'declined' })] }),
    ],
    [
      'a refund by amount, where the provider tells no key',
      withLines(REFUNDED, [...charges(REFUNDED), refundLine(GIVEN, PAID, { entityId: null })]),
    ],
    [
      'a credit that was taken back with its refund',
      {
        ...soundLists(PAID, [NOT_GIVEN]),
        entries: [...SOUND.entries, entry(PAID, 'credit', -100), entry(PAID, 'reverse', 100)],
      },
    ],
  ])('%s', (_name, of) => {
    expect(found(of)).toEqual([]);
  });
});

const TABLE: readonly (readonly [keyof typeof DIFFERENCE_CLASSES, string, Lists, number])[] = [
  ['missing_at_provider', 'completed, and not in the books', withLines(SOUND, []), 1_000],
  ['missing_at_provider', 'completed, and voided', withLines(SOUND, [charge(PAID, { state: 'voided' })]), 1_000],
  ['missing_at_provider', 'completed, and declined', withLines(SOUND, [charge(PAID, { state: 'declined' })]), 1_000],
  [
    'missing_here',
    'failed, and in force',
    withLines(soundLists(FAILED), [charge(FAILED, { state: 'authorized' })]),
    1_000,
  ],
  [
    'missing_here',
    'failed, and given back in part only',
    withLines(soundLists(FAILED), [charge(FAILED, { state: 'captured', refundedMinor: 400 })]),
    600,
  ],
  ['unknown_here', 'of no payment', lists({ lines: [charge(PAID, { paymentId: null })] }), 1_000],
  ['unknown_here', 'of a payment that we do not have', lists({ lines: [charge(PAID)] }), 1_000],
  [
    'duplicate_at_provider',
    'twice at one',
    withLines(SOUND, [...SOUND.lines, charge(PAID, { reference: 'x' })]),
    1_000,
  ],
  [
    'duplicate_at_provider',
    'at two',
    withLines(SOUND, [...SOUND.lines, charge(PAID, { provider: 'borealis', amountMinor: 7 })]),
    7,
  ],
  ['amount_mismatch', 'less', withLines(SOUND, [charge(PAID, { amountMinor: 999 })]), 1],
  ['amount_mismatch', 'more', withLines(SOUND, [charge(PAID, { amountMinor: 5_000 })]), 4_000],
  ['amount_mismatch', 'none of ours', withLines(SOUND, [charge(PAID, { amountMinor: null })]), 1_000],
  ['currency_mismatch', 'another', withLines(SOUND, [charge(PAID, { currency: 'EUR' })]), 1_000],
  ['status_mismatch', 'completed, and pending', withLines(SOUND, [charge(PAID, { state: 'pending' })]), 1_000],
  ['status_mismatch', 'charged back', withLines(SOUND, [charge(PAID, { state: 'charged_back' })]), 1_000],
  ['status_mismatch', 'card not captured', withLines(soundLists(CARD), [charge(CARD, { state: 'authorized' })]), 1_000],
  [
    'status_mismatch',
    'failed, and pending',
    withLines(soundLists(FAILED), [charge(FAILED, { state: 'pending' })]),
    1_000,
  ],
  ['refund_missing_at_provider', 'not in the books', withLines(REFUNDED, charges(REFUNDED)), 100],
  [
    'refund_missing_at_provider',
    'failed there',
    withLines(REFUNDED, [...charges(REFUNDED), refundLine(GIVEN, PAID, { state: 'failed' })]),
    100,
  ],
  ['refund_missing_here', 'unknown', withLines(SOUND, [...SOUND.lines, refundLine(GIVEN, PAID)]), 100],
  [
    'refund_missing_here',
    'failed here',
    { ...soundLists(PAID, [NOT_GIVEN]), lines: [...SOUND.lines, refundLine(NOT_GIVEN, PAID)] },
    100,
  ],
  [
    'refund_missing_here',
    'under the key that undoes a payment',
    withLines(SOUND, [...SOUND.lines, refundLine(GIVEN, PAID, { entityId: PAID.id })]),
    100,
  ],
  ['refund_missing_here', 'of no payment', lists({ lines: [refundLine(GIVEN, PAID)] }), 100],
  [
    'refund_duplicate_at_provider',
    'twice',
    withLines(REFUNDED, [...REFUNDED.lines, refundLine(GIVEN, PAID, { reference: 're_again' })]),
    100,
  ],
  [
    'refund_amount_mismatch',
    'another amount',
    withLines(REFUNDED, [...charges(REFUNDED), refundLine(GIVEN, PAID, { amountMinor: 90 })]),
    10,
  ],
  [
    'refund_amount_mismatch',
    'another sum',
    withLines(soundLists(payment(5, { provider: 'sums' })), [
      charge(payment(5, { provider: 'sums' }), { refundedMinor: 250 }),
    ]),
    250,
  ],
  [
    'refund_currency_mismatch',
    'another currency',
    withLines(REFUNDED, [...charges(REFUNDED), refundLine(GIVEN, PAID, { currency: 'EUR' })]),
    100,
  ],
  [
    'refund_status_mismatch',
    'completed, and pending',
    withLines(REFUNDED, [...charges(REFUNDED), refundLine(GIVEN, PAID, { state: 'pending' })]),
    100,
  ],
  ['ledger_missing', 'no debit', { ...SOUND, entries: [entry(PAID, 'hold', 0)] }, 1_000],
  ['ledger_missing', 'no credit', { ...REFUNDED, entries: SOUND.entries }, 100],
  [
    'ledger_extra',
    'a debit of a failed one',
    { ...soundLists(FAILED), entries: [entry(FAILED, 'debit', 1_000)] },
    1_000,
  ],
  ['ledger_extra', 'a debit of a card payment', { ...soundLists(CARD), entries: [entry(CARD, 'debit', 1_000)] }, 1_000],
  [
    'ledger_extra',
    'a credit of a failed refund',
    {
      ...soundLists(PAID, [NOT_GIVEN]),
      entries: [...SOUND.entries, entry(PAID, 'credit', -100)],
    },
    100,
  ],
  [
    'ledger_extra',
    'a debit in two',
    {
      ...SOUND,
      entries: [entry(PAID, 'debit', 400), entry(PAID, 'debit', 600)],
    },
    0,
  ],
  ['ledger_amount_mismatch', 'debit', { ...SOUND, entries: [entry(PAID, 'debit', 900)] }, 100],
  ['open_hold', 'completed', { ...SOUND, holds: [{ paymentId: PAID.id, amountMinor: 1_000 }] }, 1_000],
  ['open_hold', 'failed', { ...soundLists(FAILED), holds: [{ paymentId: FAILED.id, amountMinor: 1_000 }] }, 1_000],
];

describe('every difference has its class, and its money in doubt', () => {
  test.each(TABLE)('%s: %s', (name, _case, of, inDoubtMinor) => {
    expect(found(of)).toEqual([expect.objectContaining({ class: name, inDoubtMinor })]);
  });

  test('each is told as it always was: fixtures/differences-v1.json has all of what these cases find', () => {
    const told = TABLE.map(([name, what, of]) => [`${name}: ${what}`, found(of)]);
    expect(Object.fromEntries(told)).toEqual(differences);
  });

  test('no class is without a case', () => {
    expect(new Set(TABLE.map(([name]) => name))).toEqual(new Set(Object.keys(DIFFERENCE_CLASSES)));
  });

  test('each says what was expected and what was found', () => {
    expect(found(withLines(SOUND, [charge(PAID, { amountMinor: 999 })]))).toEqual([
      {
        class: 'amount_mismatch',
        paymentId: PAID.id,
        subject: 'ch_1',
        merchant: 'default',
        provider: 'acme',
        expected: { state: 'COMPLETED', amountMinor: 1_000, currency: 'USD' },
        found: { state: 'authorized', amountMinor: 999, currency: 'USD' },
        inDoubtMinor: 1,
        currency: 'USD',
        confirmed: true,
      },
    ]);
  });
});

describe('what still moves is in flight, and no difference', () => {
  const young = { updatedAtMs: AT_REST_BEFORE_MS + 1 };
  test.each([
    ['pending', { status: 'PENDING', sagaState: 'authorizing' }],
    ['changed a moment ago', young],
    ['failed a moment ago', { status: 'FAILED', sagaState: 'failed', ...young }],
  ] as const)('%s', (_name, more) => {
    const moving = { ...PAID, ...more };
    expect(reconcile(lists({ payments: [moving], lines: [] }), SCOPE)).toMatchObject({
      differences: [],
      inFlight: 1,
      compared: 0,
    });
  });

  test('at the very moment it is compared', () => {
    const still = { ...PAID, updatedAtMs: AT_REST_BEFORE_MS };
    expect(reconcile(lists({ payments: [still] }), SCOPE)).toMatchObject({ inFlight: 0, compared: 1 });
  });

  test('a refund that moves hides neither its payment nor the other refunds', () => {
    const moving = refund(PAID, 3, { status: 'PENDING', sagaState: 'refunding' });
    const of = { ...REFUNDED, refunds: [moving, GIVEN], lines: [...REFUNDED.lines, refundLine(moving, PAID)] };
    expect(found(of)).toEqual([]);
    expect(classes(withLines(of, charges(of)))).toEqual(['refund_missing_at_provider']);
    expect(classes(withLines(of, refundLines(of)))).toEqual(['missing_at_provider']);
  });

  test('a wallet is not expected to have credited a refund that moves', () => {
    const moving = refund(PAID, 3, { status: 'PENDING', sagaState: 'crediting' });
    expect(found({ ...SOUND, refunds: [moving], lines: [...SOUND.lines, refundLine(moving, PAID)] })).toEqual([]);
  });
});

describe('what waits for a person is listed as such', () => {
  test('a payment, whatever its provider says', () => {
    const stuck = { ...PAID, status: 'PENDING', sagaState: 'needs_attention' } as const;
    expect(reconcile(lists({ payments: [stuck], lines: [charge(PAID)] }), SCOPE)).toMatchObject({
      differences: [],
      inFlight: 0,
      compared: 0,
      attention: [{ entityId: PAID.id, paymentId: PAID.id, amountMinor: 1_000, currency: 'USD' }],
    });
  });

  test('a refund, and its payment is compared', () => {
    const stuck = refund(PAID, 4, { status: 'PENDING', sagaState: 'needs_attention' });
    const of = { ...SOUND, refunds: [stuck], lines: [...SOUND.lines, refundLine(stuck, PAID)] };
    expect(reconcile(of, SCOPE)).toMatchObject({
      differences: [],
      compared: 1,
      attention: [{ entityId: stuck.id, amountMinor: 100 }],
    });
  });
});

describe('what was not read is never called missing, and never called complete', () => {
  test('a provider whose books are not available', () => {
    const scope = { ...SCOPE, coverage: new Map() };
    expect(reconcile(withLines(REFUNDED, []), scope)).toMatchObject({ differences: [], compared: 1, incomplete: 1 });
  });

  test('a wallet that could not be read', () => {
    const scope = { ...SCOPE, ledgerUnread: new Set([PAID.id]) };
    expect(reconcile({ ...SOUND, entries: [] }, scope)).toMatchObject({ differences: [], incomplete: 1 });
  });

  test('a payment or refund that was made outside the window', () => {
    for (const createdAtMs of [FROM_MS - 1, TO_MS]) {
      const before = payment(9, { createdAtMs });
      const of = soundLists(before, [refund(before, 1, { createdAtMs })]);
      expect(found(withLines(of, []))).toEqual([]);
    }
  });
});

describe('a report', () => {
  const difference = (currency: string, inDoubtMinor: number) =>
    ({ currency, inDoubtMinor, class: 'open_hold' }) as Difference;

  test('adds up what is in doubt by currency, and stops at what an amount can be', () => {
    const all = [difference('USD', 5), difference('CLP', 7), difference('USD', 6)];
    expect(moneyInDoubt(all)).toEqual([
      { currency: 'CLP', differences: 1, inDoubtMinor: 7 },
      { currency: 'USD', differences: 2, inDoubtMinor: 11 },
    ]);
    const most = 9_000_000_000_000_000;
    expect(moneyInDoubt([difference('USD', most), difference('USD', most)])).toEqual([
      { currency: 'USD', differences: 2, inDoubtMinor: most },
    ]);
  });

  test('counts by class, and names no class that is not there', () => {
    expect(countByClass([difference('USD', 1), difference('USD', 1)])).toEqual({ open_hold: 2 });
  });

  test('counts what it does not keep', () => {
    const page = reconcile(withLines(SOUND, []), SCOPE);
    expect(counted(BEGUN, page, 0)).toMatchObject({ differences: 1, leftOut: 1, counts: { compared: 1 } });
    expect(counted(BEGUN, page, 1)).toMatchObject({ differences: 1, leftOut: 0 });
  });

  test('goes through its phases in order, and stays at the last', () => {
    let progress = advanced(BEGUN, 'somewhere');
    expect(progress).toMatchObject({ phase: 'books', cursor: 'somewhere', steps: 1 });
    for (const phase of [...PHASES.slice(1), 'finished']) {
      progress = advanced({ ...progress, attempts: 3 }, null);
      expect(progress).toMatchObject({ phase, cursor: null, attempts: 0 });
    }
  });

  test('is complete only if all books were read and nothing was compared in part', () => {
    const read = { provider: 'acme', coverage: 'charges', reason: null, lines: 1 } as const;
    expect(isComplete({ ...BEGUN, books: [read] })).toBe(true);
    expect(isComplete({ ...BEGUN, books: [read, { ...read, coverage: 'none', reason: 'timeout' }] })).toBe(false);
    expect(isComplete({ ...BEGUN, counts: { ...BEGUN.counts, incomplete: 1 } })).toBe(false);
  });

  test('of a night is one, and looks back on more than the longest saga', () => {
    const plan = nightlyPlan('live', TO_MS);
    expect(nightlyPlan('live', TO_MS)).toEqual(plan);
    expect(plan.id).toMatch(RECONCILIATION_ID_PATTERN);
    expect(nightlyPlan('live', TO_MS + 1).id).not.toBe(plan.id);
    expect(plan.window.toMs - plan.window.fromMs).toBeGreaterThan(72 * 3_600_000);
    expect(plan.window.atRestBeforeMs).toBe(TO_MS - 15 * 60_000);
  });
});

describe('the spans of the ledger', () => {
  const minute = 60_000;
  test('cover the lives of payments and refunds with a minute on either side, those that touch as one', () => {
    const first = payment(1, { createdAtMs: 0, completedAtMs: 1_000 });
    const second = payment(2, { createdAtMs: 100_000, completedAtMs: null, updatedAtMs: 200_000 });
    const late = refund(first, 1, { createdAtMs: 10_000_000, updatedAtMs: 10_000_500 });
    expect(ledgerSpans([second, first], [late])).toEqual([
      { fromMs: -minute, toMs: 200_000 + minute },
      { fromMs: 10_000_000 - minute, toMs: 10_000_500 + minute },
    ]);
    expect(ledgerSpans([], [])).toEqual([]);
  });
});
