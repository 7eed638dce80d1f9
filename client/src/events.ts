/**
 * A saga's timeline as it happens, by server-sent events: cut off, it comes again from the last event that it had, and ends when
 * the service says that nothing more will come. No `EventSource`: that has no headers, so no API key, and Node 20 has none.
 */
import { HoldfastError } from './errors.ts';
import { EventStreamParser } from './event-stream.ts';
import type { Event } from './generated.ts';
import { waitBeforeNext } from './retry.ts';
import { pause, problemIn, type Transport } from './transport.ts';

export type EventsOf = 'listPaymentEvents' | 'listRefundEvents';

export interface EventsOptions {
  /** Only events with a higher `metadata.sequence`. */
  readonly after?: number;
  readonly signal?: AbortSignal;
}

/**
 * Yields each event once, in order. A stream that brings nothing new counts as an attempt; one that does begins the count anew.
 * @throws HoldfastError
 */
export async function* eventsOf(
  transport: Transport,
  name: EventsOf,
  id: string,
  { after = 0, signal }: EventsOptions,
): AsyncGenerator<Event> {
  let last = after;
  for (let attempt = 1; ; attempt++) {
    const opened = await open(transport, name, id, last, attempt, signal);
    if (opened === 'ended') return;
    if (opened !== 'cut') {
      try {
        for await (const event of read(opened)) {
          last = event.metadata.sequence;
          attempt = 0;
          yield event;
        }
        // Closed by the service: at the end, which the next answer confirms (204), or because the stream has grown old.
        if (attempt === 0) continue;
      } catch (error) {
        if (signal?.aborted === true) throw new HoldfastError({ kind: 'aborted', attempts: attempt }, error);
        // Cut: from the last one on, again.
      }
    }
    const waitMs = waitBeforeNext(transport.policy, Math.max(attempt, 1), { kind: 'no_answer' }, true, Math.random());
    if (waitMs === null) throw new HoldfastError({ kind: 'no_answer', reason: 'network', attempts: attempt });
    await pause(waitMs, signal);
  }
}

async function open(
  transport: Transport,
  name: EventsOf,
  id: string,
  last: number,
  attempts: number,
  signal: AbortSignal | undefined,
): Promise<ReadableStream<Uint8Array> | 'ended' | 'cut'> {
  // Not a time limit for the whole: a stream may last for hours.
  const request = transport.request(name, { path: { id } }, signal ?? new AbortController().signal, {
    Accept: 'text/event-stream',
    'Last-Event-ID': String(last),
  });
  try {
    const response = await transport.send(request);
    if (response.status === 204) return 'ended';
    if (response.ok) return response.body ?? 'cut';
    const problem = problemIn(await response.text());
    if (problem !== null && !problem.retryable) throw new HoldfastError({ kind: 'problem', problem, attempts });
    return 'cut';
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    if (signal?.aborted === true) throw new HoldfastError({ kind: 'aborted', attempts }, error);
    return 'cut';
  }
}

/** The events of one stream, as they arrive. */
async function* read(body: ReadableStream<Uint8Array>): AsyncGenerator<Event> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parser = new EventStreamParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      for (const { data } of parser.push(decoder.decode(value, { stream: true }))) yield JSON.parse(data) as Event;
    }
  } finally {
    // Whoever stops listening in the middle frees the connection.
    await reader.cancel().catch(() => undefined);
  }
}
