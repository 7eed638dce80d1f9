/**
 * GET /ops/reconciliations: the reports, newest first, without what they found.
 */
import { createRoute, z } from '@hono/zod-openapi';
import { listReconciliations } from '../../read-model/reconciliations.ts';
import type { App } from '../context.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { CODES_OF_READS, jsonResponse, problemResponses } from '../openapi.ts';
import { positionSchema } from '../page.ts';
import { problem } from '../problem.ts';
import { pageCursor, pageLimit } from '../schemas/common.ts';
import { reconciliationListSchema, reconciliationView } from '../schemas/reconciliation.ts';
import { needs } from '../security.ts';

const route = createRoute({
  method: 'get',
  path: '/ops/reconciliations',
  operationId: 'listReconciliations',
  summary: 'List reconciliations, newest first',
  tags: ['ops'],
  security: needs('ops', 'platform'),
  request: { query: z.strictObject({ limit: pageLimit, cursor: pageCursor }) },
  responses: {
    200: jsonResponse('One page.', reconciliationListSchema),
    ...problemResponses(...CODES_OF_READS, 'validation_failed', 'invalid_cursor'),
  },
});

export function opsReconciliationsList(app: App): void {
  app.openapi(route, async (c) => {
    const { limit, cursor } = c.req.valid('query');
    const position = cursor === undefined ? null : decodeCursor(positionSchema, cursor, c.req.path);
    if (cursor !== undefined && position === null) return problem(c, 'invalid_cursor');
    const page = await listReconciliations(c.env.DB, c.get('config').mode, position, limit);
    const next = page.next === null ? null : encodeCursor(page.next, c.req.path);
    return c.json({ object: 'list' as const, data: page.items.map(reconciliationView), next_cursor: next }, 200);
  });
}
