/** Stripe's webhooks: what is refused, what is dropped, and what a saga is told. */
import { describe, expect, it } from 'vitest';
import { CALLBACK_WINDOW_MS } from '../../src/gateway/limits.ts';
import type { CallbackResult } from '../../src/gateway/provider.ts';
import { StripeAdapter } from '../../src/gateway/providers/stripe.ts';
import { signCallback } from '../../src/gateway/signature.ts';
import { NOW_MS, newPaymentId } from './commands.ts';
import { EVENT, PAYMENT_INTENT, REFUND } from './fixtures/stripe/objects.ts';

const SECRET = 'whsec_test';
const stripe = new StripeAdapter({ secretKey: 'sk', webhookSecret: SECRET });
const bytes = (text: string) => new Uint8Array(new TextEncoder().encode(text));

const paymentId = newPaymentId();
const effectId = `orchestrator.gateway.authorize.${paymentId}.3`;
const metadata = { payment_id: paymentId, effect_id: effectId };
const intent = (status: string, more: object = {}) => ({ ...PAYMENT_INTENT, status, metadata, ...more });
const refund = (status: string | null, refundKey: string) => ({
  ...REFUND,
  status,
  metadata: { payment_id: paymentId, refund_key: refundKey },
});
const event = (type: string, object: unknown) =>
  JSON.stringify({ ...EVENT, type, created: 1_764_000_000, data: { object } });

async function receive(body: string, headers: Record<string, string> = {}, nowMs = NOW_MS): Promise<CallbackResult> {
  const signature = await signCallback(SECRET, NOW_MS / 1_000, bytes(body));
  const url = new URL('https://holdfast.test/providers/stripe/callbacks');
  const all = new Headers({ 'Stripe-Signature': signature, ...headers });
  return await stripe.parseCallback({ headers: all, body: bytes(body), url }, nowMs);
}

describe('a webhook of Stripe\u2019s that is refused', () => {
  const body = event('payment_intent.amount_capturable_updated', intent('requires_capture'));

  it('has no signature, or one of another secret, or of another body', async () => {
    expect(await receive(body, { 'Stripe-Signature': '' })).toEqual({ kind: 'rejected', reason: 'signature_missing' });
    const foreign = await signCallback('whsec_other', NOW_MS / 1_000, bytes(body));
    expect(await receive(body, { 'Stripe-Signature': foreign })).toEqual({
      kind: 'rejected',
      reason: 'signature_mismatch',
    });
    const other = await signCallback(SECRET, NOW_MS / 1_000, bytes(body.replace('1099', '9901')));
    expect(await receive(body, { 'Stripe-Signature': other })).toEqual({
      kind: 'rejected',
      reason: 'signature_mismatch',
    });
  });

  it('is older, or newer, than five minutes', async () => {
    const outside = { kind: 'rejected', reason: 'timestamp_out_of_window' };
    expect(await receive(body, {}, NOW_MS + CALLBACK_WINDOW_MS + 1)).toEqual(outside);
    expect(await receive(body, {}, NOW_MS - CALLBACK_WINDOW_MS - 1)).toEqual(outside);
    expect(await receive(body, {}, NOW_MS + CALLBACK_WINDOW_MS)).toMatchObject({ kind: 'event' });
  });

  it('is signed and not readable', async () => {
    for (const text of ['', '{}', 'null', event('payment_intent.succeeded', { object: 'payment_intent' })]) {
      expect(await receive(text)).toEqual({ kind: 'rejected', reason: 'malformed' });
    }
    expect(await receive(event('refund.updated', intent('succeeded')))).toEqual({
      kind: 'rejected',
      reason: 'malformed',
    });
  });

  it('may carry the signatures of an old and a new secret: one right one is enough', async () => {
    const right = await signCallback(SECRET, NOW_MS / 1_000, bytes(body));
    const rotated = right.replace(',', `,v1=${'0'.repeat(64)},v0=abc,`);
    expect(await receive(body, { 'Stripe-Signature': rotated })).toMatchObject({ kind: 'event' });
  });
});

describe('a webhook of Stripe\u2019s', () => {
  const authorized = { operation: 'authorize', effectId } as const;
  const declined = { last_payment_error: { code: 'card_declined', decline_code: 'lost_card' } };
  const reference = PAYMENT_INTENT.id;

  it.each([
    [
      'payment_intent.amount_capturable_updated',
      intent('requires_capture'),
      { ...authorized, answer: { kind: 'approved', reference, captured: false } },
    ],
    [
      'payment_intent.payment_failed',
      intent('requires_payment_method', declined),
      { ...authorized, answer: { kind: 'declined', declineCode: 'lost_card', reference } },
    ],
    ['payment_intent.processing', intent('processing'), { ...authorized, answer: { kind: 'pending', reference } }],
  ] as const)('%s tells the saga what the answer would have', async (type, object, told) => {
    expect(await receive(event(type, object))).toEqual({
      kind: 'event',
      event: { id: EVENT.id, occurredAtMs: 1_764_000_000_000, paymentId, ...told },
    });
  });

  it.each([
    ['another amount', { amount: '1098', currency: PAYMENT_INTENT.currency }],
    ['another currency', { amount: String(PAYMENT_INTENT.amount), currency: 'jpy' }],
  ])('of an intent of %s than was asked for is unknown, as an answer would be', async (_what, asked) => {
    for (const status of ['requires_capture', 'succeeded', 'processing']) {
      const object = intent(status, { metadata: { ...metadata, ...asked } });
      expect(await receive(event('payment_intent.succeeded', object))).toMatchObject({
        kind: 'event',
        event: { operation: 'authorize', effectId, answer: { kind: 'unknown', reason: 'answer_mismatch' } },
      });
    }
  });

  it('of an intent that is what was asked for says how it stands', async () => {
    const asked = { amount: String(PAYMENT_INTENT.amount), currency: PAYMENT_INTENT.currency };
    const object = intent('requires_capture', { metadata: { ...metadata, ...asked } });
    expect(await receive(event('payment_intent.amount_capturable_updated', object))).toMatchObject({
      kind: 'event',
      event: { answer: { kind: 'approved', captured: false } },
    });
  });

  it.each([
    ['refund.updated', 'succeeded', { kind: 'refunded', reference: REFUND.id }],
    ['charge.refund.updated', 'pending', { kind: 'pending', reference: REFUND.id }],
    ['refund.failed', 'failed', { kind: 'refused', code: 'refund_failed', reference: REFUND.id }],
  ] as const)('%s goes to the refund that asked for it, by its key', async (type, status, answer) => {
    const own = await receive(event(type, refund(status, 'ref_7.r.stripe')));
    expect(own).toMatchObject({
      event: { operation: 'refund', effectId: 'orchestrator.gateway.refund.ref_7', answer },
    });
    const undoing = await receive(event(type, refund(status, `${paymentId}.r.stripe`)));
    expect(undoing).toMatchObject({ event: { effectId: `orchestrator.gateway.refund.${paymentId}`, answer } });
  });

  it.each([
    ['payment_intent.canceled', intent('canceled'), 'event_type'],
    ['charge.refunded', {}, 'event_type'],
    ['customer.created', {}, 'event_type'],
    ['payment_intent.succeeded', { ...PAYMENT_INTENT, status: 'succeeded' }, 'not_ours'],
    ['payment_intent.succeeded', intent('succeeded', { metadata: { payment_id: paymentId } }), 'not_ours'],
    ['payment_intent.succeeded', intent('succeeded'), 'captured'],
    ['refund.updated', REFUND, 'not_ours'],
    ['refund.updated', { ...REFUND, metadata: null }, 'not_ours'],
    ['refund.updated', refund(null, 'ref_7.r.stripe'), 'refund_status_missing'],
    ['payment_intent.processing', intent('requires_payment_method'), 'intent_requires_payment_method'],
  ] as const)('%s that no saga waits for is dropped', async (type, object, reason) => {
    expect(await receive(event(type, object))).toEqual({ kind: 'ignored', reason });
  });
});
