/** What a provider may reply, for tables of mappings: a fetcher that says it, and the rows that are the same for all. */
import type { Fetcher } from '../../../src/gateway/exchange.ts';
import type { ProviderAnswer } from '../../../src/gateway/provider.ts';

export type Reply = Response | Error | 'silence';
export type Row = readonly [says: string, reply: () => Reply, expected: ProviderAnswer];

export const http =
  (status: number, body: unknown, headers: Record<string, string> = {}) =>
  (): Response =>
    new Response(typeof body === 'string' ? body : JSON.stringify(body), { status, headers });

export const broken = (message: string) => (): Error => new Error(message);

/** Replies with `reply` to the first call, and with the rest, in turn, to those after it; the last is repeated. */
export function replying(reply: () => Reply, ...rest: (() => Reply)[]): Fetcher {
  const replies = [reply, ...rest];
  return {
    fetch: async () => {
      const said = (replies.length > 1 ? replies.shift() : replies[0])?.();
      if (said === undefined || said === 'silence') return await new Promise<Response>(() => {});
      if (said instanceof Error) throw said;
      return said;
    },
  };
}

/** As Cloudflare's edge answers in the place of a host: a Worker's `fetch` has this for a refused connection, and does not throw. */
export const edge = (status: number, code = status) => ({
  status,
  body: `error code: ${code}`,
  headers: { server: 'cloudflare', 'cf-ray': '9f3c0d6a1b2e4c58-GRU', 'content-type': 'text/plain; charset=UTF-8' },
});
const edgeRow = (says: string, { status, body, headers }: ReturnType<typeof edge>): Row => [
  `the edge's ${status}, ${says}`,
  http(status, body, headers),
  { kind: 'unknown', reason: `http_${status}` },
];

/** A body that holds what must never be passed on. */
export const PAN = '4242424242424242';

/** There is no answer, and it means the same to every operation of every provider. */
export const NO_ANSWER: readonly Row[] = [
  ['no answer in time', () => 'silence', { kind: 'unknown', reason: 'timeout' }],
  ['a connection cut', broken('Network connection lost.'), { kind: 'unknown', reason: 'connection_cut' }],
  ['connection refused', broken('connect ECONNREFUSED'), { kind: 'not_sent', reason: 'not_connected' }],
  ['a host that is not found', broken('getaddrinfo ENOTFOUND'), { kind: 'not_sent', reason: 'not_connected' }],
  ['401', http(401, { error: { type: 'invalid_request_error' } }), { kind: 'misconfigured', reason: 'http_401' }],
  ['403', http(403, ''), { kind: 'misconfigured', reason: 'http_403' }],
  ['429', http(429, '', { 'Retry-After': '7' }), { kind: 'throttled', retryAfterMs: 7_000 }],
  ['500', http(500, { error: { type: 'api_error' } }), { kind: 'unknown', reason: 'http_500' }],
  ['502 of a proxy', http(502, '<html>'), { kind: 'unknown', reason: 'http_502' }],
  ['503', http(503, ''), { kind: 'unknown', reason: 'http_503' }],
  ['504', http(504, ''), { kind: 'unknown', reason: 'http_504' }],
  // Not one of them is a proof, the last five as little as the others: docs/decisions/0090-what-the-edge-answers.md.
  edgeRow('the answer was empty', edge(520)),
  edgeRow('no connection in time, or no ACK of the request', edge(522)),
  edgeRow('no answer in time', edge(524)),
  edgeRow('connection refused', edge(521)),
  edgeRow('no route', edge(523)),
  edgeRow('no TLS handshake', edge(525)),
  edgeRow('no valid certificate', edge(526)),
  edgeRow('no address', edge(530, 1016)),
  ['521 with the edge\u2019s text alone', http(521, 'error code: 521'), { kind: 'unknown', reason: 'http_521' }],
  [
    '521 with a provider\u2019s JSON',
    http(521, { error: { type: 'api_error' } }, edge(521).headers),
    { kind: 'unknown', reason: 'http_521' },
  ],
  ['200 with HTML', http(200, '<html>'), { kind: 'unknown', reason: 'answer_unreadable' }],
  ['200 with nothing', http(200, ''), { kind: 'unknown', reason: 'answer_unreadable' }],
  ['200 with half an object', http(200, '{"id":"pi_1","obj'), { kind: 'unknown', reason: 'answer_unreadable' }],
  ['200 with another object', http(200, { ok: true }), { kind: 'unknown', reason: 'answer_unexpected' }],
  ['302', http(302, '{}', { Location: 'https://elsewhere.invalid/' }), { kind: 'unknown', reason: 'http_302' }],
  ['404 of a proxy', http(404, 'not found'), { kind: 'unknown', reason: 'answer_unreadable' }],
];
