/**
 * GET /refunds/{id}: the refund, read from its owner: always current.
 */
import { createRoute } from '@hono/zod-openapi';
import type { App } from '../context.ts';
import { callObject, sagaOfRefund } from '../objects.ts';
import { CODES_OF_READS, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { noQuery } from '../schemas/common.ts';
import { refundIdParams, refundSchema } from '../schemas/refund.ts';

const route = createRoute({
  method: 'get',
  path: '/refunds/{id}',
  operationId: 'getRefund',
  summary: 'Read a refund',
  tags: ['refunds'],
  request: { query: noQuery, params: refundIdParams },
  responses: {
    200: jsonResponse('The refund as it is now.', refundSchema),
    ...problemResponses(...CODES_OF_READS, 'not_found'),
  },
});

export function refundsGet(app: App): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const saga = sagaOfRefund(c.env, id);
    if (saga === null) return problem(c, 'not_found');
    const result = await callObject(saga, (stub) => stub.read(c.get('scope')));
    if (result.kind === 'not_found') return problem(c, 'not_found');
    c.set('entityId', id);
    return c.body(result.body, 200, { 'Content-Type': 'application/json' });
  });
}
