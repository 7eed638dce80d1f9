/**
 * GET /ops/breakers and POST /ops/breakers/{provider}: the circuit breakers as they stand, and an operator's word on them.
 * Every change names its actor and reason and is in the audit log before it is made.
 */
import { createRoute, z } from '@hono/zod-openapi';
import { GATEWAY_OPERATIONS } from '../../domain/events/catalogue.ts';
import { toTimestamp } from '../../domain/events/envelope.ts';
import type { BreakerView } from '../../domain/provider-health.ts';
import { providersOf } from '../../gateway/registry.ts';
import { appendAudit } from '../../read-model/audit-log.ts';
import type { App, AppContext } from '../context.ts';
import { jsonBody } from '../middleware/json-body.ts';
import { CODES_OF_READS, CODES_OF_WRITES, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { clientId, listOf, noQuery, referenceText, timestamp } from '../schemas/common.ts';

const breakerSchema = z
  .object({
    provider: z.string(),
    operation: z.enum(GATEWAY_OPERATIONS),
    state: z.enum(['closed', 'open', 'half_open', 'forced_open', 'forced_closed']),
    calls: z.number().int().openapi({ description: 'In the window of a minute, as are failures and slow calls.' }),
    failures: z.number().int(),
    slow: z.number().int(),
    openings: z.number().int(),
    open_until: timestamp.nullable(),
    leases: z.number().int(),
  })
  .openapi('Breaker');

const breakerListSchema = listOf(breakerSchema).openapi('BreakerList');

const forceSchema = z
  .strictObject({
    state: z.enum(['open', 'closed', 'automatic']).openapi({ description: '`automatic` takes the word back.' }),
    operation: z.enum(GATEWAY_OPERATIONS).optional().openapi({ description: 'Absent: all of them.' }),
    actor: clientId('jane'),
    reason: referenceText,
  })
  .openapi('BreakerForce');

const listRoute = createRoute({
  method: 'get',
  path: '/ops/breakers',
  operationId: 'listBreakers',
  summary: 'The circuit breakers of every provider',
  tags: ['ops'],
  request: { query: noQuery },
  responses: { 200: jsonResponse('All of them.', breakerListSchema), ...problemResponses(...CODES_OF_READS) },
});

const forceRoute = createRoute({
  method: 'post',
  path: '/ops/breakers/{provider}',
  operationId: 'forceBreaker',
  summary: "Force a provider's breakers open or closed, or let them go by their measurements again",
  tags: ['ops'],
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
    const names = providerNames(c);
    const views = await Promise.all(names.map(async (name) => breakersOf(name, await healthOf(c, name).read())));
    return c.json(listed(views.flat()), 200);
  });

  app.openapi(forceRoute, async (c) => {
    const { provider } = c.req.valid('param');
    if (!providerNames(c).includes(provider)) return problem(c, 'not_found');
    const { state, operation, actor, reason } = c.req.valid('json');
    const subject = `${provider}.${operation ?? 'all'} ${state}`;
    await appendAudit(c.env.DB, c.get('scope'), { actor, action: 'breaker.force', subject, reason }, Date.now());
    const views = await healthOf(c, provider).force(state === 'automatic' ? null : state, operation);
    return c.json(listed(breakersOf(provider, views)), 200);
  });
}

function providerNames(c: AppContext): string[] {
  return [...providersOf(c.env, c.get('config')).keys()];
}

function healthOf(c: AppContext, provider: string) {
  return c.env.PROVIDER_HEALTH.getByName(provider);
}

function breakersOf(provider: string, views: readonly BreakerView[]) {
  return views.map(({ openUntilMs, ...view }) => ({
    provider,
    ...view,
    open_until: openUntilMs === null ? null : toTimestamp(openUntilMs),
  }));
}

function listed<Item>(data: Item[]) {
  return { object: 'list' as const, data, next_cursor: null };
}
