/**
 * GET /docs: a browsable reference that needs no other host: Swagger UI from our own assets (scripts/assets.ts), started
 * by a script of ours, under a policy that allows no inline script and no other origin.
 */
import { createRoute } from '@hono/zod-openapi';
import { API_ERRORS, PAYMENT_FAILURE_MESSAGES } from '../../domain/errors.ts';
import { REFUND_FAILURE_MESSAGES } from '../../domain/refund.ts';
import type { App } from '../context.ts';
import { problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { CONTENT_POLICIES } from '../security-headers.ts';

/** Files of swagger-ui-dist that are served, by content type; the same list is copied by scripts/assets.ts. */
const ASSETS: Readonly<Record<string, string>> = {
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'swagger-ui.css': 'text/css; charset=utf-8',
};

const PAGE_HEADERS = { 'Content-Security-Policy': CONTENT_POLICIES.reference };

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Holdfast API</title>
    <link rel="stylesheet" href="/docs/swagger-ui.css">
  </head>
  <body>
    <div id="reference"></div>
    <noscript>The document is at <a href="/openapi.json">/openapi.json</a>.</noscript>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`;

// validatorUrl: without it Swagger UI asks a public host to validate the document.
const START = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#reference', deepLinking: true, validatorUrl: null });
`;

const route = createRoute({
  method: 'get',
  path: '/docs',
  operationId: 'getDocs',
  summary: 'A browsable reference',
  tags: ['service'],
  responses: {
    200: { description: 'A page.', content: { 'text/html': { schema: { type: 'string' } } } },
    ...problemResponses(),
  },
});

export function docs(app: App): void {
  app.openapi(route, (c) => c.html(PAGE, 200, PAGE_HEADERS));
  app.get('/docs/start.js', (c) => c.body(START, 200, { 'Content-Type': 'text/javascript; charset=utf-8' }));
  app.get('/docs/errors', (c) => c.html(errorsPage(), 200, PAGE_HEADERS));
  app.get('/docs/:file{swagger-ui[a-z.-]+}', async (c) => {
    const file = c.req.param('file');
    const contentType = ASSETS[file];
    if (contentType === undefined) return problem(c, 'not_found');
    const asset = await c.env.ASSETS.fetch(new URL(`/${file}`, c.req.url));
    if (!asset.ok) return problem(c, 'not_found');
    // A day and no longer: a release of ours may bring another version under the same name.
    return new Response(asset.body, {
      headers: { 'Content-Type': contentType, 'Cache-Control': 'public, max-age=86400' },
    });
  });
}

/** Where the `type` of a problem leads: every code, with an anchor. The texts are ours and hold no markup. */
function errorsPage(): string {
  const errors = Object.entries(API_ERRORS).map(
    ([code, { status, title, retryable }]) =>
      `<dt id="${code}"><code>${code}</code> (${status}${retryable ? ', retryable' : ''})</dt><dd>${title}.</dd>`,
  );
  const failures = (idPrefix: string, messages: Readonly<Record<string, string>>): string =>
    Object.entries(messages)
      .map(([code, message]) => `<dt id="${idPrefix}${code}"><code>${code}</code></dt><dd>${message}</dd>`)
      .join('');
  return `<!doctype html>
<html lang="en">
  <head><meta charset="utf-8"><title>Holdfast errors</title></head>
  <body>
    <h1>Error codes</h1>
    <dl>${errors.join('')}</dl>
    <h1>Failures of payments</h1>
    <dl>${failures('failure-', PAYMENT_FAILURE_MESSAGES)}</dl>
    <h1>Failures of refunds</h1>
    <dl>${failures('refund-failure-', REFUND_FAILURE_MESSAGES)}</dl>
  </body>
</html>
`;
}
