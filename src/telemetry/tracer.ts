/**
 * The spans of one unit of work, collected in a value that is passed along, and exported once at its end: one bounded
 * attempt over OTLP/HTTP, which never throws, never is awaited by what it tells of, and is left out for a while after one that
 * failed. Without an endpoint, and in a trace that is not sampled, nothing is recorded at all. Called by every part.
 */
import { readConfig } from '../config.ts';
import type { TracingConfig } from '../config-tracing.ts';
import { SPANS_EXPORTED_MAX, TRACE_EXPORT_PAUSE_MS, TRACE_EXPORT_TIMEOUT_MS } from '../domain/limits.ts';
import type { Span, SpanAttributes, SpanKind } from '../domain/tracing/span.ts';
import { isInRatio, parseTraceparent, withSpanId } from '../domain/tracing/trace-context.ts';
import { logLine } from './log.ts';
import { otlpBody } from './otlp.ts';

/** A span that has begun. */
export interface OpenSpan {
  /** What is sent along, so that what follows there hangs under this span. */
  readonly traceparent: string;
  begin(name: string, kind: SpanKind, attributes?: SpanAttributes): OpenSpan;
  /** Once; with what is known at the end. */
  end(attributes?: SpanAttributes, isError?: boolean): void;
}

/** Until when an isolate exports nothing, by configuration: a collector that is away is asked twice a minute, not per payment. */
const pausedUntilMs = new WeakMap<TracingConfig, number>();

/** The tracer of one unit of work. */
export function openTracer(env: object): Tracer {
  const result = readConfig(env);
  return result.ok ? new Tracer(result.config.tracing, result.config.sampleRatio) : new Tracer(undefined, 0);
}

export class Tracer {
  readonly #config: TracingConfig | undefined;
  readonly #sampleRatio: number;
  readonly #spans: Span[] = [];
  #lost = 0;

  constructor(config: TracingConfig | undefined, sampleRatio: number) {
    this.#config = config;
    this.#sampleRatio = sampleRatio;
  }

  /** Whether anything is exported at all. */
  get isOn(): boolean {
    return this.#config !== undefined;
  }

  /** Whether a new trace is sampled: exported, where there is an endpoint, and logged. */
  samples(traceId: string): boolean {
    return isInRatio(traceId, this.#sampleRatio);
  }

  /** A span under the one that `traceparent` names. */
  begin(name: string, kind: SpanKind, traceparent: string, attributes: SpanAttributes = {}): OpenSpan {
    const parent = parseTraceparent(traceparent);
    if (!this.isOn || parent === null || !parent.isSampled) return unrecorded(traceparent);
    const spanId = randomHex(8);
    const startAtMs = Date.now();
    const own = withSpanId(traceparent, spanId);
    return {
      traceparent: own,
      begin: (childName, childKind, childAttributes) => this.begin(childName, childKind, own, childAttributes),
      end: (more = {}, isError = false) => {
        const base = { traceId: parent.traceId, spanId, parentSpanId: parent.spanId, name, kind, startAtMs };
        const endAtMs = Math.max(startAtMs, Date.now());
        this.record([{ ...base, endAtMs, attributes: { ...attributes, ...more }, events: [], isError }]);
      },
    };
  }

  /** Spans that are over. */
  record(spans: readonly Span[]): void {
    if (!this.isOn) return;
    const room = SPANS_EXPORTED_MAX - this.#spans.length;
    this.#spans.push(...spans.slice(0, room));
    this.#lost += Math.max(0, spans.length - room);
  }

  /**
   * Exports what was recorded; null when that is nothing. Given to `waitUntil` at the end of the unit of work, never awaited.
   * Never rejects.
   */
  flush(): Promise<void> | null {
    const config = this.#config;
    if (config === undefined || this.#spans.length === 0) return null;
    return exportSpans(config, this.#spans.splice(0), this.#lost);
  }
}

export function randomHex(bytes: number): string {
  return [...crypto.getRandomValues(new Uint8Array(bytes))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function unrecorded(traceparent: string): OpenSpan {
  const span: OpenSpan = { traceparent, begin: () => span, end: () => {} };
  return span;
}

async function exportSpans(config: TracingConfig, spans: readonly Span[], lost: number): Promise<void> {
  if (isPaused(config)) return;
  const failure = await post(config, otlpBody(spans));
  if (failure === null && lost === 0) return;
  // Exports that were under way together fail together: the first says so for all.
  if (failure !== null && isPaused(config)) return;
  if (failure !== null) pausedUntilMs.set(config, Date.now() + TRACE_EXPORT_PAUSE_MS);
  logLine('trace.export_failed', {
    code: failure ?? 'too_many_spans',
    count: failure === null ? lost : spans.length + lost,
    ...(failure !== null && { delay_seconds: TRACE_EXPORT_PAUSE_MS / 1_000 }),
  });
}

function isPaused(config: TracingConfig): boolean {
  return Date.now() < (pausedUntilMs.get(config) ?? 0);
}

/** What went wrong, or null. Nothing of the answer is read: a collector can neither fill our memory nor hold us with it. */
async function post({ url, headers }: TracingConfig, body: string): Promise<string | null> {
  const signal = AbortSignal.timeout(TRACE_EXPORT_TIMEOUT_MS);
  const init = { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body, signal };
  try {
    const response = await fetch(url, { ...init, redirect: 'manual' });
    await response.body?.cancel();
    return response.ok ? null : `http_${response.status}`;
  } catch {
    // What the runtime says of a broken connection may name the address: its class is enough.
    return signal.aborted ? 'timeout' : 'connection_failed';
  }
}
