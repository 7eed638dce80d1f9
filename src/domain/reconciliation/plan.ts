/**
 * Pure: what one reconciliation is about (its plan, which never changes) and how far it is (its progress). Both are kept by
 * its object and written to the record; the public report is made of them.
 */
import { sha256Hex } from '../canonical.ts';
import { MINUTE_MS, RECONCILIATION_NIGHTLY_MS, SECOND_MS } from '../limits.ts';
import type { StatementCoverage } from './books.ts';
import type { DifferenceClass, MoneyInDoubt } from './difference.ts';
import type { Comparison } from './reconcile.ts';
import type { Window } from './subject.ts';

/** What moved so recently is in flight: the record, a provider's lists and its own clock may lag. */
export const AT_REST_MS = { live: 15 * MINUTE_MS, sandbox: 2 * SECOND_MS } as const;

export interface ReconciliationPlan {
  readonly id: string;
  readonly mode: 'sandbox' | 'live';
  readonly trigger: 'operator' | 'nightly';
  /** Of an operator. */
  readonly actor: string | null;
  readonly reason: string | null;
  readonly window: Window;
  /** Asked for one provider only; null: all. */
  readonly provider: string | null;
  readonly createdAtMs: number;
}

/** How a provider's books were read. `reason`: why they were not, or not to their end. */
export interface BooksRead {
  readonly provider: string;
  readonly coverage: StatementCoverage;
  readonly reason: string | null;
  readonly lines: number;
}

/** In order. Each is a number of steps, and each step a page. */
export const PHASES = ['books', 'payments', 'lines', 'refunds', 'finished'] as const;
export type Phase = (typeof PHASES)[number];

export interface ReconciliationProgress {
  readonly phase: Phase;
  /** Where the phase's next page begins; null at its start. */
  readonly cursor: string | null;
  readonly books: readonly BooksRead[];
  readonly counts: {
    readonly compared: number;
    readonly inFlight: number;
    readonly incomplete: number;
    readonly attention: number;
  };
  readonly differences: number;
  /** Beyond RECONCILIATION_DIFFERENCES_MAX: counted, and kept nowhere. */
  readonly leftOut: number;
  readonly steps: number;
  /** Failed tries of the present step. */
  readonly attempts: number;
  /** Why it was given up; null: it was not. */
  readonly failure: string | null;
  /** Of a finished one. */
  readonly byClass: Partial<Record<DifferenceClass, number>>;
  readonly inDoubt: readonly MoneyInDoubt[];
}

export const BEGUN: ReconciliationProgress = {
  phase: 'books',
  cursor: null,
  books: [],
  counts: { compared: 0, inFlight: 0, incomplete: 0, attention: 0 },
  differences: 0,
  leftOut: 0,
  steps: 0,
  attempts: 0,
  failure: null,
  byClass: {},
  inDoubt: [],
};

/** The progress one step on, in the same phase at `cursor`, or, with null, at the start of the next phase. */
export function advanced(progress: ReconciliationProgress, cursor: string | null): ReconciliationProgress {
  const steps = progress.steps + 1;
  if (cursor !== null) return { ...progress, cursor, steps, attempts: 0 };
  const phase = PHASES[PHASES.indexOf(progress.phase) + 1] ?? 'finished';
  return { ...progress, phase, cursor: null, steps, attempts: 0 };
}

/** Adds what a page came to. @param kept how many of its differences the report has taken. */
export function counted(progress: ReconciliationProgress, page: Comparison, kept: number): ReconciliationProgress {
  const { counts } = progress;
  return {
    ...progress,
    counts: {
      compared: counts.compared + page.compared,
      inFlight: counts.inFlight + page.inFlight,
      incomplete: counts.incomplete + page.incomplete,
      attention: counts.attention + page.attention.length,
    },
    differences: progress.differences + page.differences.length,
    leftOut: progress.leftOut + page.differences.length - kept,
  };
}

/** Everything in its window was compared with everything that there was to compare it with. */
export function isComplete({ books, counts }: ReconciliationProgress): boolean {
  return counts.incomplete === 0 && books.every(({ coverage, reason }) => coverage !== 'none' && reason === null);
}

/** The same night is the same reconciliation, however often the cron fires. */
export function nightlyId(scheduledAtMs: number): string {
  return `rec_${sha256Hex(`nightly ${scheduledAtMs}`).slice(0, 32)}`;
}

/** @param endMs exclusive; what moved within the last AT_REST_MS is in flight. */
export function windowOf(fromMs: number, endMs: number, mode: ReconciliationPlan['mode'], nowMs: number): Window {
  return { fromMs, toMs: endMs, atRestBeforeMs: nowMs - AT_REST_MS[mode] };
}

export function nightlyPlan(mode: ReconciliationPlan['mode'], scheduledAtMs: number): ReconciliationPlan {
  return {
    id: nightlyId(scheduledAtMs),
    mode,
    trigger: 'nightly',
    actor: null,
    reason: null,
    window: windowOf(scheduledAtMs - RECONCILIATION_NIGHTLY_MS, scheduledAtMs, mode, scheduledAtMs),
    provider: null,
    createdAtMs: scheduledAtMs,
  };
}

export const RECONCILIATION_ID_PATTERN = /^rec_[0-9a-f]{32}$/;

export function newReconciliationId(uuid: string): string {
  return `rec_${uuid.replaceAll('-', '')}`;
}

/** What the reconciliation's object answers to. */
export interface ReconciliationRpc {
  /** Begins it, or wakes one that stands still; any number of times. */
  begin(plan: ReconciliationPlan): Promise<void>;
}
