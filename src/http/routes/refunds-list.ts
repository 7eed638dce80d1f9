/**
 * GET /refunds?payment_id=: the refunds of a payment, from the record (D1), newest first.
 */
import { createRoute, z } from '@hono/zod-openapi';
import { listRefunds } from '../../read-model/refunds.ts';
import type { App } from '../context.ts';
import { decodeCursor } from '../cursor.ts';
import { REFUNDS_ROUTE } from '../objects.ts';
import { CODES_OF_READS, jsonResponse, problemResponses } from '../openapi.ts';
import { answerPage, positionSchema } from '../page.ts';
import { problem } from '../problem.ts';
import { pageCursor, pageLimit } from '../schemas/common.ts';
import { refundListSchema } from '../schemas/refund.ts';
import { needs } from '../security.ts';

const route = createRoute({
  method: 'get',
  path: REFUNDS_ROUTE,
  operationId: 'listRefunds',
  summary: 'List the refunds of a payment, newest first',
  tags: ['refunds'],
  security: needs('payments:read'),
  request: { query: z.strictObject({ payment_id: z.string().max(64), limit: pageLimit, cursor: pageCursor }) },
  responses: {
    200: jsonResponse('One page.', refundListSchema),
    ...problemResponses(...CODES_OF_READS, 'validation_failed', 'invalid_cursor'),
  },
});

export function refundsList(app: App): void {
  app.openapi(route, async (c) => {
    const { payment_id: paymentId, limit, cursor } = c.req.valid('query');
    const filtersText = `${REFUNDS_ROUTE} ${paymentId}`;
    const position = cursor === undefined ? null : decodeCursor(positionSchema, cursor, filtersText);
    if (cursor !== undefined && position === null) return problem(c, 'invalid_cursor');
    return answerPage(c, await listRefunds(c.env.DB, c.get('scope'), paymentId, position, limit), filtersText);
  });
}
