/**
 * Reads a stream of server-sent events as it arrives, until it ends, is cut, or is silent for too long. Used by the client, and by
 * the operations console.
 */
import type { EventStreamParser, ServerSentEvent } from './event-stream.ts';

/** The service says that it is still there every 15 s: three times unheard, and the connection is gone, whatever the network says. */
const SILENCE_MAX_MS = 45_000;

/** By a reader: not every browser goes through a stream with `for await`. @throws what cut it, or that it was silent for too long. */
export async function* readStream(
  body: ReadableStream<Uint8Array>,
  parser: EventStreamParser,
): AsyncGenerator<ServerSentEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const { done, value } = await heard(reader.read());
      if (done) return;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    // Whoever stops listening in the middle frees the connection; one that is cut has nothing to free.
    await reader.cancel().catch(() => undefined);
  }
}

async function heard<Read>(read: Promise<Read>): Promise<Read> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the stream is silent')), SILENCE_MAX_MS);
  });
  try {
    return await Promise.race([read, silence]);
  } finally {
    clearTimeout(timer);
  }
}
