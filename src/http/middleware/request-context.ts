/**
 * The outermost layer: gives each request its id and its place in a trace, puts both and the security headers on every
 * response, and writes the request's one log line. Never logs a body, a token, a key or a query string.
 */
import { createMiddleware } from 'hono/factory';
import { routePath } from 'hono/route';
import { TRACEPARENT_PATTERN } from '../../domain/events/envelope.ts';
import type { Trace } from '../../domain/rpc.ts';
import { logLine } from '../../telemetry/log.ts';
import type { AppEnv } from '../context.ts';

/** On every response; a route that serves a page sets its own Content-Security-Policy and Cache-Control. */
const DEFAULT_HEADERS: Readonly<Record<string, string>> = {
  // Payments and balances: never kept by anything between us and the client.
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Referrer-Policy': 'no-referrer',
  'Strict-Transport-Security': 'max-age=63072000; includeSubDomains',
  'X-Content-Type-Options': 'nosniff',
};

export const requestContext = createMiddleware<AppEnv>(async (c, next) => {
  const startedAtMs = Date.now();
  const requestId = crypto.randomUUID();
  const trace = continueTrace(c.req.header('traceparent'));
  c.set('requestId', requestId);
  c.set('trace', trace);
  await next();

  const { headers } = c.res;
  headers.set('Request-Id', requestId);
  headers.set('traceparent', trace.traceparent);
  for (const [name, value] of Object.entries(DEFAULT_HEADERS)) {
    if (!headers.has(name)) headers.set(name, value);
  }
  logLine('http.request', {
    method: c.req.method,
    // The pattern, not the path: a path holds what the client wrote.
    route: routePath(c, -1),
    status: c.res.status,
    code: c.get('problemCode'),
    request_id: requestId,
    trace_id: trace.traceId,
    duration_ms: Date.now() - startedAtMs,
    merchant: c.get('scope')?.merchant,
    entity_id: c.get('entityId'),
  });
});

/**
 * Our span in the caller's trace, or in a new one when `traceparent` is absent or not valid.
 * Source: https://www.w3.org/TR/trace-context/#traceparent-header (all-zero ids are not valid).
 */
export function continueTrace(traceparent: string | undefined): Trace {
  const match = TRACEPARENT_PATTERN.exec(traceparent ?? '');
  const [, callerTraceId, callerSpanId] = match ?? [];
  const valid = isNonZero(callerTraceId) && isNonZero(callerSpanId);
  const traceId = valid ? callerTraceId : randomHex(16);
  // A new trace is sampled; in a caller's trace the caller decides.
  const flags = valid ? traceparent?.slice(-2) : '01';
  return { traceId, traceparent: `00-${traceId}-${randomHex(8)}-${flags}` };
}

function isNonZero(hex: string | undefined): hex is string {
  return hex !== undefined && /[1-9a-f]/.test(hex);
}

function randomHex(bytes: number): string {
  return [...crypto.getRandomValues(new Uint8Array(bytes))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
