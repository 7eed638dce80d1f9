/**
 * The outermost layer: gives each request its id and its place in a trace, puts both and the security headers on every
 * response, and writes the request's one log line and its span. Never logs a body, a token, a key or a query string.
 */
import { createMiddleware } from 'hono/factory';
import { routePath } from 'hono/route';
import { readConfig } from '../../config.ts';
import type { Trace } from '../../domain/saga-rpc.ts';
import { parseTraceparent } from '../../domain/tracing/trace-context.ts';
import { logLine } from '../../telemetry/log.ts';
import { openTracer, randomHex, type Tracer } from '../../telemetry/tracer.ts';
import type { AppContext, AppEnv } from '../context.ts';
import { rateLimitPolicy } from '../rate-limits.ts';
import { SECURITY_HEADERS } from '../security-headers.ts';

/** The request's place in a trace; `callerSpanId` is null where the trace begins here. */
interface RequestTrace extends Trace {
  readonly callerSpanId: string | null;
}

interface RequestFacts {
  readonly method: string;
  readonly route: string;
  readonly status: number;
  readonly startedAtMs: number;
  readonly requestId: string;
  readonly code: string | undefined;
  readonly merchant: string | undefined;
  readonly entityId: string | undefined;
}

export const requestContext = createMiddleware<AppEnv>(async (c, next) => {
  const startedAtMs = Date.now();
  const requestId = crypto.randomUUID();
  const tracer = openTracer(c.env);
  const trace = continueTrace(c.req.header('traceparent'), (traceId) => tracer.samples(traceId));
  c.set('requestId', requestId);
  c.set('trace', { traceId: trace.traceId, traceparent: trace.traceparent });
  await next();

  const { headers } = c.res;
  headers.set('Request-Id', requestId);
  const traceparent = isKnown(c) ? trace.traceparent : `${trace.traceparent.slice(0, -2)}00`;
  headers.set('traceparent', traceparent);
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) {
    if (!headers.has(name)) headers.set(name, value);
  }
  const rateLimits = c.get('rateLimits');
  if (rateLimits !== undefined) headers.set('RateLimit-Policy', rateLimitPolicy(rateLimits));
  const facts = {
    method: c.req.method,
    // The pattern, not the path: a path holds what the client wrote.
    route: routePath(c, -1),
    status: c.res.status,
    code: c.get('problemCode'),
    merchant: c.get('scope')?.merchant,
  };
  const entityId = c.get('entityId');
  logLine('http.request', {
    ...facts,
    request_id: requestId,
    trace_id: trace.traceId,
    duration_ms: Date.now() - startedAtMs,
    entity_id: entityId,
    api_key_id: c.get('apiKey')?.id,
  });
  recordRequest(tracer, { ...trace, traceparent }, { ...facts, startedAtMs, requestId, entityId });
  const exported = tracer.flush();
  if (exported !== null) c.executionCtx.waitUntil(exported);
});

/**
 * Whether it is known who asked, by a key or a provider's signature. Nothing of anybody else is exported, whatever the flag or
 * the ratio says: an address without a limit would else make a request to the collector of each of its own (decision 0061).
 */
function isKnown(c: AppContext): boolean {
  if (c.get('caller') !== undefined || c.get('isSigned') === true) return true;
  const result = readConfig(c.env);
  return result.ok && result.config.auth === 'open';
}

/**
 * Our span in the caller's trace, or in a new one when `traceparent` is absent or not valid.
 * Source: https://www.w3.org/TR/trace-context/#traceparent-header (all-zero ids are not valid).
 */
export function continueTrace(traceparent: string | undefined, samples: (traceId: string) => boolean): RequestTrace {
  const caller = parseTraceparent(traceparent);
  const traceId = caller?.traceId ?? randomHex(16);
  const spanId = randomHex(8);
  // In a caller's trace the caller decides, and its flags go on as they are, once it is known who that is.
  const flags = caller === null ? (samples(traceId) ? '01' : '00') : traceparent?.slice(-2);
  return { traceId, traceparent: `00-${traceId}-${spanId}-${flags}`, callerSpanId: caller?.spanId ?? null };
}

/** The request as a span, if its trace is sampled: the one that the returned `traceparent` names. */
function recordRequest(tracer: Tracer, { traceparent, callerSpanId }: RequestTrace, request: RequestFacts): void {
  const own = parseTraceparent(traceparent);
  if (own === null || !own.isSampled) return;
  const { method, route, status } = request;
  tracer.record([
    {
      traceId: own.traceId,
      spanId: own.spanId,
      parentSpanId: callerSpanId,
      name: `${method} ${route}`,
      kind: 'server',
      startAtMs: request.startedAtMs,
      endAtMs: Math.max(request.startedAtMs, Date.now()),
      attributes: {
        'http.request.method': method,
        'http.route': route,
        'http.response.status_code': status,
        'error.type': request.code,
        'holdfast.request_id': request.requestId,
        'holdfast.merchant': request.merchant,
        'holdfast.entity_id': request.entityId,
      },
      events: [],
      isError: status >= 500,
    },
  ]);
}
