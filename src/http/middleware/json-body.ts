/**
 * Reads a request body and refuses what no schema should have to meet. Runs before the idempotency key is looked at and
 * before anything is stored, so a refused body leaves its key free. The routes' schemas read the body that it leaves.
 */
import { createMiddleware } from 'hono/factory';
import { BODY_BYTES_MAX, BODY_DEPTH_MAX } from '../../domain/limits.ts';
import { readBounded } from '../../gateway/bounded-body.ts';
import { isTooDeep, placeOfMistake, scanBody } from '../body-scan.ts';
import type { AppEnv } from '../context.ts';
import { problem } from '../problem.ts';

/** JSON, or what is built on it (RFC 6838, sections 4.2 and 4.2.8). */
const JSON_TYPE = /^application\/(?:[\w!#$&^.+-]+\+)?json$/i;
/** RFC 8259: JSON is UTF-8; a charset parameter may say so. */
const UTF_8 = /^charset=(?:utf-8|"utf-8")$/i;

/**
 * Checks, in order: Content-Length → bytes that arrive, counted → content type and encoding → UTF-8 → JSON → depth →
 * names, numbers, text and card numbers (body-scan.ts).
 */
export const jsonBody = createMiddleware<AppEnv>(async (c, next) => {
  if (Number(c.req.header('content-length') ?? 0) > BODY_BYTES_MAX) return tooLarge();
  const bytes = await readBounded(c.req.raw.body, BODY_BYTES_MAX);
  if (bytes === null) return tooLarge();

  const encoding = c.req.header('content-encoding') ?? 'identity';
  if (!isJsonType(c.req.header('content-type') ?? '') || encoding !== 'identity') {
    return problem(c, 'unsupported_media_type', { detail: 'Send application/json in UTF-8, without an encoding.' });
  }
  const text = decodeUtf8(bytes);
  if (text === null) return problem(c, 'invalid_json', { detail: 'The body is not valid UTF-8.' });
  if (!isJson(text)) return problem(c, 'invalid_json', { detail: mistakeIn(text) });
  if (isTooDeep(text)) return problem(c, 'invalid_json', { detail: `Nested deeper than ${BODY_DEPTH_MAX} levels.` });
  const finding = scanBody(text);
  if (finding !== null) {
    const { code, pointer, message } = finding;
    return problem(c, code, { detail: message, errors: [{ in: 'body', pointer, message }] });
  }
  // The stream is spent: the schema's validator reads this one. It knows fewer names of JSON.
  const headers = new Headers(c.req.raw.headers);
  headers.set('Content-Type', 'application/json');
  c.req.raw = new Request(c.req.url, { method: c.req.method, headers, body: text });
  return next();

  function tooLarge(): Response {
    return problem(c, 'payload_too_large', { detail: `A body has at most ${BODY_BYTES_MAX} bytes.` });
  }
});

/** White space stands around a semicolon, and a parameter may be empty (RFC 9110, section 5.6.6). */
function isJsonType(contentType: string): boolean {
  const [type = '', ...parameters] = contentType.split(';').map((part) => part.trim());
  return JSON_TYPE.test(type) && parameters.every((parameter) => parameter === '' || UTF_8.test(parameter));
}

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    // The only thing a fatal decoder throws for.
    return null;
  }
}

function mistakeIn(text: string): string {
  if (text.trim() === '') return 'The body is empty.';
  const place = placeOfMistake(text);
  return place === null ? 'The body is not valid JSON.' : `The body is not valid JSON, near ${place}.`;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    // The parser's message repeats parts of the body: it is not shown.
    return false;
  }
}
