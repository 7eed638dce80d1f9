/**
 * Follows a saga's timeline live: server-sent events over `fetch`, resumed with Last-Event-ID whenever the stream is cut, until
 * the API says that nothing more will come. Called by the payment's view.
 */
import { EventStreamParser } from '../../../client/src/event-stream.ts';
import type { Envelope } from '../../../src/domain/events/envelope.ts';
import { ApiError, request } from './client.ts';

const RECONNECT_FIRST_MS = 1_000;
const RECONNECT_MAX_MS = 15_000;

export type FollowState = 'connecting' | 'live' | 'ended' | 'interrupted';

export interface Follower {
  readonly onEvent: (event: Envelope) => void;
  readonly onState: (state: FollowState) => void;
}

/** Resolves when the timeline has ended or `signal` aborts. @throws ApiError when the API refuses (it is not asked again). */
export async function follow(path: string, follower: Follower, signal: AbortSignal): Promise<void> {
  let lastId = '0';
  let waitMs = RECONNECT_FIRST_MS;
  follower.onState('connecting');
  while (!signal.aborted) {
    try {
      const headers = { accept: 'text/event-stream', 'last-event-id': lastId };
      const response = await request(path, { headers, signal });
      // All has been told (section 9.2.2 of the standard: a client stops at 204).
      if (response.status === 204 || response.body === null) return follower.onState('ended');
      follower.onState('live');
      for await (const { id, data } of eventsOf(response.body)) {
        lastId = id;
        waitMs = RECONNECT_FIRST_MS;
        follower.onEvent(JSON.parse(data) as Envelope);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.status >= 400 && error.status < 500) throw error;
      follower.onState('interrupted');
    }
    await pause(waitMs, signal);
    waitMs = Math.min(waitMs * 2, RECONNECT_MAX_MS);
  }
}

async function* eventsOf(body: ReadableStream<Uint8Array>) {
  const parser = new EventStreamParser();
  const decoder = new TextDecoder();
  for await (const bytes of body) yield* parser.push(decoder.decode(bytes, { stream: true }));
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
