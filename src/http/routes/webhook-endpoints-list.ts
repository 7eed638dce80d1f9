/**
 * GET /webhook-endpoints: all endpoints of the merchant, newest first: which there are by the directory, each as its owner has
 * it. There are so few that one page holds them all.
 */
import { createRoute } from '@hono/zod-openapi';
import { endpointsOf } from '../../read-model/webhook-endpoints.ts';
import type { App } from '../context.ts';
import { callObject, webhookEndpointOf } from '../objects.ts';
import { CODES_OF_READS, jsonResponse, problemResponses } from '../openapi.ts';
import { noQuery } from '../schemas/common.ts';
import { webhookEndpointListSchema } from '../schemas/webhook.ts';
import { needs } from '../security.ts';

const route = createRoute({
  method: 'get',
  path: '/webhook-endpoints',
  operationId: 'listWebhookEndpoints',
  summary: 'List webhook endpoints, newest first',
  tags: ['webhooks'],
  security: needs('webhooks'),
  request: { query: noQuery },
  responses: {
    200: jsonResponse('All of them.', webhookEndpointListSchema),
    ...problemResponses(...CODES_OF_READS, 'validation_failed'),
  },
});

export function webhookEndpointsList(app: App): void {
  app.openapi(route, async (c) => {
    const scope = c.get('scope');
    const ids = await endpointsOf(c.env.DB, scope);
    const results = await Promise.all(
      ids.map((id) => callObject(webhookEndpointOf(c.env, scope, id), (stub) => stub.read())),
    );
    // One that is being deleted is gone from its object before it is gone from the directory.
    const data = results.flatMap((result) => (result.kind === 'found' ? [result.endpoint] : []));
    return c.json({ object: 'list' as const, data, next_cursor: null }, 200);
  });
}
