// Webhook endpoints over HTTP: what is accepted and refused, what is shown and never shown, and whose it is.
import { env } from 'cloudflare:workers';
import { afterEach, describe, expect, it } from 'vitest';
import { WEBHOOK_DESCRIPTION_LENGTH_MAX, WEBHOOK_URL_LENGTH_MAX } from '../../src/domain/limits.ts';
import { deliveryKey, webhookEndpointId, webhookEndpointObjectName } from '../../src/domain/webhook.ts';
import type { DeliveryView } from '../../src/domain/webhook-delivery.ts';
import { app } from '../../src/http/app.ts';
import {
  webhookDeliverySchema,
  webhookEndpointSchema,
  webhookEndpointWithSecretSchema,
} from '../../src/http/schemas/webhook.ts';
import { enterEndpoint } from '../../src/read-model/webhook-endpoints.ts';
import { Receiver } from '../support/receiver.ts';
import { deleteEndpoints, type Endpoint } from '../support/webhooks.ts';
import { jsonOf, post, problemOf, requestOf, SCOPE, send } from './client.ts';

interface List<Item> {
  object: 'list';
  data: Item[];
  next_cursor: string | null;
}

afterEach(deleteEndpoints);

const URL_TAKEN = 'https://shop.io/hooks';
const make = (request: Record<string, unknown> = {}) => post('/webhook-endpoints', { url: URL_TAKEN, ...request });
const made = async (request: Record<string, unknown> = {}): Promise<Endpoint> => jsonOf(await make(request), 201);
const remove = (id: string) => send(`/webhook-endpoints/${id}`, { method: 'DELETE' });
const list = async (): Promise<List<Endpoint>> => jsonOf(await send('/webhook-endpoints'), 200);

function objectOf(id: string) {
  return env.WEBHOOK_ENDPOINT.getByName(webhookEndpointObjectName(SCOPE, id));
}

describe('POST /webhook-endpoints', () => {
  it('makes an endpoint and shows its secret, once', async () => {
    const response = await make({ events: ['payment.failed'], description: 'The shop' });
    const endpoint = await jsonOf<Endpoint>(response, 201);
    expect(webhookEndpointWithSecretSchema.strict().safeParse(endpoint).error).toBeUndefined();
    expect(endpoint).toMatchObject({
      url: URL_TAKEN,
      events: ['payment.failed'],
      description: 'The shop',
      status: 'enabled',
      secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/),
    });
    expect(response.headers.get('location')).toBe(`/webhook-endpoints/${endpoint.id}`);
    const { secret, ...shown } = endpoint;
    for (const path of [`/webhook-endpoints/${endpoint.id}`, '/webhook-endpoints']) {
      expect(await (await send(path)).text()).not.toContain(secret);
    }
    expect(await jsonOf(await send(`/webhook-endpoints/${endpoint.id}`), 200)).toEqual(shown);
    expect(webhookEndpointSchema.strict().safeParse(shown).error).toBeUndefined();
  });

  it('gives each its own secret and id, and asks for every type where none is named', async () => {
    const [one, other] = [await made(), await made()];
    expect(one.events).toBeNull();
    expect(one.id).not.toBe(other.id);
    expect(one.secret).not.toBe(other.secret);
  });

  it.each<[string, Record<string, unknown>, string, RegExp]>([
    ['no URL', { url: undefined }, '/url', /string/],
    ['a URL that is no text', { url: 7 }, '/url', /string/],
    ['a URL that is too long', { url: `https://shop.io/${'x'.repeat(WEBHOOK_URL_LENGTH_MAX)}` }, '/url', /2048/],
    ['another scheme', { url: 'http://shop.io/' }, '/url', /https/],
    ['credentials', { url: 'https://me:secret-word@shop.io/' }, '/url', /password/],
    ['a private address', { url: 'https://10.0.0.1/' }, '/url', /IP address/],
    ['an internal host', { url: 'https://db.internal/' }, '/url', /internal/],
    ['another port', { url: 'https://shop.io:6379/' }, '/url', /port/],
    ['no types', { events: [] }, '/events', /./],
    ['an unknown type', { events: ['payment.created'] }, '/events/0', /./],
    ['a type twice', { events: ['payment.failed', 'payment.failed'] }, '/events', /once/],
    ['types that are no list', { events: 'payment.failed' }, '/events', /./],
    ['too long a description', { description: 'x'.repeat(WEBHOOK_DESCRIPTION_LENGTH_MAX + 1) }, '/description', /./],
    ['an empty description', { description: '' }, '/description', /printable/],
    ['a description with a line break', { description: 'a\nb' }, '/description', /printable/],
    ['an unknown field', { secret: 'whsec_mine' }, '/secret', /Unknown/],
  ])('with %s is refused, naming it and not repeating it', async (_case, request, pointer, message) => {
    const response = await make(request);
    const text = await response.clone().text();
    const problem = await problemOf(response, 400, 'validation_failed');
    expect(problem.errors).toEqual([{ in: 'body', pointer, message: expect.stringMatching(message) }]);
    expect(text).not.toContain('secret-word');
    expect((await list()).data).toEqual([]);
  });

  it('takes this machine in sandbox mode only', async () => {
    await made({ url: new Receiver().url });
    expect((await list()).data).toHaveLength(1);
  });

  it('while D1 takes nothing answers 503, and what was made is found by nobody', async () => {
    const fail = () => Promise.reject(new Error('D1_ERROR: Network connection lost.'));
    const DB = { prepare: () => ({ bind: () => ({ run: fail }) }) };
    const body = JSON.stringify({ url: URL_TAKEN });
    const headers = { 'content-type': 'application/json' };
    const request = requestOf('/webhook-endpoints', { method: 'POST', headers, body });
    await problemOf(await app.fetch(request, { ...env, DB }), 503, 'temporarily_unavailable');
    expect((await list()).data).toEqual([]);
  });
});

describe('GET /webhook-endpoints', () => {
  it('lists all, newest first, as their owners have them', async () => {
    const ids = [];
    for (const description of ['one', 'two', 'three']) ids.push((await made({ description })).id);
    const page = await list();
    expect(page.next_cursor).toBeNull();
    expect(page.data.map(({ id }) => id).sort()).toEqual([...ids].sort());
    for (const each of page.data) expect(webhookEndpointSchema.strict().safeParse(each).error).toBeUndefined();
  });

  it('leaves out what its owner does not know any more', async () => {
    await enterEndpoint(env.DB, { id: webhookEndpointId(1n), scope: SCOPE, events: null }, 0);
    expect((await list()).data).toEqual([]);
    // And deleting it again strikes it out.
    await jsonOf(await remove(webhookEndpointId(1n)), 200);
    await problemOf(await remove(webhookEndpointId(1n)), 404, 'not_found');
  });
});

describe("another merchant's endpoint", () => {
  it.each([
    ['GET', '/webhook-endpoints/{}'],
    ['DELETE', '/webhook-endpoints/{}'],
    ['POST', '/webhook-endpoints/{}/rotate-secret'],
    ['POST', '/webhook-endpoints/{}/enable'],
    ['GET', '/webhook-endpoints/{}/deliveries'],
  ])('is 404 for %s %s, and stays as it is', async (method, path) => {
    const id = webhookEndpointId(77n);
    const foreign = { merchant: 'another', mode: 'sandbox' } as const;
    const owner = env.WEBHOOK_ENDPOINT.getByName(webhookEndpointObjectName(foreign, id));
    await owner.create({ id, scope: foreign, url: URL_TAKEN, events: null, description: null });
    await enterEndpoint(env.DB, { id, scope: foreign, events: null }, 0);
    await problemOf(await send(path.replace('{}', id), { method }), 404, 'not_found');
    expect((await owner.read()).kind).toBe('found');
    expect((await list()).data).toEqual([]);
  });
});

it.each([
  ['GET', '/webhook-endpoints/we_1'],
  ['GET', `/webhook-endpoints/we_${'0'.repeat(22)}`],
  ['GET', `/webhook-endpoints/pay_${'0'.repeat(43)}`],
  ['DELETE', '/webhook-endpoints/..%2Fwallets'],
  ['GET', '/webhook-endpoints/we_1/deliveries'],
  ['POST', '/webhook-deliveries/wd_1/resend'],
  ['POST', `/webhook-deliveries/wd_${'0'.repeat(22)}_1_${'0'.repeat(16)}/resend`],
])('%s %s is 404: there is none', async (method, path) => {
  await problemOf(await send(path, { method }), 404, 'not_found');
});

it.each([
  ['GET', '/webhook-endpoints'],
  ['POST', '/webhook-endpoints'],
  ['GET', '/webhook-endpoints/we_1'],
  ['DELETE', '/webhook-endpoints/we_1'],
  ['POST', '/webhook-endpoints/we_1/rotate-secret'],
  ['POST', '/webhook-endpoints/we_1/enable'],
  ['GET', '/webhook-endpoints/we_1/deliveries'],
  ['POST', '/webhook-deliveries/wd_1/resend'],
])('%s %s is 401 where authentication is required', async (method, path) => {
  const vars = { AUTH: 'required', API_KEY_SECRET: 'a-secret-of-more-than-32-characters' };
  await problemOf(await app.fetch(requestOf(path, { method }), { ...env, ...vars }), 401, 'unauthenticated');
});

it('DELETE ends an endpoint, once', async () => {
  const { id } = await made();
  expect(await jsonOf(await remove(id), 200)).toEqual({ id, object: 'webhook_endpoint', deleted: true });
  await problemOf(await remove(id), 404, 'not_found');
  await problemOf(await send(`/webhook-endpoints/${id}`), 404, 'not_found');
});

it('rotate-secret shows a new secret each time', async () => {
  const endpoint = await made();
  const secrets = new Set([endpoint.secret]);
  for (let times = 0; times < 3; times += 1) {
    const response = await send(`/webhook-endpoints/${endpoint.id}/rotate-secret`, { method: 'POST' });
    const rotated = await jsonOf<Endpoint>(response, 200);
    expect(webhookEndpointWithSecretSchema.strict().safeParse(rotated).error).toBeUndefined();
    secrets.add(rotated.secret);
  }
  expect(secrets.size).toBe(4);
});

it('enable leaves an endpoint that is enabled as it is', async () => {
  const { secret: _secret, ...shown } = await made();
  expect(await jsonOf(await send(`/webhook-endpoints/${shown.id}/enable`, { method: 'POST' }), 200)).toEqual(shown);
});

describe('GET /webhook-endpoints/{id}/deliveries', () => {
  it('lists them, newest first, in pages without gap or repetition', async () => {
    const { id } = await made({ url: new Receiver().url });
    // Two in one millisecond: the page may end between them.
    const startMs = Date.now();
    const times = [1, 2, 2, 3, 4].map((ms) => startMs + ms);
    await objectOf(id).accept(
      times.map((atMs, index) => ({
        key: deliveryKey(`n-${index}`, atMs),
        eventType: 'payment.completed',
        body: '{}',
      })),
    );
    const seen: DeliveryView[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const path: string = `/webhook-endpoints/${id}/deliveries?limit=2${cursor && `&cursor=${cursor}`}`;
      const page: List<DeliveryView> = await jsonOf(await send(path), 200);
      expect(page.data.length).toBeLessThanOrEqual(2);
      seen.push(...page.data);
      cursor = page.next_cursor;
    }
    expect(new Set(seen.map((delivery) => delivery.id)).size).toBe(5);
    expect(seen.map(({ created_at }) => Date.parse(created_at))).toEqual(times.toReversed());
    for (const each of seen) expect(webhookDeliverySchema.strict().safeParse(each).error).toBeUndefined();
  });

  it.each([
    ['limit=0', 'validation_failed'],
    ['limit=101', 'validation_failed'],
    ['status=failed', 'validation_failed'],
    ['cursor=abc', 'invalid_cursor'],
  ])('refuses %s: %s', async (query, code) => {
    const { id } = await made();
    await problemOf(await send(`/webhook-endpoints/${id}/deliveries?${query}`), 400, code);
  });
});
