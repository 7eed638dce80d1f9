/**
 * POST /ops/api-keys/{id}/revoke: from this answer on, the key is refused everywhere. Revoking again is answered as before; should
 * the list (D1) not have been told the first time, it is then.
 */
import { createRoute } from '@hono/zod-openapi';
import { apiKeyView } from '../../domain/api-key-record.ts';
import { changeApiKey, keyInPurview } from '../api-keys.ts';
import { audit } from '../audit.ts';
import type { App } from '../context.ts';
import { jsonBody } from '../middleware/json-body.ts';
import { CODES_OF_WRITES, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { apiKeyParams, apiKeySchema } from '../schemas/api-key.ts';
import { noQuery } from '../schemas/common.ts';
import { operatorSchema } from '../schemas/dead-letter.ts';
import { needsOrBootstrap } from '../security.ts';

const route = createRoute({
  method: 'post',
  path: '/ops/api-keys/{id}/revoke',
  operationId: 'revokeApiKey',
  summary: 'Revoke an API key, at once',
  tags: ['ops'],
  security: needsOrBootstrap('ops'),
  middleware: [jsonBody] as const,
  request: {
    query: noQuery,
    params: apiKeyParams,
    body: { required: true, content: { 'application/json': { schema: operatorSchema } } },
  },
  responses: {
    200: jsonResponse('It counts no more, by this request or an earlier one.', apiKeySchema),
    ...problemResponses(...CODES_OF_WRITES, 'not_found'),
  },
});

export function opsApiKeysRevoke(app: App): void {
  app.openapi(route, async (c) => {
    const key = await keyInPurview(c, c.req.valid('param').id);
    if (key === null) return problem(c, 'not_found');
    const { id, merchant, revokedAtMs } = key;
    if (revokedAtMs === null) {
      const said = c.req.valid('json');
      await audit(c, { ...said, action: 'api_key.revoke', subject: id, ...(merchant !== null && { merchant }) });
    }
    const revoked = await changeApiKey(c, id, (stub) => stub.revoke());
    return c.json(apiKeyView(revoked, Date.now()), 200);
  });
}
