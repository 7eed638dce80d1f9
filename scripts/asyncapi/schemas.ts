/**
 * The schemas of the AsyncAPI document, as JSON Schema draft 7, which is what AsyncAPI 3 takes by default: the envelope, one per
 * event type, the messages that are no events, and the public entities that webhooks carry, taken from the OpenAPI document.
 */
import { z } from 'zod';
import { CATALOGUE, type EventType } from '../../src/domain/events/catalogue.ts';
import { envelopeSchema } from '../../src/domain/events/envelope.ts';
import { deadMessageSchema, publicationSchema, walletOpenedSchema } from '../../src/domain/messages.ts';
import { WEBHOOK_EVENT_TYPES, type WebhookEventType } from '../../src/domain/webhook.ts';

export type Schema = Readonly<Record<string, unknown>>;
export type Schemas = Readonly<Record<string, Schema>>;

/** Its keys are its types, which `Object.keys` forgets. */
export const EVENT_TYPES = Object.keys(CATALOGUE) as EventType[];

/** The component of the OpenAPI document that a webhook's `data` is. */
const ENTITY_OF: Readonly<Record<WebhookEventType, string>> = {
  'payment.completed': 'Payment',
  'payment.failed': 'Payment',
  'refund.completed': 'Refund',
  'refund.failed': 'Refund',
  'webhook_endpoint.disabled': 'WebhookEndpoint',
};

export function schemaRef(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

export function webhookName(type: WebhookEventType): string {
  return `webhook.${type}`;
}

/** Every schema of the document, by its name in `components`. @param entities of the OpenAPI document. */
export function componentSchemas(entities: Schemas): Schemas {
  return {
    Envelope: draft7(envelopeSchema),
    ...Object.fromEntries(EVENT_TYPES.map((type) => [type, eventSchema(type)])),
    // Read by whoever is older or newer than its sender: fields that it does not know are ignored, so none is forbidden.
    Publication: draft7(publicationSchema),
    WalletOpened: draft7(walletOpenedSchema),
    DeadMessage: draft7(deadMessageSchema),
    ...Object.fromEntries(WEBHOOK_EVENT_TYPES.map((type) => [webhookName(type), webhookSchema(type)])),
    ...withReferences(Object.values(ENTITY_OF), entities),
  };
}

/** One event: the envelope, and what its type says of the payload. */
function eventSchema(type: EventType): Schema {
  const { payload, version, source } = CATALOGUE[type];
  return {
    allOf: [
      schemaRef('Envelope'),
      {
        type: 'object',
        properties: {
          event_type: { const: type },
          event_version: { const: version },
          payload: draft7(payload),
          metadata: { type: 'object', properties: { source: { const: source } } },
        },
        required: ['event_type', 'event_version', 'payload', 'metadata'],
      },
    ],
  };
}

function webhookSchema(type: WebhookEventType): Schema {
  return {
    type: 'object',
    properties: {
      type: { const: type },
      timestamp: { type: 'string', format: 'date-time', description: 'When it happened, not when it is sent.' },
      data: schemaRef(ENTITY_OF[type]),
    },
    required: ['type', 'timestamp', 'data'],
  };
}

/** The schema of what is sent: nothing is forbidden that a later version may add. */
function draft7(schema: z.ZodType): Schema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { target: 'draft-7', io: 'input' });
  return rest;
}

/** The named schemas with all that they refer to. */
function withReferences(names: readonly string[], all: Schemas): Schemas {
  const found = new Map<string, Schema>();
  const pending = [...names];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const schema = all[name];
    if (schema === undefined) throw new Error(`docs/openapi.json has no schema ${name}`);
    if (found.has(name)) continue;
    found.set(name, schema);
    for (const [, inner] of JSON.stringify(schema).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (inner !== undefined) pending.push(inner);
    }
  }
  return Object.fromEntries([...found].sort(([a], [b]) => a.localeCompare(b)));
}
