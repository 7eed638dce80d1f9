/**
 * Follows a saga's timeline live: server-sent events over `fetch`, resumed with Last-Event-ID whenever the stream is cut, until
 * the API says that nothing more will come. Called by the views of payments and refunds.
 */
import { EventStreamParser } from '../../../client/src/event-stream.ts';
import { readStream } from '../../../client/src/read-stream.ts';
import type { Envelope } from '../../../src/domain/events/envelope.ts';
import { ApiError, api, pathOf, request } from './client.ts';
import type { List } from './types.ts';

const RECONNECT_FIRST_MS = 1_000;
const RECONNECT_MAX_MS = 15_000;

export type FollowState = 'connecting' | 'live' | 'ended' | 'interrupted';

export interface Follower {
  readonly onEvent: (event: Envelope) => void;
  readonly onState: (state: FollowState) => void;
}

/**
 * Tells what comes after `after`; past its retention, of which there is no stream, what the record has of it. Resolves when the timeline
 * has ended or `signal` aborts. @throws ApiError when the API refuses (it is not asked again).
 */
export async function follow(path: string, follower: Follower, signal: AbortSignal, after = 0): Promise<void> {
  let lastId = String(after);
  let waitMs = RECONNECT_FIRST_MS;
  follower.onState('connecting');
  while (!signal.aborted) {
    try {
      const headers = { accept: 'text/event-stream', 'last-event-id': lastId };
      const response = await request(path, { headers, signal });
      // All has been told (section 9.2.2 of the standard: a client stops at 204).
      if (response.status === 204 || response.body === null) return follower.onState('ended');
      follower.onState('live');
      for await (const { id, data } of readStream(response.body, new EventStreamParser())) {
        lastId = id;
        waitMs = RECONNECT_FIRST_MS;
        follower.onEvent(JSON.parse(data) as Envelope);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.code === 'record_archived')
        return readRecorded(path, follower, signal, lastId);
      if (error instanceof ApiError && error.status >= 400 && error.status < 500) throw error;
      follower.onState('interrupted');
    }
    await pause(waitMs, signal);
    waitMs = Math.min(waitMs * 2, RECONNECT_MAX_MS);
  }
}

/** @throws ApiError: the record may have it no more, either. */
async function readRecorded(path: string, follower: Follower, signal: AbortSignal, after: string): Promise<void> {
  let query: Readonly<Record<string, string>> = { after };
  for (;;) {
    const page = await api<List<Envelope>>(pathOf(path, query), { signal });
    for (const event of page.data) follower.onEvent(event);
    if (page.next_cursor === null) return follower.onState('ended');
    query = { cursor: page.next_cursor };
  }
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
