/**
 * Adapter to Stripe: PaymentIntents with manual capture, over `fetch` (docs/decisions/0021-stripe-by-fetch.md). It makes the
 * calls; what their answers mean is `stripe-mapping.ts`. It must never send an amount in our units where Stripe counts
 * in others, and never take an empty search for an absence: how it knows one is decision 0023.
 */
import { InvariantError } from '../../domain/errors.ts';
import { unnumbered } from '../../domain/saga/effects.ts';
import { PUT_RIGHT_WITHIN_MS } from '../limits.ts';
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
  Span,
  StatementAnswer,
  StatementRequest,
  VoidAnswer,
} from '../provider.ts';
import { checkSignature } from '../signature.ts';
import { captureOf, decisive, isNoAnswer, unknown, voidOf } from './standing.ts';
import { readStripeEvent } from './stripe-callbacks.ts';
import { PAGE_SIZE, type StripeAccess, StripeClient, unread } from './stripe-client.ts';
import { findIntents } from './stripe-find.ts';
import {
  authorizeAnswer,
  type Expected,
  intentOf,
  intentStanding,
  isReplayed,
  refundOf,
  refundStanding,
  refusal,
  said,
} from './stripe-mapping.ts';
import { STRIPE_SIGNATURE_HEADER, toStripeAmount } from './stripe-protocol.ts';
import { stripeStatement } from './stripe-statement.ts';

/** There is one PaymentIntent per payment; with more finds than this something is wrong, and a person's turn. */
const FOUND_MAX = 5;

export interface StripeOptions extends StripeAccess {
  readonly webhookSecret: string;
}

export class StripeAdapter implements Provider {
  readonly name = 'stripe';
  readonly capabilities: ProviderCapabilities = { statement: 'charges_and_refunds' };
  readonly #client: StripeClient;
  readonly #webhookSecret: string;
  readonly #options: StripeOptions;

  constructor(options: StripeOptions) {
    const { webhookSecret, ...access } = options;
    this.#client = new StripeClient(access);
    this.#webhookSecret = webhookSecret;
    this.#options = options;
  }

  traced(traceparent: string): StripeAdapter {
    return new StripeAdapter({ ...this.#options, traceparent });
  }

  /** Why Stripe cannot be asked this at all, or null: for whoever routes. Nothing is sent to find out. */
  unfit({ method, token, amountMinor, currency }: AuthorizeRequest): string | null {
    if (method === 'balance') return 'method_not_supported';
    if (token === undefined) return 'token_missing';
    if (!/^(pm|card|src)_/.test(token)) return 'invalid_token';
    return toStripeAmount(amountMinor, currency) === null ? 'invalid_amount' : null;
  }

  async authorize(request: AuthorizeRequest): Promise<AuthorizeAnswer> {
    const unfit = this.unfit(request);
    if (unfit !== null) return { kind: 'refused', code: unfit };
    const expected = expectedOf(request);
    const result = await this.#client.post('/v1/payment_intents', request.key, {
      ...expected,
      capture_method: 'manual',
      confirm: true,
      // Nobody is there to pass a check of the bank's: it then declines at once, with `authentication_required`.
      off_session: true,
      payment_method: request.token ?? '',
      payment_method_types: ['card'],
      ...(request.customerId?.startsWith('cus_') === true && { customer: request.customerId }),
      ...(request.reference !== undefined && { description: request.reference }),
      metadata: {
        payment_id: request.paymentId,
        effect_id: unnumbered(request.effectId),
        merchant: request.merchant,
        service_id: request.serviceId,
        amount: String(expected.amount),
        currency: expected.currency,
      },
    });
    return authorizeAnswer(result, expected);
  }

  async capture(request: ChargeRequest): Promise<CaptureAnswer> {
    return await this.#settle(request, 'capture', captureOf);
  }

  async void(request: ChargeRequest): Promise<VoidAnswer> {
    return await this.#settle(request, 'cancel', voidOf);
  }

  async refund(request: ChargeRequest): Promise<RefundAnswer> {
    // A part of an ariary, say: a payment of whole ones was made, and this part of it cannot be given back.
    const amount = toStripeAmount(request.amountMinor, request.currency);
    if (amount === null) return { kind: 'refused', code: 'invalid_amount' };
    const charge = await this.#chargeOf(request, { currency: currencyOf(request) });
    if (charge.kind !== 'found') return charge;
    const result = await this.#client.post('/v1/refunds', request.key, {
      payment_intent: charge.id,
      amount,
      // No effect id: the refund that undoes a payment may be asked for by more than one effect, under one key.
      metadata: { payment_id: request.paymentId, refund_key: request.key },
    });
    const heard = said(result);
    if (heard.kind === 'ok') {
      const refund = refundOf(heard.body);
      if (refund === null) return UNEXPECTED;
      const standing = refundStanding(refund);
      if (!isReplayed(result)) return standing;
      // Said again under its key, it is as it was then: one that was given may have failed since.
      const now = await this.#refundUnder(charge.id, request.key);
      return now.kind === 'absent' ? standing : now;
    }
    if (heard.kind !== 'error' && heard.kind !== 'unknown') return heard;
    // Refused, or unclear: "already refunded" can be our own refund, from when this key was sent before.
    const ours = await this.#refundUnder(charge.id, request.key);
    if (ours.kind !== 'absent') return ours.kind === 'unknown' && heard.kind === 'unknown' ? heard : ours;
    return heard.kind === 'error' ? (refusal(heard.error) ?? unread(heard)) : heard;
  }

  async lookup(request: LookupRequest): Promise<LookupAnswer> {
    const { chargeReference } = request;
    if (request.refundKey !== undefined) {
      const charge = await this.#chargeOf(request, { currency: currencyOf(request) });
      return charge.kind === 'found' ? await this.#refundUnder(charge.id, request.refundKey) : charge;
    }
    const expected = expectedOf(request);
    return chargeReference === undefined
      ? await this.#lookUpByKey(request, expected)
      : await this.#client.standing(chargeReference, expected);
  }

  async statement(request: StatementRequest): Promise<StatementAnswer> {
    return await stripeStatement(this.#client, request);
  }

  async parseCallback(callback: RawCallback, nowMs: number): Promise<CallbackResult> {
    const header = callback.headers.get(STRIPE_SIGNATURE_HEADER);
    const check = await checkSignature(header, callback.body, this.#webhookSecret, nowMs);
    return check === 'valid' ? readStripeEvent(callback.body) : { kind: 'rejected', reason: check };
  }

  /**
   * What became of the charge whose reference was never heard (docs/decisions/0023-stripe-look-up.md): claim its key with a
   * body that can charge nobody. If the claim stands, no charge was made under the key and none can be any more; if the key was
   * taken, a first request has ended, in a charge, a decline or an error. What there is, is looked for. A claim that stands with nothing
   * found is an absence. Where the key was taken, none of ours in the whole list of the time in which it can have been made is one, an hour
   * later: what a request had set going before it failed may still come.
   */
  async #lookUpByKey(request: Omit<LookupRequest, 'refundKey'>, expected: Expected): Promise<LookupAnswer> {
    const claim = await this.#client.post('/v1/payment_intents', request.chargeKey, {
      // Of whatever is asked about, a refund too: nobody is charged it.
      amount: toStripeAmount(request.amountMinor, request.currency) ?? request.amountMinor,
      currency: currencyOf(request),
      capture_method: 'manual',
      payment_method_types: ['card'],
      description: 'Claim of an idempotency key; never confirmed.',
      metadata: { claim_of: request.paymentId },
    });
    const heard = said(claim);
    const stands = heard.kind === 'ok';
    if (stands && intentOf(heard.body)?.metadata.claim_of !== request.paymentId) return UNEXPECTED;
    const isTaken = heard.kind === 'unknown' && heard.reason === 'idempotency_key_reused';
    // Or it had an error that was stored, and is said again: the key is the claim's, and charges nobody either.
    const isOurs = stands || isReplayed(claim);
    const unheard = heard.kind === 'error' ? unread(heard) : heard.kind === 'ok' ? null : heard;
    if (!isOurs && !isTaken && unheard !== null) return unheard;
    const { ids, isWhole, unanswered } = await findIntents(this.#client, request);
    if (ids.length > FOUND_MAX) return unknown('several_charges');
    const found = decisive(await Promise.all(ids.map((id) => this.#client.standing(id, expected))));
    if (found !== null) return found;
    if (isWhole && (isOurs || isPutRight(request.madeWithin))) return { kind: 'absent' };
    if (unanswered !== null) return unanswered;
    return isTaken ? unknown('charge_not_found_yet') : (unheard ?? { kind: 'absent' });
  }

  async #refundUnder(chargeId: string, refundKey: string): Promise<LookupAnswer & RefundAnswer> {
    const page = await this.#client.page('/v1/refunds', { payment_intent: chargeId });
    if (!Array.isArray(page)) return page;
    const refunds = page.map(refundOf);
    const ours = refunds.find((refund) => refund?.metadata.refund_key === refundKey);
    if (ours != null) return refundStanding(ours);
    // One that cannot be read may be ours: no absence.
    if (refunds.includes(null)) return UNEXPECTED;
    return page.length < PAGE_SIZE ? { kind: 'absent' } : unknown('too_many_refunds');
  }

  /**
   * Captures or cancels, and reads the result off the PaymentIntent: from the answer, or, where Stripe refused or failed, by asking
   * how it stands. Without an idempotency key (decision 0021): under one, a 500 or a refusal is said again for a day, whatever has
   * become of the charge. What it asks for is a change of state that a PaymentIntent makes once, and whole: sent twice, the second
   * meets `payment_intent_unexpected_state`, and the standing says what the first came to.
   */
  async #settle<Answer>(
    request: ChargeRequest,
    action: 'capture' | 'cancel',
    read: (standing: LookupAnswer) => Answer | null,
  ): Promise<Answer | Unsettled> {
    const expected = expectedOf(request);
    const charge = await this.#chargeOf(request, expected);
    if (charge.kind !== 'found') return charge;
    const path = `/v1/payment_intents/${encodeURIComponent(charge.id)}/${action}`;
    const heard = said(await this.#client.post(path, null));
    if (heard.kind === 'ok') {
      const intent = intentOf(heard.body);
      const standing = intent && intentStanding(intent, expected);
      return (standing && read(standing)) ?? UNEXPECTED;
    }
    if (heard.kind === 'error' && heard.status === 404 && heard.error.code === 'resource_missing') {
      return { kind: 'absent' };
    }
    const mayHaveSettled = heard.kind === 'error' || (heard.kind === 'unknown' && heard.reason.startsWith('http_5'));
    if (!mayHaveSettled) return heard;
    const standing = await this.#client.standing(charge.id, expected);
    const settled = read(standing);
    if (settled !== null) return settled;
    if (heard.kind === 'unknown') return heard;
    if (isNoAnswer(standing)) return standing;
    // Refused in a state that it has left meanwhile: asked again, it would not be.
    const isOutdated = standing.kind === 'approved' && heard.error.code === 'payment_intent_unexpected_state';
    return (isOutdated ? null : refusal(heard.error)) ?? unread(heard);
  }

  /** The PaymentIntent that a call is about: as heard, or looked up. */
  async #chargeOf(request: ChargeRequest | LookupRequest, expected: Expected): Promise<Charge> {
    if (request.chargeReference !== undefined) return { kind: 'found', id: request.chargeReference };
    const answer = await this.#lookUpByKey(request, expected);
    if (answer.kind === 'absent' || isNoAnswer(answer)) return answer;
    return answer.reference === undefined ? UNEXPECTED : { kind: 'found', id: answer.reference };
  }
}

type Unsettled = Extract<ProviderAnswer, { kind: 'refused' | 'absent' }> | NoAnswer;
type Charge = { readonly kind: 'found'; readonly id: string } | { readonly kind: 'absent' } | NoAnswer;

const UNEXPECTED = unknown('answer_unexpected');

/** @throws InvariantError for a charge that Stripe cannot express: none was ever made (`unfit`). */
function expectedOf(request: Pick<ChargeRequest, 'amountMinor' | 'currency'>): Required<Expected> {
  const { amountMinor, currency } = request;
  const amount = toStripeAmount(amountMinor, currency);
  if (amount === null) throw new InvariantError('provider_amount_expressible', { amount_minor: amountMinor, currency });
  return { amount, currency: currencyOf(request) };
}

/** Whether what a failed request had set going has come by now. */
function isPutRight(madeWithin: Span | undefined): boolean {
  return madeWithin !== undefined && Date.now() > madeWithin.toMs + PUT_RIGHT_WITHIN_MS;
}

function currencyOf({ currency }: Pick<ChargeRequest, 'currency'>): string {
  return currency.toLowerCase();
}
