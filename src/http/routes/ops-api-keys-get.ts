/**
 * GET /ops/api-keys/{id}: one key, read from its object: always current.
 */
import { createRoute } from '@hono/zod-openapi';
import { apiKeyView } from '../../domain/api-key-record.ts';
import { keyInPurview } from '../api-keys.ts';
import type { App } from '../context.ts';
import { CODES_OF_READS, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { apiKeyParams, apiKeySchema } from '../schemas/api-key.ts';
import { noQuery } from '../schemas/common.ts';
import { needsOrBootstrap } from '../security.ts';

const route = createRoute({
  method: 'get',
  path: '/ops/api-keys/{id}',
  operationId: 'getApiKey',
  summary: 'Read an API key, without its text',
  tags: ['ops'],
  security: needsOrBootstrap('ops'),
  request: { query: noQuery, params: apiKeyParams },
  responses: {
    200: jsonResponse('The key as it is now.', apiKeySchema),
    ...problemResponses(...CODES_OF_READS, 'validation_failed', 'not_found'),
  },
});

export function opsApiKeysGet(app: App): void {
  app.openapi(route, async (c) => {
    const key = await keyInPurview(c, c.req.valid('param').id);
    return key === null ? problem(c, 'not_found') : c.json(apiKeyView(key, Date.now()), 200);
  });
}
