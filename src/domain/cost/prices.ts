/**
 * Pure: THE price list: what a unit of each resource costs at list price, past what a plan includes, and where that stands. In
 * picodollars (10⁻¹² USD), so that every price is a whole number and so is every sum. Read by the cost of a payment, /metrics and
 * docs/cost.md.
 */
import { RESOURCES, type Resource, type Spent } from './spent.ts';

/** When the list was last compared with the platform's pages. */
export const PRICES_AS_OF = '2026-11-24';

/** One USD per million of something. */
const USD_PER_MILLION = 1_000_000;
export const PICODOLLARS_PER_USD = 1_000_000_000_000n;

interface Price {
  /** Of one unit. */
  readonly picodollars: number;
  /** As the source has it. */
  readonly listed: string;
  readonly source: string;
}

const WORKERS = 'https://developers.cloudflare.com/workers/platform/pricing/';
const OBJECTS = 'https://developers.cloudflare.com/durable-objects/platform/pricing/';
const D1 = 'https://developers.cloudflare.com/d1/platform/pricing/';
const QUEUES = 'https://developers.cloudflare.com/queues/platform/pricing/';

export const PRICES: Readonly<Record<Resource, Price>> = {
  worker_requests: { picodollars: 300_000, listed: '0.30 USD per million', source: WORKERS },
  object_requests: { picodollars: 150_000, listed: '0.15 USD per million', source: OBJECTS },
  // A millisecond of an object is 0.000128 GB-s: the page counts 128 MB of a GB of 1,000.
  object_ms: { picodollars: 1_600, listed: '12.50 USD per million GB-s', source: OBJECTS },
  object_rows_written: { picodollars: USD_PER_MILLION, listed: '1.00 USD per million', source: OBJECTS },
  object_rows_read: { picodollars: 1_000, listed: '0.001 USD per million', source: OBJECTS },
  d1_rows_written: { picodollars: USD_PER_MILLION, listed: '1.00 USD per million', source: D1 },
  d1_rows_read: { picodollars: 1_000, listed: '0.001 USD per million', source: D1 },
  queue_operations: { picodollars: 400_000, listed: '0.40 USD per million', source: QUEUES },
};

/** What it costs at list price. */
export function priceOf(spent: Spent): bigint {
  return RESOURCES.reduce((sum, resource) => sum + priceOfUnits(resource, spent[resource] ?? 0), 0n);
}

export function priceOfUnits(resource: Resource, units: number): bigint {
  return BigInt(units) * BigInt(PRICES[resource].picodollars);
}

/** USD with so many decimals, rounded half up, as text: no floats where there is money. */
export function usdText(picodollars: bigint, decimals: number): string {
  const step = PICODOLLARS_PER_USD / 10n ** BigInt(decimals);
  const rounded = (picodollars + step / 2n) / step;
  const digits = String(rounded).padStart(decimals + 1, '0');
  return decimals === 0 ? digits : `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}
