/**
 * Stripe over `fetch`: one request, one `Said`. It knows addresses, headers and pages, and no operation of ours. It never
 * follows a redirect, which is no answer of Stripe's and must not carry the credentials elsewhere.
 */
import { type Exchange, exchange, type Fetcher } from '../exchange.ts';
import { LIST_BYTES_MAX, PROVIDER_TIMEOUT_MS } from '../limits.ts';
import type { LookupAnswer, NoAnswer } from '../provider.ts';
import { safeCode } from './codes.ts';
import { unknown } from './standing.ts';
import { type Expected, intentOf, intentStanding, type Said, said } from './stripe-mapping.ts';
import { type FormParams, formBody, pageSchema, STRIPE_API_VERSION, STRIPE_BASE_URL } from './stripe-protocol.ts';

/** The largest page. */
export const PAGE_SIZE = 100;

export interface StripeAccess {
  readonly secretKey: string;
  /** Of the span that the requests are part of. */
  readonly traceparent?: string;
  /** The rest is for tests. */
  readonly baseUrl?: string;
  readonly fetcher?: Fetcher;
  readonly timeoutMs?: number;
}

export interface ListPage {
  readonly kind: 'page';
  readonly data: unknown[];
  readonly hasMore: boolean;
}

export class StripeClient {
  readonly #access: Required<Omit<StripeAccess, 'traceparent'>> & Pick<StripeAccess, 'traceparent'>;

  constructor(access: StripeAccess) {
    this.#access = {
      baseUrl: STRIPE_BASE_URL,
      fetcher: { fetch: (request) => fetch(request) },
      timeoutMs: PROVIDER_TIMEOUT_MS.live,
      ...access,
    };
  }

  /** @param key null: for what changes the state of one object and can do so once; no answer is stored, and none said again. */
  async post(path: string, key: string | null, params: FormParams = {}): Promise<Exchange> {
    const headers = {
      ...(key !== null && { 'idempotency-key': key }),
      'content-type': 'application/x-www-form-urlencoded',
    };
    return await this.#exchange(path, { method: 'POST', body: formBody(params).toString(), headers });
  }

  /** How a PaymentIntent stands now, by Stripe's own word for it. */
  async standing(id: string, expected: Expected): Promise<LookupAnswer> {
    const heard = await this.#get(`/v1/payment_intents/${encodeURIComponent(id)}?expand[]=latest_charge`);
    if (heard.kind !== 'ok') return heard.kind === 'error' ? unread(heard) : heard;
    const intent = intentOf(heard.body);
    return (intent && intentStanding(intent, expected)) ?? unknown('answer_unexpected');
  }

  /** What is on the first page of a list or a search. */
  async page(path: string, query: Readonly<Record<string, string>> = {}): Promise<unknown[] | NoAnswer> {
    const page = await this.listPage(path, { limit: String(PAGE_SIZE), ...query });
    return page.kind === 'page' ? page.data : page;
  }

  /** One page of a list or a search, and whether another follows. */
  async listPage(path: string, query: Readonly<Record<string, string>>): Promise<ListPage | NoAnswer> {
    const heard = await this.#get(`${path}?${new URLSearchParams(query)}`, LIST_BYTES_MAX);
    if (heard.kind !== 'ok') return heard.kind === 'error' ? unread(heard) : heard;
    const page = pageSchema.safeParse(heard.body).data;
    return page === undefined
      ? unknown('answer_unexpected')
      : { kind: 'page', data: page.data, hasMore: page.has_more };
  }

  async #get(path: string, bytesMax?: number): Promise<Said> {
    return said(await this.#exchange(path, { method: 'GET' }, bytesMax));
  }

  #exchange(path: string, init: RequestInit, bytesMax?: number): Promise<Exchange> {
    const { baseUrl, secretKey, fetcher, timeoutMs, traceparent } = this.#access;
    const request = new Request(baseUrl + path, { ...init, redirect: 'manual' });
    request.headers.set('authorization', `Bearer ${secretKey}`);
    request.headers.set('stripe-version', STRIPE_API_VERSION);
    if (traceparent !== undefined) request.headers.set('traceparent', traceparent);
    return exchange(fetcher, request, timeoutMs, bytesMax);
  }
}

/** An error where only a reading was asked for says nothing of what was to be read. */
export function unread({ status, error }: Extract<Said, { kind: 'error' }>): Extract<NoAnswer, { kind: 'unknown' }> {
  return unknown(safeCode(error.code, `http_${status}`));
}
