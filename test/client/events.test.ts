// A timeline followed for long, by a clock that the test moves: what counts as a failure, what is waited, what is cut.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Holdfast, HoldfastError, type HoldfastOptions } from '../../client/src/index.ts';
import { LIVE_KEEP_ALIVE_MS, LIVE_STREAM_MAX_AGE_MS } from '../../src/domain/limits.ts';

const MINUTE_MS = 60_000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

type Answer = Response | ((request: Request) => Promise<Response>);

/** A client that is given these answers, in order, and then 204; when it asked, after which event, is recorded. */
function listener(answers: Answer[], options: Partial<HoldfastOptions> = {}) {
  const asked: { readonly atMs: number; readonly lastId: string | null }[] = [];
  const startedMs = Date.now();
  const holdfast = new Holdfast({
    baseUrl: 'https://holdfast.test',
    fetch: async (request) => {
      asked.push({ atMs: Date.now() - startedMs, lastId: request.headers.get('last-event-id') });
      const answer = answers.shift() ?? new Response(null, { status: 204 });
      return answer instanceof Response ? answer : await answer(request);
    },
    ...options,
  });
  const sequences: number[] = [];
  const followed = (async () => {
    for await (const { metadata } of holdfast.payments.events('pay_1')) sequences.push(metadata.sequence);
    return null;
  })().catch((error: unknown) => error);
  return { asked, sequences, followed };
}

async function failureOf(followed: Promise<unknown>): Promise<HoldfastError> {
  await vi.runAllTimersAsync();
  const thrown = await followed;
  if (!(thrown instanceof HoldfastError)) throw new Error(`not a HoldfastError: ${String(thrown)}`);
  return thrown;
}

const event = (sequence: number) => `id: ${sequence}\ndata: {"metadata":{"sequence":${sequence}}}\n\n`;

/** A stream that says each text at its time, and then stays open, or is closed at `closeMs`. */
function stream(
  texts: readonly (readonly [atMs: number, text: string])[],
  closeMs?: number,
  onCut = () => {},
): Response {
  const timers: ReturnType<typeof setTimeout>[] = [];
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const [atMs, text] of texts) {
        timers.push(setTimeout(() => controller.enqueue(new TextEncoder().encode(text)), atMs));
      }
      if (closeMs !== undefined) timers.push(setTimeout(() => controller.close(), closeMs));
    },
    cancel() {
      for (const timer of timers) clearTimeout(timer);
      onCut();
    },
  });
  return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } });
}

/** A quarter of an hour in which nothing happens, as the service keeps it. */
function quiet(): Response {
  const alive = Array.from({ length: LIVE_STREAM_MAX_AGE_MS / LIVE_KEEP_ALIVE_MS - 1 }, (_, n) => n + 1);
  const texts = alive.map((n) => [n * LIVE_KEEP_ALIVE_MS, ': still here\n\n'] as const);
  return stream([[0, 'retry: 1500\n\n'], ...texts], LIVE_STREAM_MAX_AGE_MS);
}

function problem(status: number, code: string, retryable: boolean, headers: Record<string, string> = {}): Response {
  return Response.json({ code, status, detail: code, retryable, request_id: 'r-1' }, { status, headers });
}

describe('a stream', () => {
  test('on which nothing happened is no failure: it is opened again after the time that the service says, for hours', async () => {
    const { asked, sequences, followed } = listener([
      ...Array.from({ length: 8 }, () => () => Promise.resolve(quiet())),
      () => Promise.resolve(stream([[0, event(1)]], 1)),
    ]);
    await vi.advanceTimersByTimeAsync(3 * 60 * MINUTE_MS);
    expect(await followed).toBe(null);
    expect(sequences).toEqual([1]);
    expect(asked.slice(0, 9).map(({ atMs }) => atMs)).toEqual(
      Array.from({ length: 9 }, (_, n) => n * (LIVE_STREAM_MAX_AGE_MS + 1_500)),
    );
    // After an event it is asked at once whether that was the last.
    expect((asked[9]?.atMs ?? 0) - (asked[8]?.atMs ?? 0)).toBeLessThan(10);
  });

  test('that does not say how long is not opened again at once either', async () => {
    const { asked, followed } = listener([() => Promise.resolve(stream([], 1))]);
    await vi.runAllTimersAsync();
    expect(await followed).toBe(null);
    expect((asked[1]?.atMs ?? 0) - (asked[0]?.atMs ?? 0)).toBeGreaterThanOrEqual(1_000);
  });

  test('that is silent for more than three keep-alives is cut and taken up after its last event, sooner it is not', async () => {
    const cutAtMs: number[] = [];
    const startedMs = Date.now();
    const silent = () =>
      stream(
        [
          [0, event(7)],
          [44_000, event(8)],
        ],
        undefined,
        () => cutAtMs.push(Date.now() - startedMs),
      );
    const { asked, sequences, followed } = listener([
      () => Promise.resolve(silent()),
      () => Promise.resolve(stream([[0, event(9)]], 1)),
    ]);
    await vi.advanceTimersByTimeAsync(5 * MINUTE_MS);
    expect(await followed).toBe(null);
    expect(cutAtMs).toEqual([44_000 + 45_000]);
    expect(sequences).toEqual([7, 8, 9]);
    expect(asked[1]?.lastId).toBe('8');
  });

  test('that is cut again and again with nothing new is given up', async () => {
    const cut = () =>
      Promise.resolve(
        new Response(new ReadableStream({ start: (controller) => controller.error(new TypeError('reset')) }), {
          headers: { 'Content-Type': 'text/event-stream; charset=utf-8' },
        }),
      );
    const { asked, followed } = listener(Array.from({ length: 9 }, () => cut));
    expect((await failureOf(followed)).failure).toMatchObject({ kind: 'no_answer', reason: 'network', attempts: 5 });
    expect(asked).toHaveLength(5);
  });
});

describe('an opening', () => {
  test('that is refused for the moment waits for Retry-After, and is the problem when there is no more patience', async () => {
    const busy = (seconds: number) => () =>
      Promise.resolve(problem(503, 'overloaded', true, { 'Retry-After': String(seconds) }));
    const waited = listener([busy(3), () => Promise.resolve(stream([[0, event(1)]], 1))]);
    await vi.runAllTimersAsync();
    expect(await waited.followed).toBe(null);
    expect(waited.asked[1]?.atMs).toBeGreaterThanOrEqual(3_000);

    const refused = listener(Array.from({ length: 9 }, () => busy(1)));
    expect(await failureOf(refused.followed)).toMatchObject({
      code: 'overloaded',
      retryable: true,
      failure: { attempts: 5, retryAfterMs: 1_000 },
    });
    const impatient = await failureOf(listener([busy(3_600)]).followed);
    expect(impatient.failure).toMatchObject({ kind: 'problem', attempts: 1, retryAfterMs: 3_600_000 });
  });

  test.each([
    [
      'for good',
      () => problem(404, 'not_found', false),
      { kind: 'problem', problem: { code: 'not_found' }, attempts: 1 },
    ],
    [
      'by another server',
      () => new Response('<h1>Not here</h1>', { status: 404 }),
      { reason: 'not_ours', attempts: 1 },
    ],
    [
      'by a page that stands before every network',
      () => new Response('<html>Sign in</html>', { headers: { 'Content-Type': 'text/html' } }),
      { reason: 'not_ours', status: 200, attempts: 5 },
    ],
    ['by who knows no streams', () => Response.json({ data: [] }), { reason: 'not_ours', status: 200, attempts: 5 }],
    ['in between', () => new Response('<h1>Bad gateway</h1>', { status: 502 }), { reason: 'bad_gateway', attempts: 5 }],
  ])('that is refused %s fails as every other call does', async (_case, answer, failure) => {
    const { followed } = listener(Array.from({ length: 9 }, () => () => Promise.resolve(answer())));
    expect((await failureOf(followed)).failure).toMatchObject(failure);
  });

  test('has as long as every other attempt; what it opens has no limit', async () => {
    const never = (request: Request) =>
      new Promise<Response>((_, reject) => {
        request.signal.addEventListener('abort', () => reject(request.signal.reason));
      });
    const options = { attemptTimeoutMs: 2_000, retry: { attemptsMax: 2 } };
    const { asked, followed } = listener([never, never], options);
    expect((await failureOf(followed)).failure).toMatchObject({ kind: 'no_answer', reason: 'timeout', attempts: 2 });
    expect(asked[1]?.atMs).toBeGreaterThanOrEqual(2_000);

    const long = listener(
      [
        () =>
          Promise.resolve(
            stream(
              [
                [0, event(1)],
                [30_000, event(2)],
              ],
              30_001,
            ),
          ),
      ],
      options,
    );
    await vi.advanceTimersByTimeAsync(MINUTE_MS);
    expect(await long.followed).toBe(null);
    expect(long.sequences).toEqual([1, 2]);
  });
});

test('nobody is asked any more once the signal has ended it, by whatever fetch', async () => {
  const controller = new AbortController();
  let asked = 0;
  const holdfast = new Holdfast({
    baseUrl: 'https://holdfast.test',
    // It knows nothing of signals.
    fetch: async () => {
      asked += 1;
      if (asked === 3) controller.abort();
      if (asked > 50) throw new Error('asked without end');
      return stream([], 0);
    },
  });
  const followed = (async () => {
    for await (const _event of holdfast.payments.events('pay_1', { signal: controller.signal }));
  })().catch((error: unknown) => error);
  expect((await failureOf(followed)).failure.kind).toBe('aborted');
  expect(asked).toBe(3);
});

test('an end is COMPLETED or FAILED, and nothing else that a server between may say', async () => {
  const answers = [{}, { status: 'ok' }, { status: 'PENDING' }, { status: 'FAILED' }];
  const holdfast = new Holdfast({
    baseUrl: 'https://holdfast.test',
    fetch: async ({ url }) =>
      url.endsWith('/events') ? new Response(null, { status: 204 }) : Response.json(answers.shift()),
  });
  const ended = holdfast.payments.ended('pay_1', { timeoutMs: 10 * MINUTE_MS });
  await vi.advanceTimersByTimeAsync(MINUTE_MS);
  expect(await ended).toEqual({ status: 'FAILED' });
});

test('an end is waited for by reading, where the timeline has no place left', async () => {
  let reads = 0;
  const holdfast = new Holdfast({
    baseUrl: 'https://holdfast.test',
    fetch: async ({ url }) => {
      if (url.endsWith('/events')) return problem(503, 'overloaded', true);
      reads += 1;
      return Response.json({ id: 'pay_1', status: reads > 2 ? 'COMPLETED' : 'PENDING' });
    },
  });
  const ended = holdfast.payments.ended('pay_1', { timeoutMs: 10 * MINUTE_MS });
  await vi.advanceTimersByTimeAsync(5 * MINUTE_MS);
  expect(await ended).toMatchObject({ status: 'COMPLETED' });
});
