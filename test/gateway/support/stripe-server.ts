/**
 * Stripe, as far as the adapter meets it: requests checked against Stripe's published schemas, answers made from its
 * published fixtures, and its idempotency (https://docs.stripe.com/api/idempotent_requests): the same key and parameters
 * give the stored answer, errors and 500s included; other parameters are an error; nothing is stored of a request that was
 * not valid, or had no key. Never kinder than Stripe: its search lags until it is told to catch up.
 */
import type Stripe from 'stripe';
import { PAYMENT_INTENT, REFUND } from '../fixtures/stripe/objects.ts';
import schemas from '../fixtures/stripe/requests.json';
import { checkForm, type FormSchema, type FormTree, readForm } from './form-schema.ts';
import type { Account, Answer, Incoming } from './provider-server.ts';

type Intent = Stripe.PaymentIntent & { latest_charge: string | null };
type Route = readonly [pattern: RegExp, schema: keyof typeof schemas.requests];

const ROUTES: readonly Route[] = [
  [/^\/v1\/payment_intents$/, 'POST /v1/payment_intents'],
  [/^\/v1\/payment_intents\/([^/]+)\/capture$/, 'POST /v1/payment_intents/{intent}/capture'],
  [/^\/v1\/payment_intents\/([^/]+)\/cancel$/, 'POST /v1/payment_intents/{intent}/cancel'],
  [/^\/v1\/refunds$/, 'POST /v1/refunds'],
];

/** Stripe's test cards that the tests use (https://docs.stripe.com/testing#declined-payments). */
const DECLINES: Readonly<Record<string, { code: string; decline_code?: string }>> = {
  pm_card_visa_chargeDeclined: { code: 'card_declined', decline_code: 'generic_decline' },
  pm_card_visa_chargeDeclinedInsufficientFunds: { code: 'card_declined', decline_code: 'insufficient_funds' },
  pm_card_chargeDeclinedExpiredCard: { code: 'expired_card' },
  pm_card_chargeDeclinedIncorrectCvc: { code: 'incorrect_cvc' },
  pm_card_authenticationRequired: { code: 'authentication_required', decline_code: 'authentication_required' },
};

const error = (status: number, type: string, code: string, more: object = {}): Answer => ({
  status,
  body: { error: { type, code, message: 'Your card 4242 4242 4242 4242 was declined.', ...more } },
});
const invalid = (code: string, more: object = {}) => error(400, 'invalid_request_error', code, more);
const missing = () => error(404, 'invalid_request_error', 'resource_missing');
const ok = (body: unknown): Answer => ({ status: 200, body });
const textOf = (value: string | FormTree | undefined): string => (typeof value === 'string' ? value : '');
const mapOf = (value: string | FormTree | undefined): Record<string, string> =>
  typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, textOf(item)])) : {};

export class StripeAccount implements Account {
  readonly warnings: string[] = [];
  readonly #intents = new Map<string, Intent>();
  readonly #refunds: Stripe.Refund[] = [];
  readonly #refunded = new Map<string, number>();
  readonly #keys = new Map<string, { request: string; answer: Answer }>();
  #isSearchBehind = true;
  #isListBlind = false;
  #createdSeconds: number | null = null;

  set(option: string, value: unknown): void {
    if (option === 'searchBehind') this.#isSearchBehind = value === true;
    // As with an account that has had a hundred payments since.
    if (option === 'listBlind') this.#isListBlind = value === true;
    if (option === 'forgetKeys') this.#keys.clear();
    if (option === 'settle') this.#settle(String(value));
    // The customer's bank sends back what was given.
    if (option === 'failRefunds') for (const refund of this.#refunds) refund.status = 'failed';
    if (option === 'createdSeconds') this.#createdSeconds = Number(value);
    // Payments that other software of the account has made: newer than what is there.
    if (option === 'others')
      for (let made = 0; made < Number(value); made++) this.#create({ amount: '1', currency: 'usd' });
    // What happens at Stripe's own desk, past this API.
    if (option === 'edit') this.#edit(value as Partial<Intent> & { id: string });
  }

  books(): unknown {
    return { intents: [...this.#intents.values()], refunds: this.#refunds };
  }

  handle(incoming: Incoming): Answer {
    if (incoming.headers['stripe-version'] === undefined) this.warnings.push('stripe-version: is missing');
    return incoming.method === 'GET' ? this.#read(incoming) : this.#write(incoming);
  }

  answered({ method, path, headers, text }: Incoming, answer: Answer): void {
    const key = headers['idempotency-key'];
    if (method !== 'POST' || typeof key !== 'string' || ![400, 402, 500].includes(answer.status)) return;
    const request = `${method} ${path} ${text}`;
    if ((this.#keys.get(key)?.request ?? request) === request) this.#keys.set(key, { request, answer });
  }

  #write({ method, path, headers, text }: Incoming): Answer {
    const route = ROUTES.find(([pattern]) => pattern.test(path));
    if (route === undefined) return error(404, 'invalid_request_error', 'url_invalid');
    if (headers['content-type'] !== 'application/x-www-form-urlencoded') return invalid('parameter_missing');
    const params = readForm(text);
    const check = checkForm(params, schemas.requests[route[1]] as FormSchema);
    this.warnings.push(...check.warnings);
    if (check.errors.length > 0) return invalid('parameter_missing', { message: check.errors.join('; ') });
    const key = headers['idempotency-key'];
    if (typeof key !== 'string') {
      // What makes something new is made twice without a key: ours never comes without.
      return path.endsWith('/capture') || path.endsWith('/cancel')
        ? this.#execute(route, path, params)
        : invalid('idempotency_key_missing_here');
    }
    const request = `${method} ${path} ${text}`;
    const known = this.#keys.get(key);
    if (known !== undefined) {
      if (known.request !== request) return error(400, 'idempotency_error', 'idempotency_key_in_use');
      return { ...known.answer, headers: { 'Idempotent-Replayed': 'true' } };
    }
    const answer = this.#execute(route, path, params);
    this.#keys.set(key, { request, answer: structuredClone(answer) });
    return answer;
  }

  #execute([pattern, name]: Route, path: string, params: FormTree): Answer {
    if (name === 'POST /v1/payment_intents') return this.#create(params);
    if (name === 'POST /v1/refunds') return this.#refund(params);
    const intent = this.#intents.get(pattern.exec(path)?.[1] ?? '');
    if (intent === undefined) return missing();
    const isAllowed = name.endsWith('capture')
      ? intent.status === 'requires_capture'
      : ['requires_payment_method', 'requires_capture', 'requires_action'].includes(intent.status);
    if (!isAllowed) return invalid('payment_intent_unexpected_state', { payment_intent: intent });
    const change: Partial<Intent> = name.endsWith('capture')
      ? { status: 'succeeded', amount_received: intent.amount, latest_charge: `ch_${intent.id}` }
      : { status: 'canceled', amount_capturable: 0 };
    return ok(this.#put({ ...intent, ...change }));
  }

  #create(params: FormTree): Answer {
    const id = `pi_${crypto.randomUUID().replaceAll('-', '')}`;
    const token = textOf(params.payment_method);
    const intent: Intent = {
      ...PAYMENT_INTENT,
      id,
      created: this.#nowSeconds(),
      amount: Number(textOf(params.amount)),
      currency: textOf(params.currency),
      capture_method: textOf(params.capture_method) as Intent['capture_method'],
      metadata: mapOf(params.metadata),
      payment_method: token === '' ? null : token,
      latest_charge: null,
    };
    if (textOf(params.confirm) !== 'true') return ok(this.#put(intent));
    if (token === 'pm_card_unknown') return invalid('resource_missing', { param: 'payment_method' });
    const decline = DECLINES[token];
    if (decline !== undefined) {
      const failure = { type: 'card_error', ...decline } as Stripe.PaymentIntent.LastPaymentError;
      const failed = this.#put({ ...intent, last_payment_error: failure });
      return error(402, 'card_error', decline.code, { ...decline, payment_intent: failed });
    }
    const status = token === 'pm_card_processing' ? 'processing' : 'requires_capture';
    return ok(this.#put({ ...intent, status, amount_capturable: intent.amount }));
  }

  #refund(params: FormTree): Answer {
    const intent = this.#intents.get(textOf(params.payment_intent));
    if (intent === undefined) return missing();
    if (intent.status !== 'succeeded') return invalid('charge_not_captured_here');
    const amount = Number(textOf(params.amount));
    const already = this.#refunded.get(intent.id) ?? 0;
    if (already >= intent.amount) return invalid('charge_already_refunded');
    if (already + amount > intent.amount) return invalid('amount_too_large');
    this.#refunded.set(intent.id, already + amount);
    const refund: Stripe.Refund = {
      ...REFUND,
      id: `re_${crypto.randomUUID().replaceAll('-', '')}`,
      amount,
      created: this.#nowSeconds(),
      currency: intent.currency,
      payment_intent: intent.id,
      metadata: mapOf(params.metadata),
      status: intent.payment_method === 'pm_card_pendingRefund' ? 'pending' : 'succeeded',
    };
    this.#refunds.unshift(refund);
    return ok(refund);
  }

  #read({ path, query }: Incoming): Answer {
    if (path === '/v1/payment_intents/search') {
      const wanted = /^metadata\['payment_id'\]:'(.+)'$/.exec(query.get('query') ?? '')?.[1];
      if (wanted === undefined) return invalid('parameter_invalid_string');
      const all = this.#isSearchBehind ? [] : [...this.#intents.values()];
      return ok(
        page(
          'search_result',
          all.filter(({ metadata }) => metadata.payment_id === wanted),
          query,
        ),
      );
    }
    if (path === '/v1/payment_intents') {
      const isExpanded = query.getAll('expand[]').includes('data.latest_charge');
      const all = [...this.#intents.values()].reverse().map((intent) => (isExpanded ? this.#expanded(intent) : intent));
      return ok(page('list', this.#isListBlind && !query.has('created[gte]') ? [] : all, query));
    }
    if (path === '/v1/refunds') {
      const wanted = query.get('payment_intent');
      const refunds = this.#refunds.filter((refund) => wanted === null || refund.payment_intent === wanted);
      return ok(page('list', refunds, query));
    }
    const intent = this.#intents.get(/^\/v1\/payment_intents\/([^/]+)$/.exec(path)?.[1] ?? '');
    if (intent === undefined) return missing();
    return ok(query.getAll('expand[]').includes('latest_charge') ? this.#expanded(intent) : intent);
  }

  #expanded(intent: Intent): object {
    if (intent.latest_charge === null) return intent;
    const charge = { id: intent.latest_charge, object: 'charge', amount_refunded: this.#refunded.get(intent.id) ?? 0 };
    return { ...intent, latest_charge: charge };
  }

  #nowSeconds(): number {
    return this.#createdSeconds ?? Math.floor(Date.now() / 1_000);
  }

  #edit({ id, ...change }: Partial<Intent> & { id: string }): void {
    const intent = this.#intents.get(id);
    if (intent !== undefined) this.#put({ ...intent, ...change });
  }

  #put(intent: Intent): Intent {
    this.#intents.set(intent.id, intent);
    return intent;
  }

  /** What a bank decides later: every PaymentIntent that is processing is authorized. */
  #settle(status: string): void {
    for (const intent of this.#intents.values()) {
      if (intent.status === 'processing') this.#put({ ...intent, status: status as Intent['status'] });
    }
  }
}

function page(object: string, all: readonly object[], query: URLSearchParams): unknown {
  const limit = Math.min(Number(query.get('limit') ?? 10), 100);
  const { from, to, last } = {
    from: Number(query.get('created[gte]') ?? 0),
    to: Number(query.get('created[lt]') ?? Number.POSITIVE_INFINITY),
    last: Number(query.get('created[lte]') ?? Number.POSITIVE_INFINITY),
  };
  const created = (item: object) => ('created' in item ? Number(item.created) : 0);
  const within = all.filter((item) => created(item) >= from && created(item) < to && created(item) <= last);
  const after = query.get('starting_after');
  const begin = after === null ? 0 : within.findIndex((item) => 'id' in item && item.id === after) + 1;
  return { object, url: '/v1', has_more: within.length > begin + limit, data: within.slice(begin, begin + limit) };
}
