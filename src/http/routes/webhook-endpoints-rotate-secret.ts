/**
 * POST /webhook-endpoints/{id}/rotate-secret: a new secret, shown once. The one before signs beside it for a day, so that a
 * receiver can change over without missing anything. Rotating twice is only one secret more.
 */
import { createRoute } from '@hono/zod-openapi';
import type { App } from '../context.ts';
import { callObject, webhookEndpointOf } from '../objects.ts';
import { CODES_OF_READS, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { noQuery } from '../schemas/common.ts';
import { webhookEndpointParams, webhookEndpointWithSecretSchema } from '../schemas/webhook.ts';
import { needs } from '../security.ts';

const route = createRoute({
  method: 'post',
  path: '/webhook-endpoints/{id}/rotate-secret',
  operationId: 'rotateWebhookSecret',
  summary: "Rotate a webhook endpoint's secret",
  tags: ['webhooks'],
  security: needs('webhooks'),
  request: { query: noQuery, params: webhookEndpointParams },
  responses: {
    200: jsonResponse('The new secret, shown here and never again.', webhookEndpointWithSecretSchema),
    ...problemResponses(...CODES_OF_READS, 'validation_failed', 'not_found'),
  },
});

export function webhookEndpointsRotateSecret(app: App): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const result = await callObject(webhookEndpointOf(c.env, c.get('scope'), id), (stub) => stub.rotateSecret());
    if (result.kind === 'not_found') return problem(c, 'not_found');
    return c.json({ ...result.endpoint, secret: result.secret }, 200);
  });
}
