/**
 * Sagas as operators see them on the wire: a row of the list, one saga from its object (`operatorView` of the domain), a
 * person's move, and what came of it.
 */
import { z } from '@hono/zod-openapi';
import { PAYMENT_STATUSES } from '../../domain/payment.ts';
import { PAYMENT_ATTENTION } from '../../domain/saga/payment-attention.ts';
import { PAYMENT_ATTENTIONS, PAYMENT_STATES } from '../../domain/saga/payment-types.ts';
import { REFUND_ATTENTION } from '../../domain/saga/refund-attention.ts';
import { REFUND_ATTENTIONS, REFUND_STATES } from '../../domain/saga/refund-types.ts';
import { listOf, operatorFields, referenceText, timestamp } from './common.ts';
import { paymentSchema } from './payment.ts';
import { refundSchema } from './refund.ts';
import { entrySchema } from './wallet.ts';

export const SAGA_KINDS = ['payment', 'refund'] as const;
export const SAGA_STATES = [...new Set([...PAYMENT_STATES, ...REFUND_STATES])];
export const ATTENTIONS = [...PAYMENT_ATTENTIONS, ...REFUND_ATTENTIONS];
/** All that a person may state of any saga. */
export const RESOLUTIONS = [
  ...new Set(
    [PAYMENT_ATTENTION, REFUND_ATTENTION].flatMap(({ moves }) =>
      Object.values(moves).flatMap(({ resolve }) => Object.keys(resolve)),
    ),
  ),
];

export const sagaIdParams = z.object({
  id: z.string().openapi({ description: 'A payment or refund id: `pay_` or `ref_` and 43 letters or digits.' }),
});

const instantOrNull = timestamp.nullable();

export const sagaListSchema = listOf(
  z
    .object({
      object: z.literal('saga'),
      id: z.string(),
      kind: z.enum(SAGA_KINDS),
      payment_id: z.string(),
      merchant: z.string(),
      status: z.enum(PAYMENT_STATUSES),
      saga_state: z.string(),
      attention: z.string().nullable().openapi({ description: 'Why a person is needed; null: none is.' }),
      stuck: z.boolean().openapi({ description: 'It should have moved by now; the sweeper sees to it.' }),
      created_at: timestamp,
      updated_at: timestamp,
      next_check_at: instantOrNull,
      swept_at: instantOrNull,
    })
    .openapi('SagaRow'),
).openapi('SagaList');

const commandSchema = z
  .object({
    command: z.string(),
    event_type: z.string().nullable().openapi({ description: 'null: not issued yet, only scheduled.' }),
    effect_id: z.string().nullable(),
    attempts: z.number().int().nonnegative(),
    first_sent_at: instantOrNull,
    due_at: timestamp,
  })
  .openapi('SagaCommand');

export const sagaSchema = z
  .object({
    id: z.string(),
    object: z.literal('saga'),
    kind: z.enum(SAGA_KINDS),
    status: z.enum(PAYMENT_STATUSES),
    saga_state: z.string(),
    attention: z
      .object({
        reason: z.string().openapi({ example: 'authorization_unknown' }),
        says: z.string(),
        moves: z.object({ retry: z.boolean(), resolve: z.array(z.string()) }),
      })
      .nullable(),
    entered_at: timestamp,
    sequence: z.number().int().positive(),
    pending: z.array(commandSchema),
    given_up: z.array(commandSchema).openapi({ description: 'No answer was had; a retry sends them again.' }),
    in_force: z
      .record(z.string(), z.unknown())
      .openapi({ description: 'Effects that stand, as far as the saga knows.' }),
    record: z.object({
      recorded_sequence: z.number().int().nonnegative(),
      closed_sequence: z.number().int().nonnegative(),
      publish_attempts: z.number().int().nonnegative(),
      publish_due_at: instantOrNull,
    }),
    alarm_at: instantOrNull,
    last_move: z
      .object({
        kind: z.enum(['retry', 'resolve']),
        resolution: z.string().optional(),
        actor: z.string(),
        reason: z.string(),
      })
      .nullable(),
    payment: paymentSchema.optional(),
    refund: refundSchema.optional(),
  })
  .openapi('Saga');
export type SagaView = z.infer<typeof sagaSchema>;

export const retrySchema = z.strictObject(operatorFields).openapi('SagaRetry');

export const resolveSchema = z
  .strictObject({
    resolution: z.enum(RESOLUTIONS).openapi({ description: 'What is true; docs/runbook.md says what each means.' }),
    provider_reference: referenceText.optional().openapi({ description: "The provider's own id of what was found." }),
    ...operatorFields,
  })
  .openapi('SagaResolve');

export const moveSchema = z
  .object({
    object: z.literal('saga_move'),
    repeated: z.boolean().openapi({ description: 'This very move had been made before; nothing was done now.' }),
    ledger_effect: z.object({ status: z.enum(['entries', 'none', 'pending']), entries: z.array(entrySchema) }).openapi({
      description: "What it came to in the wallet's ledger. `pending`: the saga has not come to rest yet.",
    }),
    saga: sagaSchema,
  })
  .openapi('SagaMove');
