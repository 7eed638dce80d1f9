/**
 * POST /webhook-deliveries/{id}/resend: sends a delivery again, whatever became of it: the same id and the same bytes, with the
 * whole retry schedule before it. The id leads to its endpoint; pressed twice, it is sent as often as it is due.
 */
import { createRoute } from '@hono/zod-openapi';
import { parseDeliveryId } from '../../domain/webhook.ts';
import type { App } from '../context.ts';
import { callObject, webhookEndpointOf } from '../objects.ts';
import { CODES_OF_READS, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { noQuery } from '../schemas/common.ts';
import { webhookDeliveryParams, webhookDeliverySchema } from '../schemas/webhook.ts';
import { needs } from '../security.ts';

const route = createRoute({
  method: 'post',
  path: '/webhook-deliveries/{id}/resend',
  operationId: 'resendWebhookDelivery',
  summary: 'Send a delivery again',
  tags: ['webhooks'],
  security: needs('webhooks'),
  request: { query: noQuery, params: webhookDeliveryParams },
  responses: {
    202: jsonResponse('It is due now.', webhookDeliverySchema),
    ...problemResponses(...CODES_OF_READS, 'validation_failed', 'not_found', 'webhook_endpoint_disabled'),
  },
});

export function webhookDeliveriesResend(app: App): void {
  app.openapi(route, async (c) => {
    const parsed = parseDeliveryId(c.req.valid('param').id);
    if (parsed === null) return problem(c, 'not_found');
    const reach = webhookEndpointOf(c.env, c.get('scope'), parsed.endpointId);
    const result = await callObject(reach, (stub) => stub.resend(parsed.key));
    if (result.kind === 'not_found') return problem(c, 'not_found');
    if (result.kind === 'disabled') return problem(c, 'webhook_endpoint_disabled');
    return c.json(result.delivery, 202);
  });
}
