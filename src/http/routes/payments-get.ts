/**
 * GET /payments/{id}: the payment, read from its owner: always current. After its retention, from the record, for as long as that has it
 * (docs/retention.md). With `?include=cost`, for operators: and what it has cost, while its owner knows.
 */
import { createRoute } from '@hono/zod-openapi';
import type { App } from '../context.ts';
import { sagaOfPayment } from '../objects.ts';
import { CODES_OF_READS, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { readEntity } from '../read-entity.ts';
import { costSchema, includeQuery } from '../schemas/cost.ts';
import { paymentIdParams, paymentSchema } from '../schemas/payment.ts';
import { needs } from '../security.ts';

const route = createRoute({
  method: 'get',
  path: '/payments/{id}',
  operationId: 'getPayment',
  summary: 'Read a payment',
  tags: ['payments'],
  security: needs('payments:read'),
  request: { query: includeQuery, params: paymentIdParams },
  responses: {
    200: jsonResponse(
      'The payment as it is now; `cost` where it is asked for.',
      paymentSchema.extend({ cost: costSchema.optional() }).openapi('PaymentWithCost'),
    ),
    ...problemResponses(...CODES_OF_READS, 'validation_failed', 'not_found', 'record_archived'),
  },
});

export function paymentsGet(app: App): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const saga = sagaOfPayment(c.env, id);
    if (saga === null) return problem(c, 'not_found');
    return readEntity(c, 'payments', id, saga, c.req.valid('query').include);
  });
}
