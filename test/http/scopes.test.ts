// Every operation of the document, as deployed: without a key 401, with a key that lacks its scope 403, with one that has it
// neither. What an operation needs is read from the document, where the check reads it too; that it is the right scope is a table.
import { beforeAll, describe, expect, it } from 'vitest';
import { KEY_SCOPES, type KeyScope, type Role } from '../../src/domain/api-key.ts';
import type { app } from '../../src/http/app.ts';
import { ask, bootstrap, type IssuedKey, issue } from '../support/keys.ts';
import { OPERATIONS, type Operation } from '../support/operations.ts';
import { problemOf, send } from './client.ts';

/** What anyone may ask: liveness, the document, and a provider's callback, which is signed. */
const PUBLIC = ['GET /console', 'GET /health', 'GET /docs', 'GET /openapi.json', 'POST /providers/{name}/callbacks'];

/** What each operation needs: said a second time, so that a route which asks for too little is found out. */
const WANTED: readonly (readonly [RegExp, readonly Role[]])[] = [
  [/^POST \/(payments|refunds)$/, ['payments:write']],
  [/^GET \/(payments|refunds|idempotency-keys|wallets)\b/, ['payments:read']],
  [/^POST \/wallets\b/, ['wallets:write']],
  [/ \/webhook-(endpoints|deliveries)\b/, ['webhooks']],
  [/ \/ops\/(dead-letters|sagas|api-keys|overview|wallets)\b/, ['ops']],
  [/ (\/ops\/(breakers|audit|rebuild|reconcile|reconciliations|sweeps)\b|\/metrics$)/, ['ops', 'platform']],
];

const wantedOf = ({ name }: Operation) => WANTED.find(([pattern]) => pattern.test(name))?.[1] ?? [];
const rolesOf = ({ security = [] }: Operation) => security.flatMap((each) => each.apiKey ?? []);
const guarded = OPERATIONS.filter(({ name }) => !PUBLIC.includes(name));
/** Something of the right shape that names nothing. */
const requestOf = ({ method, path }: Operation) => `${method} ${path.replaceAll(/\{[^}]+\}/g, 'x')}`;

const without = new Map<KeyScope, IssuedKey>();
const withOnly = new Map<KeyScope, IssuedKey>();
let platform: IssuedKey;
let all: IssuedKey;

beforeAll(async () => {
  for (const scope of KEY_SCOPES) {
    without.set(
      scope,
      await issue(
        'shop',
        KEY_SCOPES.filter((each) => each !== scope),
      ),
    );
    withOnly.set(scope, await issue('shop', [scope]));
  }
  all = await issue('shop', KEY_SCOPES);
  platform = await issue(null, ['ops']);
});

const textOf = (keys: ReadonlyMap<KeyScope, IssuedKey>, scope: KeyScope): string => keys.get(scope)?.key ?? '';

it('every operation says what it needs, and those that anyone may ask are these', () => {
  expect(
    OPERATIONS.filter((each) => rolesOf(each).length === 0)
      .map(({ name }) => name)
      .sort(),
  ).toEqual(PUBLIC.toSorted());
  for (const operation of guarded) expect(rolesOf(operation), operation.name).toEqual(wantedOf(operation));
});

it('the routes that a bootstrap token may use are those of keys', () => {
  const taking = guarded.filter(({ security = [] }) => security.some((each) => 'bootstrapToken' in each));
  expect(taking.map(({ path }) => path).every((path) => path.startsWith('/ops/api-keys'))).toBe(true);
  expect(taking).toHaveLength(5);
});

describe.each(guarded.map((operation) => [operation.name, operation] as const))('%s', (_name, operation) => {
  const what = requestOf(operation);
  const scopes = wantedOf(operation).filter((role): role is KeyScope => role !== 'platform');
  const isPlatforms = wantedOf(operation).includes('platform');

  it('without a key is 401, and documents it', async () => {
    const response = await ask(what);
    await problemOf(response, 401, 'unauthenticated');
    expect(response.headers.get('www-authenticate')).toBe('Bearer realm="holdfast"');
    const documented = (status: string) => JSON.stringify(operation.responses[status]?.content ?? '');
    expect(documented('401')).toContain('"unauthenticated"');
    expect(documented('403')).toContain('"forbidden"');
  });

  it('with a key that lacks its scope is 403, and names it', async () => {
    expect(scopes.length).toBeGreaterThan(0);
    for (const scope of scopes) {
      const response = await ask(what, { key: textOf(without, scope) });
      const { detail } = await problemOf(response, 403, 'forbidden');
      expect(detail).toContain(scope);
      expect(response.headers.get('www-authenticate')).toBe(
        `Bearer realm="holdfast", error="insufficient_scope", scope="${wantedOf(operation).join(' ')}"`,
      );
    }
  });

  it(`with ${isPlatforms ? 'a merchant’s key of every scope is 403' : 'a key of no other scope is let in'}`, async () => {
    const response = await ask(what, { key: isPlatforms ? all.key : textOf(withOnly, scopes[0] ?? 'ops') });
    if (isPlatforms) {
      expect((await problemOf(response, 403, 'forbidden')).detail).toContain('platform');
    } else {
      expect([401, 403]).not.toContain(response.status);
    }
  });

  it(`with a platform key is ${scopes.includes('ops') ? 'let in' : '403'}`, async () => {
    const { status } = await ask(what, { key: platform.key });
    if (scopes.includes('ops')) expect([401, 403]).not.toContain(status);
    else expect(status).toBe(403);
  });

  it('with a bootstrap token is let in where it is about keys, and 403 elsewhere', async () => {
    const { status } = await ask(what, { key: bootstrap() });
    if (operation.path.startsWith('/ops/api-keys')) expect([401, 403]).not.toContain(status);
    else expect(status).toBe(403);
  });
});

it.each(PUBLIC.filter((name) => !name.includes('{')))('%s needs no key', async (name) => {
  expect((await ask(name)).status).toBe(200);
});

it('a callback is asked for its signature, not for a key', async () => {
  await problemOf(await ask('POST /providers/acme/callbacks', { body: {} }), 401, 'callback_signature_invalid');
});

it('what there is not, is not told to who shows no key', async () => {
  await problemOf(await ask('GET /no-such-path'), 401, 'unauthenticated');
  await problemOf(await ask('GET /no-such-path', { key: all.key }), 404, 'not_found');
  await problemOf(await ask('DELETE /payments', { key: textOf(withOnly, 'webhooks') }), 405, 'method_not_allowed');
  await problemOf(
    await ask('GET /ops/dead-letters/redrive', { key: textOf(withOnly, 'ops') }),
    405,
    'method_not_allowed',
  );
});

it('HEAD needs what GET needs', async () => {
  expect((await ask('HEAD /payments')).status).toBe(401);
  expect((await ask('HEAD /payments', { key: textOf(withOnly, 'payments:write') })).status).toBe(403);
  expect((await ask('HEAD /payments', { key: textOf(withOnly, 'payments:read') })).status).toBe(200);
});

it('a body is not read before the key is judged', async () => {
  const body = 'x'.repeat(100_000);
  expect((await ask('POST /payments', { body })).status).toBe(401);
  expect((await ask('POST /payments', { body, key: textOf(without, 'payments:write') })).status).toBe(403);
  expect((await ask('POST /payments', { body, key: textOf(withOnly, 'payments:write') })).status).toBe(413);
});

it('where authentication is open, everyone may do everything, whatever they show', async () => {
  for (const operation of guarded) {
    const [method, path = ''] = requestOf(operation).split(' ');
    const { status } = await send(path, { method: method ?? 'GET', headers: { authorization: 'Bearer nonsense' } });
    expect([401, 403], operation.name).not.toContain(status);
  }
});

it('a route that says nothing of what it needs answers nobody', async () => {
  const { OpenAPIHono } = await import('@hono/zod-openapi');
  const { authorization } = await import('../../src/http/middleware/authorization.ts');
  const forgetful: typeof app = new OpenAPIHono();
  forgetful.use(authorization(forgetful));
  forgetful.get('/secrets', (c) => c.text('all of them'));
  let thrown: unknown;
  forgetful.onError((error, c) => {
    thrown = error;
    return c.text('no', 500);
  });
  expect((await forgetful.request('/secrets')).status).toBe(500);
  expect(thrown).toMatchObject({ invariant: 'route_declares_security' });
});
