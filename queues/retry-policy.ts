/**
 * Pure: what a consumer does with a message whose handling failed, by failure class (docs/architecture.md). A refusal or
 * an unknown outcome is never here: those are outcomes, reported to the saga.
 */
import { isOverloaded } from '../src/domain/errors.ts';
import type { Backoff } from '../src/domain/retry.ts';
import { fullJitterSeconds } from '../src/domain/retry.ts';

export type Verdict =
  /** Done, or nothing left to do. */
  | { readonly kind: 'ack' }
  | { readonly kind: 'retry'; readonly delaySeconds: number; readonly reason: string }
  /** Never to be tried again as it is: to the dead letters at once. */
  | { readonly kind: 'dead'; readonly reason: string };

/** Seconds are the queue's unit; a saga re-sends after minutes anyway, so the queue's own retries stay short. */
const TRANSIENT: Backoff = { firstMs: 1_000, maxMs: 30_000 };
/** An overloaded object, or D1, is left alone for longer, and never asked again at once. */
const OVERLOADED: Backoff = { firstMs: 10_000, maxMs: 60_000 };

export const ACK: Verdict = { kind: 'ack' };

/**
 * The verdict on a thrown error. A bug (a broken invariant; its name survives RPC) is dead at once: trying again would
 * break it again. Overload waits longer (https://developers.cloudflare.com/durable-objects/best-practices/error-handling/), and
 * never shorter than the consumer's own patience: what must outlast days without D1 must outlast them under overload, too.
 * Everything else is taken for transient: effects are idempotent, so trying again is always allowed.
 * @param attempts how often this message has been delivered, 1 for the first.
 */
export function verdictOnError(
  error: unknown,
  attempts: number,
  random: number,
  transient: Backoff = TRANSIENT,
): Verdict {
  const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  if (error instanceof Error && error.name === 'InvariantError') return { kind: 'dead', reason };
  const delaySeconds = fullJitterSeconds(transient, attempts, random);
  if (!isOverloaded(error)) return { kind: 'retry', delaySeconds, reason };
  const overloadedSeconds = Math.max(5, fullJitterSeconds(OVERLOADED, attempts, random));
  return { kind: 'retry', delaySeconds: Math.max(delaySeconds, overloadedSeconds), reason };
}
