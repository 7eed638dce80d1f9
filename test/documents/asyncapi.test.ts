/**
 * docs/asyncapi.json: it is AsyncAPI by the official schema, it leaves out no type, no webhook and no queue, and its schemas
 * take the frozen examples and refuse what differs. That it is fresh is `npm run docs:check`; what really travels is held
 * against it in test/flows/asyncapi.flow.test.ts.
 */
import { readFileSync } from 'node:fs';
import officialSchema from '@asyncapi/specs/schemas/3.0.0-without-$id.json';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import { describe, expect, test } from 'vitest';
import { CATALOGUE, type EventType } from '../../src/domain/events/catalogue.ts';
import type { Envelope } from '../../src/domain/events/envelope.ts';
import { WEBHOOK_EVENT_TYPES } from '../../src/domain/webhook.ts';
import fixtures from '../domain/fixtures/events-v1.json';

interface Document {
  readonly asyncapi: string;
  readonly channels: Readonly<Record<string, { readonly address: string | null; readonly messages: object }>>;
  readonly components: { readonly messages: object; readonly schemas: Readonly<Record<string, object>> };
}

const read = (path: string): string => readFileSync(path, 'utf8');
const text = read('docs/asyncapi.json');
const document = JSON.parse(text) as Document;
const EXAMPLES = fixtures as Envelope[];
const TYPES = Object.keys(CATALOGUE) as EventType[];

/** Knows every keyword that it is given, so that a misspelt one is seen. */
function strictAjv(): Ajv {
  const ajv = new Ajv({ strict: true, strictTypes: false, strictRequired: false, allowUnionTypes: true });
  formats.default(ajv);
  ajv.addKeyword('example').addKeyword('components');
  return ajv.addSchema({ components: document.components }, 'asyncapi', false, false);
}

const ajv = strictAjv();
const validatorOf = (name: string) =>
  ajv.compile({ $ref: `asyncapi#/components/schemas/${name.replaceAll('/', '~1')}` });
const messagesOf = (channel: string): string[] => Object.keys(document.channels[channel]?.messages ?? {});

describe('the document', () => {
  test('is AsyncAPI 3 by the official schema, which refuses it when it is not', () => {
    const official = new Ajv({ strict: false });
    formats.default(official);
    const isAsyncapi = official.compile(officialSchema);
    expect(isAsyncapi(document), JSON.stringify(isAsyncapi.errors?.slice(0, 3))).toBe(true);
    expect(isAsyncapi({ ...document, channel: {} })).toBe(false);
    expect(isAsyncapi({ ...document, operations: { 'send.x': { action: 'publish' } } })).toBe(false);
  });

  test('refers to nothing that it does not have', () => {
    const references = [...text.matchAll(/"\$ref": "#\/([^"]+)"/g)].map(([, path = '']) => path);
    expect(references.length).toBeGreaterThan(100);
    const find = (path: string): unknown =>
      path.split('/').reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], document);
    expect(references.filter((path) => find(path) === undefined)).toEqual([]);
  });

  test('has a channel for each queue of wrangler.toml, and for no other', () => {
    const queues = new Set(
      [...read('wrangler.toml').matchAll(/^(?:dead_letter_)?queue = "(.+)"$/gm)].map(([, name]) => name),
    );
    const addresses = Object.values(document.channels).map(({ address }) => address);
    expect(addresses.filter((address) => address !== null && !address.startsWith('/')).sort()).toEqual(
      [...queues].sort(),
    );
  });

  test('has every webhook, and every event type in a timeline, but those that are told of deliveries', () => {
    expect(messagesOf('webhooks')).toEqual(WEBHOOK_EVENT_TYPES.map((type) => `webhook.${type}`));
    const told = new Set([...messagesOf('payment-timeline'), ...messagesOf('refund-timeline')]);
    expect(TYPES.filter((type) => !told.has(type))).toEqual([
      'orchestrator.notify.webhook_endpoint_disabled',
      'notification.delivered',
      'notification.failed',
      'metrics.notification.delivered',
      'metrics.notification.failed',
    ]);
  });

  test('has every command on one queue and its dead letters, but the direct calls', () => {
    const queues = ['wallet-commands', 'gateway-commands', 'notifications'];
    const queued = queues.flatMap(messagesOf);
    expect(queued).toHaveLength(new Set(queued).size);
    for (const queue of queues) expect(messagesOf(`${queue}-dlq`)).toEqual(messagesOf(queue));
    const commands = TYPES.filter((type) => CATALOGUE[type].kind === 'command');
    const direct = ['orchestrator.payment.reserve_refund', 'orchestrator.payment.settle_refund'];
    expect(commands.filter((type) => !queued.includes(type))).toEqual(direct);
  });
});

describe('its schemas', () => {
  test.each(Object.keys(document.components.schemas))('%s compiles, with no keyword unknown', (name) => {
    expect(typeof validatorOf(name)).toBe('function');
  });

  test.each(EXAMPLES.map((event): [string, Envelope] => [event.event_type, event]))(
    '%s: the frozen example is taken; one without its payload, of another type or source is not',
    (type, event) => {
      const takes = validatorOf(type);
      expect(takes(event), JSON.stringify(takes.errors)).toBe(true);
      // A field that a later version adds is none of a reader's business.
      expect(takes({ ...event, later: true, payload: { ...event.payload, later: true } })).toBe(true);
      expect(takes({ ...event, payload: {} })).toBe(false);
      expect(takes({ ...event, event_type: 'payment.imagined' })).toBe(false);
      expect(takes({ ...event, metadata: { ...event.metadata, source: 'metrics-service' } })).toBe(false);
      expect(takes({ ...event, metadata: { ...event.metadata, sequence: 0 } })).toBe(false);
    },
  );
});
