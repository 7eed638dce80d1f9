/**
 * The payment on the wire: the request body that is accepted and the payment that is shown (PaymentView of the domain).
 */
import { z } from '@hono/zod-openapi';
import {
  METADATA_KEY_LENGTH_MAX,
  METADATA_KEYS_MAX,
  METADATA_VALUE_LENGTH_MAX,
  TOKEN_LENGTH_MAX,
} from '../../domain/limits.ts';
import { PAYMENT_METHODS, PAYMENT_STATUSES } from '../../domain/payment.ts';
import { amountMinor, clientId, currencyCode, instant, listOf, referenceText, timestamp, walletId } from './common.ts';

const method = z.enum(PAYMENT_METHODS).openapi({
  description:
    '`balance`: the wallet pays and the gateway confirms the sale. `credit_card`, `debit_card`: the gateway charges the ' +
    'card token; the wallet only identifies the customer.',
});

const metadata = z
  .record(z.string().min(1).max(METADATA_KEY_LENGTH_MAX), z.string().max(METADATA_VALUE_LENGTH_MAX))
  .refine((entries) => Object.keys(entries).length <= METADATA_KEYS_MAX, `Must have at most ${METADATA_KEYS_MAX} keys.`)
  .openapi({
    maxProperties: METADATA_KEYS_MAX,
    description: `Text by text; a key has 1 to ${METADATA_KEY_LENGTH_MAX} characters.`,
    example: { cart: 'c-77' },
  });

/** Body of `POST /payments`. Strict: a field that is not here is an error. */
export const paymentRequestSchema = z
  .strictObject({
    wallet_id: walletId,
    service_id: clientId('abc-1234'),
    amount: amountMinor,
    currency: currencyCode,
    method,
    token: z
      .string()
      .max(TOKEN_LENGTH_MAX)
      .regex(/^[\x21-\x7e]+$/, 'Must be visible ASCII characters.')
      .optional()
      .openapi({ description: 'What the gateway charges. Shown masked, never whole.', example: 'pm_card_visa' }),
    customer_id: clientId('cus-1').optional(),
    reference: referenceText.optional(),
    metadata: metadata.optional(),
    deadline: instant.optional().openapi({
      description:
        'Undo rather than complete when this has passed before the wallet is debited; nobody is asked when it has passed before the payment begins.',
    }),
  })
  .openapi('PaymentRequest');

const failure = z.object({
  code: z.string().openapi({ description: 'Listed in docs/errors.md.', example: 'insufficient_funds' }),
  message: z.string(),
  decline_code: z.string().optional(),
});

export const paymentSchema = z
  .object({
    id: z.string().openapi({ example: 'pay_0aB3dE6gH9kL2nP5rS8uV1xY4aC7eF0hJ3kM6nQ9sU2wX' }),
    object: z.literal('payment'),
    wallet_id: z.string(),
    service_id: z.string(),
    amount: amountMinor,
    currency: currencyCode,
    method,
    token: z.string().optional().openapi({ description: 'Masked.', example: '…visa' }),
    customer_id: z.string().optional(),
    reference: z.string().optional(),
    metadata: z.record(z.string(), z.string()).optional(),
    deadline: z.string().optional(),
    status: z.enum(PAYMENT_STATUSES),
    saga_state: z.string().openapi({ description: 'Where the saga stands; docs/saga.md.', example: 'authorizing' }),
    failure: failure.optional(),
    provider: z.string().optional(),
    provider_reference: z.string().optional(),
    refunded_amount: z.number().int().nonnegative(),
    next_check_at: timestamp.optional(),
    created_at: timestamp,
    updated_at: timestamp,
    completed_at: timestamp.optional(),
  })
  .openapi('Payment');

export const paymentListSchema = listOf(paymentSchema).openapi('PaymentList');

/** A path segment that could be a payment's id; whether it is one, its namespace says (src/http/objects.ts). */
export const paymentIdParams = z.object({
  id: z.string().openapi({ description: 'A payment id: `pay_` and 43 letters or digits.' }),
});
