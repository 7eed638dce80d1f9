/**
 * One attempt at one receiver over real HTTP: what is the receiver's answer, and what Cloudflare's edge said in its place, as it does to a
 * deployed Worker for a host that it could not talk to (docs/decisions/0090-what-the-edge-answers.md).
 */
import { describe, expect, test } from 'vitest';
import type { Exchange } from '../../src/domain/webhook-delivery.ts';
import { postWebhook } from '../../src/notify/webhook-request.ts';
import { edge } from '../gateway/support/replies.ts';
import { Receiver, type Reply } from '../support/receiver.ts';

const TIMEOUT_MS = 500;

async function attempted(reply: Reply): Promise<Exchange> {
  const receiver = await new Receiver().answer(reply);
  const secrets = [`whsec_${btoa('a secret of twenty-four.')}`];
  const request = {
    url: receiver.url,
    mode: 'sandbox',
    id: 'whd_1',
    body: '{}',
    secrets,
    timeoutMs: TIMEOUT_MS,
  } as const;
  return await postWebhook(request, Date.now());
}

describe('an attempt that the edge answers', () => {
  test.each([
    ['520, an answer that it could not read', edge(520)],
    ['521, a connection refused', edge(521)],
    ['523, a host without a route', edge(523)],
    ['525, a handshake that failed', edge(525)],
    ['526, a certificate that is not valid', edge(526)],
    ['530 and 1016, a name without an address', edge(530, 1016)],
    ['530 and 1033, a tunnel that is closed', edge(530, 1033)],
    ['521, with a line feed after it', { ...edge(521), body: 'error code: 521\n' }],
  ])('with %s: no connection was had', async (_says, reply) => {
    expect(await attempted(reply)).toEqual({ kind: 'connection_failed' });
  });

  test.each([
    ['522, no connection in time', edge(522)],
    ['524, no answer in time', edge(524)],
  ])('with %s: it has timed out', async (_says, reply) => {
    expect(await attempted(reply)).toEqual({ kind: 'timeout' });
  });
});

describe('an answer of the receiver stays its own', () => {
  const { server, 'cf-ray': ray } = edge(521).headers;

  test.each([
    ['521 without a cf-ray', 521, { ...edge(521), headers: { server } }],
    ['521 of another server', 521, { ...edge(521), headers: { server: 'nginx', 'cf-ray': ray } }],
    ['521 with JSON, through an edge', 521, { ...edge(521), body: '{"error":"error code: 521"}' }],
    ['521 with a page, through an edge', 521, { ...edge(521), body: '<html>error code: 521</html>' }],
    ['521 with another code, through an edge', 521, edge(521, 522)],
    ['530 with its own status for a code', 530, edge(530)],
    ['500 with that text, through an edge', 500, edge(500)],
    ['502 of the edge: the receiver can have sent that too', 502, edge(502)],
    ['200 with that text, through an edge', 200, edge(200)],
    ['521 with nothing, through an edge', 521, { ...edge(521), body: '' }],
    ['521 with a body without end, through an edge', 521, { ...edge(521), does: 'flood' }],
    ['521 with a body that is not ended, through an edge', 521, { ...edge(521), does: 'stall' }],
  ] satisfies [string, number, Reply][])('%s', async (_says, httpStatus, reply) => {
    const startedAtMs = Date.now();
    expect(await attempted(reply)).toEqual({ kind: 'answered', httpStatus, retryAfter: null });
    expect(Date.now() - startedAtMs).toBeLessThan(TIMEOUT_MS + 2_000);
  });

  test('and so does the time that it asks for', async () => {
    const headers = { ...edge(521).headers, 'retry-after': '7' };
    const answer = { kind: 'answered', httpStatus: 521, retryAfter: '7' };
    expect(await attempted({ ...edge(521), body: 'later', headers })).toEqual(answer);
  });
});
