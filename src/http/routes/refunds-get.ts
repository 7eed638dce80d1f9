/**
 * GET /refunds/{id}: the refund, read from its owner: always current. After its retention, from the record, for as long as that has it
 * (docs/retention.md). With `?include=cost`, for operators: and what it has cost, while its owner knows.
 */
import { createRoute } from '@hono/zod-openapi';
import type { App } from '../context.ts';
import { sagaOfRefund } from '../objects.ts';
import { CODES_OF_READS, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { readEntity } from '../read-entity.ts';
import { costSchema, includeQuery } from '../schemas/cost.ts';
import { refundIdParams, refundSchema } from '../schemas/refund.ts';
import { needs } from '../security.ts';

const route = createRoute({
  method: 'get',
  path: '/refunds/{id}',
  operationId: 'getRefund',
  summary: 'Read a refund',
  tags: ['refunds'],
  security: needs('payments:read'),
  request: { query: includeQuery, params: refundIdParams },
  responses: {
    200: jsonResponse(
      'The refund as it is now; `cost` where it is asked for.',
      refundSchema.extend({ cost: costSchema.optional() }).openapi('RefundWithCost'),
    ),
    ...problemResponses(...CODES_OF_READS, 'validation_failed', 'not_found', 'record_archived'),
  },
});

export function refundsGet(app: App): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const saga = sagaOfRefund(c.env, id);
    if (saga === null) return problem(c, 'not_found');
    return readEntity(c, 'refunds', id, saga, c.req.valid('query').include);
  });
}
