// The slots of the overview's plots: which there are, and what is counted in each.
import { describe, expect, test } from 'vitest';
import { type SlotCount, slotsOf, WINDOWS, windowFromMs } from '../../src/domain/activity.ts';
import { HOUR_MS, MINUTE_MS } from '../../src/domain/limits.ts';

const NOW_MS = Date.parse('2026-11-24T12:34:56.789Z');
const minute = Math.floor(NOW_MS / MINUTE_MS);

describe('the window', () => {
  test('of an hour has a slot for each of 60 minutes, the last being the one that now is in', () => {
    const slots = slotsOf('hour', NOW_MS, []);
    expect(slots).toHaveLength(60);
    expect(new Date(slots[0]?.fromMs ?? 0).toISOString()).toBe('2026-11-24T11:35:00.000Z');
    expect(new Date(slots.at(-1)?.fromMs ?? 0).toISOString()).toBe('2026-11-24T12:34:00.000Z');
  });

  test('of a day has a slot for each of 24 hours', () => {
    const slots = slotsOf('day', NOW_MS, []);
    expect(slots).toHaveLength(24);
    expect(new Date(slots[0]?.fromMs ?? 0).toISOString()).toBe('2026-11-23T13:00:00.000Z');
    expect(new Date(slots.at(-1)?.fromMs ?? 0).toISOString()).toBe('2026-11-24T12:00:00.000Z');
  });

  test('begins where its first slot does, also at the very start of a slot', () => {
    for (const window of ['hour', 'day'] as const) {
      for (const nowMs of [NOW_MS, Math.floor(NOW_MS / HOUR_MS) * HOUR_MS]) {
        expect(windowFromMs(window, nowMs)).toBe(slotsOf(window, nowMs, [])[0]?.fromMs);
      }
    }
    expect(WINDOWS).toEqual({ hour: { slotMs: 60_000, slots: 60 }, day: { slotMs: 3_600_000, slots: 24 } });
  });
});

describe('a slot', () => {
  test('counts payments by what has become of them', () => {
    const counts: SlotCount[] = [
      { slot: minute, status: 'COMPLETED', count: 3 },
      { slot: minute, status: 'FAILED', count: 2 },
      { slot: minute, status: 'PENDING', count: 1 },
      { slot: minute - 1, status: 'COMPLETED', count: 5 },
      { slot: minute - 1, status: 'COMPLETED', count: 2 },
    ];
    const slots = slotsOf('hour', NOW_MS, counts);
    expect(slots.at(-1)).toEqual({ fromMs: minute * MINUTE_MS, completed: 3, failed: 2, pending: 1 });
    expect(slots.at(-2)).toEqual({ fromMs: (minute - 1) * MINUTE_MS, completed: 7, failed: 0, pending: 0 });
    expect(slots.slice(0, -2).every(({ completed, failed, pending }) => completed + failed + pending === 0)).toBe(true);
  });

  test('outside of the window is left out', () => {
    const outside = [minute - 60, minute + 1].map((slot) => ({ slot, status: 'FAILED' as const, count: 9 }));
    expect(slotsOf('hour', NOW_MS, outside).reduce((sum, { failed }) => sum + failed, 0)).toBe(0);
  });
});
