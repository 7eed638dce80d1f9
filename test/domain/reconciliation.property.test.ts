/**
 * Any world with any differences in it: what was planted is found and classified, and nothing else is; in whatever order
 * and in whatever pages the lists come. HOLDFAST_SEED repeats a run.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PaymentRecord, RefundRecord, StatementLine } from '../../src/domain/reconciliation/books.ts';
import { type DifferenceClass, moneyInDoubt } from '../../src/domain/reconciliation/difference.ts';
import { type Lists, reconcile } from '../../src/domain/reconciliation/reconcile.ts';
import {
  charge,
  entry,
  joined,
  lists,
  payment,
  refund,
  refundLine,
  SCOPE,
  soundLists,
} from './reconciliation/world.ts';

const RUN = { seed: Number(process.env.HOLDFAST_SEED ?? 20261124), numRuns: 2_000 };

interface Planted {
  readonly lists: Lists;
  readonly expected: readonly DifferenceClass[];
}

type Fault = (of: Lists, subject: PaymentRecord, minor: number) => Planted | null;

const replaced = (of: Lists, from: StatementLine | undefined, to: StatementLine): Lists => ({
  ...of,
  lines: of.lines.map((line) => (line === from ? to : line)),
});
const own = (of: Lists) => of.lines.find((line) => line.kind === 'charge');
const given = (of: Lists) => of.lines.find((line) => line.kind === 'refund');

/** Each does one thing to a sound payment's books, and says what that is; null: it cannot be done to this one. */
const FAULTS: Readonly<Record<string, Fault>> = {
  none: (of) => ({ lists: of, expected: [] }),
  charge_lost: (of, { status }) => {
    const line = own(of);
    if (line === undefined || status !== 'COMPLETED') return null;
    return { lists: { ...of, lines: of.lines.filter((each) => each !== line) }, expected: ['missing_at_provider'] };
  },
  charge_undone: (of, { status }) => {
    const line = own(of);
    if (line?.kind !== 'charge' || status !== 'COMPLETED') return null;
    return { lists: replaced(of, line, { ...line, state: 'voided' }), expected: ['missing_at_provider'] };
  },
  charge_not_undone: (of, { status }) => {
    const line = own(of);
    if (line?.kind !== 'charge' || status !== 'FAILED') return null;
    return { lists: replaced(of, line, { ...line, state: 'captured' }), expected: ['missing_here'] };
  },
  other_amount: (of, { status, amountMinor }, minor) => {
    const line = own(of);
    if (line?.kind !== 'charge' || status !== 'COMPLETED') return null;
    return { lists: replaced(of, line, { ...line, amountMinor: amountMinor + minor }), expected: ['amount_mismatch'] };
  },
  other_currency: (of, { status }) => {
    const line = own(of);
    if (line?.kind !== 'charge' || status !== 'COMPLETED') return null;
    return { lists: replaced(of, line, { ...line, currency: 'JPY' }), expected: ['currency_mismatch'] };
  },
  still_pending: (of) => {
    const line = own(of);
    if (line?.kind !== 'charge') return null;
    return { lists: replaced(of, line, { ...line, state: 'pending' }), expected: ['status_mismatch'] };
  },
  charged_twice: (of, subject) => {
    if (subject.status !== 'COMPLETED') return null;
    const again = charge(subject, { reference: `again_${subject.id}`, provider: 'borealis' });
    return { lists: { ...of, lines: [...of.lines, again] }, expected: ['duplicate_at_provider'] };
  },
  refund_lost: (of) => {
    const line = given(of);
    if (line === undefined) return null;
    return {
      lists: { ...of, lines: of.lines.filter((each) => each !== line) },
      expected: ['refund_missing_at_provider'],
    };
  },
  refund_unknown: (of, subject) => {
    if (subject.status !== 'COMPLETED' || subject.provider === 'sums') return null;
    const line = refundLine(refund(subject, 900), subject);
    return { lists: { ...of, lines: [...of.lines, line] }, expected: ['refund_missing_here'] };
  },
  refund_twice: (of) => {
    const line = given(of);
    if (line === undefined) return null;
    const again = { ...line, reference: `${line.reference}_again` };
    return { lists: { ...of, lines: [...of.lines, again] }, expected: ['refund_duplicate_at_provider'] };
  },
  refund_other_amount: (of, _subject, minor) => {
    const line = given(of);
    if (line === undefined) return null;
    const other = { ...line, amountMinor: (line.amountMinor ?? 0) + minor };
    return { lists: replaced(of, line, other), expected: ['refund_amount_mismatch'] };
  },
  not_debited: (of, { status, method }) => {
    if (status !== 'COMPLETED' || method !== 'balance') return null;
    return {
      lists: { ...of, entries: of.entries.filter(({ type }) => type !== 'debit') },
      expected: ['ledger_missing'],
    };
  },
  debited_all_the_same: (of, subject) => {
    if (subject.status === 'COMPLETED' && subject.method === 'balance') return null;
    const entries = [...of.entries, entry(subject, 'debit', subject.amountMinor)];
    return { lists: { ...of, entries }, expected: ['ledger_extra'] };
  },
  still_held: (of, { id, amountMinor }) => ({
    lists: { ...of, holds: [{ paymentId: id, amountMinor }] },
    expected: ['open_hold'],
  }),
};

const shape = fc.record({
  status: fc.constantFrom('COMPLETED' as const, 'FAILED' as const),
  method: fc.constantFrom('balance' as const, 'credit_card' as const),
  provider: fc.constantFrom('acme', 'borealis', 'sums'),
  currency: fc.constantFrom('USD', 'EUR', 'CLP'),
  amountMinor: fc.integer({ min: 1_000, max: 1_000_000 }),
  refunds: fc.array(
    fc.record({
      status: fc.constantFrom('COMPLETED' as const, 'FAILED' as const),
      amountMinor: fc.integer({ min: 1, max: 200 }),
    }),
    { maxLength: 4 },
  ),
  minor: fc.integer({ min: 1, max: 999 }),
  fault: fc.constantFrom(...Object.keys(FAULTS)),
});

/** Payments, each with at most one fault of its own, and what must be found of each. */
const world = fc.array(shape, { maxLength: 25 }).map((shapes) =>
  shapes.map(({ refunds, minor, fault, ...more }, n) => {
    const subject = payment(n, { ...more, sagaState: more.status.toLowerCase() });
    const made: RefundRecord[] =
      more.status === 'COMPLETED'
        ? refunds.map((each, index) => refund(subject, index, { ...each, sagaState: each.status.toLowerCase() }))
        : [];
    const sound = soundLists(subject, made);
    return { subject, planted: FAULTS[fault]?.(sound, subject, minor) ?? { lists: sound, expected: [] } };
  }),
);

const keyOf = (paymentId: string | null, name: string) => `${paymentId} ${name}`;

test('every planted difference is found and classified, and nothing else is', () => {
  fc.assert(
    fc.property(world, (planted) => {
      const result = reconcile(joined(planted.map((each) => each.planted.lists)), SCOPE);
      const expected = planted.flatMap(({ subject, planted: { expected: names } }) =>
        names.map((name) => keyOf(subject.id, name)),
      );
      expect(result.differences.map((each) => keyOf(each.paymentId, each.class)).sort()).toEqual(expected.sort());
      expect(result).toMatchObject({ compared: planted.length, inFlight: 0, incomplete: 0, attention: [] });
    }),
    RUN,
  );
});

/**
 * The naive model: what a payment's money must look like at the providers, written down as one line of text for each
 * charge in force, and nothing of how the comparison goes about it.
 */
function naiveInForce(of: readonly StatementLine[], paymentId: string): string {
  const inForce = of.flatMap((line) => {
    if (line.kind !== 'charge' || line.paymentId !== paymentId) return [];
    if (line.state !== 'authorized' && line.state !== 'captured') return [];
    return `${line.provider} ${line.reference} ${line.amountMinor} ${line.currency}`;
  });
  return inForce.sort().join('\n');
}

test('money in force that is not exactly what we claim is a difference, whatever was done to the books', () => {
  const change = fc.record({
    at: fc.nat(100),
    state: fc.constantFrom('authorized', 'captured', 'declined', 'voided', 'charged_back'),
    amountMinor: fc.option(fc.integer({ min: 1, max: 2_000 }), { nil: undefined }),
    currency: fc.constantFrom(undefined, 'JPY'),
    reference: fc.constantFrom(undefined, 'other'),
    does: fc.constantFrom('change', 'drop', 'copy'),
  });
  fc.assert(
    fc.property(world, fc.array(change, { maxLength: 20 }), (planted, changes) => {
      // Nobody captures a wallet's sale, and a card's claim is a captured charge: of the states in force one is ours.
      const sound = joined(planted.map(({ subject }) => soundLists(subject)));
      let lines = [...sound.lines];
      for (const { at, does, state, ...more } of changes) {
        const line = lines[at % Math.max(lines.length, 1)];
        if (line?.kind !== 'charge') continue;
        const { amountMinor = line.amountMinor, currency = line.currency, reference = line.reference } = more;
        const isCard = planted.some(({ subject }) => subject.id === line.paymentId && subject.method !== 'balance');
        const present = state === 'authorized' && isCard ? 'captured' : state;
        const changed = { ...line, amountMinor, currency, reference, state: present } as StatementLine;
        if (does === 'drop') lines = lines.filter((each) => each !== line);
        else if (does === 'copy') lines.push({ ...changed, reference: `copy_${lines.length}` });
        else lines[lines.indexOf(line)] = changed;
      }
      const result = reconcile({ ...sound, lines }, SCOPE);
      for (const { subject } of planted) {
        const claimed = subject.status === 'COMPLETED' ? naiveInForce(sound.lines, subject.id) : '';
        const differs = result.differences.some(({ paymentId }) => paymentId === subject.id);
        const reallyDiffers = naiveInForce(lines, subject.id) !== claimed;
        expect([subject.id, differs]).toEqual([subject.id, reallyDiffers]);
      }
    }),
    RUN,
  );
});

test('the order of the lists and the pages that they come in change nothing', () => {
  fc.assert(
    fc.property(world, fc.infiniteStream(fc.nat(1_000)), (planted, random) => {
      const all = joined(planted.map((each) => each.planted.lists));
      const shuffled = <Item>(items: readonly Item[]): Item[] =>
        items
          .map((item) => ({ item, rank: random.next().value }))
          .sort((left, right) => left.rank - right.rank)
          .map(({ item }) => item);
      const mixed = lists({
        payments: shuffled(all.payments),
        refunds: shuffled(all.refunds),
        lines: shuffled(all.lines),
        entries: shuffled(all.entries),
        holds: shuffled(all.holds),
      });
      const text = (of: readonly Lists[]) =>
        of
          .flatMap((each) => reconcile(each, SCOPE).differences)
          .map((each) => JSON.stringify(each))
          .sort();
      expect(text([mixed])).toEqual(text(planted.map((each) => each.planted.lists)));
      expect(moneyInDoubt(reconcile(mixed, SCOPE).differences)).toEqual(
        moneyInDoubt(reconcile(all, SCOPE).differences),
      );
    }),
    RUN,
  );
});
