/**
 * GET /payments/{id}/events and /refunds/{id}/events: the saga's timeline, oldest first, read from its owner. A page ends in a cursor; a client
 * that follows a running payment asks again with `after` = the last sequence that it has seen.
 */
import { createRoute, z } from '@hono/zod-openapi';
import { TIMELINE_EVENTS_MAX } from '../../domain/limits.ts';
import type { SagaRpc } from '../../domain/rpc.ts';
import type { App } from '../context.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { callObject, type Reach, sagaOfPayment, sagaOfRefund } from '../objects.ts';
import { CODES_OF_READS, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { limitParameter, pageCursor } from '../schemas/common.ts';
import { eventListSchema } from '../schemas/event.ts';
import { paymentIdParams } from '../schemas/payment.ts';
import { refundIdParams } from '../schemas/refund.ts';
import { validationFailed } from '../validation.ts';

const querySchema = z.strictObject({
  after: z
    .string()
    .regex(/^[0-9]{1,9}$/, 'Must be a sequence number.')
    .transform(Number)
    .optional()
    .openapi({ type: 'integer', minimum: 0, description: 'Only events with a higher `metadata.sequence`.' }),
  limit: limitParameter(TIMELINE_EVENTS_MAX, TIMELINE_EVENTS_MAX),
  cursor: pageCursor,
});

const sequenceSchema = z.number().int().nonnegative();

function timelineRoute(path: '/payments/{id}/events' | '/refunds/{id}/events', noun: 'Payment' | 'Refund') {
  return createRoute({
    method: 'get',
    path,
    operationId: `list${noun}Events`,
    summary: `Read a ${noun.toLowerCase()}'s timeline, oldest first`,
    tags: [`${noun.toLowerCase()}s`],
    request: { params: noun === 'Payment' ? paymentIdParams : refundIdParams, query: querySchema },
    responses: {
      200: jsonResponse('One page.', eventListSchema),
      ...problemResponses(...CODES_OF_READS, 'validation_failed', 'invalid_cursor', 'not_found'),
    },
  });
}

export function paymentsEvents(app: App): void {
  timeline(app, timelineRoute('/payments/{id}/events', 'Payment'), sagaOfPayment);
}

export function refundsEvents(app: App): void {
  timeline(app, timelineRoute('/refunds/{id}/events', 'Refund'), sagaOfRefund);
}

function timeline(
  app: App,
  route: ReturnType<typeof timelineRoute>,
  sagaOf: (env: Env, id: string) => Reach<SagaRpc> | null,
): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const { after, limit, cursor } = c.req.valid('query');
    if (after !== undefined && cursor !== undefined) {
      return validationFailed(c, [{ in: 'query', pointer: '/after', message: 'Send `after` or `cursor`, not both.' }]);
    }
    const saga = sagaOf(c.env, id);
    if (saga === null) return problem(c, 'not_found');
    const decoded = cursor === undefined ? (after ?? 0) : decodeCursor(sequenceSchema, cursor, c.req.path);
    if (decoded === null) return problem(c, 'invalid_cursor');

    const result = await callObject(saga, (stub) => stub.readEvents(c.get('scope'), decoded, limit));
    if (result.kind === 'not_found') return problem(c, 'not_found');
    c.set('entityId', id);
    const lastSequence = result.events.at(-1)?.metadata.sequence;
    const more = result.more && lastSequence !== undefined;
    return c.json(
      {
        object: 'list',
        data: result.events,
        next_cursor: more ? encodeCursor(lastSequence, c.req.path) : null,
      },
      200,
    );
  });
}
