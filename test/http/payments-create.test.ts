// POST /payments: every row of the decision table (docs/idempotency.md) as a client sees it.
import { evictDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import { fingerprint } from '../../src/domain/idempotency.ts';
import type { Scope } from '../../src/domain/ids.ts';
import type { PaymentMethod, PaymentView } from '../../src/domain/payment.ts';
import type { CreatePayment } from '../../src/domain/saga-rpc.ts';
import { app } from '../../src/http/app.ts';
import { lackOf } from '../../src/http/routes/payments-create.ts';
import { paymentSchema } from '../../src/http/schemas/payment.ts';
import {
  endedPayment,
  endingPayment,
  expireKey,
  freshKey,
  jsonOf,
  pay,
  paymentIdOfKey,
  post,
  postRaw,
  problemOf,
  requestOf,
  runningPayment,
  sagaStub,
  send,
  validPayment,
  withoutDrawnIds,
} from './client.ts';

describe('the idempotency key', () => {
  it('is required', async () => {
    const problem = await problemOf(await post('/payments', validPayment()), 400, 'idempotency_key_missing');
    expect(problem.retryable).toBe(false);
  });

  it.each<[string, Record<string, string>]>([
    ['has a space', { 'idempotency-key': 'a b' }],
    ['is empty when unquoted', { 'idempotency-key': '""' }],
    ['has an open quote', { 'idempotency-key': '"abc' }],
    ['has 256 characters', { 'idempotency-key': 'a'.repeat(256) }],
    ['is not ASCII', { 'idempotency-key': 'caf\u00e9' }],
    ['differs between two headers', { 'idempotency-key': 'a', 'x-idempotent-key': 'b' }],
    ['is a card number', { 'idempotency-key': '4242424242424242' }],
  ])('is refused when it %s', async (_case, headers) => {
    await problemOf(await post('/payments', validPayment(), headers), 400, 'idempotency_key_invalid');
  });

  it.each([
    ['Idempotency-Key', '"%"'],
    ['X-Idempotent-Key', '%'],
    ['X-Idempotency-Key', '%'],
  ])('is the same key as %s: %s', async (header, form) => {
    const key = freshKey();
    await jsonOf(await pay(key, runningPayment()), 202);
    const again = await post('/payments', runningPayment(), { [header]: form.replace('%', key) });
    expect(again.headers.get('idempotent-replayed')).toBe('true');
  });

  it('of 255 characters is taken', async () => {
    await jsonOf(await pay(freshKey().padEnd(255, 'x'), runningPayment()), 202);
  });
});

describe('a first request', () => {
  it('is answered 202 with the payment and where it is', async () => {
    const key = freshKey();
    const response = await pay(key, validPayment());
    const { headers } = response;
    const payment = await jsonOf<PaymentView>(response, 202);
    expect(payment).toMatchObject({ ...validPayment(), object: 'payment', status: 'PENDING', refunded_amount: 0 });
    expect(payment.id).toBe(paymentIdOfKey(key));
    expect(paymentSchema.strict().safeParse(payment).error).toBeUndefined();
    expect(headers.get('location')).toBe(`/payments/${payment.id}`);
    expect(headers.get('idempotency-status')).toBe('created');
    expect(headers.get('idempotent-replayed')).toBeNull();
    expect(headers.get('content-type')).toBe('application/json');
  });

  it('is taken as the first curl of the documentation sends it', async () => {
    const body =
      '{ "wallet_id": "wal-1234", "service_id": "abc-1234", "amount": 1230, "currency": "USD", "method": "balance" }';
    const headers = { 'x-idempotent-key': freshKey(), 'Content-Type': 'application/json' };
    await jsonOf(await postRaw('/payments', body, headers), 202);
  });

  it('is answered 201 when it waits and the payment ends in time', async () => {
    const response = await pay(freshKey(), await endingPayment(), { prefer: 'respond-async, wait=20' });
    const payment = await jsonOf<PaymentView>(response, 201);
    expect(payment.status).toBe('FAILED');
    expect(payment.failure?.code).toBe('currency_mismatch');
    expect(response.headers.get('preference-applied')).toBe('wait=20');
    expect(response.headers.get('idempotency-status')).toBe('created');
    expect(response.headers.get('location')).toBe(`/payments/${payment.id}`);
  });

  it('is answered 202 when it waits in vain', async () => {
    const response = await pay(freshKey(), runningPayment(), { prefer: 'wait=1' });
    await jsonOf(response, 202);
    expect(response.headers.get('preference-applied')).toBe('wait=1');
  });

  it.each([
    ['wait=0', 'wait=0'],
    ['wait=soon', null],
    ['wait=-1', null],
    ['nowait=3', null],
  ])('with Prefer: %s is answered at once', async (prefer, applied) => {
    const response = await pay(freshKey(), runningPayment(), { prefer });
    await jsonOf(response, 202);
    expect(response.headers.get('preference-applied')).toBe(applied);
  });

  it('shows its token masked, never whole', async () => {
    const text = await (await pay(freshKey(), runningPayment({ token: 'pm_sim_lost_0123456789' }))).text();
    expect(text).toContain('pm_s…6789');
    expect(text).not.toContain('pm_sim_lost');
  });
});

describe('the same key and body', () => {
  it('while the saga runs: 202, the payment as it is now, and when to ask again', async () => {
    const key = freshKey();
    const first = await jsonOf<PaymentView>(await pay(key, runningPayment()), 202);
    const response = await pay(key, runningPayment());
    expect((await jsonOf<PaymentView>(response, 202)).id).toBe(first.id);
    expect(response.headers.get('idempotent-replayed')).toBe('true');
    expect(response.headers.get('idempotency-status')).toBe('in_progress');
    expect(response.headers.get('retry-after')).toBe('1');
    expect(response.headers.get('location')).toBe(`/payments/${first.id}`);
  });

  it('after a crash of the object: the payment goes on, and is not begun again', async () => {
    const key = freshKey();
    const first = await jsonOf<PaymentView>(await pay(key, runningPayment()), 202);
    await evictDurableObject(sagaStub(key));
    const again = await pay(key, runningPayment());
    expect(again.headers.get('idempotency-status')).toBe('in_progress');
    expect((await jsonOf<PaymentView>(again, 202)).created_at).toBe(first.created_at);
  });

  it('terminal: 200 and the same bytes on every replay', async () => {
    const key = freshKey();
    const body = await endedPayment(key);
    const bodies: string[] = [];
    for (const _replay of [1, 2]) {
      const response = await pay(key, body);
      expect(response.status).toBe(200);
      expect(response.headers.get('idempotent-replayed')).toBe('true');
      expect(response.headers.get('idempotency-status')).toBe('completed');
      expect(response.headers.get('retry-after')).toBeNull();
      bodies.push(await response.text());
      await evictDurableObject(sagaStub(key));
    }
    expect(bodies[1]).toBe(bodies[0]);
    expect(paymentSchema.strict().safeParse(JSON.parse(bodies[0] ?? '')).error).toBeUndefined();
  });

  it('as a duplicate that waits: joins, and is answered with the end', async () => {
    const key = freshKey();
    const body = await endingPayment();
    await pay(key, body);
    const response = await pay(key, body, { prefer: 'wait=20' });
    await jsonOf(response, 200);
    expect(response.headers.get('idempotent-replayed')).toBe('true');
  });

  it('reordered and reformatted is the same request', async () => {
    const key = freshKey();
    await pay(key, runningPayment());
    const reordered = Object.fromEntries(Object.entries(runningPayment()).reverse());
    const headers = { 'content-type': 'application/json', 'idempotency-key': key };
    const response = await postRaw('/payments', JSON.stringify(reordered, null, 4), headers);
    expect(response.headers.get('idempotent-replayed')).toBe('true');
  });

  it('many at once: one is created, all name one payment', async () => {
    const key = freshKey();
    const responses = await Promise.all(Array.from({ length: 20 }, () => pay(key, runningPayment())));
    const statuses = responses.map((response) => response.headers.get('idempotency-status'));
    expect(statuses.filter((status) => status === 'created')).toHaveLength(1);
    const ids = await Promise.all(responses.map(async (response) => (await jsonOf<PaymentView>(response, 202)).id));
    expect(new Set(ids).size).toBe(1);
  });
});

describe('the same key', () => {
  it('with another body: 422, and the fields that differ without their values', async () => {
    const key = freshKey();
    await pay(key, runningPayment({ reference: 'first-order' }));
    const response = await pay(key, runningPayment({ amount: 99_001, customer_id: 'cus-9' }));
    const problem = await problemOf(response, 422, 'idempotency_key_reused');
    expect(problem.errors?.map((error) => error.pointer)).toEqual(['/amount', '/customer_id', '/reference']);
    expect(withoutDrawnIds(JSON.stringify(problem))).not.toMatch(/first-order|99001|1230|cus-9/);
  });

  it('after its record has expired: 409, and nothing begins', async () => {
    const key = freshKey();
    const body = await endedPayment(key);
    await expireKey(key);
    await problemOf(await pay(key, body), 409, 'idempotency_key_expired');
    await problemOf(await send(`/payments/${paymentIdOfKey(key)}`), 404, 'not_found');
  });
});

describe('what the object is asked', () => {
  const untouched = new Proxy(
    {},
    {
      get() {
        throw new Error('touched');
      },
    },
  );
  const closed = { WALLET: untouched, DB: untouched, WALLET_COMMANDS: untouched, PAYMENT_EVENTS: untouched };

  /** Sends a payment to an object that only writes down what it was asked. */
  async function asked(body: unknown, headers: Record<string, string> = {}, waited = true) {
    const calls: { name: string; input: CreatePayment }[] = [];
    const getByName = (name: string) => ({
      create: async (input: CreatePayment) => {
        calls.push({ name, input });
        return { kind: 'created', paymentId: 'pay_x', body: '{}', terminal: false, waited };
      },
    });
    const request = requestOf('/payments', {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', 'idempotency-key': 'k-1', ...headers },
    });
    const response = await app.fetch(request, { ...env, ...closed, PAYMENT_SAGA: { getByName } });
    expect(response.status).toBe(202);
    expect(calls).toHaveLength(1);
    return { response, ...calls[0] };
  }

  it.each([
    ['wait=3', true, 'wait=3'],
    ['wait=3', false, null],
    ['wait=0', true, 'wait=0'],
    ['respond-async', true, null],
  ])('asked with Prefer: %s, and waited: %s, it is said to be applied only so far', async (prefer, waited, applied) => {
    const { response } = await asked(validPayment(), { prefer }, waited);
    expect(response.headers.get('preference-applied')).toBe(applied);
  });

  it('is one call, to the object that the key addresses, and nothing of D1 or a queue', async () => {
    const { name, input, response } = await asked(validPayment());
    expect(name).toBe('default|sandbox|/payments|k-1');
    expect(input).toEqual({
      scope: { merchant: 'default', mode: 'sandbox' },
      idempotencyKey: 'k-1',
      fingerprint: fingerprint(validPayment()),
      request: validPayment(),
      amountCodes: false,
      trace: { traceId: expect.any(String), traceparent: response.headers.get('traceparent') },
      waitMs: 0,
    });
  });

  it.each([
    ['wait=25', 25_000],
    ['wait=26', 25_000],
    ['wait=999999999', 25_000],
    ['respond-async; wait=3', 3_000],
    ['wait="4"', 4_000],
    ['wait=5.5', 0],
  ])('with Prefer: %s is to wait %i ms', async (prefer, waitMs) => {
    expect((await asked(validPayment(), { prefer })).input?.waitMs).toBe(waitMs);
  });

  it.each([
    ['on', true],
    ['off', false],
    ['true', false],
  ])('with X-Sandbox-Amount-Codes: %s reads amounts as codes: %s', async (value, amountCodes) => {
    const { input } = await asked(validPayment(), { 'x-sandbox-amount-codes': value });
    expect(input?.amountCodes).toBe(amountCodes);
  });
});

it.each<[Scope['mode'], PaymentMethod, string | undefined, string | undefined]>([
  ['live', 'credit_card', undefined, '/token'],
  ['live', 'debit_card', undefined, '/token'],
  ['live', 'credit_card', 'tok_1', undefined],
  ['live', 'balance', undefined, '/method'],
  ['live', 'balance', 'tok_1', '/method'],
  ['sandbox', 'credit_card', undefined, undefined],
  ['sandbox', 'balance', undefined, undefined],
])('in %s mode a %s payment with token %s is refused for: %s', (mode, method, token, pointer) => {
  const request = { wallet_id: 'w', service_id: 's', amount: 1, currency: 'USD', method };
  expect(lackOf(mode, token === undefined ? request : { ...request, token })?.pointer).toBe(pointer);
});
