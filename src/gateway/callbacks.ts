/**
 * Intake of providers' callbacks: from raw bytes to an outcome that a saga can be told, or a reason why not. It stores
 * nothing and tells nobody: the route keeps the event id (a callback comes any number of times, in any order) and reports
 * the outcome. A callback is a hint with a signature: what it says is taken like any other answer of its provider.
 */
import type { Config } from '../config.ts';
import { hexFromPublicId } from '../domain/ids.ts';
import type { Outcome } from '../domain/saga/outcome.ts';
import { sagaStub } from '../stubs.ts';
import { outcomeOf } from './answers.ts';
import { readBounded } from './bounded-body.ts';
import { CALLBACK_BYTES_MAX } from './limits.ts';
import type { CallbackEvent, CallbackRejection } from './provider.ts';
import { type Providers, providersOf } from './registry.ts';

export type CallbackIntake =
  | {
      readonly kind: 'accepted';
      readonly provider: string;
      /** The provider's id of the notification: the same on a redelivery. Unique per provider. */
      readonly eventId: string;
      readonly occurredAtMs: number;
      /** Whose saga is to be told: the payment's, or for a refund of its own, the refund's (`ref_…`). */
      readonly entityId: string;
      readonly outcome: Outcome;
    }
  /** Genuine, and nothing for us: acknowledge it, or the provider sends it for days. */
  | { readonly kind: 'ignored'; readonly provider: string; readonly reason: string }
  /** 401 or 400; nothing of the body may be used or stored. */
  | { readonly kind: 'rejected'; readonly provider: string; readonly reason: CallbackRejection | 'too_large' }
  /** No such provider in this mode: 404. */
  | { readonly kind: 'unknown_provider' };

/**
 * Reads one callback. Checks, in order: the provider exists → the body says, and is, at most CALLBACK_BYTES_MAX → the provider's own
 * checks (signature over the raw bytes, in constant time; time window; shape) → a payment's id → an effect of ours → an id that this
 * namespace has minted.
 */
export async function readCallback(
  env: Env,
  config: Config,
  providerName: string,
  request: Request,
  nowMs: number,
): Promise<CallbackIntake> {
  const intake = await takeIn(providersOf(env, config), providerName, request, nowMs);
  // Another deployment's, of the same account at the provider: it is nobody's here, and never will be.
  const isForeign = intake.kind === 'accepted' && sagaStub(env, intake.entityId) === null;
  return isForeign ? { kind: 'ignored', provider: providerName, reason: 'payment_unknown' } : intake;
}

/** `readCallback` over given providers, but for who has minted the id. */
export async function takeIn(
  providers: Providers,
  providerName: string,
  request: Request,
  nowMs: number,
): Promise<CallbackIntake> {
  const provider = providers.get(providerName);
  if (provider === undefined) return { kind: 'unknown_provider' };
  const isAnnouncedTooLarge = Number(request.headers.get('content-length') ?? 0) > CALLBACK_BYTES_MAX;
  const body = isAnnouncedTooLarge ? null : await readBounded(request.body, CALLBACK_BYTES_MAX);
  if (body === null) return { kind: 'rejected', provider: providerName, reason: 'too_large' };
  const result = await provider.parseCallback({ headers: request.headers, body, url: new URL(request.url) }, nowMs);
  if (result.kind !== 'event') return { ...result, provider: providerName };
  const { event } = result;
  if (hexFromPublicId('pay_', event.paymentId) === null) {
    return { kind: 'ignored', provider: providerName, reason: 'payment_unknown' };
  }
  const effectId = effectOf(event);
  if (effectId === null) return { kind: 'ignored', provider: providerName, reason: 'effect_unknown' };
  return {
    kind: 'accepted',
    provider: providerName,
    eventId: event.id,
    occurredAtMs: event.occurredAtMs,
    entityId: /\.(ref_[0-9A-Za-z]+)/.exec(effectId)?.[1] ?? event.paymentId,
    outcome: outcomeOf({
      effectId,
      paymentId: event.paymentId,
      operation: event.operation,
      isOfRefund: event.operation === 'refund',
      provider: providerName,
      answer: event.answer,
    }),
  };
}

/**
 * The effect that the callback settles, as the provider echoed it; null where it echoed none of that operation. Never
 * guessed: told under another effect, the success of the payment would read as a stray one, and be undone. Without it the
 * saga's own look-ups find out, only later.
 */
function effectOf({ effectId, operation }: CallbackEvent): string | null {
  return effectId.startsWith(`orchestrator.gateway.${operation}.`) ? effectId : null;
}
