/**
 * Pure: a span as we keep it until it is exported, and which attributes one may have. An attribute that is not named here
 * does not exist for the type checker and is dropped at run time (`src/telemetry/otlp.ts`), so that no token, key or body can
 * leak by being passed along.
 */

/** Ids, names, codes and counts; nothing that a client wrote freely. OpenTelemetry's own names where it has one. */
export const SPAN_ATTRIBUTES = [
  'error.type',
  'http.request.method',
  'http.response.status_code',
  'http.route',
  'messaging.destination.name',
  'messaging.message.id',
  'messaging.operation.type',
  'messaging.system',
  'holdfast.attempts',
  'holdfast.delivery_id',
  'holdfast.effect_id',
  'holdfast.endpoint_id',
  'holdfast.entity_id',
  'holdfast.event_type',
  'holdfast.gateway_status',
  'holdfast.merchant',
  'holdfast.operation',
  'holdfast.outcome',
  'holdfast.payment_id',
  'holdfast.provider',
  'holdfast.request_id',
  'holdfast.state',
  'holdfast.verdict',
] as const;

export type SpanAttribute = (typeof SPAN_ATTRIBUTES)[number];
export type SpanAttributes = { readonly [Name in SpanAttribute]?: string | number | undefined };

export type SpanKind = 'internal' | 'server' | 'client' | 'consumer';

export interface SpanEvent {
  readonly name: string;
  readonly atMs: number;
  readonly attributes: SpanAttributes;
}

export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  /** Null for the first of its trace. */
  readonly parentSpanId: string | null;
  readonly name: string;
  readonly kind: SpanKind;
  readonly startAtMs: number;
  readonly endAtMs: number;
  readonly attributes: SpanAttributes;
  readonly events: readonly SpanEvent[];
  /** What went wrong was ours or the other side's, not the customer's: a decline is none. */
  readonly isError: boolean;
}
