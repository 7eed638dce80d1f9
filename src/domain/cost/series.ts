/**
 * Pure: the cost of sagas as sums of the record (D1): `cost|{resource}`, in the one row of sums that a run's end is counted in anyway
 * (decision 0062), so that they cost no row of their own. Used by record-publications, the audit and /metrics.
 */
import { RESOURCES, type Resource, type Spent } from './spent.ts';

/** The sum of a resource. No event says it, so the audit does not derive it. */
export function costSeries(resource: Resource): string {
  return `cost|${resource}`;
}

export const COST_SERIES: readonly string[] = RESOURCES.map(costSeries);

/** What a run's cost adds to the sums. */
export function costSums(spent: Spent): Record<string, number> {
  return Object.fromEntries(
    RESOURCES.flatMap((resource) => {
      const units = spent[resource];
      return units === undefined ? [] : [[costSeries(resource), units] as const];
    }),
  );
}
