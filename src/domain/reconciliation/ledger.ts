/**
 * Pure: a payment at rest against its wallet's ledger. One that COMPLETED from the wallet is debited once, of its amount,
 * and credited what its refunds gave back; any other has moved nothing; and none holds funds any more.
 */
import type { LedgerLine } from './books.ts';
import type { Difference, DifferenceClass } from './difference.ts';
import { completedMinor } from './refunds.ts';
import { aboutPayment, NOTHING, type Subject, standingOf, type Window } from './subject.ts';

export function compareLedger(subject: Subject, window: Window): Difference[] {
  const { payment, holds, entries, refunds } = subject;
  const isDebited = payment.status === 'COMPLETED' && payment.method === 'balance';
  const debits = entries.filter(({ type }) => type === 'debit');
  const differences = holds.map(
    ({ amountMinor }): Difference => ({
      ...of(subject, 'hold', null, amountMinor),
      class: 'open_hold',
      inDoubtMinor: amountMinor,
    }),
  );
  const moved = compareSide(subject, 'debit', isDebited ? payment.amountMinor : 0, sum(debits));
  differences.push(...moved);
  // Two debits that add up right are still one too many (L3).
  if (moved.length === 0 && debits.length > 1) {
    differences.push({
      ...of(subject, 'debit', payment.amountMinor, sum(debits)),
      class: 'ledger_extra',
      inDoubtMinor: 0,
    });
  }
  const credits = entries.filter(({ type }) => type === 'credit' || type === 'reverse');
  const isSettled = refunds.every((refund) => standingOf(refund, window) === 'at_rest');
  if (isSettled) {
    const creditedMinor = payment.method === 'balance' ? completedMinor(refunds) : 0;
    differences.push(...compareSide(subject, 'credit', creditedMinor, -sum(credits)));
  }
  return differences;
}

function compareSide(subject: Subject, side: 'debit' | 'credit', expected: number, found: number): Difference[] {
  if (expected === found) return [];
  const name: DifferenceClass =
    found === 0 ? 'ledger_missing' : expected === 0 ? 'ledger_extra' : 'ledger_amount_mismatch';
  const inDoubtMinor = Math.abs(expected - found);
  return [{ ...of(subject, side, expected, found), class: name, inDoubtMinor }];
}

function of({ payment }: Subject, side: 'hold' | 'debit' | 'credit', expected: number | null, found: number) {
  const { currency } = payment;
  const sideOf = (amountMinor: number | null) =>
    amountMinor === null || amountMinor === 0 ? NOTHING : { state: side, amountMinor, currency };
  return { ...aboutPayment(payment), provider: null, subject: side, expected: sideOf(expected), found: sideOf(found) };
}

function sum(lines: readonly LedgerLine[]): number {
  return lines.reduce((total, { settledMinor }) => total + settledMinor, 0);
}
