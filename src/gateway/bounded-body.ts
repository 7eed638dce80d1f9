/**
 * Reads a body up to a bound, and never holds more than that of it: for answers of providers, for their callbacks and for
 * requests, whose announced length is only a claim.
 */

/** The whole body, or null as soon as it proves larger than `bytesMax`. What the stream throws is the caller's. */
export async function readBounded(
  body: ReadableStream<Uint8Array> | null,
  bytesMax: number,
): Promise<Uint8Array<ArrayBuffer> | null> {
  if (body === null) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.byteLength;
    if (length > bytesMax) {
      await reader.cancel();
      return null;
    }
    chunks.push(value);
  }
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return bytes;
}

/** The JSON in `bytes`, or undefined where they are not JSON in UTF-8: told from a `null` that was sent. */
export function parseJsonBytes(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes)) as unknown;
  } catch {
    // Not UTF-8, not JSON, or cut in the middle: unreadable either way, which callers treat as no answer.
    return undefined;
  }
}
