/**
 * POST /ops/sagas/{id}/resolve: an operator states what is true of a saga that cannot find out by itself, and it goes on from
 * there by its own rules. Names its actor and reason, and is in the audit log before it is made.
 */
import { createRoute } from '@hono/zod-openapi';
import type { App } from '../context.ts';
import { jsonBody } from '../middleware/json-body.ts';
import { CODES_OF_WRITES, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { move } from '../saga-moves.ts';
import { noQuery } from '../schemas/common.ts';
import { moveSchema, resolveSchema, sagaIdParams } from '../schemas/saga.ts';
import { needs } from '../security.ts';

const route = createRoute({
  method: 'post',
  path: '/ops/sagas/{id}/resolve',
  operationId: 'resolveSaga',
  summary: 'State what is true, and let the saga go on',
  tags: ['ops'],
  security: needs('ops'),
  middleware: [jsonBody] as const,
  request: {
    query: noQuery,
    params: sagaIdParams,
    body: { required: true, content: { 'application/json': { schema: resolveSchema } } },
  },
  responses: {
    200: jsonResponse('The saga after it, and what it came to.', moveSchema),
    ...problemResponses(...CODES_OF_WRITES, 'not_found', 'saga_not_in_attention', 'saga_move_not_possible'),
  },
});

export function opsSagasResolve(app: App): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const { provider_reference: providerReference, ...said } = c.req.valid('json');
    const answer = await move(c, id, {
      kind: 'resolve',
      ...said,
      ...(providerReference !== undefined && { providerReference }),
    });
    if (typeof answer === 'string') return problem(c, answer);
    c.set('entityId', id);
    return c.json(answer, 200);
  });
}
