/** Pure: the benchmark's numbers as plain tables with bars; ratios are to the floor of the same concurrency. */
import type { Measured } from './load.ts';
import type { Row, Series } from './run.ts';

const NAMES: Readonly<Record<Series, string>> = {
  floor: 'floor: one row in a new object',
  post: 'POST /payments, answered at once',
  completed: 'to COMPLETED, 20 wallets',
  completed_hot: 'to COMPLETED, one wallet',
};
const BAR_WIDTH = 30;

export function resultTable(rows: readonly Row[]): string {
  const top = Math.max(...rows.map(({ perSecond }) => perSecond));
  const head = line(['', 'c', '/s', '÷ floor', 'p50 ms', '× floor', 'p99 ms'], '');
  const body = rows.map((row) => {
    const floor = rows.find((other) => other.series === 'floor' && other.concurrency === row.concurrency) ?? row;
    return line(
      [
        NAMES[row.series],
        String(row.concurrency),
        row.perSecond.toFixed(0),
        (row.perSecond / floor.perSecond).toFixed(2),
        row.p50Ms.toFixed(1),
        (row.p50Ms / floor.p50Ms).toFixed(2),
        row.p99Ms.toFixed(1),
      ],
      '█'.repeat(Math.max(1, Math.round((row.perSecond / top) * BAR_WIDTH))),
    );
  });
  return [head, ...body, ''].join('\n');
}

export function growthTable(first: Measured, last: Measured, payments: number): string {
  const row = (name: string, { perSecond, p50Ms, p99Ms }: Measured) =>
    line(
      [
        name,
        '16',
        perSecond.toFixed(0),
        (perSecond / first.perSecond).toFixed(2),
        p50Ms.toFixed(1),
        '',
        p99Ms.toFixed(1),
      ],
      '',
    );
  return [row('the first 1,000', first), row(`the last 1,000 of ${payments}`, last), ''].join('\n');
}

function line([name = '', ...cells]: readonly string[], bar: string): string {
  return `${name.padEnd(34)}${cells.map((cell) => cell.padStart(9)).join('')}  ${bar}`.trimEnd();
}
