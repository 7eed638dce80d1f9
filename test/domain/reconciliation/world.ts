/** Builders for reconciliations: a payment, and the lines that its provider and its wallet have of it when all is well. */
import type {
  ChargeLine,
  LedgerLine,
  PaymentRecord,
  RefundLine,
  RefundRecord,
} from '../../../src/domain/reconciliation/books.ts';
import type { Lists, Scope } from '../../../src/domain/reconciliation/reconcile.ts';

export const FROM_MS = Date.UTC(2026, 0, 1);
export const TO_MS = Date.UTC(2026, 0, 2);
export const AT_REST_BEFORE_MS = TO_MS - 1_000;

export const SCOPE: Scope = {
  window: { fromMs: FROM_MS, toMs: TO_MS, atRestBeforeMs: AT_REST_BEFORE_MS },
  coverage: new Map([
    ['acme', 'charges_and_refunds'],
    ['borealis', 'charges_and_refunds'],
    ['sums', 'charges'],
  ]),
  ledgerUnread: new Set(),
};

export function payment(n: number, more: Partial<PaymentRecord> = {}): PaymentRecord {
  return {
    id: `pay_${String(n).padStart(43, '0')}`,
    merchant: 'default',
    walletId: 'wal-1',
    method: 'balance',
    status: 'COMPLETED',
    sagaState: (more.status ?? 'COMPLETED').toLowerCase(),
    amountMinor: 1_000,
    currency: 'USD',
    provider: 'acme',
    reference: `ch_${n}`,
    createdAtMs: FROM_MS + n,
    updatedAtMs: FROM_MS + n + 100,
    completedAtMs: FROM_MS + n + 100,
    ...more,
  };
}

export function refund(of: PaymentRecord, n: number, more: Partial<RefundRecord> = {}): RefundRecord {
  return {
    id: `ref_${of.id.slice(4, -3)}${String(n).padStart(3, '0')}`,
    paymentId: of.id,
    status: 'COMPLETED',
    sagaState: (more.status ?? 'COMPLETED').toLowerCase(),
    amountMinor: 100,
    currency: of.currency,
    createdAtMs: of.createdAtMs + 200,
    updatedAtMs: of.createdAtMs + 300,
    ...more,
  };
}

/** The charge of a payment, as it stands when all is well. */
export function charge(of: PaymentRecord, more: Partial<ChargeLine> = {}): ChargeLine {
  const inForce = of.method === 'balance' ? 'authorized' : 'captured';
  return {
    kind: 'charge',
    provider: of.provider ?? 'acme',
    reference: of.reference ?? `ch_of_${of.id}`,
    paymentId: of.id,
    amountMinor: of.amountMinor,
    currency: of.currency,
    state: of.status === 'FAILED' ? 'voided' : inForce,
    refundedMinor: 0,
    createdAtMs: of.createdAtMs + 10,
    ...more,
  };
}

export function refundLine(of: RefundRecord, at: PaymentRecord, more: Partial<RefundLine> = {}): RefundLine {
  return {
    kind: 'refund',
    provider: at.provider ?? 'acme',
    reference: `re_${of.id}`,
    chargeReference: at.reference,
    paymentId: at.id,
    entityId: of.id,
    amountMinor: of.amountMinor,
    currency: null,
    state: 'refunded',
    createdAtMs: of.createdAtMs + 10,
    ...more,
  };
}

export function entry(of: PaymentRecord, type: LedgerLine['type'], settledMinor: number): LedgerLine {
  return { paymentId: of.id, type, settledMinor };
}

export function lists(more: Partial<Lists> = {}): Lists {
  return { payments: [], refunds: [], lines: [], entries: [], holds: [], ...more };
}

/** Everything that the other two lists have of a payment and its refunds when all is well. */
export function soundLists(of: PaymentRecord, refunds: readonly RefundRecord[] = []): Lists {
  const isPaid = of.status === 'COMPLETED';
  const isFromWallet = of.method === 'balance';
  const given = isPaid ? refunds.filter(({ status }) => status === 'COMPLETED') : [];
  const refundedMinor = given.reduce((sum, { amountMinor }) => sum + amountMinor, 0);
  return lists({
    payments: [of],
    refunds,
    lines: [
      ...(of.provider === null ? [] : [charge(of, { refundedMinor })]),
      ...(of.provider === 'sums' ? [] : given.map((each) => refundLine(each, of))),
    ],
    entries: isFromWallet
      ? [
          entry(of, 'hold', 0),
          isPaid ? entry(of, 'debit', of.amountMinor) : entry(of, 'release', 0),
          ...given.map(({ amountMinor }) => entry(of, 'credit', -amountMinor)),
        ]
      : [],
  });
}

export function joined(all: readonly Lists[]): Lists {
  return {
    payments: all.flatMap((each) => each.payments),
    refunds: all.flatMap((each) => each.refunds),
    lines: all.flatMap((each) => each.lines),
    entries: all.flatMap((each) => each.entries),
    holds: all.flatMap((each) => each.holds),
  };
}
