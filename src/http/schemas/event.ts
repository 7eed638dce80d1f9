/**
 * The timeline on the wire: the events of a payment in the envelope in which they are stored and published.
 */
import { z } from '@hono/zod-openapi';
import { envelopeSchema } from '../../domain/events/envelope.ts';
import { listOf } from './common.ts';

export const eventSchema = z
  .object(envelopeSchema.shape)
  .openapi('Event', { description: 'The envelope and the types of events are in docs/events.md.' });

export const eventListSchema = listOf(eventSchema).openapi('EventList');
