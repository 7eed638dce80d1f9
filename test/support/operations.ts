/** The operations of the OpenAPI document, as the application makes it, for tests that go over all of them. */
import { app } from '../../src/http/app.ts';
import { openapiText } from '../../src/http/routes/openapi-get.ts';

export interface Operation {
  /** `GET /payments/{id}`. */
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, object>> }>>;
}

const { paths } = JSON.parse(openapiText(app)) as { paths: Record<string, Record<string, Operation>> };

export const OPERATIONS: readonly Operation[] = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => {
    const name = `${method.toUpperCase()} ${path}`;
    return { ...operation, name, method: method.toUpperCase(), path };
  }),
);
