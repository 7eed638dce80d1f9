/**
 * POST /refunds: one call to the object that the idempotency key addresses, which has the payment's object set the amount
 * aside. A refusal is an HTTP error and leaves nothing behind: the key is free.
 */
import { createRoute } from '@hono/zod-openapi';
import { fingerprint } from '../../domain/idempotency.ts';
import { SECOND_MS } from '../../domain/limits.ts';
import type { RefundRequest } from '../../domain/refund.ts';
import { answerClaim, readWaitSeconds } from '../claim.ts';
import type { App } from '../context.ts';
import { idempotencyKey } from '../middleware/idempotency-key.ts';
import { jsonBody } from '../middleware/json-body.ts';
import { callObject, REFUNDS_ROUTE, refundOfKey } from '../objects.ts';
import {
  CODES_OF_KEYS,
  CODES_OF_WRITES,
  RESPONSE_HEADERS as headers,
  IDEMPOTENCY_KEY,
  jsonResponse,
  PREFER,
  problemResponses,
} from '../openapi.ts';
import { problem } from '../problem.ts';
import { noQuery, withoutAbsent } from '../schemas/common.ts';
import { refundRequestSchema, refundSchema } from '../schemas/refund.ts';
import { needs } from '../security.ts';

const answered = {
  Location: headers.location,
  'Idempotency-Status': headers.idempotencyStatus,
  'Idempotent-Replayed': headers.idempotentReplayed,
  'Preference-Applied': headers.preferenceApplied,
};

const route = createRoute({
  method: 'post',
  path: REFUNDS_ROUTE,
  operationId: 'createRefund',
  summary: 'Refund a payment, in part or in full, and start the saga that does it',
  tags: ['refunds'],
  security: needs('payments:write'),
  parameters: [IDEMPOTENCY_KEY, PREFER],
  middleware: [jsonBody, idempotencyKey] as const,
  request: {
    query: noQuery,
    body: { required: true, content: { 'application/json': { schema: refundRequestSchema } } },
  },
  responses: {
    200: jsonResponse('Sent before and terminal: the same bytes on every replay.', refundSchema, answered),
    201: jsonResponse('Created, and terminal within `Prefer: wait`.', refundSchema, answered),
    202: jsonResponse('Created, or sent before and still running.', refundSchema, {
      ...answered,
      'Retry-After': headers.retryAfter,
    }),
    ...problemResponses(
      ...CODES_OF_WRITES,
      ...CODES_OF_KEYS,
      'idempotency_key_expired',
      'not_found',
      'payment_not_refundable',
      'refund_amount_exceeds_refundable',
      'refunds_limit_exceeded',
    ),
  },
});

export function refundsCreate(app: App): void {
  app.openapi(route, async (c) => {
    const request: RefundRequest = withoutAbsent(c.req.valid('json'));
    const waitSeconds = readWaitSeconds(c);
    const result = await callObject(refundOfKey(c.env, c.get('scope'), c.get('idempotencyKey')), (saga) =>
      saga.create({
        scope: c.get('scope'),
        idempotencyKey: c.get('idempotencyKey'),
        fingerprint: fingerprint(request),
        request,
        trace: c.get('trace'),
        waitMs: (waitSeconds ?? 0) * SECOND_MS,
      }),
    );
    switch (result.kind) {
      case 'payment_not_found':
        return problem(c, 'not_found', { detail: 'There is no such payment.' });
      case 'payment_not_refundable':
      case 'refund_amount_exceeds_refundable':
      case 'refunds_limit_exceeded':
        return problem(c, result.kind);
      default:
        return answerClaim(c, result, REFUNDS_ROUTE, waitSeconds);
    }
  });
}
