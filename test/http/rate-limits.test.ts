// Rate limits: who is counted, what is answered to one too many, and that it leaves nothing behind. The platform's counter is stood in
// for where a test needs it to refuse; what it does itself is asked of the real, simulated one.
import { listDurableObjectIds } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { Hono } from 'hono';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { app } from '../../src/http/app.ts';
import type { AppEnv } from '../../src/http/context.ts';
import { configuration } from '../../src/http/middleware/configuration.ts';
import { addressRateLimit, keyRateLimit } from '../../src/http/middleware/rate-limit.ts';
import { RATE_LIMITS } from '../../src/http/rate-limits.ts';
import { freshKey, jsonOf, problemOf, requestOf, runningPayment } from './client.ts';
import { OPERATIONS, requestFor } from './operations.ts';

const lines: string[] = [];
beforeEach(() => {
  lines.length = 0;
  vi.spyOn(console, 'log').mockImplementation((line: string) => lines.push(line));
});
afterEach(() => {
  vi.restoreAllMocks();
});
const logged = (event: string) => lines.map((line) => JSON.parse(line)).filter((line) => line.event === event);

/** A limiter that takes `allowed` of each key, and remembers whom it was asked about. */
class Limiter {
  readonly keys: string[] = [];
  readonly #allowed: number;

  constructor(allowed = Number.POSITIVE_INFINITY) {
    this.#allowed = allowed;
  }

  async limit({ key }: { key: string }): Promise<{ success: boolean }> {
    this.keys.push(key);
    return { success: this.keys.filter((each) => each === key).length <= this.#allowed };
  }
}

/** The environment with limits that are not lifted; all of them open unless a test says otherwise. */
function limited(limiters: Partial<Record<keyof Env, unknown>> = {}, vars: Record<string, unknown> = {}): Env {
  const open = Object.fromEntries(Object.values(RATE_LIMITS).map(({ binding }) => [binding, new Limiter()]));
  return { ...env, ...open, ...limiters, RATE_LIMITS: 'on', ...vars } as unknown as Env;
}

function from(address: string, path = '/payments', init: RequestInit = {}): Request {
  return requestOf(path, { ...init, headers: { ...init.headers, 'cf-connecting-ip': address } });
}

describe('an address', () => {
  it('is refused above its limit with 429, Retry-After and the RateLimit headers, and nobody else is', async () => {
    const here = limited({ ADDRESS_RATE_LIMIT: new Limiter(1) });
    expect((await app.fetch(from('192.0.2.1'), here)).status).toBe(200);
    const refused = await app.fetch(from('192.0.2.1'), here);
    const problem = await problemOf(refused, 429, 'rate_limited');
    expect(problem).toMatchObject({
      retryable: true,
      detail: 'More than 2000 requests in 10 seconds from this address.',
    });
    expect(Object.fromEntries(refused.headers)).toMatchObject({
      'retry-after': '10',
      ratelimit: '"address";r=0;t=10',
      'ratelimit-policy': '"address";q=2000;w=10',
    });
    expect((await app.fetch(from('192.0.2.2'), here)).status).toBe(200);
  });

  it('is refused before anybody is asked who it is, so that guessing keys is bounded', async () => {
    const limiter = new Limiter(2);
    const here = limited({ ADDRESS_RATE_LIMIT: limiter }, { AUTH: 'required', API_KEY_SECRET: 's'.repeat(32) });
    const guess = () => from('192.0.2.1', '/payments', { headers: { authorization: `Bearer ${crypto.randomUUID()}` } });
    const statuses = [];
    for (let guesses = 0; guesses < 4; guesses += 1) statuses.push((await app.fetch(guess(), here)).status);
    expect(statuses).toEqual([401, 401, 429, 429]);
  });

  it('is its /64 where it is IPv6', async () => {
    const here = limited({ ADDRESS_RATE_LIMIT: new Limiter(1) });
    await app.fetch(from('2001:db8::1'), here);
    await problemOf(await app.fetch(from('2001:db8::2'), here), 429, 'rate_limited');
  });

  it('is counted for pages, too, and for paths that do not exist', async () => {
    const limiter = new Limiter();
    const here = limited({ ADDRESS_RATE_LIMIT: limiter });
    for (const path of ['/docs', '/openapi.json', '/nowhere']) await app.fetch(from('192.0.2.1', path), here);
    expect(limiter.keys).toHaveLength(3);
  });

  it('can always ask whether the service lives', async () => {
    const here = limited({ ADDRESS_RATE_LIMIT: new Limiter(0) });
    const response = await app.fetch(from('192.0.2.1', '/health'), here);
    expect(response.status).toBe(200);
    expect(response.headers.has('ratelimit-policy')).toBe(false);
  });

  it('is not counted where the limits are lifted', async () => {
    const here = limited({ ADDRESS_RATE_LIMIT: new Limiter(0) }, { RATE_LIMITS: 'off' });
    const response = await app.fetch(from('192.0.2.1'), here);
    expect(response.status).toBe(200);
    expect(response.headers.has('ratelimit-policy')).toBe(false);
  });
});

describe('an API key', () => {
  /** The middleware as the application orders it, with somebody who is known already. */
  function known(id?: string) {
    const inner = new Hono<AppEnv>();
    inner.use(configuration, addressRateLimit);
    inner.use(async (c, next) => {
      if (id !== undefined) c.set('apiKey', { id, merchant: null, scopes: [] });
      await next();
    });
    inner.use(keyRateLimit);
    inner.get('/', (c) => c.json({ counted: c.get('rateLimits') ?? null }));
    return inner;
  }

  it('is counted by its id, after its address', async () => {
    const limiter = new Limiter(1);
    const here = limited({ KEY_RATE_LIMIT: limiter });
    const first = await known('key_1').fetch(from('192.0.2.1', '/'), here);
    expect(await jsonOf(first, 200)).toEqual({ counted: ['address', 'api-key'] });
    // From wherever it is used.
    const refused = await known('key_1').fetch(from('192.0.2.2', '/'), here);
    expect(await jsonOf(refused, 429)).toMatchObject({
      detail: 'More than 1000 requests in 10 seconds with this API key.',
    });
    expect(refused.headers.get('ratelimit')).toBe('"api-key";r=0;t=10');
    expect((await known('key_2').fetch(from('192.0.2.1', '/'), here)).status).toBe(200);
    expect(limiter.keys).toEqual(['key_1', 'key_1', 'key_2']);
  });

  it('that is none is not counted', async () => {
    const limiter = new Limiter(0);
    const response = await known().fetch(from('192.0.2.1', '/'), limited({ KEY_RATE_LIMIT: limiter }));
    expect(await jsonOf(response, 200)).toEqual({ counted: ['address'] });
    expect(limiter.keys).toEqual([]);
  });
});

describe('a refused request', () => {
  it('leaves its idempotency key free, and its body unread', async () => {
    const key = freshKey();
    const headers = { 'content-type': 'application/json', 'idempotency-key': key };
    const unread = new ReadableStream({
      pull() {
        throw new Error('read');
      },
    });
    const before = await listDurableObjectIds(env.PAYMENT_SAGA);
    const closed = limited({ ADDRESS_RATE_LIMIT: new Limiter(0) });
    const refused = from('192.0.2.1', '/payments', { method: 'POST', headers, body: unread });
    await problemOf(await app.fetch(refused, closed), 429, 'rate_limited');
    expect(await listDurableObjectIds(env.PAYMENT_SAGA)).toHaveLength(before.length);

    const body = JSON.stringify(runningPayment());
    const again = await app.fetch(from('192.0.2.1', '/payments', { method: 'POST', headers, body }), limited());
    expect(again.headers.get('idempotency-status')).toBe('created');
    await jsonOf(again, 202);
  });

  it('is one line in the log, with its code', async () => {
    await app.fetch(from('192.0.2.1'), limited({ ADDRESS_RATE_LIMIT: new Limiter(0) }));
    expect(logged('http.request')).toMatchObject([{ status: 429, code: 'rate_limited' }]);
    expect(lines.join('\n')).not.toContain('192.0.2.1');
  });

  it.each(OPERATIONS.filter(({ path }) => path !== '/health'))('is described: $name', async (operation) => {
    expect(operation.answers['429']).toEqual(['rate_limited']);
    const closed = new Limiter(0);
    const here = limited({ ADDRESS_RATE_LIMIT: closed, CALLBACK_RATE_LIMIT: closed });
    await problemOf(await app.fetch(requestFor(operation), here), 429, 'rate_limited');
    expect(closed.keys).toHaveLength(1);
  });
});

describe('a callback of a provider', () => {
  const callback = (address: string) => from(address, '/providers/acme/callbacks', { method: 'POST', body: '{}' });

  it('has a limit of its own: neither takes from the other', async () => {
    const here = limited({ CALLBACK_RATE_LIMIT: new Limiter(1), ADDRESS_RATE_LIMIT: new Limiter(1) });
    expect((await app.fetch(callback('192.0.2.1'), here)).status).toBe(401);
    expect((await app.fetch(from('192.0.2.1'), here)).status).toBe(200);
    const refused = await app.fetch(callback('192.0.2.1'), here);
    await problemOf(refused, 429, 'rate_limited');
    expect(refused.headers.get('ratelimit')).toBe('"callbacks";r=0;t=10');
  });

  it('is refused with an answer that makes the provider send it again, and a line that names the route', async () => {
    const refused = await app.fetch(callback('192.0.2.1'), limited({ CALLBACK_RATE_LIMIT: new Limiter(0) }));
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('10');
    expect(logged('http.request')).toMatchObject([{ route: '/providers/:name/callbacks', code: 'rate_limited' }]);
  });
});

describe('a limiter', () => {
  it('that fails lets the request through, and says so', async () => {
    const broken = {
      limit: () => Promise.reject(new Error('limiter away')),
    };
    expect((await app.fetch(from('192.0.2.1'), limited({ ADDRESS_RATE_LIMIT: broken }))).status).toBe(200);
    expect(logged('http.rate_limit_failed')).toMatchObject([
      { alert: true, operation: 'address', error: 'Error: limiter away' },
    ]);
  });

  it.each(Object.values(RATE_LIMITS).map(({ binding }) => binding))(
    '%s that is missing is misconfigured',
    async (name) => {
      await problemOf(await app.fetch(from('192.0.2.1'), limited({ [name]: undefined })), 503, 'misconfigured');
      expect(logged('http.misconfigured')).toMatchObject([{ problems: name }]);
      // Where they are lifted nobody needs it.
      const lifted = limited({ [name]: undefined }, { RATE_LIMITS: 'off' });
      expect((await app.fetch(from('192.0.2.1'), lifted)).status).toBe(200);
    },
  );

  it('of the platform counts each key by itself', async () => {
    // Made for this test (vitest.config.ts): two in a minute. A minute may end in between, once.
    const here = limited({ ADDRESS_RATE_LIMIT: env.TEST_RATE_LIMIT });
    const statuses: number[] = [];
    while (statuses.at(-1) !== 429 && statuses.length < 6)
      statuses.push((await app.fetch(from('192.0.2.1'), here)).status);
    expect(statuses.slice(0, 2)).toEqual([200, 200]);
    expect(statuses.at(-1)).toBe(429);
    expect((await app.fetch(from('192.0.2.2'), here)).status).toBe(200);
  });

  it('of each policy is bound', async () => {
    for (const { binding } of Object.values(RATE_LIMITS)) {
      expect(await env[binding].limit({ key: 'somebody' })).toEqual({ success: true });
    }
  });
});

it('what passes says by which policies it was counted, on errors as well', async () => {
  for (const path of ['/payments', '/nowhere', '/docs']) {
    const { headers } = await app.fetch(from('192.0.2.1', path), limited());
    expect(headers.get('ratelimit-policy'), path).toBe('"address";q=2000;w=10');
    expect(headers.has('ratelimit'), path).toBe(false);
  }
});
