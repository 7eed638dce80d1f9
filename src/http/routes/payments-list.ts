/**
 * GET /payments: search in the record (D1), newest first. As current as the record is; the payment itself is at its own
 * address. Never asks an object.
 */
import { createRoute, z } from '@hono/zod-openapi';
import { canonicalJson } from '../../domain/canonical.ts';
import { PAYMENT_METHODS, PAYMENT_STATUSES } from '../../domain/payment.ts';
import { listPayments } from '../../read-model/payments.ts';
import type { App } from '../context.ts';
import { decodeCursor } from '../cursor.ts';
import { PAYMENTS_ROUTE } from '../objects.ts';
import { CODES_OF_READS, jsonResponse, problemResponses } from '../openapi.ts';
import { answerPage, positionSchema } from '../page.ts';
import { problem } from '../problem.ts';
import { clientId, instant, instantMs, pageCursor, pageLimit, referenceText } from '../schemas/common.ts';
import { paymentListSchema } from '../schemas/payment.ts';
import { needs } from '../security.ts';

const querySchema = z.strictObject({
  wallet_id: clientId('wal-1234').optional(),
  service_id: clientId('abc-1234').optional(),
  status: z.enum(PAYMENT_STATUSES).optional(),
  method: z.enum(PAYMENT_METHODS).optional(),
  reference: referenceText.optional(),
  created_from: instant.optional().openapi({ description: 'Inclusive.' }),
  created_to: instant.optional().openapi({ description: 'Exclusive.' }),
  limit: pageLimit,
  cursor: pageCursor,
});

const route = createRoute({
  method: 'get',
  path: PAYMENTS_ROUTE,
  operationId: 'listPayments',
  summary: 'List payments, newest first',
  tags: ['payments'],
  security: needs('payments:read'),
  request: { query: querySchema },
  responses: {
    200: jsonResponse(
      'One page. By `reference`, `service_id`, `method` or `COMPLETED` it looks through so many payments at most: it may be short, or ' +
        'empty, and `next_cursor` goes on; only null says that there are no more. `created_from` and `created_to` narrow it.',
      paymentListSchema,
    ),
    ...problemResponses(...CODES_OF_READS, 'validation_failed', 'invalid_cursor'),
  },
});

export function paymentsList(app: App): void {
  app.openapi(route, async (c) => {
    const { limit, cursor, ...filters } = c.req.valid('query');
    const filtersText = `${PAYMENTS_ROUTE} ${canonicalJson(filters)}`;
    const position = cursor === undefined ? null : decodeCursor(positionSchema, cursor, filtersText);
    if (cursor !== undefined && position === null) return problem(c, 'invalid_cursor');
    const page = await listPayments(
      c.env.DB,
      c.get('scope'),
      {
        walletId: filters.wallet_id,
        serviceId: filters.service_id,
        status: filters.status,
        method: filters.method,
        reference: filters.reference,
        createdFromMs: instantMs(filters.created_from),
        createdToMs: instantMs(filters.created_to),
      },
      position,
      limit,
    );
    return answerPage(c, page, filtersText);
  });
}
