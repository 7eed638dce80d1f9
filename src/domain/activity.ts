/**
 * Pure: payments over time, for the plots of the operations console: which slots a window has, and what fell into each. A
 * payment is counted in the slot in which it was made, by what has become of it since.
 */
import { HOUR_MS, MINUTE_MS } from './limits.ts';
import type { PaymentStatus } from './payment.ts';

/** How long a slot is, and how many a window has; the last one is the slot that `now` is in. */
export const WINDOWS = {
  hour: { slotMs: MINUTE_MS, slots: 60 },
  day: { slotMs: HOUR_MS, slots: 24 },
} as const;
export type ActivityWindow = keyof typeof WINDOWS;
export const ACTIVITY_WINDOWS = Object.keys(WINDOWS) as [ActivityWindow, ...ActivityWindow[]];

/** Payments of one slot and status, counted; `slot` is the time divided by the slot's length, rounded down. */
export interface SlotCount {
  readonly slot: number;
  readonly status: PaymentStatus;
  readonly count: number;
}

export interface Slot {
  readonly fromMs: number;
  readonly completed: number;
  readonly failed: number;
  readonly pending: number;
}

/** When the first slot of the window begins. */
export function windowFromMs(window: ActivityWindow, nowMs: number): number {
  const { slotMs, slots } = WINDOWS[window];
  return (Math.floor(nowMs / slotMs) - slots + 1) * slotMs;
}

/** Every slot of the window, oldest first, those in which nothing was made included; counts outside of it are left out. */
export function slotsOf(window: ActivityWindow, nowMs: number, counts: readonly SlotCount[]): Slot[] {
  const { slotMs, slots } = WINDOWS[window];
  const first = windowFromMs(window, nowMs) / slotMs;
  return Array.from({ length: slots }, (_, at) => {
    const inSlot = counts.filter(({ slot }) => slot === first + at);
    const sum = (status: PaymentStatus) =>
      inSlot.reduce((total, entry) => (entry.status === status ? total + entry.count : total), 0);
    return {
      fromMs: (first + at) * slotMs,
      completed: sum('COMPLETED'),
      failed: sum('FAILED'),
      pending: sum('PENDING'),
    };
  });
}
