/**
 * `npm run keys`, as an operator runs it against a Worker that asks for keys: from the first key, made with API_KEY_SECRET, to one
 * that is revoked and refused at the next request.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { anyFreePort, type LocalWorker, ROOT, startLocalWorker } from '../../scripts/local-worker.ts';
import { bootstrapToken } from '../../src/domain/api-key.ts';

const API_KEY_SECRET = 'a-secret-of-this-test-with-more-than-32-characters';
const PAYMENT = { wallet_id: 'wal-1', service_id: 'abc', amount: 1230, currency: 'USD', method: 'balance' };
const WHY = ['--actor', 'jane', '--reason', 'a test'];

let worker: LocalWorker | undefined;
beforeAll(async () => {
  const vars = { MODE: 'sandbox', AUTH: 'required', API_KEY_SECRET };
  worker = await startLocalWorker(await anyFreePort(), new AbortController().signal, { vars, isQuiet: true });
}, 90_000);
afterAll(() => worker?.stop());

function running(): LocalWorker {
  if (worker === undefined) throw new Error('the Worker did not start');
  return worker;
}

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** With nothing of this machine's own environment that could be a credential. */
function script(name: string, args: readonly string[], environment: Record<string, string>): Promise<Ended> {
  const { API_KEY_SECRET: _secret, HOLDFAST_API_KEY: _key, ...inherited } = process.env;
  const env = { ...inherited, ...environment };
  return new Promise((resolve) => {
    execFile(process.execPath, [join(ROOT, 'scripts', name), ...args], { cwd: ROOT, env }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out: out.trim(), err: err.trim() }),
    );
  });
}

const keys = (args: readonly string[], environment: Record<string, string> = { API_KEY_SECRET }): Promise<Ended> =>
  script('keys.ts', ['--origin', running().origin, ...args], environment);

function call(path: string, key: string | null, init: RequestInit = {}): Promise<Response> {
  const authorization = key === null ? {} : { authorization: `Bearer ${key}` };
  return fetch(running().origin + path, { ...init, headers: { ...authorization, ...init.headers } });
}

const idOf = (key: string): string => `ak_${key.split('_')[2]}`;

describe('from the first key to a revoked one', () => {
  let platform = '';
  let shop = '';

  test('API_KEY_SECRET makes the first key, alone on standard output', async () => {
    const made = await keys(['create', '--platform', '--name', 'operators', ...WHY]);
    expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/^hf_sandbox_[0-9A-Za-z]{22}_[0-9A-Za-z]{51}$/) });
    expect(made.err).toContain('never again');
    expect(made.err).not.toContain(made.out);
    platform = made.out;
  });

  test('which makes one for a merchant, which pays and does nothing else', async () => {
    const args = [
      'create',
      '--merchant',
      'shop',
      '--scopes',
      'payments:write,payments:read',
      '--name',
      'backend',
      ...WHY,
    ];
    const made = await keys(args, { HOLDFAST_API_KEY: platform });
    expect(made.code, made.err).toBe(0);
    shop = made.out;
    const paid = await call('/payments', shop, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'e2e', prefer: 'wait=20' },
      body: JSON.stringify(PAYMENT),
    });
    expect(paid.status).toBe(201);
    expect((await call('/payments', null)).status).toBe(401);
    expect((await call('/webhook-endpoints', shop)).status).toBe(403);
    expect((await call('/ops/breakers', shop)).status).toBe(403);
    expect((await call('/ops/breakers', platform)).status).toBe(200);
  });

  test('the list shows both, and neither key', async () => {
    const { code, out } = await keys(['list', '--key', platform], {});
    expect(code).toBe(0);
    expect(out).toContain(`${idOf(platform)}  active   sandbox  (platform)  ops`);
    expect(out).toContain(`${idOf(shop)}  active   sandbox  shop  payments:write,payments:read`);
    for (const key of [platform, shop]) expect(out).not.toContain(key.split('_')[3]);
    expect((await keys(['list', '--merchant', 'nobody'])).out).toBe('');
  });

  test('a rotation makes another; both count until the overlap ends, and then only the new one', async () => {
    const { code, out: fresh } = await keys(['rotate', idOf(shop), '--overlap', '86400', ...WHY]);
    expect(code).toBe(0);
    expect([(await call('/payments', shop)).status, (await call('/payments', fresh)).status]).toEqual([200, 200]);
    const { out: freshest } = await keys(['rotate', idOf(fresh), '--overlap', '0', ...WHY]);
    expect([(await call('/payments', fresh)).status, (await call('/payments', freshest)).status]).toEqual([401, 200]);
    const listed = (await keys(['list', '--merchant', 'shop'])).out;
    expect(listed).toContain(`${idOf(fresh)}  expired`);
    expect(listed).toContain(`after ${idOf(fresh)}`);
  });

  test('a revocation counts at the next request', async () => {
    expect((await call('/payments', shop)).status).toBe(200);
    const revoked = await keys(['revoke', idOf(shop), ...WHY]);
    expect(revoked).toMatchObject({ code: 0, out: '', err: expect.stringContaining('is revoked') });
    expect((await call('/payments', shop)).status).toBe(401);
    expect((await keys(['list', '--merchant', 'shop'])).out).toContain(`${idOf(shop)}  revoked`);
  });

  test('and is still so after the runtime was killed', async () => {
    await running().cut();
    expect((await call('/payments', shop)).status).toBe(401);
    expect((await call('/ops/breakers', platform)).status).toBe(200);
  });

  test('the other scripts of operators speak with the key in HOLDFAST_API_KEY', async () => {
    const args = ['--url', running().origin];
    expect((await script('audit.ts', args, {})).code).toBe(2);
    const audited = await script('audit.ts', args, { HOLDFAST_API_KEY: platform });
    expect(audited.code, audited.err).not.toBe(2);
    expect(audited.out).toContain('found 0');
  });
});

describe('what is refused', () => {
  const create = ['create', '--merchant', 'shop', '--scopes', 'ops', '--name', 'n', ...WHY];

  test('what is not asked rightly: the usage is shown, and nothing sent', async () => {
    const { code, out, err } = await keys(['forget']);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain('forget is no command');
    expect(err).toContain('npm run keys -- <command>');
  });

  test('API_KEY_SECRET that is not the instance’s, or too short, or none', async () => {
    const wrong = await keys(create, { API_KEY_SECRET: `${API_KEY_SECRET}!` });
    expect(wrong).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringContaining('not the one that the instance has'),
    });
    expect(await keys(create, { API_KEY_SECRET: 'short' })).toMatchObject({ code: 2 });
    const none = await keys(create, {});
    expect(none).toMatchObject({ code: 1, err: expect.stringContaining('Set HOLDFAST_API_KEY') });
    expect(wrong.err + none.err).not.toContain(API_KEY_SECRET);
  });

  test('what the instance refuses, in its own words', async () => {
    const { code, err } = await keys([...create, '--expires', '2020-01-01T00:00:00Z']);
    expect(code).toBe(1);
    expect(err).toContain('400 validation_failed');
    expect(err).toContain('/expires_at: Must be in the future.');
    expect((await keys(['revoke', `ak_${'0'.repeat(22)}`, ...WHY])).err).toContain('404 not_found');
  });

  test('an instance that is not there', async () => {
    const gone = await script('keys.ts', ['list', '--origin', 'http://localhost:9'], {});
    expect(gone).toMatchObject({ code: 1, err: expect.stringContaining('cannot be reached') });
  });

  test('a bootstrap token anywhere but at keys', async () => {
    const { host } = new URL(running().origin);
    const token = bootstrapToken(API_KEY_SECRET, host, Math.floor(Date.now() / 1_000));
    expect((await call('/ops/api-keys', token)).status).toBe(200);
    for (const path of ['/payments', '/ops/breakers', '/ops/dead-letters', '/metrics']) {
      expect((await call(path, token)).status, path).toBe(403);
    }
  });
});

test('help is no mistake', async () => {
  expect(await keys(['--help'])).toMatchObject({ code: 0, out: expect.stringContaining('create'), err: '' });
});
