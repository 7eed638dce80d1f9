/** Pure: the benchmark's numbers as plain tables with bars; ratios are to the floor of the same concurrency. */
import type { Grown, Row, Series } from './run.ts';

const NAMES: Readonly<Record<Series, string>> = {
  floor: 'floor: one row in a new object',
  sketch: 'sketch: its steps and hops, bare',
  post: 'POST /payments, answered at once',
  completed: 'to COMPLETED, 20 wallets',
  completed_hot: 'to COMPLETED, one wallet',
};
const BAR_WIDTH = 30;

export function resultTable(rows: readonly Row[]): string {
  const top = Math.max(...rows.map(({ perSecond }) => perSecond).filter((rate) => !Number.isNaN(rate)));
  const head = line(['', 'c', '/s', '÷ floor', 'p50 ms', '× floor', 'p99 ms'], '');
  const body = rows.map((row) => {
    const floor = rows.find((other) => other.series === 'floor' && other.concurrency === row.concurrency) ?? row;
    return line(
      [
        NAMES[row.series],
        String(row.concurrency),
        ...(row.concurrency === 'alone'
          ? ['', '']
          : [row.perSecond.toFixed(0), (row.perSecond / floor.perSecond).toFixed(2)]),
        row.p50Ms.toFixed(1),
        (row.p50Ms / floor.p50Ms).toFixed(2),
        row.p99Ms.toFixed(1),
      ],
      row.concurrency === 'alone' ? '' : '█'.repeat(Math.max(1, Math.round((row.perSecond / top) * BAR_WIDTH))),
    );
  });
  return [head, ...body, ''].join('\n');
}

/** The rate of a thousand payments to COMPLETED, 16 at a time, and its ratio to that of the first thousand. */
export function growthLine({ payments, perSecond, p50Ms, p99Ms }: Grown, first: Grown): string {
  const ratios = [(perSecond / first.perSecond).toFixed(2), p50Ms.toFixed(1), (p50Ms / first.p50Ms).toFixed(2)];
  return line([`the last 1,000 of ${payments}`, '16', perSecond.toFixed(0), ...ratios, p99Ms.toFixed(1)], '');
}

function line([name = '', ...cells]: readonly string[], bar: string): string {
  return `${name.padEnd(34)}${cells.map((cell) => cell.padStart(9)).join('')}  ${bar}`.trimEnd();
}
