/**
 * A circuit breaker on the wire (`BreakerView` of the domain): what the list of breakers and the overview show.
 */
import { z } from '@hono/zod-openapi';
import { GATEWAY_OPERATIONS } from '../../domain/events/catalogue.ts';
import { toTimestamp } from '../../domain/events/envelope.ts';
import type { BreakerView } from '../../domain/provider-health.ts';
import { timestamp } from './common.ts';

export const breakerSchema = z
  .object({
    provider: z.string(),
    operation: z.enum(GATEWAY_OPERATIONS),
    state: z.enum(['closed', 'open', 'half_open', 'forced_open', 'forced_closed']),
    calls: z.number().int().openapi({ description: 'In the window of a minute, as are failures and slow calls.' }),
    failures: z.number().int(),
    slow: z.number().int(),
    openings: z.number().int(),
    open_until: timestamp.nullable(),
    leases: z.number().int(),
  })
  .openapi('Breaker');

/** The breakers of one provider. */
export function breakersOf(provider: string, views: readonly BreakerView[]) {
  return views.map(({ openUntilMs, ...view }) => ({
    provider,
    ...view,
    open_until: openUntilMs === null ? null : toTimestamp(openUntilMs),
  }));
}
