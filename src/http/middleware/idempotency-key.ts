/**
 * Reads the idempotency key of a request that moves money, under any of its header names. Stores nothing: the key is
 * claimed by the object that it addresses, in the commit that begins the work.
 */
import { createMiddleware } from 'hono/factory';
import { IDEMPOTENCY_KEY_HEADERS, type IdempotencyKeyResult, readIdempotencyKey } from '../../domain/idempotency.ts';
import { holdsCardNumber } from '../card-number.ts';
import type { AppContext, AppEnv } from '../context.ts';
import { problem } from '../problem.ts';

export const idempotencyKey = createMiddleware<AppEnv>(async (c, next) => {
  const result = readKeyHeaders(c);
  if (!result.ok) return problem(c, result.code, { detail: result.detail });
  c.set('idempotencyKey', result.key);
  return next();
});

/** The key in the request's headers. A key is stored and shown in logs of clients, so it must not be a card number. */
export function readKeyHeaders(c: AppContext): IdempotencyKeyResult {
  const result = readIdempotencyKey(IDEMPOTENCY_KEY_HEADERS.map((name) => c.req.header(name) ?? null));
  if (!result.ok || !holdsCardNumber(result.key)) return result;
  return { ok: false, code: 'idempotency_key_invalid', detail: 'The key looks like a card number.' };
}
