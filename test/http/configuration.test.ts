// What is committed is closed: live mode refuses everything but /health until its secrets are there, and everyone without a key
// after. Over every operation of the OpenAPI document, and over paths that it does not have.
import { env } from 'cloudflare:workers';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { app } from '../../src/http/app.ts';
import wranglerToml from '../../wrangler.toml?raw';
import { problemOf, requestOf } from './client.ts';
import { OPERATIONS, requestFor } from './operations.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

const SECRET = 'a-secret-of-more-than-32-characters';
const STRIPE = { STRIPE_SECRET_KEY: 'sk_test_0123456789', STRIPE_WEBHOOK_SECRET: 'whsec_0123456789' };
/** What this test run sets, and a deploy does not. */
const UNSET = { MODE: undefined, AUTH: undefined, RATE_LIMITS: undefined };
/** `[vars]` as they are in the file: to its next section. */
const COMMITTED = Object.fromEntries(
  [...(/^\[vars\]$([^[]*)/m.exec(wranglerToml)?.[1] ?? '').matchAll(/^(\w+) = "(.*)"$/gm)].map(([, name, value]) => [
    name,
    value,
  ]),
);

const HEALTH = '/health';
/** Files and pages that stand beside the API, methods that nothing takes, and paths that lead nowhere. */
const BESIDE = [
  ['GET', '/docs/start.js'],
  ['GET', '/docs/errors'],
  ['GET', '/docs/swagger-ui.css'],
  ['GET', '/docs/swagger-ui-bundle.js'],
  ['GET', '/swagger-ui.css'],
  ['DELETE', '/payments'],
  ['OPTIONS', '/payments'],
  ['HEAD', '/payments'],
  ['POST', '/docs'],
  ['GET', '/no-such-path'],
  ['GET', '/'],
  ['GET', '//health'],
  ['GET', '/health/'],
  ['GET', '/%68ealth/x'],
  ['GET', '/ops'],
  ['GET', '/console'],
] as const;
const OPEN_TO_ALL = ['/docs', '/openapi.json'];

const withVars = (vars: Record<string, unknown>): Env => ({ ...env, ...UNSET, ...vars }) as unknown as Env;
function ask(method: string, path: string, vars: Record<string, unknown>): Response | Promise<Response> {
  return app.fetch(requestOf(path, { method }), withVars(vars));
}

describe('with the committed configuration and no secrets', () => {
  it('is live and asks for keys, and says nothing more', () => {
    expect(COMMITTED).toEqual({ MODE: 'live', AUTH: 'required' });
  });

  it.each(OPERATIONS.filter(({ path }) => path !== HEALTH))('$name answers 503 misconfigured', async (operation) => {
    const problem = await problemOf(await app.fetch(requestFor(operation), withVars(COMMITTED)), 503, 'misconfigured');
    expect(problem.retryable).toBe(false);
    expect(operation.answers['503']).toContain('misconfigured');
  });

  it.each(BESIDE)('%s %s answers 503', async (method, path) => {
    const response = await ask(method, path, COMMITTED);
    expect(response.status).toBe(503);
    if (method !== 'HEAD') await problemOf(response, 503, 'misconfigured');
  });

  it('/health answers, and tells nothing', async () => {
    const response = await ask('GET', HEALTH, COMMITTED);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: 'ok' });
  });

  it('the log names what is missing, and the client does not learn it', async () => {
    const lines: string[] = [];
    vi.spyOn(console, 'log').mockImplementation((line: string) => lines.push(line));
    const text = await (await ask('GET', '/payments', COMMITTED)).text();
    expect(lines.join('\n')).toContain('"problems":"API_KEY_SECRET"');
    expect(text).not.toContain('API_KEY_SECRET');
  });
});

it.each<[string, Record<string, unknown>]>([
  ['no mode', { AUTH: 'open' }],
  ['an unknown mode', { MODE: 'test', AUTH: 'open' }],
  ['no authentication said', { MODE: 'sandbox' }],
  ['open authentication in live mode', { MODE: 'live', AUTH: 'open', API_KEY_SECRET: SECRET, ...STRIPE }],
  ['too short a secret', { MODE: 'live', AUTH: 'required', API_KEY_SECRET: 'short', ...STRIPE }],
  ['no provider', { MODE: 'live', AUTH: 'required', API_KEY_SECRET: SECRET }],
  ['lifted rate limits in live mode', { ...COMMITTED, API_KEY_SECRET: SECRET, ...STRIPE, RATE_LIMITS: 'off' }],
  ['a rate limit without its binding', { ...COMMITTED, API_KEY_SECRET: SECRET, ...STRIPE, KEY_RATE_LIMIT: undefined }],
])('%s is misconfigured', async (_case, vars) => {
  await problemOf(await ask('GET', '/payments', vars), 503, 'misconfigured');
});

describe('with authentication required and its secret set', () => {
  const closed = { ...COMMITTED, API_KEY_SECRET: SECRET, ...STRIPE };
  const asking = OPERATIONS.filter(({ answers }) => answers['401']?.includes('unauthenticated'));

  it('the document says of every operation that it asks who is calling, but of those that anybody may call', () => {
    const others = OPERATIONS.filter((operation) => !asking.includes(operation)).map(({ name }) => name);
    expect(others.sort()).toEqual(
      ['GET /console', 'GET /docs', 'GET /health', 'GET /openapi.json', 'POST /providers/{name}/callbacks'].sort(),
    );
  });

  it.each(asking)('$name answers 401 to whoever is nobody', async (operation) => {
    for (const headers of [{}, { authorization: 'Bearer nobody' }, { authorization: 'Basic bm9ib2R5' }]) {
      const response = await app.fetch(requestFor(operation, { headers }), withVars(closed));
      await problemOf(response, 401, 'unauthenticated');
      expect(response.headers.get('www-authenticate')).toContain('Bearer');
    }
  });

  it.each(['/no-such-path', '/ops', '/payments/x/y'])(
    '%s answers 401: who is nobody does not learn what exists',
    async (path) => {
      await problemOf(await ask('GET', path, closed), 401, 'unauthenticated');
    },
  );

  it('a callback that no provider signed is refused', async () => {
    const callback = requestOf('/providers/stripe/callbacks', { method: 'POST', body: '{}' });
    await problemOf(await app.fetch(callback, withVars(closed)), 401, 'callback_signature_invalid');
  });

  it.each(OPEN_TO_ALL)('%s can be read by anyone', async (path) => {
    expect((await ask('GET', path, closed)).status).toBe(200);
  });
});
