/**
 * Pure: the cost of one payment or refund as operators see it: `cost` of `?include=cost`. Called by the route that shows it and by
 * the script that adds many up.
 */
import { PRICES_AS_OF, priceOf, usdText } from './prices.ts';
import { RESOURCES, type Resource, type Spent, sumOfSpent } from './spent.ts';

export interface CostView {
  /** Up to now, by resource. */
  spent: Record<Resource, number>;
  /** Certain to follow: what it costs to forget it when its retention ends. 0 before its end. */
  to_come: Record<Resource, number>;
  /** Of both, at list price, for a million like this one: decimal USD. */
  usd_per_million: string;
  prices_as_of: string;
}

export function costView(spent: Spent, toCome: Spent): CostView {
  return {
    spent: whole(spent),
    to_come: whole(toCome),
    // The price of one in picodollars is that of a million in microdollars.
    usd_per_million: usdText(priceOf(sumOfSpent(spent, toCome)) * 1_000_000n, 4),
    prices_as_of: PRICES_AS_OF,
  };
}

/** Every resource, 0 where nothing was spent. */
function whole(spent: Spent): Record<Resource, number> {
  return Object.fromEntries(RESOURCES.map((resource) => [resource, spent[resource] ?? 0])) as Record<Resource, number>;
}
