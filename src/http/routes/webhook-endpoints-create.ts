/**
 * POST /webhook-endpoints: makes an endpoint and shows its secret, once. The object first, then the directory: an endpoint is
 * never found by a notification before its owner knows it. What the directory has no room for is taken back.
 */
import { createRoute } from '@hono/zod-openapi';
import { bytesToHex } from '@noble/hashes/utils.js';
import { WEBHOOK_ENDPOINTS_MAX } from '../../domain/limits.ts';
import { webhookEndpointId } from '../../domain/webhook.ts';
import { checkWebhookUrl, WEBHOOK_URL_MESSAGES } from '../../domain/webhook-url.ts';
import { enterEndpoint } from '../../read-model/webhook-endpoints.ts';
import type { App } from '../context.ts';
import { jsonBody } from '../middleware/json-body.ts';
import { callObject, webhookEndpointOf } from '../objects.ts';
import { CODES_OF_WRITES, jsonResponse, problemResponses, RESPONSE_HEADERS } from '../openapi.ts';
import { problem } from '../problem.ts';
import { noQuery } from '../schemas/common.ts';
import { webhookEndpointRequestSchema, webhookEndpointWithSecretSchema } from '../schemas/webhook.ts';
import { needs } from '../security.ts';
import { validationFailed } from '../validation.ts';

const route = createRoute({
  method: 'post',
  path: '/webhook-endpoints',
  operationId: 'createWebhookEndpoint',
  summary: 'Make a webhook endpoint',
  tags: ['webhooks'],
  security: needs('webhooks'),
  middleware: [jsonBody] as const,
  request: {
    query: noQuery,
    body: { required: true, content: { 'application/json': { schema: webhookEndpointRequestSchema } } },
  },
  responses: {
    201: jsonResponse('Made. The secret is shown here and never again.', webhookEndpointWithSecretSchema, {
      Location: RESPONSE_HEADERS.location,
    }),
    ...problemResponses(...CODES_OF_WRITES, 'webhook_endpoints_limit_exceeded'),
  },
});

export function webhookEndpointsCreate(app: App): void {
  app.openapi(route, async (c) => {
    const { url, events = null, description = null } = c.req.valid('json');
    const scope = c.get('scope');
    const checked = checkWebhookUrl(url, scope.mode);
    if (!checked.ok) {
      const message = WEBHOOK_URL_MESSAGES[checked.reason];
      return validationFailed(c, [{ in: 'body', pointer: '/url', message }]);
    }
    const id = webhookEndpointId(BigInt(`0x${bytesToHex(crypto.getRandomValues(new Uint8Array(16)))}`));
    const reach = webhookEndpointOf(c.env, scope, id);
    const made = await callObject(reach, (stub) => stub.create({ id, scope, url: checked.url, events, description }));
    if (made.kind === 'not_found') return problem(c, 'internal_error');
    if (!(await enterEndpoint(c.env.DB, { id, scope, events }, Date.now()))) {
      await callObject(reach, (stub) => stub.destroy());
      const detail = `A merchant has at most ${WEBHOOK_ENDPOINTS_MAX}.`;
      return problem(c, 'webhook_endpoints_limit_exceeded', { detail });
    }
    return c.json({ ...made.endpoint, secret: made.secret }, 201, { Location: `/webhook-endpoints/${id}` });
  });
}
