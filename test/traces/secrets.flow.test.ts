// No secret is where it must not be. Secrets that cannot be mistaken are planted, real flows are driven with them, well and badly, and
// then everything that was written or said is searched: log, events, D1, objects, answers, metrics, exports, webhooks. Where
// one must be is listed by name, and nowhere else.
import { createMessageBatch, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { consumeGatewayCommands } from '../../queues/gateway-commands.ts';
import { signCallback } from '../../src/gateway/signature.ts';
import { app } from '../../src/http/app.ts';
import { logLine } from '../../src/telemetry/log.ts';
import { openTracer } from '../../src/telemetry/tracer.ts';
import { exportsHeard } from '../support/collector.ts';
import { letters } from '../support/dead-letters.ts';
import { killMessages, kindOf, loseMessages } from '../support/losses.ts';
import { call, json, openWallet, terminal, until } from '../support/payments.ts';
import { Receiver } from '../support/receiver.ts';
import { type Place, placeOf, rowsOfD1, rowsOfObjects } from '../support/surfaces.ts';
import { deleteEndpoints, type Endpoint } from '../support/webhooks.ts';

/** Distinctive, and of the form that each must have. */
const PLANTED = {
  'API key': 'hf_live_plantedkey4Jq8ZrT2mVxW7cNb',
  'secret of the API keys': 'planted-api-key-secret-0123456789abcdef',
  'Stripe key': 'sk_test_plantedStripeKey0001',
  'secret of Stripe callbacks': 'whsec_plantedStripeHook0001',
  'Mercado Pago token': 'APP_USR-planted-mercado-0001',
  'secret of Mercado Pago callbacks': 'planted-mercado-hook-0001',
  'OTLP header': 'collector-secret',
  // Of the sandbox: turned away zero times, then approved. Nobody else writes it so.
  'payment token': 'pm_sim_flaky_000000000',
  'card token': 'planted-card-token-0001-4c1f',
  'card number': '5105105105105100',
  'idempotency key': 'planted-idempotency-key-77f0',
  'text of a client': 'planted-reference-of-a-client',
} as const;
type Secret = keyof typeof PLANTED | 'secret of a webhook endpoint';

/** Where each must be, and why: anything else is a leak. */
const ALLOWED: Readonly<Partial<Record<Secret, readonly RegExp[]>>> = {
  // Its own object sends commands again with it. In the sandbox the provider is an object of ours, too: it knows its own tokens.
  'payment token': [/^PAYMENT_SAGA saga$/, /^SANDBOX_PROVIDER /],
  // It signs there, and is shown once to the merchant, when it is made and when it is rotated.
  'secret of a webhook endpoint': [
    /^WEBHOOK_ENDPOINT endpoint$/,
    /^answer POST \/webhook-endpoints(\/\w+\/rotate-secret)?$/,
  ],
  // The collector is told who sends.
  'OTLP header': [/^export header$/],
  // A key and a reference are the client's own data: stored, told to it and to whom it asks to be told; never logged or exported.
  'idempotency key': [/^(PAYMENT_SAGA|REFUND_SAGA|WALLET) /, /^D1 /, /^answer /],
  'text of a client': [
    /^(PAYMENT_SAGA|REFUND_SAGA|WALLET|WEBHOOK_ENDPOINT|SANDBOX_PROVIDER) /,
    /^D1 /,
    /^answer /,
    /^webhook$/,
  ],
};

const PROVIDERS = {
  STRIPE_SECRET_KEY: PLANTED['Stripe key'],
  STRIPE_WEBHOOK_SECRET: PLANTED['secret of Stripe callbacks'],
  MERCADO_PAGO_ACCESS_TOKEN: PLANTED['Mercado Pago token'],
  MERCADO_PAGO_WEBHOOK_SECRET: PLANTED['secret of Mercado Pago callbacks'],
  MERCADO_PAGO_CURRENCY: 'USD',
};
const LIVE = {
  ...env,
  MODE: 'live',
  AUTH: 'required',
  RATE_LIMITS: 'on',
  API_KEY_SECRET: PLANTED['secret of the API keys'],
  ...PROVIDERS,
} as unknown as Env;
const PAN = PLANTED['card number'];

const said: Place[] = [];
const secrets = new Map<Secret, string>(Object.entries(PLANTED) as [Secret, string][]);
const print = console.log;

/** As a client would, with a key in its header and a trace that is sampled; what is answered is kept. */
async function ask(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  const response = await call(path, {
    method,
    headers: {
      authorization: `Bearer ${PLANTED['API key']}`,
      traceparent: `00-${crypto.randomUUID().replaceAll('-', '')}-b7ad6b7169203331-01`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  said.push(await placeOf(`answer ${method} ${path.split('?')[0]}`, response.clone()));
  return response;
}

async function made<Body>(response: Response): Promise<Body> {
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return response.json<Body>();
}

/** To an application in live mode, which nothing else reaches. */
async function askLive(path: string, init: RequestInit): Promise<Response> {
  const context = { waitUntil: () => {}, passThroughOnException: () => {}, props: {} } as unknown as ExecutionContext;
  const response = await app.fetch(new Request(`https://holdfast.test${path}`, init), LIVE, context);
  said.push(await placeOf(`answer ${init.method} ${path} (live)`, response.clone()));
  return response;
}

function leaks(places: readonly Place[]): string[] {
  return places.flatMap(({ where, text }) =>
    [...secrets].flatMap(([name, secret]) => {
      const forms = [secret, btoa(secret).replaceAll('=', ''), encodeURIComponent(secret)];
      const isAllowed = ALLOWED[name]?.some((place) => place.test(where)) === true;
      return !isAllowed && forms.some((form) => text.includes(form))
        ? [`${name} in ${where}: ${text.slice(0, 300)}`]
        : [];
    }),
  );
}

async function everything(): Promise<Place[]> {
  const heard = await exportsHeard();
  const webhooks = await receiver.received();
  return [
    ...said,
    ...(await rowsOfD1()),
    ...(await rowsOfObjects()),
    ...heard.map(({ body }) => ({ where: 'export', text: body })),
    ...heard.map(({ headers }) => ({ where: 'export header', text: JSON.stringify(headers) })),
    ...webhooks.map(({ body, headers }) => ({ where: 'webhook', text: `${body}\n${JSON.stringify(headers)}` })),
  ];
}

const receiver = new Receiver();
const isSettled = ({ status }: { status: string }) => status !== 'PENDING';

beforeAll(async () => {
  for (const level of ['log', 'info', 'warn', 'error', 'debug'] as const) {
    vi.spyOn(console, level).mockImplementation((...parts) => {
      said.push({ where: 'log', text: parts.map(String).join(' ') });
    });
  }
  await drive();
}, 120_000);
afterEach(({ task }) => {
  if (task.result?.state === 'fail') print(`${said.filter(({ where }) => where === 'log').length} log lines`);
});
afterAll(async () => {
  killMessages(null);
  loseMessages(null);
  await deleteEndpoints();
  vi.restoreAllMocks();
});

/** The flows, each with all the secrets that it can have. */
async function drive(): Promise<void> {
  await openWallet('planted', 1_000_000);
  const endpoint = await made<Endpoint>(await ask('POST', '/webhook-endpoints', { url: receiver.url }));
  secrets.set('secret of a webhook endpoint', endpoint.secret);

  const reference = PLANTED['text of a client'];
  const order = { service_id: 'svc', amount: 1_230, currency: 'USD', reference, metadata: { note: reference } };
  const card = { ...order, wallet_id: 'planted', method: 'credit_card', token: PLANTED['payment token'] };
  const key = (n: number) => ({ 'idempotency-key': `${PLANTED['idempotency key']}-${n}` });
  const payment = await made<{ id: string }>(await ask('POST', '/payments', card, key(1)));
  expect((await terminal(payment.id)).status).toBe('COMPLETED');
  await ask('POST', '/payments', card, key(1));
  await ask('POST', '/payments', { ...card, token: 'another' }, key(1));
  const refund = await made<{ id: string }>(await ask('POST', '/refunds', { payment_id: payment.id }, key(2)));
  await until(() => json<{ status: string }>(`/refunds/${refund.id}`), isSettled);
  await ask('POST', '/wallets/planted/deposits', { amount: 1, currency: 'USD', reference }, key(3));

  // A provider that fails, one whose void fails, and a command that dies.
  for (const [n, token] of ['pm_sim_primary_down', 'pm_sim_debit_fail'].entries()) {
    const failed = await made<{ id: string }>(await ask('POST', '/payments', { ...card, token }, key(4 + n)));
    await terminal(failed.id);
  }
  killMessages((delivery) => kindOf(delivery) === 'orchestrator.gateway.authorize');
  const dying = await made<{ id: string }>(await ask('POST', '/payments', card, key(6)));
  await until(letters, (found) => found.some(({ entity_id }) => entity_id === dying.id), 60_000);
  killMessages(null);

  // Card numbers, wherever a client may write one.
  await ask('POST', '/payments', { ...card, reference: PAN, metadata: { [PAN]: PAN } }, key(7));
  await ask('POST', '/payments', card, { 'idempotency-key': PAN });
  await ask('GET', `/payments?reference=${PAN}`).then(() => said.pop());
  await ask('GET', `/wallets/${PAN}`).then(() => said.pop());
  await ask('POST', '/wallets', { id: PAN, currency: 'USD' });

  // Operators' changes.
  const word = { actor: 'jane', reason: 'a planted fault' };
  const [letter] = await letters();
  await ask('POST', `/ops/dead-letters/${letter?.id}/discard`, word);
  await ask('POST', '/ops/breakers/acme', { ...word, state: 'open', operation: 'refund' });
  await ask('POST', '/ops/audit', {});
  await ask('POST', '/ops/reconcile', word);
  await ask('POST', `/webhook-endpoints/${endpoint.id}/rotate-secret`).then(async (response) => {
    secrets.set('secret of a webhook endpoint', (await made<Endpoint>(response)).secret);
  });

  loseMessages((delivery) => kindOf(delivery) === 'orchestrator.gateway.authorize');
  const real = await made<{ id: string }>(await ask('POST', '/payments', card, key(8)));
  await driveLive(await authorizeOf(real.id));
  loseMessages(null);
  await receiver.heard(1);

  for (const path of [
    '/payments',
    `/payments/${payment.id}`,
    `/payments/${payment.id}/events`,
    `/payments/${dying.id}/events`,
    `/refunds/${refund.id}`,
    `/refunds/${refund.id}/events`,
    `/refunds?payment_id=${payment.id}`,
    '/wallets/planted',
    '/wallets/planted/entries',
    '/webhook-endpoints',
    `/webhook-endpoints/${endpoint.id}`,
    `/webhook-endpoints/${endpoint.id}/deliveries`,
    '/ops/sagas',
    `/ops/sagas/${payment.id}`,
    `/ops/sagas/${dying.id}`,
    '/ops/dead-letters',
    `/ops/dead-letters/${letter?.id}`,
    '/ops/breakers',
    '/ops/reconciliations',
    '/ops/sweeps',
    '/openapi.json',
  ]) {
    expect((await ask('GET', path)).status, path).toBe(200);
  }
}

interface Command {
  readonly event_type: string;
  readonly payload: object;
  readonly metadata: object;
}

async function authorizeOf(paymentId: string): Promise<Command> {
  const authorize = ({ event_type: type }: Command) => type === 'orchestrator.gateway.authorize';
  const { data } = await until(
    () => json<{ data: Command[] }>(`/payments/${paymentId}/events`),
    (events) => events.data.some(authorize),
  );
  const event = data.find(authorize);
  if (event === undefined) throw new Error('never authorized');
  return event;
}

/** Live mode, with a Stripe that repeats the credentials it was shown, and callbacks that are and are not its. */
async function driveLive(command: Command): Promise<void> {
  const reachable = globalThis.fetch;
  const called = new Set<string>();
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input, init);
    if (!/stripe\.com|mercadopago/.test(request.url)) return reachable(input, init);
    called.add(new URL(request.url).hostname);
    const echoed = `${request.headers.get('authorization')} ${await request.text()}`;
    const error = { type: 'card_error', code: echoed, decline_code: echoed, message: `Declined: ${echoed}` };
    return Response.json({ error, message: echoed, cause: [{ code: echoed }] }, { status: 402 });
  });
  const token = PLANTED['payment token'];
  for (const more of [
    { provider: 'stripe', token },
    { provider: 'mercado-pago', token: `visa:${PLANTED['card token']}`, customer_id: 'customer-1' },
  ]) {
    const metadata = { ...command.metadata, mode: 'live' };
    const payload = { ...command.payload, ...more };
    const message = {
      id: crypto.randomUUID(),
      timestamp: new Date(),
      attempts: 1,
      body: { ...command, payload, metadata },
    };
    await consumeGatewayCommands(createMessageBatch('gateway-commands', [message]), LIVE);
  }
  expect([...called].sort()).toEqual(['api.mercadopago.com', 'api.stripe.com']);
  vi.mocked(globalThis.fetch).mockRestore();

  const nowSeconds = Math.floor(Date.now() / 1_000);
  const body = JSON.stringify({ id: 'evt_1', type: 'payment_intent.succeeded', data: { object: { card: PAN } } });
  const signed = await signCallback(
    PROVIDERS.STRIPE_WEBHOOK_SECRET,
    nowSeconds,
    new Uint8Array(new TextEncoder().encode(body)),
  );
  for (const signature of [signed, `t=${nowSeconds},v1=${PROVIDERS.STRIPE_WEBHOOK_SECRET}`, '']) {
    const headers = { 'stripe-signature': signature };
    const { status } = await askLive('/providers/stripe/callbacks', { method: 'POST', body, headers });
    expect(status).toBe(signature === signed ? 400 : 401);
  }
  await askLive('/providers/mercado-pago/callbacks', { method: 'POST', body, headers: { 'x-signature': 'ts=1,v1=0' } });
  for (const authorization of [`Bearer ${PLANTED['API key']}`, `Bearer ${PLANTED['secret of the API keys']}`]) {
    await askLive('/payments', { method: 'GET', headers: { authorization } });
  }
}

describe('no secret', () => {
  test('is anywhere but where it must be', async () => {
    const places = await everything();
    // Something was searched, of every kind.
    const kinds = new Set(places.map(({ where }) => where.split(' ')[0]));
    for (const kind of [
      'log',
      'D1',
      'answer',
      'export',
      'webhook',
      'PAYMENT_SAGA',
      'REFUND_SAGA',
      'WALLET',
      'WEBHOOK_ENDPOINT',
      'SANDBOX_PROVIDER',
    ]) {
      expect(kinds, kind).toContain(kind);
    }
    expect(places.filter(({ where }) => where === 'log').length).toBeGreaterThan(50);
    expect(leaks(places)).toEqual([]);
  });

  test('is in what Prometheus scrapes', async () => {
    await until(
      async () => (await ask('GET', '/metrics')).text(),
      (text) => /holdfast_payments_total\{status="completed"\} [1-9]/.test(text),
    );
    expect(leaks(said.filter(({ where }) => where === 'answer GET /metrics'))).toEqual([]);
  });

  test('was planted in vain: each is found where it must be', async () => {
    const places = await everything();
    for (const [name, secret] of secrets) {
      const found = places.filter(({ text }) => text.includes(secret)).map(({ where }) => where);
      for (const place of ALLOWED[name] ?? []) {
        // Those that may be in many places need not be in all of them.
        if (['idempotency key', 'text of a client'].includes(name)) continue;
        expect(found, name).toContainEqual(expect.stringMatching(place));
      }
    }
  });

  test.each<[string, () => void | Promise<void>]>([
    ['the log', () => logLine('planted.line', { error: `Bearer ${PLANTED['API key']}` })],
    ['an answer', () => void said.push({ where: 'answer GET /x', text: btoa(PLANTED['Stripe key']) })],
    [
      'D1',
      async () => {
        await env.DB.prepare('INSERT INTO metric_counters (series, value) VALUES (?, 1)')
          .bind(PLANTED['payment token'])
          .run();
      },
    ],
    [
      'an object',
      async () => {
        await env.PROVIDER_HEALTH.getByName('planted').force('open', 'refund');
        await runInDurableObject(env.PROVIDER_HEALTH.getByName('planted'), (_instance, state) => {
          state.storage.sql.exec('CREATE TABLE planted (v TEXT)');
          state.storage.sql.exec('INSERT INTO planted VALUES (?)', PLANTED['secret of the API keys']);
        });
      },
    ],
    [
      'an export',
      async () => {
        const tracer = openTracer(env);
        const trace = `00-${crypto.randomUUID().replaceAll('-', '')}-b7ad6b7169203331-01`;
        tracer.begin(`span ${PLANTED['text of a client']}`, 'internal', trace).end();
        await tracer.flush();
      },
    ],
  ])('that is planted in %s stays unseen', async (_where, plant) => {
    const before = leaks(await everything()).length;
    await plant();
    expect(leaks(await everything()).length).toBe(before + 1);
  });
});
