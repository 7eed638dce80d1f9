/**
 * Pure: payments over time as stacked bars: where each part stands in the plot, and round numbers for the scale beside it.
 */
import type { ActivitySlot } from '../api/types.ts';

export type Part = 'completed' | 'failed' | 'pending';

export interface Bar {
  readonly part: Part;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Plot {
  readonly bars: readonly Bar[];
  /** Values of the scale, with where they stand. */
  readonly scale: readonly { readonly value: number; readonly y: number }[];
}

export interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Each slot's `parts`, from the bottom up, in the frame. */
export function plotOf(slots: readonly ActivitySlot[], parts: readonly Part[], frame: Frame): Plot {
  const totals = slots.map((slot) => parts.reduce((total, part) => total + slot[part], 0));
  const top = roundUp(Math.max(1, ...totals));
  const bottomY = frame.top + frame.height;
  const yOf = (value: number) => bottomY - (value / top) * frame.height;
  const slotWidth = frame.width / Math.max(slots.length, 1);
  const bars = slots.flatMap((slot, at) => {
    let below = 0;
    return parts.flatMap((part): Bar[] => {
      const count = slot[part];
      if (count === 0) return [];
      const y = yOf(below + count);
      const bar = { part, x: frame.left + at * slotWidth + 1, y, width: slotWidth - 2, height: yOf(below) - y };
      below += count;
      return [bar];
    });
  });
  const values = top > 1 && top % 2 === 0 ? [0, top / 2, top] : [0, top];
  return { bars, scale: values.map((value) => ({ value, y: yOf(value) })) };
}

/** The next of 1, 2, 4, 10, 20, 40, 100 … */
export function roundUp(value: number): number {
  for (let power = 1; ; power *= 10) {
    for (const step of [1, 2, 4]) if (step * power >= value) return step * power;
  }
}
