/**
 * POST /ops/dead-letters/{id}/discard: a person has looked at a dead letter, and nothing is to come of it. Changes the letter
 * alone: a saga that waits for what it carried goes on waiting, and sends it again by itself.
 */
import { createRoute } from '@hono/zod-openapi';
import { discardDeadLetter, readDeadLetters } from '../../read-model/dead-letters.ts';
import { audit } from '../audit.ts';
import type { App, AppContext } from '../context.ts';
import { jsonBody } from '../middleware/json-body.ts';
import { CODES_OF_WRITES, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { noQuery } from '../schemas/common.ts';
import { deadLetterParams, deadLetterSchema, deadLetterView, operatorSchema } from '../schemas/dead-letter.ts';
import { needs } from '../security.ts';

const route = createRoute({
  method: 'post',
  path: '/ops/dead-letters/{id}/discard',
  operationId: 'discardDeadLetter',
  summary: 'Discard a dead letter, with a reason',
  tags: ['ops'],
  security: needs('ops'),
  middleware: [jsonBody] as const,
  request: {
    query: noQuery,
    params: deadLetterParams,
    body: { required: true, content: { 'application/json': { schema: operatorSchema } } },
  },
  responses: {
    200: jsonResponse('It is discarded, by this request or an earlier one.', deadLetterSchema),
    ...problemResponses(...CODES_OF_WRITES, 'not_found', 'dead_letter_resolved'),
  },
});

export function opsDeadLettersDiscard(app: App): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const by = c.req.valid('json');
    const before = await letterOf(c, id);
    if (before === undefined) return problem(c, 'not_found');
    if (before.status === 'present') {
      const subject = `${id} ${before.effect_id ?? before.group_id ?? 'unreadable'}`;
      const merchant = before.merchant === null ? {} : { merchant: before.merchant };
      await audit(c, { ...by, action: 'dead_letter.discard', subject, ...merchant });
      await discardDeadLetter(c.env.DB, id, by, Date.now());
    }
    const after = await letterOf(c, id);
    if (after?.status !== 'discarded') {
      return problem(c, 'dead_letter_resolved', { detail: 'The dead letter has been redriven.' });
    }
    return c.json(deadLetterView(after), 200);
  });
}

async function letterOf(c: AppContext, id: string) {
  return (await readDeadLetters(c.env.DB, c.get('purview'), [id])).get(id);
}
