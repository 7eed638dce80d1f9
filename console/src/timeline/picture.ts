/**
 * Pure: the timeline as a picture: rectangles, lines and texts in a coordinate system as wide as it is asked to be. Drawn by
 * React in the console (timeline-picture.tsx), and as a file by scripts/console-shown/timeline-svg.ts. Colours are classes, so that each
 * may choose its own for light and dark.
 */
import { type Attempt, durationText, type Timeline } from './layout.ts';

export type Shape =
  | {
      readonly kind: 'rect';
      readonly x: number;
      readonly y: number;
      readonly width: number;
      readonly height: number;
      readonly className: string;
      readonly title: string;
    }
  | {
      readonly kind: 'line';
      readonly x1: number;
      readonly y1: number;
      readonly x2: number;
      readonly y2: number;
      readonly className: string;
    }
  | {
      readonly kind: 'text';
      readonly x: number;
      readonly y: number;
      readonly anchor: 'start' | 'middle' | 'end';
      readonly className: string;
      readonly text: string;
    };

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly shapes: readonly Shape[];
  /** The axis is not true to scale: so that a wait of hours leaves the rest to be seen. */
  readonly isCompressed: boolean;
}

const LABEL_WIDTH = 108;
const RIGHT = 64;
const TOP = 44;
const ROW_HEIGHT = 30;
const BAR_HEIGHT = 16;
const BAR_WIDTH_MIN = 3;
const BOTTOM = 28;
/** A longer timeline than this is drawn by the square roots of its intervals. */
const TRUE_TO_SCALE_MAX_MS = 120_000;
/** About as wide as the text of a mark. */
const MARK_GAP = 74;
const TEXT_WIDTH = 6.4;

/** @param nowMs how far what still runs is drawn; the end of the last event where nothing does. */
export function pictureOf(timeline: Timeline, nowMs: number, width: number): Picture {
  const endMs = timeline.isEnded ? timeline.toMs : Math.max(timeline.toMs, nowMs);
  const axis = axisOf(timeline, endMs, LABEL_WIDTH, width - RIGHT);
  const height = TOP + timeline.rows.length * ROW_HEIGHT + BOTTOM;
  const shapes: Shape[] = [...axisShapes(axis, timeline.fromMs, height), ...markShapes(timeline, axis.xOf, height)];
  timeline.rows.forEach(({ label, isUndo, attempts }, at) => {
    const y = TOP + at * ROW_HEIGHT;
    const middle = y + ROW_HEIGHT / 2;
    shapes.push(textShape(0, middle + 4, 'start', isUndo ? 'label undo' : 'label', isUndo ? `↩ ${label}` : label));
    for (const attempt of attempts) shapes.push(barShape(attempt, axis.xOf, y, endMs, isUndo, label));
    const last = attempts.at(-1);
    const first = attempts[0];
    if (first === undefined || last === undefined) return;
    const took = durationText((last.toMs ?? endMs) - first.fromMs);
    const count = attempts.length > 1 ? ` ×${attempts.length}` : '';
    const x = Math.max(axis.xOf(last.toMs ?? endMs), axis.xOf(last.fromMs) + BAR_WIDTH_MIN) + 6;
    const text = `${took}${count}`;
    const fits = x + text.length * TEXT_WIDTH < width;
    const beforeX = axis.xOf(first.fromMs) - 6;
    shapes.push(
      fits
        ? textShape(x, middle + 4, 'start', 'duration', text)
        : textShape(beforeX, middle + 4, 'end', 'duration', text),
    );
  });
  return { width, height, shapes, isCompressed: axis.isCompressed };
}

interface Axis {
  readonly xOf: (atMs: number) => number;
  readonly ticks: readonly { readonly atMs: number; readonly x: number }[];
  readonly isCompressed: boolean;
}

function axisOf(timeline: Timeline, endMs: number, fromX: number, toX: number): Axis {
  const { fromMs } = timeline;
  const spanMs = Math.max(endMs - fromMs, 1);
  const isCompressed = spanMs > TRUE_TO_SCALE_MAX_MS;
  if (!isCompressed) {
    const xOf = (atMs: number) => fromX + ((atMs - fromMs) / spanMs) * (toX - fromX);
    const parts = toX - fromX >= 4 * MARK_GAP ? [0, 0.25, 0.5, 0.75, 1] : [0, 0.5, 1];
    const ticks = parts.map((part) => fromMs + part * spanMs);
    return { xOf, ticks: ticks.map((atMs) => ({ atMs, x: xOf(atMs) })), isCompressed };
  }
  const moments = momentsOf(timeline, endMs);
  const weights = moments.slice(1).map((atMs, at) => Math.sqrt(atMs - (moments[at] ?? atMs)));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const places = [0];
  for (const weight of weights) places.push((places.at(-1) ?? 0) + weight / total);
  const xOf = (atMs: number): number => {
    const next = moments.findIndex((moment) => moment >= atMs);
    if (next <= 0) return fromX;
    const [before = 0, after = 0] = [moments[next - 1], moments[next]];
    const [left = 0, right = 0] = [places[next - 1], places[next]];
    return fromX + (left + ((atMs - before) / (after - before)) * (right - left)) * (toX - fromX);
  };
  const ticks: { atMs: number; x: number }[] = [];
  for (const atMs of moments) {
    const x = xOf(atMs);
    if (x - (ticks.at(-1)?.x ?? Number.NEGATIVE_INFINITY) >= MARK_GAP) ticks.push({ atMs, x });
  }
  return { xOf, ticks, isCompressed };
}

function momentsOf(timeline: Timeline, endMs: number): number[] {
  const attempts = timeline.rows.flatMap((row) => row.attempts);
  const times = attempts.flatMap(({ fromMs, toMs }) => (toMs === null ? [fromMs] : [fromMs, toMs]));
  const all = new Set([timeline.fromMs, endMs, ...times, ...timeline.marks.map(({ atMs }) => atMs)]);
  return [...all].sort((one, other) => one - other);
}

function axisShapes({ ticks }: Axis, fromMs: number, height: number): Shape[] {
  const bottom = height - BOTTOM;
  return ticks.flatMap(({ atMs, x }, at): Shape[] => [
    { kind: 'line', x1: x, y1: TOP - 6, x2: x, y2: bottom + 4, className: 'grid' },
    textShape(
      x,
      bottom + 18,
      at === 0 ? 'start' : 'middle',
      'tick',
      at === 0 ? '0' : `+${durationText(atMs - fromMs)}`,
    ),
  ]);
}

/** Marks that would be written over each other go up and down in turn; a third that is as near is drawn without its word. */
function markShapes({ marks }: Timeline, xOf: (atMs: number) => number, height: number): Shape[] {
  const ends = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  return marks.flatMap(({ atMs, label, kind }): Shape[] => {
    const x = xOf(atMs);
    const line: Shape = {
      kind: 'line',
      x1: x,
      y1: TOP - 10,
      x2: x,
      y2: height - BOTTOM + 4,
      className: `mark ${kind}`,
    };
    const level = ends.findIndex((end) => x - end >= MARK_GAP / 2);
    if (level === -1) return [line];
    ends[level] = x + MARK_GAP / 2;
    return [line, textShape(x, level === 0 ? 28 : 12, 'middle', `mark-label ${kind}`, label)];
  });
}

function barShape(
  attempt: Attempt,
  xOf: (atMs: number) => number,
  y: number,
  endMs: number,
  isUndo: boolean,
  label: string,
): Shape {
  const toMs = attempt.toMs ?? endMs;
  const x = xOf(attempt.fromMs);
  const title = [label, attempt.provider, attempt.answer ?? attempt.result, durationText(toMs - attempt.fromMs)];
  return {
    kind: 'rect',
    x,
    y: y + (ROW_HEIGHT - BAR_HEIGHT) / 2,
    // A little less than it lasted, so that two attempts in a row are two bars.
    width: Math.max(xOf(toMs) - x - 1, BAR_WIDTH_MIN),
    height: BAR_HEIGHT,
    className: `bar ${attempt.result}${isUndo ? ' undo' : ''}`,
    title: title.filter((part) => part !== null).join(' · '),
  };
}

function textShape(x: number, y: number, anchor: 'start' | 'middle' | 'end', className: string, text: string): Shape {
  return { kind: 'text', x, y, anchor, className, text };
}
