import { describe, expect, it } from 'vitest';
import {
  ask,
  type Breaker,
  BUCKET_MS,
  CALLS_MIN,
  type CallReport,
  CLOSED,
  force,
  LEASE_MS,
  OPEN_FIRST_MS,
  OPEN_MAX_MS,
  PERMITS_MAX,
  tell,
  totals,
  WINDOW_MS,
} from '../../src/domain/circuit-breaker.ts';

const T = 1_800_000_000_000;
const MIDDLE = 0.5;
const SUCCESS: CallReport = { result: 'success', slow: false };
const FAILURE: CallReport = { result: 'failure', slow: false };
const SLOW: CallReport = { result: 'success', slow: true };
const NO_SIGN: CallReport = { result: 'no_sign', slow: false };
const times = (count: number, report: CallReport): CallReport[] => Array.from({ length: count }, () => report);

let lastId = 0;
const newId = () => `lease-${++lastId}`;
const askFor = (breaker: Breaker, wanted: number, nowMs: number) => ask(breaker, wanted, nowMs, newId);
const broken = (nowMs = T): Breaker => tell(CLOSED, times(CALLS_MIN, FAILURE), nowMs, MIDDLE);

/** Half open at `nowMs`, with `count` leases. */
function trying(breaker: Breaker, count: number, nowMs: number): { breaker: Breaker; leases: readonly string[] } {
  const asked = askFor(breaker, count, nowMs);
  if (asked.permit.kind !== 'leased') throw new Error(asked.permit.kind);
  return { breaker: asked.breaker, leases: asked.permit.leases };
}

describe('a closed breaker', () => {
  it('has nothing counted and nothing leased', () => {
    expect(CLOSED).toMatchObject({ mode: 'closed', forced: null, buckets: [], leases: [], openings: 0 });
  });

  it('counts a moment’s calls together, also when they are told one by one, and leaves out those that are no sign', () => {
    const first = tell(CLOSED, [...times(CALLS_MIN - 1, FAILURE), NO_SIGN], T, MIDDLE);
    expect(first.buckets).toEqual([{ startMs: T, calls: CALLS_MIN - 1, failures: CALLS_MIN - 1, slow: 0 }]);
    const last = tell(first, [FAILURE], T, MIDDLE);
    expect(last).toMatchObject({ mode: 'open', buckets: [], leases: [] });
    expect(tell(CLOSED, [NO_SIGN], T, MIDDLE).buckets).toEqual([]);
  });

  it('has twelve buckets to its window, the oldest of which is out when it is a whole window old', () => {
    expect(WINDOW_MS / BUCKET_MS).toBe(12);
    const before = tell(CLOSED, times(CALLS_MIN - 1, FAILURE), T, MIDDLE);
    expect(tell(before, [FAILURE], T + WINDOW_MS - 1, MIDDLE).mode).toBe('open');
    expect(tell(before, [FAILURE], T + WINDOW_MS, MIDDLE).mode).toBe('closed');
  });

  it('lets every call through', () => {
    expect(askFor(CLOSED, 1_000, T).permit).toEqual({ kind: 'free' });
  });

  it.each([
    ['19 failures', times(CALLS_MIN - 1, FAILURE), 'closed'],
    ['20 failures', times(CALLS_MIN, FAILURE), 'open'],
    ['half of 20 failing', [...times(10, SUCCESS), ...times(10, FAILURE)], 'open'],
    ['less than half of 21 failing', [...times(11, SUCCESS), ...times(10, FAILURE)], 'closed'],
    ['80 % of 20 slow', [...times(4, SUCCESS), ...times(16, SLOW)], 'open'],
    ['79 % of 19+1 slow', [...times(5, SUCCESS), ...times(15, SLOW)], 'closed'],
    ['only calls that are no sign', times(100, NO_SIGN), 'closed'],
    ['failures among calls that are no sign', [...times(100, NO_SIGN), ...times(CALLS_MIN - 1, FAILURE)], 'closed'],
  ] as const)('after %s is %s', (_says, reports, mode) => {
    expect(tell(CLOSED, reports, T, MIDDLE).mode).toBe(mode);
  });

  it('forgets what is older than its window', () => {
    const before = tell(CLOSED, times(CALLS_MIN - 1, FAILURE), T, MIDDLE);
    expect(tell(before, [FAILURE], T + WINDOW_MS - BUCKET_MS, MIDDLE).mode).toBe('open');
    const later = tell(before, [FAILURE], T + WINDOW_MS + BUCKET_MS, MIDDLE);
    expect(later.mode).toBe('closed');
    expect(totals(later.buckets)).toEqual({ calls: 1, failures: 1, slow: 0 });
  });

  it('counts calls of one bucket together, in as many buckets as the window has at most', () => {
    let breaker: Breaker = CLOSED;
    for (let ms = 0; ms < 3 * WINDOW_MS; ms += 500) breaker = tell(breaker, [SUCCESS], T + ms, MIDDLE);
    expect(breaker.buckets.length).toBeLessThanOrEqual(WINDOW_MS / BUCKET_MS + 1);
    expect(totals(breaker.buckets).calls).toBeLessThanOrEqual((WINDOW_MS + BUCKET_MS) / 500);
  });
});

describe('an open breaker', () => {
  it('refuses every call until its time is over, and says how long that is', () => {
    const breaker = broken();
    expect(askFor(breaker, 1, T + 10_000).permit).toEqual({ kind: 'refused', retryAfterMs: OPEN_FIRST_MS - 10_000 });
    expect(askFor(breaker, 1, T + OPEN_FIRST_MS - 1).permit.kind).toBe('refused');
    expect(askFor(breaker, 1, T + OPEN_FIRST_MS).permit.kind).toBe('leased');
  });

  it('is not moved by calls that began before it opened', () => {
    const breaker = broken();
    expect(tell(breaker, times(50, SUCCESS), T + 1_000, MIDDLE)).toEqual(breaker);
    expect(tell(breaker, times(50, FAILURE), T + 1_000, MIDDLE)).toEqual(breaker);
  });

  it('spreads its time by the jitter, each way', () => {
    const spans = [0, MIDDLE, 0.999_999].map((random) => {
      return tell(CLOSED, times(CALLS_MIN, FAILURE), T, random).openUntilMs - T;
    });
    expect(spans).toEqual([27_000, 30_000, 33_000]);
  });

  it('stays open twice as long each time it opens again, up to five minutes', () => {
    let breaker = broken();
    const spans: number[] = [];
    for (let opening = 0; opening < 6; opening += 1) {
      const atMs = breaker.openUntilMs;
      const tried = trying(breaker, 1, atMs);
      breaker = tell(tried.breaker, [{ ...FAILURE, leaseId: tried.leases[0] ?? '' }], atMs, MIDDLE);
      spans.push(breaker.openUntilMs - atMs);
    }
    expect(spans).toEqual([60_000, 120_000, 240_000, OPEN_MAX_MS, OPEN_MAX_MS, OPEN_MAX_MS]);
  });
});

describe('a half-open breaker', () => {
  const halfOpenAtMs = T + OPEN_FIRST_MS;

  it('leases for longer than a call may take, half a minute, and stays half open when the clock is set back', () => {
    expect(LEASE_MS).toBeGreaterThan(30_000);
    const { breaker } = trying(broken(), 1, halfOpenAtMs);
    expect(askFor(breaker, 1, T + 1).permit.kind).toBe('leased');
  });

  it('that opened again begins its next trial with no success and no lease of the last', () => {
    const { breaker, leases } = trying(broken(), PERMITS_MAX, halfOpenAtMs);
    const four = leases.slice(1).map((leaseId) => ({ ...SUCCESS, leaseId }));
    const failure = { ...FAILURE, leaseId: leases[0] ?? '' };
    const again = tell(tell(breaker, four, halfOpenAtMs, MIDDLE), [failure], halfOpenAtMs, MIDDLE);
    const next = trying(again, PERMITS_MAX, again.openUntilMs);
    expect(next.leases).toHaveLength(PERMITS_MAX);
    const [leaseId = ''] = next.leases;
    expect(tell(next.breaker, [{ ...SUCCESS, leaseId }], again.openUntilMs, MIDDLE).mode).toBe('half_open');
  });

  it('leases five calls at once, to one asker or to many', () => {
    const first = trying(broken(), 3, halfOpenAtMs);
    expect(first.leases).toHaveLength(3);
    const second = trying(first.breaker, 100, halfOpenAtMs);
    expect(second.leases).toHaveLength(PERMITS_MAX - 3);
    expect(askFor(second.breaker, 1, halfOpenAtMs).permit.kind).toBe('refused');
  });

  it('gets a permit back when its holder dies', () => {
    const all = trying(broken(), PERMITS_MAX, halfOpenAtMs);
    expect(askFor(all.breaker, 1, halfOpenAtMs + LEASE_MS - 1).permit.kind).toBe('refused');
    expect(trying(all.breaker, PERMITS_MAX, halfOpenAtMs + LEASE_MS).leases).toHaveLength(PERMITS_MAX);
  });

  it('closes after five successes, and begins to count anew', () => {
    let { breaker, leases } = trying(broken(), PERMITS_MAX, halfOpenAtMs);
    for (const leaseId of leases) {
      expect(breaker.mode).toBe('half_open');
      breaker = tell(breaker, [{ ...SUCCESS, leaseId }], halfOpenAtMs, MIDDLE);
    }
    expect(breaker).toEqual(CLOSED);
  });

  it.each([
    ['a failure', FAILURE],
    ['a slow success', SLOW],
  ])('opens again after %s', (_says, report) => {
    const { breaker, leases } = trying(broken(), PERMITS_MAX, halfOpenAtMs);
    const four = leases.slice(1).map((leaseId) => ({ ...SUCCESS, leaseId }));
    const after = tell(
      tell(breaker, four, halfOpenAtMs, MIDDLE),
      [{ ...report, leaseId: leases[0] ?? '' }],
      halfOpenAtMs,
      MIDDLE,
    );
    expect(after).toMatchObject({ mode: 'open', openUntilMs: halfOpenAtMs + 2 * OPEN_FIRST_MS, leases: [] });
  });

  it('takes a permit back from a call that is no sign, and does not count it', () => {
    const { breaker, leases } = trying(broken(), PERMITS_MAX, halfOpenAtMs);
    const after = tell(breaker, [{ ...NO_SIGN, leaseId: leases[0] ?? '' }], halfOpenAtMs, MIDDLE);
    expect(after).toMatchObject({ mode: 'half_open', trialSuccesses: 0 });
    expect(trying(after, PERMITS_MAX, halfOpenAtMs).leases).toHaveLength(1);
  });

  it('does not count calls without a lease, with a foreign one, or told twice', () => {
    const { breaker, leases } = trying(broken(), 1, halfOpenAtMs);
    const told: CallReport = { ...SUCCESS, leaseId: leases[0] ?? '' };
    const once = tell(breaker, [told], halfOpenAtMs, MIDDLE);
    const again = tell(once, [told, SUCCESS, { ...FAILURE, leaseId: 'foreign' }, FAILURE], halfOpenAtMs, MIDDLE);
    expect(again).toMatchObject({ mode: 'half_open', trialSuccesses: 1 });
  });
});

describe('a forced breaker', () => {
  it('does as it was told, whatever is measured', () => {
    const open = force(CLOSED, 'open');
    expect(askFor(open, 1, T).permit.kind).toBe('refused');
    expect(askFor(tell(open, times(50, SUCCESS), T, MIDDLE), 1, T + WINDOW_MS).permit.kind).toBe('refused');
    const closed = force(broken(), 'closed');
    expect(askFor(tell(closed, times(50, FAILURE), T, MIDDLE), 1, T).permit).toEqual({ kind: 'free' });
  });

  it('goes by its own measurements again once the word is taken back, from nothing', () => {
    const freed = force(force(broken(), 'open'), null);
    expect(freed).toEqual(CLOSED);
    expect(tell(freed, times(CALLS_MIN, FAILURE), T, MIDDLE).mode).toBe('open');
  });
});

it('a forced breaker counts nothing and leases nothing, and forgets what it had', () => {
  const counting = tell(CLOSED, times(3, FAILURE), T, MIDDLE);
  const { breaker: trial } = trying(broken(), 2, T + OPEN_FIRST_MS);
  for (const forced of ['open', 'closed'] as const) {
    expect(force(counting, forced)).toEqual({ ...CLOSED, forced });
    expect(force(trial, forced)).toMatchObject({ leases: [], buckets: [] });
    expect(tell(force(CLOSED, forced), times(CALLS_MIN, FAILURE), T, MIDDLE)).toEqual({ ...CLOSED, forced });
  }
});
