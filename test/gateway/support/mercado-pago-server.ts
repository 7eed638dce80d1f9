/**
 * Mercado Pago, as far as the adapter meets it, by its reference: decimals of the account's currency, a mandatory
 * `X-Idempotency-Key`, `rejected` inside HTTP 201, numbered causes. A payment that exists under a key is given again,
 * whatever the second body says; a card token is good for one payment.
 */
import { z } from 'zod';
import type { Account, Answer, Incoming } from './provider-server.ts';

const paymentRequestSchema = z.strictObject({
  transaction_amount: z.number().positive(),
  token: z.string().min(8),
  payment_method_id: z.string(),
  installments: z.number().int().min(1),
  capture: z.boolean().default(true),
  payer: z.union([
    z.strictObject({ email: z.string() }),
    z.strictObject({ type: z.literal('customer'), id: z.string() }),
  ]),
  external_reference: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  description: z.string().max(256).optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
});

interface Payment {
  readonly id: number;
  readonly status: string;
  readonly status_detail: string;
  readonly transaction_amount: number;
  readonly currency_id: string;
  readonly external_reference: string;
  readonly date_created: string;
  readonly date_last_updated: string;
  readonly transaction_amount_refunded: number;
  readonly metadata: Record<string, unknown>;
}

interface Refund {
  readonly id: number;
  readonly payment_id: number;
  readonly amount: number;
  readonly status: string;
}

/** By the token's first word, as Mercado Pago's test cards go by the holder's name. */
const VERDICTS: Readonly<Record<string, readonly [status: string, detail: string]>> = {
  apro: ['approved', 'accredited'],
  cont: ['in_process', 'pending_contingency'],
  fund: ['rejected', 'cc_rejected_insufficient_amount'],
  secu: ['rejected', 'cc_rejected_bad_filled_security_code'],
  call: ['rejected', 'cc_rejected_call_for_authorize'],
  othe: ['rejected', 'cc_rejected_other_reason'],
  sale: ['approved', 'accredited'],
};
/** A card that can be charged and not reserved: its payment method's `deferred_capture` is `unsupported`. */
const ONLY_AT_ONCE = 'sale';

const failure = (status: number, ...codes: number[]): Answer => ({
  status,
  body: {
    message: 'card_number 4242424242424242 is not valid',
    error: status === 404 ? 'not_found' : 'bad_request',
    status,
    cause: codes.map((code) => ({ code, description: 'Invalid 4242424242424242', data: null })),
  },
});

export class MercadoPagoAccount implements Account {
  readonly warnings: string[] = [];
  readonly #payments = new Map<number, Payment>();
  #refunds: Refund[] = [];
  readonly #keys = new Map<string, Answer>();
  readonly #spentTokens = new Set<string>();
  #currency = 'BRL';
  #isSearchBehind = false;
  #isSpentFirst = false;
  #createdAt: string | null = null;
  #refundStatus = 'approved';
  #ids = 1_230_000_000;

  set(option: string, value: unknown): void {
    if (option === 'currency') this.#currency = String(value);
    if (option === 'searchBehind') this.#isSearchBehind = value === true;
    // The reference does not say whether the key or the token is looked at first.
    if (option === 'tokenBeforeKey') this.#isSpentFirst = value === true;
    if (option === 'forgetKeys') this.#keys.clear();
    if (option === 'createdAt') this.#createdAt = String(value);
    if (option === 'refundStatus') this.#refundStatus = String(value);
    if (option === 'endRefunds') this.#refunds = this.#refunds.map((refund) => ({ ...refund, status: String(value) }));
    // What happens at Mercado Pago's own desk, past this API.
    if (option === 'edit') this.#edit(value as Partial<Payment> & { id: number });
  }

  books(): unknown {
    return { payments: [...this.#payments.values()], refunds: this.#refunds };
  }

  handle({ method, path, query, headers, text }: Incoming): Answer {
    if (method === 'GET') return this.#read(path, query);
    const key = headers['x-idempotency-key'];
    if (typeof key !== 'string' || key.length > 64) return failure(400, 4292);
    if (headers['content-type'] !== 'application/json') return failure(400, 1);
    const body = JSON.parse(text) as Record<string, unknown>;
    if (path === '/v1/payments' && this.#isSpentFirst && this.#spentTokens.has(String(body.token)))
      return failure(400, 2006);
    const known = this.#keys.get(key);
    if (known !== undefined) return known;
    const answer = this.#write(method, path, body, headers);
    if (answer.status < 300) this.#keys.set(key, answer);
    return answer;
  }

  #write(method: string, path: string, body: Record<string, unknown>, headers: Incoming['headers']): Answer {
    if (method === 'POST' && path === '/v1/payments') return this.#create(body);
    const [, id, tail] = /^\/v1\/payments\/(\d+)(\/refunds)?$/.exec(path) ?? [];
    const payment = this.#payments.get(Number(id));
    if (payment === undefined) return failure(404, 2000);
    if (method === 'POST' && tail === '/refunds') {
      if (headers['x-render-in-process-refunds'] !== 'true')
        this.warnings.push('x-render-in-process-refunds: is missing');
      return this.#refund(payment, body);
    }
    return method === 'PUT' ? this.#change(payment, body) : failure(404);
  }

  #create(body: Record<string, unknown>): Answer {
    const request = paymentRequestSchema.safeParse(body);
    if (!request.success) {
      this.warnings.push(...request.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`));
      return failure(400, 1);
    }
    const { data } = request;
    const decimals = this.#currency === 'CLP' ? 0 : 2;
    if (Number(data.transaction_amount.toFixed(decimals)) !== data.transaction_amount) return failure(400, 4037);
    if (this.#spentTokens.has(data.token)) return failure(400, 2006);
    const [card = ''] = data.token.split('-');
    if (card === ONLY_AT_ONCE && !data.capture) return failure(400, 2077);
    this.#spentTokens.add(data.token);
    const [status, detail] = VERDICTS[card] ?? ['rejected', 'cc_rejected_card_error'];
    const isReserved = status === 'approved' && !data.capture;
    const payment = this.#put({
      id: ++this.#ids,
      status: isReserved ? 'authorized' : status,
      status_detail: isReserved ? 'pending_capture' : detail,
      transaction_amount: data.transaction_amount,
      currency_id: this.#currency,
      external_reference: data.external_reference,
      date_created: this.#createdAt ?? new Date().toISOString().replace('Z', '+00:00'),
      date_last_updated: '2026-11-24T12:00:00.000-03:00',
      transaction_amount_refunded: 0,
      metadata: data.metadata ?? {},
    });
    return { status: 201, body: payment };
  }

  #change(payment: Payment, body: Record<string, unknown>): Answer {
    if (body.capture === true && payment.status === 'authorized') {
      return { status: 200, body: this.#put({ ...payment, status: 'approved', status_detail: 'accredited' }) };
    }
    if (body.status === 'cancelled' && ['authorized', 'pending', 'in_process'].includes(payment.status)) {
      return { status: 200, body: this.#put({ ...payment, status: 'cancelled', status_detail: 'by_collector' }) };
    }
    return failure(400, 2063);
  }

  #refund(payment: Payment, body: Record<string, unknown>): Answer {
    const amount = typeof body.amount === 'number' ? body.amount : payment.transaction_amount;
    const given = this.#refunds.filter(({ payment_id: id }) => id === payment.id);
    const left = payment.transaction_amount - given.reduce((sum, refund) => sum + refund.amount, 0);
    if (payment.status !== 'approved' || amount > left + 0.001) return failure(400, 2063);
    const refund: Refund = { id: ++this.#ids, payment_id: payment.id, amount, status: this.#refundStatus };
    this.#refunds.push(refund);
    const isWhole = left - amount < 0.001;
    const refunded = payment.transaction_amount - left + amount;
    this.#put({
      ...payment,
      transaction_amount_refunded: Number(refunded.toFixed(2)),
      ...(isWhole && { status: 'refunded', status_detail: 'refunded' }),
    });
    return { status: 201, body: refund };
  }

  #read(path: string, query: URLSearchParams): Answer {
    if (path === '/v1/payments/search') {
      const wanted = query.get('external_reference');
      const all = this.#isSearchBehind ? [] : [...this.#payments.values()];
      if (wanted === null) return searchByTime(all, query);
      const results = all.filter(({ external_reference: reference }) => reference === wanted);
      return { status: 200, body: { paging: { total: results.length, limit: 30, offset: 0 }, results } };
    }
    const [, id, tail, refundId] = /^\/v1\/payments\/(\d+)(\/refunds)?(?:\/(\d+))?$/.exec(path) ?? [];
    const payment = this.#payments.get(Number(id));
    if (payment === undefined) return failure(404, 2000);
    if (tail === undefined) return { status: 200, body: payment };
    const refunds = this.#refunds.filter(({ payment_id: paymentId }) => paymentId === payment.id);
    if (refundId === undefined) return { status: 200, body: refunds };
    const refund = refunds.find((each) => each.id === Number(refundId));
    return refund === undefined ? failure(404, 2032) : { status: 200, body: refund };
  }

  #edit({ id, ...change }: Partial<Payment> & { id: number }): void {
    const payment = this.#payments.get(id);
    if (payment !== undefined) this.#put({ ...payment, ...change });
  }

  #put(payment: Payment): Payment {
    this.#payments.set(payment.id, payment);
    return payment;
  }
}

const DATE = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}(Z|[+-]\d{2}:\d{2})$/;

/** By when payments were made, both ends inclusive; deeper than an offset of 1,000 it refuses. */
function searchByTime(all: readonly Payment[], query: URLSearchParams): Answer {
  const [begin, end] = [query.get('begin_date') ?? '', query.get('end_date') ?? ''];
  if (!DATE.test(begin) || !DATE.test(end)) return failure(400, 1001);
  if (query.get('range') !== 'date_created' || query.get('sort') !== 'date_created') return failure(400, 1003);
  if (query.get('criteria') !== 'asc') return failure(400, 1004);
  const [limit, offset] = [Number(query.get('limit') ?? 30), Number(query.get('offset') ?? 0)];
  if (limit + offset > 1_000) return failure(400, 1000);
  const at = ({ date_created: date }: Payment) => Date.parse(date);
  const within = all
    .filter((payment) => at(payment) >= Date.parse(begin) && at(payment) <= Date.parse(end))
    .sort((left, right) => at(left) - at(right) || left.id - right.id);
  const paging = { total: within.length, limit, offset };
  return { status: 200, body: { paging, results: within.slice(offset, offset + limit) } };
}
