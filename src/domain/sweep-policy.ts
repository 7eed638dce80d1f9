/**
 * Pure: the bounds of the sweeper: how long a saga may stand still before it is looked at, and how much one run does. Read by
 * the sweeper, and by the list of sagas, which calls the same ones stuck.
 */
import { DAY_MS, HOUR_MS, MINUTE_MS } from './limits.ts';

/**
 * Longer than the longest wait of a healthy saga between two words of it (5 min: a command that is sent again, live): what
 * its own alarm is about to do is left to it. Of one that asks its provider on a schedule, after the time of the next question.
 */
export const STILL_MAX_MS = 6 * MINUTE_MS;
/** Where nothing goes on by itself: its alarm rings once a day, and is all there is to see to. */
export const STILL_MAX_MS_BY_STATE: Readonly<Record<string, number>> = { needs_attention: DAY_MS + HOUR_MS };

/** Rows of one query, and calls at once: six wait for an answer together, the others queue in the runtime. */
export const SWEEP_PAGE_ROWS = 25;
/** Of each kind, in one run: with the queries about 300 calls, of the 10,000 that a run may make. The next run is in a minute. */
export const SWEEP_SAGAS_MAX = 125;
/** Wallets that one run asks about their holds. */
export const SWEEP_WALLETS_MAX = 20;
/** Findings that a report names one by one; it counts all. */
export const SWEEP_FINDINGS_MAX = 50;
/** A hold that its wallet's alarm is about to give back is not overdue; that alarm may be a minute late. */
export const HOLD_OVERDUE_MS = 2 * MINUTE_MS;
/** Events that should be in the record within a second or two: later than this, something is in their way. */
export const OUTBOX_STALE_MS = 2 * MINUTE_MS;
/**
 * How long what a run has found of the outbox is told of. A saga that stands still is looked at again after STILL_MAX_MS, by the
 * run that is then next, a minute away, and that run may be a minute late: told of for less, a group that is stuck would be seen
 * in one minute of seven. The alert on it waits for longer than this (docs/observability/alerts.yml: 10 min).
 */
export const LOOK_AGAIN_MS = STILL_MAX_MS + 2 * MINUTE_MS;
/** Reports that LOOK_AGAIN_MS may hold: one a minute, of a cron that may fire twice. */
export const LOOK_AGAIN_RUNS_MAX = (2 * LOOK_AGAIN_MS) / MINUTE_MS;
/** Reports that are kept: three hours of runs, one a minute. */
export const SWEEPS_KEPT_MAX = 180;
