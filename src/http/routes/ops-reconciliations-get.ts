/**
 * GET /ops/reconciliations/{id}: one report, with a page of what it has found so far.
 */
import { createRoute, z } from '@hono/zod-openapi';
import { canonicalJson } from '../../domain/canonical.ts';
import { listFindings, readReconciliation } from '../../read-model/reconciliations.ts';
import type { App } from '../context.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { CODES_OF_READS, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { pageCursor, pageLimit } from '../schemas/common.ts';
import {
  findingClass,
  findingView,
  reconciliationParams,
  reconciliationReportSchema,
  reconciliationView,
} from '../schemas/reconciliation.ts';
import { needs } from '../security.ts';

/** References of providers are at most 128 characters, ids less: such a position fits a cursor. */
const positionSchema = z.strictObject({
  paymentId: z.string().max(128),
  class: z.string().max(64),
  subject: z.string().max(128),
});

const route = createRoute({
  method: 'get',
  path: '/ops/reconciliations/{id}',
  operationId: 'getReconciliation',
  summary: 'Read a reconciliation: its report and what it found, by payment',
  tags: ['ops'],
  security: needs('ops', 'platform'),
  request: {
    params: reconciliationParams,
    query: z.strictObject({ class: findingClass.optional(), limit: pageLimit, cursor: pageCursor }),
  },
  responses: {
    200: jsonResponse('The report, and a page of its findings.', reconciliationReportSchema),
    ...problemResponses(...CODES_OF_READS, 'validation_failed', 'invalid_cursor', 'not_found'),
  },
});

export function opsReconciliationsGet(app: App): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const { limit, cursor, class: className } = c.req.valid('query');
    const filters = `${c.req.path} ${canonicalJson({ class: className ?? null })}`;
    const position = cursor === undefined ? null : decodeCursor(positionSchema, cursor, filters);
    if (cursor !== undefined && position === null) return problem(c, 'invalid_cursor');
    const stored = await readReconciliation(c.env.DB, c.get('config').mode, id);
    if (stored === null) return problem(c, 'not_found');
    const page = await listFindings(c.env.DB, id, className, position, limit);
    const findings = {
      object: 'list' as const,
      data: page.items.map(findingView),
      next_cursor: page.next === null ? null : encodeCursor(page.next, filters),
    };
    return c.json({ ...reconciliationView(stored), findings }, 200);
  });
}
