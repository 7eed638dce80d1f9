/**
 * POST /webhook-endpoints/{id}/enable: takes a disabled endpoint into service again; what was pending goes on. An endpoint that
 * is enabled stays as it is.
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
  method: 'post',
  path: '/webhook-endpoints/{id}/enable',
  operationId: 'enableWebhookEndpoint',
  summary: 'Enable a webhook endpoint again',
  tags: ['webhooks'],
  security: needs('webhooks'),
  request: { query: noQuery, params: webhookEndpointParams },
  responses: {
    200: jsonResponse('Enabled.', webhookEndpointSchema),
    ...problemResponses(...CODES_OF_READS, 'validation_failed', 'not_found'),
  },
});

export function webhookEndpointsEnable(app: App): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const result = await callObject(webhookEndpointOf(c.env, c.get('scope'), id), (stub) => stub.enable());
    return result.kind === 'found' ? c.json(result.endpoint, 200) : problem(c, 'not_found');
  });
}
