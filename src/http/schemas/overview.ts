/**
 * The overview on the wire: what the first page of the operations console shows, in one answer.
 */
import { z } from '@hono/zod-openapi';
import { ACTIVITY_WINDOWS } from '../../domain/activity.ts';
import { breakerSchema } from './breaker.ts';
import { timestamp } from './common.ts';
import { SAGA_KINDS } from './saga.ts';

const count = z.number().int().nonnegative();

const slotSchema = z
  .object({ from: timestamp, completed: count, failed: count, pending: count })
  .openapi('ActivitySlot', { description: 'Payments that were made from then on, by what has become of them.' });

export const overviewSchema = z
  .object({
    object: z.literal('overview'),
    at: timestamp,
    activity: z.object({
      window: z.enum(ACTIVITY_WINDOWS),
      slots: z
        .array(slotSchema)
        .openapi({ description: 'Oldest first: a minute each of an hour, an hour each of a day.' }),
      truncated: z.boolean().openapi({ description: 'More payments than are counted: the oldest slots tell less.' }),
    }),
    limbo: z
      .array(
        z.object({
          currency: z.string(),
          payments: count,
          amount: z.string().openapi({
            pattern: '^[0-9]+$',
            description: 'Minor units, as digits: a sum may be more than a JSON number holds.',
            example: '1230',
          }),
        }),
      )
      .openapi({ description: 'Money of payments that have not ended, by currency.' }),
    sagas: z
      .array(
        z.object({
          kind: z.enum(SAGA_KINDS),
          unfinished: count,
          stuck: count.openapi({ description: 'They have stood still too long.' }),
          attention: count.openapi({ description: 'They wait for a person.' }),
        }),
      )
      .openapi({ description: 'One of each kind.' }),
    sagas_truncated: z.boolean().openapi({ description: 'More unfinished sagas than are counted.' }),
    dead_letters: z
      .array(z.object({ queue: z.string(), present: count }))
      .openapi({ description: 'Those that nobody has redriven or discarded, by queue.' }),
    breakers: z.array(breakerSchema),
    sweep: z
      .object({
        finished_at: timestamp,
        outbox_age_ms: count.openapi({
          description:
            'The longest that events have waited to be recorded, by this run and those of the eight minutes before it, where that was too long; otherwise 0.',
        }),
        findings: z.record(z.string(), count),
      })
      .nullable()
      .openapi({ description: 'The last run of the sweeper, of the whole deployment; null: none yet.' }),
    reconciliation: z
      .object({
        begun_at: timestamp,
        differences: count,
        complete: z.boolean().openapi({
          description: 'Everything was compared. False: an absence of differences says nothing of the rest.',
        }),
      })
      .nullable()
      .openapi({ description: 'The last one of all providers that came to its end; null: none did.' }),
  })
  .openapi('Overview');
