/**
 * A saga's live timeline on the wire: a WebSocket, handed through to the object that has it, or the same as server-sent
 * events (https://html.spec.whatwg.org/multipage/server-sent-events.html), translated here so that the object can sleep
 * under both. Whoever was cut off comes again with `Last-Event-ID`. Called by the timeline routes.
 */
import { streamSSE } from 'hono/streaming';
import type { ApiErrorCode } from '../domain/errors.ts';
import type { Envelope } from '../domain/events/envelope.ts';
import { LIVE_KEEP_ALIVE_MS, LIVE_RECONNECT_MS, LIVE_STREAM_MAX_AGE_MS } from '../domain/limits.ts';
import { LIVE_ENDED_HEADER, liveRequest } from '../domain/live.ts';
import type { SagaRpc } from '../domain/saga-rpc.ts';
import { isStillLetIn } from './api-keys.ts';
import type { AppContext } from './context.ts';
import { callObject, type Reach } from './objects.ts';
import { problem } from './problem.ts';

/** The media type of server-sent events. */
export const EVENT_STREAM = 'text/event-stream';

/** Why an object opens no stream, by the status that it answers; 410: its retention is over. */
const REFUSALS: Readonly<Record<number, ApiErrorCode>> = { 404: 'not_found', 410: 'record_archived' };

/** Answers with a stream of the events after `afterSequence`: the history first, then each as it is committed. HEAD opens none. */
export async function answerLive(
  c: AppContext,
  saga: Reach<SagaRpc>,
  kind: 'websocket' | 'sse',
  afterSequence: number,
): Promise<Response> {
  if (c.req.method === 'HEAD') return answerHead(c, saga);
  const request = () => liveRequest({ scope: c.get('scope'), afterSequence });
  const opened = await callObject(saga, (stub) => stub.fetch(request()));
  const socket = opened.webSocket;
  if (socket === null) return problem(c, REFUSALS[opened.status] ?? 'overloaded');
  if (kind === 'websocket') return new Response(null, { status: 101, webSocket: socket });
  if (opened.headers.has(LIVE_ENDED_HEADER)) {
    socket.accept();
    // A client of server-sent events comes again whenever a stream ends, and stops at this answer (section 9.2.2).
    return c.body(null, 204);
  }
  return serverSentEvents(c, socket);
}

/** That there is a stream (RFC 9110, section 9.3.2). One that was opened would be read by nobody, and take another's place. */
async function answerHead(c: AppContext, saga: Reach<SagaRpc>): Promise<Response> {
  const { kind } = await callObject(saga, (stub) => stub.read(c.get('scope')));
  if (kind === 'not_found') return problem(c, 'not_found');
  if (kind !== 'found') return problem(c, 'record_archived');
  return c.body(null, 200, { 'Content-Type': EVENT_STREAM });
}

function serverSentEvents(c: AppContext, socket: WebSocket): Response {
  return streamSSE(c, async (stream) => {
    const ended = Promise.withResolvers<void>();
    // One write at a time, in order: the reader's pace is the socket's.
    let written: Promise<unknown> = stream.write(`retry: ${LIVE_RECONNECT_MS}\n\n`);
    socket.addEventListener('message', ({ data }) => {
      const text = String(data);
      const { event_type: event, metadata } = JSON.parse(text) as Envelope;
      written = written.then(() => stream.writeSSE({ id: String(metadata.sequence), event, data: text }));
    });
    socket.addEventListener('close', () => ended.resolve());
    socket.addEventListener('error', () => ended.resolve());
    stream.onAbort(() => ended.resolve());
    const keepAlive = setInterval(() => {
      written = written.then(() => stream.write(': still here\n\n'));
      // Where the key cannot be asked about, too: the client comes again, and is judged then.
      isStillLetIn(c).then(
        (isLetIn) => isLetIn || ended.resolve(),
        () => ended.resolve(),
      );
    }, LIVE_KEEP_ALIVE_MS);
    const tooOld = setTimeout(ended.resolve, LIVE_STREAM_MAX_AGE_MS);
    socket.accept();
    await ended.promise;
    clearInterval(keepAlive);
    clearTimeout(tooOld);
    await written;
    socket.close();
  });
}
