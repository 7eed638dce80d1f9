/** What was told, without what it cost: for tests of what is told. */
import type { Spent } from '../../src/domain/cost/spent.ts';

export function withoutSpent<Told extends { readonly spent?: Spent }>(told: readonly Told[]): Told[] {
  return told.map((each) => {
    const copy = { ...each };
    Reflect.deleteProperty(copy, 'spent');
    return copy;
  });
}
