/**
 * Fails closed: while the configuration has problems, every route but /health answers 503. Which names are missing goes
 * to the log, never to the client.
 */
import { createMiddleware } from 'hono/factory';
import { readConfig } from '../../config.ts';
import { logLine } from '../../telemetry/log.ts';
import type { AppEnv } from '../context.ts';
import { problem } from '../problem.ts';

export const configuration = createMiddleware<AppEnv>(async (c, next) => {
  const result = readConfig(c.env);
  if (!result.ok) {
    logLine('http.misconfigured', { problems: result.problems.join(','), request_id: c.get('requestId') });
    return problem(c, 'misconfigured');
  }
  c.set('config', result.config);
  return next();
});
