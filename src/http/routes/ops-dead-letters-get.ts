/**
 * GET /ops/dead-letters/{id}: a dead letter with its body, and whether its owner still waits for what it carried: what a
 * redrive would do. An owner that cannot be asked is no reason not to show the letter: that may be why it died.
 */
import { createRoute } from '@hono/zod-openapi';
import { redrivableOf } from '../../domain/dead-letter.ts';
import { entityOf } from '../../domain/events/envelope.ts';
import { type DeadLetterRow, readDeadLetterBody, readDeadLetters } from '../../read-model/dead-letters.ts';
import { ownerStub } from '../../stubs.ts';
import { errorText, logLine } from '../../telemetry/log.ts';
import type { App, AppContext } from '../context.ts';
import { CODES_OF_READS, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { scopeOf } from '../redrive.ts';
import { noQuery } from '../schemas/common.ts';
import { deadLetterDetailSchema, deadLetterParams, deadLetterView } from '../schemas/dead-letter.ts';
import { needs } from '../security.ts';

const route = createRoute({
  method: 'get',
  path: '/ops/dead-letters/{id}',
  operationId: 'getDeadLetter',
  summary: 'Inspect a dead letter',
  tags: ['ops'],
  security: needs('ops'),
  request: { query: noQuery, params: deadLetterParams },
  responses: {
    200: jsonResponse('The letter, and how its owner stands.', deadLetterDetailSchema),
    ...problemResponses(...CODES_OF_READS, 'validation_failed', 'not_found'),
  },
});

export function opsDeadLettersGet(app: App): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const letter = (await readDeadLetters(c.env.DB, c.get('purview'), [id])).get(id);
    if (letter === undefined) return problem(c, 'not_found');
    const [body, owner] = await Promise.all([readDeadLetterBody(c.env.DB, id), ownerOf(c, letter)]);
    return c.json({ ...deadLetterView(letter), body: parsed(body ?? 'null'), owner }, 200);
  });
}

async function ownerOf(c: AppContext, letter: DeadLetterRow) {
  const item = redrivableOf(letter);
  if (item === null || letter.group_id === null) return null;
  const scope = scopeOf(c, letter);
  try {
    const standing = await ownerStub(c.env, scope, entityOf(letter.group_id))?.standing(scope, item);
    return standing?.kind === 'known' ? { awaits: standing.awaits, state: standing.state } : null;
  } catch (error) {
    logLine('dead_letter.owner_unreachable', { group_id: letter.group_id, error: errorText(error) });
    return { awaits: null, state: null };
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The only thing it throws for: the stored text was cut.
    return text;
  }
}
