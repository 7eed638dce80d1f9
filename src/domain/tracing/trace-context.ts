/**
 * Pure: W3C Trace Context (https://www.w3.org/TR/trace-context/), version 00: reading and writing `traceparent`, which new
 * traces are sampled, and the span ids that follow from events. No randomness: who begins a span brings its id.
 */
import { TRACEPARENT_PATTERN } from '../events/envelope.ts';

export interface TraceContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
}

const FLAG_SAMPLED = 1;

/** Null where it is absent, malformed, or has an id of zeros only, which stands for none. */
export function parseTraceparent(text: string | undefined): TraceContext | null {
  const [, traceId, spanId] = TRACEPARENT_PATTERN.exec(text ?? '') ?? [];
  if (text === undefined || !isNonZero(traceId) || !isNonZero(spanId)) return null;
  return { traceId, spanId, isSampled: (Number.parseInt(text.slice(-2), 16) & FLAG_SAMPLED) !== 0 };
}

/** The same trace and flags, with another span as the parent of what follows. */
export function withSpanId(traceparent: string, spanId: string): string {
  return `${traceparent.slice(0, 36)}${spanId}${traceparent.slice(52)}`;
}

/**
 * The span that an event stands for: the last 64 bits of its id, a UUID. They hold its variant, so they are never zero; and
 * whoever reads the event finds the same span, however often it is told.
 */
export function spanIdOf(eventId: string): string {
  return eventId.replaceAll('-', '').slice(-16);
}

/** Whether a new trace is sampled at this ratio (0 to 1). By its id, whose last 32 bits are random. */
export function isInRatio(traceId: string, ratio: number): boolean {
  return Number.parseInt(traceId.slice(-8), 16) < ratio * 2 ** 32;
}

function isNonZero(hex: string | undefined): hex is string {
  return hex !== undefined && /[1-9a-f]/.test(hex);
}
