/**
 * The refund on the wire: the request body that is accepted and the refund that is shown (RefundView of the domain).
 */
import { z } from '@hono/zod-openapi';
import { PAYMENT_STATUSES } from '../../domain/payment.ts';
import { amountMinor, listOf, referenceText, timestamp } from './common.ts';

/** Body of `POST /refunds`. Strict: a field that is not here is an error. */
export const refundRequestSchema = z
  .strictObject({
    payment_id: z.string().max(64).openapi({ description: 'The payment that is given back, in part or in full.' }),
    amount: amountMinor.optional().openapi({ description: 'Minor units; absent: all that is left to refund.' }),
    reason: referenceText.optional().openapi({ description: "The client's own words.", example: 'returned' }),
  })
  .openapi('RefundRequest');

export const refundSchema = z
  .object({
    id: z.string().openapi({ description: '`ref_` and 43 letters or digits.' }),
    object: z.literal('refund'),
    payment_id: z.string(),
    amount: z.number().int().nonnegative(),
    currency: z.string(),
    reason: z.string().optional(),
    status: z.enum(PAYMENT_STATUSES),
    saga_state: z.string().openapi({ description: 'Where the saga stands; docs/saga.md.', example: 'refunding' }),
    failure: z
      .object({
        code: z.string().openapi({ description: 'Listed in docs/errors.md.', example: 'refund_declined' }),
        message: z.string(),
      })
      .optional(),
    provider: z.string().optional(),
    next_check_at: timestamp.optional(),
    created_at: timestamp,
    updated_at: timestamp,
    completed_at: timestamp.optional(),
  })
  .openapi('Refund');

export const refundListSchema = listOf(refundSchema).openapi('RefundList');

/** A path segment that could be a refund's id. */
export const refundIdParams = z.object({
  id: z.string().openapi({ description: 'A refund id: `ref_` and 43 letters or digits.' }),
});
