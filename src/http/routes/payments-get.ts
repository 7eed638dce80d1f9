/**
 * GET /payments/{id}: the payment, read from its owner: always current.
 */
import { createRoute } from '@hono/zod-openapi';
import type { App } from '../context.ts';
import { callObject, sagaOfPayment } from '../objects.ts';
import { CODES_OF_READS, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { noQuery } from '../schemas/common.ts';
import { paymentIdParams, paymentSchema } from '../schemas/payment.ts';

const route = createRoute({
  method: 'get',
  path: '/payments/{id}',
  operationId: 'getPayment',
  summary: 'Read a payment',
  tags: ['payments'],
  request: { query: noQuery, params: paymentIdParams },
  responses: {
    200: jsonResponse('The payment as it is now.', paymentSchema),
    ...problemResponses(...CODES_OF_READS, 'not_found'),
  },
});

export function paymentsGet(app: App): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const saga = sagaOfPayment(c.env, id);
    if (saga === null) return problem(c, 'not_found');
    const result = await callObject(saga, (stub) => stub.read(c.get('scope')));
    if (result.kind === 'not_found') return problem(c, 'not_found');
    c.set('entityId', id);
    return c.body(result.body, 200, { 'Content-Type': 'application/json' });
  });
}
