/**
 * The client against the whole Worker, with a network that breaks where a test says: before the request has arrived, or after it
 * was carried out and before its answer came. Real sockets are cut in test/e2e/client.test.ts.
 */
import { exports } from 'cloudflare:workers';
import { describe, expect, test } from 'vitest';
import type { Payment } from '../../client/src/generated.ts';
import { Holdfast, HoldfastError, type HoldfastOptions } from '../../client/src/index.ts';
import { freshKey, validPayment } from './client.ts';

const PAYMENT = validPayment() as Parameters<Holdfast['payments']['create']>[0];
const RETRY = { firstMs: 5, waitMaxMs: 2_000 };

type Fate = 'lost' | 'unheard' | Response;

/** A client whose first requests meet these fates, in order; what it sent is recorded. */
function clientOf(fates: Fate[] = [], options: Partial<HoldfastOptions> = {}) {
  const sent: Request[] = [];
  const holdfast = new Holdfast({
    baseUrl: 'https://holdfast.test/',
    retry: RETRY,
    fetch: async (request) => {
      sent.push(request.clone());
      const fate = fates.shift();
      if (fate === 'lost') throw new TypeError('connection refused');
      if (fate instanceof Response) return fate;
      const response = await exports.default.fetch(request);
      if (fate !== 'unheard') return response;
      await response.text();
      throw new TypeError('connection reset');
    },
    ...options,
  });
  const keys = () => sent.map((request) => request.headers.get('idempotency-key'));
  return { holdfast, sent, keys };
}

function problem(status: number, code: string, retryable: boolean, headers: Record<string, string> = {}): Response {
  const body = {
    type: `/docs/errors#${code}`,
    title: code,
    status,
    detail: code,
    instance: '/payments',
    code,
    retryable,
    request_id: 'r-1',
  };
  return Response.json(body, { status, headers: { ...headers, 'Content-Type': 'application/problem+json' } });
}

async function failureOf(call: Promise<unknown>): Promise<HoldfastError> {
  const thrown = await call.then(
    () => null,
    (error: unknown) => error,
  );
  if (!(thrown instanceof HoldfastError)) throw new Error(`not a HoldfastError: ${String(thrown)}`);
  return thrown;
}

describe('a payment', () => {
  test('is made once, whatever the network does', async () => {
    const { holdfast, keys } = clientOf(['lost', 'unheard', 'unheard', problem(503, 'temporarily_unavailable', true)]);
    const payment = await holdfast.payments.create(PAYMENT);
    expect(payment).toMatchObject({ object: 'payment', amount: 1230 });
    expect(keys()).toHaveLength(5);
    expect(new Set(keys()).size).toBe(1);
    // The key leads to it, and to it alone.
    const found = await holdfast.request('getIdempotencyKey', {
      path: { key: keys()[0] ?? '' },
      query: { route: '/payments' },
    });
    expect(JSON.stringify(found)).toContain(payment.id);
  });

  test('of another call has another key; the caller’s own is taken as it is', async () => {
    const { holdfast, keys } = clientOf();
    const key = freshKey();
    const payments = [
      await holdfast.payments.create(PAYMENT),
      await holdfast.payments.create(PAYMENT),
      await holdfast.payments.create(PAYMENT, { idempotencyKey: key }),
      await holdfast.payments.create(PAYMENT, { idempotencyKey: key }),
    ];
    expect(new Set(payments.map(({ id }) => id)).size).toBe(3);
    expect(keys().slice(2)).toEqual([key, key]);
  });

  test('is waited for by the service, and then by its timeline', async () => {
    const { holdfast, sent } = clientOf();
    const waited = await holdfast.payments.create(PAYMENT, { waitSeconds: 10 });
    expect(waited.status).toBe('COMPLETED');
    expect(sent[0]?.headers.get('prefer')).toBe('wait=10');
    const { id } = await holdfast.payments.create({ ...PAYMENT, token: 'pm_card_visa_chargeDeclined' });
    expect(await holdfast.payments.ended(id)).toMatchObject({
      status: 'FAILED',
      failure: { code: 'gateway_declined' },
    });
    const refund = await holdfast.refunds.create({ payment_id: waited.id, amount: 100 });
    expect(await holdfast.refunds.ended(refund.id)).toMatchObject({ status: 'COMPLETED', amount: 100 });
    expect((await holdfast.refunds.list({ payment_id: waited.id })).object).toBe('list');
  });

  test('that does not end is not waited for longer than asked', async () => {
    const { holdfast } = clientOf();
    const { id } = await holdfast.payments.create({ ...PAYMENT, token: 'pm_sim_lost' });
    const startedMs = Date.now();
    const { failure } = await failureOf(holdfast.payments.ended(id, { timeoutMs: 600 }));
    expect(failure).toMatchObject({ kind: 'not_ended', id, waitedMs: 600 });
    expect(Date.now() - startedMs).toBeLessThan(5_000);
  });

  test('tells its events once each, in order, although the stream is cut', async () => {
    const { holdfast, sent } = clientOf([], {
      fetch: async (request) => {
        sent.push(request);
        const response = await exports.default.fetch(request);
        if (sent.length > 3 || response.body === null) return response;
        // Two events, and the connection is gone.
        const reader = response.body.getReader();
        let text = '';
        while (text.split('event:').length < 3) {
          const { done, value } = await reader.read();
          if (done) break;
          text += new TextDecoder().decode(value);
        }
        await reader.cancel();
        const chunks = [new TextEncoder().encode(text)];
        const cut = new ReadableStream({
          pull(controller) {
            const chunk = chunks.shift();
            if (chunk === undefined) controller.error(new TypeError('connection reset'));
            else controller.enqueue(chunk);
          },
        });
        return new Response(cut, response);
      },
    });
    const { id } = await clientOf().holdfast.payments.create(PAYMENT);
    const sequences: number[] = [];
    for await (const event of holdfast.payments.events(id)) sequences.push(event.metadata.sequence);
    expect(sequences).toEqual(Array.from({ length: sequences.length }, (_, at) => at + 1));
    expect(sequences.length).toBeGreaterThan(8);
    expect(sent.length).toBeGreaterThan(2);
    expect(Number(sent[1]?.headers.get('last-event-id'))).toBeGreaterThan(0);
  });
});

describe('what fails', () => {
  test('for good is told at once, with its code, its fields and the key', async () => {
    const { holdfast, sent } = clientOf();
    const key = freshKey();
    await holdfast.payments.create(PAYMENT, { idempotencyKey: key });
    const reused = await failureOf(holdfast.payments.create({ ...PAYMENT, amount: 1 }, { idempotencyKey: key }));
    expect(reused).toMatchObject({
      code: 'idempotency_key_reused',
      retryable: false,
      failure: { attempts: 1, idempotencyKey: key },
    });
    const invalid = await failureOf(holdfast.payments.create({ ...PAYMENT, amount: 1.5 }));
    expect(invalid.failure).toMatchObject({
      kind: 'problem',
      problem: { status: 400, errors: [{ pointer: '/amount' }] },
    });
    expect((await failureOf(holdfast.payments.get(`pay_${'0'.repeat(43)}`))).code).toBe('not_found');
    expect(sent).toHaveLength(4);
  });

  test('for the moment is tried again after Retry-After, and no more often than it may be', async () => {
    const busy = () => problem(503, 'overloaded', true, { 'Retry-After': '1' });
    const { holdfast } = clientOf([busy()]);
    const startedMs = Date.now();
    await holdfast.payments.create(PAYMENT);
    expect(Date.now() - startedMs).toBeGreaterThanOrEqual(950);

    const patient = clientOf([problem(503, 'overloaded', true, { 'Retry-After': '3600' })]);
    const { failure } = await failureOf(patient.holdfast.payments.create(PAYMENT));
    expect(failure).toMatchObject({ kind: 'problem', attempts: 1, retryAfterMs: 3_600_000 });

    const lost = clientOf(Array<Fate>(9).fill('lost'));
    const unknown = await failureOf(lost.holdfast.payments.create(PAYMENT));
    expect(unknown).toMatchObject({ retryable: true, failure: { kind: 'no_answer', reason: 'network', attempts: 5 } });
    expect(unknown.failure.idempotencyKey).toBe(lost.keys()[0]);
    expect(lost.sent).toHaveLength(5);
  });

  test('and cannot be repeated is sent once, unless it was refused before anything was done', async () => {
    const endpoint = { url: 'https://shop.io/hooks' };
    const cut = clientOf(['lost']);
    const { failure } = await failureOf(cut.holdfast.request('createWebhookEndpoint', { body: endpoint }));
    expect(failure).toMatchObject({ kind: 'no_answer', attempts: 1 });
    const limited = clientOf([problem(429, 'rate_limited', true)]);
    const made = await limited.holdfast.request('createWebhookEndpoint', { body: endpoint });
    expect(made.secret).toMatch(/^whsec_/);
    await limited.holdfast.request('deleteWebhookEndpoint', { path: { id: made.id } });
  });

  test('in between is told apart from what the service says', async () => {
    const gateway = clientOf([new Response('<h1>Bad gateway</h1>', { status: 502 })]);
    expect((await gateway.holdfast.payments.create(PAYMENT)).object).toBe('payment');
    const other = clientOf([new Response('<h1>Not here</h1>', { status: 404 })]);
    const { failure } = await failureOf(other.holdfast.payments.create(PAYMENT));
    expect(failure).toMatchObject({ kind: 'no_answer', reason: 'not_ours', status: 404, attempts: 1 });
  });

  test.each([
    ['a page that stands before every network', () => new Response('<html>Sign in</html>'), 200],
    ['an empty answer', () => new Response(null, { status: 204 }), 204],
    ['JSON that is cut', () => new Response('{"id":"pay_', { headers: { 'Content-Type': 'application/json' } }), 200],
    ['JSON that is nothing', () => Response.json(null), 200],
  ])('by %s is no payment: sent again with the same key, and said not to be ours', async (_case, answer, status) => {
    const once = clientOf([answer()]);
    expect((await once.holdfast.payments.create(PAYMENT)).object).toBe('payment');
    expect(once.keys()).toHaveLength(2);
    expect(new Set(once.keys()).size).toBe(1);

    const always = clientOf(Array.from({ length: 9 }, answer));
    const { failure, retryable } = await failureOf(always.holdfast.payments.create(PAYMENT));
    expect(failure).toMatchObject({ kind: 'no_answer', reason: 'not_ours', status, attempts: 5 });
    expect(retryable).toBe(true);
    const unkeyed = clientOf(Array.from({ length: 9 }, answer));
    const made = unkeyed.holdfast.request('createWebhookEndpoint', { body: { url: 'https://shop.io/hooks' } });
    expect((await failureOf(made)).failure).toMatchObject({ reason: 'not_ours', attempts: 1 });
  });

  test('does not, where the answer is text', async () => {
    expect(await clientOf().holdfast.request('getDocs', {})).toContain('<html');
    expect(await clientOf().holdfast.request('getMetrics', {})).toContain('holdfast_');
  });

  test('because its caller has had enough, before it began, is not sent', async () => {
    const { holdfast, sent } = clientOf();
    const { failure } = await failureOf(holdfast.payments.create(PAYMENT, { signal: AbortSignal.abort() }));
    expect(failure).toMatchObject({ kind: 'aborted', attempts: 0 });
    expect(sent).toHaveLength(0);
  });

  test('because its caller has had enough is aborted, between attempts too', async () => {
    const { holdfast, sent } = clientOf(Array<Fate>(9).fill('lost'), { retry: { firstMs: 60_000, waitMaxMs: 60_000 } });
    const controller = new AbortController();
    const call = failureOf(holdfast.payments.create(PAYMENT, { signal: controller.signal }));
    while (sent.length === 0) await scheduler.wait(1);
    controller.abort();
    expect((await call).failure.kind).toBe('aborted');
  });

  test('to answer in time has timed out', async () => {
    const { holdfast } = clientOf([], {
      retry: { attemptsMax: 2, firstMs: 1 },
      attemptTimeoutMs: 20,
      fetch: (request) =>
        new Promise((_, reject) => request.signal.addEventListener('abort', () => reject(request.signal.reason))),
    });
    expect((await failureOf(holdfast.payments.create(PAYMENT))).failure).toMatchObject({
      reason: 'timeout',
      attempts: 2,
    });
  });
});

test('a list is read to its end, page by page, and the API key goes with each', async () => {
  const { holdfast, sent } = clientOf([], { apiKey: 'a-key' });
  const reference = freshKey();
  for (let n = 0; n < 3; n++) await holdfast.payments.create({ ...PAYMENT, reference }, { waitSeconds: 10 });
  const listed = async (): Promise<Payment[]> => {
    const all: Payment[] = [];
    for await (const payment of holdfast.payments.all({ reference, limit: 2 })) all.push(payment);
    return all;
  };
  await expect.poll(async () => (await listed()).length, { timeout: 15_000 }).toBe(3);
  expect(sent.every((request) => request.headers.get('authorization') === 'Bearer a-key')).toBe(true);
});
