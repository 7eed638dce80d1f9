/**
 * What a request must show, said once: a route names it in the `security` of its OpenAPI definition (`needs`), and the check
 * reads it there (`securityOf`, middleware/authorization.ts). OpenAPI 3.1 lets a requirement list the roles that are needed:
 * https://spec.openapis.org/oas/v3.1.0#security-requirement-object
 */
import type { RouteConfig } from '@hono/zod-openapi';
import type { Role } from '../domain/api-key.ts';
import type { App } from './context.ts';

/** Names of the security schemes in the document. */
const API_KEY = 'apiKey';
const BOOTSTRAP = 'bootstrapToken';

type Security = NonNullable<RouteConfig['security']>;

/** The `security` of a route that a key with all of these roles may use. */
export function needs(...roles: readonly Role[]): Security {
  return [{ [API_KEY]: [...roles] }];
}

/** The same, for a route that a bootstrap token may use as well: it makes the first key. */
export function needsOrBootstrap(...roles: readonly Role[]): Security {
  return [...needs(...roles), { [BOOTSTRAP]: [] }];
}

/** What a route asks for, read from its definition. */
export interface RouteSecurity {
  readonly roles: readonly Role[];
  readonly takesBootstrap: boolean;
}

/** By method and path as Hono has them (`GET /payments/:id`), for every route of the document that asks for something. */
export function securityOf(app: App): ReadonlyMap<string, RouteSecurity> {
  const declared = app.openAPIRegistry.definitions.flatMap((definition) =>
    definition.type === 'route' ? [definition.route] : [],
  );
  return new Map(
    declared.flatMap(({ method, path, security = [] }) => {
      const roles = security.find((each) => API_KEY in each)?.[API_KEY];
      if (roles === undefined) return [];
      const takesBootstrap = security.some((each) => BOOTSTRAP in each);
      const pattern = path.replaceAll(/\{([^}]+)\}/g, ':$1');
      return [[`${method.toUpperCase()} ${pattern}`, { roles: roles as Role[], takesBootstrap }] as const];
    }),
  );
}

/** Puts the schemes into the document. */
export function describeSecurity(app: App): void {
  app.openAPIRegistry.registerComponent('securitySchemes', API_KEY, {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'hf_<mode>_<id>_<secret>',
    description:
      'An API key. An operation lists the scopes that its key must have, all of them; `platform`: a key of no merchant. ' +
      'Where authentication is open (a local sandbox) no key is needed (docs/security.md).',
  });
  app.openAPIRegistry.registerComponent('securitySchemes', BOOTSTRAP, {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'hfboot_<time>_<signature>',
    description: 'Made by `npm run keys` from API_KEY_SECRET, for the first key; good for five minutes.',
  });
}
