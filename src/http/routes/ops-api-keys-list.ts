/**
 * GET /ops/api-keys: a merchant's keys, newest first, those that count no more with them; with a platform key everybody's. From
 * the list (D1), which follows each change; never with a key's text, which nobody has.
 */
import { createRoute, z } from '@hono/zod-openapi';
import { apiKeyView } from '../../domain/api-key-record.ts';
import { canonicalJson } from '../../domain/canonical.ts';
import { listApiKeys } from '../../read-model/api-keys.ts';
import type { App } from '../context.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { CODES_OF_READS, jsonResponse, problemResponses } from '../openapi.ts';
import { positionSchema } from '../page.ts';
import { problem } from '../problem.ts';
import { apiKeyListSchema } from '../schemas/api-key.ts';
import { clientId, pageCursor, pageLimit } from '../schemas/common.ts';
import { needsOrBootstrap } from '../security.ts';

const PATH = '/ops/api-keys';

const route = createRoute({
  method: 'get',
  path: PATH,
  operationId: 'listApiKeys',
  summary: 'List API keys, newest first',
  tags: ['ops'],
  security: needsOrBootstrap('ops'),
  request: {
    query: z.strictObject({ merchant: clientId('shop').optional(), limit: pageLimit, cursor: pageCursor }),
  },
  responses: {
    200: jsonResponse('One page.', apiKeyListSchema),
    ...problemResponses(...CODES_OF_READS, 'validation_failed', 'invalid_cursor'),
  },
});

export function opsApiKeysList(app: App): void {
  app.openapi(route, async (c) => {
    const { merchant, limit, cursor } = c.req.valid('query');
    const filtersText = `${PATH} ${canonicalJson({ merchant: merchant ?? null })}`;
    const position = cursor === undefined ? null : decodeCursor(positionSchema, cursor, filtersText);
    if (cursor !== undefined && position === null) return problem(c, 'invalid_cursor');
    const { keys, next } = await listApiKeys(c.env.DB, c.get('purview'), merchant, position, limit);
    const nowMs = Date.now();
    const nextCursor = next === null ? null : encodeCursor(next, filtersText);
    return c.json(
      { object: 'list' as const, data: keys.map((key) => apiKeyView(key, nowMs)), next_cursor: nextCursor },
      200,
    );
  });
}
