/** A plot of payments over time, with the same numbers in a table for who cannot see it. */
import type { ActivitySlot } from '../api/types.ts';
import { type Part, plotOf } from './bars.ts';

const WIDTH = 560;
const HEIGHT = 150;
const FRAME = { left: 34, top: 8, width: WIDTH - 40, height: HEIGHT - 32 };
const CLASSES: Readonly<Record<Part, string>> = { completed: 'done', failed: 'refused', pending: 'waiting' };

interface PlotProps {
  readonly title: string;
  readonly slots: readonly ActivitySlot[];
  readonly parts: readonly Part[];
}

export function ActivityPlot({ title, slots, parts }: PlotProps) {
  const { bars, scale } = plotOf(slots, parts, FRAME);
  const total = (part: Part) => slots.reduce((sum, slot) => sum + slot[part], 0);
  const totals = parts.map((part) => `${total(part).toLocaleString('en')} ${part}`).join(', ');
  const clock = (slot: ActivitySlot | undefined) =>
    slot === undefined ? '' : new Date(slot.from).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' });
  return (
    <figure className="plot-figure">
      <svg className="plot" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`${title}: ${totals}`}>
        {scale.map(({ value, y }) => (
          <g key={value}>
            <line x1={FRAME.left} x2={WIDTH - 6} y1={y} y2={y} className="grid" />
            <text x={FRAME.left - 6} y={y + 4} textAnchor="end" className="tick">
              {value}
            </text>
          </g>
        ))}
        {bars.map(({ part, x, y, width, height }) => (
          <rect key={`${x} ${part}`} x={x} y={y} width={width} height={height} className={`bar ${CLASSES[part]}`} />
        ))}
        <text x={FRAME.left} y={HEIGHT - 6} className="tick">
          {clock(slots[0])}
        </text>
        <text x={WIDTH - 6} y={HEIGHT - 6} textAnchor="end" className="tick">
          now
        </text>
      </svg>
      <figcaption>
        <ul className="legend subtle">
          {parts.map((part) => (
            <li key={part}>
              <svg width="14" height="10" aria-hidden="true">
                <rect width="14" height="10" rx="3" className={`bar ${CLASSES[part]}`} />
              </svg>
              {total(part).toLocaleString('en')} {part}
            </li>
          ))}
        </ul>
        <details className="subtle">
          <summary>As a table</summary>
          <table>
            <thead>
              <tr>
                <th scope="col">From</th>
                {parts.map((part) => (
                  <th key={part} scope="col">
                    {part}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {slots
                .filter((slot) => parts.some((part) => slot[part] > 0))
                .map((slot) => (
                  <tr key={slot.from}>
                    <th scope="row">{clock(slot)}</th>
                    {parts.map((part) => (
                      <td key={part} className="number">
                        {slot[part]}
                      </td>
                    ))}
                  </tr>
                ))}
            </tbody>
          </table>
        </details>
      </figcaption>
    </figure>
  );
}
