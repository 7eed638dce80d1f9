// Security headers on every answer: over every operation of the OpenAPI document, and over every kind of answer that there is. And
// that no other origin is let in: there is no CORS.
import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import { app } from '../../src/http/app.ts';
import { CONTENT_POLICIES, SECURITY_HEADERS } from '../../src/http/security-headers.ts';
import { freshKey, jsonOf, pay, requestOf, runningPayment, send } from './client.ts';
import { OPERATIONS, requestFor } from './operations.ts';

const ORIGIN = 'https://elsewhere.test';

/** Everything of ours that a browser goes by, but the two that a page chooses. */
function expectClosed({ headers }: Response): void {
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) {
    if (name === 'Content-Security-Policy' || name === 'Cache-Control') continue;
    expect(headers.get(name), name).toBe(value);
  }
  const policy = headers.get('content-security-policy') ?? '';
  expect(policy).toMatch(/^default-src 'none';/);
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toMatch(/unsafe-eval|https?:|\*/);
  expect(headers.get('content-type')).not.toBeNull();
  for (const [name] of headers) {
    // Nobody else may read; no cookies, so nothing to forge; nothing that says what runs here.
    expect(name).not.toMatch(/^(access-control-.*|set-cookie|server|x-powered-by)$/);
  }
}

describe.each(OPERATIONS)('$name', (operation) => {
  it('is answered with them, to a caller on this origin and on another', async () => {
    for (const headers of [{}, { origin: ORIGIN }]) {
      const response = await app.fetch(requestFor(operation, { headers }), env);
      expectClosed(response);
      const isPage = response.headers.get('content-type')?.startsWith('text/html') === true;
      const { none, reference, console } = CONTENT_POLICIES;
      const ofPage = operation.path === '/console' ? console : reference;
      expect(response.headers.get('content-security-policy')).toBe(isPage ? ofPage : none);
      // The console's page holds nothing, and is asked for anew each time.
      expect(response.headers.get('cache-control')).toBe(operation.path === '/console' ? 'no-cache' : 'no-store');
      await response.body?.cancel();
    }
  });

  it('is not opened to another origin by a preflight', async () => {
    const headers = {
      origin: ORIGIN,
      'access-control-request-method': operation.method,
      'access-control-request-headers': 'authorization, content-type',
    };
    const response = await app.fetch(requestOf(operation.path, { method: 'OPTIONS', headers }), env);
    expect(response.status).toBe(405);
    expectClosed(response);
  });
});

describe('an answer that is', () => {
  const closed = { AUTH: 'required', API_KEY_SECRET: 's'.repeat(32) };
  const broken = {
    DB: new Proxy(
      {},
      {
        get() {
          throw new Error('out of order');
        },
      },
    ),
  };
  const refusing = { ADDRESS_RATE_LIMIT: { limit: async () => ({ success: false }) }, RATE_LIMITS: 'on' };

  it.each<[string, number, Request, Record<string, unknown>]>([
    ['a path that does not exist', 404, requestOf('/nowhere'), {}],
    ['a method that is not taken', 405, requestOf('/payments', { method: 'PUT' }), {}],
    ['nobody known', 401, requestOf('/payments'), closed],
    ['one too many', 429, requestOf('/payments'), refusing],
    ['a bug', 500, requestOf('/payments'), broken],
    ['misconfigured', 503, requestOf('/payments'), { MODE: 'live' }],
  ])('%s has them', async (_case, status, request, vars) => {
    const response = await app.fetch(request, { ...env, ...vars });
    expect(response.status).toBe(status);
    expectClosed(response);
  });

  it('a payment, its list, its timeline and its live stream has them', async () => {
    const created = await pay(freshKey(), runningPayment());
    expectClosed(created);
    const { id } = await jsonOf<{ id: string }>(created, 202);
    const stream = await send(`/payments/${id}/events`, { headers: { accept: 'text/event-stream' } });
    expect(stream.headers.get('content-type')).toContain('text/event-stream');
    await stream.body?.cancel();
    for (const response of [await send(`/payments/${id}`), await send(`/payments/${id}/events`), stream]) {
      expect(response.status).toBe(200);
      expectClosed(response);
      expect(response.headers.get('cache-control')).toMatch(/no-store|no-cache/);
    }
  });

  it.each(['/docs/swagger-ui.css', '/docs/swagger-ui-bundle.js', '/docs/start.js', '/docs/errors'])(
    'the file %s has them',
    async (path) => {
      const response = await send(path);
      expect(response.status).toBe(200);
      expectClosed(response);
    },
  );

  it('to HEAD, and so without a body, has them, too', async () => {
    const response = await send('/payments', { method: 'HEAD' });
    expect(await response.text()).toBe('');
    expectClosed(response);
  });
});

describe('the policy of a page', () => {
  it.each(Object.entries(CONTENT_POLICIES))(
    '%s lets in nothing of another origin, and no script that is not a file',
    (_name, policy) => {
      const directives = Object.fromEntries(
        policy.split('; ').map((part) => [part.split(' ')[0], part.split(' ').slice(1)]),
      );
      expect(directives['default-src']).toEqual(["'none'"]);
      expect(directives['frame-ancestors']).toEqual(["'none'"]);
      expect(directives['script-src'] ?? ["'self'"]).toEqual(["'self'"]);
      expect(policy).not.toMatch(/https?:|\*|unsafe-eval|'unsafe-hashes'/);
    },
  );
});
