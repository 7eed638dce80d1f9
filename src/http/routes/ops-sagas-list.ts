/**
 * GET /ops/sagas: sagas that have not come to rest, from the record (D1), whoever has not been heard of for longest first. Not
 * asked for anything else, it lists those that need somebody: by a reason for attention, or because they stand still.
 */
import { createRoute, z } from '@hono/zod-openapi';
import { canonicalJson } from '../../domain/canonical.ts';
import { toTimestamp } from '../../domain/events/envelope.ts';
import { SECOND_MS } from '../../domain/limits.ts';
import { listSagas, type SagaRow } from '../../read-model/sagas.ts';
import type { App } from '../context.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { CODES_OF_READS, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { pageCursor, pageLimit } from '../schemas/common.ts';
import { ATTENTIONS, SAGA_KINDS, SAGA_STATES, sagaListSchema } from '../schemas/saga.ts';
import { needs } from '../security.ts';

const PATH = '/ops/sagas';

const querySchema = z.strictObject({
  kind: z.enum(SAGA_KINDS).optional(),
  state: z.enum(SAGA_STATES).optional(),
  attention: z.enum(ATTENTIONS).optional(),
  older_than: z
    .string()
    .regex(/^[0-9]{1,9}$/, 'Must be a whole number of seconds.')
    .transform(Number)
    .optional()
    .openapi({ type: 'integer', minimum: 0, description: 'Not heard of for longer than so many seconds.' }),
  limit: pageLimit,
  cursor: pageCursor,
});

const positionSchema = z.strictObject({ updatedAtMs: z.number().int(), id: z.string().max(64) });

const route = createRoute({
  method: 'get',
  path: PATH,
  operationId: 'listSagas',
  summary: 'List sagas that need a person, or that stand still',
  tags: ['ops'],
  security: needs('ops'),
  request: { query: querySchema },
  responses: {
    200: jsonResponse('One page.', sagaListSchema),
    ...problemResponses(...CODES_OF_READS, 'validation_failed', 'invalid_cursor'),
  },
});

export function opsSagasList(app: App): void {
  app.openapi(route, async (c) => {
    const { limit, cursor, ...filters } = c.req.valid('query');
    const filtersText = `${PATH} ${canonicalJson(filters)}`;
    const position = cursor === undefined ? null : decodeCursor(positionSchema, cursor, filtersText);
    if (cursor !== undefined && position === null) return problem(c, 'invalid_cursor');
    const nowMs = Date.now();
    const { kind, state, attention, older_than: olderThanSeconds } = filters;
    const updatedBeforeMs = olderThanSeconds === undefined ? undefined : nowMs - olderThanSeconds * SECOND_MS;
    const { rows, next } = await listSagas(
      c.env.DB,
      c.get('purview'),
      { kind, state, attention, updatedBeforeMs },
      { nowMs, position, limit },
    );
    const next_cursor = next === null ? null : encodeCursor(next, filtersText);
    return c.json({ object: 'list' as const, data: rows.map(viewOf), next_cursor }, 200);
  });
}

function viewOf({ stuck, created_at_ms, updated_at_ms, swept_at_ms, status, ...row }: SagaRow) {
  return {
    object: 'saga' as const,
    ...row,
    status: status as 'PENDING' | 'COMPLETED' | 'FAILED',
    stuck: stuck === 1,
    created_at: toTimestamp(created_at_ms),
    updated_at: toTimestamp(updated_at_ms),
    swept_at: swept_at_ms === 0 ? null : toTimestamp(swept_at_ms),
  };
}
