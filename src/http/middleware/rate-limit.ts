/**
 * Asks the platform whether a request is one too many: by address before anybody is known, by API key afterwards, and for providers'
 * callbacks by a limit of their own. Reads no body, and stands before the idempotency layer: a refused request leaves its key free.
 */
import { createMiddleware } from 'hono/factory';
import { errorText, logLine } from '../../telemetry/log.ts';
import type { AppContext, AppEnv } from '../context.ts';
import { problem } from '../problem.ts';
import { addressPartition, RATE_LIMITS, type RateLimitName, refusalHeaders } from '../rate-limits.ts';

/** Set by the platform on every request that it takes in; what a client writes there is overwritten. */
const ADDRESS_HEADER = 'cf-connecting-ip';

export const addressRateLimit = rateLimit('address', addressOf);
export const callbackRateLimit = rateLimit('callbacks', addressOf);
/** Where there are no keys (AUTH = open) there is nobody to count. */
export const keyRateLimit = rateLimit('api-key', (c) => c.get('apiKey')?.id ?? null);

function addressOf(c: AppContext): string {
  return addressPartition(c.req.header(ADDRESS_HEADER));
}

function rateLimit(name: RateLimitName, partitionOf: (c: AppContext) => string | null) {
  const { limit, periodSeconds, of } = RATE_LIMITS[name];
  return createMiddleware<AppEnv>(async (c, next) => {
    const partition = partitionOf(c);
    if (c.get('config').rateLimits === 'off' || partition === null) return next();
    c.set('rateLimits', [...(c.get('rateLimits') ?? []), name]);
    if (await isWithin(c, name, partition)) return next();
    return problem(c, 'rate_limited', {
      detail: `More than ${limit} requests in ${periodSeconds} seconds ${of}.`,
      headers: refusalHeaders(name),
    });
  });
}

/** A limiter that fails lets everything pass: it bounds what requests cost, and never decides about money (decision 0071). */
async function isWithin(c: AppContext, name: RateLimitName, partition: string): Promise<boolean> {
  try {
    const { success } = await c.env[RATE_LIMITS[name].binding].limit({ key: partition });
    return success;
  } catch (error) {
    const failed = { alert: true, operation: name, error: errorText(error), request_id: c.get('requestId') };
    logLine('http.rate_limit_failed', failed);
    return true;
  }
}
