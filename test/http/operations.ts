/**
 * Every operation of the committed OpenAPI document, with a path that leads to it, for tests that hold for all of them. What is
 * added to the document is in these tests from that day.
 */
import document from '../../docs/openapi.json';
import { freshKey, requestOf } from './client.ts';

export interface TestOperation {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  /** Whether it reads a body, as the document says; callbacks read one that it cannot describe. */
  readonly readsBody: boolean;
  /** Statuses and, of problems, codes. */
  readonly answers: Readonly<Record<string, readonly string[]>>;
}

interface Described {
  readonly requestBody?: object;
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { examples?: object }>> }>>;
}

/** Of the document's path parameters; none names anything that exists, but the provider. */
const VALUES: Readonly<Record<string, string>> = { name: 'acme', provider: 'acme', key: 'k' };
const CALLBACKS = '/providers/{name}/callbacks';

export const OPERATIONS: readonly TestOperation[] = Object.entries(document.paths).flatMap(([template, methods]) =>
  Object.entries(methods as Readonly<Record<string, Described>>).map(([method, described]) => ({
    name: `${method.toUpperCase()} ${template}`,
    method: method.toUpperCase(),
    path: template.replaceAll(/\{(\w+)\}/g, (_part, name: string) => VALUES[name] ?? 'x1'),
    readsBody: described.requestBody !== undefined || template === CALLBACKS,
    answers: Object.fromEntries(
      Object.entries(described.responses).map(([status, { content }]) => [
        status,
        Object.keys(content?.['application/problem+json']?.examples ?? {}),
      ]),
    ),
  })),
);

/** A request for it with a fresh key, and a body where it takes one. */
export function requestFor(
  { method, path, readsBody }: TestOperation,
  { query = '', body = '{}', headers = {} }: { query?: string; body?: BodyInit; headers?: Record<string, string> } = {},
): Request {
  return requestOf(`${path}${query}`, {
    method,
    headers: { 'content-type': 'application/json', 'idempotency-key': freshKey(), ...headers },
    ...(readsBody && { body }),
  });
}
