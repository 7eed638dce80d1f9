/**
 * Pure: compares three lists, what we record, what the providers' books say and what the wallets' ledgers say, and
 * classifies every difference. Decides nothing and changes nothing. Called by the reconciliation's object, page by page:
 * the lists may be any part of the whole, as long as everything that is known of a payment comes together.
 */
import type {
  ChargeLine,
  HoldLine,
  LedgerLine,
  PaymentRecord,
  RefundLine,
  RefundRecord,
  StatementCoverage,
  StatementLine,
} from './books.ts';
import { compareCharges, unknownCharge } from './charges.ts';
import type { Difference } from './difference.ts';
import { compareLedger } from './ledger.ts';
import { compareRefunds } from './refunds.ts';
import { isWithin, NOTHING, type Subject, sideOf, standingOf, type Window } from './subject.ts';

export interface Lists {
  readonly payments: readonly PaymentRecord[];
  readonly refunds: readonly RefundRecord[];
  readonly lines: readonly StatementLine[];
  readonly entries: readonly LedgerLine[];
  readonly holds: readonly HoldLine[];
}

export interface Scope {
  readonly window: Window;
  /** What was read of whose books; a provider that is not here was not read. */
  readonly coverage: ReadonlyMap<string, StatementCoverage>;
  /** Payments whose wallet could not be read. */
  readonly ledgerUnread: ReadonlySet<string>;
}

/** A payment or refund that waits for a person. */
export interface Attention {
  readonly entityId: string;
  readonly paymentId: string;
  readonly merchant: string;
  readonly amountMinor: number;
  readonly currency: string;
}

export interface Comparison {
  readonly differences: readonly Difference[];
  readonly attention: readonly Attention[];
  readonly compared: number;
  readonly inFlight: number;
  /** Compared in part: the books of the provider, or the wallet, could not be read. */
  readonly incomplete: number;
}

/**
 * For each payment, in order: a person's turn → in flight → charges → refunds → ledger. Then the lines that name no
 * payment of the list. A payment's charge must be in the lines if the payment was made within the window.
 */
export function reconcile(lists: Lists, scope: Scope): Comparison {
  const subjects = subjectsOf(lists);
  const differences: Difference[] = [];
  const attention: Attention[] = [];
  let [compared, inFlight, incomplete] = [0, 0, 0];
  for (const subject of subjects.values()) {
    attention.push(...attentionOf(subject, scope.window));
    const standing = standingOf(subject.payment, scope.window);
    if (standing === 'in_flight') inFlight += 1;
    if (standing !== 'at_rest') continue;
    compared += 1;
    const result = compareSubject(subject, scope);
    if (!result.isComplete) incomplete += 1;
    differences.push(...result.differences);
  }
  const strange = lists.lines.filter(({ paymentId }) => paymentId === null || !subjects.has(paymentId));
  differences.push(...strange.flatMap(unknownLine));
  return { differences, attention, compared, inFlight, incomplete };
}

function compareSubject(subject: Subject, { window, coverage, ledgerUnread }: Scope) {
  const { payment } = subject;
  const read = payment.provider === null ? 'none' : (coverage.get(payment.provider) ?? 'none');
  const isRead = payment.provider === null ? payment.status === 'FAILED' : read !== 'none';
  const isExpected = isRead && isWithin(window, payment.createdAtMs);
  const hasLedger = !ledgerUnread.has(payment.id);
  return {
    isComplete: isRead && hasLedger,
    differences: [
      ...compareCharges(subject, isExpected),
      ...compareRefunds(subject, read, window),
      ...(hasLedger ? compareLedger(subject, window) : []),
    ],
  };
}

function attentionOf({ payment, refunds }: Subject, window: Window): Attention[] {
  const { merchant, currency } = payment;
  return [payment, ...refunds]
    .filter((record) => standingOf(record, window) === 'attention')
    .map(({ id, amountMinor }) => ({ entityId: id, paymentId: payment.id, merchant, amountMinor, currency }));
}

function unknownLine(line: StatementLine): Difference[] {
  return line.kind === 'charge' ? unknownCharge(line) : unknownRefund(line);
}

/** A refund of a charge that is ours by nothing that we know; where its currency is not told, ISO 4217's code for none. */
function unknownRefund(line: RefundLine): Difference[] {
  if (line.state === 'failed') return [];
  return [
    {
      class: 'refund_missing_here',
      paymentId: line.paymentId,
      subject: line.reference,
      merchant: null,
      provider: line.provider,
      expected: NOTHING,
      found: sideOf(line),
      inDoubtMinor: line.amountMinor ?? 1,
      currency: line.currency ?? 'XXX',
      confirmed: true,
    },
  ];
}

function subjectsOf({ payments, refunds, lines, entries, holds }: Lists): Map<string, Subject> {
  const refundsBy = grouped(refunds);
  const chargesBy = grouped(inOrder(lines.filter((line): line is ChargeLine => line.kind === 'charge')));
  const refundLinesBy = grouped(inOrder(lines.filter((line): line is RefundLine => line.kind === 'refund')));
  const entriesBy = grouped(entries);
  const holdsBy = grouped(holds);
  return new Map(
    payments.map((payment) => [
      payment.id,
      {
        payment,
        refunds: refundsBy.get(payment.id) ?? [],
        charges: chargesBy.get(payment.id) ?? [],
        refundLines: refundLinesBy.get(payment.id) ?? [],
        entries: entriesBy.get(payment.id) ?? [],
        holds: holdsBy.get(payment.id) ?? [],
      },
    ]),
  );
}

/** Oldest first: of two that say the same, the later one is the one too many, in whatever order they came. */
function inOrder<Line extends StatementLine>(lines: readonly Line[]): Line[] {
  return [...lines].sort((a, b) => a.createdAtMs - b.createdAtMs || (a.reference < b.reference ? -1 : 1));
}

function grouped<Item extends { readonly paymentId: string | null }>(items: readonly Item[]): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    if (item.paymentId === null) continue;
    const group = groups.get(item.paymentId) ?? [];
    group.push(item);
    groups.set(item.paymentId, group);
  }
  return groups;
}
