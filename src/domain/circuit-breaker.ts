/**
 * Pure: the circuit breaker of one operation at one provider. Closed, it counts; when too much fails or is slow it opens and
 * refuses calls; after a while it is half open and leases a few calls to find out. It has no clock and no randomness; its
 * owner (`ProviderHealth`) brings both and stores what must outlive it. Why not a library: decision 0014.
 */
import { MINUTE_MS, SECOND_MS } from './limits.ts';

export const WINDOW_MS = MINUTE_MS;
/** Twelve to a window: what leaves it at once is a twelfth of it. */
export const BUCKET_MS = 5 * SECOND_MS;
/** Fewer calls than this in the window prove nothing. */
export const CALLS_MIN = 20;
export const FAILURE_SHARE = 0.5;
export const SLOW_SHARE = 0.8;
export const OPEN_FIRST_MS = 30 * SECOND_MS;
export const OPEN_MAX_MS = 5 * MINUTE_MS;
/** How far a time of being open is spread, each way, so that what broke together is not tried together. */
export const OPEN_JITTER = 0.1;
/** Calls under way at once while half open, and successes that close it. */
export const PERMITS_MAX = 5;
/** A lease whose holder does not tell comes back after this: longer than any call to a provider may take. */
export const LEASE_MS = 45 * SECOND_MS;

/** How a call went, as a sign of the provider's health. A decline is a healthy answer; a 429 is none of either. */
export type CallResult = 'success' | 'failure' | 'no_sign';

export interface Bucket {
  readonly startMs: number;
  readonly calls: number;
  readonly failures: number;
  readonly slow: number;
}

export interface Lease {
  readonly id: string;
  readonly untilMs: number;
}

export interface Breaker {
  readonly mode: 'closed' | 'open' | 'half_open';
  /** An operator's word; it overrides the mode until it is taken back. */
  readonly forced: 'open' | 'closed' | null;
  /** Of the running window, oldest first. Counted while closed only. */
  readonly buckets: readonly Bucket[];
  /** When it may be tried again; while it is open. */
  readonly openUntilMs: number;
  /** How often it has opened since it was last closed: the exponent of the next time. */
  readonly openings: number;
  readonly leases: readonly Lease[];
  readonly trialSuccesses: number;
}

export const CLOSED: Breaker = {
  mode: 'closed',
  forced: null,
  buckets: [],
  openUntilMs: 0,
  openings: 0,
  leases: [],
  trialSuccesses: 0,
};

export type Permit =
  /** Any number of calls. */
  | { readonly kind: 'free' }
  /** One call per lease; each must be told with its lease, and comes back by itself after LEASE_MS. */
  | { readonly kind: 'leased'; readonly leases: readonly string[]; readonly retryAfterMs: number }
  | { readonly kind: 'refused'; readonly retryAfterMs: number };

export interface Asked {
  readonly breaker: Breaker;
  readonly permit: Permit;
}

/** How many calls, of `wanted`, may be made at `nowMs`. Order: forced → closed → still open → leases that are left. */
export function ask(breaker: Breaker, wanted: number, nowMs: number, newId: () => string): Asked {
  if (breaker.forced === 'closed') return { breaker, permit: { kind: 'free' } };
  if (breaker.forced === 'open') return { breaker, permit: { kind: 'refused', retryAfterMs: OPEN_FIRST_MS } };
  if (breaker.mode === 'closed') return { breaker, permit: { kind: 'free' } };
  if (breaker.mode === 'open' && nowMs < breaker.openUntilMs) {
    return { breaker, permit: { kind: 'refused', retryAfterMs: breaker.openUntilMs - nowMs } };
  }
  const held = breaker.leases.filter((lease) => lease.untilMs > nowMs);
  const count = Math.max(0, Math.min(wanted, PERMITS_MAX - held.length));
  const granted = Array.from({ length: count }, () => ({ id: newId(), untilMs: nowMs + LEASE_MS }));
  return {
    breaker: { ...breaker, mode: 'half_open', leases: [...held, ...granted] },
    permit:
      count === 0
        ? { kind: 'refused', retryAfterMs: SECOND_MS }
        : { kind: 'leased', leases: granted.map((lease) => lease.id), retryAfterMs: SECOND_MS },
  };
}

export interface CallReport {
  readonly result: CallResult;
  readonly slow: boolean;
  /** Of a call that was made under one. */
  readonly leaseId?: string;
}

/**
 * The breaker after these calls. Closed: they are counted, and it opens when the window says so. Half open: a failure or
 * slow call under a lease opens it again for twice as long, PERMITS_MAX successes close it; calls without a lease began
 * before it opened, and say nothing new. `random` in [0, 1).
 */
export function tell(breaker: Breaker, reports: readonly CallReport[], nowMs: number, random: number): Breaker {
  const returned = new Set(reports.map((report) => report.leaseId));
  const leases = breaker.leases.filter((lease) => !returned.has(lease.id));
  if (breaker.forced !== null) return { ...breaker, leases };
  switch (breaker.mode) {
    case 'open':
      return breaker;
    case 'closed': {
      const buckets = counted(breaker.buckets, reports, nowMs);
      return trips(buckets) ? opened({ ...breaker, buckets: [] }, nowMs, random) : { ...breaker, buckets };
    }
    case 'half_open': {
      const known = new Set(breaker.leases.map((lease) => lease.id));
      const trials = reports.filter(({ leaseId }) => leaseId !== undefined && known.has(leaseId));
      if (trials.some((trial) => trial.result === 'failure' || trial.slow)) {
        return opened(breaker, nowMs, random);
      }
      const successes = breaker.trialSuccesses + trials.filter((trial) => trial.result === 'success').length;
      return successes >= PERMITS_MAX ? CLOSED : { ...breaker, leases, trialSuccesses: successes };
    }
  }
}

/** An operator's word, or `null` to take it back: then the breaker begins closed, with nothing counted. */
export function force(breaker: Breaker, forced: Breaker['forced']): Breaker {
  return forced === null ? CLOSED : { ...breaker, forced, leases: [], buckets: [] };
}

/** The sums of the window. */
export function totals(buckets: readonly Bucket[]): Omit<Bucket, 'startMs'> {
  return {
    calls: buckets.reduce((sum, bucket) => sum + bucket.calls, 0),
    failures: buckets.reduce((sum, bucket) => sum + bucket.failures, 0),
    slow: buckets.reduce((sum, bucket) => sum + bucket.slow, 0),
  };
}

function trips(buckets: readonly Bucket[]): boolean {
  const { calls, failures, slow } = totals(buckets);
  return calls >= CALLS_MIN && (failures >= calls * FAILURE_SHARE || slow >= calls * SLOW_SHARE);
}

function counted(buckets: readonly Bucket[], reports: readonly CallReport[], nowMs: number): readonly Bucket[] {
  const startMs = Math.floor(nowMs / BUCKET_MS) * BUCKET_MS;
  const recent = buckets.filter((bucket) => bucket.startMs > nowMs - WINDOW_MS && bucket.startMs !== startMs);
  const present = buckets.find((bucket) => bucket.startMs === startMs) ?? { startMs, calls: 0, failures: 0, slow: 0 };
  const signs = reports.filter((report) => report.result !== 'no_sign');
  const bucket = {
    startMs,
    calls: present.calls + signs.length,
    failures: present.failures + signs.filter((sign) => sign.result === 'failure').length,
    slow: present.slow + signs.filter((sign) => sign.slow).length,
  };
  return bucket.calls === 0 ? recent : [...recent, bucket];
}

function opened(breaker: Breaker, nowMs: number, random: number): Breaker {
  const baseMs = Math.min(OPEN_MAX_MS, OPEN_FIRST_MS * 2 ** Math.min(breaker.openings, 10));
  const openMs = Math.round(baseMs * (1 - OPEN_JITTER + 2 * OPEN_JITTER * random));
  return {
    ...breaker,
    mode: 'open',
    openUntilMs: nowMs + openMs,
    openings: breaker.openings + 1,
    leases: [],
    trialSuccesses: 0,
  };
}
