/** Providers' books as statements, over real HTTP: page by page, every line once, and no line silently left out. */
import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, inject, it } from 'vitest';
import type { StatementLine } from '../../src/domain/reconciliation/books.ts';
import type { AuthorizeRequest, ChargeRequest, Provider, StatementAnswer } from '../../src/gateway/provider.ts';
import { MercadoPagoAdapter } from '../../src/gateway/providers/mercado-pago.ts';
import { fromDecimal, toDecimal } from '../../src/gateway/providers/mercado-pago-protocol.ts';
import { SandboxAdapter } from '../../src/gateway/providers/sandbox.ts';
import { StripeAdapter } from '../../src/gateway/providers/stripe.ts';
import { fromStripeAmount, toStripeAmount } from '../../src/gateway/providers/stripe-protocol.ts';
import { newPaymentId } from './commands.ts';
import { REFUND } from './fixtures/stripe/objects.ts';
import { RemoteAccount } from './support/provider-remote.ts';

const WINDOW = { fromMs: Date.UTC(2026, 0, 1), toMs: Date.UTC(2100, 0, 1) };
const PAGES_MAX = 100;

/** Every page, to the end; or the answer that was none. */
async function statement(provider: Provider, window = WINDOW): Promise<StatementLine[] | StatementAnswer> {
  const lines: StatementLine[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const answer: StatementAnswer = await provider.statement({ ...window, cursor });
    if (answer.kind !== 'page') return answer;
    lines.push(...answer.lines);
    if (answer.next === null) return lines;
    cursor = answer.next;
  }
  throw new Error('a statement without end');
}

const linesOf = async (provider: Provider, window = WINDOW): Promise<StatementLine[]> => {
  const lines = await statement(provider, window);
  if (!Array.isArray(lines)) throw new Error(JSON.stringify(lines));
  return lines;
};

function authorization(name: string, more: Partial<AuthorizeRequest> = {}): AuthorizeRequest {
  const paymentId = more.paymentId ?? newPaymentId();
  return {
    paymentId,
    key: `${paymentId}.a.${name}`,
    effectId: `orchestrator.gateway.authorize.${paymentId}.3`,
    amountMinor: 1_230,
    currency: 'USD',
    method: 'credit_card',
    merchant: 'default',
    serviceId: 'svc-1',
    ...more,
  };
}

const about = (charge: AuthorizeRequest, key: string, chargeReference: string, amountMinor = 1_230): ChargeRequest => ({
  ...charge,
  key,
  chargeKey: charge.key,
  chargeReference,
  amountMinor,
});

async function approved(provider: Provider, charge: AuthorizeRequest): Promise<string> {
  const answer = await provider.authorize(charge);
  if (answer.kind !== 'approved') throw new Error(JSON.stringify(answer));
  return answer.reference;
}

const newRefundId = () => newPaymentId().replace('pay_', 'ref_');
const by = (lines: readonly StatementLine[], { paymentId }: { paymentId: string }) =>
  lines.filter((line) => line.paymentId === paymentId);

describe("Stripe's books", () => {
  let account: RemoteAccount;
  let stripe: StripeAdapter;
  const charge = (more: Partial<AuthorizeRequest> = {}) => authorization('stripe', { token: 'pm_card_visa', ...more });

  beforeEach(() => {
    account = new RemoteAccount(inject('stripeUrl'));
    stripe = new StripeAdapter({
      secretKey: account.apiKey,
      webhookSecret: 'w',
      baseUrl: account.url,
      timeoutMs: 30_000,
    });
  });

  it('have each charge as it stands, and each refund under the key that it was asked for with', async () => {
    const [held, taken, undone, declined] = [
      charge(),
      charge(),
      charge(),
      charge({ token: 'pm_card_visa_chargeDeclined' }),
    ];
    const ids = [await approved(stripe, held), await approved(stripe, taken), await approved(stripe, undone)];
    await stripe.authorize(declined);
    await stripe.capture(about(taken, 'c', ids[1] ?? ''));
    await stripe.void(about(undone, 'v', ids[2] ?? ''));
    const refundId = newRefundId();
    await stripe.refund(about(taken, `${refundId}.r.stripe`, ids[1] ?? '', 230));
    const lines = await linesOf(stripe);
    expect(by(lines, held)).toMatchObject([
      {
        kind: 'charge',
        provider: 'stripe',
        reference: ids[0],
        amountMinor: 1_230,
        currency: 'USD',
        state: 'authorized',
      },
    ]);
    expect(by(lines, undone)).toMatchObject([{ state: 'voided' }]);
    expect(by(lines, declined)).toMatchObject([{ state: 'declined' }]);
    expect(by(lines, taken)).toMatchObject([
      { kind: 'charge', state: 'captured', refundedMinor: 230 },
      {
        kind: 'refund',
        chargeReference: ids[1],
        entityId: refundId,
        amountMinor: 230,
        currency: 'USD',
        state: 'refunded',
      },
    ]);
    expect(lines).toHaveLength(5);
    expect((await account.read()).warnings).toEqual([]);
  });

  it('have a refund of somebody else\u2019s, which may have no metadata and no status yet', async () => {
    const data = [
      { ...REFUND, status: null, metadata: null },
      { ...REFUND, id: 're_2', metadata: null },
    ];
    await account.fail('GET /v1/refunds', {
      do: 'answer',
      answer: { status: 200, body: { object: 'list', has_more: false, data } },
    });
    expect(await linesOf(stripe)).toMatchObject([
      { kind: 'refund', reference: REFUND.id, paymentId: null, entityId: null, state: 'pending' },
      { kind: 'refund', reference: 're_2', paymentId: null, entityId: null, state: 'refunded' },
    ]);
  });

  it('come in pages, every line once', async () => {
    const charges = Array.from({ length: 60 }, () => charge());
    await Promise.all(charges.map((each) => approved(stripe, each)));
    const lines = await linesOf(stripe);
    expect(lines.map(({ paymentId }) => paymentId).sort()).toEqual(charges.map(({ paymentId }) => paymentId).sort());
    const { calls } = await account.read();
    expect(calls.filter(({ method, path }) => method === 'GET' && path.startsWith('/v1/payment_intents'))).toHaveLength(
      3,
    );
  });

  it('are read for their span of time only', async () => {
    await account.set('createdSeconds', Math.floor(WINDOW.fromMs / 1_000) - 1);
    await approved(stripe, charge());
    await account.set('createdSeconds', Math.floor(WINDOW.fromMs / 1_000));
    const within = charge();
    await approved(stripe, within);
    expect((await linesOf(stripe)).map(({ paymentId }) => paymentId)).toEqual([within.paymentId]);
  });

  it('tell what was really taken, and a charge that is none of ours', async () => {
    const taken = charge();
    const id = await approved(stripe, taken);
    await stripe.capture(about(taken, 'c', id));
    await account.set('edit', { id, amount_received: 1_000 });
    const foreign = charge();
    await account.set('edit', { id: await approved(stripe, foreign), metadata: { payment_id: 'order 66' } });
    expect((await linesOf(stripe)).map(({ paymentId, amountMinor }) => [paymentId, amountMinor])).toEqual(
      expect.arrayContaining([
        [taken.paymentId, 1_000],
        [null, 1_230],
      ]),
    );
  });

  it('with a line that cannot be read are unknown, never shorter', async () => {
    const id = await approved(stripe, charge());
    await account.set('edit', { id, status: 'a_status_of_next_year' });
    expect(await statement(stripe)).toEqual({ kind: 'unknown', reason: 'line_unreadable' });
  });

  it.each([
    [{ do: 'cut' }, { kind: 'unknown', reason: 'connection_cut' }],
    [{ do: 'answer', answer: { status: 429, body: {} } }, { kind: 'throttled' }],
    [{ do: 'answer', answer: { status: 401, body: {} } }, { kind: 'misconfigured' }],
    [{ do: 'answer', answer: { status: 200, body: { object: 'list' } } }, { kind: 'unknown' }],
  ] as const)('that do not answer (%j) are no empty page', async (fault, answer) => {
    await account.fail('GET /v1/payment_intents', fault);
    expect(await statement(stripe)).toMatchObject(answer);
  });

  it('count in minor units again what was sent in others', () => {
    for (const [amountMinor, currency] of [
      [1_230, 'USD'],
      [500, 'ISK'],
      [500, 'CLP'],
      [1_230, 'KWD'],
      [12_300, 'MGA'],
    ] as const) {
      expect(fromStripeAmount(toStripeAmount(amountMinor, currency) ?? 0, currency)).toBe(amountMinor);
    }
    expect(fromStripeAmount(150, 'ISK')).toBeNull();
    expect(fromStripeAmount(100, 'ZZZ')).toBeNull();
  });
});

describe("Mercado Pago's books", () => {
  let account: RemoteAccount;
  let mercadoPago: MercadoPagoAdapter;
  const charge = (verdict = 'apro', more: Partial<AuthorizeRequest> = {}) =>
    authorization('mercado-pago', {
      token: `visa:${verdict}-${crypto.randomUUID()}`,
      currency: 'BRL',
      customerId: 'customer-1',
      ...more,
    });

  beforeEach(() => {
    account = new RemoteAccount(inject('mercadoPagoUrl'));
    mercadoPago = new MercadoPagoAdapter({
      accessToken: account.apiKey,
      webhookSecret: 'w',
      currency: 'BRL',
      baseUrl: account.url,
      timeoutMs: 30_000,
    });
  });

  it('have each payment as it stands, with the sum of its refunds', async () => {
    const [held, taken, declined] = [charge(), charge(), charge('fund')];
    await approved(mercadoPago, held);
    const id = await approved(mercadoPago, taken);
    await mercadoPago.authorize(declined);
    await mercadoPago.capture(about(taken, 'c', id));
    await mercadoPago.refund(about(taken, 'r', id, 230));
    const lines = await linesOf(mercadoPago);
    expect(by(lines, held)).toMatchObject([
      { state: 'authorized', amountMinor: 1_230, currency: 'BRL', refundedMinor: 0 },
    ]);
    expect(by(lines, taken)).toMatchObject([{ kind: 'charge', reference: id, state: 'captured', refundedMinor: 230 }]);
    expect(by(lines, declined)).toMatchObject([{ state: 'declined' }]);
    expect(lines).toHaveLength(3);
  });

  it('come in pages, every line once, however deep', async () => {
    const charges: AuthorizeRequest[] = [];
    for (let batch = 0; batch < 25; batch += 1) {
      await account.set('createdAt', new Date(WINDOW.fromMs + batch).toISOString());
      const made = Array.from({ length: 40 }, () => charge());
      await Promise.all(made.map((each) => approved(mercadoPago, each)));
      charges.push(...made);
    }
    // Where the search is begun anew at a later time, that time's lines come again.
    const seen = new Set((await linesOf(mercadoPago)).map(({ paymentId }) => paymentId));
    expect([...seen].sort()).toEqual(charges.map(({ paymentId }) => paymentId).sort());
  });

  it('with a line that cannot be read are unknown, never shorter', async () => {
    const id = Number(await approved(mercadoPago, charge()));
    await account.set('edit', { id, transaction_amount_refunded: 0.001 });
    expect(await statement(mercadoPago)).toEqual({ kind: 'unknown', reason: 'line_unreadable' });
    await account.set('edit', { id, transaction_amount_refunded: 0, status: 'a_status_of_next_year' });
    expect(await statement(mercadoPago)).toEqual({ kind: 'unknown', reason: 'line_unreadable' });
  });

  it('tell an amount that is none of ours, and a payment that was charged back', async () => {
    const odd = charge();
    await account.set('edit', {
      id: Number(await approved(mercadoPago, odd)),
      transaction_amount: 12.345,
      status: 'charged_back',
    });
    expect(await linesOf(mercadoPago)).toMatchObject([{ amountMinor: null, state: 'charged_back' }]);
  });

  it('that do not answer are no empty page', async () => {
    await account.fail('GET /v1/payments/search', { do: 'cut' });
    expect(await statement(mercadoPago)).toEqual({ kind: 'unknown', reason: 'connection_cut' });
  });

  it('count in minor units again what was sent as decimals', () => {
    for (const [amountMinor, currency] of [
      [1_230, 'BRL'],
      [5, 'BRL'],
      [500, 'CLP'],
      [1_234, 'KWD'],
      [999_999_999_999_999, 'BRL'],
    ] as const) {
      expect(fromDecimal(toDecimal(amountMinor, currency) ?? 0, currency)).toBe(amountMinor);
    }
    expect([fromDecimal(1.5, 'CLP'), fromDecimal(1e21, 'BRL'), fromDecimal(1, 'ZZZ'), fromDecimal(-1, 'BRL')]).toEqual([
      null,
      null,
      null,
      null,
    ]);
  });
});

describe("a sandbox provider's books", () => {
  it('come in pages, without the charges that were only turned away', async () => {
    const acme = new SandboxAdapter('acme', () => env.SANDBOX_PROVIDER.getByName('acme'));
    const charges = Array.from({ length: 520 }, () => authorization('acme', { token: 'pm_card_visa' }));
    for (let at = 0; at < charges.length; at += 40) {
      await Promise.all(charges.slice(at, at + 40).map((each) => approved(acme, each)));
    }
    await acme.authorize(authorization('acme', { token: 'pm_sim_unavailable' }));
    const [first] = charges;
    if (first === undefined) throw new Error('no charges');
    const id = `ch_${first.key}`;
    await acme.capture(about(first, 'c', id));
    const refundId = newRefundId();
    await acme.refund(about(first, `${refundId}.r.acme`, id, 230));
    const lines = await linesOf(acme);
    expect(lines).toHaveLength(521);
    // Which comes first depends on the key: a refund may be on an earlier page than its charge.
    const ofFirst = Map.groupBy(by(lines, first), ({ kind }) => kind);
    expect(ofFirst.get('charge')).toMatchObject([{ reference: id, state: 'captured', refundedMinor: 230 }]);
    expect(ofFirst.get('refund')).toMatchObject([
      { chargeReference: id, entityId: refundId, amountMinor: 230, currency: null, state: 'refunded' },
    ]);
    expect(await linesOf(acme, { fromMs: 0, toMs: WINDOW.fromMs })).toEqual([]);
  });

  it('that cannot be reached are no empty page', async () => {
    const away = { fetch: async () => new Response(), books: () => Promise.reject(new Error('reset')) };
    expect(await statement(new SandboxAdapter('acme', () => away))).toEqual({
      kind: 'unknown',
      reason: 'Error: reset',
    });
  });
});
