// What is committed is closed: live mode refuses everything but /health until its secrets are there, and everyone after.
import { env } from 'cloudflare:workers';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { app } from '../../src/http/app.ts';
import { problemOf, requestOf, validPayment } from './client.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

const SECRET = 'a-secret-of-more-than-32-characters';
const STRIPE = { STRIPE_SECRET_KEY: 'sk_test_0123456789', STRIPE_WEBHOOK_SECRET: 'whsec_0123456789' };
const PATHS = [
  ['GET', '/payments'],
  ['POST', '/payments'],
  ['GET', '/payments/pay_1'],
  ['GET', '/payments/pay_1/events'],
  ['GET', '/idempotency-keys/k'],
  ['POST', '/wallets'],
  ['GET', '/wallets/w'],
  ['POST', '/wallets/w/deposits'],
  ['GET', '/wallets/w/entries'],
  ['DELETE', '/payments'],
  ['GET', '/no-such-path'],
] as const;
const PUBLIC_PATHS = [
  ['GET', '/docs'],
  ['GET', '/docs/start.js'],
  ['GET', '/docs/errors'],
  ['GET', '/docs/swagger-ui.css'],
  ['GET', '/docs/swagger-ui-bundle.js'],
  ['GET', '/swagger-ui.css'],
  ['GET', '/openapi.json'],
] as const;

function ask(method: string, path: string, vars: Record<string, unknown>): Response | Promise<Response> {
  const headers = { 'content-type': 'application/json', 'idempotency-key': 'k' };
  const body = method === 'POST' ? JSON.stringify(validPayment()) : null;
  return app.fetch(requestOf(path, { method, headers, body }), { ...env, ...vars });
}

describe('with the committed configuration and no secrets', () => {
  const committed = { MODE: 'live', AUTH: 'required' };

  it.each([...PATHS, ...PUBLIC_PATHS])('%s %s answers 503 misconfigured', async (method, path) => {
    const problem = await problemOf(await ask(method, path, committed), 503, 'misconfigured');
    expect(problem.retryable).toBe(false);
  });

  it('/health answers', async () => {
    expect((await ask('GET', '/health', committed)).status).toBe(200);
  });

  it('the log names what is missing, and the client does not learn it', async () => {
    const lines: string[] = [];
    vi.spyOn(console, 'log').mockImplementation((line: string) => lines.push(line));
    const text = await (await ask('GET', '/payments', committed)).text();
    expect(lines.join('\n')).toContain('"problems":"API_KEY_SECRET"');
    expect(text).not.toContain('API_KEY_SECRET');
  });
});

it.each<[string, Record<string, unknown>]>([
  ['no mode', { MODE: undefined }],
  ['an unknown mode', { MODE: 'test' }],
  ['no authentication said', { AUTH: undefined }],
  ['open authentication in live mode', { MODE: 'live', AUTH: 'open', API_KEY_SECRET: SECRET }],
  ['too short a secret', { MODE: 'live', AUTH: 'required', API_KEY_SECRET: 'short', ...STRIPE }],
  ['no provider', { MODE: 'live', AUTH: 'required', API_KEY_SECRET: SECRET }],
])('%s is misconfigured', async (_case, vars) => {
  await problemOf(await ask('GET', '/payments', vars), 503, 'misconfigured');
});

describe('with authentication required and its secret set', () => {
  const closed = { MODE: 'live', AUTH: 'required', API_KEY_SECRET: SECRET, ...STRIPE };

  it.each(PATHS)('%s %s answers 401, whatever is sent', async (method, path) => {
    const response = await ask(method, path, closed);
    await problemOf(response, 401, 'unauthenticated');
    expect(response.headers.get('www-authenticate')).toContain('Bearer');
  });

  it('the reference can be read by anyone', async () => {
    expect((await ask('GET', '/docs', closed)).status).toBe(200);
    expect((await ask('GET', '/openapi.json', closed)).status).toBe(200);
  });
});
