/**
 * GET /ops/breakers and POST /ops/breakers/{provider}: the circuit breakers as they stand, and an operator's word on them.
 * Every change names its actor and reason and is in the audit log before it is made.
 */
import { createRoute, z } from '@hono/zod-openapi';
import { GATEWAY_OPERATIONS } from '../../domain/events/catalogue.ts';
import { audit } from '../audit.ts';
import { healthOf, providerNames, readBreakers } from '../breakers.ts';
import type { App } from '../context.ts';
import { jsonBody } from '../middleware/json-body.ts';
import { CODES_OF_READS, CODES_OF_WRITES, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { breakerSchema, breakersOf } from '../schemas/breaker.ts';
import { listOf, noQuery, operatorFields } from '../schemas/common.ts';
import { needs } from '../security.ts';

const breakerListSchema = listOf(breakerSchema).openapi('BreakerList');

const forceSchema = z
  .strictObject({
    state: z.enum(['open', 'closed', 'automatic']).openapi({ description: '`automatic` takes the word back.' }),
    operation: z.enum(GATEWAY_OPERATIONS).optional().openapi({ description: 'Absent: all of them.' }),
    ...operatorFields,
  })
  .openapi('BreakerForce');

const listRoute = createRoute({
  method: 'get',
  path: '/ops/breakers',
  operationId: 'listBreakers',
  summary: 'The circuit breakers of every provider',
  tags: ['ops'],
  security: needs('ops', 'platform'),
  request: { query: noQuery },
  responses: {
    200: jsonResponse('All of them.', breakerListSchema),
    ...problemResponses(...CODES_OF_READS, 'validation_failed'),
  },
});

const forceRoute = createRoute({
  method: 'post',
  path: '/ops/breakers/{provider}',
  operationId: 'forceBreaker',
  summary: "Force a provider's breakers open or closed, or let them go by their measurements again",
  tags: ['ops'],
  security: needs('ops', 'platform'),
  middleware: [jsonBody] as const,
  request: {
    query: noQuery,
    params: z.object({ provider: z.string().max(64).openapi({ example: 'acme' }) }),
    body: { required: true, content: { 'application/json': { schema: forceSchema } } },
  },
  responses: {
    200: jsonResponse("The provider's breakers now.", breakerListSchema),
    ...problemResponses(...CODES_OF_WRITES, 'not_found'),
  },
});

export function opsBreakers(app: App): void {
  app.openapi(listRoute, async (c) => {
    const read = await readBreakers(c);
    return c.json(listed(read.flatMap(({ provider, views }) => breakersOf(provider, views))), 200);
  });

  app.openapi(forceRoute, async (c) => {
    const { provider } = c.req.valid('param');
    if (!providerNames(c).includes(provider)) return problem(c, 'not_found');
    const { state, operation, actor, reason } = c.req.valid('json');
    const subject = `${provider}.${operation ?? 'all'} ${state}`;
    await audit(c, { actor, action: 'breaker.force', subject, reason });
    const views = await healthOf(c, provider).force(state === 'automatic' ? null : state, operation);
    return c.json(listed(breakersOf(provider, views)), 200);
  });
}

function listed<Item>(data: Item[]) {
  return { object: 'list' as const, data, next_cursor: null };
}
