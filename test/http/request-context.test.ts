// What every response carries, what one log line says, and what it never says.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SIGNATURE_HEADER, sandboxSigningSecret } from '../../src/gateway/providers/sandbox-protocol.ts';
import { signCallback } from '../../src/gateway/signature.ts';
import { app } from '../../src/http/app.ts';
import { continueTrace } from '../../src/http/middleware/request-context.ts';
import { logLine } from '../../src/telemetry/log.ts';
import { bootstrap, CLOSED } from '../support/keys.ts';
import { freshKey, jsonOf, pay, problemOf, runningPayment, sagaStub, send } from './client.ts';

const UUID = /^[0-9a-f-]{36}$/;
const lines: string[] = [];

beforeEach(() => {
  lines.length = 0;
  vi.spyOn(console, 'log').mockImplementation((line: string) => lines.push(line));
});
afterEach(() => {
  vi.restoreAllMocks();
});

const requestLines = () => lines.map((line) => JSON.parse(line)).filter((line) => line.event === 'http.request');

it.each([
  ['/health', 200],
  ['/docs', 200],
  ['/docs/swagger-ui.css', 200],
  ['/openapi.json', 200],
  ['/payments', 200],
  ['/payments/x', 404],
  ['/nowhere', 404],
  ['/payments?limit=0', 400],
])('%s carries an id, a trace and the security headers', async (path, status) => {
  const { status: answered, headers } = await send(path);
  expect(answered).toBe(status);
  expect(headers.get('request-id')).toMatch(UUID);
  expect(headers.get('traceparent')).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(headers.get('strict-transport-security')).toContain('max-age=');
  expect(headers.get('referrer-policy')).toBe('no-referrer');
});

it('what holds money is never cached', async () => {
  expect((await send('/payments')).headers.get('cache-control')).toBe('no-store');
});

describe('paths and methods', () => {
  it('a path that does not exist is 404', async () => {
    await problemOf(await send('/payment'), 404, 'not_found');
    await problemOf(await send('/payments/'), 404, 'not_found');
  });

  it.each([
    ['PUT', '/payments', 'POST, GET, HEAD'],
    ['DELETE', '/payments/pay_1', 'GET, HEAD'],
    ['POST', '/health', 'GET, HEAD'],
    ['DELETE', '/wallets', 'POST, GET, HEAD'],
    ['OPTIONS', '/wallets/w/deposits', 'POST'],
    ['GET', '/ops/dead-letters/redrive', 'POST'],
  ])('%s %s is 405, with the methods that are taken', async (method, path, allow) => {
    const response = await send(path, { method });
    await problemOf(response, 405, 'method_not_allowed');
    expect(response.headers.get('allow')).toBe(allow);
  });
});

const caller = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00';

describe('a trace', () => {
  it('goes on from the caller, in a span of ours, into the payment', async () => {
    const key = freshKey();
    const response = await pay(key, runningPayment(), { traceparent: caller });
    const traceparent = response.headers.get('traceparent') ?? '';
    expect(traceparent).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-00$/);
    expect(traceparent).not.toBe(caller);
    const { id } = await jsonOf<{ id: string }>(response, 202);
    const events = await (await send(`/payments/${id}/events`)).text();
    expect(events).toContain('"trace_id":"0af7651916cd43dd8448eb211c80319c"');
    expect((await sagaStub(key).describeKey()).kind).toBe('used');
  });

  it.each([
    undefined,
    '',
    'nonsense',
    caller.toUpperCase(),
    caller.replace('00-', 'ff-'),
    `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    `00-0af7651916cd43dd8448eb211c80319c-${'0'.repeat(16)}-01`,
  ])('begins anew for traceparent %s', (traceparent) => {
    const trace = continueTrace(traceparent, () => true);
    expect(trace.traceparent).toBe(`00-${trace.traceId}-${trace.traceparent.slice(36, 52)}-01`);
    expect(trace.traceId).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
    expect(trace.traceId).not.toBe('0af7651916cd43dd8448eb211c80319c');
  });
});

describe('a trace is exported', () => {
  const COLLECTOR = { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.test', OTEL_TRACES_SAMPLER_ARG: '0' };
  const SAMPLED = caller.replace(/00$/, '01');

  /** The flags that are answered, and how often the collector was told. */
  async function asked(path: string, init: RequestInit = {}, vars: object = CLOSED): Promise<[string, number]> {
    const told = vi.spyOn(globalThis, 'fetch').mockImplementation(async () => new Response());
    told.mockClear();
    const exports: Promise<unknown>[] = [];
    const context = {
      waitUntil: (each: Promise<unknown>) => exports.push(each),
      passThroughOnException: () => {},
      props: {},
    } as unknown as ExecutionContext;
    const headers = new Headers(init.headers);
    if (!headers.has('traceparent')) headers.set('traceparent', SAMPLED);
    const here = { ...COLLECTOR, ...vars };
    const response = await app.fetch(new Request(`https://holdfast.test${path}`, { ...init, headers }), here, context);
    await Promise.all(exports);
    return [response.headers.get('traceparent')?.slice(-2) ?? '', told.mock.calls.length];
  }

  /** A provider's callback that names no effect of ours. */
  async function callBack(secret: string): Promise<[string, number]> {
    const metadata = { payment_id: 'none', effect_id: 'none' };
    const data = { object: 'charge', id: 'ch_1', status: 'authorized', amount: 1_230, currency: 'USD', metadata };
    const body = JSON.stringify({ id: 'evt_1', type: 'charge.updated', created_at_ms: 5, data });
    const bytes = new Uint8Array(new TextEncoder().encode(body));
    const signature = await signCallback(secret, Math.floor(Date.now() / 1_000), bytes);
    return asked('/providers/acme/callbacks', { method: 'POST', body, headers: { [SIGNATURE_HEADER]: signature } });
  }

  it.each(['/health', '/docs', '/payments', '/nowhere'])(
    'of nobody who asks %s without a key, whatever the flag and the ratio say',
    async (path) => {
      expect(await asked(path)).toEqual(['00', 0]);
      expect(await asked(path, {}, { ...CLOSED, OTEL_TRACES_SAMPLER_ARG: '1' })).toEqual(['00', 0]);
      const anew = { headers: { traceparent: '' } };
      expect(await asked(path, anew, { ...CLOSED, OTEL_TRACES_SAMPLER_ARG: '1' })).toEqual(['00', 0]);
    },
  );

  it('of who shows a key that counts, as the flag says, and of nobody who shows another', async () => {
    expect(await asked('/ops/api-keys', { headers: { authorization: `Bearer ${bootstrap()}` } })).toEqual(['01', 1]);
    expect(await asked('/ops/api-keys', { headers: { authorization: 'Bearer hf_nothing' } })).toEqual(['00', 0]);
  });

  it('of a provider whose signature is right', async () => {
    expect(await callBack(sandboxSigningSecret('acme'))).toEqual(['01', 1]);
    expect(await callBack('whsec_other')).toEqual(['00', 0]);
  });

  it('of everyone where authentication is open: everyone is a caller', async () => {
    expect(await asked('/health', {}, { ...CLOSED, AUTH: 'open' })).toEqual(['01', 1]);
  });
});

describe('the log', () => {
  it('has one line per request: pattern, status, ids, time', async () => {
    const key = freshKey();
    const created = await pay(key, runningPayment());
    const { id } = await jsonOf<{ id: string }>(created, 202);
    expect(requestLines()).toEqual([
      {
        event: 'http.request',
        method: 'POST',
        route: '/payments',
        status: 202,
        request_id: created.headers.get('request-id'),
        trace_id: created.headers.get('traceparent')?.slice(3, 35),
        duration_ms: expect.any(Number),
        merchant: 'default',
        entity_id: id,
      },
    ]);
    await send('/payments/pay_1?');
    expect(requestLines()[1]).toMatchObject({ route: '/payments/:id', status: 404, code: 'not_found' });
  });

  it('never holds a key, a token, a body or a query', async () => {
    const key = `secret-key-${freshKey()}`;
    await pay(key, runningPayment({ reference: 'secret-reference', token: 'secret-token-1234' }));
    await send('/payments?reference=secret-reference');
    await send(`/idempotency-keys/${key}`);
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.join('\n')).not.toContain('secret');
  });

  it('drops fields that are not allowed and cuts text', () => {
    const fields = { code: 'x'.repeat(10_000), token: 'secret' };
    logLine('test.line', fields);
    const line = JSON.parse(lines[0] ?? '{}');
    expect(line.code).toHaveLength(500);
    expect(Object.keys(line)).toEqual(['event', 'code']);
  });
});

describe('the instance of a problem', () => {
  it.each([
    ['/nowhere/a%20b/%C3%A9', '/nowhere/a%20b/%C3%A9'],
    ['/payments/pay%2F1', '/payments/pay%2F1'],
    ['/nowhere/é b', '/nowhere/%C3%A9%20b'],
    ['/nowhere/a|b[c]', '/nowhere/a%7Cb%5Bc%5D'],
    ['/nowhere/100%', '/nowhere/100%25'],
    ['//elsewhere.io/x', '/.//elsewhere.io/x'],
    ['/nowhere?a=b', '/nowhere'],
  ])('of %s is a reference to it: %s', async (path, instance) => {
    const body = await jsonOf<{ instance: string }>(await send(path), 404);
    expect(body.instance).toBe(instance);
    expect(new URL(instance, 'https://holdfast.test').host).toBe('holdfast.test');
  });

  it('is cut where it is long, and not within an escape', async () => {
    for (const start of ['a', 'ab', 'abc']) {
      const { instance } = await jsonOf<{ instance: string }>(await send(`/${start}${'%20'.repeat(500)}`), 404);
      expect(instance.length).toBeLessThanOrEqual(500);
      expect(instance).toMatch(/^\/[a-c]+(?:%20)+$/);
    }
  });
});
