/**
 * GET /payments/{id}/events and /refunds/{id}/events: the saga's timeline, oldest first, read from its owner: as pages, or
 * live, as server-sent events or a WebSocket (src/http/live.ts), whichever the request's headers ask for. After the saga's
 * retention pages come from the record, for as long as that has them, and there is no stream (docs/retention.md).
 */
import { createRoute, z } from '@hono/zod-openapi';
import { accepts } from 'hono/accepts';
import type { Envelope } from '../../domain/events/envelope.ts';
import { TIMELINE_EVENTS_MAX } from '../../domain/limits.ts';
import type { SagaRpc } from '../../domain/saga-rpc.ts';
import { recordedEvents } from '../../read-model/recorded.ts';
import type { App, AppContext } from '../context.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { answerLive, EVENT_STREAM } from '../live.ts';
import { callObject, type Reach, sagaOfPayment, sagaOfRefund } from '../objects.ts';
import { CODES_OF_READS, EVERY_ANSWER, jsonResponse, problemResponses } from '../openapi.ts';
import { type FieldProblem, problem } from '../problem.ts';
import { limitParameter, pageCursor } from '../schemas/common.ts';
import { eventListSchema } from '../schemas/event.ts';
import { paymentIdParams } from '../schemas/payment.ts';
import { refundIdParams } from '../schemas/refund.ts';
import { needs } from '../security.ts';
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

const LAST_EVENT_ID = 'Last-Event-ID';

function timelineRoute(path: '/payments/{id}/events' | '/refunds/{id}/events', noun: 'Payment' | 'Refund') {
  return createRoute({
    method: 'get',
    path,
    operationId: `list${noun}Events`,
    summary: `Read a ${noun.toLowerCase()}'s timeline, oldest first, or follow it live`,
    description:
      `With \`Accept: ${EVENT_STREAM}\` the answer is a stream of server-sent events: the history first, then each event ` +
      'as it is committed, with its sequence as the id; it is resumed with `Last-Event-ID` (or `after`), and closed at ' +
      `the ${noun.toLowerCase()}'s end. 204: it has ended, and all has been told. With \`Upgrade: websocket\` the same ` +
      'events come as JSON messages (101), resumed with `after`; the stream closes with 1000 at the end, and after a ' +
      'quarter of an hour with 1001 when there is more: come again; `ping` is answered with `pong`, and any other message ' +
      'closes it.',
    tags: [`${noun.toLowerCase()}s`],
    security: needs('payments:read'),
    request: {
      params: noun === 'Payment' ? paymentIdParams : refundIdParams,
      query: querySchema,
    },
    parameters: [
      {
        in: 'header' as const,
        name: LAST_EVENT_ID,
        description: 'Of a stream: the id of the last event that was received. Goes before `after`.',
        schema: { type: 'string' as const, pattern: '^[0-9]{1,9}$' },
      },
    ],
    responses: {
      101: { description: 'A WebSocket.', headers: EVERY_ANSWER },
      200: {
        ...jsonResponse('One page, or a stream.', eventListSchema),
        content: {
          'application/json': { schema: eventListSchema },
          [EVENT_STREAM]: { schema: z.string() },
        },
      },
      204: { description: 'Asked for a stream: nothing more will come.', headers: EVERY_ANSWER },
      ...problemResponses(...CODES_OF_READS, 'validation_failed', 'invalid_cursor', 'not_found', 'record_archived'),
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
    const kind = representationOf(c);
    const wrong = wrongFields(c, kind, { after, cursor });
    if (wrong.length > 0) return validationFailed(c, wrong);
    const saga = sagaOf(c.env, id);
    if (saga === null) return problem(c, 'not_found');
    c.set('entityId', id);
    if (kind !== 'page') return answerLive(c, saga, kind, Number(c.req.header(LAST_EVENT_ID) ?? after ?? 0));

    const decoded = cursor === undefined ? (after ?? 0) : decodeCursor(sequenceSchema, cursor, c.req.path);
    if (decoded === null) return problem(c, 'invalid_cursor');
    const owned = await callObject(saga, (stub) => stub.readEvents(c.get('scope'), decoded, limit));
    if (owned.kind === 'not_found') return problem(c, 'not_found');
    const result = owned.kind === 'found' ? owned : await recordedEvents(c.env.DB, id, decoded, limit);
    return result === null ? problem(c, 'record_archived') : c.json(pageOf(result, c.req.path), 200);
  });
}

function pageOf({ events, more }: { readonly events: readonly Envelope[]; readonly more: boolean }, path: string) {
  const lastSequence = events.at(-1)?.metadata.sequence;
  return {
    object: 'list' as const,
    data: [...events],
    next_cursor: more && lastSequence !== undefined ? encodeCursor(lastSequence, path) : null,
  };
}

type Representation = 'page' | 'sse' | 'websocket';

function representationOf(c: AppContext): Representation {
  // Hono answers HEAD by this handler too; a handshake is a GET (RFC 6455, section 4.1).
  if (c.req.method === 'GET' && c.req.header('Upgrade')?.toLowerCase() === 'websocket') return 'websocket';
  const json = 'application/json';
  return accepts(c, { header: 'Accept', supports: [json, EVENT_STREAM], default: json }) === json ? 'page' : 'sse';
}

function wrongFields(
  c: AppContext,
  kind: Representation,
  { after, cursor }: { readonly after: number | undefined; readonly cursor: string | undefined },
): FieldProblem[] {
  if (kind === 'page') {
    if (after === undefined || cursor === undefined) return [];
    return [{ in: 'query', pointer: '/after', message: 'Send `after` or `cursor`, not both.' }];
  }
  const ofPages = (['cursor', 'limit'] as const).filter((name) => c.req.query(name) !== undefined);
  const wrong = ofPages.map((name): FieldProblem => {
    return { in: 'query', pointer: `/${name}`, message: 'A stream has no pages: use `after` or `Last-Event-ID`.' };
  });
  if (/^[0-9]{1,9}$/.test(c.req.header(LAST_EVENT_ID) ?? '0')) return wrong;
  return [...wrong, { in: 'header', pointer: `/${LAST_EVENT_ID}`, message: 'Must be the id of an event.' }];
}
