/**
 * GET /webhook-endpoints/{id}: the endpoint, read from its owner: always current, and never with its secret.
 */
import { createRoute } from '@hono/zod-openapi';
import type { App } from '../context.ts';
import { callObject, webhookEndpointOf } from '../objects.ts';
import { CODES_OF_READS, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { noQuery } from '../schemas/common.ts';
import { webhookEndpointParams, webhookEndpointSchema } from '../schemas/webhook.ts';
import { needs } from '../security.ts';

const route = createRoute({
  method: 'get',
  path: '/webhook-endpoints/{id}',
  operationId: 'getWebhookEndpoint',
  summary: 'Read a webhook endpoint',
  tags: ['webhooks'],
  security: needs('webhooks'),
  request: { query: noQuery, params: webhookEndpointParams },
  responses: {
    200: jsonResponse('The endpoint as it is now.', webhookEndpointSchema),
    ...problemResponses(...CODES_OF_READS, 'validation_failed', 'not_found'),
  },
});

export function webhookEndpointsGet(app: App): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const result = await callObject(webhookEndpointOf(c.env, c.get('scope'), id), (stub) => stub.read());
    return result.kind === 'found' ? c.json(result.endpoint, 200) : problem(c, 'not_found');
  });
}
