/** Following a timeline: what is heard, and what is said of the connection, whatever becomes of the stream. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type FollowState, follow } from '../../console/src/api/follow.ts';
import type { Envelope } from '../../src/domain/events/envelope.ts';

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('sessionStorage', { getItem: () => null });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const frame = (sequence: number): string => `id: ${sequence}\ndata: ${JSON.stringify({ metadata: { sequence } })}\n\n`;

/** A stream that says this and then nothing more; `ends`: it is closed after it. */
function stream(text: string, ends: boolean): Response {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(text));
      if (ends) controller.close();
    },
  });
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
}

/** Follows what is answered by these in turn, then by 204; answers what was told, once it has ended. */
async function followed(...answers: Response[]) {
  const asked: (string | null)[] = [];
  const paths: string[] = [];
  vi.stubGlobal('fetch', async (path: string, init: RequestInit) => {
    paths.push(path);
    asked.push(new Headers(init.headers).get('last-event-id'));
    return answers.shift() ?? new Response(null, { status: 204 });
  });
  const heard: number[] = [];
  const states: FollowState[] = [];
  const follower = {
    onEvent: ({ metadata }: Envelope) => void heard.push(metadata.sequence),
    onState: (state: FollowState) => void states.push(state),
  };
  const following = follow('/payments/pay_1/events', follower, new AbortController().signal);
  // It may be refused before a test looks.
  following.catch(() => undefined);
  await vi.advanceTimersByTimeAsync(60_000);
  return { following, asked, paths, heard, states };
}

test('a stream that is closed is resumed after the last event that was had', async () => {
  const { following, asked, heard, states } = await followed(stream(frame(1) + frame(2), true));
  await following;
  expect({ asked, heard, states }).toEqual({
    asked: ['0', '2'],
    heard: [1, 2],
    states: ['connecting', 'live', 'ended'],
  });
});

test('a stream that is silent for longer than the service ever is, is a connection that is gone: it is not said to be live', async () => {
  const { following, asked, heard, states } = await followed(stream(frame(1), false));
  expect(states).toEqual(['connecting', 'live', 'interrupted', 'ended']);
  await following;
  expect({ asked, heard }).toEqual({ asked: ['0', '1'], heard: [1] });
});

test('a browser whose streams know no `for await` is told all the same', async () => {
  const answer = stream(frame(1), true);
  Object.defineProperty(answer.body, Symbol.asyncIterator, { value: undefined });
  const { following, heard, states } = await followed(answer);
  await following;
  expect({ heard, states }).toEqual({ heard: [1], states: ['connecting', 'live', 'ended'] });
});

test('of a timeline past its retention there is no stream: what the record has is read, page by page', async () => {
  const archived = Response.json({ code: 'record_archived', detail: 'Archived.' }, { status: 410 });
  const page = (sequence: number, next: string | null) =>
    Response.json({ object: 'list', data: [{ metadata: { sequence } }], next_cursor: next });
  const { following, paths, heard, states } = await followed(archived, page(1, 'c1'), page(2, null));
  await following;
  expect({ heard, states }).toEqual({ heard: [1, 2], states: ['connecting', 'ended'] });
  expect(paths).toEqual(['', '?after=0', '?cursor=c1'].map((query) => `/payments/pay_1/events${query}`));
});

test('what the record has no more is refused, and not asked for again', async () => {
  const archived = () => Response.json({ code: 'record_archived', detail: 'Archived.' }, { status: 410 });
  const { following, paths, heard } = await followed(archived(), archived());
  await expect(following).rejects.toMatchObject({ code: 'record_archived' });
  expect({ asked: paths.length, heard }).toEqual({ asked: 2, heard: [] });
});
