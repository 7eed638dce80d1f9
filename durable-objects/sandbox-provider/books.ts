/**
 * The books of a sandbox provider as reconciliation and tests read them: charges with every call that was made for them,
 * refunds, and the newest callbacks. Bounded pages; a read changes nothing and counts as no call.
 */
import type { Desk } from './desk.ts';
import { isDue } from './rows.ts';
import type { BookStore } from './store.ts';

export const BOOKS_PAGE_MAX = 500;
const CALLBACKS_SHOWN_MAX = 100;

/** `afterCharge` and `afterRefund`: keys; a page begins after them. */
export interface BooksPage {
  readonly afterCharge?: string;
  readonly afterRefund?: string;
  readonly limit?: number;
}

export interface ChargeEntry {
  readonly key: string;
  readonly id: string;
  readonly paymentId: string;
  readonly amountMinor: number;
  readonly currency: string;
  /** `turned_away`: calls came and were not processed; nothing is in force. */
  readonly status: 'turned_away' | 'pending' | 'authorized' | 'captured' | 'declined' | 'voided';
  readonly refundedMinor: number;
  readonly refundingMinor: number;
  readonly calls: {
    readonly authorize: number;
    readonly lookup: number;
    readonly capture: number;
    readonly void: number;
  };
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

export interface RefundEntry {
  readonly key: string;
  readonly chargeKey: string;
  readonly amountMinor: number;
  readonly status: 'pending' | 'refunded' | 'failed';
  readonly calls: number;
  readonly createdAtMs: number;
}

export interface CallbackEntry {
  readonly id: number;
  readonly body: string;
  readonly forged: boolean;
  readonly attempts: number;
  /** HTTP status of the last try; 0: not delivered; null: not tried yet. */
  readonly lastStatus: number | null;
  readonly done: boolean;
}

export interface Books {
  readonly charges: readonly ChargeEntry[];
  readonly refunds: readonly RefundEntry[];
  /** Newest first. */
  readonly callbacks: readonly CallbackEntry[];
  /** A next page begins after the last keys of this one. */
  readonly more: boolean;
}

export function readBooks(store: BookStore, desk: Desk, page: BooksPage, nowMs: number): Books {
  const limit = Math.max(1, Math.min(page.limit ?? BOOKS_PAGE_MAX, BOOKS_PAGE_MAX));
  const charges = store.chargesAfter(page.afterCharge ?? '', limit + 1);
  const refunds = store.refundsAfter(page.afterRefund ?? '', limit + 1);
  return {
    charges: charges.slice(0, limit).map((row) => {
      const charge = desk.settledCharge(row, nowMs);
      return {
        key: charge.key,
        id: `ch_${charge.key}`,
        paymentId: charge.payment_id,
        amountMinor: charge.amount_minor,
        currency: charge.currency,
        status: charge.status,
        refundedMinor: charge.refunded_minor,
        refundingMinor: charge.refunding_minor,
        calls: {
          authorize: charge.authorize_calls,
          lookup: charge.lookup_calls,
          capture: charge.capture_calls,
          void: charge.void_calls,
        },
        createdAtMs: charge.created_at_ms,
        updatedAtMs: charge.updated_at_ms,
      };
    }),
    refunds: refunds.slice(0, limit).map((row) => ({
      key: row.key,
      chargeKey: row.charge_key,
      amountMinor: row.amount_minor,
      // As it stands by now, booked or not yet.
      status: row.settles_to !== null && isDue(row, nowMs) ? row.settles_to : row.status,
      calls: row.calls,
      createdAtMs: row.created_at_ms,
    })),
    callbacks: store.callbacks(CALLBACKS_SHOWN_MAX).map((row) => ({
      id: row.id,
      body: row.body,
      forged: row.forged === 1,
      attempts: row.attempts,
      lastStatus: row.last_status,
      done: row.done === 1,
    })),
    more: charges.length > limit || refunds.length > limit,
  };
}
