/**
 * DELETE /webhook-endpoints/{id}: ends an endpoint, with its secrets, its history and what is pending. The owner first, so that
 * nothing is delivered once this has answered; if the directory then fails, deleting again strikes it out.
 */
import { createRoute } from '@hono/zod-openapi';
import { strikeEndpoint } from '../../read-model/webhook-endpoints.ts';
import type { App } from '../context.ts';
import { callObject, webhookEndpointOf } from '../objects.ts';
import { CODES_OF_READS, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { noQuery } from '../schemas/common.ts';
import { webhookEndpointDeletedSchema, webhookEndpointParams } from '../schemas/webhook.ts';
import { needs } from '../security.ts';

const route = createRoute({
  method: 'delete',
  path: '/webhook-endpoints/{id}',
  operationId: 'deleteWebhookEndpoint',
  summary: 'Delete a webhook endpoint',
  tags: ['webhooks'],
  security: needs('webhooks'),
  request: { query: noQuery, params: webhookEndpointParams },
  responses: {
    200: jsonResponse('Deleted.', webhookEndpointDeletedSchema),
    ...problemResponses(...CODES_OF_READS, 'validation_failed', 'not_found'),
  },
});

export function webhookEndpointsDelete(app: App): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const scope = c.get('scope');
    const result = await callObject(webhookEndpointOf(c.env, scope, id), (stub) => stub.destroy());
    const struck = await strikeEndpoint(c.env.DB, scope, id);
    if (result.kind === 'not_found' && !struck) return problem(c, 'not_found');
    return c.json({ id, object: 'webhook_endpoint' as const, deleted: true as const }, 200);
  });
}
