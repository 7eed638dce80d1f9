/**
 * GET /health: liveness: this Worker runs. Answers whatever the configuration and asks nothing else, so that it never
 * fails for another part's reasons.
 */
import { createRoute, z } from '@hono/zod-openapi';
import type { App } from '../context.ts';
import { jsonResponse } from '../openapi.ts';

const route = createRoute({
  method: 'get',
  path: '/health',
  operationId: 'getHealth',
  summary: 'Liveness',
  tags: ['service'],
  responses: { 200: jsonResponse('Alive.', z.object({ status: z.literal('ok') }).openapi('Health')) },
});

export function health(app: App): void {
  app.openapi(route, (c) => c.json({ status: 'ok' }, 200));
}
