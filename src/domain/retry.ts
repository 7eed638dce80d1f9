/**
 * Pure: how long to wait before trying again: exponential backoff with jitter, so that what failed together does not come
 * back together (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). Queue retries draw from the
 * whole range (full jitter); sagas from its upper half (equal jitter), so as not to overtake an answer.
 */

export interface Backoff {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * Milliseconds to wait after attempt number `attempt` (1 for the first): between half and all of `firstMs · 2^(n-1)`,
 * capped at `maxMs`. The lower half is kept, so that a re-send never overtakes an answer that is on its way.
 * @param random a number in [0, 1): the caller's, since this module has none.
 */
export function backoffMs(backoff: Backoff, attempt: number, random: number): number {
  const ceilingMs = Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(attempt - 1, 30));
  return Math.round(ceilingMs / 2 + (ceilingMs / 2) * random);
}

/** Whole seconds to wait, at least 1, drawn from all of `[0, ceiling]` (full jitter): for queue retries. */
export function fullJitterSeconds(backoff: Backoff, attempt: number, random: number): number {
  const ceilingMs = Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(attempt - 1, 30));
  return Math.max(1, Math.round((ceilingMs * random) / 1_000));
}
