/**
 * POST /ops/dead-letters/{id}/redrive: has the owner of a dead letter send again what it still waits for. Pressed twice, by
 * one person or two, it is one redrive: the second is answered as the first was.
 */
import { createRoute } from '@hono/zod-openapi';
import type { App } from '../context.ts';
import { jsonBody } from '../middleware/json-body.ts';
import { CODES_OF_WRITES, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { redriveLetters } from '../redrive.ts';
import { noQuery } from '../schemas/common.ts';
import {
  deadLetterParams,
  deadLetterRedriveSchema,
  deadLetterRedriveView,
  operatorSchema,
} from '../schemas/dead-letter.ts';
import { needs } from '../security.ts';

const route = createRoute({
  method: 'post',
  path: '/ops/dead-letters/{id}/redrive',
  operationId: 'redriveDeadLetter',
  summary: 'Redrive a dead letter through the present state of its saga',
  tags: ['ops'],
  security: needs('ops'),
  middleware: [jsonBody] as const,
  request: {
    query: noQuery,
    params: deadLetterParams,
    body: { required: true, content: { 'application/json': { schema: operatorSchema } } },
  },
  responses: {
    200: jsonResponse('It is redriven, by this request or an earlier one.', deadLetterRedriveSchema),
    ...problemResponses(...CODES_OF_WRITES, 'not_found', 'dead_letter_not_redrivable', 'dead_letter_resolved'),
  },
});

export function opsDeadLettersRedrive(app: App): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const [redrive] = await redriveLetters(c, [id], c.req.valid('json'));
    switch (redrive?.result) {
      case 'redriven':
      case 'already_redriven':
        return c.json(deadLetterRedriveView(redrive), 200);
      case 'discarded':
        return problem(c, 'dead_letter_resolved', { detail: 'The dead letter has been discarded.' });
      case 'not_redrivable':
        return problem(c, 'dead_letter_not_redrivable');
      case 'owner_unreachable':
        return problem(c, 'temporarily_unavailable');
      case 'not_found':
      case undefined:
        return problem(c, 'not_found');
    }
  });
}
