/**
 * Fails closed: while the configuration has problems, or a rate limit that is not lifted has no binding, every route but /health
 * answers 503. Which names are missing goes to the log, never to the client.
 */
import { createMiddleware } from 'hono/factory';
import { type Config, readConfig } from '../../config.ts';
import { logLine } from '../../telemetry/log.ts';
import type { AppContext, AppEnv } from '../context.ts';
import { problem } from '../problem.ts';
import { missingRateLimits } from '../rate-limits.ts';

export const configuration = createMiddleware<AppEnv>(async (c, next) => {
  const result = readConfig(c.env);
  const problems = result.ok ? unlimited(c, result.config) : result.problems;
  if (!result.ok || problems.length > 0) {
    logLine('http.misconfigured', { problems: problems.join(','), request_id: c.get('requestId') });
    return problem(c, 'misconfigured');
  }
  c.set('config', result.config);
  return next();
});

function unlimited(c: AppContext, { rateLimits }: Config): readonly string[] {
  return rateLimits === 'on' ? missingRateLimits(c.env) : [];
}
