/** Mercado Pago's notifications: what is refused, what is dropped, and what a saga is told once the payment was asked for. */
import { bytesToHex } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import { CALLBACK_WINDOW_MS } from '../../src/gateway/limits.ts';
import type { CallbackResult } from '../../src/gateway/provider.ts';
import { MercadoPagoAdapter } from '../../src/gateway/providers/mercado-pago.ts';
import { NOW_MS, newPaymentId } from './commands.ts';
import { http, type Reply, replying } from './support/replies.ts';

const SECRET = 'mp-secret';
const encode = (text: string) => new Uint8Array(new TextEncoder().encode(text));
const paymentId = newPaymentId();
const effectId = `orchestrator.gateway.authorize.${paymentId}.3`;
const METADATA = { effect_id: effectId, capture: 'later' };
const payment = (status: string, more: object = {}) => ({
  id: 77,
  status,
  transaction_amount: 12.3,
  currency_id: 'BRL',
  external_reference: paymentId,
  date_last_updated: '2026-11-24T12:00:00.000Z',
  metadata: METADATA,
  ...more,
});

async function hmac(manifest: string, secret = SECRET): Promise<string> {
  const key = await crypto.subtle.importKey('raw', encode(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return bytesToHex(new Uint8Array(await crypto.subtle.sign('HMAC', key, encode(manifest))));
}

interface Sending {
  readonly manifest?: string;
  readonly secret?: string;
  readonly ts?: string;
  readonly query?: string;
  readonly requestId?: string | null;
  readonly header?: string;
  readonly reply?: () => Reply;
}

async function receive(sending: Sending = {}): Promise<CallbackResult> {
  const { ts = String(NOW_MS), query = 'data.id=77&type=payment', requestId = 'req-1' } = sending;
  const manifest = sending.manifest ?? `id:77;request-id:req-1;ts:${ts};`;
  const header = sending.header ?? `ts=${ts},v1=${await hmac(manifest, sending.secret)}`;
  const fetcher = replying(sending.reply ?? http(200, payment('authorized')));
  const provider = new MercadoPagoAdapter({ accessToken: 'a', webhookSecret: SECRET, currency: 'BRL', fetcher });
  const headers = new Headers({ 'x-signature': header, ...(requestId !== null && { 'x-request-id': requestId }) });
  // Not signed, and so not read: it says something else than the address.
  const body = encode('{"action":"payment.updated","type":"payment","data":{"id":"666"}}');
  const url = new URL(`https://holdfast.test/providers/mercado-pago/callbacks?${query}`);
  return await provider.parseCallback({ headers, body, url }, NOW_MS);
}

describe('a notification that is refused', () => {
  it.each([
    ['no signature', { header: '' }, 'signature_missing'],
    ['no time', { header: `v1=${'0'.repeat(64)}` }, 'signature_missing'],
    ['a signature that is not hexadecimal', { header: `ts=${NOW_MS},v1=${'x'.repeat(64)}` }, 'signature_missing'],
    ['a signature of another secret', { secret: 'x' }, 'signature_mismatch'],
    ['a signature for another payment', { query: 'data.id=78&type=payment' }, 'signature_mismatch'],
    ['a signature for another request', { requestId: 'req-2' }, 'signature_mismatch'],
    ['a signature and no request id', { requestId: null }, 'signature_mismatch'],
    [
      'a manifest without its last semicolon',
      { manifest: `id:77;request-id:req-1;ts:${NOW_MS}` },
      'signature_mismatch',
    ],
    ['a time too far back', { ts: String(NOW_MS - CALLBACK_WINDOW_MS - 1) }, 'timestamp_out_of_window'],
    ['a time too far ahead', { ts: String(NOW_MS + CALLBACK_WINDOW_MS + 1) }, 'timestamp_out_of_window'],
  ] as const)('has %s', async (_what, sending, reason) => {
    expect(await receive(sending)).toEqual({ kind: 'rejected', reason });
  });

  it.each([
    ['fails', http(500, '')],
    ['hangs up', () => new Error('Network connection lost.')],
    ['answers with something else', http(200, { id: 77 })],
  ] as const)('comes while Mercado Pago %s: it is sent again, and nothing is lost', async (_what, reply) => {
    expect(await receive({ reply })).toEqual({ kind: 'rejected', reason: 'malformed' });
  });
});

describe('a genuine notification', () => {
  it('is signed over what is there: seconds or milliseconds, no request id, an id in lower case', async () => {
    const seconds = String(NOW_MS / 1_000);
    expect(await receive({ ts: seconds })).toMatchObject({ kind: 'event' });
    const manifest = `id:77;ts:${NOW_MS};`;
    expect(await receive({ requestId: null, manifest })).toMatchObject({ kind: 'event' });
    const order = { query: 'data.id=ORD01&type=order', manifest: `id:ord01;request-id:req-1;ts:${NOW_MS};` };
    expect(await receive(order)).toEqual({ kind: 'ignored', reason: 'not_a_payment' });
  });

  it('says only whom to ask: the saga is told how that payment stands, under the effect that it carries', async () => {
    expect(await receive()).toEqual({
      kind: 'event',
      event: {
        id: '77.authorized.2026-11-24T12:00:00.000Z',
        occurredAtMs: NOW_MS,
        paymentId,
        operation: 'authorize',
        effectId,
        answer: { kind: 'approved', reference: '77', captured: false },
      },
    });
  });

  it.each([
    ['rejected', {}, { operation: 'authorize', answer: { kind: 'declined', declineCode: 'generic_decline' } }],
    ['in_process', {}, { operation: 'authorize', answer: { kind: 'pending' } }],
    [
      'approved',
      { metadata: { effect_id: effectId, capture: 'at_once' } },
      { operation: 'authorize', effectId, answer: { kind: 'approved', captured: true } },
    ],
  ] as const)('of a payment that is %s (%j) says so', async (status, more, told) => {
    expect(await receive({ reply: http(200, payment(status, more)) })).toMatchObject({ kind: 'event', event: told });
  });

  it.each([
    ['in another currency than the account is set to', { currency_id: 'CLP' }],
    ['in another currency than was asked for', { metadata: { ...METADATA, amount_minor: 1_230, currency: 'ARS' } }],
    ['of another amount than was asked for', { metadata: { ...METADATA, amount_minor: 1_231, currency: 'BRL' } }],
    ['whose amount that was asked for cannot be read', { metadata: { ...METADATA, amount_minor: '12.30' } }],
  ])('of a payment %s is unknown, as an answer would be', async (_what, more) => {
    for (const status of ['authorized', 'approved', 'rejected']) {
      expect(await receive({ reply: http(200, payment(status, more)) })).toMatchObject({
        kind: 'event',
        event: { operation: 'authorize', effectId, answer: { kind: 'unknown', reason: 'answer_mismatch' } },
      });
    }
  });

  it('of a payment that is what was asked for says how it stands, whatever the account is set to by now', async () => {
    const more = { currency_id: 'ARS', metadata: { ...METADATA, amount_minor: 1_230, currency: 'ARS' } };
    expect(await receive({ reply: http(200, payment('authorized', more)) })).toMatchObject({
      kind: 'event',
      event: { answer: { kind: 'approved', captured: false } },
    });
  });

  it.each([
    ['a payment that was cancelled', http(200, payment('cancelled')), 'payment_cancelled'],
    ['a payment that was refunded', http(200, payment('refunded')), 'payment_refunded'],
    ['a payment that was captured by a later call', http(200, payment('approved')), 'captured'],
    ['a payment of the account\u2019s that is not ours', http(200, payment('approved', { metadata: {} })), 'not_ours'],
    ['a payment without a reference', http(200, payment('approved', { external_reference: null })), 'not_ours'],
    ['a payment that does not exist', http(404, { cause: [{ code: 2000 }] }), 'payment_unknown'],
  ] as const)('of %s is dropped', async (_what, reply, reason) => {
    expect(await receive({ reply })).toEqual({ kind: 'ignored', reason });
  });
});
