/**
 * Pure: a genuine event of Stripe's as what a saga can be told. Only what the saga waits for: an authorization that is
 * settled later, a refund. What we did ourselves, and other objects of the account, are ignored; a capture too: an intent
 * echoes the effect of its authorization, and none of its capture.
 * https://docs.stripe.com/api/events/types
 */
import { parseJsonBytes } from '../bounded-body.ts';
import type { CallbackResult } from '../provider.ts';
import { type Expected, intentOf, intentStanding, refundOf, refundStanding } from './stripe-mapping.ts';
import { eventSchema, type PaymentIntent } from './stripe-protocol.ts';

const ignored = (reason: string): CallbackResult => ({ kind: 'ignored', reason });

/** @param bytes the body of a callback whose signature is right. */
export function readStripeEvent(bytes: Uint8Array): CallbackResult {
  const event = eventSchema.safeParse(parseJsonBytes(bytes));
  if (!event.success) return { kind: 'rejected', reason: 'malformed' };
  const { id, type, created, data } = event.data;
  const base = { id, occurredAtMs: created * 1_000 };
  switch (type) {
    case 'payment_intent.amount_capturable_updated':
    case 'payment_intent.payment_failed':
    case 'payment_intent.processing':
    case 'payment_intent.requires_action':
    case 'payment_intent.succeeded':
      return intentEvent(base, data.object);
    case 'charge.refund.updated':
    case 'refund.created':
    case 'refund.failed':
    case 'refund.updated':
      return refundEvent(base, data.object);
    default:
      return ignored('event_type');
  }
}

interface Base {
  readonly id: string;
  readonly occurredAtMs: number;
}

function intentEvent(base: Base, object: unknown): CallbackResult {
  const intent = intentOf(object);
  if (intent === null) return { kind: 'rejected', reason: 'malformed' };
  const { payment_id: paymentId, effect_id: effectId } = intent.metadata;
  // Without the echo the saga could not tell this authorization from an earlier one of its own, and would undo it.
  if (paymentId === undefined || effectId === undefined) return ignored('not_ours');
  const answer = intentStanding(intent, askedFor(intent));
  if (answer === null) return ignored(`intent_${intent.status}`);
  if (answer.kind === 'approved' && answer.captured) return ignored('captured');
  if (answer.kind === 'voided' || answer.kind === 'refunded') return ignored(`charge_${answer.kind}`);
  return {
    kind: 'event',
    event: { ...base, paymentId, effectId, operation: 'authorize', answer },
  };
}

/** What was asked for, as the intent echoes it. One that echoes none is older than the echo, and is taken as it is. */
function askedFor({ currency, metadata }: PaymentIntent): Expected {
  const { amount, currency: echoed = currency } = metadata;
  return { currency: echoed, ...(amount !== undefined && { amount: Number(amount) }) };
}

function refundEvent(base: Base, object: unknown): CallbackResult {
  const refund = refundOf(object);
  if (refund === null) return { kind: 'rejected', reason: 'malformed' };
  const { payment_id: paymentId, refund_key: refundKey } = refund.metadata;
  if (paymentId === undefined || refundKey === undefined) return ignored('not_ours');
  // The key names whose refund it is: `ref_….r.stripe`, or the payment's own, `pay_….r.stripe`.
  const entity = refundKey.split('.')[0] ?? paymentId;
  const effectId = `orchestrator.gateway.refund.${entity}`;
  const answer = refundStanding(refund);
  // It says nothing: the saga's own look-ups find out.
  if (answer.kind === 'unknown') return ignored(answer.reason);
  return { kind: 'event', event: { ...base, paymentId, effectId, operation: 'refund', answer } };
}
