/**
 * What a request may do: the roles that its route declares (src/http/security.ts) against those of the caller. Fails closed:
 * a route behind this that declares nothing is a bug, and answers nobody. Stands after authentication.ts.
 */
import { createMiddleware } from 'hono/factory';
import { matchedRoutes } from 'hono/route';
import type { Role } from '../../domain/api-key.ts';
import { InvariantError } from '../../domain/errors.ts';
import type { App, AppContext, AppEnv, Caller } from '../context.ts';
import { problem } from '../problem.ts';
import { type RouteSecurity, securityOf } from '../security.ts';

export function authorization(app: App) {
  // Made on first use: by then every route is there.
  let declared: ReadonlyMap<string, RouteSecurity> | undefined;
  return createMiddleware<AppEnv>(async (c, next) => {
    declared ??= securityOf(app);
    const route = matchedRoute(c);
    // No such path, or not with this method: 404 and 405 come after this.
    if (route === undefined) return next();
    const wanted = declared.get(route);
    if (wanted === undefined) throw new InvariantError('route_declares_security', { route });
    return refusal(c, c.get('caller'), wanted) ?? next();
  });
}

/** The first route that takes this method and path; what stands on all methods is a check or a refusal. */
function matchedRoute(c: AppContext): string | undefined {
  const route = matchedRoutes(c).find(({ method }) => method !== 'ALL');
  return route === undefined ? undefined : `${route.method} ${route.path}`;
}

/** RFC 6750, section 3.1: 403 `insufficient_scope`, with what would be enough. */
function refusal(c: AppContext, { credential, roles }: Caller, wanted: RouteSecurity): Response | undefined {
  if (credential === 'bootstrap') {
    if (wanted.takesBootstrap) return undefined;
    return problem(c, 'forbidden', { detail: 'A bootstrap token is for /ops/api-keys alone.' });
  }
  const missing = wanted.roles.filter((role) => !roles.has(role));
  return missing.length === 0 ? undefined : lacks(c, missing, wanted.roles);
}

/** The refusal of a caller who has not all of the roles that are wanted. */
export function lacks(c: AppContext, missing: readonly Role[], wanted: readonly Role[]): Response {
  return problem(c, 'forbidden', {
    detail: `The API key lacks: ${missing.join(', ')}.${missing.includes('platform') ? ' It belongs to a merchant.' : ''}`,
    headers: {
      'WWW-Authenticate': `Bearer realm="holdfast", error="insufficient_scope", scope="${wanted.join(' ')}"`,
    },
  });
}
