/**
 * One request over HTTP/1.1 and its answer, with everything that `fetch` would refuse or repair left as it is: repeated headers, bytes that
 * are no text, bodies under GET. Reads with a bound: a stream that never ends is looked at and left. Called by run.ts.
 */
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';

/** Above every `Prefer: wait`, and what a busy machine adds to it. */
const ANSWER_TIMEOUT_MS = 60_000;
/** How long an endless answer is read for: enough for what it says at once. */
const STREAM_READ_MS = 150;
const BODY_BYTES_MAX = 16 * 1024 * 1024;

export interface HttpRequest {
  readonly method: string;
  /** Path and query, percent-encoded as it is sent. */
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array | null;
  /** Sent without its length. */
  readonly chunked?: boolean;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
  /** False for a stream that was left. */
  readonly isWhole: boolean;
}

export function newAgent(sockets: number): Agent {
  return new Agent({ keepAlive: true, maxSockets: sockets });
}

/**
 * Sends it. Once more when a kept connection turns out to be closed before anything was answered: that says nothing about
 * the service (https://nodejs.org/api/http.html#requestreusedsocket).
 * @throws when there is no answer in time, or the connection breaks.
 */
export async function exchange(origin: string, agent: Agent, request: HttpRequest): Promise<HttpAnswer> {
  try {
    return await attempt(origin, agent, request);
  } catch (error) {
    if (!(error instanceof ClosedWhileIdle)) throw error;
    return await attempt(origin, agent, request);
  }
}

class ClosedWhileIdle extends Error {}

function attempt(origin: string, agent: Agent, request: HttpRequest): Promise<HttpAnswer> {
  const url = new URL(origin);
  return new Promise((resolve, reject) => {
    const flat = request.headers.flat();
    if (request.body !== null && request.chunked !== true) flat.push('Content-Length', String(request.body.byteLength));
    if (request.body !== null && request.chunked === true) flat.push('Transfer-Encoding', 'chunked');
    const outgoing = httpRequest({
      host: url.hostname,
      port: url.port,
      method: request.method,
      path: request.target,
      headers: ['Host', url.host, ...flat],
      agent,
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    outgoing.on('response', (incoming) => readAnswer(incoming).then(resolve, reject));
    outgoing.on('upgrade', (incoming, socket) => {
      socket.destroy();
      resolve({
        status: incoming.statusCode ?? 0,
        headers: headersOf(incoming),
        body: Buffer.alloc(0),
        isWhole: false,
      });
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      const isIdleClose = outgoing.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
      reject(isIdleClose ? new ClosedWhileIdle(error.message) : error);
    });
    outgoing.end(request.body ?? undefined);
  });
}

function readAnswer(incoming: IncomingMessage): Promise<HttpAnswer> {
  const chunks: Buffer[] = [];
  let size = 0;
  const answer = (isWhole: boolean): HttpAnswer => ({
    status: incoming.statusCode ?? 0,
    headers: headersOf(incoming),
    body: Buffer.concat(chunks),
    isWhole,
  });
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      resolve(answer(false));
      incoming.destroy();
    };
    const isStream = incoming.headers['content-type']?.startsWith('text/event-stream') === true;
    const timer = isStream ? setTimeout(leave, STREAM_READ_MS) : undefined;
    incoming.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.byteLength;
      if (size > BODY_BYTES_MAX) leave();
    });
    incoming.on('end', () => {
      clearTimeout(timer);
      resolve(answer(true));
    });
    incoming.on('error', reject);
  });
}

function headersOf(incoming: IncomingMessage): Map<string, string> {
  return new Map(
    Object.entries(incoming.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : (value ?? ''),
    ]),
  );
}

/** A shell command that sends the same bytes. */
export function curlCommand(origin: string, { method, target, headers, body }: HttpRequest): string {
  const isText = body === null || /^[\x20-\x7e]{0,2000}$/.test(Buffer.from(body).toString('latin1'));
  const options = [
    ...(method === 'HEAD' ? ['--head'] : ['-X', method]),
    '--path-as-is',
    '-i',
    quoted(origin + target),
    ...headers.flatMap(([name, value]) => ['-H', quoted(value === '' ? `${name};` : `${name}: ${value}`)]),
    ...(body === null ? [] : ['--data-binary', isText ? quoted(Buffer.from(body).toString('latin1')) : '@-']),
  ];
  const command = `curl ${options.join(' ')}`;
  return isText ? command : `echo ${Buffer.from(body ?? []).toString('base64')} | base64 -d | ${command}`;
}

function quoted(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text)) return `'${text.replaceAll("'", "'\\''")}'`;
  const escaped = text.replace(
    /[^\x20-\x26\x28-\x5b\x5d-\x7e]/g,
    (char) => `\\x${(char.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`,
  );
  return `$'${escaped}'`;
}
