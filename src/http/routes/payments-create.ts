/**
 * POST /payments: one call to the object that the idempotency key addresses, and its answer put into HTTP by the decision
 * table (docs/idempotency.md). Touches neither D1 nor a queue: the answer waits for one storage commit and no more.
 */
import { createRoute } from '@hono/zod-openapi';
import { fingerprint } from '../../domain/idempotency.ts';
import type { Scope } from '../../domain/ids.ts';
import { SECOND_MS } from '../../domain/limits.ts';
import type { PaymentRequest } from '../../domain/payment.ts';
import { answerClaim, readWaitSeconds } from '../claim.ts';
import type { App } from '../context.ts';
import { idempotencyKey } from '../middleware/idempotency-key.ts';
import { jsonBody } from '../middleware/json-body.ts';
import { callObject, PAYMENTS_ROUTE, sagaOfKey } from '../objects.ts';
import {
  AMOUNT_CODES,
  CODES_OF_KEYS,
  CODES_OF_WRITES,
  RESPONSE_HEADERS as headers,
  IDEMPOTENCY_KEY,
  jsonResponse,
  PREFER,
  problemResponses,
} from '../openapi.ts';
import { noQuery, withoutAbsent } from '../schemas/common.ts';
import { paymentRequestSchema, paymentSchema } from '../schemas/payment.ts';
import { needs } from '../security.ts';
import { validationFailed } from '../validation.ts';

const route = createRoute({
  method: 'post',
  path: PAYMENTS_ROUTE,
  operationId: 'createPayment',
  summary: 'Create a payment and start its saga',
  tags: ['payments'],
  security: needs('payments:write'),
  parameters: [IDEMPOTENCY_KEY, PREFER, AMOUNT_CODES],
  middleware: [jsonBody, idempotencyKey] as const,
  request: {
    query: noQuery,
    body: { required: true, content: { 'application/json': { schema: paymentRequestSchema } } },
  },
  responses: {
    200: jsonResponse('Sent before and terminal: the same bytes on every replay.', paymentSchema, {
      Location: headers.location,
      'Idempotency-Status': headers.idempotencyStatus,
      'Idempotent-Replayed': headers.idempotentReplayed,
      'Preference-Applied': headers.preferenceApplied,
    }),
    201: jsonResponse(
      'Created, and terminal: within `Prefer: wait`, or at once where its `deadline` has passed.',
      paymentSchema,
      {
        Location: headers.location,
        'Idempotency-Status': headers.idempotencyStatus,
        'Preference-Applied': headers.preferenceApplied,
      },
    ),
    202: jsonResponse('Created, or sent before and still running.', paymentSchema, {
      Location: headers.location,
      'Idempotency-Status': headers.idempotencyStatus,
      'Idempotent-Replayed': headers.idempotentReplayed,
      'Preference-Applied': headers.preferenceApplied,
      'Retry-After': headers.retryAfter,
    }),
    ...problemResponses(...CODES_OF_WRITES, ...CODES_OF_KEYS, 'idempotency_key_expired'),
  },
});

export function paymentsCreate(app: App): void {
  app.openapi(route, async (c) => {
    const request: PaymentRequest = withoutAbsent(c.req.valid('json'));
    const { mode } = c.get('config');
    const lack = lackOf(mode, request);
    if (lack !== null) return validationFailed(c, [{ in: 'body', ...lack }]);
    const waitSeconds = readWaitSeconds(c);
    const result = await callObject(sagaOfKey(c.env, c.get('scope'), c.get('idempotencyKey')), (saga) =>
      saga.create({
        scope: c.get('scope'),
        idempotencyKey: c.get('idempotencyKey'),
        fingerprint: fingerprint(request),
        request,
        amountCodes: mode === 'sandbox' && c.req.header('x-sandbox-amount-codes') === 'on',
        trace: c.get('trace'),
        waitMs: (waitSeconds ?? 0) * SECOND_MS,
      }),
    );
    return answerClaim(c, result, PAYMENTS_ROUTE, waitSeconds);
  });
}

/**
 * What no real gateway could carry out, and the sandbox's can: a sale that a wallet pays (docs/decisions/0089), and a card payment
 * without a token, which leaves nothing to charge.
 */
export function lackOf(mode: Scope['mode'], { method, token }: PaymentRequest) {
  if (mode === 'sandbox') return null;
  if (method === 'balance') {
    const message = 'No provider of live mode confirms a sale that a wallet pays: credit_card or debit_card.';
    return { pointer: '/method', message };
  }
  return token === undefined ? { pointer: '/token', message: 'A card payment needs a token.' } : null;
}
