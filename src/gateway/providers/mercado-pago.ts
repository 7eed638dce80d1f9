/**
 * Adapter to Mercado Pago: card payments of API v1, over `fetch` (docs/decisions/0022-mercado-pago.md). It makes the calls;
 * what their answers mean is `mercado-pago-mapping.ts`. Decimals exist in these files only. It must never charge an amount in
 * another currency than its account's: the API takes no currency, and would charge the number.
 */
import type {
  AuthorizeAnswer,
  AuthorizeRequest,
  CallbackResult,
  CaptureAnswer,
  ChargeRequest,
  LookupAnswer,
  LookupRequest,
  NoAnswer,
  Provider,
  ProviderAnswer,
  ProviderCapabilities,
  RawCallback,
  RefundAnswer,
  StatementAnswer,
  StatementRequest,
  VoidAnswer,
} from '../provider.ts';
import { checkNotification, notifiedPaymentId, readPayment } from './mercado-pago-callbacks.ts';
import { type MercadoPagoAccess, MercadoPagoClient, pathOf } from './mercado-pago-client.ts';
import {
  asAuthorization,
  authorizeAnswer,
  type ExpectedPayment,
  paymentOf,
  paymentStanding,
  refundStanding,
} from './mercado-pago-mapping.ts';
import { isSameAmount, refundSchema, refundsSchema, searchSchema, toDecimal } from './mercado-pago-protocol.ts';
import { mercadoPagoStatement } from './mercado-pago-statement.ts';
import { captureOf, decisive, isNoAnswer, unknown, voidOf } from './standing.ts';

/** There is one payment per reference; with more finds than this something is wrong, and a person's turn. */
const FOUND_MAX = 5;

export interface MercadoPagoOptions extends MercadoPagoAccess {
  readonly webhookSecret: string;
  /** The account's: every amount is charged in it. */
  readonly currency: string;
}

export class MercadoPagoAdapter implements Provider {
  readonly name = 'mercado-pago';
  readonly capabilities: ProviderCapabilities = { statement: 'charges' };
  readonly #client: MercadoPagoClient;
  readonly #webhookSecret: string;
  readonly #currency: string;
  readonly #options: MercadoPagoOptions;

  constructor(options: MercadoPagoOptions) {
    const { webhookSecret, currency, ...access } = options;
    this.#client = new MercadoPagoClient(access);
    this.#webhookSecret = webhookSecret;
    this.#currency = currency;
    this.#options = options;
  }

  traced(traceparent: string): MercadoPagoAdapter {
    return new MercadoPagoAdapter({ ...this.#options, traceparent });
  }

  /** Why Mercado Pago cannot be asked this at all, or null: for whoever routes. Nothing is sent to find out. */
  unfit({ method, token, amountMinor, currency, customerId }: AuthorizeRequest): string | null {
    if (method === 'balance') return 'method_not_supported';
    if (currency !== this.#currency) return 'currency_not_supported';
    if (token === undefined) return 'token_missing';
    if (cardOf(token) === null) return 'invalid_token';
    if (customerId === undefined) return 'customer_missing';
    return toDecimal(amountMinor, currency) === null ? 'invalid_amount' : null;
  }

  async authorize(request: AuthorizeRequest): Promise<AuthorizeAnswer> {
    const unfit = this.unfit(request);
    if (unfit !== null) return { kind: 'refused', code: unfit };
    // Debit cards cannot be authorized without being captured.
    const isCapturedAtOnce = request.method === 'debit_card';
    const body = {
      transaction_amount: toDecimal(request.amountMinor, request.currency),
      ...cardOf(request.token ?? ''),
      installments: 1,
      capture: isCapturedAtOnce,
      payer: { type: 'customer', id: request.customerId },
      external_reference: request.paymentId,
      ...(request.reference !== undefined && { description: request.reference }),
      metadata: {
        effect_id: request.effectId,
        merchant: request.merchant,
        service_id: request.serviceId,
        capture: isCapturedAtOnce ? 'at_once' : 'later',
        amount_minor: request.amountMinor,
        currency: request.currency,
      },
    };
    const answer = authorizeAnswer(await this.#client.send('POST', '/v1/payments', request.key, body), request);
    if (answer.kind !== 'refused') return answer;
    // A card token is spent by its first use: a second try, after a lost answer, may be refused for just that.
    const found = await this.#find(request.paymentId, request);
    return found.kind === 'absent' ? answer : asAuthorization(found);
  }

  async capture(request: ChargeRequest): Promise<CaptureAnswer> {
    return await this.#settle(request, { capture: true }, captureOf);
  }

  async void(request: ChargeRequest): Promise<VoidAnswer> {
    return await this.#settle(request, { status: 'cancelled' }, voidOf);
  }

  async refund(request: ChargeRequest): Promise<RefundAnswer> {
    const charge = await this.#chargeOf(request, { currency: request.currency });
    if (charge.kind !== 'found') return charge;
    const amount = toDecimal(request.amountMinor, request.currency);
    if (amount === null) return { kind: 'refused', code: 'invalid_amount' };
    const heard = await this.#client.send('POST', `${pathOf(charge.id)}/refunds`, request.key, { amount });
    if (heard.kind === 'ok') {
      const refund = refundSchema.safeParse(heard.body);
      return refund.success ? refundStanding(refund.data) : UNEXPECTED;
    }
    if (heard.kind !== 'refused') return heard;
    // "Not valid in this state" can be our own refund, from when this key was sent before.
    const ours = await this.#refundOf(charge.id, request);
    return ours.kind === 'absent' ? heard : ours;
  }

  async lookup(request: LookupRequest): Promise<LookupAnswer> {
    if (request.refundKey !== undefined) {
      const charge = await this.#chargeOf(request, { currency: request.currency });
      if (charge.kind !== 'found') return charge;
      const { refundReference } = request;
      return refundReference === undefined
        ? await this.#refundOf(charge.id, request)
        : await this.#refundAs(refundReference, charge.id, request);
    }
    const { chargeReference } = request;
    return chargeReference === undefined
      ? await this.#find(request.paymentId, request)
      : await this.#client.standing(chargeReference, request);
  }

  async statement(request: StatementRequest): Promise<StatementAnswer> {
    return await mercadoPagoStatement(this.#client, request);
  }

  /** The signature covers the payment's id, and not what became of it: that is asked for. */
  async parseCallback(callback: RawCallback, nowMs: number): Promise<CallbackResult> {
    const check = await checkNotification(callback, this.#webhookSecret, nowMs);
    if (check !== 'valid') return { kind: 'rejected', reason: check };
    const id = notifiedPaymentId(callback.url);
    if (id === null) return { kind: 'ignored', reason: 'not_a_payment' };
    const heard = await this.#client.get(pathOf(id));
    if (heard.kind === 'absent') return { kind: 'ignored', reason: 'payment_unknown' };
    const payment = heard.kind === 'ok' ? paymentOf(heard.body) : null;
    // Refused, so that it comes again: what it is about could not be read now.
    return payment === null ? { kind: 'rejected', reason: 'malformed' } : readPayment(payment, this.#currency, nowMs);
  }

  /** The payment under our reference; absent where the search knows none (decision 0022 says what that is worth). */
  async #find(paymentId: string, expected: ExpectedPayment): Promise<LookupAnswer> {
    const query = new URLSearchParams({ external_reference: paymentId });
    const heard = await this.#client.get(`/v1/payments/search?${query}`);
    if (heard.kind !== 'ok') return isNoAnswer(heard) ? heard : UNEXPECTED;
    const page = searchSchema.safeParse(heard.body).data;
    if (page === undefined) return UNEXPECTED;
    const found = page.results.filter((payment) => payment.external_reference === paymentId);
    if (page.paging.total > page.results.length || found.length > FOUND_MAX) return unknown('several_charges');
    const standings = await Promise.all(found.map(({ id }) => this.#client.standing(id, expected)));
    return decisive(standings) ?? { kind: 'absent' };
  }

  /** The refund that was heard of by this id: one that is not there is a riddle, and no absence. */
  async #refundAs(id: string, chargeId: string, request: Required<ExpectedPayment>): Promise<LookupAnswer> {
    const heard = await this.#client.get(`${pathOf(chargeId)}/refunds/${encodeURIComponent(id)}`);
    if (heard.kind === 'absent') return unknown('charge_not_found');
    if (heard.kind !== 'ok') return isNoAnswer(heard) ? heard : UNEXPECTED;
    const refund = refundSchema.safeParse(heard.body).data;
    if (refund === undefined) return UNEXPECTED;
    const isOurs = refund.id === id && isSameAmount(refund.amount, request.amountMinor, request.currency);
    return isOurs ? refundStanding(refund) : unknown('answer_mismatch');
  }

  /**
   * A refund carries no reference of ours. A refund of the whole amount is known by its amount; of a part, only that there
   * is none can be known (docs/decisions/0022-mercado-pago.md).
   */
  async #refundOf(chargeId: string, request: Required<ExpectedPayment>): Promise<LookupAnswer & RefundAnswer> {
    const heard = await this.#client.get(`${pathOf(chargeId)}/refunds`);
    if (heard.kind !== 'ok') return isNoAnswer(heard) ? heard : UNEXPECTED;
    const refunds = refundsSchema.safeParse(heard.body).data;
    if (refunds === undefined) return UNEXPECTED;
    const { amountMinor, currency } = request;
    const [same] = refunds.filter(
      ({ amount, status }) =>
        isSameAmount(amount, amountMinor, currency) && !['rejected', 'cancelled'].includes(status),
    );
    if (same === undefined) return { kind: 'absent' };
    const charge = await this.#client.get(pathOf(chargeId));
    const payment = charge.kind === 'ok' ? paymentOf(charge.body) : null;
    const isWhole = payment !== null && isSameAmount(payment.transaction_amount, amountMinor, currency);
    return isWhole ? refundStanding(same) : unknown('refund_not_told_apart');
  }

  /** Captures or cancels, and reads the result off the payment: from the answer, or, where that failed, by asking. */
  async #settle<Answer>(
    request: ChargeRequest,
    body: object,
    read: (standing: LookupAnswer) => Answer | null,
  ): Promise<Answer | Unsettled> {
    const charge = await this.#chargeOf(request, request);
    if (charge.kind !== 'found') return charge;
    const heard = await this.#client.send('PUT', pathOf(charge.id), request.key, body);
    if (heard.kind === 'ok') {
      const standing = paymentStanding(heard.body, request);
      return (standing && read(standing)) ?? UNEXPECTED;
    }
    const mayHaveSettled =
      heard.kind === 'refused' || (heard.kind === 'unknown' && /^(http|cause)_/.test(heard.reason));
    if (!mayHaveSettled) return heard;
    const standing = await this.#client.standing(charge.id, request);
    const settled = read(standing);
    if (settled !== null) return settled;
    return heard.kind === 'refused' && isNoAnswer(standing) ? standing : heard;
  }

  /** The payment that a call is about: as heard, or found. */
  async #chargeOf(request: ChargeRequest | LookupRequest, expected: ExpectedPayment): Promise<Charge> {
    if (request.chargeReference !== undefined) return { kind: 'found', id: request.chargeReference };
    const answer = await this.#find(request.paymentId, expected);
    if (answer.kind === 'absent' || isNoAnswer(answer)) return answer;
    return answer.reference === undefined ? UNEXPECTED : { kind: 'found', id: answer.reference };
  }
}

type Unsettled = Extract<ProviderAnswer, { kind: 'refused' | 'absent' }> | NoAnswer;
type Charge = { readonly kind: 'found'; readonly id: string } | { readonly kind: 'absent' } | NoAnswer;

const UNEXPECTED = unknown('answer_unexpected');

/** `visa:<card token>`: Mercado Pago must be told the brand, and a payment of ours has only a token. */
function cardOf(token: string): { payment_method_id: string; token: string } | null {
  const [, brand, card] = /^([a-z][a-z0-9_]{1,31}):([A-Za-z0-9-]{8,64})$/.exec(token) ?? [];
  return brand === undefined || card === undefined ? null : { payment_method_id: brand, token: card };
}
