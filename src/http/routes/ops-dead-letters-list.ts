/**
 * GET /ops/dead-letters: what died, newest first, and what became of it; from the record (D1). Never asks an object.
 */
import { createRoute, z } from '@hono/zod-openapi';
import { canonicalJson } from '../../domain/canonical.ts';
import { DEAD_LETTER_STATUSES } from '../../domain/dead-letter.ts';
import { listDeadLetters } from '../../read-model/dead-letters.ts';
import type { App } from '../context.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { filtersOf } from '../dead-letter-filters.ts';
import { CODES_OF_READS, jsonResponse, problemResponses } from '../openapi.ts';
import { positionSchema } from '../page.ts';
import { problem } from '../problem.ts';
import { pageCursor, pageLimit } from '../schemas/common.ts';
import { deadLetterFilterFields, deadLetterListSchema, deadLetterView } from '../schemas/dead-letter.ts';
import { needs } from '../security.ts';

const querySchema = z.strictObject({
  ...deadLetterFilterFields,
  status: z.enum(DEAD_LETTER_STATUSES).optional(),
  limit: pageLimit,
  cursor: pageCursor,
});

const route = createRoute({
  method: 'get',
  path: '/ops/dead-letters',
  operationId: 'listDeadLetters',
  summary: 'List dead letters, newest first',
  tags: ['ops'],
  security: needs('ops'),
  request: { query: querySchema },
  responses: {
    200: jsonResponse('One page.', deadLetterListSchema),
    ...problemResponses(...CODES_OF_READS, 'validation_failed', 'invalid_cursor'),
  },
});

export function opsDeadLettersList(app: App): void {
  app.openapi(route, async (c) => {
    const { limit, cursor, ...filters } = c.req.valid('query');
    const filtersText = `/ops/dead-letters ${canonicalJson(filters)}`;
    const position = cursor === undefined ? null : decodeCursor(positionSchema, cursor, filtersText);
    if (cursor !== undefined && position === null) return problem(c, 'invalid_cursor');
    const asked = { ...filtersOf(filters), status: filters.status };
    const { rows, next } = await listDeadLetters(c.env.DB, c.get('purview'), asked, position, limit);
    const nextCursor = next === null ? null : encodeCursor(next, filtersText);
    return c.json({ object: 'list' as const, data: rows.map(deadLetterView), next_cursor: nextCursor }, 200);
  });
}
