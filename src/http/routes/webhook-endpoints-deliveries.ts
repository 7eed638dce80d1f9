/**
 * GET /webhook-endpoints/{id}/deliveries: what was delivered to an endpoint, is pending or failed, newest first, with every
 * attempt; read from its owner.
 */
import { createRoute, z } from '@hono/zod-openapi';
import type { App } from '../context.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { callObject, webhookEndpointOf } from '../objects.ts';
import { CODES_OF_READS, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { pageCursor, pageLimit } from '../schemas/common.ts';
import { webhookDeliveryListSchema, webhookEndpointParams } from '../schemas/webhook.ts';
import { needs } from '../security.ts';

const querySchema = z.strictObject({ limit: pageLimit, cursor: pageCursor });
const positionSchema = z.strictObject({ createdAtMs: z.number().int(), hash: z.string().max(64) });

const route = createRoute({
  method: 'get',
  path: '/webhook-endpoints/{id}/deliveries',
  operationId: 'listWebhookDeliveries',
  summary: "List a webhook endpoint's deliveries, newest first",
  tags: ['webhooks'],
  security: needs('webhooks'),
  request: { params: webhookEndpointParams, query: querySchema },
  responses: {
    200: jsonResponse('One page.', webhookDeliveryListSchema),
    ...problemResponses(...CODES_OF_READS, 'validation_failed', 'invalid_cursor', 'not_found'),
  },
});

export function webhookEndpointsDeliveries(app: App): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const { limit, cursor } = c.req.valid('query');
    const before = cursor === undefined ? null : decodeCursor(positionSchema, cursor, c.req.path);
    if (cursor !== undefined && before === null) return problem(c, 'invalid_cursor');
    const reach = webhookEndpointOf(c.env, c.get('scope'), id);
    const result = await callObject(reach, (stub) => stub.readDeliveries(before, limit));
    if (result.kind === 'not_found') return problem(c, 'not_found');
    const next = result.next === null ? null : encodeCursor(result.next, c.req.path);
    return c.json({ object: 'list' as const, data: [...result.deliveries], next_cursor: next }, 200);
  });
}
