/**
 * GET /ops/sweeps: the last reports of the sweeper, newest first: what stood still, what was poked, and what was found that
 * should not be. From the record (D1).
 */
import { createRoute, z } from '@hono/zod-openapi';
import { toTimestamp } from '../../domain/events/envelope.ts';
import { FINDINGS } from '../../domain/sweep-report.ts';
import { listSweeps } from '../../read-model/sweeps.ts';
import type { App } from '../context.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { CODES_OF_READS, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { listOf, pageCursor, pageLimit, timestamp } from '../schemas/common.ts';
import { needs } from '../security.ts';

const PATH = '/ops/sweeps';
const count = z.number().int().nonnegative();

const sweepSchema = z
  .object({
    object: z.literal('sweep'),
    id: z.number().int(),
    started_at: timestamp,
    finished_at: timestamp,
    examined: count.openapi({ description: 'Rows of the record that had stood still too long.' }),
    poked: count.openapi({ description: 'Of their objects, how many answered.' }),
    moved: count.openapi({ description: 'Of those, how many had something to do and did it.' }),
    wallets_asked: count,
    truncated: z.boolean().openapi({ description: 'There may be more than one run looks at.' }),
    counts: z.record(z.enum(FINDINGS), count),
    findings: z
      .array(
        z.object({
          kind: z.enum(FINDINGS),
          id: z.string(),
          state: z.string().optional(),
          wallet_id: z.string().optional(),
          age_ms: count.optional(),
        }),
      )
      .openapi({ description: 'The first of them, by name.' }),
  })
  .openapi('Sweep');

const route = createRoute({
  method: 'get',
  path: PATH,
  operationId: 'listSweeps',
  summary: 'The last reports of the sweeper',
  tags: ['ops'],
  security: needs('ops', 'platform'),
  request: { query: z.strictObject({ limit: pageLimit, cursor: pageCursor }) },
  responses: {
    200: jsonResponse('One page, newest first.', listOf(sweepSchema).openapi('SweepList')),
    ...problemResponses(...CODES_OF_READS, 'validation_failed', 'invalid_cursor'),
  },
});

export function opsSweepsList(app: App): void {
  app.openapi(route, async (c) => {
    const { limit, cursor } = c.req.valid('query');
    const beforeId = cursor === undefined ? null : decodeCursor(z.number().int(), cursor, PATH);
    if (cursor !== undefined && beforeId === null) return problem(c, 'invalid_cursor');
    const { sweeps, nextId } = await listSweeps(c.env.DB, beforeId, limit);
    const data = sweeps.map(({ id, startedAtMs, finishedAtMs, report }) => ({
      object: 'sweep' as const,
      id,
      started_at: toTimestamp(startedAtMs),
      finished_at: toTimestamp(finishedAtMs),
      ...report,
    }));
    return c.json(
      { object: 'list' as const, data, next_cursor: nextId === null ? null : encodeCursor(nextId, PATH) },
      200,
    );
  });
}
