/**
 * Who a request acts for. With AUTH = open (sandbox only, src/config.ts) everyone is the merchant `default`. With
 * AUTH = required nobody is anybody yet: this version issues no API keys, so every request is refused.
 */
import { createMiddleware } from 'hono/factory';
import type { AppEnv } from '../context.ts';
import { problem } from '../problem.ts';

export const authentication = createMiddleware<AppEnv>(async (c, next) => {
  const { auth, mode } = c.get('config');
  if (auth === 'required') return problem(c, 'unauthenticated');
  c.set('scope', { merchant: 'default', mode });
  return next();
});
