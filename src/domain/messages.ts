/**
 * Pure: the bodies of queue messages that are not events of the catalogue: a run of events on its way to the record,
 * and a message that died.
 */
import { z } from 'zod';
import { envelopeSchema } from './events/envelope.ts';
import { PAYMENT_METHODS, PAYMENT_STATUSES } from './payment.ts';

/** The row of the record that a payment's state amounts to. */
export const paymentRowSchema = z.object({
  id: z.string(),
  merchant: z.string(),
  mode: z.enum(['sandbox', 'live']),
  wallet_id: z.string(),
  service_id: z.string(),
  method: z.enum(PAYMENT_METHODS),
  status: z.enum(PAYMENT_STATUSES),
  reference: z.string().nullable(),
  created_at_ms: z.number().int(),
  updated_at_ms: z.number().int(),
  /** Of the last event that this row reflects. */
  sequence: z.number().int().positive(),
  /** The public JSON of the payment. */
  body: z.string(),
});
export type PaymentRow = z.infer<typeof paymentRowSchema>;

/** The row of the record that a refund's state amounts to. */
export const refundRowSchema = z.object({
  id: z.string(),
  merchant: z.string(),
  mode: z.enum(['sandbox', 'live']),
  payment_id: z.string(),
  status: z.enum(PAYMENT_STATUSES),
  created_at_ms: z.number().int(),
  updated_at_ms: z.number().int(),
  sequence: z.number().int().positive(),
  body: z.string(),
});
export type RefundRow = z.infer<typeof refundRowSchema>;

export const publicationSchema = z
  .object({
    kind: z.literal('publication'),
    group_id: z.string(),
    /** What the entity amounts to now: one of the two. */
    payment: paymentRowSchema.optional(),
    refund: refundRowSchema.optional(),
    runs: z
      .array(
        z.object({
          first: z.number().int().positive(),
          last: z.number().int().positive(),
          events: z.array(envelopeSchema).min(1),
        }),
      )
      .min(1),
  })
  .refine(({ payment, refund }) => (payment === undefined) !== (refund === undefined), 'Must have one row.');
export type Publication = z.infer<typeof publicationSchema>;

/** What a consumer sends to the dead letters itself: poison, or a bug, with the reason. */
export const deadMessageSchema = z.object({
  kind: z.literal('dead_message'),
  queue: z.string(),
  reason: z.string(),
  body: z.unknown(),
});
export type DeadMessage = z.infer<typeof deadMessageSchema>;
