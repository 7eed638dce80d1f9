/**
 * Pure: every number of the gateway's path to a provider, noun first, unit last. What differs by mode stands side by side.
 */
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../domain/limits.ts';

/**
 * How long one call may take before its outcome is unknown. Live: Stripe asks clients to wait long, since a charge at a
 * slow bank takes up to 30 s and a timeout costs a look-up. Sandbox: short, so that every token's story ends in a minute.
 */
export const PROVIDER_TIMEOUT_MS = { live: 30 * SECOND_MS, sandbox: 2 * SECOND_MS } as const;

/**
 * Calls to providers that one batch of the gateway has under way at once; the others wait for their turn. Live: six connections of an invocation
 * may wait for an answer (https://developers.cloudflare.com/workers/platform/limits/#simultaneous-open-connections), and a seventh
 * waits in the runtime, inside our timeout: a provider that is slow would look as if it had timed out. One is left for what else is sent.
 * Sandbox: a provider is an object, and a call to an object is no such connection; more than a batch can ask for.
 */
export const PROVIDER_CALLS_AT_ONCE_MAX = { live: 5, sandbox: 100 } as const;

/** Largest answer about one thing that is read; every answer we use is far below it. */
export const ANSWER_BYTES_MAX = 256 * 1024;
/**
 * Largest page of a list that is read: a hundred things, of which other software on the account may have written some, with metadata of its
 * own. Of an isolate's 128 MB, with PROVIDER_CALLS_AT_ONCE_MAX of them at once.
 */
export const LIST_BYTES_MAX = 4 * 1024 * 1024;

/** Pages of a list that one look-up reads at most: a thousand charges, or some three a second in live mode's three minutes and a margin. */
export const LOOKUP_PAGES_MAX = 10;
/** How far a provider's clock and ours can be apart: a charge that we made just now may be of a minute ago there. */
export const CLOCKS_APART_MAX_MS = MINUTE_MS;
/** How long a provider that failed within a request may take to put right what had gone out of it. Ours to choose: none says. */
export const PUT_RIGHT_WITHIN_MS = HOUR_MS;

/** What a 429 without a `Retry-After` is taken to ask, and the longest that one is believed. */
export const RETRY_AFTER_DEFAULT_MS = SECOND_MS;
export const RETRY_AFTER_MAX_MS = 10 * MINUTE_MS;

/** Longest idempotency key we make: every provider that we know takes 64 characters. */
export const KEY_LENGTH_MAX = 64;

/** A callback signed longer ago, or further ahead, than this is refused: Stripe's tolerance. */
export const CALLBACK_WINDOW_MS = 5 * MINUTE_MS;
/** A callback's body larger than this is refused unread. */
export const CALLBACK_BYTES_MAX = 64 * 1024;

/** A call that takes this long is slow, even when it succeeds: the breaker's other sign (domain/circuit-breaker.ts). */
export const PROVIDER_SLOW_MS = { live: 10 * SECOND_MS, sandbox: 1_500 } as const;
/** How long an isolate goes by a breaker that it has seen closed: one question a second, not one a batch. */
export const HEALTH_FREE_MS = SECOND_MS;
/** A health object that takes longer than this to answer is not waited for. */
export const HEALTH_ASK_TIMEOUT_MS = 500;
