/**
 * A saga's timeline as it happens, by server-sent events: cut off, it comes again from the last event that it had, and ends when
 * the service says that nothing more will come. No `EventSource`: that has no headers, so no API key, and Node 20 has none.
 */
import { HoldfastError, type HoldfastFailure } from './errors.ts';
import { EventStreamParser } from './event-stream.ts';
import type { Event } from './generated.ts';
import { readStream } from './read-stream.ts';
import { waitBeforeNext } from './retry.ts';
import { type Failed, failedBy, pause, type Transport, throwIfAborted, unanswered } from './transport.ts';

/** Before coming again, where a stream has not said how long: what the service says. */
const RECONNECT_MS = 1_000;

export type EventsOf = 'listPaymentEvents' | 'listRefundEvents';

export interface EventsOptions {
  /** Only events with a higher `metadata.sequence`. */
  readonly after?: number;
  readonly signal?: AbortSignal;
}

/**
 * Yields each event once, in order. An attempt that is not answered, is refused, or is cut having brought nothing new is counted; an
 * event, or a stream that the service has closed, begins the count anew. Then the service's `retry` is waited for, or nothing after an event.
 * @throws HoldfastError
 */
export async function* eventsOf(
  transport: Transport,
  name: EventsOf,
  id: string,
  { after = 0, signal }: EventsOptions,
): AsyncGenerator<Event> {
  const { policy } = transport;
  let last = after;
  for (let attempt = 1; ; attempt++) {
    throwIfAborted(signal, attempt - 1);
    const opened = await open(transport, name, id, last, signal);
    if (opened === 'ended') return;
    let failed: Failed;
    if (opened.ok) {
      const parser = new EventStreamParser();
      try {
        for await (const { data } of readStream(opened.body, parser)) {
          const event = JSON.parse(data) as Event;
          last = event.metadata.sequence;
          attempt = 0;
          yield event;
        }
        // At the end, which the next answer confirms (204), or because the stream has grown old.
        if (attempt > 0) await pause(Math.min(parser.retryMs ?? RECONNECT_MS, policy.waitMaxMs), signal);
        attempt = 0;
        continue;
      } catch (error) {
        // Cut: from the last one on, again.
        failed = unanswered('network', error);
      }
    } else {
      failed = opened;
    }
    const attempts = Math.max(attempt, 1);
    throwIfAborted(signal, attempts);
    const waitMs = waitBeforeNext(policy, attempts, failed.fault, true, Math.random());
    if (waitMs === null) throw new HoldfastError({ attempts, ...failed.failure } as HoldfastFailure, failed.cause);
    await pause(waitMs, signal);
  }
}

type Opened = { readonly ok: true; readonly body: ReadableStream<Uint8Array> };

/** The answer has as long as any other; a stream that is open may last for hours. */
async function open(
  transport: Transport,
  name: EventsOf,
  id: string,
  last: number,
  signal: AbortSignal | undefined,
): Promise<Opened | Failed | 'ended'> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), transport.attemptTimeoutMs);
  const request = transport.request(
    name,
    { path: { id } },
    signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]),
    { Accept: 'text/event-stream', 'Last-Event-ID': String(last) },
  );
  try {
    const response = await transport.send(request);
    if (response.status === 204) return 'ended';
    const isStream = /^text\/event-stream\b/i.test(response.headers.get('Content-Type') ?? '');
    if (response.ok && isStream && response.body !== null) return { ok: true, body: response.body };
    return failedBy(response, await response.text());
  } catch (error) {
    return unanswered(late.signal.aborted ? 'timeout' : 'network', error);
  } finally {
    clearTimeout(timer);
  }
}
