/**
 * Pure: spans as the JSON body of one OTLP/HTTP export
 * (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding): ids in hex, 64-bit integers as text, enums as
 * numbers. Keeps the allow-list of attributes. Called by the tracer.
 */
import { SPAN_ATTRIBUTES, type Span, type SpanAttributes, type SpanKind } from '../domain/tracing/span.ts';

/** `SpanKind` of opentelemetry/proto/trace/v1/trace.proto. */
const KINDS: Readonly<Record<SpanKind, number>> = { internal: 1, server: 2, client: 3, consumer: 5 };
/** `STATUS_CODE_ERROR`; a span without an error has none set, as the specification asks of instrumentation. */
const STATUS_ERROR = 2;
/** Every value of ours is far shorter; one that is not would be a mistake, and is cut. */
const VALUE_LENGTH_MAX = 256;

export function otlpBody(spans: readonly Span[]): string {
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'holdfast' } }] };
  const scopeSpans = [{ scope: { name: 'holdfast' }, spans: spans.map(otlpSpan) }];
  return JSON.stringify({ resourceSpans: [{ resource, scopeSpans }] });
}

function otlpSpan(span: Span) {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    ...(span.parentSpanId !== null && { parentSpanId: span.parentSpanId }),
    name: span.name,
    kind: KINDS[span.kind],
    startTimeUnixNano: nanoseconds(span.startAtMs),
    endTimeUnixNano: nanoseconds(span.endAtMs),
    attributes: keyValues(span.attributes),
    events: span.events.map(({ name, atMs, attributes }) => ({
      name,
      timeUnixNano: nanoseconds(atMs),
      attributes: keyValues(attributes),
    })),
    status: span.isError ? { code: STATUS_ERROR } : {},
  };
}

/** As text: beyond 2^53. */
function nanoseconds(atMs: number): string {
  return `${atMs}000000`;
}

interface KeyValue {
  readonly key: string;
  readonly value: { readonly intValue: string } | { readonly stringValue: string };
}

function keyValues(attributes: SpanAttributes): KeyValue[] {
  return SPAN_ATTRIBUTES.flatMap((key): KeyValue[] => {
    const value = attributes[key];
    if (value === undefined) return [];
    if (typeof value === 'number') return [{ key, value: { intValue: String(value) } }];
    return [{ key, value: { stringValue: value.slice(0, VALUE_LENGTH_MAX) } }];
  });
}
