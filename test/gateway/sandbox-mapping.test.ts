/** The outcome mapping of the sandbox adapter, row by row: transport × HTTP status × body → answer. */
import { describe, expect, it } from 'vitest';
import type { Fetcher } from '../../src/gateway/exchange.ts';
import type { ChargeRequest, ProviderAnswer } from '../../src/gateway/provider.ts';
import { SandboxAdapter, type SandboxHost } from '../../src/gateway/providers/sandbox.ts';

const METADATA = { payment_id: 'pay_1', effect_id: 'orchestrator.gateway.authorize.pay_1' };
const REQUEST: ChargeRequest = {
  paymentId: 'pay_1',
  key: 'pay_1.a.acme',
  effectId: METADATA.effect_id,
  chargeKey: 'pay_1.a.acme',
  chargeReference: 'ch_1',
  amountMinor: 1_230,
  currency: 'USD',
};
const charge = (status: string, more: object = {}) =>
  JSON.stringify({ object: 'charge', id: 'ch_1', status, amount: 1_230, currency: 'USD', metadata: METADATA, ...more });
const refund = (status: string) =>
  JSON.stringify({ object: 'refund', id: 're_1', charge: 'ch_1', status, amount: 1_230, metadata: METADATA });
const error = (code: string, more: object = {}) => JSON.stringify({ error: { code, ...more } });

type Reply = Response | Error | 'silence';
type Row = readonly [says: string, reply: () => Reply, expected: ProviderAnswer];
const http =
  (status: number, body: string, headers: Record<string, string> = {}) =>
  () =>
    new Response(body, { status, headers });
const thrown = (message: string, facts: object = {}) => {
  return () => Object.assign(new Error(message), facts);
};

/** The provider's object without its books, which the mapping never asks for. */
function host(fetcher: Fetcher): SandboxHost {
  return { ...fetcher, books: async () => ({ charges: [], refunds: [], more: false }) };
}

function adapter(reply: Reply): SandboxAdapter {
  const fetcher: Fetcher = {
    fetch: async () => {
      if (reply === 'silence') return await new Promise<Response>(() => {});
      if (reply instanceof Error) throw reply;
      return reply;
    },
  };
  return new SandboxAdapter('acme', () => host(fetcher), 50);
}

/** What means the same to every operation: that there is no answer. */
const NO_ANSWER: readonly Row[] = [
  ['no answer in time', () => 'silence', { kind: 'unknown', reason: 'timeout' }],
  ['a connection cut', thrown('Network connection lost.'), { kind: 'unknown', reason: 'connection_cut' }],
  ['a reset object', thrown('reset', { retryable: true }), { kind: 'unknown', reason: 'connection_cut' }],
  ['an overloaded object', thrown('overloaded', { overloaded: true }), { kind: 'not_sent', reason: 'not_connected' }],
  ['connection refused', thrown('connect ECONNREFUSED'), { kind: 'not_sent', reason: 'not_connected' }],
  ['503 not_processed', http(503, error('not_processed')), { kind: 'not_sent', reason: 'provider_unavailable' }],
  ['503 of anyone else', http(503, 'Service Unavailable'), { kind: 'unknown', reason: 'http_503' }],
  ['503 with another code', http(503, error('later')), { kind: 'unknown', reason: 'http_503' }],
  ['500', http(500, error('processing_error')), { kind: 'unknown', reason: 'http_500' }],
  ['500 that says not_processed', http(500, error('not_processed')), { kind: 'unknown', reason: 'http_500' }],
  ['504 without a body', http(504, ''), { kind: 'unknown', reason: 'http_504' }],
  ['429', http(429, error('rate_limited'), { 'Retry-After': '7' }), { kind: 'throttled', retryAfterMs: 7_000 }],
  ['429 with nothing said', http(429, ''), { kind: 'throttled', retryAfterMs: 1_000 }],
  ['429 for a day', http(429, '', { 'Retry-After': '86400' }), { kind: 'throttled', retryAfterMs: 600_000 }],
  ['401', http(401, error('unauthenticated')), { kind: 'misconfigured', reason: 'http_401' }],
  ['403', http(403, ''), { kind: 'misconfigured', reason: 'http_403' }],
  ['200 with HTML', http(200, '<html>'), { kind: 'unknown', reason: 'answer_unreadable' }],
  [
    '200 cut in the middle',
    http(200, charge('authorized').slice(0, 40)),
    { kind: 'unknown', reason: 'answer_unreadable' },
  ],
  [
    '200 too large',
    http(200, charge('authorized', { padding: 'x'.repeat(300_000) })),
    { kind: 'unknown', reason: 'answer_unreadable' },
  ],
  ['200 of another shape', http(200, '{"ok":true}'), { kind: 'unknown', reason: 'http_200' }],
  ['200 with a new status', http(200, charge('in_review')), { kind: 'unknown', reason: 'http_200' }],
  ['409', http(409, error('idempotency_key_reused')), { kind: 'unknown', reason: 'idempotency_key_reused' }],
  ['404 of a proxy', http(404, 'not found'), { kind: 'unknown', reason: 'answer_unreadable' }],
  ['404 of another route', http(404, error('no_such_route')), { kind: 'unknown', reason: 'no_such_route' }],
  ['302', http(302, '{}'), { kind: 'unknown', reason: 'http_302' }],
];

const TABLES: Readonly<Record<'authorize' | 'capture' | 'void' | 'refund' | 'lookup', readonly Row[]>> = {
  authorize: [
    ['authorized', http(200, charge('authorized')), { kind: 'approved', reference: 'ch_1', captured: false }],
    ['captured', http(201, charge('captured')), { kind: 'approved', reference: 'ch_1', captured: true }],
    ['pending', http(200, charge('pending')), { kind: 'pending', reference: 'ch_1' }],
    [
      'declined in a 200',
      http(200, charge('declined', { decline_code: 'lost_card' })),
      { kind: 'declined', declineCode: 'lost_card', reference: 'ch_1' },
    ],
    [
      '402 with a decline code',
      http(402, error('card_declined', { decline_code: 'lost_card', charge: 'ch_1' })),
      { kind: 'declined', declineCode: 'lost_card', reference: 'ch_1' },
    ],
    ['402 without a decline code', http(402, error('card_declined')), { kind: 'unknown', reason: 'card_declined' }],
    ['402 without a body', http(402, ''), { kind: 'unknown', reason: 'answer_unreadable' }],
    ['400', http(400, error('invalid_request')), { kind: 'refused', code: 'invalid_request' }],
    ['voided meanwhile', http(200, charge('voided')), { kind: 'unknown', reason: 'http_200' }],
    ['404 not_found', http(404, error('not_found')), { kind: 'unknown', reason: 'not_found' }],
  ],
  capture: [
    ['captured', http(200, charge('captured')), { kind: 'captured', reference: 'ch_1' }],
    ['still authorized', http(200, charge('authorized')), { kind: 'unknown', reason: 'http_200' }],
    ['422', http(422, error('charge_voided')), { kind: 'refused', code: 'charge_voided' }],
    ['404 not_found', http(404, error('not_found')), { kind: 'absent' }],
  ],
  void: [
    ['voided', http(200, charge('voided')), { kind: 'voided', reference: 'ch_1' }],
    ['still authorized', http(200, charge('authorized')), { kind: 'unknown', reason: 'http_200' }],
    ['422', http(422, error('charge_captured')), { kind: 'refused', code: 'charge_captured' }],
    ['404 not_found', http(404, error('not_found')), { kind: 'absent' }],
  ],
  refund: [
    ['refunded', http(200, refund('refunded')), { kind: 'refunded', reference: 're_1' }],
    ['pending', http(200, refund('pending')), { kind: 'pending', reference: 're_1' }],
    ['failed', http(200, refund('failed')), { kind: 'refused', code: 'refund_failed', reference: 're_1' }],
    ['422', http(422, error('amount_exceeds_charge')), { kind: 'refused', code: 'amount_exceeds_charge' }],
    ['a charge', http(200, charge('captured')), { kind: 'unknown', reason: 'http_200' }],
  ],
  lookup: [
    ['authorized', http(200, charge('authorized')), { kind: 'approved', reference: 'ch_1', captured: false }],
    ['captured', http(200, charge('captured')), { kind: 'approved', reference: 'ch_1', captured: true }],
    ['pending', http(200, charge('pending')), { kind: 'pending', reference: 'ch_1' }],
    ['voided', http(200, charge('voided')), { kind: 'voided', reference: 'ch_1' }],
    ['refunded', http(200, charge('refunded')), { kind: 'refunded', reference: 'ch_1' }],
    [
      'declined',
      http(200, charge('declined')),
      { kind: 'declined', declineCode: 'generic_decline', reference: 'ch_1' },
    ],
    ['a refund', http(200, refund('pending')), { kind: 'pending', reference: 're_1' }],
    ['404 not_found', http(404, error('not_found')), { kind: 'absent' }],
    ['402', http(402, error('card_declined', { decline_code: 'x' })), { kind: 'unknown', reason: 'card_declined' }],
  ],
};

async function ask(operation: keyof typeof TABLES, reply: Reply): Promise<ProviderAnswer> {
  const sandbox = adapter(reply);
  switch (operation) {
    case 'authorize':
      return await sandbox.authorize({ ...REQUEST, method: 'balance', merchant: 'default', serviceId: 'svc-1' });
    case 'capture':
      return await sandbox.capture(REQUEST);
    case 'void':
      return await sandbox.void(REQUEST);
    case 'refund':
      return await sandbox.refund(REQUEST);
    case 'lookup':
      return await sandbox.lookup(REQUEST);
  }
}

for (const operation of Object.keys(TABLES) as (keyof typeof TABLES)[]) {
  describe(`an answer to ${operation}`, () => {
    it.each([...NO_ANSWER, ...TABLES[operation]])('%s is read as the table says', async (_says, reply, expected) => {
      expect(await ask(operation, reply())).toEqual(expected);
    });
  });
}

describe('the adapter', () => {
  it('gives up at its timeout even when the answer trickles in', async () => {
    const body = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode('{"a":')) });
    const startedAtMs = Date.now();
    expect(await ask('authorize', new Response(body))).toEqual({ kind: 'unknown', reason: 'timeout' });
    expect(Date.now() - startedAtMs).toBeLessThan(1_000);
  });

  it('sends the key, the credentials and the amount in minor units', async () => {
    let seen: Request | undefined;
    const fetcher: Fetcher = {
      fetch: async (request) => {
        seen = request.clone() as Request;
        return http(200, charge('authorized'))();
      },
    };
    const sandbox = new SandboxAdapter('borealis', () => host(fetcher));
    await sandbox.authorize({ ...REQUEST, method: 'credit_card', merchant: 'default', serviceId: 's', token: 'pm_x' });
    expect(seen?.headers.get('Idempotency-Key')).toBe('pay_1.a.acme');
    expect(seen?.headers.get('authorization')).toBe('Bearer sk_sandbox_borealis');
    const sent = await seen?.json();
    expect(sent).toEqual({ amount: 1_230, currency: 'USD', method: 'credit_card', token: 'pm_x', metadata: METADATA });
  });
});
