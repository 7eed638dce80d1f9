/** What a run of the sweeper tells of what it found, and the bounds that it keeps. */
import { describe, expect, test } from 'vitest';
import { MINUTE_MS } from '../../src/domain/limits.ts';
import type { PokeResult } from '../../src/domain/saga-rpc.ts';
import {
  HOLD_OVERDUE_MS,
  LOOK_AGAIN_MS,
  LOOK_AGAIN_RUNS_MAX,
  OUTBOX_STALE_MS,
  STILL_MAX_MS,
  STILL_MAX_MS_BY_STATE,
  SWEEP_FINDINGS_MAX,
  SWEEP_PAGE_ROWS,
  SWEEP_SAGAS_MAX,
  SWEEP_WALLETS_MAX,
  SWEEPS_KEPT_MAX,
} from '../../src/domain/sweep-policy.ts';
import {
  emptyReport,
  FINDINGS,
  type FindingKind,
  longestOutboxAgeMs,
  note,
  notePoke,
} from '../../src/domain/sweep-report.ts';

const NONE: Readonly<Record<FindingKind, number>> = {
  alarm_lost: 0,
  record_behind: 0,
  outbox_stale: 0,
  object_empty: 0,
  hold_overdue: 0,
  hold_of_ended: 0,
  failed: 0,
};

type Poked = Extract<PokeResult, { kind: 'poked' }>;

/** An object's answer that there is nothing to say of, but for what is given. */
const poked = (answer: Partial<Poked> = {}): Poked => ({
  kind: 'poked',
  state: 'debiting',
  terminal: false,
  due: false,
  armed: true,
  moved: false,
  outboxAgeMs: null,
  ...answer,
});

function told(...results: readonly PokeResult[]) {
  const report = emptyReport();
  for (const result of results) notePoke(report, 'pay_1', result);
  return report;
}

describe('a report', () => {
  test('begins with nothing counted, of every kind there is, and nothing named', () => {
    expect(emptyReport()).toStrictEqual({
      examined: 0,
      poked: 0,
      moved: 0,
      wallets_asked: 0,
      truncated: false,
      counts: NONE,
      findings: [],
    });
    expect(FINDINGS).toEqual(Object.keys(NONE));
  });

  test('shares nothing with another', () => {
    const one = emptyReport();
    note(one, { kind: 'failed', id: 'pay_1' });
    expect(emptyReport()).toMatchObject({ counts: NONE, findings: [] });
  });

  test.each(FINDINGS)('counts a finding of the kind %s under it, and names it as it was found', (kind) => {
    const report = emptyReport();
    const finding = { kind, id: 'pay_1', state: 'debiting', wallet_id: 'wal-1', age_ms: 7 };
    note(report, finding);
    expect(report.counts).toStrictEqual({ ...NONE, [kind]: 1 });
    expect(report.findings).toStrictEqual([finding]);
    expect(report).toMatchObject({ examined: 0, poked: 0, moved: 0 });
  });

  test('names the first findings up to its bound, in the order in which they were found, and counts all', () => {
    const report = emptyReport();
    const ids = Array.from({ length: SWEEP_FINDINGS_MAX + 2 }, (_, index) => `pay_${index}`);
    for (const id of ids) note(report, { kind: 'hold_overdue', id });
    expect(report.counts).toStrictEqual({ ...NONE, hold_overdue: 52 });
    expect(report.findings.map(({ id }) => id)).toEqual(ids.slice(0, 50));
  });
});

describe('the answer of an object', () => {
  test('that is well and has nothing to do counts as an answer, and is no finding', () => {
    expect(told(poked())).toStrictEqual({ ...emptyReport(), poked: 1 });
  });

  test('that has moved is counted as moved; that something was due besides is no finding', () => {
    expect(told(poked({ moved: true, due: true }), poked(), poked({ due: true }))).toStrictEqual({
      ...emptyReport(),
      poked: 3,
      moved: 1,
    });
  });

  test('that no alarm is set is a lost alarm', () => {
    expect(told(poked({ armed: false }))).toStrictEqual({
      ...emptyReport(),
      poked: 1,
      counts: { ...NONE, alarm_lost: 1 },
      findings: [{ kind: 'alarm_lost', id: 'pay_1', state: 'debiting' }],
    });
  });

  test('that it has ended is a record that is behind', () => {
    expect(told(poked({ terminal: true, state: 'completed' }))).toStrictEqual({
      ...emptyReport(),
      poked: 1,
      counts: { ...NONE, record_behind: 1 },
      findings: [{ kind: 'record_behind', id: 'pay_1', state: 'completed' }],
    });
  });

  test('that its events wait is a finding, with how long, only past the time that they may take', () => {
    expect(told(poked({ outboxAgeMs: OUTBOX_STALE_MS }), poked({ outboxAgeMs: 0 })).findings).toEqual([]);
    expect(told(poked({ outboxAgeMs: OUTBOX_STALE_MS + 1 }))).toStrictEqual({
      ...emptyReport(),
      poked: 1,
      counts: { ...NONE, outbox_stale: 1 },
      findings: [{ kind: 'outbox_stale', id: 'pay_1', state: 'debiting', age_ms: 120_001 }],
    });
  });

  test('may be all of that at once: each is named', () => {
    const report = told(poked({ moved: true, armed: false, terminal: true, outboxAgeMs: 200_000 }));
    expect(report.findings.map(({ kind }) => kind)).toEqual(['alarm_lost', 'record_behind', 'outbox_stale']);
    expect(report).toMatchObject({ poked: 1, moved: 1 });
  });

  test('that it knows of no saga is an empty object, with no state to tell', () => {
    expect(told({ kind: 'unknown_saga' })).toStrictEqual({
      ...emptyReport(),
      poked: 1,
      counts: { ...NONE, object_empty: 1 },
      findings: [{ kind: 'object_empty', id: 'pay_1' }],
    });
  });

  test('that its retention has ended is an answer like any other', () => {
    expect(told({ kind: 'expired' })).toStrictEqual({ ...emptyReport(), poked: 1 });
  });
});

describe('how long the outbox has waited', () => {
  const stale = (outboxAgeMs: number) => told(poked({ outboxAgeMs }));

  test('is the longest that any of the reports has, whichever it is', () => {
    expect(longestOutboxAgeMs([told(poked()), stale(150_000), stale(130_000)])).toBe(150_000);
    expect(longestOutboxAgeMs([told(poked({ outboxAgeMs: 130_000 }), poked({ outboxAgeMs: 140_000 }))])).toBe(140_000);
  });

  test('is nothing where none of them found that it waits, whatever else they found', () => {
    expect(longestOutboxAgeMs([])).toBe(0);
    const other = emptyReport();
    note(other, { kind: 'hold_overdue', id: 'pay_1', age_ms: 900_000 });
    expect(longestOutboxAgeMs([told(poked({ armed: false })), other])).toBe(0);
  });

  test('is the least that it can be where it is counted, and others took the room for names', () => {
    const report = emptyReport();
    for (let at = 0; at < SWEEP_FINDINGS_MAX; at += 1) note(report, { kind: 'alarm_lost', id: `pay_${at}` });
    notePoke(report, 'pay_1', poked({ outboxAgeMs: 900_000 }));
    expect(longestOutboxAgeMs([report])).toBe(OUTBOX_STALE_MS);
  });
});

describe('the bounds of the sweeper', () => {
  test('tell of the outbox until the same saga has been looked at again, by a run that is late too, and read no fewer reports', () => {
    const againMs = Math.ceil((STILL_MAX_MS + 1) / MINUTE_MS) * MINUTE_MS;
    expect(LOOK_AGAIN_MS).toBe(againMs + MINUTE_MS);
    expect(LOOK_AGAIN_RUNS_MAX).toBe(16);
  });

  test('leave a saga alone for longer than its own longest wait, and one that waits for a person for a day and an hour', () => {
    expect(STILL_MAX_MS).toBe(360_000);
    expect(STILL_MAX_MS_BY_STATE).toStrictEqual({ needs_attention: 90_000_000 });
  });

  test('leave a hold to its wallet’s alarm, and events to their queue, for two minutes', () => {
    expect([HOLD_OVERDUE_MS, OUTBOX_STALE_MS]).toEqual([120_000, 120_000]);
  });

  test('are whole pages of sagas, and few enough calls for one run', () => {
    expect(SWEEP_SAGAS_MAX % SWEEP_PAGE_ROWS).toBe(0);
    expect(2 * SWEEP_SAGAS_MAX + SWEEP_WALLETS_MAX).toBeLessThan(300);
    expect(SWEEPS_KEPT_MAX).toBe(180);
  });
});
