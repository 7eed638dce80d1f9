/**
 * Pure: the times that steer deliveries, by mode. Sandbox times are compressed, so that tests and demos see every retry
 * within seconds; the rules are the same.
 */
import { HOUR_MS, MINUTE_MS, SECOND_MS } from './limits.ts';
import type { Backoff } from './retry.ts';

export interface WebhookPolicy {
  /** Waits between attempts: one attempt more than there are waits, then the delivery has failed. */
  readonly retryScheduleMs: readonly number[];
  /** How long a receiver may take to answer. */
  readonly timeoutMs: number;
  /** The longest that a `Retry-After` is believed. */
  readonly retryAfterMaxMs: number;
  /** So many deliveries in a row that failed in the end, with no success between: the endpoint is disabled. */
  readonly failedInARowMax: number;
  /** How soon what the notifications consumer or the record has not taken over is sent again. */
  readonly resend: Backoff;
  /** An alarm that broke off, a crash included, comes again after this. */
  readonly watchdogMs: number;
}

export const WEBHOOK_POLICIES: Readonly<Record<'sandbox' | 'live', WebhookPolicy>> = {
  live: {
    // 23 h 43 min in all, and the jitter only shortens: up to 24 hours, published in docs/webhooks.md.
    retryScheduleMs: [
      5 * SECOND_MS,
      30 * SECOND_MS,
      2 * MINUTE_MS,
      10 * MINUTE_MS,
      30 * MINUTE_MS,
      HOUR_MS,
      2 * HOUR_MS,
      4 * HOUR_MS,
      8 * HOUR_MS,
      8 * HOUR_MS,
    ],
    // The specification recommends 15 to 30 s; we wait inside an object, which is billed by time (decision 0041).
    timeoutMs: 15 * SECOND_MS,
    retryAfterMaxMs: HOUR_MS,
    // Each has failed for a day: with fewer, one bad day of a quiet receiver would do.
    failedInARowMax: 10,
    resend: { firstMs: 30 * SECOND_MS, maxMs: 10 * MINUTE_MS },
    // Longer than a run of the alarm takes, so that it seldom fires for nothing.
    watchdogMs: MINUTE_MS,
  },
  sandbox: {
    retryScheduleMs: [100, 200, 400, 600, 800, 1_000, 1_500, 2_000, 2_500, 3_000],
    timeoutMs: 2 * SECOND_MS,
    retryAfterMaxMs: 3 * SECOND_MS,
    failedInARowMax: 3,
    resend: { firstMs: SECOND_MS, maxMs: 10 * SECOND_MS },
    watchdogMs: 3 * SECOND_MS,
  },
};
