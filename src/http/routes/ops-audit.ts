/**
 * POST /ops/audit: one page of the auditor's walk over everything that is stored; `next_cursor` leads to the next. A POST,
 * since a cursor may be longer than a URL; it changes nothing, and so asks for no actor. Driven by `npm run audit`.
 */
import { createRoute, z } from '@hono/zod-openapi';
import { positionSchema } from '../../auditor/position.ts';
import { type AuditPage, auditFrom, auditSagas } from '../../auditor/walk.ts';
import { SAGA_ID_PATTERN } from '../../domain/ids.ts';
import { AUDIT_CURSOR_LENGTH_MAX, AUDIT_OBJECTS_MAX } from '../../domain/limits.ts';
import type { App } from '../context.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { jsonBody } from '../middleware/json-body.ts';
import { CODES_OF_WRITES, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { noQuery } from '../schemas/common.ts';
import { needs } from '../security.ts';

const PATH = '/ops/audit';

const bodySchema = z
  .strictObject({
    cursor: z.string().max(AUDIT_CURSOR_LENGTH_MAX).optional().openapi({
      description: '`next_cursor` of the page before; absent: from the beginning.',
    }),
    ids: z.array(z.string().regex(SAGA_ID_PATTERN)).min(1).max(AUDIT_OBJECTS_MAX).optional().openapi({
      description: 'Audit these payments and refunds alone, whether the record lists them or not.',
    }),
  })
  .refine(({ cursor, ids }) => cursor === undefined || ids === undefined, 'Must be a cursor or ids, not both.')
  .openapi('AuditRequest');

const findingSchema = z.object({
  where: z.string().openapi({ example: 'wallet default/sandbox/wal-1234, entry 7' }),
  rule: z.string().openapi({ description: 'The rule that is broken (docs/runbook.md).', example: 'L5' }),
  what: z.string(),
});

const totalsSchema = z.object({
  available: z.string(),
  held: z.string(),
  settled: z.string(),
  external: z.string(),
});

const pageSchema = z
  .object({
    object: z.literal('audit_page'),
    part: z.enum(['wallets', 'payments', 'refunds', 'sagas', 'events', 'archives', 'audit_log']),
    checked: z.record(z.string(), z.number().int()).openapi({ description: 'How many of each, in this page.' }),
    findings: z.array(findingSchema),
    totals: z.record(z.string(), totalsSchema).optional().openapi({
      description: 'By currency, over all wallets, in minor units; on the last page of the wallets.',
    }),
    head: z
      .object({ id: z.number().int(), hash: z.string().nullable() })
      .optional()
      .openapi({ description: "The newest row of the operators' log: keep it, and compare it with the next audit's." }),
    next_cursor: z.string().nullable(),
  })
  .openapi('AuditPage');

const route = createRoute({
  method: 'post',
  path: PATH,
  operationId: 'audit',
  summary: 'Audit one page of everything that is stored',
  tags: ['ops'],
  security: needs('ops', 'platform'),
  middleware: [jsonBody] as const,
  request: { query: noQuery, body: { required: true, content: { 'application/json': { schema: bodySchema } } } },
  responses: {
    200: jsonResponse('What was checked, and what was found.', pageSchema),
    ...problemResponses(...CODES_OF_WRITES, 'invalid_cursor'),
  },
});

export function opsAudit(app: App): void {
  app.openapi(route, async (c) => {
    const { cursor, ids } = c.req.valid('json');
    if (ids !== undefined) return c.json(shown(await auditSagas(c.env, ids)), 200);
    const position = cursor === undefined ? null : decodeCursor(positionSchema, cursor, PATH);
    if (cursor !== undefined && position === null) return problem(c, 'invalid_cursor');
    return c.json(shown(await auditFrom(c.env, position)), 200);
  });
}

function shown({ part, checked, findings, totals, head, next }: AuditPage) {
  return {
    object: 'audit_page' as const,
    part,
    checked: { ...checked },
    findings: [...findings],
    ...(totals !== undefined && { totals: { ...totals } }),
    ...(head !== undefined && { head }),
    next_cursor: next === null ? null : encodeCursor(next, PATH),
  };
}
