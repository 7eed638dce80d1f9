/**
 * Webhook endpoints and deliveries on the wire (WebhookEndpointView and DeliveryView of the domain).
 */
import { z } from '@hono/zod-openapi';
import { WEBHOOK_DESCRIPTION_LENGTH_MAX, WEBHOOK_URL_LENGTH_MAX } from '../../domain/limits.ts';
import { WEBHOOK_ENDPOINT_ID_PATTERN, WEBHOOK_EVENT_TYPES } from '../../domain/webhook.ts';
import { ATTEMPT_ERRORS } from '../../domain/webhook-delivery.ts';
import { listOf, timestamp } from './common.ts';

const eventType = z.enum(WEBHOOK_EVENT_TYPES);

/** Body of `POST /webhook-endpoints`. Whether the URL may be called depends on the mode: the route looks. */
export const webhookEndpointRequestSchema = z
  .strictObject({
    url: z.string().max(WEBHOOK_URL_LENGTH_MAX).openapi({
      description: 'https; which hosts are refused is in docs/webhooks.md.',
      example: 'https://shop.io/hooks',
    }),
    events: z
      .array(eventType)
      .min(1)
      .refine((events) => new Set(events).size === events.length, 'Must name each type once.')
      .optional()
      .openapi({ description: 'What it is told of; absent: everything, also types to come.' }),
    description: z
      .string()
      .max(WEBHOOK_DESCRIPTION_LENGTH_MAX)
      .regex(/^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]+$/u, 'Must be printable text.')
      .optional()
      .openapi({ minLength: 1, pattern: '^[^\\p{Cc}\\p{Cs}\\p{Zl}\\p{Zp}]+$', example: 'The shop' }),
  })
  .openapi('WebhookEndpointRequest');

export const webhookEndpointSchema = z
  .object({
    id: z.string().openapi({ example: 'we_4Zq0aB3dE6gH9kL2nP5rS8' }),
    object: z.literal('webhook_endpoint'),
    url: z.string(),
    events: z.array(eventType).nullable().openapi({ description: 'null: all types.' }),
    description: z.string().optional(),
    status: z.enum(['enabled', 'disabled']),
    disabled_reason: z
      .enum(['gone', 'failing'])
      .optional()
      .openapi({ description: '`gone`: the receiver answered 410. `failing`: deliveries kept failing.' }),
    disabled_at: timestamp.optional(),
    created_at: timestamp,
  })
  .openapi('WebhookEndpoint');

export const webhookEndpointWithSecretSchema = webhookEndpointSchema
  .extend({ secret: z.string().openapi({ description: 'Shown here and never again: `whsec_` and base64.' }) })
  .openapi('WebhookEndpointWithSecret');

export const webhookEndpointDeletedSchema = z
  .object({ id: z.string(), object: z.literal('webhook_endpoint'), deleted: z.literal(true) })
  .openapi('WebhookEndpointDeleted');

export const webhookEndpointListSchema = listOf(webhookEndpointSchema).openapi('WebhookEndpointList');

export const webhookDeliverySchema = z
  .object({
    id: z.string().openapi({ description: 'Also the `webhook-id` header of every attempt.' }),
    object: z.literal('webhook_delivery'),
    endpoint_id: z.string(),
    event_type: eventType,
    status: z.enum(['pending', 'delivered', 'failed']),
    next_attempt_at: timestamp.nullable().openapi({ description: 'null: none is due, or the endpoint is disabled.' }),
    attempt_count: z.number().int().nonnegative().openapi({ description: 'All attempts; the newest are listed.' }),
    attempts: z.array(
      z.object({
        at: timestamp,
        duration_ms: z.number().int().nonnegative(),
        http_status: z.number().int().nullable(),
        error: z.enum(ATTEMPT_ERRORS).nullable().openapi({ description: 'null: it was delivered.' }),
        next_attempt_at: timestamp.nullable(),
      }),
    ),
    created_at: timestamp.openapi({ description: 'When what it tells of happened.' }),
  })
  .openapi('WebhookDelivery');

export const webhookDeliveryListSchema = listOf(webhookDeliverySchema).openapi('WebhookDeliveryList');

/** An id that breaks the grammar names nothing: 404, and no object is asked. */
export const webhookEndpointParams = z.object({
  id: z.string().regex(WEBHOOK_ENDPOINT_ID_PATTERN).openapi({ example: 'we_4Zq0aB3dE6gH9kL2nP5rS8' }),
});

export const webhookDeliveryParams = z.object({
  id: z.string().openapi({ example: 'wd_4Zq0aB3dE6gH9kL2nP5rS8_1767225600000_0123456789abcdef' }),
});
