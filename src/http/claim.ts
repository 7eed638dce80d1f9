/**
 * The answer to a request that claims an idempotency key, by the decision table (docs/idempotency.md): the same for
 * payments and refunds. Called by the routes that create them.
 */
import { PREFER_WAIT_SECONDS_MAX } from '../domain/limits.ts';
import type { CreateResult } from '../domain/saga-rpc.ts';
import type { AppContext } from './context.ts';
import { problem } from './problem.ts';

/** The decision table (docs/idempotency.md). */
export function answerClaim(c: AppContext, result: CreateResult, route: string, waitSeconds: number | null): Response {
  switch (result.kind) {
    case 'key_expired':
      return problem(c, 'idempotency_key_expired');
    case 'key_reused':
      return problem(c, 'idempotency_key_reused', {
        errors: result.fields.map((pointer) => ({
          in: 'body',
          pointer,
          message: 'Differs from the first request with this key.',
        })),
      });
    case 'created':
    case 'replayed': {
      const { entityId, terminal, waited } = result;
      const replayed = result.kind === 'replayed';
      c.set('entityId', entityId);
      return c.body(result.body, statusOf(replayed, terminal), {
        'Content-Type': 'application/json',
        Location: `${route}/${entityId}`,
        'Idempotency-Status': replayed ? (terminal ? 'completed' : 'in_progress') : 'created',
        ...(replayed && { 'Idempotent-Replayed': 'true' }),
        ...(replayed && !terminal && { 'Retry-After': '1' }),
        // Only a preference that was honoured (RFC 7240, section 3).
        ...(waitSeconds !== null && waited && { 'Preference-Applied': `wait=${waitSeconds}` }),
      });
    }
  }
}

function statusOf(replayed: boolean, terminal: boolean): 200 | 201 | 202 {
  if (!terminal) return 202;
  return replayed ? 200 : 201;
}

/**
 * Whole seconds of `Prefer: wait=N`, at most PREFER_WAIT_SECONDS_MAX; null when there is none that can be read:
 * a preference that is not understood is ignored (RFC 7240, section 2).
 */
export function readWaitSeconds(c: AppContext): number | null {
  const seconds = /(?:^|[,;])\s*wait\s*=\s*"?([0-9]{1,9})"?\s*(?:[,;]|$)/i.exec(c.req.header('prefer') ?? '')?.[1];
  return seconds === undefined ? null : Math.min(Number(seconds), PREFER_WAIT_SECONDS_MAX);
}
