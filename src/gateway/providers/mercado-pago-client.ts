/**
 * Mercado Pago over `fetch`: one request, one `Said`. It knows addresses and headers, and no operation of ours. It never
 * follows a redirect, which is no answer of Mercado Pago's and must not carry the credentials elsewhere.
 */
import { type Exchange, exchange, type Fetcher } from '../exchange.ts';
import { PROVIDER_TIMEOUT_MS } from '../limits.ts';
import type { LookupAnswer } from '../provider.ts';
import { type ExpectedPayment, paymentStanding, type Said, said } from './mercado-pago-mapping.ts';
import { MERCADO_PAGO_BASE_URL } from './mercado-pago-protocol.ts';
import { isNoAnswer, unknown } from './standing.ts';

export interface MercadoPagoAccess {
  readonly accessToken: string;
  /** Of the span that the requests are part of. */
  readonly traceparent?: string;
  /** The rest is for tests. */
  readonly baseUrl?: string;
  readonly fetcher?: Fetcher;
  readonly timeoutMs?: number;
}

export class MercadoPagoClient {
  readonly #access: Required<Omit<MercadoPagoAccess, 'traceparent'>> & Pick<MercadoPagoAccess, 'traceparent'>;

  constructor(access: MercadoPagoAccess) {
    this.#access = {
      baseUrl: MERCADO_PAGO_BASE_URL,
      fetcher: { fetch: (request) => fetch(request) },
      timeoutMs: PROVIDER_TIMEOUT_MS.live,
      ...access,
    };
  }

  async get(path: string): Promise<Said> {
    return said(await this.#exchange(path, { method: 'GET' }));
  }

  async send(method: 'POST' | 'PUT', path: string, key: string, body: object): Promise<Said> {
    const headers = { 'content-type': 'application/json', 'x-idempotency-key': key };
    return said(await this.#exchange(path, { method, headers, body: JSON.stringify(body) }));
  }

  /** How a payment stands now, by Mercado Pago's own word for it. */
  async standing(id: string, expected: ExpectedPayment): Promise<LookupAnswer> {
    const heard = await this.get(pathOf(id));
    if (heard.kind === 'ok') return paymentStanding(heard.body, expected) ?? unknown('answer_unexpected');
    // Payments are never deleted: one that we have an id of and that is not there is another account's riddle.
    return isNoAnswer(heard) ? heard : unknown('charge_not_found');
  }

  #exchange(path: string, init: RequestInit): Promise<Exchange> {
    const { baseUrl, accessToken, fetcher, timeoutMs, traceparent } = this.#access;
    const request = new Request(baseUrl + path, { ...init, redirect: 'manual' });
    request.headers.set('authorization', `Bearer ${accessToken}`);
    // Without it a refund that is under way is told as a 400.
    request.headers.set('x-render-in-process-refunds', 'true');
    if (traceparent !== undefined) request.headers.set('traceparent', traceparent);
    return exchange(fetcher, request, timeoutMs);
  }
}

export function pathOf(paymentId: string): string {
  return `/v1/payments/${encodeURIComponent(paymentId)}`;
}
