/**
 * GET /idempotency-keys/{key}: what became of a key, without sending money again: for a client that lost the answer.
 * Reads the object that the key addresses and writes nothing, whatever the key.
 */
import { createRoute, z } from '@hono/zod-openapi';
import { toTimestamp } from '../../domain/events/envelope.ts';
import { readIdempotencyKey } from '../../domain/idempotency.ts';
import { PAYMENT_STATUSES } from '../../domain/payment.ts';
import type { DescribeKeyResult, SagaRpc } from '../../domain/saga-rpc.ts';
import type { App } from '../context.ts';
import { callObject, PAYMENTS_ROUTE, REFUNDS_ROUTE, refundOfKey, sagaOfKey } from '../objects.ts';
import { CODES_OF_READS, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { timestamp } from '../schemas/common.ts';
import { needs } from '../security.ts';

const keySchema = z
  .object({
    object: z.literal('idempotency_key'),
    route: z.enum([PAYMENTS_ROUTE, REFUNDS_ROUTE]),
    status: z.enum(['in_progress', 'completed', 'expired']),
    payment_id: z.string().optional(),
    payment_status: z.enum(PAYMENT_STATUSES).optional(),
    refund_id: z.string().optional(),
    refund_status: z.enum(PAYMENT_STATUSES).optional(),
    created_at: timestamp.optional(),
    expires_at: timestamp
      .nullable()
      .optional()
      .openapi({ description: 'When the key expires; null while the payment runs.' }),
  })
  .openapi('IdempotencyKey');

const route = createRoute({
  method: 'get',
  path: '/idempotency-keys/{key}',
  operationId: 'getIdempotencyKey',
  summary: 'What became of an idempotency key',
  tags: ['payments'],
  security: needs('payments:read'),
  request: {
    params: z.object({ key: z.string().openapi({ description: 'Percent-encoded.' }) }),
    query: z.strictObject({ route: z.enum([PAYMENTS_ROUTE, REFUNDS_ROUTE]).default(PAYMENTS_ROUTE) }),
  },
  responses: {
    200: jsonResponse('The key was used.', keySchema),
    ...problemResponses(...CODES_OF_READS, 'validation_failed', 'idempotency_key_invalid', 'idempotency_key_not_found'),
  },
});

export function idempotencyKeysGet(app: App): void {
  app.openapi(route, async (c) => {
    const checked = readIdempotencyKey([c.req.valid('param').key]);
    if (!checked.ok) return problem(c, 'idempotency_key_invalid', { detail: checked.detail });
    const { route: keyRoute } = c.req.valid('query');
    const reach = keyRoute === REFUNDS_ROUTE ? refundOfKey : sagaOfKey;
    const result = await callObject<SagaRpc, DescribeKeyResult>(reach(c.env, c.get('scope'), checked.key), (saga) =>
      saga.describeKey(),
    );
    if (result.kind === 'unused') return problem(c, 'idempotency_key_not_found');
    if (result.kind === 'used') c.set('entityId', result.entityId);
    return c.json({ object: 'idempotency_key', route: keyRoute, ...describe(result, keyRoute) }, 200);
  });
}

function describe(
  result: Exclude<DescribeKeyResult, { kind: 'unused' }>,
  keyRoute: string,
): Record<string, string | null> {
  const noun = keyRoute === REFUNDS_ROUTE ? 'refund' : 'payment';
  if (result.kind === 'expired') return { status: 'expired' };
  return {
    status: result.status === 'PENDING' ? 'in_progress' : 'completed',
    [`${noun}_id`]: result.entityId,
    [`${noun}_status`]: result.status,
    created_at: toTimestamp(result.createdAtMs),
    expires_at: result.expiresAtMs === null ? null : toTimestamp(result.expiresAtMs),
  };
}
