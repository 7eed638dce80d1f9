/**
 * The Stripe adapter over real HTTP, against a server that checks every request by Stripe's published schemas, answers
 * with its published fixtures and keeps its idempotency (support/stripe-server.ts).
 */
import type Stripe from 'stripe';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { LOOKUP_PAGES_MAX } from '../../src/gateway/limits.ts';
import type { AuthorizeRequest, ChargeRequest, LookupRequest } from '../../src/gateway/provider.ts';
import { StripeAdapter } from '../../src/gateway/providers/stripe.ts';
import { STRIPE_API_VERSION } from '../../src/gateway/providers/stripe-protocol.ts';
import { newPaymentId } from './commands.ts';
import { RemoteAccount } from './support/provider-remote.ts';
import type { WireFault } from './support/provider-server.ts';
import { edge } from './support/replies.ts';

interface Books {
  readonly intents: Stripe.PaymentIntent[];
  readonly refunds: Stripe.Refund[];
}

let account: RemoteAccount;
let stripe: StripeAdapter;
let charge: ChargeRequest;

beforeEach(() => {
  account = new RemoteAccount(inject('stripeUrl'));
  stripe = adapter();
  const paymentId = newPaymentId();
  charge = {
    paymentId,
    key: `${paymentId}.a.stripe`,
    effectId: `orchestrator.gateway.authorize.${paymentId}.3`,
    chargeKey: `${paymentId}.a.stripe`,
    amountMinor: 1_230,
    currency: 'USD',
  };
});

afterEach(async () => {
  // Every request of every test was one that Stripe's own schema takes, with no parameter that it does not know.
  expect((await account.read()).warnings).toEqual([]);
});

function adapter(more: object = {}): StripeAdapter {
  return new StripeAdapter({
    secretKey: account.apiKey,
    webhookSecret: 'w',
    baseUrl: account.url,
    timeoutMs: 30_000,
    ...more,
  });
}

function authorization(more: Partial<AuthorizeRequest> = {}): AuthorizeRequest {
  return { ...charge, method: 'credit_card', merchant: 'default', serviceId: 'svc-1', token: 'pm_card_visa', ...more };
}

/** A later call about the charge: another key, and the reference where it was heard. */
function about(letter: 'c' | 'v' | 'r', chargeReference?: string): ChargeRequest {
  return {
    ...charge,
    key: `${charge.paymentId}.${letter}.stripe`,
    ...(chargeReference !== undefined && { chargeReference }),
  };
}

function question(more: Partial<LookupRequest> = {}): LookupRequest {
  const { key: _key, ...rest } = charge;
  return { ...rest, ...more };
}

async function approved(more: Partial<AuthorizeRequest> = {}): Promise<string> {
  const answer = await stripe.authorize(authorization(more));
  if (answer.kind !== 'approved') throw new Error(`not approved: ${JSON.stringify(answer)}`);
  return answer.reference;
}

const books = async (): Promise<Books> => (await account.read<Books>()).books;
const charged = async () =>
  (await books()).intents.filter(({ status }) => status === 'requires_capture' || status === 'succeeded');

describe('an authorization', () => {
  it('asks for the version of the API that its types are of', () => {
    // Does not compile once they differ.
    const version: Stripe.LatestApiVersion = STRIPE_API_VERSION;
    expect(version).toMatch(/^20\d\d-/);
  });

  it('is one PaymentIntent, confirmed, off session, to be captured by hand, under our key', async () => {
    const reference = await approved({ reference: 'order 7 ä&=', customerId: 'cus_123' });
    const { calls } = await account.read();
    expect(calls).toHaveLength(1);
    expect(calls[0]).toMatchObject({ method: 'POST', path: '/v1/payment_intents', key: charge.key });
    expect(Object.fromEntries(new URLSearchParams(calls[0]?.body))).toEqual({
      amount: '1230',
      currency: 'usd',
      capture_method: 'manual',
      confirm: 'true',
      off_session: 'true',
      payment_method: 'pm_card_visa',
      'payment_method_types[0]': 'card',
      customer: 'cus_123',
      description: 'order 7 ä&=',
      'metadata[payment_id]': charge.paymentId,
      'metadata[effect_id]': `orchestrator.gateway.authorize.${charge.paymentId}`,
      'metadata[merchant]': 'default',
      'metadata[service_id]': 'svc-1',
      'metadata[amount]': '1230',
      'metadata[currency]': 'usd',
    });
    expect(await charged()).toMatchObject([{ id: reference, amount: 1_230, status: 'requires_capture' }]);
  });

  it('leaves our own customer ids to ourselves', async () => {
    await approved({ customerId: 'cus-1' });
    expect((await account.read()).calls[0]?.body).not.toContain('customer=');
  });

  it.each([
    ['pm_card_visa_chargeDeclined', 'generic_decline'],
    ['pm_card_visa_chargeDeclinedInsufficientFunds', 'insufficient_funds'],
    ['pm_card_chargeDeclinedExpiredCard', 'expired_card'],
    ['pm_card_chargeDeclinedIncorrectCvc', 'incorrect_cvc'],
    ['pm_card_authenticationRequired', 'authentication_required'],
  ])('of %s is declined: %s', async (token, declineCode) => {
    expect(await stripe.authorize(authorization({ token }))).toEqual({
      kind: 'declined',
      declineCode,
      reference: expect.stringMatching(/^pi_/),
    });
    expect(await charged()).toEqual([]);
  });

  it('of a token that Stripe does not know is refused', async () => {
    expect(await stripe.authorize(authorization({ token: 'pm_card_unknown' }))).toEqual({
      kind: 'refused',
      code: 'invalid_token',
    });
  });

  it.each([
    ['of a wallet\u2019s sale', { method: 'balance' }, 'method_not_supported'],
    ['of another provider\u2019s token', { token: 'visa:0123456789abcdef' }, 'invalid_token'],
    ['of a card number', { token: '4242424242424242' }, 'invalid_token'],
    ['of a third decimal', { amountMinor: 1_235, currency: 'KWD' }, 'invalid_amount'],
  ] as const)('%s is never sent', async (_what, more, code) => {
    expect(stripe.unfit(authorization(more))).toBe(code);
    expect(await stripe.authorize(authorization(more))).toEqual({ kind: 'refused', code });
    expect((await account.read()).calls).toEqual([]);
  });

  it('of a card with no token is never sent', async () => {
    const { token: _token, ...request } = authorization();
    expect(await stripe.authorize(request)).toEqual({ kind: 'refused', code: 'token_missing' });
    expect((await account.read()).calls).toEqual([]);
  });

  it('that is sent any number of times charges once, and has one answer', async () => {
    const first = await stripe.authorize(authorization());
    expect(await stripe.authorize(authorization())).toEqual(first);
    expect(await charged()).toHaveLength(1);
  });

  it('is the same request in every round: what is stored under its key is said again, and no alert', async () => {
    const answer = { status: 400, body: { error: { type: 'invalid_request_error', code: 'testmode_charges_only' } } };
    await account.fail('POST /v1/payment_intents', { do: 'answer', answer });
    for (const round of [1, 3, 12]) {
      const effectId = `orchestrator.gateway.authorize.${charge.paymentId}.${round}`;
      const told = await stripe.authorize(authorization({ effectId }));
      expect(told).toEqual({ kind: 'misconfigured', reason: 'testmode_charges_only' });
    }
  });

  it('with another body under the same key is unknown: what the first one did still stands', async () => {
    await approved();
    expect(await stripe.authorize(authorization({ effectId: 'orchestrator.gateway.authorize.x.9' }))).toEqual({
      kind: 'unknown',
      reason: 'idempotency_key_reused',
    });
    expect(await charged()).toHaveLength(1);
  });
});

describe('an answer that does not come', () => {
  const answered = (status: number): WireFault => ({
    do: 'answer',
    after: true,
    answer: { status, body: { error: { type: 'api_error' } } },
  });

  it.each([
    ['a hung server', { do: 'hang' }, 'timeout'],
    ['a connection cut before', { do: 'cut' }, 'connection_cut'],
    ['a connection cut after', { do: 'cut', after: true }, 'connection_cut'],
    ['a 503 after the charge', answered(503), 'http_503'],
    ['half an answer', { do: 'garbage', after: true }, 'answer_unreadable'],
    // The edge had sent it on a connection that was then closed, tried again, and tells of that: decision 0090.
    ['the edge\u2019s 521 after the charge', { do: 'answer', after: true, answer: edge(521) }, 'http_521'],
    ['the edge\u2019s 530 after the charge', { do: 'answer', after: true, answer: edge(530, 1016) }, 'http_530'],
  ] as const)('%s: is unknown, and the same request again charges once', async (_what, fault, reason) => {
    await account.fail('POST /v1/payment_intents', fault);
    const first = fault.do === 'hang' ? adapter({ timeoutMs: 500 }) : stripe;
    expect(await first.authorize(authorization())).toEqual({ kind: 'unknown', reason });
    expect(await stripe.authorize(authorization())).toMatchObject({ kind: 'approved', captured: false });
    expect(await charged()).toHaveLength(1);
  });

  it('a 500 after the charge: is unknown however often it is sent, charges once, and the look-up finds it', async () => {
    await account.fail('POST /v1/payment_intents', answered(500));
    for (let sent = 0; sent < 2; sent++) {
      expect(await stripe.authorize(authorization())).toEqual({ kind: 'unknown', reason: 'http_500' });
    }
    expect(await stripe.lookup(question())).toMatchObject({ kind: 'approved', captured: false });
    expect(await charged()).toHaveLength(1);
  });

  it('a limiter\u2019s 429: is throttled, and nothing was charged', async () => {
    const answer = { status: 429, body: { error: { type: 'invalid_request_error', code: 'rate_limit' } } };
    await account.fail('POST', { do: 'answer', answer: { ...answer, headers: { 'Retry-After': '3' } } });
    expect(await stripe.authorize(authorization())).toEqual({ kind: 'throttled', retryAfterMs: 3_000 });
    expect((await books()).intents).toEqual([]);
  });

  it('a redirect: is unknown, and is not followed: the credentials go nowhere else', async () => {
    const headers = { Location: `${account.url}/v1/payment_intents` };
    await account.fail('POST', { do: 'answer', answer: { status: 307, body: {}, headers } });
    expect(await stripe.authorize(authorization())).toEqual({ kind: 'unknown', reason: 'http_307' });
    expect((await books()).intents).toEqual([]);
  });

  it('a port where nobody listens: is unknown, since the runtime does not tell it from a connection that broke', async () => {
    const answer = await adapter({ baseUrl: 'http://127.0.0.1:1' }).authorize(authorization());
    expect(answer).toEqual({ kind: 'unknown', reason: 'connection_cut' });
  });
});

describe('what follows an authorization', () => {
  it('a capture takes the money, once', async () => {
    const reference = await approved();
    const captured = { kind: 'captured', reference };
    expect(await stripe.capture(about('c', reference))).toEqual(captured);
    expect(await stripe.capture(about('c', reference))).toEqual(captured);
    expect(await charged()).toMatchObject([{ status: 'succeeded', amount_received: 1_230 }]);
  });

  it('a void cancels, once', async () => {
    const reference = await approved();
    const voided = { kind: 'voided', reference };
    expect(await stripe.void(about('v', reference))).toEqual(voided);
    expect(await stripe.void(about('v', reference))).toEqual(voided);
    expect(await charged()).toEqual([]);
  });

  it('a capture whose key Stripe has forgotten is read off the charge', async () => {
    const reference = await approved();
    await stripe.capture(about('c', reference));
    await account.set('forgetKeys', true);
    expect(await stripe.capture(about('c', reference))).toEqual({ kind: 'captured', reference });
  });

  it('a capture of what was voided, and a void of what was captured, are refused', async () => {
    const voided = await approved();
    await stripe.void(about('v', voided));
    expect(await stripe.capture(about('c', voided))).toEqual({
      kind: 'refused',
      code: 'charge_voided',
      reference: voided,
    });
    const captured = await approved({ paymentId: 'pay_2', key: 'pay_2.a.stripe' });
    await stripe.capture({ ...about('c', captured), key: 'pay_2.c.stripe' });
    expect(await stripe.void({ ...about('v', captured), key: 'pay_2.v.stripe' })).toEqual({
      kind: 'refused',
      code: 'charge_captured',
      reference: captured,
    });
  });

  it.each(['capture', 'void'] as const)(
    'a %s whose answer was a 500 is settled by asking how the charge stands',
    async (operation) => {
      const reference = await approved();
      const answer = { status: 500, body: { error: { type: 'api_error' } } };
      await account.fail(`POST /v1/payment_intents/${reference}`, { do: 'answer', after: true, answer });
      const told = await stripe[operation](about(operation === 'capture' ? 'c' : 'v', reference));
      expect(told).toEqual({ kind: operation === 'capture' ? 'captured' : 'voided', reference });
    },
  );

  it.each(['capture', 'void'] as const)(
    'a %s that a 500 came before is carried out when it is sent again: the 500 is not said again',
    async (operation) => {
      const reference = await approved();
      const answer = { status: 500, body: { error: { type: 'api_error' } } };
      await account.fail(`POST /v1/payment_intents/${reference}`, { do: 'answer', answer });
      const ask = () => stripe[operation](about(operation === 'capture' ? 'c' : 'v', reference));
      expect(await ask()).toEqual({ kind: 'unknown', reason: 'http_500' });
      const settled = { kind: operation === 'capture' ? 'captured' : 'voided', reference };
      expect(await ask()).toEqual(settled);
      expect(await ask()).toEqual(settled);
      expect(await charged()).toHaveLength(operation === 'capture' ? 1 : 0);
    },
  );

  it('a void that was refused while the bank had not decided is carried out once it has', async () => {
    const pending = await stripe.authorize(authorization({ token: 'pm_card_processing' }));
    if (pending.kind !== 'pending' || pending.reference === undefined) throw new Error(pending.kind);
    const { reference } = pending;
    expect(await stripe.void(about('v', reference))).toEqual({ kind: 'pending', reference });
    await account.set('settle', 'requires_capture');
    expect(await stripe.void(about('v', reference))).toEqual({ kind: 'voided', reference });
  });

  it('two captures at once take the money once, and a late one finds it taken', async () => {
    const reference = await approved();
    const captured = { kind: 'captured', reference };
    const ask = () => stripe.capture(about('c', reference));
    expect(await Promise.all([ask(), ask()])).toEqual([captured, captured]);
    expect(await ask()).toEqual(captured);
    expect(await charged()).toMatchObject([{ status: 'succeeded', amount_received: 1_230 }]);
  });

  it('a capture and a void of nothing that Stripe knows are absent', async () => {
    expect(await stripe.capture(about('c', 'pi_nothing'))).toEqual({ kind: 'absent' });
    expect(await stripe.void(about('v', 'pi_nothing'))).toEqual({ kind: 'absent' });
  });
});

describe('a refund', () => {
  const refundKey = (refundId: string) => `${refundId}.r.stripe`;
  let reference: string;

  const part = (refundId: string, amountMinor: number): ChargeRequest => ({
    ...about('r', reference),
    key: refundKey(refundId),
    amountMinor,
  });

  beforeEach(async () => {
    reference = await approved();
    await stripe.capture(about('c', reference));
  });

  it('gives back, once for each key', async () => {
    const first = await stripe.refund(part('ref_1', 230));
    expect(first).toMatchObject({ kind: 'refunded' });
    expect(await stripe.refund(part('ref_1', 230))).toEqual(first);
    expect(await stripe.refund(part('ref_2', 1_000))).toMatchObject({ kind: 'refunded' });
    expect((await books()).refunds.map(({ amount }) => amount)).toEqual([1_000, 230]);
  });

  it('above what is left is refused', async () => {
    await stripe.refund(part('ref_1', 1_000));
    expect(await stripe.refund(part('ref_2', 231))).toEqual({ kind: 'refused', code: 'amount_too_large' });
    await stripe.refund(part('ref_3', 230));
    expect(await stripe.refund(part('ref_4', 1))).toEqual({ kind: 'refused', code: 'charge_already_refunded' });
  });

  it('that was given and is asked for after its key was forgotten is not refused: it was given', async () => {
    const given = await stripe.refund(part('ref_1', 1_230));
    await account.set('forgetKeys', true);
    expect(await stripe.refund(part('ref_1', 1_230))).toEqual(given);
    expect((await books()).refunds).toHaveLength(1);
  });

  it('whose answer is lost is found by its key, and told from another of the same amount', async () => {
    await stripe.refund(part('ref_1', 500));
    await account.fail('POST /v1/refunds', { do: 'cut' });
    expect(await stripe.refund(part('ref_2', 500))).toMatchObject({ kind: 'unknown' });
    const ask = (refundId: string) =>
      stripe.lookup(question({ chargeReference: reference, refundKey: refundKey(refundId) }));
    expect(await ask('ref_1')).toMatchObject({ kind: 'refunded' });
    expect(await ask('ref_2')).toEqual({ kind: 'absent' });
    // The money went back and only the answer broke off: the adapter asks at once, and does not leave it to a look-up.
    await account.fail('POST /v1/refunds', { do: 'cut', after: true });
    expect(await stripe.refund(part('ref_2', 500))).toMatchObject({ kind: 'refunded' });
    expect(await ask('ref_2')).toMatchObject({ kind: 'refunded' });
  });

  it('that a 500 came before stays unknown under its key: Stripe may carry it out yet, so it has no other', async () => {
    await account.fail('POST /v1/refunds', {
      do: 'answer',
      answer: { status: 500, body: { error: { type: 'api_error' } } },
    });
    for (let sent = 0; sent < 2; sent++) {
      expect(await stripe.refund(part('ref_1', 230))).toEqual({ kind: 'unknown', reason: 'http_500' });
    }
    expect((await books()).refunds).toEqual([]);
    // A day later Stripe has forgotten the key, and the refund is given: once.
    await account.set('forgetKeys', true);
    expect(await stripe.refund(part('ref_1', 230))).toMatchObject({ kind: 'refunded' });
    expect((await books()).refunds).toHaveLength(1);
  });

  it('that was given and has failed since is no success, although its key is answered as it was then', async () => {
    const { reference: refundReference } = (await stripe.refund(part('ref_1', 1_230))) as { reference: string };
    await account.set('failRefunds', true);
    expect(await stripe.refund(part('ref_1', 1_230))).toEqual({
      kind: 'refused',
      code: 'refund_failed',
      reference: refundReference,
    });
    // Where it cannot be asked, nothing is known.
    await account.fail('GET /v1/refunds', { do: 'cut' });
    expect(await stripe.refund(part('ref_1', 1_230))).toMatchObject({ kind: 'unknown' });
  });

  it('of the whole amount makes a look-up of the charge say so', async () => {
    await stripe.refund(part('ref_1', 1_230));
    expect(await stripe.lookup(question({ chargeReference: reference }))).toEqual({ kind: 'refunded', reference });
  });
});

describe('a look-up with the reference', () => {
  it('says how the charge stands', async () => {
    const reference = await approved();
    const ask = () => stripe.lookup(question({ chargeReference: reference }));
    expect(await ask()).toEqual({ kind: 'approved', reference, captured: false });
    await stripe.capture(about('c', reference));
    expect(await ask()).toEqual({ kind: 'approved', reference, captured: true });
  });

  it('follows a charge that the bank decides later', async () => {
    const pending = await stripe.authorize(authorization({ token: 'pm_card_processing' }));
    if (pending.kind !== 'pending' || pending.reference === undefined) throw new Error(pending.kind);
    const ask = () => stripe.lookup(question({ chargeReference: pending.reference ?? '' }));
    expect(await ask()).toEqual(pending);
    await account.set('settle', 'requires_capture');
    expect(await ask()).toMatchObject({ kind: 'approved', captured: false });
  });
});

describe('a look-up without it', () => {
  it('finds a charge whose answer was lost, in the account\u2019s list, before the search has it', async () => {
    await account.fail('POST /v1/payment_intents', { do: 'cut', after: true });
    await stripe.authorize(authorization());
    expect(await stripe.lookup(question())).toMatchObject({ kind: 'approved', captured: false });
  });

  it('finds one that has left the newest of the list by the search, and until then it is unknown, never absent', async () => {
    await account.fail('POST /v1/payment_intents', { do: 'cut', after: true });
    await stripe.authorize(authorization());
    await account.set('listBlind', true);
    expect(await stripe.lookup(question())).toEqual({ kind: 'unknown', reason: 'charge_not_found_yet' });
    await account.set('searchBehind', false);
    expect(await stripe.lookup(question())).toMatchObject({ kind: 'approved', captured: false });
  });

  it('finds one among a hundred that other software of the account has filled with metadata', async () => {
    await account.fail('POST /v1/payment_intents', { do: 'cut', after: true });
    await stripe.authorize(authorization());
    const [ours] = (await books()).intents;
    const metadata = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`field_${n}`, 'x'.repeat(500)]));
    const data = [...Array.from({ length: 99 }, (_, n) => ({ ...ours, id: `pi_${n}`, metadata })), ours];
    const answer = { status: 200, body: { object: 'list', has_more: true, data } };
    await account.fail('GET /v1/payment_intents', { do: 'answer', answer });
    expect(await stripe.lookup(question())).toMatchObject({ kind: 'approved', reference: ours?.id });
  });

  it.each(['GET /v1/payment_intents', 'GET /v1/payment_intents/search'])(
    'finds one by the other way where %s cannot be asked',
    async (away) => {
      await account.fail('POST /v1/payment_intents', { do: 'cut', after: true });
      await stripe.authorize(authorization());
      await account.set('searchBehind', false);
      await account.fail(away, { do: 'answer', answer: { status: 500, body: {} } });
      expect(await stripe.lookup(question())).toMatchObject({ kind: 'approved', captured: false });
    },
  );

  it('finds a decline whose answer was lost', async () => {
    await account.fail('POST /v1/payment_intents', { do: 'cut', after: true });
    await stripe.authorize(authorization({ token: 'pm_card_visa_chargeDeclined' }));
    expect(await stripe.lookup(question())).toMatchObject({ kind: 'declined', declineCode: 'generic_decline' });
  });

  it('of a charge that never arrived is an absence that stays one: the late request can charge nobody', async () => {
    await account.fail('POST /v1/payment_intents', { do: 'cut' });
    await stripe.authorize(authorization());
    expect(await stripe.lookup(question())).toEqual({ kind: 'absent' });
    expect(await stripe.authorize(authorization())).toEqual({ kind: 'unknown', reason: 'idempotency_key_reused' });
    expect(await stripe.lookup(question())).toEqual({ kind: 'absent' });
    expect(await charged()).toEqual([]);
  });

  it('leaves one claim, never confirmed, however often it is asked', async () => {
    for (let asked = 0; asked < 3; asked++) await stripe.lookup(question());
    expect((await books()).intents).toMatchObject([
      { status: 'requires_payment_method', payment_method: null, metadata: { claim_of: charge.paymentId } },
    ]);
  });

  it('after Stripe has forgotten the key finds the charge by the search: a claim alone is no absence', async () => {
    await account.fail('POST /v1/payment_intents', { do: 'cut', after: true });
    await stripe.authorize(authorization());
    await account.set('forgetKeys', true);
    await account.set('listBlind', true);
    await account.set('searchBehind', false);
    expect(await stripe.lookup(question())).toMatchObject({ kind: 'approved', captured: false });
  });

  it('is unknown where the search cannot be asked', async () => {
    const answer = { status: 400, body: { error: { type: 'invalid_request_error', code: 'search_not_available' } } };
    await account.fail('GET /v1/payment_intents/search', { do: 'answer', answer });
    expect(await stripe.lookup(question())).toEqual({ kind: 'unknown', reason: 'search_not_available' });
  });

  describe('whose key was taken, once none can be made any more', () => {
    const NOW_SECONDS = Math.floor(Date.now() / 1_000);
    const madeWithin = { fromMs: (NOW_SECONDS - 4_000) * 1_000, toMs: (NOW_SECONDS - 3_820) * 1_000 };
    const failed = { do: 'answer', answer: { status: 500, body: { error: { type: 'api_error' } } } } as const;
    const ask = (more: Partial<LookupRequest> = {}) => stripe.lookup(question({ madeWithin, ...more }));

    beforeEach(async () => {
      await account.set('createdSeconds', NOW_SECONDS - 3_900);
    });

    it('is absent where the list of that time has nothing: the 500 that took the key came before any charge', async () => {
      await account.set('others', 120);
      await account.fail('POST /v1/payment_intents', failed);
      await stripe.authorize(authorization());
      expect(await ask()).toEqual({ kind: 'absent' });
      // It stays one: what is sent again is answered by what is stored.
      expect(await stripe.authorize(authorization())).toEqual({ kind: 'unknown', reason: 'http_500' });
      expect(await charged()).toEqual([]);
    });

    it('is unknown for an hour more: what the failed request had set going may still come', async () => {
      await account.fail('POST /v1/payment_intents', failed);
      await stripe.authorize(authorization());
      const open = { kind: 'unknown', reason: 'charge_not_found_yet' };
      expect(await ask({ madeWithin: { ...madeWithin, toMs: (NOW_SECONDS - 3_540) * 1_000 } })).toEqual(open);
      expect(await ask()).toEqual({ kind: 'absent' });
    });

    it('is unknown until then, and where nobody says when it can have been made', async () => {
      await account.fail('POST /v1/payment_intents', failed);
      await stripe.authorize(authorization());
      const open = { kind: 'unknown', reason: 'charge_not_found_yet' };
      expect(await ask({ madeWithin: { ...madeWithin, toMs: (NOW_SECONDS - 30) * 1_000 } })).toEqual(open);
      expect(await stripe.lookup(question())).toEqual(open);
    });

    it('is found on whichever page of that time it stands, though the newest hundred are all of others', async () => {
      await account.fail('POST /v1/payment_intents', { do: 'cut', after: true });
      await stripe.authorize(authorization());
      await account.set('others', 250);
      expect(await ask()).toMatchObject({ kind: 'approved', captured: false });
    });

    it('is unknown, never absent, where that time has more pages than are read', async () => {
      await account.fail('POST /v1/payment_intents', { do: 'cut', after: true });
      await stripe.authorize(authorization());
      await account.set('others', LOOKUP_PAGES_MAX * 100);
      expect(await ask()).toEqual({ kind: 'unknown', reason: 'charge_not_found_yet' });
      await account.set('searchBehind', false);
      expect(await ask()).toMatchObject({ kind: 'approved', captured: false });
    });

    it.each([
      [
        'an entry that cannot be read',
        { data: [{ object: 'payment_intent', id: 'pi_1', status: 'new' }], has_more: false },
      ],
      ['a page with nothing on it, and another', { data: [], has_more: true }],
    ])('is unknown after %s', async (_what, page) => {
      await account.fail('POST /v1/payment_intents', failed);
      await stripe.authorize(authorization());
      await account.fail('GET', { do: 'answer', answer: { status: 200, body: { object: 'list', ...page } } });
      expect(await ask()).toEqual({ kind: 'unknown', reason: 'charge_not_found_yet' });
    });

    it('is unknown where a page cannot be asked for', async () => {
      await account.fail('POST /v1/payment_intents', failed);
      await stripe.authorize(authorization());
      await account.fail('GET', failed);
      expect(await ask()).toEqual({ kind: 'unknown', reason: 'http_500' });
    });

    it('reads for a minute more at either end: two clocks are never the same', async () => {
      for (const apart of [-4_055, -3_765]) {
        await account.set('createdSeconds', NOW_SECONDS + apart);
        await account.fail('POST /v1/payment_intents', { do: 'cut', after: true });
        await stripe.authorize(authorization());
        expect(await ask()).toMatchObject({ kind: 'approved' });
        const paymentId = newPaymentId();
        charge = { ...charge, paymentId, key: `${paymentId}.a.stripe`, chargeKey: `${paymentId}.a.stripe` };
      }
    });

    it('is absent where it was a claim that got the 500: said again, the key is the claim\u2019s', async () => {
      await account.fail('POST /v1/payment_intents', failed);
      // The first may be of a request that is still running.
      const justOver = { madeWithin: { ...madeWithin, toMs: (NOW_SECONDS - 100) * 1_000 } };
      expect(await ask(justOver)).toEqual({ kind: 'unknown', reason: 'http_500' });
      expect(await ask(justOver)).toEqual({ kind: 'absent' });
      expect(await stripe.authorize(authorization())).toEqual({ kind: 'unknown', reason: 'idempotency_key_reused' });
    });

    it('is absent where the search cannot be asked: the whole list is enough', async () => {
      const answer = { status: 400, body: { error: { type: 'invalid_request_error', code: 'search_not_available' } } };
      await account.fail('GET /v1/payment_intents/search', { do: 'answer', answer });
      expect(await ask()).toEqual({ kind: 'absent' });
    });

    it('lets a void find that there is nothing to undo', async () => {
      await account.fail('POST /v1/payment_intents', failed);
      await stripe.authorize(authorization());
      expect(await stripe.void({ ...about('v'), madeWithin })).toEqual({ kind: 'absent' });
    });
  });

  it('is unknown while the first request is still running', async () => {
    const answer = { status: 409, body: { error: { type: 'idempotency_error', code: 'idempotency_key_in_use' } } };
    await account.fail('POST /v1/payment_intents', { do: 'answer', answer });
    expect(await stripe.lookup(question())).toEqual({ kind: 'unknown', reason: 'idempotency_key_in_use' });
  });

  it('lets a void undo what is found, and find that there is nothing to undo', async () => {
    await account.fail('POST /v1/payment_intents', { do: 'cut', after: true });
    await stripe.authorize(authorization());
    expect(await stripe.void(about('v'))).toMatchObject({ kind: 'voided' });
    expect(await charged()).toEqual([]);
    charge = { ...charge, paymentId: 'pay_none', chargeKey: 'pay_none.a.stripe' };
    expect(await stripe.void(about('v'))).toEqual({ kind: 'absent' });
  });

  it('lets a refund of a part find its charge', async () => {
    const reference = await approved();
    await stripe.capture(about('c', reference));
    expect(await stripe.refund({ ...about('r'), amountMinor: 30 })).toMatchObject({ kind: 'refunded' });
  });
});

describe('Stripe\u2019s amounts', () => {
  it.each([
    ['JPY', 1_230, 1_230],
    ['USD', 1_230, 1_230],
    ['KWD', 1_230, 1_230],
    ['ISK', 1_230, 123_000],
    ['UGX', 1_230, 123_000],
    ['MGA', 1_200, 12],
  ])('of %s: %i of ours are %i of theirs', async (currency, amountMinor, amount) => {
    charge = { ...charge, currency, amountMinor };
    const reference = await approved({ currency, amountMinor });
    await stripe.capture(about('c', reference));
    await stripe.refund(about('r', reference));
    const { intents, refunds } = await books();
    expect([intents[0]?.amount, refunds[0]?.amount]).toEqual([amount, amount]);
  });

  it.each([
    ['MGA', 1_200, 150],
    ['KWD', 1_230, 235],
  ])('cannot say a part of %s: nothing of it is given back, nor anything else', async (currency, amountMinor, part) => {
    charge = { ...charge, currency, amountMinor };
    const reference = await approved({ currency, amountMinor });
    await stripe.capture(about('c', reference));
    const refused = await stripe.refund({ ...about('r', reference), amountMinor: part });
    expect(refused).toEqual({ kind: 'refused', code: 'invalid_amount' });
    expect((await books()).refunds).toEqual([]);
  });
});
