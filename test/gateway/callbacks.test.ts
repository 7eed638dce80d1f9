/** Intake of callbacks: what is refused, what is dropped, and what a saga would be told. */
import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config.ts';
import { publicIdFromHex } from '../../src/domain/ids.ts';
import { type CallbackIntake, readCallback } from '../../src/gateway/callbacks.ts';
import { CALLBACK_BYTES_MAX, CALLBACK_WINDOW_MS } from '../../src/gateway/limits.ts';
import { SIGNATURE_HEADER, sandboxSigningSecret } from '../../src/gateway/providers/sandbox-protocol.ts';
import { checkSignature, signCallback } from '../../src/gateway/signature.ts';
import { NOW_MS, newPaymentId } from './commands.ts';

const sandbox = parseConfig({ MODE: 'sandbox', AUTH: 'open' });
const live = parseConfig({
  MODE: 'live',
  AUTH: 'required',
  API_KEY_SECRET: 'x'.repeat(32),
  STRIPE_SECRET_KEY: 'sk_test_0123456789',
  STRIPE_WEBHOOK_SECRET: 'whsec_0123456789',
});
const bytes = (text: string) => new Uint8Array(new TextEncoder().encode(text));

interface Sending {
  readonly secret?: string;
  readonly signedAtMs?: number;
  readonly header?: string | null;
  readonly to?: string;
  readonly config?: typeof sandbox;
}

async function receive(body: string, sending: Sending = {}): Promise<CallbackIntake> {
  const { config = sandbox, to = 'acme' } = sending;
  if (!config.ok) throw new Error(config.problems.join());
  const seconds = Math.floor((sending.signedAtMs ?? NOW_MS) / 1_000);
  const signature = await signCallback(sending.secret ?? sandboxSigningSecret('acme'), seconds, bytes(body));
  const header = sending.header === undefined ? signature : sending.header;
  const request = new Request(`https://holdfast.test/providers/${to}/callbacks`, {
    method: 'POST',
    headers: header === null ? {} : { [SIGNATURE_HEADER]: header },
    body,
  });
  return await readCallback(env, config.config, to, request, NOW_MS);
}

function chargeEvent(more: object = {}, paymentId = newPaymentId()) {
  const metadata = { payment_id: paymentId, effect_id: `orchestrator.gateway.authorize.${paymentId}.2` };
  const charge = { object: 'charge', id: 'ch_1', status: 'authorized', amount: 1_230, currency: 'USD', metadata };
  const data = { ...charge, ...more };
  return { paymentId, body: JSON.stringify({ id: 'evt_1', type: 'charge.updated', created_at_ms: 5, data }) };
}

function refundEvent(status: string, entityId: string, paymentId: string): string {
  const metadata = { payment_id: paymentId, effect_id: `orchestrator.gateway.refund.${entityId}` };
  const data = { object: 'refund', id: 're_1', charge: 'ch_1', status, amount: 10, metadata };
  return JSON.stringify({ id: 'evt_2', type: 'refund.updated', created_at_ms: 6, data });
}

describe('a callback that is accepted', () => {
  it('tells the saga what an answer would have told it, under the effect that was echoed', async () => {
    const { paymentId, body } = chargeEvent();
    expect(await receive(body)).toEqual({
      kind: 'accepted',
      provider: 'acme',
      eventId: 'evt_1',
      occurredAtMs: 5,
      entityId: paymentId,
      outcome: {
        effect_id: `orchestrator.gateway.authorize.${paymentId}.2`,
        fact: {
          event_type: 'payment_gateway.response',
          payload: {
            payment_id: paymentId,
            operation: 'authorize',
            gateway_status: 'AUTHORIZED',
            provider: 'acme',
            provider_reference: 'ch_1',
          },
        },
      },
    });
  });

  it.each([
    ['declined', 'UNAUTHORIZED'],
    ['pending', 'PENDING'],
    ['captured', 'CAPTURED'],
  ])('of a charge that is %s says %s', async (status, gatewayStatus) => {
    const intake = await receive(chargeEvent({ status }).body);
    expect(intake).toMatchObject({ outcome: { fact: { payload: { gateway_status: gatewayStatus } } } });
  });

  it('of a refund goes to the refund that asked for it, else to the payment', async () => {
    const paymentId = newPaymentId();
    const refundId = publicIdFromHex('ref_', env.REFUND_SAGA.newUniqueId().toString());
    const failed = { outcome: { fact: { payload: { operation: 'refund', gateway_status: 'REFUND_FAILED' } } } };
    const own = await receive(refundEvent('failed', refundId, paymentId));
    expect(own).toMatchObject({ kind: 'accepted', entityId: refundId, ...failed });
    const undoing = await receive(refundEvent('refunded', paymentId, paymentId));
    expect(undoing).toMatchObject({ kind: 'accepted', entityId: paymentId });
  });
});

describe('a callback that is refused', () => {
  const { body } = chargeEvent();

  it.each([
    ['no signature', { header: null }, 'signature_missing'],
    ['a signature of no form', { header: 'abc' }, 'signature_missing'],
    ['a time and no signature', { header: 't=1800000000' }, 'signature_missing'],
    ['another secret', { secret: 'whsec_other' }, 'signature_mismatch'],
    ['the secret of the other provider', { secret: sandboxSigningSecret('borealis') }, 'signature_mismatch'],
    ['the other provider\u2019s address', { to: 'borealis' }, 'signature_mismatch'],
    ['a signature that is too old', { signedAtMs: NOW_MS - CALLBACK_WINDOW_MS - 1_000 }, 'timestamp_out_of_window'],
    ['a signature from the future', { signedAtMs: NOW_MS + CALLBACK_WINDOW_MS + 1_000 }, 'timestamp_out_of_window'],
    ['a wrong signature that is too old', { secret: 'x', signedAtMs: 0 }, 'signature_mismatch'],
  ] as const)('has %s', async (_says, sending, reason) => {
    expect(await receive(body, sending)).toMatchObject({ kind: 'rejected', reason });
  });

  it('was changed by one byte, or signed for another time', async () => {
    const header = await signCallback(sandboxSigningSecret('acme'), NOW_MS / 1_000, bytes(body));
    const changed = body.replace('1230', '1231');
    expect(await receive(changed, { header })).toMatchObject({ kind: 'rejected', reason: 'signature_mismatch' });
    const later = header.replace(/^t=\d+/, `t=${NOW_MS / 1_000 + 1}`);
    expect(await receive(body, { header: later })).toMatchObject({ reason: 'signature_mismatch' });
  });

  it('is signed and not readable', async () => {
    for (const text of ['', 'null', '{"id":1}', body.replace('charge.updated', 'charge.exploded'), '\u0000']) {
      expect(await receive(text)).toMatchObject({ kind: 'rejected', reason: 'malformed' });
    }
  });

  it('is too large, whatever it claims', async () => {
    expect(await receive('x'.repeat(CALLBACK_BYTES_MAX + 1))).toMatchObject({ kind: 'rejected', reason: 'too_large' });
    expect(await receive('x'.repeat(CALLBACK_BYTES_MAX))).toMatchObject({ kind: 'rejected', reason: 'malformed' });
  });

  it('comes to a provider that does not exist in this mode', async () => {
    expect(await receive(body, { to: 'nobody' })).toEqual({ kind: 'unknown_provider' });
    expect(await receive(body, { config: live })).toEqual({ kind: 'unknown_provider' });
  });
});

describe('a callback that is dropped', () => {
  it('is about a payment that is not ours, or about what we did ourselves', async () => {
    const foreign = chargeEvent({}, 'order-77');
    expect(await receive(foreign.body)).toMatchObject({ kind: 'ignored', reason: 'payment_unknown' });
    expect(await receive(chargeEvent({ status: 'voided' }).body)).toMatchObject({ kind: 'ignored' });
  });
});

describe('a callback that echoes no effect of its operation', () => {
  it.each(['orchestrator.wallet.debit.x', 'orchestrator.gateway.refund.x', ''])('but %j is dropped', async (echoed) => {
    const paymentId = newPaymentId();
    const metadata = { payment_id: paymentId, effect_id: echoed };
    const intake = await receive(chargeEvent({ metadata }, paymentId).body);
    expect(intake).toMatchObject({ kind: 'ignored', reason: 'effect_unknown' });
  });
});

describe('a signature header', () => {
  it('may carry several signatures, as while a secret is rotated, and one right one is enough', async () => {
    const body = bytes('{}');
    const right = await signCallback('new', NOW_MS / 1_000, body);
    const wrong = `v1=${'0'.repeat(64)}`;
    expect(await checkSignature(`${right},${wrong}`, body, 'new', NOW_MS)).toBe('valid');
    const last = right.replace(',', `,${wrong},v0=abc,`);
    expect(await checkSignature(last, body, 'new', NOW_MS)).toBe('valid');
    const many = right.replace(',', `,${Array(5).fill(wrong).join(',')},`);
    expect(await checkSignature(many, body, 'new', NOW_MS)).toBe('signature_mismatch');
  });
});
