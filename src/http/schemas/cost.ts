/** The cost of a payment or refund on the wire: `?include=cost` (CostView of the domain), for operators. */
import { z } from '@hono/zod-openapi';
import { RESOURCES } from '../../domain/cost/spent.ts';

const units = z.number().int().nonnegative();
const spent = z.strictObject(
  Object.fromEntries(RESOURCES.map((resource) => [resource, units])) as Record<
    (typeof RESOURCES)[number],
    typeof units
  >,
);

export const costSchema = z
  .object({
    spent: spent.openapi({ description: 'Up to now, in what the platform bills. Reads by clients are nobody’s.' }),
    to_come: spent.openapi({
      description: 'What it will cost to forget it when its retention ends; 0 before its end.',
    }),
    usd_per_million: z
      .string()
      .regex(/^[0-9]+\.[0-9]{4}$/)
      .openapi({ description: 'Of both, at list price, for a million like this one.', example: '24.1234' }),
    prices_as_of: z.iso.date(),
  })
  .openapi('Cost', { description: 'What the platform bills for it: docs/cost.md.' });

/** Query of a read that can show the cost too. */
export const includeQuery = z.strictObject({
  include: z.enum(['cost']).optional().openapi({
    description: '`cost`: shows what it has cost, too. For operators: with API keys, of the scope `ops`.',
  }),
});
