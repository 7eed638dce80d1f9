/**
 * Pure: the three lists that a reconciliation compares, in one form whoever they come from: what a provider's books say
 * (read through the provider port), what our record says (rows of D1, or the owner's own answer), and what the wallets'
 * ledgers say. Amounts are in minor units. No list is trusted more than another.
 */
import type { PaymentRow, RefundRow } from '../messages.ts';
import type { PaymentMethod, PaymentStatus, PaymentView } from '../payment.ts';
import type { RefundView } from '../refund.ts';
import type { EntryType } from '../wallet-rpc.ts';

/** `charged_back`: the payer's bank has taken it back. In force: `authorized` and `captured`, less what was refunded. */
export type ChargeState = 'pending' | 'authorized' | 'captured' | 'declined' | 'voided' | 'charged_back';

export interface ChargeLine {
  readonly kind: 'charge';
  readonly provider: string;
  readonly reference: string;
  /** As we sent it along; null where the provider tells none. */
  readonly paymentId: string | null;
  /** null: an amount that our minor units cannot express. */
  readonly amountMinor: number | null;
  readonly currency: string;
  readonly state: ChargeState;
  readonly refundedMinor: number;
  readonly createdAtMs: number;
}

export interface RefundLine {
  readonly kind: 'refund';
  readonly provider: string;
  readonly reference: string;
  readonly chargeReference: string | null;
  readonly paymentId: string | null;
  /** Whose key it was made under: a refund's id, or the payment's where it undoes a charge; null where none is told. */
  readonly entityId: string | null;
  readonly amountMinor: number | null;
  /** null where the provider does not tell: a refund is in its charge's currency. */
  readonly currency: string | null;
  readonly state: 'pending' | 'refunded' | 'failed';
  readonly createdAtMs: number;
}

export type StatementLine = ChargeLine | RefundLine;

/** What of a provider's books can be read. Without its refunds, their sum per charge is all that can be compared. */
export type StatementCoverage = 'charges_and_refunds' | 'charges' | 'none';

export interface PaymentRecord {
  readonly id: string;
  readonly merchant: string;
  readonly walletId: string;
  readonly method: PaymentMethod;
  readonly status: PaymentStatus;
  readonly sagaState: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly provider: string | null;
  readonly reference: string | null;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly completedAtMs: number | null;
}

export interface RefundRecord {
  readonly id: string;
  readonly paymentId: string;
  readonly status: PaymentStatus;
  readonly sagaState: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** One entry of a wallet's ledger that names a payment. */
export interface LedgerLine {
  readonly paymentId: string;
  readonly type: EntryType;
  /** What it moved to (positive) or from the money that has left for services. */
  readonly settledMinor: number;
}

export interface HoldLine {
  readonly paymentId: string;
  readonly amountMinor: number;
}

export function paymentRecord(row: PaymentRow): PaymentRecord {
  const view = JSON.parse(row.body) as PaymentView;
  return {
    id: row.id,
    merchant: row.merchant,
    walletId: row.wallet_id,
    method: row.method,
    status: row.status,
    sagaState: view.saga_state,
    amountMinor: view.amount,
    currency: view.currency,
    provider: view.provider ?? null,
    reference: view.provider_reference ?? null,
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    completedAtMs: view.completed_at === undefined ? null : Date.parse(view.completed_at),
  };
}

export function refundRecord(row: RefundRow): RefundRecord {
  const view = JSON.parse(row.body) as RefundView;
  return {
    id: row.id,
    paymentId: row.payment_id,
    status: row.status,
    sagaState: view.saga_state,
    amountMinor: view.amount,
    currency: view.currency,
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
  };
}
