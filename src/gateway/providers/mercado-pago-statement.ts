/**
 * Mercado Pago's books as a statement: the account's payments by the time that they were made, from its search
 * (https://www.mercadopago.com/developers/en/reference/payments/_payments_search/get). Refunds are told only as the sum of
 * each payment. The search may lag: whoever misses a charge asks for it by its id before saying so. A line that cannot
 * be read makes the page unknown: none is ever left out.
 */
import { z } from 'zod';
import type { ChargeState, StatementLine } from '../../domain/reconciliation/books.ts';
import { echoedPaymentId } from '../keys.ts';
import type { StatementAnswer, StatementRequest } from '../provider.ts';
import type { MercadoPagoClient } from './mercado-pago-client.ts';
import { fromDecimal, type MercadoPagoPayment, statementSchema } from './mercado-pago-protocol.ts';
import { isNoAnswer, unknown } from './standing.ts';

/** A payment is 4 KB and more: a page must stay far below ANSWER_BYTES_MAX. Also the search's own default. */
const STATEMENT_PAGE_SIZE = 30;
/** Deeper than some offset the search refuses (cause 1000) and says not which: from here on, it begins at a later time. */
const OFFSET_MAX = 900;

const cursorSchema = z.object({ fromMs: z.number().int(), offset: z.number().int() });
type Page = z.infer<typeof statementSchema>;

/** @throws for a cursor that is none of ours: it never leaves the reconciliation that it was made in. */
export async function mercadoPagoStatement(
  client: MercadoPagoClient,
  request: StatementRequest,
): Promise<StatementAnswer> {
  const at =
    request.cursor === null ? { fromMs: request.fromMs, offset: 0 } : cursorSchema.parse(JSON.parse(request.cursor));
  const query = new URLSearchParams({
    sort: 'date_created',
    criteria: 'asc',
    range: 'date_created',
    begin_date: new Date(at.fromMs).toISOString(),
    end_date: new Date(request.toMs).toISOString(),
    limit: String(STATEMENT_PAGE_SIZE),
    offset: String(at.offset),
  });
  const heard = await client.get(`/v1/payments/search?${query}`);
  if (heard.kind !== 'ok') return isNoAnswer(heard) ? heard : unknown('answer_unexpected');
  const page = statementSchema.safeParse(heard.body).data;
  if (page === undefined) return unknown('line_unreadable');
  const next = nextOf(at, page);
  if (next === 'stuck') return unknown('too_many_at_once');
  const lines = page.results.flatMap((payment) => chargeLine(payment) ?? []);
  if (lines.length < page.results.length) return unknown('line_unreadable');
  return { kind: 'page', lines, next: next && JSON.stringify(next) };
}

function nextOf(at: z.infer<typeof cursorSchema>, { paging, results }: Page) {
  const offset = at.offset + results.length;
  const last = results.at(-1);
  if (last === undefined || offset >= paging.total) return null;
  if (offset < OFFSET_MAX) return { fromMs: at.fromMs, offset };
  const fromMs = Date.parse(last.date_created);
  return fromMs > at.fromMs ? { fromMs, offset: 0 } : 'stuck';
}

const STATES: Readonly<Record<MercadoPagoPayment['status'], ChargeState>> = {
  authorized: 'authorized',
  approved: 'captured',
  in_mediation: 'captured',
  // Taken, and given back as a whole.
  refunded: 'captured',
  pending: 'pending',
  in_process: 'pending',
  rejected: 'declined',
  cancelled: 'voided',
  charged_back: 'charged_back',
};

function chargeLine(payment: Page['results'][number]): StatementLine | null {
  const { currency_id: currency, status } = payment;
  const amountMinor = fromDecimal(payment.transaction_amount, currency);
  // A charge of another amount than ours is a finding; one whose refunds cannot be told is no line at all.
  const refunded = payment.transaction_amount_refunded ?? (status === 'refunded' ? payment.transaction_amount : 0);
  const refundedMinor = fromDecimal(refunded, currency);
  if (refundedMinor === null) return null;
  return {
    kind: 'charge',
    provider: 'mercado-pago',
    reference: payment.id,
    paymentId: echoedPaymentId(payment.external_reference),
    amountMinor,
    currency,
    state: STATES[status],
    refundedMinor,
    createdAtMs: Date.parse(payment.date_created),
  };
}
