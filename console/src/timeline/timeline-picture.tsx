/** Draws a timeline's picture (picture.ts). What it shows is in the table beside it too: it is one image to a screen reader. */
import { useEffect, useRef, useState } from 'react';
import type { Timeline } from './layout.ts';
import { pictureOf, type Shape } from './picture.ts';

const WIDTH_MIN = 300;
const TICK_MS = 500;

export function TimelinePicture({ timeline, label }: { timeline: Timeline; label: string }) {
  const frame = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(WIDTH_MIN);
  const nowMs = useNow(!timeline.isEnded);
  useEffect(() => {
    const element = frame.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => setWidth(Math.max(element.clientWidth, WIDTH_MIN)));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const picture = pictureOf(timeline, nowMs, width);
  return (
    <figure className="timeline-figure" ref={frame}>
      <svg
        className="timeline"
        role="img"
        aria-label={label}
        width={picture.width}
        height={picture.height}
        viewBox={`0 0 ${picture.width} ${picture.height}`}
      >
        {picture.shapes.map((shape, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a shape is nothing but its place in the picture.
          <ShapeElement key={at} shape={shape} />
        ))}
      </svg>
      <figcaption className="subtle">
        <Legend />
        {picture.isCompressed && <p>The time axis is compressed: long waits are drawn shorter than they were.</p>}
      </figcaption>
    </figure>
  );
}

function ShapeElement({ shape }: { shape: Shape }) {
  if (shape.kind === 'line') {
    const { x1, y1, x2, y2, className } = shape;
    return <line x1={x1} y1={y1} x2={x2} y2={y2} className={className} />;
  }
  if (shape.kind === 'text') {
    return (
      <text x={shape.x} y={shape.y} textAnchor={shape.anchor} className={shape.className}>
        {shape.text}
      </text>
    );
  }
  const { x, y, width, height, className, title } = shape;
  return (
    <rect x={x} y={y} width={width} height={height} rx={3} className={className}>
      <title>{title}</title>
    </rect>
  );
}

const LEGEND = [
  ['done', 'done'],
  ['refused', 'refused'],
  ['unknown', 'unknown or not sent'],
  ['waiting', 'pending or running'],
  ['done undo', 'undoing'],
] as const;

function Legend() {
  return (
    <ul className="legend">
      {LEGEND.map(([className, text]) => (
        <li key={text}>
          <svg width="14" height="10" aria-hidden="true" className="timeline">
            <rect width="14" height="10" rx="3" className={`bar ${className}`} />
          </svg>
          {text}
        </li>
      ))}
    </ul>
  );
}

/** The time, moving while something runs. */
function useNow(isMoving: boolean): number {
  const [nowMs, setNowMs] = useState(() => Date.now());
  useEffect(() => {
    if (!isMoving) return;
    const timer = setInterval(() => setNowMs(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, [isMoving]);
  return nowMs;
}
