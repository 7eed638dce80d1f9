/**
 * POST /ops/dead-letters/redrive: redrives many dead letters, named by their ids or chosen by a filter, and answers for each
 * what happened. Bounded: the present letters of a filter are taken page by page, newest first, by its cursor.
 */
import { createRoute, z } from '@hono/zod-openapi';
import { canonicalJson } from '../../domain/canonical.ts';
import { DEAD_LETTERS_REDRIVE_MAX } from '../../domain/limits.ts';
import { listDeadLetters } from '../../read-model/dead-letters.ts';
import type { App } from '../context.ts';
import { CURSOR_LENGTH_MAX, decodeCursor, encodeCursor } from '../cursor.ts';
import { filtersOf } from '../dead-letter-filters.ts';
import { jsonBody } from '../middleware/json-body.ts';
import { CODES_OF_WRITES, jsonResponse, problemResponses } from '../openapi.ts';
import { positionSchema } from '../page.ts';
import { problem } from '../problem.ts';
import { redriveLetters } from '../redrive.ts';
import { noQuery, operatorFields } from '../schemas/common.ts';
import { deadLetterFilterFields, deadLetterRedriveListSchema, deadLetterRedriveView } from '../schemas/dead-letter.ts';
import { needs } from '../security.ts';

const requestSchema = z
  .strictObject({
    ids: z
      .array(z.string().min(1).max(64))
      .min(1)
      .max(DEAD_LETTERS_REDRIVE_MAX)
      .optional()
      .openapi({ description: 'These letters, whatever their status.' }),
    filter: z
      .strictObject(deadLetterFilterFields)
      .optional()
      .openapi({ description: 'Or the letters that are present and fit; `{}`: all.' }),
    limit: z
      .number()
      .int()
      .min(1)
      .max(DEAD_LETTERS_REDRIVE_MAX)
      .optional()
      .openapi({ description: `With \`filter\`: how many at most; absent: ${DEAD_LETTERS_REDRIVE_MAX}.` }),
    cursor: z
      .string()
      .max(CURSOR_LENGTH_MAX)
      .optional()
      .openapi({ description: 'With `filter`: `next_cursor` of the answer before.' }),
    ...operatorFields,
  })
  .refine(({ ids, filter }) => (ids === undefined) !== (filter === undefined), 'Must have ids or a filter.')
  .refine(
    ({ ids, limit, cursor }) => ids === undefined || (limit === undefined && cursor === undefined),
    'Must have no limit and no cursor with ids.',
  )
  .openapi('DeadLettersRedriveRequest');

const route = createRoute({
  method: 'post',
  path: '/ops/dead-letters/redrive',
  operationId: 'redriveDeadLetters',
  summary: 'Redrive many dead letters, by id or by filter',
  tags: ['ops'],
  security: needs('ops'),
  middleware: [jsonBody] as const,
  request: {
    query: noQuery,
    body: { required: true, content: { 'application/json': { schema: requestSchema } } },
  },
  responses: {
    200: jsonResponse('What happened to each.', deadLetterRedriveListSchema),
    ...problemResponses(...CODES_OF_WRITES, 'invalid_cursor'),
  },
});

export function opsDeadLettersRedriveMany(app: App): void {
  app.openapi(route, async (c) => {
    const { ids, filter = {}, limit = DEAD_LETTERS_REDRIVE_MAX, cursor, actor, reason } = c.req.valid('json');
    const filterText = `/ops/dead-letters/redrive ${canonicalJson(filter)}`;
    const position = cursor === undefined ? null : decodeCursor(positionSchema, cursor, filterText);
    if (cursor !== undefined && position === null) return problem(c, 'invalid_cursor');
    const chosen = { ...filtersOf(filter), status: 'present' as const };
    const page = ids === undefined ? await listDeadLetters(c.env.DB, c.get('purview'), chosen, position, limit) : null;
    const asked = page?.rows.map(({ id }) => id) ?? [...new Set(ids)];
    const redrives = await redriveLetters(c, asked, { actor, reason });
    const next = page === null || page.next === null ? null : encodeCursor(page.next, filterText);
    return c.json({ object: 'list' as const, data: redrives.map(deadLetterRedriveView), next_cursor: next }, 200);
  });
}
