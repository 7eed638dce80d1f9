/**
 * GET /openapi.json: the OpenAPI 3.1 document, generated from the routes' own schemas. docs/openapi.json is the same
 * document, kept by scripts/openapi.ts.
 */
import { createRoute, z } from '@hono/zod-openapi';
import type { App } from '../context.ts';
import { DOCUMENT, jsonResponse, problemResponses } from '../openapi.ts';
import { describeSecurity } from '../security.ts';

const route = createRoute({
  method: 'get',
  path: '/openapi.json',
  operationId: 'getOpenApi',
  summary: 'This document',
  tags: ['service'],
  responses: { 200: jsonResponse('OpenAPI 3.1.', z.looseObject({ openapi: z.string() })), ...problemResponses() },
});

export function openapiGet(app: App): void {
  describeSecurity(app);
  // Made on first use: a Worker that only moves money never pays for it.
  let text: string | undefined;
  app.openapi(route, (c) => {
    text ??= openapiText(app);
    return c.body(text, 200, { 'Content-Type': 'application/json' });
  });
}

/** The document as JSON text. */
export function openapiText(app: App): string {
  return `${JSON.stringify(app.getOpenAPI31Document(DOCUMENT), null, 2)}\n`;
}
