/**
 * Pure: the times that steer a saga, by mode. Sandbox times are compressed so that every token's story ends within a
 * minute (docs/sandbox.md); the rules are the same.
 */

import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../limits.ts';
import type { Backoff } from '../retry.ts';

export interface SagaPolicy {
  /** How long after a command was handed to a queue, with no outcome heard, it is sent again; grows with each time. */
  readonly resend: Backoff;
  /** The same for commands to the gateway: longer than one call to a provider may take, or the two would overlap. */
  readonly resendGateway: Backoff;
  /** The gateway's step may begin calls for this long; then it has failed, or is unknown. */
  readonly authorizeBudgetMs: number;
  /** How long to wait, when every provider was passed over, before they are asked again from the first. */
  readonly round: Backoff;
  /** A call that began in time can still land for this long after: an absence seen earlier proves nothing. */
  readonly absenceGraceMs: number;
  /** Waits between look-ups, from the moment an outcome became unknown; the last is repeated. */
  readonly lookupScheduleMs: readonly number[];
  /** How late a provider may still come up with a success: after it, a person decides. */
  readonly lateWindowMs: number;
  /** How long a compensation is tried before a person decides. */
  readonly compensationBudgetMs: number;
}

/** Within this the record has taken a run: it waits a second for a batch (wrangler.toml). */
const RECORD_BATCH_MS = 2 * SECOND_MS;

/** How long what goes with a run waits to be heard of: as any command, and for the record's batch before. */
export function resendWithRun({ resend }: SagaPolicy): Backoff {
  return { ...resend, firstMs: resend.firstMs + RECORD_BATCH_MS };
}

export const SAGA_POLICIES: Readonly<Record<'sandbox' | 'live', SagaPolicy>> = {
  live: {
    // Seldom is a message lost, often a queue is behind: what is sent again too soon then is load on load (decision 0077). 5 min: an
    // operator has been alerted by then.
    resend: { firstMs: 30 * SECOND_MS, maxMs: 5 * MINUTE_MS },
    // A wait is at least half of this: 30 s, the longest that a call may take.
    resendGateway: { firstMs: MINUTE_MS, maxMs: 5 * MINUTE_MS },
    authorizeBudgetMs: 2 * MINUTE_MS,
    round: { firstMs: 2 * SECOND_MS, maxMs: 30 * SECOND_MS },
    absenceGraceMs: MINUTE_MS,
    lookupScheduleMs: [5 * SECOND_MS, 30 * SECOND_MS, 5 * MINUTE_MS, HOUR_MS, DAY_MS],
    lateWindowMs: 72 * HOUR_MS,
    compensationBudgetMs: HOUR_MS,
  },
  sandbox: {
    // Killing the local runtime does lose messages: what it lost is under way again half a minute later.
    resend: { firstMs: 30 * SECOND_MS, maxMs: 30 * SECOND_MS },
    resendGateway: { firstMs: 10 * SECOND_MS, maxMs: 30 * SECOND_MS },
    authorizeBudgetMs: 20 * SECOND_MS,
    round: { firstMs: 250, maxMs: 5 * SECOND_MS },
    absenceGraceMs: 5 * SECOND_MS,
    lookupScheduleMs: [
      SECOND_MS,
      2 * SECOND_MS,
      4 * SECOND_MS,
      8 * SECOND_MS,
      15 * SECOND_MS,
      30 * SECOND_MS,
      MINUTE_MS,
    ],
    lateWindowMs: 72 * HOUR_MS,
    compensationBudgetMs: 30 * SECOND_MS,
  },
};
