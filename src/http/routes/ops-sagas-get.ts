/**
 * GET /ops/sagas/{id}: one payment's or refund's saga as its object has it: what it waits for, why it needs a person, and what
 * is in force. Nothing secret is in it.
 */
import { createRoute } from '@hono/zod-openapi';
import type { App } from '../context.ts';
import { callObject, sagaOfEntity } from '../objects.ts';
import { CODES_OF_READS, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { scopeOfSaga } from '../saga-moves.ts';
import { noQuery } from '../schemas/common.ts';
import { sagaIdParams, sagaSchema } from '../schemas/saga.ts';
import { needs } from '../security.ts';

const route = createRoute({
  method: 'get',
  path: '/ops/sagas/{id}',
  operationId: 'getSaga',
  summary: 'Look into one saga',
  tags: ['ops'],
  security: needs('ops'),
  request: { query: noQuery, params: sagaIdParams },
  responses: {
    200: jsonResponse('The saga as it is now.', sagaSchema),
    ...problemResponses(...CODES_OF_READS, 'validation_failed', 'not_found'),
  },
});

export function opsSagasGet(app: App): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const saga = sagaOfEntity(c.env, id);
    if (saga === null) return problem(c, 'not_found');
    const scope = await scopeOfSaga(c, saga);
    const result = await callObject(saga, (stub) => stub.inspect(scope));
    if (result.kind === 'not_found') return problem(c, 'not_found');
    c.set('entityId', id);
    return c.body(result.body, 200, { 'Content-Type': 'application/json' });
  });
}
