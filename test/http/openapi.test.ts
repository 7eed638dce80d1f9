// The OpenAPI document: complete, consistent in itself, and the one that is committed. And the pages that show it.
import { describe, expect, it } from 'vitest';
import committed from '../../docs/openapi.json';
import { API_ERRORS, PAYMENT_FAILURE_MESSAGES } from '../../src/domain/errors.ts';
import { REFUND_FAILURE_MESSAGES } from '../../src/domain/refund.ts';
import { app } from '../../src/http/app.ts';
import { openapiText } from '../../src/http/routes/openapi-get.ts';
import { jsonOf, problemOf, send } from './client.ts';

interface Operation {
  operationId: string;
  summary: string;
  parameters?: { name: string; in: string }[];
  responses: Record<string, { description: string; headers?: object; content?: Record<string, object> }>;
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
}

const document: Document = JSON.parse(openapiText(app));
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, operation })),
);

describe('the document', () => {
  it('is OpenAPI 3.1, served as it is committed', async () => {
    expect(document.openapi).toBe('3.1.0');
    expect(await jsonOf(await send('/openapi.json'), 200)).toEqual(document);
    expect(committed).toEqual(document);
  });

  it('has every route that the application has, and no other', () => {
    // Files and pages of the reference itself.
    const reference = ['/docs/start.js', '/docs/errors', '/docs/:file{swagger-ui[a-z.-]+}'];
    const routes = app.routes
      .filter(({ method, path }) => method !== 'ALL' && !reference.includes(path) && !path.startsWith('/console/'))
      .map(({ method, path }) => `${method} ${path.replaceAll(/:([a-z]+)/g, '{$1}')}`);
    expect(operations.map(({ name }) => name).sort()).toEqual([...new Set(routes)].sort());
  });

  it('has every path that answers to all methods: those refuse the methods that are not taken, and nothing else does', () => {
    const all = app.routes.filter(({ method, path }) => method === 'ALL' && path !== '/*').map(({ path }) => path);
    const taken = new Set(app.routes.filter(({ method }) => method !== 'ALL').map(({ path }) => path));
    expect(all.length).toBeGreaterThanOrEqual(taken.size);
    for (const path of all) expect(taken, path).toContain(path);
  });

  it('holds no reference that leads nowhere', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, pointer]) => pointer);
    expect(references.length).toBeGreaterThan(0);
    for (const pointer of references) {
      const target = pointer?.split('/').reduce<unknown>((value, part) => Reflect.get(Object(value), part), document);
      expect(target, pointer).toBeTypeOf('object');
    }
  });

  it('gives examples that match the patterns beside them', () => {
    const schemas: { pattern: string; example: string }[] = [];
    JSON.stringify(document, (_name, value) => {
      if (typeof value?.pattern === 'string' && value.example !== undefined) schemas.push(value);
      return value;
    });
    expect(schemas.length).toBeGreaterThan(5);
    for (const { pattern, example } of schemas) expect(example).toMatch(new RegExp(pattern, 'u'));
  });

  it.each(operations)('$name says what it does and what it answers', ({ name, operation }) => {
    expect(operation.operationId).toMatch(/^[a-z][A-Za-z]+$/);
    expect(operation.summary.length).toBeGreaterThan(5);
    for (const [status, response] of Object.entries(operation.responses)) {
      expect(response.description.length).toBeGreaterThan(3);
      // An upgrade and an answer without a body have no content to describe.
      if (status === '101' || status === '204') continue;
      const type = Number(status) >= 400 ? 'application/problem+json' : /json|html|plain/;
      expect(Object.keys(response.content ?? {}).join(), `${name} ${status}`).toMatch(type);
    }
    const parameters = (name.match(/\{([a-z]+)\}/g) ?? []).map((part) => part.slice(1, -1));
    expect(operation.parameters?.filter((entry) => entry.in === 'path').map((entry) => entry.name) ?? []).toEqual(
      parameters,
    );
  });

  it('says of every operation that asks who is calling that it refuses a query it does not know', () => {
    const codes = ({ responses }: Operation, status: string): string[] =>
      Object.keys(Object(responses[status]?.content?.['application/problem+json']).examples ?? {});
    const asking = operations.filter(({ operation }) => codes(operation, '401').includes('unauthenticated'));
    expect(asking.length).toBeGreaterThan(20);
    for (const { name, operation } of asking) expect(codes(operation, '400'), name).toContain('validation_failed');
  });

  it('promises a Request-Id with every answer', () => {
    for (const { name, operation } of operations) {
      for (const [status, { headers, content }] of Object.entries(operation.responses)) {
        if (content?.['text/html'] !== undefined) continue;
        expect(headers, `${name} ${status}`).toMatchObject({ 'Request-Id': { required: true } });
      }
    }
  });

  it('describes the headers of the idempotency layer', () => {
    const create = document.paths['/payments']?.post;
    expect(create?.parameters?.map((entry) => entry.name)).toEqual([
      'Idempotency-Key',
      'Prefer',
      'X-Sandbox-Amount-Codes',
    ]);
    expect(Object.keys(create?.responses['202']?.headers ?? {}).sort()).toEqual([
      'Idempotency-Status',
      'Idempotent-Replayed',
      'Location',
      'Preference-Applied',
      'Request-Id',
      'Retry-After',
    ]);
    expect(Object.keys(create?.responses['503']?.headers ?? {})).toContain('Retry-After');
  });

  it('gives an example for each code that a route can answer', () => {
    const text = JSON.stringify(document.paths['/payments']?.post?.responses);
    for (const code of ['idempotency_key_reused', 'idempotency_key_expired', 'pan_in_request', 'overloaded'] as const) {
      expect(text).toContain(`"${code}":{"value"`);
      expect(API_ERRORS[code].status).toBeGreaterThan(0);
    }
  });
});

describe('the reference', () => {
  it('is a page that loads nothing from elsewhere and runs no inline script', async () => {
    const response = await send('/docs');
    const page = await response.text();
    const policy = response.headers.get('content-security-policy');
    expect(policy).toContain("script-src 'self';");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(page).not.toMatch(/https?:\/\//);
    expect(page).not.toMatch(/<script(?![^>]*src=)|\son\w+=|<style/);
    const files = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path ?? '');
    expect(files).toHaveLength(4);
    for (const file of files) expect((await send(file)).status, file).toBe(200);
  });

  it.each([
    ['/docs/swagger-ui-bundle.js', 'text/javascript; charset=utf-8', 'SwaggerUIBundle'],
    ['/docs/swagger-ui.css', 'text/css; charset=utf-8', '.swagger-ui'],
    ['/docs/start.js', 'text/javascript; charset=utf-8', "url: '/openapi.json'"],
  ])('serves %s', async (path, type, text) => {
    const response = await send(path);
    expect(response.headers.get('content-type')).toBe(type);
    expect(await response.text()).toContain(text);
  });

  it('serves no other file', async () => {
    await problemOf(await send('/docs/swagger-ui.js'), 404, 'not_found');
    await problemOf(await send('/docs/swagger-ui-bundle.js.map'), 404, 'not_found');
    await problemOf(await send('/swagger-ui.css'), 404, 'not_found');
  });

  it('explains every code where the type of a problem leads', async () => {
    const page = await (await send('/docs/errors')).text();
    for (const code of Object.keys(API_ERRORS)) expect(page).toContain(`id="${code}"`);
  });

  it('explains every failure of a payment or refund there, as docs/errors.md does', async () => {
    const page = await (await send('/docs/errors')).text();
    for (const messages of [PAYMENT_FAILURE_MESSAGES, REFUND_FAILURE_MESSAGES]) {
      for (const [code, message] of Object.entries(messages)) {
        expect(page).toContain(`<code>${code}</code></dt><dd>${message}</dd>`);
      }
    }
  });
});
