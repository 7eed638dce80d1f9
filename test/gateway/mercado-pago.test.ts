/** The Mercado Pago adapter over real HTTP, against a server that checks every request (support/mercado-pago-server.ts). */
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import type { AuthorizeRequest, ChargeRequest, LookupRequest } from '../../src/gateway/provider.ts';
import { MercadoPagoAdapter } from '../../src/gateway/providers/mercado-pago.ts';
import { newPaymentId } from './commands.ts';
import { RemoteAccount } from './support/provider-remote.ts';
import { edge } from './support/replies.ts';

interface Books {
  readonly payments: { id: number; status: string; transaction_amount: number; external_reference: string }[];
  readonly refunds: { amount: number }[];
}

let account: RemoteAccount;
let provider: MercadoPagoAdapter;
let charge: ChargeRequest;

beforeEach(() => {
  account = new RemoteAccount(inject('mercadoPagoUrl'));
  provider = adapter();
  const paymentId = newPaymentId();
  charge = {
    paymentId,
    key: `${paymentId}.a.mercado-pago`,
    effectId: `orchestrator.gateway.authorize.${paymentId}.3`,
    chargeKey: `${paymentId}.a.mercado-pago`,
    amountMinor: 1_230,
    currency: 'BRL',
  };
});

afterEach(async () => {
  // Every request of every test was one that the reference allows.
  expect((await account.read()).warnings).toEqual([]);
});

function adapter(more: object = {}): MercadoPagoAdapter {
  const access = { accessToken: account.apiKey, webhookSecret: 'w', currency: 'BRL', baseUrl: account.url };
  return new MercadoPagoAdapter({ ...access, timeoutMs: 30_000, ...more });
}

/** A card token that has not been used; the server's verdict goes by its first word. */
const token = (verdict: string): string => `visa:${verdict}-${crypto.randomUUID().slice(0, 23)}`;

function authorization(more: Partial<AuthorizeRequest> = {}): AuthorizeRequest {
  const request = { ...charge, merchant: 'default', serviceId: 'svc-1', customerId: '1-abc' } as const;
  return { ...request, method: 'credit_card', token: token('apro'), ...more };
}

/** A later call about the charge: another key, and the reference where it was heard. */
function about(letter: 'c' | 'v' | 'r', chargeReference?: string): ChargeRequest {
  const key = `${charge.paymentId}.${letter}.mercado-pago`;
  return { ...charge, key, ...(chargeReference !== undefined && { chargeReference }) };
}

function question(more: Partial<LookupRequest> = {}): LookupRequest {
  const { key: _key, ...rest } = charge;
  return { ...rest, ...more };
}

async function approved(more: Partial<AuthorizeRequest> = {}): Promise<string> {
  const answer = await provider.authorize(authorization(more));
  if (answer.kind !== 'approved') throw new Error(`not approved: ${JSON.stringify(answer)}`);
  return answer.reference;
}

const books = async (): Promise<Books> => (await account.read<Books>()).books;

describe('an authorization', () => {
  it('reserves a decimal amount under our key and our reference', async () => {
    const request = authorization({ reference: 'order 7' });
    const answer = await provider.authorize(request);
    expect(answer).toMatchObject({ kind: 'approved', captured: false });
    const { calls } = await account.read();
    expect(calls).toHaveLength(1);
    expect(calls[0]).toMatchObject({ method: 'POST', path: '/v1/payments', key: charge.key });
    expect(calls[0]?.body).toContain('"transaction_amount":12.3,');
    expect(JSON.parse(calls[0]?.body ?? '')).toEqual({
      transaction_amount: 12.3,
      payment_method_id: 'visa',
      token: request.token?.slice('visa:'.length),
      installments: 1,
      capture: false,
      payer: { type: 'customer', id: '1-abc' },
      external_reference: charge.paymentId,
      description: 'order 7',
      metadata: {
        effect_id: charge.effectId,
        merchant: 'default',
        service_id: 'svc-1',
        capture: 'later',
        amount_minor: 1_230,
        currency: 'BRL',
      },
    });
  });

  it('of a debit card is captured at once: there is no reserve on those', async () => {
    expect(await provider.authorize(authorization({ method: 'debit_card' }))).toMatchObject({
      kind: 'approved',
      captured: true,
    });
  });

  it('of a credit card that cannot be reserved is declined at once, and charges nothing', async () => {
    const request = authorization({ token: token('sale') });
    expect(await provider.authorize(request)).toEqual({ kind: 'refused', code: 'card_not_supported' });
    expect((await books()).payments).toEqual([]);
  });

  it.each([
    ['fund', 'insufficient_funds'],
    ['secu', 'incorrect_cvc'],
    ['call', 'call_issuer'],
    ['othe', 'generic_decline'],
  ])('of a card that is rejected inside HTTP 201 (%s) is declined: %s', async (verdict, declineCode) => {
    const answer = await provider.authorize(authorization({ token: token(verdict) }));
    expect(answer).toMatchObject({ kind: 'declined', declineCode });
  });

  it('that is looked at by hand is pending', async () => {
    expect(await provider.authorize(authorization({ token: token('cont') }))).toMatchObject({ kind: 'pending' });
  });

  it.each([
    ['of a wallet\u2019s sale', { method: 'balance' }, 'method_not_supported'],
    ['in another currency than the account\u2019s', { currency: 'ARS' }, 'currency_not_supported'],
    ['of another provider\u2019s token', { token: 'pm_card_visa' }, 'invalid_token'],
    ['of a card number', { token: '4242424242424242' }, 'invalid_token'],
    ['of an amount that no JSON number holds', { amountMinor: 8_999_999_999_999_999 }, 'invalid_amount'],
  ] as const)('%s is never sent', async (_what, more, code) => {
    expect(provider.unfit(authorization(more))).toBe(code);
    expect(await provider.authorize(authorization(more))).toEqual({ kind: 'refused', code });
    expect((await account.read()).calls).toEqual([]);
  });

  it('with no customer, or no token, is never sent', async () => {
    const { customerId: _customer, ...nobody } = authorization();
    expect(await provider.authorize(nobody)).toEqual({ kind: 'refused', code: 'customer_missing' });
    const { token: _token, ...nothing } = authorization();
    expect(await provider.authorize(nothing)).toEqual({ kind: 'refused', code: 'token_missing' });
    expect((await account.read()).calls).toEqual([]);
  });

  it('that is sent again charges once, whether the key or the spent token is looked at first', async () => {
    const request = authorization();
    const first = await provider.authorize(request);
    expect(await provider.authorize(request)).toEqual(first);
    await account.set('tokenBeforeKey', true);
    expect(await provider.authorize(request)).toEqual(first);
    expect((await books()).payments).toHaveLength(1);
  });

  it.each([
    ['a hung server', { do: 'hang' }, 'timeout'],
    ['a connection cut after the charge', { do: 'cut', after: true }, 'connection_cut'],
    ['a 500 after the charge', { do: 'answer', after: true, answer: { status: 500, body: {} } }, 'http_500'],
    ['half an answer', { do: 'garbage', after: true }, 'answer_unreadable'],
    // The edge had sent it on a connection that was then closed, tried again, and tells of that: decision 0090.
    ['the edge\u2019s 521 after the charge', { do: 'answer', after: true, answer: edge(521) }, 'http_521'],
  ] as const)('that meets %s is unknown, and charges once when it is sent again', async (_what, fault, reason) => {
    await account.fail('POST /v1/payments', fault);
    const request = authorization();
    const first = fault.do === 'hang' ? adapter({ timeoutMs: 500 }) : provider;
    expect(await first.authorize(request)).toEqual({ kind: 'unknown', reason });
    expect(await provider.authorize(request)).toMatchObject({ kind: 'approved' });
    expect((await books()).payments).toHaveLength(1);
  });

  it('that meets a redirect is unknown, and is not followed: the credentials go nowhere else', async () => {
    const headers = { Location: `${account.url}/v1/payments` };
    await account.fail('POST', { do: 'answer', answer: { status: 307, body: {}, headers } });
    expect(await provider.authorize(authorization())).toEqual({ kind: 'unknown', reason: 'http_307' });
    expect((await books()).payments).toEqual([]);
  });

  it('of an account in another currency than it was told is found out, and is nobody\u2019s yes', async () => {
    await account.set('currency', 'ARS');
    expect(await provider.authorize(authorization())).toEqual({ kind: 'unknown', reason: 'answer_mismatch' });
  });

  it('in a currency without decimals sends none', async () => {
    await account.set('currency', 'CLP');
    charge = { ...charge, currency: 'CLP' };
    const chile = adapter({ currency: 'CLP' });
    expect(await chile.authorize(authorization())).toMatchObject({ kind: 'approved' });
    expect((await account.read()).calls[0]?.body).toContain('"transaction_amount":1230,');
  });
});

describe('what follows an authorization', () => {
  it('a capture takes the money, a void gives it up, once', async () => {
    const captured = await approved();
    for (let sent = 0; sent < 2; sent++) {
      expect(await provider.capture(about('c', captured))).toEqual({ kind: 'captured', reference: captured });
    }
    charge = { ...charge, paymentId: newPaymentId(), key: 'pay_2.a.mercado-pago' };
    const voided = await approved();
    for (let sent = 0; sent < 2; sent++) {
      expect(await provider.void(about('v', voided))).toEqual({ kind: 'voided', reference: voided });
    }
    expect((await books()).payments.map(({ status }) => status)).toEqual(['approved', 'cancelled']);
  });

  it('is read off the payment where the key was forgotten', async () => {
    const reference = await approved();
    await provider.capture(about('c', reference));
    await account.set('forgetKeys', true);
    expect(await provider.capture(about('c', reference))).toEqual({ kind: 'captured', reference });
    expect(await provider.void(about('v', reference))).toEqual({ kind: 'refused', code: 'charge_captured', reference });
  });

  it('a void with no reference undoes what is found, or finds nothing to undo', async () => {
    await account.fail('POST /v1/payments', { do: 'cut', after: true });
    await provider.authorize(authorization());
    expect(await provider.void(about('v'))).toMatchObject({ kind: 'voided' });
    charge = { ...charge, paymentId: newPaymentId() };
    expect(await provider.void(about('v'))).toEqual({ kind: 'absent' });
  });
});

describe('a refund', () => {
  let reference: string;
  const part = (refundId: string, amountMinor: number) => ({
    ...about('r', reference),
    key: `${refundId}.r.mercado-pago`,
    amountMinor,
  });
  const ask = (amountMinor: number) =>
    provider.lookup(question({ chargeReference: reference, refundKey: 'ref_1.r.mercado-pago', amountMinor }));

  beforeEach(async () => {
    reference = await approved();
    await provider.capture(about('c', reference));
  });

  it('gives back decimals, once for each key, and no more than there is', async () => {
    const first = await provider.refund(part('ref_1', 230));
    expect(first).toMatchObject({ kind: 'refunded' });
    expect(await provider.refund(part('ref_1', 230))).toEqual(first);
    expect(await provider.refund(part('ref_2', 1_001))).toEqual({ kind: 'refused', code: 'charge_state' });
    expect((await books()).refunds.map(({ amount }) => amount)).toEqual([2.3]);
  });

  it('of the whole is known by its amount when its answer was lost, or its key forgotten', async () => {
    await account.fail(`POST /v1/payments/${reference}/refunds`, { do: 'cut', after: true });
    expect(await provider.refund(part('ref_1', 1_230))).toMatchObject({ kind: 'unknown' });
    expect(await ask(1_230)).toMatchObject({ kind: 'refunded' });
    await account.set('forgetKeys', true);
    expect(await provider.refund(part('ref_1', 1_230))).toMatchObject({ kind: 'refunded' });
    expect((await books()).refunds).toHaveLength(1);
    expect(await provider.lookup(question({ chargeReference: reference }))).toEqual({ kind: 'refunded', reference });
  });

  it('of a part is absent while there is none of that amount, and else unknown: it carries no reference', async () => {
    expect(await ask(230)).toEqual({ kind: 'absent' });
    await provider.refund(part('ref_2', 230));
    expect(await ask(230)).toEqual({ kind: 'unknown', reason: 'refund_not_told_apart' });
    expect(await ask(231)).toEqual({ kind: 'absent' });
  });

  it.each([
    ['approved', { kind: 'refunded' }],
    ['rejected', { kind: 'refused', code: 'refund_rejected' }],
    ['canceled', { kind: 'refused', code: 'refund_cancelled' }],
    ['in_process', { kind: 'pending' }],
  ] as const)(
    'of a part that was in process is known by its own id, among others of its amount: %s',
    async (status, end) => {
      await provider.refund(part('ref_2', 230));
      await account.set('refundStatus', 'in_process');
      const pending = await provider.refund(part('ref_1', 230));
      const refundReference = pending.kind === 'pending' ? pending.reference : undefined;
      if (refundReference === undefined) throw new Error(`not pending: ${JSON.stringify(pending)}`);
      await account.set('endRefunds', status);
      const asked = {
        chargeReference: reference,
        refundKey: 'ref_1.r.mercado-pago',
        amountMinor: 230,
        refundReference,
      };
      expect(await provider.lookup(question(asked))).toEqual({ ...end, reference: refundReference });
    },
  );

  it('of a part finds its charge when the reference was never heard', async () => {
    const { chargeReference: _reference, ...unheard } = part('ref_1', 30);
    expect(await provider.refund(unheard)).toMatchObject({ kind: 'refunded' });
  });
});

describe('a look-up', () => {
  it('finds by our reference what was charged and never heard of', async () => {
    await account.fail('POST /v1/payments', { do: 'cut', after: true });
    await provider.authorize(authorization());
    expect(await provider.lookup(question())).toMatchObject({ kind: 'approved', captured: false });
  });

  it('of what never arrived is absent', async () => {
    await account.fail('POST /v1/payments', { do: 'cut' });
    await provider.authorize(authorization());
    expect(await provider.lookup(question())).toEqual({ kind: 'absent' });
  });
});
