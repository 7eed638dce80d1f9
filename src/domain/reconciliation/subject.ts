/**
 * Pure: one payment with everything that the three lists say of it: the unit of comparison. How it stands decides whether
 * it is compared at all: what still moves is in flight and is no difference.
 */
import type { ChargeLine, HoldLine, LedgerLine, PaymentRecord, RefundLine, RefundRecord } from './books.ts';
import type { Difference, Side } from './difference.ts';

export interface Subject {
  readonly payment: PaymentRecord;
  readonly refunds: readonly RefundRecord[];
  readonly charges: readonly ChargeLine[];
  readonly refundLines: readonly RefundLine[];
  readonly entries: readonly LedgerLine[];
  readonly holds: readonly HoldLine[];
}

/** Which payments a reconciliation is about, and until when a thing must have been quiet to be compared. */
export interface Window {
  /** Inclusive. */
  readonly fromMs: number;
  /** Exclusive. */
  readonly toMs: number;
  readonly atRestBeforeMs: number;
}

/** `attention`: a person's turn; listed as such. */
export type Standing = 'at_rest' | 'in_flight' | 'attention';

export function standingOf(
  record: { readonly status: string; readonly sagaState: string; readonly updatedAtMs: number },
  { atRestBeforeMs }: Window,
): Standing {
  if (record.sagaState === 'needs_attention') return 'attention';
  return record.status === 'PENDING' || record.updatedAtMs > atRestBeforeMs ? 'in_flight' : 'at_rest';
}

export function isWithin({ fromMs, toMs }: Window, atMs: number): boolean {
  return atMs >= fromMs && atMs < toMs;
}

export const NOTHING: Side = { state: 'nothing', amountMinor: null, currency: null };

/** Our side of a payment. */
export function claimOf({ status, amountMinor, currency }: PaymentRecord | RefundRecord): Side {
  return { state: status, amountMinor, currency };
}

export function sideOf({ state, amountMinor, currency }: ChargeLine | RefundLine): Side {
  return { state, amountMinor, currency };
}

/** The part of a difference that the payment gives it. */
export function aboutPayment({ id, merchant, provider, currency }: PaymentRecord) {
  return { paymentId: id, merchant, provider, currency, confirmed: true } satisfies Partial<Difference>;
}

/** How far two amounts are apart; where the other one cannot be read, all of ours is in doubt. */
export function apartMinor(ourMinor: number, otherMinor: number | null): number {
  return otherMinor === null ? ourMinor : Math.abs(ourMinor - otherMinor);
}
