/**
 * GET /console: the operations console, a page and its script and styles from our own assets (console/, built by
 * scripts/assets.ts). The page is public and holds nothing: what it shows it asks the API for, with the operator's own key.
 */
import { createRoute } from '@hono/zod-openapi';
import type { App } from '../context.ts';
import { problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { CONTENT_POLICIES } from '../security-headers.ts';

const PAGE_HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  // A deploy brings another page, with other names in it.
  'Cache-Control': 'no-cache',
  'Content-Security-Policy': CONTENT_POLICIES.console,
};

/** What the build writes; names hold a hash of the content, so that a browser may keep them. */
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
};

const route = createRoute({
  method: 'get',
  path: '/console',
  operationId: 'getConsole',
  summary: 'The operations console',
  description:
    'A page for browsers. It asks for an API key with the scope `ops` where one is needed (docs/console.md).',
  tags: ['service'],
  responses: {
    200: { description: 'A page.', content: { 'text/html': { schema: { type: 'string' } } } },
    ...problemResponses('not_found'),
  },
});

export function consolePages(app: App): void {
  app.openapi(route, async (c) => {
    const asset = await c.env.ASSETS.fetch(new URL('/console/index.html', c.req.url));
    if (!asset.ok) return problem(c, 'not_found', { detail: 'The console has not been built.' });
    return new Response(asset.body, { headers: PAGE_HEADERS });
  });
  app.get('/console/:file{[A-Za-z0-9_-]+\\.(?:js|css)}', async (c) => {
    const file = c.req.param('file');
    const asset = await c.env.ASSETS.fetch(new URL(`/console/${file}`, c.req.url));
    const contentType = CONTENT_TYPES[file.slice(file.lastIndexOf('.') + 1)];
    if (!asset.ok || contentType === undefined) return problem(c, 'not_found');
    return new Response(asset.body, {
      headers: { 'Content-Type': contentType, 'Cache-Control': 'public, max-age=31536000, immutable' },
    });
  });
}
