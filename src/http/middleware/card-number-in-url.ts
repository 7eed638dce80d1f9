/**
 * Refuses a card number in a path or a query: a wallet id or an idempotency key in a path names an object, a query is in the platform's
 * own request log, and both come back in pages and problems. Bodies are looked at by the body scan, key headers by the idempotency
 * layer. Asks nothing of requests that no operation takes: those are 404 and 405, whatever they hold.
 */
import { createMiddleware } from 'hono/factory';
import { matchedRoutes } from 'hono/route';
import { holdsCardNumber } from '../card-number.ts';
import type { AppContext, AppEnv } from '../context.ts';
import { type FieldProblem, problem } from '../problem.ts';

const MESSAGE = 'This looks like a card number. Send a token instead.';

/** Checks, in order: the path → each name and value of the query. */
export const cardNumberInUrl = createMiddleware<AppEnv>(async (c, next) => {
  if (!isTaken(c)) return next();
  if (holdsCardNumber(c.req.path)) return problem(c, 'pan_in_request', { detail: MESSAGE });
  const found = inQuery(new URL(c.req.url).searchParams);
  return found === null ? next() : problem(c, 'pan_in_request', { detail: MESSAGE, errors: [found] });
});

/** Whether an operation answers: middleware, and the refusal of other methods, stand for all methods. */
function isTaken(c: AppContext): boolean {
  return matchedRoutes(c).some(({ method }) => method !== 'ALL');
}

/** A finding in a name does not repeat the name. */
function inQuery(query: URLSearchParams): FieldProblem | null {
  for (const [name, value] of query) {
    if (holdsCardNumber(name)) return { in: 'query', pointer: '', message: MESSAGE };
    if (holdsCardNumber(value)) return { in: 'query', pointer: `/${name}`, message: MESSAGE };
  }
  return null;
}
