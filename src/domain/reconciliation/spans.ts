/**
 * Pure: the spans of time in which a wallet's ledger must have what it has of some payments, so that only those need be
 * read: a payment's life, and that of each of its refunds.
 */
import { MINUTE_MS } from '../limits.ts';
import type { PaymentEntriesQuery } from '../wallet-rpc.ts';
import type { PaymentRecord, RefundRecord } from './books.ts';

type Spans = PaymentEntriesQuery['spans'];

/** The clocks of two objects are not one. */
const CLOCKS_APART_MS = MINUTE_MS;

/** In order, those that touch made one. */
export function ledgerSpans(payments: readonly PaymentRecord[], refunds: readonly RefundRecord[]): Spans {
  const lives = [
    ...payments.map(
      ({ createdAtMs, completedAtMs, updatedAtMs }) => [createdAtMs, completedAtMs ?? updatedAtMs] as const,
    ),
    ...refunds.map(({ createdAtMs, updatedAtMs }) => [createdAtMs, updatedAtMs] as const),
  ].sort(([left], [right]) => left - right);
  const spans: { fromMs: number; toMs: number }[] = [];
  for (const [bornAtMs, endedAtMs] of lives) {
    const [fromMs, toMs] = [bornAtMs - CLOCKS_APART_MS, endedAtMs + CLOCKS_APART_MS];
    const last = spans.at(-1);
    if (last !== undefined && fromMs <= last.toMs) last.toMs = Math.max(last.toMs, toMs);
    else spans.push({ fromMs, toMs });
  }
  return spans;
}
