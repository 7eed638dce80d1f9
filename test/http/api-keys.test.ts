// API keys over HTTP: which are let in, how they are made, listed, rotated and revoked, and that their text is nowhere else.
import { env } from 'cloudflare:workers';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { mintApiKey, parseApiKey } from '../../src/domain/api-key.ts';
import type { ApiKeyView } from '../../src/domain/api-key-record.ts';
import { API_KEYS_ACTIVE_MAX, DAY_MS, LIVE_KEEP_ALIVE_MS } from '../../src/domain/limits.ts';
import { API_KEY_SECRET, answered, ask, bootstrap, CLOSED, type IssuedKey, issue, WORD } from '../support/keys.ts';
import { freshKey, problemOf, send } from './client.ts';

interface List {
  readonly data: ApiKeyView[];
  readonly next_cursor: string | null;
}

const INVALID = 'Bearer realm="holdfast", error="invalid_token", error_description="The API key does not count here"';

afterEach(() => {
  vi.restoreAllMocks();
});

/** Lines of the log from now on. */
function logged(): Record<string, unknown>[] {
  const lines: Record<string, unknown>[] = [];
  vi.spyOn(console, 'log').mockImplementation((line: string) => lines.push(JSON.parse(line)));
  return lines;
}

async function auditOf(id: string): Promise<Record<string, unknown>[]> {
  const { results } = await env.DB.prepare('SELECT * FROM audit_log WHERE subject LIKE ? ORDER BY id')
    .bind(`%${id}%`)
    .all();
  return results;
}

const list = (key: string, query = '') => answered<List>(200, ask(`GET /ops/api-keys?${query}`, { key }));
const read = (id: string, key = bootstrap()) => answered<ApiKeyView>(200, ask(`GET /ops/api-keys/${id}`, { key }));
const revoke = (id: string, key = bootstrap()) => ask(`POST /ops/api-keys/${id}/revoke`, { key, body: WORD });
const rotate = (id: string, body: object = {}, key = bootstrap()) =>
  ask(`POST /ops/api-keys/${id}/rotate`, { key, body: { ...WORD, ...body } });
const create = (key: string, body: object) =>
  ask('POST /ops/api-keys', { key, body: { name: 'a test', scopes: ['payments:read'], ...WORD, ...body } });
const works = async (key: string): Promise<boolean> => (await ask('GET /payments', { key })).status === 200;

describe('a request', () => {
  it('with a key acts for its merchant', async () => {
    const { key } = await issue('shop', ['wallets:write', 'payments:read']);
    const { id } = await answered<{ id: string }>(201, ask('POST /wallets', { key, body: { currency: 'USD' } }));
    await answered(200, ask(`GET /wallets/${id}`, { key }));
    expect((await env.WALLET.getByName(`shop|sandbox|${id}`).read()).kind).toBe('found');
    expect((await send(`/wallets/${id}`)).status).toBe(404);
  });

  it('names its key in the log, and nowhere the key itself', async () => {
    const { key, id } = await issue('shop', ['payments:read']);
    const lines = logged();
    await ask('GET /payments', { key });
    expect(lines).toContainEqual(expect.objectContaining({ event: 'http.request', api_key_id: id, merchant: 'shop' }));
    expect(JSON.stringify(lines)).not.toContain(key.slice(-20));
  });

  it('may write the scheme in any case, with spaces after it', async () => {
    const { key } = await issue('shop', ['payments:read']);
    for (const authorization of [`bearer ${key}`, `BEARER   ${key} `]) {
      expect((await ask('GET /payments', { headers: { authorization } })).status, authorization).toBe(200);
    }
  });

  it.each(['', 'Bearer', 'Bearer ', 'Basic aGY6c2VjcmV0', 'Digest x', 'hf_sandbox_x_y', 'Bearer a b'])(
    'with %j shows no key: 401, without an error code',
    async (authorization) => {
      const response = await ask('GET /payments', { headers: { authorization } });
      await problemOf(response, 401, 'unauthenticated');
      expect(response.headers.get('www-authenticate')).toBe('Bearer realm="holdfast"');
    },
  );
});

describe('a key that does not count is 401, all of them alike, and the log knows why', () => {
  const flip = (text: string, at: number) => text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
  const cases: [string, string, () => Promise<string>][] = [
    ['is no key', 'malformed', async () => 'hf_sandbox_nonsense'],
    [
      'is of the other mode',
      'other_mode',
      async () => mintApiKey(API_KEY_SECRET, 'live', (await fresh()).id, RANDOM).key,
    ],
    [
      'says it is of this mode and was made for the other',
      'not_ours',
      async () => mintApiKey(API_KEY_SECRET, 'live', (await fresh()).id, RANDOM).key.replace('live', 'sandbox'),
    ],
    ['has another id', 'not_ours', async () => flip((await fresh()).key, 15)],
    ['has another secret', 'not_ours', async () => flip((await fresh()).key, 50)],
    ['has another check', 'not_ours', async () => flip((await fresh()).key, (await fresh()).key.length - 1)],
    [
      'was made under another API_KEY_SECRET',
      'not_ours',
      async () => mintApiKey(`${API_KEY_SECRET}!`, 'sandbox', (await fresh()).id, RANDOM).key,
    ],
    [
      'was never made',
      'unknown',
      async () => mintApiKey(API_KEY_SECRET, 'sandbox', `ak_${'9'.repeat(22)}`, RANDOM).key,
    ],
    [
      'has the id of another and a secret of its own',
      'mismatch',
      async () => mintApiKey(API_KEY_SECRET, 'sandbox', (await fresh()).id, RANDOM).key,
    ],
    [
      'is revoked',
      'revoked',
      async () => {
        const { id, key } = await fresh();
        await answered(200, revoke(id));
        return key;
      },
    ],
    [
      'was rotated out without an overlap',
      'expired',
      async () => {
        const { id, key } = await fresh();
        await answered(201, rotate(id, { overlap_seconds: 0 }));
        return key;
      },
    ],
    [
      'is a bootstrap token of another secret',
      'bootstrap',
      async () => bootstrap(undefined, undefined, `${API_KEY_SECRET}!`),
    ],
    ['is a bootstrap token for another host', 'bootstrap', async () => bootstrap(undefined, 'holdfast.example')],
    ['is a bootstrap token that is too old', 'bootstrap', async () => bootstrap(Math.floor(Date.now() / 1_000) - 300)],
    ['is a bootstrap token of the future', 'bootstrap', async () => bootstrap(Math.floor(Date.now() / 1_000) + 120)],
  ];
  const RANDOM = new Uint8Array(32).fill(3);
  const fresh = () => issue('shop', ['payments:read', 'ops']);

  it.each(cases)('where it %s', async (_case, reason, make) => {
    const key = await make();
    const lines = logged();
    const response = await ask('GET /ops/api-keys', { key });
    expect((await problemOf(response, 401, 'unauthenticated')).detail).toBe(
      'The API key does not count here: it is unknown, revoked or expired, or a key of the other mode.',
    );
    expect(response.headers.get('www-authenticate')).toBe(INVALID);
    expect(lines).toContainEqual(expect.objectContaining({ event: 'http.key_refused', reason }));
    expect(JSON.stringify(lines)).not.toContain(key.slice(-20));
  });

  it('and one that we have not made asks no object', async () => {
    const { key } = await fresh();
    const asked = vi.fn();
    const API_KEY = { getByName: asked };
    const response = await ask('GET /payments', { key: flip(key, 50), env: { ...CLOSED, API_KEY } });
    await problemOf(response, 401, 'unauthenticated');
    expect(asked).not.toHaveBeenCalled();
  });

  it('and while its object cannot be asked, nobody is let in', async () => {
    const { key } = await fresh();
    const away = Object.assign(new Error('overloaded'), { overloaded: true });
    const API_KEY = { getByName: () => ({ verify: () => Promise.reject(away) }) };
    await problemOf(await ask('GET /payments', { key, env: { ...CLOSED, API_KEY } }), 503, 'overloaded');
  });
});

describe('making a key', () => {
  it('shows it once: with a Location, in no list, no reading, no row and no audit', async () => {
    const response = await create(bootstrap(), {
      merchant: 'shop',
      scopes: ['payments:read', 'webhooks'],
      name: 'backend',
    });
    const made = await answered<IssuedKey>(201, Promise.resolve(response));
    expect(response.headers.get('location')).toBe(`/ops/api-keys/${made.id}`);
    const { key, ...shown } = made;
    expect(shown).toEqual({
      id: made.id,
      object: 'api_key',
      mode: 'sandbox',
      merchant: 'shop',
      scopes: ['payments:read', 'webhooks'],
      name: 'backend',
      status: 'active',
      rotated_from: null,
      created_at: made.created_at,
      expires_at: null,
      revoked_at: null,
    });
    expect(key.startsWith(`hf_sandbox_${made.id.slice(3)}_`)).toBe(true);
    expect(await read(made.id)).toEqual(shown);
    expect((await list(bootstrap())).data[0]).toEqual(shown);

    const rows = JSON.stringify([
      await env.DB.prepare('SELECT * FROM api_keys').all(),
      await env.DB.prepare('SELECT * FROM audit_log').all(),
      await list(bootstrap()),
    ]);
    const parsed = parseApiKey(key);
    expect(rows).toContain(made.id);
    for (const secret of [parsed?.secret, parsed?.check]) expect(rows).not.toContain(secret);
  });

  it('is in the audit log, with what it was made with', async () => {
    const { id } = await issue('shop', ['ops', 'payments:read']);
    expect(await auditOf(id)).toMatchObject([
      {
        actor: 'jane',
        reason: 'a test',
        action: 'api_key.create',
        subject: `${id} shop ops,payments:read`,
        merchant: 'shop',
        credential: 'bootstrap',
      },
    ]);
    const platform = await issue(null, ['ops']);
    expect(await auditOf(platform.id)).toMatchObject([{ merchant: '*', subject: `${platform.id} platform ops` }]);
  });

  it('may give it an end', async () => {
    const expires_at = new Date(Date.now() + DAY_MS).toISOString();
    expect(await issue('shop', ['ops'], { expires_at })).toMatchObject({ status: 'active', expires_at });
    await problemOf(
      await create(bootstrap(), { merchant: 'shop', expires_at: '2020-01-01T00:00:00Z' }),
      400,
      'validation_failed',
    );
  });

  it.each<[string, object]>([
    ['no merchant said, by who has none', {}],
    ['a merchant that cannot be one', { merchant: '*' }],
    ['an empty merchant', { merchant: '' }],
    ['no scope', { merchant: 'shop', scopes: [] }],
    ['an unknown scope', { merchant: 'shop', scopes: ['platform'] }],
    ['a scope twice', { merchant: 'shop', scopes: ['ops', 'ops'] }],
    ['a platform key that pays', { merchant: null, scopes: ['ops', 'payments:write'] }],
    ['no name', { merchant: 'shop', name: '' }],
    ['no actor', { merchant: 'shop', actor: undefined }],
    ['no reason', { merchant: 'shop', reason: undefined }],
    ['an unknown field', { merchant: 'shop', mode: 'live' }],
  ])('is refused with %s', async (_what, body) => {
    await problemOf(await create(bootstrap(), body), 400, 'validation_failed');
  });

  it('by a merchant’s key is of that merchant, and of no scope that it lacks', async () => {
    const { id, key } = await issue('shop', ['ops', 'payments:read']);
    const own = await answered<IssuedKey>(201, create(key, {}));
    expect(own).toMatchObject({ merchant: 'shop', scopes: ['payments:read'] });
    expect(await auditOf(own.id)).toMatchObject([{ credential: id, merchant: 'shop' }]);
    await answered(201, create(key, { merchant: 'shop', scopes: ['ops'] }));
    for (const merchant of ['other', null]) {
      const scopes = ['ops'];
      expect((await problemOf(await create(key, { merchant, scopes }), 403, 'forbidden')).detail).toContain('merchant');
    }
    const refused = await problemOf(
      await create(key, { scopes: ['payments:read', 'payments:write'] }),
      403,
      'forbidden',
    );
    expect(refused.detail).toContain('payments:write');
    expect(refused.detail).not.toContain('payments:read');
  });

  it('by a platform key is of any merchant', async () => {
    const platform = await issue(null, ['ops']);
    const made = await answered<IssuedKey>(201, create(platform.key, { merchant: 'other', scopes: ['payments:read'] }));
    expect(await works(made.key)).toBe(true);
    await answered(201, create(platform.key, { merchant: null, scopes: ['ops'] }));
  });

  it('ends at as many as one may have', async () => {
    const merchant = 'hoarder';
    const row = env.DB.prepare(
      `INSERT INTO api_keys (id, mode, merchant, name, scopes, created_at_ms, expires_at_ms, revoked_at_ms)
       VALUES (?, 'sandbox', 'hoarder', 'n', '[]', 1, ?, ?)`,
    );
    const active = Array.from({ length: API_KEYS_ACTIVE_MAX - 1 }, (_, n) => row.bind(`active-${n}`, null, null));
    await env.DB.batch([...active, row.bind('expired', 2, null), row.bind('revoked', null, 2)]);
    const last = await issue(merchant, ['ops']);
    await problemOf(await create(bootstrap(), { merchant }), 422, 'api_keys_limit_exceeded');
    await problemOf(await rotate(last.id), 422, 'api_keys_limit_exceeded');
    await answered(200, revoke(last.id));
    await issue(merchant, ['ops']);
  });

  it('needs API_KEY_SECRET, also where authentication is open', async () => {
    const body = JSON.stringify({ merchant: 'shop', scopes: ['ops'], name: 'n', ...WORD });
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
    await problemOf(await send('/ops/api-keys', init), 409, 'api_keys_not_configured');
    const open = { ...CLOSED, AUTH: 'open' };
    const made = await answered<IssuedKey>(201, ask('POST /ops/api-keys', { body: JSON.parse(body), env: open }));
    expect((await ask('GET /ops/api-keys', { key: made.key })).status).toBe(200);
  });
});

describe('revoking a key', () => {
  it('counts from the next request on, for good, and is in the audit log once', async () => {
    const { id, key } = await issue('shop', ['payments:read']);
    expect(await works(key)).toBe(true);
    const revoked = await answered<ApiKeyView>(200, revoke(id));
    expect(revoked).toMatchObject({ id, status: 'revoked', revoked_at: expect.any(String) });
    expect(await works(key)).toBe(false);
    expect(await answered(200, revoke(id))).toEqual(revoked);
    expect(await read(id)).toEqual(revoked);
    expect((await list(bootstrap(), 'merchant=shop')).data.find((each) => each.id === id)).toEqual(revoked);
    expect((await auditOf(id)).map(({ action }) => action)).toEqual(['api_key.create', 'api_key.revoke']);
  });

  it('can be done with the key itself, and tells the list what it had missed', async () => {
    const { id, key } = await issue('shop', ['ops']);
    await answered(200, revoke(id, key));
    expect((await revoke(id, key)).status).toBe(401);
    await env.DB.prepare('UPDATE api_keys SET revoked_at_ms = NULL WHERE id = ?').bind(id).run();
    await answered(200, revoke(id));
    expect((await list(bootstrap(), 'merchant=shop')).data.find((each) => each.id === id)?.status).toBe('revoked');
  });

  it('ends the stream that it is reading, at the next sign of life, and lets it in no more', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] });
    try {
      const { id, key } = await issue('shop', ['payments:write', 'payments:read']);
      const body = {
        wallet_id: 'w',
        service_id: 's',
        amount: 1,
        currency: 'USD',
        method: 'balance',
        token: 'pm_sim_lost',
      };
      const headers = { 'idempotency-key': freshKey() };
      const payment = await answered<{ id: string }>(202, ask('POST /payments', { key, body, headers }));
      const open = () => ask(`GET /payments/${payment.id}/events`, { key, headers: { accept: 'text/event-stream' } });
      const stream = await open();
      expect(stream.status).toBe(200);
      const heard: string[] = [];
      const reading = (async () => {
        for await (const text of stream.body?.pipeThrough(new TextDecoderStream()) ?? []) heard.push(text);
        return 'ended';
      })();
      const signs = () => heard.join('').split(': still here').length - 1;
      await expect.poll(() => heard.join('')).toContain('payment.created');
      vi.advanceTimersByTime(LIVE_KEEP_ALIVE_MS);
      await expect.poll(signs).toBe(1);
      await answered(200, revoke(id));
      vi.advanceTimersByTime(LIVE_KEEP_ALIVE_MS);
      expect(await reading).toBe('ended');
      expect(signs()).toBe(2);
      expect((await open()).status).toBe(401);
    } finally {
      vi.useRealTimers();
    }
  });

  it('says who and why, or does nothing', async () => {
    const { id, key } = await issue('shop', ['payments:read']);
    for (const body of [{}, { actor: 'jane' }, { reason: 'r' }]) {
      await problemOf(
        await ask(`POST /ops/api-keys/${id}/revoke`, { key: bootstrap(), body }),
        400,
        'validation_failed',
      );
    }
    expect(await works(key)).toBe(true);
  });

  it('is not made where it cannot be logged', async () => {
    const { id, key } = await issue('shop', ['payments:read']);
    const away = { prepare: () => ({ first: () => Promise.reject(new Error('D1_ERROR: away')) }) };
    const response = await ask(`POST /ops/api-keys/${id}/revoke`, {
      key: bootstrap(),
      body: WORD,
      env: { ...CLOSED, DB: away },
    });
    await problemOf(response, 503, 'temporarily_unavailable');
    expect(await works(key)).toBe(true);
  });
});

describe('rotating a key', () => {
  it('makes another of the same merchant, scopes and name; both count during the overlap', async () => {
    const old = await issue('shop', ['payments:read', 'webhooks'], { name: 'backend' });
    const before = Date.now();
    const response = await rotate(old.id);
    const fresh = await answered<IssuedKey>(201, Promise.resolve(response));
    expect(response.headers.get('location')).toBe(`/ops/api-keys/${fresh.id}`);
    expect(fresh).toMatchObject({
      merchant: 'shop',
      scopes: ['payments:read', 'webhooks'],
      name: 'backend',
      rotated_from: old.id,
      expires_at: null,
    });
    expect(fresh.key).not.toBe(old.key);
    expect([await works(old.key), await works(fresh.key)]).toEqual([true, true]);
    const { status, expires_at } = await read(old.id);
    expect(status).toBe('active');
    const untilMs = Date.parse(expires_at ?? '');
    expect(untilMs).toBeGreaterThanOrEqual(before + DAY_MS);
    expect(untilMs).toBeLessThan(before + DAY_MS + 60_000);
    expect((await list(bootstrap(), 'merchant=shop')).data.find(({ id }) => id === old.id)).toEqual(await read(old.id));
    expect(await auditOf(fresh.id)).toMatchObject([
      { action: 'api_key.rotate', subject: `${old.id} ${fresh.id} ${expires_at}`, actor: 'jane' },
    ]);
  });

  it('ends the old one when the overlap is over', async () => {
    const old = await issue('shop', ['payments:read']);
    await answered(201, rotate(old.id, { overlap_seconds: 60 }));
    expect(await works(old.key)).toBe(true);
    const laterMs = Date.now() + 61_000;
    vi.spyOn(Date, 'now').mockReturnValue(laterMs);
    expect(await works(old.key)).toBe(false);
    expect((await list(bootstrap(), 'merchant=shop')).data.find(({ id }) => id === old.id)?.status).toBe('expired');
  });

  it('keeps an end that comes before that of the overlap, and gives as long a life again', async () => {
    const expires_at = new Date(Date.now() + 3_600_000).toISOString();
    const old = await issue('shop', ['payments:read'], { expires_at });
    const fresh = await answered<IssuedKey>(201, rotate(old.id));
    expect((await read(old.id)).expires_at).toBe(expires_at);
    const lifeMs = (key: ApiKeyView) => Date.parse(key.expires_at ?? '') - Date.parse(key.created_at);
    expect(lifeMs(fresh)).toBe(lifeMs(old));
    const asked = new Date(Date.now() + 60_000).toISOString();
    expect((await answered<IssuedKey>(201, rotate(fresh.id, { expires_at: asked }))).expires_at).toBe(asked);
  });

  it('is not possible for one that counts no more', async () => {
    const { id } = await issue('shop', ['payments:read']);
    await answered(200, revoke(id));
    await problemOf(await rotate(id), 409, 'api_key_not_active');
  });

  it('hands out no scope that who asks lacks', async () => {
    const ops = await issue('shop', ['ops']);
    const paying = await issue('shop', ['payments:write']);
    const { detail } = await problemOf(await rotate(paying.id, {}, ops.key), 403, 'forbidden');
    expect(detail).toContain('payments:write');
    expect((await read(paying.id)).expires_at).toBeNull();
    await answered(201, rotate(ops.id, {}, ops.key));
  });

  it.each([
    { overlap_seconds: -1 },
    { overlap_seconds: 30 * 86_400 + 1 },
    { overlap_seconds: 1.5 },
    { expires_at: '2020-01-01T00:00:00Z' },
  ])('refuses %j', async (body) => {
    const { id } = await issue('shop', ['payments:read']);
    await problemOf(await rotate(id, body), 400, 'validation_failed');
  });
});

describe('the list', () => {
  it('is newest first, page by page, of one merchant where it is asked for', async () => {
    const merchant = `lister-${freshKey()}`;
    const made: string[] = [];
    for (const _ of [1, 2, 3]) made.unshift((await issue(merchant, ['ops'])).id);
    const paged: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const query = `merchant=${merchant}&limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`;
      const page: List = await list(bootstrap(), query);
      paged.push(...page.data.map(({ id }) => id));
      cursor = page.next_cursor;
    }
    expect(paged.toSorted()).toEqual(made.toSorted());
    const { next_cursor } = await list(bootstrap(), `merchant=${merchant}&limit=1`);
    await problemOf(await ask(`GET /ops/api-keys?cursor=${next_cursor}`, { key: bootstrap() }), 400, 'invalid_cursor');
    await problemOf(await ask('GET /ops/api-keys?colour=red', { key: bootstrap() }), 400, 'validation_failed');
  });
});

it('an id that is none, and one that was never minted, are 404', async () => {
  for (const id of ['x', 'ak_1', `ak_${'0'.repeat(22)}`, `ak_${'0'.repeat(23)}`]) {
    await problemOf(await ask(`GET /ops/api-keys/${id}`, { key: bootstrap() }), 404, 'not_found');
    await problemOf(await revoke(id), 404, 'not_found');
    await problemOf(await rotate(id), 404, 'not_found');
  }
});

describe('a key that expires', () => {
  const at = (ms: number) => new Date(Date.now() + ms).toISOString();

  it('makes no key that outlives it, asked for or not', async () => {
    const end = at(DAY_MS);
    const asker = await issue('shop', ['ops', 'payments:read'], { expires_at: end });
    expect((await answered<IssuedKey>(201, create(asker.key, {}))).expires_at).toBe(end);
    const sooner = at(DAY_MS / 2);
    expect((await answered<IssuedKey>(201, create(asker.key, { expires_at: sooner }))).expires_at).toBe(sooner);
    expect((await answered<IssuedKey>(201, create(asker.key, { expires_at: end }))).expires_at).toBe(end);
    const late = await problemOf(await create(asker.key, { expires_at: at(2 * DAY_MS) }), 400, 'validation_failed');
    expect(late.errors).toEqual([
      { in: 'body', pointer: '/expires_at', message: 'Must be no later than the end of the key that asks.' },
    ]);
  });

  it('rotates none, itself neither, into one that outlives it', async () => {
    const end = at(DAY_MS);
    const asker = await issue('shop', ['ops', 'payments:read'], { expires_at: end });
    const endless = await issue('shop', ['payments:read']);
    expect((await answered<IssuedKey>(201, rotate(endless.id, {}, asker.key))).expires_at).toBe(end);
    await problemOf(await rotate(asker.id, { expires_at: at(2 * DAY_MS) }, asker.key), 400, 'validation_failed');
    expect((await answered<IssuedKey>(201, rotate(asker.id, {}, asker.key))).expires_at).toBe(end);
  });
});
