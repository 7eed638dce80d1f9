/** Which line of a provider's books is taken for which refund, what is left out, and what the comparison counts. */
import { describe, expect, test } from 'vitest';
import type { ChargeLine, RefundLine } from '../../../src/domain/reconciliation/books.ts';
import {
  advanced,
  BEGUN,
  counted,
  isComplete,
  newReconciliationId,
  nightlyId,
  nightlyPlan,
  RECONCILIATION_ID_PATTERN,
  windowOf,
} from '../../../src/domain/reconciliation/plan.ts';
import { type Lists, reconcile } from '../../../src/domain/reconciliation/reconcile.ts';
import {
  charge,
  entry,
  FROM_MS,
  joined,
  lists,
  payment,
  refund,
  refundLine,
  SCOPE,
  soundLists,
  TO_MS,
} from './world.ts';

const PAID = payment(1);
const FIRST = refund(PAID, 1);
const SECOND = refund(PAID, 2);
const anonymous = (more: Partial<RefundLine> = {}) => refundLine(FIRST, PAID, { entityId: null, ...more });

const told = (of: Lists) =>
  reconcile(of, SCOPE).differences.map(({ class: name, subject, inDoubtMinor }) => [name, subject, inDoubtMinor]);
/** A payment with these refunds, whose wallet is sound, and with these lines beside its charge. */
const refunded = (refunds: Lists['refunds'], lines: readonly RefundLine[], charged?: ChargeLine): Lists => {
  const sound = soundLists(PAID, refunds);
  const [own] = sound.lines.filter((line) => line.kind === 'charge');
  return { ...sound, lines: [...(own === undefined ? [] : [charged ?? own]), ...lines] };
};

describe('a refund whose provider tells no key takes a line of its amount', () => {
  test('one line each, however many are alike', () => {
    expect(told(refunded([FIRST, SECOND], [anonymous(), anonymous({ reference: 're_2' })]))).toEqual([]);
    expect(told(refunded([SECOND, FIRST], [anonymous()]))).toEqual([['refund_missing_at_provider', SECOND.id, 100]]);
    expect(told(refunded([FIRST, SECOND], [anonymous()]))).toEqual([['refund_missing_at_provider', SECOND.id, 100]]);
  });

  test('those that are told by their own id take that one first, and no other besides', () => {
    const lines = [anonymous(), refundLine(FIRST, PAID, { reference: 're_own' })];
    expect(told(refunded([FIRST], lines))).toEqual([['refund_missing_here', anonymous().reference, 100]]);
    expect(told(refunded([FIRST, SECOND], lines))).toEqual([]);
  });

  test('a completed one before one that still moves, and larger ones before smaller ones', () => {
    const moving = refund(PAID, 0, { status: 'PENDING', sagaState: 'refunding' });
    expect(told(refunded([moving, FIRST], [anonymous()]))).toEqual([]);
    expect(told(refunded([FIRST, moving], [anonymous()]))).toEqual([]);
    const large = refund(PAID, 9, { amountMinor: 300 });
    expect(told(refunded([FIRST, large, SECOND], []))).toEqual(
      [large, FIRST, SECOND].map(({ id, amountMinor }) => ['refund_missing_at_provider', id, amountMinor]),
    );
  });

  test('but not one that failed there, nor one of another amount', () => {
    const failed = anonymous({ state: 'failed' });
    expect(reconcile(refunded([FIRST], [failed]), SCOPE).differences).toEqual([
      expect.objectContaining({
        class: 'refund_missing_at_provider',
        found: expect.objectContaining({ amountMinor: null }),
      }),
    ]);
    expect(told(refunded([FIRST], [anonymous({ amountMinor: 101 })]))).toEqual([
      ['refund_missing_at_provider', FIRST.id, 100],
      ['refund_missing_here', anonymous().reference, 101],
    ]);
  });

  test('and one that failed here takes none: what was given back is nobody’s', () => {
    const failed = refund(PAID, 1, { status: 'FAILED' });
    expect(told(refunded([failed], [anonymous()]))).toEqual([['refund_missing_here', anonymous().reference, 100]]);
    expect(told(refunded([failed], [refundLine(failed, PAID)]))).toEqual([['refund_missing_here', failed.id, 100]]);
    expect(told(refunded([failed], [refundLine(failed, PAID, { state: 'failed' })]))).toEqual([]);
  });
});

describe('a line that cannot be read whole', () => {
  test('without an amount puts all of the refund in doubt, or of the payment', () => {
    const lines = [
      refundLine(FIRST, PAID),
      refundLine(FIRST, PAID, { reference: 're_again', amountMinor: null, createdAtMs: TO_MS }),
    ];
    expect(told(refunded([FIRST], lines))).toEqual([['refund_duplicate_at_provider', 're_again', 100]]);
    expect(told(refunded([FIRST], [refundLine(FIRST, PAID, { amountMinor: null })]))).toEqual([
      ['refund_amount_mismatch', FIRST.id, 100],
    ]);
    expect(told(refunded([], [anonymous({ amountMinor: null })]))).toEqual([
      ['refund_missing_here', anonymous().reference, 1_000],
    ]);
  });

  test('of nobody’s payment is in doubt by at least one unit, of a currency that is none', () => {
    const line = anonymous({ paymentId: null, amountMinor: null });
    expect(reconcile(lists({ lines: [line] }), SCOPE).differences).toEqual([
      expect.objectContaining({ class: 'refund_missing_here', paymentId: null, inDoubtMinor: 1, currency: 'XXX' }),
    ]);
    expect(told(lists({ lines: [{ ...line, state: 'failed' }] }))).toEqual([]);
    expect(reconcile(lists({ lines: [{ ...line, currency: 'EUR' }] }), SCOPE).differences[0]?.currency).toBe('EUR');
  });

  test('may differ in two ways at once', () => {
    const line = refundLine(FIRST, PAID, { state: 'pending', currency: 'EUR' });
    expect(told(refunded([FIRST], [line])).map(([name]) => name)).toEqual([
      'refund_status_mismatch',
      'refund_currency_mismatch',
    ]);
    expect(told(refunded([FIRST], [refundLine(FIRST, PAID, { currency: 'USD' })]))).toEqual([]);
  });
});

describe('a line of another charge is not this payment’s refund', () => {
  test.each<[string, Partial<RefundLine>]>([
    ['at another provider', { provider: 'borealis' }],
    ['under another reference', { chargeReference: 'ch_other' }],
  ])('%s', (_what, more) => {
    expect(told(refunded([], [anonymous(more)]))).toEqual([]);
    expect(told(refunded([FIRST], [refundLine(FIRST, PAID, more)]))).toEqual([
      ['refund_missing_at_provider', FIRST.id, 100],
    ]);
  });

  test('where the line or the payment names none, it is', () => {
    expect(told(refunded([FIRST], [refundLine(FIRST, PAID, { chargeReference: null })]))).toEqual([]);
    const unnamed = payment(7, { reference: null });
    const given = refund(unnamed, 1);
    const of = soundLists(unnamed, [given]);
    const line = refundLine(given, unnamed, { chargeReference: 'whatever' });
    expect(told({ ...of, lines: [...of.lines.filter(({ kind }) => kind === 'charge'), line] })).toEqual([]);
  });
});

describe('a refund is expected in the books', () => {
  test('if it was made in the window; one that failed there is a difference all the same', () => {
    const late = refund(PAID, 1, { createdAtMs: TO_MS, updatedAtMs: FROM_MS });
    expect(told(refunded([late], []))).toEqual([]);
    expect(told(refunded([late], [refundLine(late, PAID, { state: 'failed' })]))).toEqual([
      ['refund_missing_at_provider', late.id, 100],
    ]);
  });

  test('as a sum where the provider tells no refunds, once all of them are at rest', () => {
    const of = payment(5, { provider: 'sums' });
    const [done, moving] = [refund(of, 1), refund(of, 2, { status: 'PENDING', sagaState: 'refunding' })];
    const given = charge(of, { refundedMinor: 250 });
    const sound = soundLists(of, [done]);
    expect(told({ ...sound, lines: [charge(of, { refundedMinor: 100 })] })).toEqual([]);
    expect(told({ ...sound, lines: [given] })).toEqual([['refund_amount_mismatch', 'sum', 150]]);
    expect(told({ ...sound, refunds: [done, moving], lines: [given] })).toEqual([]);
    expect(told({ ...sound, lines: [] })).toEqual([['missing_at_provider', of.reference, 1_000]]);
  });
});

describe('a charge', () => {
  test('of two that are alike, the later one is one too many, and of two at one time the later reference', () => {
    const twice = payment(8, { reference: null });
    const [early, late] = [10, 20].map((createdAtMs) =>
      charge(twice, { reference: `ch_${30 - createdAtMs}`, createdAtMs }),
    );
    if (early === undefined || late === undefined) throw new Error('two charges');
    for (const lines of [
      [early, late],
      [late, early],
    ]) {
      expect(told({ ...soundLists(twice), lines })).toEqual([['duplicate_at_provider', late.reference, 1_000]]);
    }
    const same = [charge(twice, { reference: 'b' }), charge(twice, { reference: 'a' })];
    expect(told({ ...soundLists(twice), lines: same })).toEqual([['duplicate_at_provider', 'b', 1_000]]);
  });

  test('whose reference was never heard is the one that is in force at its provider', () => {
    const unnamed = payment(8, { reference: null });
    const voided = charge(unnamed, { reference: 'ch_voided', state: 'voided', createdAtMs: 1 });
    const inForce = charge(unnamed, { reference: 'ch_in_force', createdAtMs: 2 });
    expect(told({ ...soundLists(unnamed), lines: [voided, inForce] })).toEqual([]);
    expect(told({ ...soundLists(unnamed), lines: [voided] })).toEqual([['missing_at_provider', 'charge', 1_000]]);
  });
});

describe('the ledger', () => {
  test('is told once of a debit that is wrong and in two', () => {
    const entries = [entry(PAID, 'debit', 400), entry(PAID, 'debit', 500)];
    expect(told({ ...soundLists(PAID), entries })).toEqual([['ledger_amount_mismatch', 'debit', 100]]);
  });

  test('owes a card nothing, whatever was refunded', () => {
    const card = payment(2, { method: 'credit_card' });
    const given = refund(card, 1);
    const sound = soundLists(card, [given]);
    expect(told(sound)).toEqual([]);
    expect(told({ ...sound, entries: [entry(card, 'credit', -100)] })).toEqual([['ledger_extra', 'credit', 100]]);
  });

  test('is not asked for credits while a refund waits for a person', () => {
    const stuck = refund(PAID, 4, { status: 'PENDING', sagaState: 'needs_attention' });
    const sound = soundLists(PAID, [FIRST]);
    expect(told({ ...sound, refunds: [FIRST, stuck], entries: [entry(PAID, 'debit', 1_000)] })).toEqual([]);
  });
});

describe('the comparison counts', () => {
  test('each payment once: compared, in flight, or a person’s; and in part where something was not read', () => {
    const moving = payment(2, { status: 'PENDING', sagaState: 'debiting' });
    const stuck = payment(3, { status: 'PENDING', sagaState: 'needs_attention', merchant: 'other' });
    const unrouted = payment(4, { provider: null, reference: null });
    const refused = payment(5, { provider: null, reference: null, status: 'FAILED' });
    const unread = payment(6, { provider: 'nobody' });
    const of = joined([PAID, moving, stuck, unrouted, refused, unread].map((each) => soundLists(each)));
    expect(reconcile({ ...of, lines: [charge(PAID)] }, SCOPE)).toEqual({
      differences: [],
      attention: [{ entityId: stuck.id, paymentId: stuck.id, merchant: 'other', amountMinor: 1_000, currency: 'USD' }],
      compared: 4,
      inFlight: 1,
      incomplete: 2,
    });
  });

  test('a refund that waits for a person, though its payment moves', () => {
    const moving = payment(2, { status: 'PENDING', sagaState: 'debiting' });
    const stuck = refund(moving, 1, { status: 'PENDING', sagaState: 'needs_attention' });
    const { attention } = reconcile(lists({ payments: [moving], refunds: [stuck] }), SCOPE);
    expect(attention.map(({ entityId, paymentId }) => [entityId, paymentId])).toEqual([[stuck.id, moving.id]]);
  });

  test('pages on top of each other', () => {
    const page = {
      differences: reconcile({ ...soundLists(PAID), lines: [] }, SCOPE).differences,
      attention: [{ entityId: 'pay_2', paymentId: 'pay_2', merchant: 'default', amountMinor: 1, currency: 'USD' }],
      compared: 5,
      inFlight: 3,
      incomplete: 2,
    };
    const twice = counted(counted(BEGUN, page, 1), page, 0);
    expect(twice).toEqual({
      ...BEGUN,
      counts: { compared: 10, inFlight: 6, incomplete: 4, attention: 2 },
      differences: 2,
      leftOut: 1,
    });
  });
});

describe('a plan', () => {
  test('begins with nothing', () => {
    expect(BEGUN).toEqual({
      phase: 'books',
      cursor: null,
      books: [],
      counts: { compared: 0, inFlight: 0, incomplete: 0, attention: 0 },
      differences: 0,
      leftOut: 0,
      steps: 0,
      attempts: 0,
      failure: null,
      byClass: {},
      inDoubt: [],
    });
    expect(advanced({ ...BEGUN, steps: 4, attempts: 2 }, 'x')).toEqual({ ...BEGUN, cursor: 'x', steps: 5 });
    expect(advanced({ ...BEGUN, steps: 4, cursor: 'x' }, null)).toEqual({ ...BEGUN, phase: 'payments', steps: 5 });
  });

  test('is incomplete for one provider that was not read to its end', () => {
    const read = { provider: 'acme', coverage: 'charges', reason: null, lines: 1 } as const;
    expect(isComplete({ ...BEGUN, books: [read, { ...read, reason: 'timeout' }] })).toBe(false);
    expect(isComplete({ ...BEGUN, books: [{ ...read, coverage: 'none' }, read] })).toBe(false);
    expect(isComplete(BEGUN)).toBe(true);
  });

  test('of a night is all that the night says', () => {
    const { id, ...plan } = nightlyPlan('sandbox', TO_MS);
    expect(id).toBe(nightlyId(TO_MS));
    expect(plan).toEqual({
      mode: 'sandbox',
      trigger: 'nightly',
      actor: null,
      reason: null,
      window: windowOf(plan.window.fromMs, TO_MS, 'sandbox', TO_MS),
      provider: null,
      createdAtMs: TO_MS,
    });
    expect(windowOf(1, 2, 'sandbox', 10_000)).toEqual({ fromMs: 1, toMs: 2, atRestBeforeMs: 8_000 });
  });

  test('has an id that its pattern takes whole, and nothing longer or shorter', () => {
    const id = newReconciliationId('0189a5b4-0000-7000-8000-00000000000f');
    expect(id).toBe('rec_0189a5b400007000800000000000000f');
    expect(id).toMatch(RECONCILIATION_ID_PATTERN);
    for (const other of [`${id}0`, `x${id}`, id.slice(0, -1), id.replace('rec_', '')]) {
      expect(other).not.toMatch(RECONCILIATION_ID_PATTERN);
    }
  });
});
