/**
 * Stripe's books as a statement: the account's PaymentIntents, then its refunds, by the time that they were made
 * (https://docs.stripe.com/api/payment_intents/list, https://docs.stripe.com/api/refunds/list). Lists, never the search,
 * which lags. A line that cannot be read makes the page unknown: none is ever left out.
 */
import { z } from 'zod';
import type { ChargeState, RefundLine, StatementLine } from '../../domain/reconciliation/books.ts';
import { echoedPaymentId, entityOfKey } from '../keys.ts';
import type { StatementAnswer, StatementRequest } from '../provider.ts';
import { unknown } from './standing.ts';
import type { StripeClient } from './stripe-client.ts';
import { intentOf, refundOf } from './stripe-mapping.ts';
import { fromStripeAmount, type PaymentIntent, type StripeRefund } from './stripe-protocol.ts';

const LISTS = { intents: '/v1/payment_intents', refunds: '/v1/refunds' } as const;
const cursorSchema = z.object({ list: z.enum(['intents', 'refunds']), after: z.string().optional() });

/** A PaymentIntent with its charge expanded is 6 KB and more: a page must stay far below LIST_BYTES_MAX. */
const STATEMENT_PAGE_SIZE = 25;

/** @throws for a cursor that is none of ours: it never leaves the reconciliation that it was made in. */
export async function stripeStatement(client: StripeClient, request: StatementRequest): Promise<StatementAnswer> {
  const cursor = request.cursor === null ? { list: 'intents' as const } : readCursor(request.cursor);
  const { list } = cursor;
  const page = await client.listPage(LISTS[list], {
    limit: String(STATEMENT_PAGE_SIZE),
    'created[gte]': String(Math.floor(request.fromMs / 1_000)),
    'created[lt]': String(Math.ceil(request.toMs / 1_000)),
    ...('after' in cursor && cursor.after !== undefined && { starting_after: cursor.after }),
    ...(list === 'intents' && { 'expand[]': 'data.latest_charge' }),
  });
  if (page.kind !== 'page') return page;
  const lines: StatementLine[] = [];
  for (const item of page.data) {
    const line = list === 'intents' ? chargeLine(intentOf(item)) : refundLine(refundOf(item));
    if (line === null) return unknown('line_unreadable');
    lines.push(line);
  }
  const last = lines.at(-1)?.reference;
  if (page.hasMore && last === undefined) return unknown('answer_unexpected');
  const next = page.hasMore ? { list, after: last } : list === 'intents' ? { list: 'refunds' } : null;
  return { kind: 'page', lines, next: next && JSON.stringify(next) };
}

function readCursor(text: string): z.infer<typeof cursorSchema> {
  return cursorSchema.parse(JSON.parse(text));
}

const CHARGE_STATES: Readonly<Record<PaymentIntent['status'], ChargeState>> = {
  requires_capture: 'authorized',
  succeeded: 'captured',
  canceled: 'voided',
  processing: 'pending',
  requires_action: 'pending',
  requires_confirmation: 'pending',
  // Never confirmed (a claim of ours, decision 0023), or declined: nothing is in force either way.
  requires_payment_method: 'declined',
};

function chargeLine(intent: PaymentIntent | null): StatementLine | null {
  if (intent?.created === undefined) return null;
  const { id, status, amount, amount_received: received, latest_charge: charge } = intent;
  const currency = intent.currency.toUpperCase();
  const refunded = typeof charge === 'object' && charge !== null ? charge.amount_refunded : 0;
  const refundedMinor = refunded === 0 ? 0 : fromStripeAmount(refunded, currency);
  if (refundedMinor === null) return null;
  return {
    kind: 'charge',
    provider: 'stripe',
    reference: id,
    paymentId: echoedPaymentId(intent.metadata.payment_id),
    amountMinor: fromStripeAmount(status === 'succeeded' ? (received ?? amount) : amount, currency),
    currency,
    state: CHARGE_STATES[status],
    refundedMinor,
    createdAtMs: intent.created * 1_000,
  };
}

const REFUND_STATES: Readonly<Record<NonNullable<StripeRefund['status']>, RefundLine['state']>> = {
  succeeded: 'refunded',
  pending: 'pending',
  requires_action: 'pending',
  failed: 'failed',
  canceled: 'failed',
};

function refundLine(refund: StripeRefund | null): StatementLine | null {
  if (refund?.created === undefined || refund.currency === undefined) return null;
  const currency = refund.currency.toUpperCase();
  return {
    kind: 'refund',
    provider: 'stripe',
    reference: refund.id,
    chargeReference: refund.payment_intent ?? null,
    paymentId: echoedPaymentId(refund.metadata.payment_id),
    entityId: entityOfKey(refund.metadata.refund_key ?? ''),
    amountMinor: fromStripeAmount(refund.amount, currency),
    currency,
    state: REFUND_STATES[refund.status ?? 'pending'],
    createdAtMs: refund.created * 1_000,
  };
}
