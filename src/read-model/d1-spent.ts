/** What statements have spent of D1, as D1 itself counted it (https://developers.cloudflare.com/d1/platform/pricing/). */
import { type Spent, sumOfSpent } from '../domain/cost/spent.ts';

export function spentOf(results: readonly D1Result<unknown>[]): Spent {
  return sumOfSpent(
    ...results.map(({ meta }) => ({ d1_rows_written: meta.rows_written, d1_rows_read: meta.rows_read })),
  );
}
