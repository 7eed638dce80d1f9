/**
 * Pure: the bodies of queue messages that are not events of the catalogue: a run of events or a new wallet on its
 * way to the record, and a message that died.
 */
import { z } from 'zod';
import { spentSchema } from './cost/spent.ts';
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
  /** Why a person is needed. Absent in messages from before there was such a word. */
  attention: z.string().nullable().optional(),
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
  attention: z.string().nullable().optional(),
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
          /** Counted with the run, once. Absent in messages from before it was told. */
          cost: spentSchema.optional(),
        }),
      )
      .min(1),
    /** Effect ids of notify commands in these runs that are told with them (decision 0066). */
    to_tell: z.array(z.string()).optional(),
  })
  .refine(({ payment, refund }) => (payment === undefined) !== (refund === undefined), 'Must have one row.');
export type Publication = z.infer<typeof publicationSchema>;

/** The row of the directory that a wallet amounts to: what never changes of it. */
export const walletRowSchema = z.object({
  id: z.string(),
  merchant: z.string(),
  mode: z.enum(['sandbox', 'live']),
  currency: z.string(),
  created_at_ms: z.number().int(),
});
export type WalletRow = z.infer<typeof walletRowSchema>;

/** A wallet that has been opened, on its way to the directory. */
export const walletOpenedSchema = z.object({ kind: z.literal('wallet_opened'), wallet: walletRowSchema });
export type WalletOpened = z.infer<typeof walletOpenedSchema>;

/** What the record takes in: all that its queue carries. */
export const recordMessageSchema = z.discriminatedUnion('kind', [publicationSchema, walletOpenedSchema]);
export type RecordMessage = z.infer<typeof recordMessageSchema>;

/** What a consumer sends to the dead letters itself: poison, or a bug, with the reason. */
export const deadMessageSchema = z.object({
  kind: z.literal('dead_message'),
  /** Of the message that died: delivered and buried again, it is still one letter. Absent from those sent by older versions. */
  message_id: z.string().optional(),
  queue: z.string(),
  reason: z.string(),
  body: z.unknown(),
});
export type DeadMessage = z.infer<typeof deadMessageSchema>;
