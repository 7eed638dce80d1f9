// A card number is taken nowhere: in the bodies, the queries, the paths and the key headers of every operation of the OpenAPI
// document. What a card number is, card-number.test.ts says; where in a body, bad-input.test.ts.
import { listDurableObjectIds } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, describe, expect, it, vi } from 'vitest';
import document from '../../docs/openapi.json';
import { IDEMPOTENCY_KEY_HEADERS } from '../../src/domain/idempotency.ts';
import { app } from '../../src/http/app.ts';
import { post, problemOf, requestOf, send, validPayment, withoutDrawnIds } from './client.ts';
import { OPERATIONS, requestFor } from './operations.ts';

const PAN = '4242424242424242';
const REPEATED = /4242|%34/;
const OPEN_TO_ALL = ['/console', '/health', '/docs', '/openapi.json'];
/** A callback is its provider's own, and only what it says of an outcome is kept. */
const asked = OPERATIONS.filter(({ path }) => !OPEN_TO_ALL.includes(path) && !path.startsWith('/providers/'));
const templates = Object.keys(document.paths).filter((path) => path.includes('{') && !path.startsWith('/providers/'));

const lines: string[] = [];
afterEach(() => {
  vi.restoreAllMocks();
});

/** Refused, and repeated neither in the answer nor in the log. */
async function refused(request: Request): Promise<string[]> {
  lines.length = 0;
  vi.spyOn(console, 'log').mockImplementation((line: string) => lines.push(line));
  const response = await app.fetch(request, env);
  const text = await response.clone().text();
  const problem = await problemOf(response, 400, 'pan_in_request');
  expect(withoutDrawnIds(text)).not.toMatch(REPEATED);
  expect(lines.length).toBeGreaterThan(0);
  expect(withoutDrawnIds(lines.join('\n'))).not.toMatch(REPEATED);
  return problem.errors?.map(({ in: place, pointer }) => `${place} ${pointer}`) ?? [];
}

describe.each(asked)('$name', (operation) => {
  it('takes none in its query, encoded or not, and says so in the document', async () => {
    expect(operation.answers['400']).toContain('pan_in_request');
    expect(await refused(requestFor(operation, { query: `?note=card%204242+4242+4242+4242` }))).toEqual([
      'query /note',
    ]);
    expect(await refused(requestFor(operation, { query: `?a=1&${PAN}=1` }))).toEqual(['query ']);
  });

  if (operation.readsBody) {
    it('takes none in its body, wherever', async () => {
      const body = (value: unknown) => requestFor(operation, { body: JSON.stringify(value) });
      expect(await refused(body({ deep: [{ er: `card ${PAN}` }] }))).toEqual(['body /deep/0/er']);
      expect(await refused(body({ number: Number(PAN) }))).toEqual(['body /number']);
      expect(await refused(body({ [PAN]: 1 }))).toEqual(['body ']);
      expect(await refused(body(PAN))).toEqual(['body ']);
    });
  }
});

describe.each(templates)('a path %s', (template) => {
  it.each([PAN, '4242-4242-4242-4242', '%34242424242424242', '4242%204242%204242%204242'])(
    'takes no %s',
    async (id) => {
      const [method = 'get'] = Object.keys(document.paths[template as keyof typeof document.paths]);
      const path = template.replace(/\{\w+\}/, id);
      const objects = async () => [
        await listDurableObjectIds(env.WALLET),
        await listDurableObjectIds(env.PAYMENT_SAGA),
      ];
      const before = await objects();
      await refused(requestOf(path, { method: method.toUpperCase() }));
      expect(await objects()).toEqual(before);
    },
  );
});

it('a path that leads nowhere is not found, and what is repeated of it is without the number', async () => {
  const problem = await problemOf(await send(`/nowhere/${PAN}?x=${PAN}`), 404, 'not_found');
  expect(problem).toMatchObject({ instance: '/nowhere/*' });
});

it.each([
  ['beside what else is in its segment', `/nowhere/a-${PAN}-b/c%20d`, '/nowhere/*/c%20d'],
  ['encoded', '/nowhere/%34%32424242424242%34%32', '/nowhere/*'],
  ['encoded beside an escape that is none', '/nowhere/%zz%34242424242424242', '/nowhere/*'],
  ['under a prefix of ours', `/rec_${PAN}/x`, '/*/x'],
])('a card number %s is not repeated', async (_case, path, instance) => {
  expect(await problemOf(await send(path), 404, 'not_found')).toMatchObject({ instance });
});

it.each(IDEMPOTENCY_KEY_HEADERS)('a key in %s is none, and is not repeated', async (name) => {
  const response = await post('/payments', validPayment(), { [name]: PAN });
  expect(withoutDrawnIds(await response.clone().text())).not.toMatch(REPEATED);
  await problemOf(response, 400, 'idempotency_key_invalid');
});

it('an id of ours, a time and a cursor are none', async () => {
  const { status } = await send('/payments?created_from=2026-11-24T12:00:00Z&limit=10&reference=1763972913126');
  expect(status).toBe(200);
});
