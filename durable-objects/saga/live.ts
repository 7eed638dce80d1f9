/**
 * The open streams of one saga: WebSockets that the platform keeps while the object sleeps, each with the sequence up to
 * which it was told (an attachment, in memory, that survives hibernation). A stream is told what comes after that, read
 * from the log: so it misses nothing and repeats nothing, whatever happened in between. The output gate holds what is sent
 * until it is durable. One that has been open for long is told nothing more: its client comes again, and shows its key anew. Knows no
 * saga; called by the host after each commit.
 */
import type { Envelope } from '../../src/domain/events/envelope.ts';
import { LIVE_STREAM_MAX_AGE_MS, LIVE_STREAMS_MAX } from '../../src/domain/limits.ts';
import { LIVE_AGAIN_CODE, LIVE_DONE_CODE, LIVE_ENDED_HEADER } from '../../src/domain/live.ts';

/** What the log holds after a sequence, in order, and whether the saga has ended. */
export interface LiveLog {
  readonly eventsAfter: (sequence: number) => readonly Envelope[];
  readonly isEnded: () => boolean;
}

/** What is attached to a stream. */
export interface LiveAttachment {
  /** The sequence up to which it was told. */
  readonly toldTo: number;
  readonly openedAtMs: number;
}

export class LiveStreams {
  readonly #ctx: DurableObjectState;
  readonly #log: LiveLog;

  constructor(ctx: DurableObjectState, log: LiveLog) {
    this.#ctx = ctx;
    this.#log = log;
  }

  /** A new stream: the history after `afterSequence` first. 503 when there are as many streams as there may be. */
  open(afterSequence: number): Response {
    if (this.#ctx.getWebSockets().length >= LIVE_STREAMS_MAX) return new Response(null, { status: 503 });
    const { 0: client, 1: server } = new WebSocketPair();
    this.#ctx.acceptWebSocket(server);
    // Answered by the platform: a client that keeps its connection alive does not wake the object.
    this.#ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'));
    server.serializeAttachment({ toldTo: afterSequence, openedAtMs: Date.now() } satisfies LiveAttachment);
    const told = this.#tell(server);
    const headers = new Headers();
    if (told === 0 && this.#log.isEnded()) headers.set(LIVE_ENDED_HEADER, 'true');
    return new Response(null, { status: 101, webSocket: client, headers });
  }

  /** Tells every stream what is new, or closes it: one that is too old for that, and all of a saga that has ended. */
  advance(): void {
    for (const socket of this.#ctx.getWebSockets()) this.#tell(socket);
  }

  /** How many events it was told. */
  #tell(socket: WebSocket): number {
    if (socket.readyState !== WebSocket.OPEN) return 0;
    const { toldTo, openedAtMs } = socket.deserializeAttachment() as LiveAttachment;
    const events = this.#log.eventsAfter(toldTo);
    if (events.length > 0 && Date.now() - openedAtMs >= LIVE_STREAM_MAX_AGE_MS) {
      socket.close(LIVE_AGAIN_CODE, 'come again');
      return 0;
    }
    for (const event of events) socket.send(JSON.stringify(event));
    const last = events.at(-1);
    if (last !== undefined) {
      socket.serializeAttachment({ toldTo: last.metadata.sequence, openedAtMs } satisfies LiveAttachment);
    }
    if (this.#log.isEnded()) socket.close(LIVE_DONE_CODE, 'terminal');
    return events.length;
  }
}
