/**
 * Pure: the refunds of a payment at rest against what its provider has given back. A refund that COMPLETED is given back
 * once, of its amount; one that FAILED is not. What undoes a charge that was never the payment's is seen in that charge.
 */
import type { ChargeLine, RefundLine, RefundRecord, StatementCoverage } from './books.ts';
import { ownCharge } from './charges.ts';
import type { Difference } from './difference.ts';
import {
  aboutPayment,
  apartMinor,
  claimOf,
  isWithin,
  NOTHING,
  type Subject,
  sideOf,
  standingOf,
  type Window,
} from './subject.ts';

/** @param coverage of the books of the payment's provider, as they were read. */
export function compareRefunds(subject: Subject, coverage: StatementCoverage, window: Window): Difference[] {
  const { payment, charges, refundLines } = subject;
  // What of a payment that FAILED was taken and given back is told by its charges: what is left of them is in force.
  if (payment.status === 'FAILED') return [];
  const own = ownCharge(payment, charges);
  if (coverage === 'charges') return own === null ? [] : compareSum(subject, own, window);
  const lines = refundLines.filter(({ provider, chargeReference }) => {
    const isAtProvider = payment.provider === null || provider === payment.provider;
    return isAtProvider && (chargeReference ?? payment.reference) === (payment.reference ?? chargeReference);
  });
  return matchRefunds(subject, lines, coverage, window);
}

function matchRefunds(
  subject: Subject,
  lines: readonly RefundLine[],
  coverage: StatementCoverage,
  window: Window,
): Difference[] {
  const differences: Difference[] = [];
  const left = new Set(lines);
  for (const refund of inOrder(subject.refunds)) {
    const mine = takeLines(refund, left);
    if (standingOf(refund, window) !== 'at_rest') continue;
    const isExpected = coverage !== 'none' && isWithin(window, refund.createdAtMs);
    differences.push(...compareRefund(subject, refund, mine, isExpected));
  }
  for (const line of left) {
    if (line.state !== 'failed') differences.push(strange(subject, line, NOTHING, line.reference));
  }
  return differences;
}

/** Those that can be told apart by their own id first, then larger ones, so that the same lists always match alike. */
function inOrder(refunds: readonly RefundRecord[]): RefundRecord[] {
  const rank = ({ status }: RefundRecord) => (status === 'COMPLETED' ? 0 : 1);
  return [...refunds].sort((a, b) => rank(a) - rank(b) || b.amountMinor - a.amountMinor || (a.id < b.id ? -1 : 1));
}

/** Takes a refund's lines out of those that are left: by its id, or, where the provider tells none, one of its amount. */
function takeLines(refund: RefundRecord, left: Set<RefundLine>): RefundLine[] {
  const byId = [...left].filter(({ entityId }) => entityId === refund.id);
  const byAmount = [...left].find(
    ({ entityId, amountMinor, state }) =>
      entityId === null && amountMinor === refund.amountMinor && state !== 'failed' && refund.status !== 'FAILED',
  );
  const taken = byId.length > 0 || byAmount === undefined ? byId : [byAmount];
  for (const line of taken) left.delete(line);
  return taken;
}

function compareRefund(
  subject: Subject,
  refund: RefundRecord,
  lines: readonly RefundLine[],
  isExpected: boolean,
): Difference[] {
  const given = lines.filter(({ state }) => state !== 'failed');
  if (refund.status === 'FAILED') return given.map((line) => strange(subject, line, claimOf(refund), refund.id));
  const [line, ...more] = given;
  const base = { ...aboutPayment(subject.payment), subject: refund.id, expected: claimOf(refund) };
  const inDoubtMinor = refund.amountMinor;
  if (line === undefined) {
    const [failed] = lines;
    if (failed === undefined && !isExpected) return [];
    const found = failed === undefined ? NOTHING : sideOf(failed);
    return [{ ...base, class: 'refund_missing_at_provider', found, inDoubtMinor }];
  }
  const differences: Difference[] = more.map((extra) => ({
    ...base,
    class: 'refund_duplicate_at_provider',
    subject: extra.reference,
    found: sideOf(extra),
    inDoubtMinor: extra.amountMinor ?? inDoubtMinor,
  }));
  const found = sideOf(line);
  if (line.state === 'pending') differences.push({ ...base, class: 'refund_status_mismatch', found, inDoubtMinor });
  if (line.currency !== null && line.currency !== refund.currency) {
    differences.push({ ...base, class: 'refund_currency_mismatch', found, inDoubtMinor });
  } else if (line.amountMinor !== refund.amountMinor) {
    const apart = apartMinor(refund.amountMinor, line.amountMinor);
    differences.push({ ...base, class: 'refund_amount_mismatch', found, inDoubtMinor: apart });
  }
  return differences;
}

/** Money that was given back, and that no completed refund of ours accounts for. */
function strange(
  { payment }: Subject,
  line: RefundLine,
  expected: Difference['expected'],
  subject: string,
): Difference {
  return {
    ...aboutPayment(payment),
    class: 'refund_missing_here',
    provider: line.provider,
    subject,
    expected,
    found: sideOf(line),
    inDoubtMinor: line.amountMinor ?? payment.amountMinor,
  };
}

/** Where the provider tells no refunds: the sum that it has given back of the charge. */
function compareSum({ payment, refunds }: Subject, own: ChargeLine, window: Window): Difference[] {
  if (refunds.some((refund) => standingOf(refund, window) !== 'at_rest')) return [];
  const expectedMinor = completedMinor(refunds);
  if (own.refundedMinor === expectedMinor) return [];
  const { currency } = payment;
  return [
    {
      ...aboutPayment(payment),
      class: 'refund_amount_mismatch',
      subject: 'sum',
      expected: { state: 'refunded', amountMinor: expectedMinor, currency },
      found: { state: 'refunded', amountMinor: own.refundedMinor, currency: own.currency },
      inDoubtMinor: apartMinor(expectedMinor, own.refundedMinor),
    },
  ];
}

/** What completed refunds have given back. */
export function completedMinor(refunds: readonly RefundRecord[]): number {
  return refunds.reduce((sum, { status, amountMinor }) => sum + (status === 'COMPLETED' ? amountMinor : 0), 0);
}
