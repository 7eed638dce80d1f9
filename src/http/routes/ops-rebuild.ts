/**
 * POST /ops/rebuild: objects hand what the record (D1) is to hold of them over again. Idempotent: what is there already
 * stays. The ids come from a list of the objects themselves (`npm run rebuild`), since it is the record that may be empty.
 */
import { createRoute, z } from '@hono/zod-openapi';
import { rebuild } from '../../auditor/rebuild.ts';
import { OBJECT_ID_PATTERN, SAGA_ID_PATTERN } from '../../domain/ids.ts';
import { REBUILD_OBJECTS_MAX } from '../../domain/limits.ts';
import { audit } from '../audit.ts';
import type { App } from '../context.ts';
import { jsonBody } from '../middleware/json-body.ts';
import { CODES_OF_WRITES, jsonResponse, problemResponses } from '../openapi.ts';
import { noQuery, operatorFields } from '../schemas/common.ts';
import { needs } from '../security.ts';

const bodySchema = z
  .strictObject({
    sagas: z.array(z.string().regex(SAGA_ID_PATTERN)).max(REBUILD_OBJECTS_MAX).optional().openapi({
      description: 'Ids of payments and refunds.',
    }),
    wallets: z.array(z.string().regex(OBJECT_ID_PATTERN)).max(REBUILD_OBJECTS_MAX).optional().openapi({
      description: "Hex ids of the wallets' objects, as the platform lists them.",
    }),
    ...operatorFields,
  })
  .refine(
    ({ sagas = [], wallets = [] }) =>
      sagas.length + wallets.length > 0 && sagas.length + wallets.length <= REBUILD_OBJECTS_MAX,
    `Must name 1 to ${REBUILD_OBJECTS_MAX} objects.`,
  )
  .openapi('RebuildRequest');

const rebuiltSchema = z
  .object({
    object: z.literal('rebuild'),
    sagas: z.number().int(),
    runs: z
      .number()
      .int()
      .openapi({ description: 'Runs of events that were handed over, those that were there with them.' }),
    wallets: z.number().int(),
    empty: z.array(z.string()).openapi({ description: 'Ids of objects that hold nothing to tell.' }),
  })
  .openapi('Rebuild');

const route = createRoute({
  method: 'post',
  path: '/ops/rebuild',
  operationId: 'rebuild',
  summary: 'Rebuild the searchable record of some objects',
  tags: ['ops'],
  security: needs('ops', 'platform'),
  middleware: [jsonBody] as const,
  request: { query: noQuery, body: { required: true, content: { 'application/json': { schema: bodySchema } } } },
  responses: {
    200: jsonResponse('Rebuilt.', rebuiltSchema),
    ...problemResponses(...CODES_OF_WRITES),
  },
});

export function opsRebuild(app: App): void {
  app.openapi(route, async (c) => {
    const { sagas = [], wallets = [], actor, reason } = c.req.valid('json');
    const subject = `${sagas.length} sagas, ${wallets.length} wallets, from ${sagas[0] ?? wallets[0]}`;
    await audit(c, { actor, action: 'record.rebuild', subject, reason });
    const rebuilt = await rebuild(c.env, sagas, wallets);
    return c.json({ object: 'rebuild' as const, ...rebuilt, empty: [...rebuilt.empty] }, 200);
  });
}
