// No operation reads more of a body than it may, whatever was announced: over every operation of the OpenAPI document that reads
// one, and callbacks. What a body of the right size may hold is bad-input.test.ts.
import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import { BODY_BYTES_MAX } from '../../src/domain/limits.ts';
import { CALLBACK_BYTES_MAX } from '../../src/gateway/limits.ts';
import { app } from '../../src/http/app.ts';
import { problemOf } from './client.ts';
import { OPERATIONS, requestFor, type TestOperation } from './operations.ts';

const CHUNK_BYTES = 1_024;
const reading = OPERATIONS.filter(({ readsBody }) => readsBody);
const bytesMax = ({ path }: TestOperation): number =>
  path.startsWith('/providers/') ? CALLBACK_BYTES_MAX : BODY_BYTES_MAX;

/** A body in chunks, and how much of it was asked for. Ends far beyond every limit: were the count lost, the test would fail and not hang. */
function chunks(bytes: number): { readonly body: ReadableStream<Uint8Array>; readonly sent: () => number } {
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (sent >= bytes) return controller.close();
      sent += CHUNK_BYTES;
      controller.enqueue(new Uint8Array(CHUNK_BYTES).fill(0x20));
    },
  });
  return { body, sent: () => sent };
}

it('the document has operations that read a body, and all of them say 413', () => {
  expect(reading.length).toBeGreaterThan(10);
  for (const { name, answers } of reading) expect(answers['413'], name).toEqual(['payload_too_large']);
  // A POST without a body in the document reads none.
  for (const { name, method, readsBody } of OPERATIONS) {
    if (method === 'GET' || method === 'DELETE') expect(readsBody, name).toBe(false);
  }
});

describe.each(reading)('$name', (operation) => {
  it('refuses what is announced as too large, unread', async () => {
    const { body, sent } = chunks(8 * BODY_BYTES_MAX);
    const headers = { 'content-length': String(bytesMax(operation) + 1) };
    await problemOf(await app.fetch(requestFor(operation, { body, headers }), env), 413, 'payload_too_large');
    // A stream is filled once before anybody reads it.
    expect(sent()).toBeLessThanOrEqual(CHUNK_BYTES);
  });

  it.each(['no length', 'a false one', 'one that is no number'])(
    'stops at the limit where %s was announced',
    async (announced) => {
      const { body, sent } = chunks(8 * BODY_BYTES_MAX);
      const length = { 'no length': undefined, 'a false one': '2', 'one that is no number': 'many' }[announced];
      const headers = length === undefined ? {} : { 'content-length': length };
      await problemOf(await app.fetch(requestFor(operation, { body, headers }), env), 413, 'payload_too_large');
      expect(sent()).toBeGreaterThan(bytesMax(operation));
      expect(sent()).toBeLessThan(bytesMax(operation) + 4 * CHUNK_BYTES);
    },
  );

  it('takes as much as it may', async () => {
    const { body } = chunks(bytesMax(operation));
    const response = await app.fetch(requestFor(operation, { body }), env);
    expect(response.status).not.toBe(413);
  });
});

describe.each(OPERATIONS.filter(({ readsBody, method }) => !readsBody && method !== 'GET'))('$name', (operation) => {
  it('reads no body at all', async () => {
    const { body, sent } = chunks(8 * BODY_BYTES_MAX);
    await app.fetch(requestFor({ ...operation, readsBody: true }, { body }), env);
    expect(sent()).toBeLessThanOrEqual(CHUNK_BYTES);
  });
});
