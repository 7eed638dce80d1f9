/**
 * A payment's timeline as a file: the picture that the console draws (console/src/timeline/picture.ts), as SVG with colours for
 * light and dark of its own. Called by scripts/screenshots.ts.
 */
import { layoutOf } from '../../console/src/timeline/layout.ts';
import { pictureOf, type Shape } from '../../console/src/timeline/picture.ts';
import type { Envelope } from '../../src/domain/events/envelope.ts';

const WIDTH = 820;

const STYLE = `
  svg { color-scheme: light dark; --text: #1c1c1f; --subtle: #5f5f66; --line: #d9d9de; --good: #0b7a4b; --bad: #c0261f;
    --doubt: #a35200; --wait: #5b6b86; --undo: #6f3fc4; }
  @media (prefers-color-scheme: dark) {
    svg { --text: #f2f2f4; --subtle: #b4b4bb; --line: #44444c; --good: #3ecf8e; --bad: #ff7a72; --doubt: #ffb366;
      --wait: #93a4c3; --undo: #b79bff; }
  }
  text { font: 11px system-ui, sans-serif; fill: var(--text); }
  .label { font-size: 12px; } .tick, .duration { fill: var(--subtle); } text.undo { fill: var(--undo); }
  text.good { fill: var(--good); } text.bad { fill: var(--bad); }
  .grid { stroke: var(--line); } .mark { stroke: var(--wait); stroke-dasharray: 3 3; }
  line.good { stroke: var(--good); } line.bad { stroke: var(--bad); }
  .done { fill: var(--good); } .done.undo { fill: var(--undo); } .refused { fill: var(--bad); }
  .unknown, .not_sent { fill: var(--doubt); } .waiting, .running, .given_up { fill: var(--wait); }
`;

export function timelineSvg(events: readonly Envelope[], title: string): string {
  const timeline = layoutOf(events);
  const { width, height, shapes } = pictureOf(timeline, timeline.toMs, WIDTH);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}</style>`,
    ...shapes.map(elementOf),
    '</svg>',
    '',
  ].join('\n');
}

function elementOf(shape: Shape): string {
  const kind = `class="${shape.className}"`;
  if (shape.kind === 'line') {
    const { x1, y1, x2, y2 } = shape;
    return `<line ${kind} x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}"/>`;
  }
  if (shape.kind === 'text') {
    const { x, y, anchor, text } = shape;
    return `<text ${kind} x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${escaped(text)}</text>`;
  }
  const { x, y, width, height, title } = shape;
  const place = `x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" rx="3"`;
  return `<rect ${kind} ${place}><title>${escaped(title)}</title></rect>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
