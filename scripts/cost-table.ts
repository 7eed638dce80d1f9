/** Pure: the tables that `npm run cost` prints: units of one, and list price of a million, by resource and kind. */
import { PRICES, PRICES_AS_OF, priceOf, priceOfUnits, usdText } from '../src/domain/cost/prices.ts';
import { RESOURCES, type Spent } from '../src/domain/cost/spent.ts';

export interface CostRow {
  readonly name: string;
  /** Of all of them. */
  readonly spent: Spent;
  readonly count: number;
  /** Of the runtime, for each; null: not measured. */
  readonly cpuMs: number | null;
}

interface Plan {
  readonly payments: number;
  readonly concurrency: number;
  readonly alone: number;
}

const MILLION = 1_000_000n;
/** USD per million milliseconds of the Worker's processor time, past the plan's. */
const CPU_USD = 0.02;

export function costTables(rows: readonly CostRow[], { payments, concurrency, alone }: Plan): string {
  const header = (first: string) => [
    `| ${first} | ${rows.map(({ name }) => name).join(' | ')} |`,
    `|---|${'--:|'.repeat(rows.length)}`,
  ];
  const units = RESOURCES.map((resource) => {
    const cells = rows.map(({ spent, count }) => ((spent[resource] ?? 0) / count).toFixed(2));
    return `| \`${resource}\` | ${cells.join(' | ')} |`;
  });
  const prices = RESOURCES.map((resource) => {
    const cells = rows.map(({ spent, count }) => usd(priceOfUnits(resource, spent[resource] ?? 0), count));
    return `| \`${resource}\`, ${PRICES[resource].listed} | ${cells.join(' | ')} |`;
  });
  const totals = rows.map(({ spent, count }) => `**${usd(priceOf(spent), count)}**`);
  const cpu = rows.find(({ cpuMs }) => cpuMs !== null)?.cpuMs ?? 0;
  return [
    `${payments} of each kind, ${concurrency} at a time over many wallets; "alone": ${alone}, each by itself. Prices as of ${PRICES_AS_OF}.`,
    '',
    'Units of one, on average:',
    '',
    ...header('resource'),
    ...units,
    '',
    'USD of a million, at list price:',
    '',
    ...header('resource'),
    ...prices,
    `| **sum** | ${totals.join(' | ')} |`,
    '',
    `Processor time of the whole runtime, objects, queues and databases included: ${cpu.toFixed(1)} ms for a completed payment;`,
    `were all of it billed as the Worker's, ${(cpu * CPU_USD).toFixed(2)} USD of a million.`,
  ].join('\n');
}

function usd(picodollars: bigint, count: number): string {
  return usdText((picodollars * MILLION) / BigInt(count), 2);
}
