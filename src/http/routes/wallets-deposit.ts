/**
 * POST /wallets/{id}/deposits: puts money in, once per idempotency key: the key becomes the effect id, and the ledger
 * takes one effect id once.
 */
import { createRoute } from '@hono/zod-openapi';
import { type ApiErrorCode, InvariantError, type WalletRefusal } from '../../domain/errors.ts';
import type { App, AppContext } from '../context.ts';
import { idempotencyKey } from '../middleware/idempotency-key.ts';
import { jsonBody } from '../middleware/json-body.ts';
import { callObject, walletOf } from '../objects.ts';
import {
  CODES_OF_KEYS,
  CODES_OF_WRITES,
  IDEMPOTENCY_KEY,
  jsonResponse,
  problemResponses,
  RESPONSE_HEADERS,
} from '../openapi.ts';
import { problem } from '../problem.ts';
import { noQuery } from '../schemas/common.ts';
import { depositSchema, entrySchema, walletIdParams } from '../schemas/wallet.ts';
import { needs } from '../security.ts';

const route = createRoute({
  method: 'post',
  path: '/wallets/{id}/deposits',
  operationId: 'depositIntoWallet',
  summary: 'Deposit into a wallet',
  tags: ['wallets'],
  security: needs('wallets:write'),
  parameters: [IDEMPOTENCY_KEY],
  middleware: [jsonBody, idempotencyKey] as const,
  request: {
    params: walletIdParams,
    query: noQuery,
    body: { required: true, content: { 'application/json': { schema: depositSchema } } },
  },
  responses: {
    200: jsonResponse('Sent before: the entry that it made.', entrySchema, {
      'Idempotency-Status': RESPONSE_HEADERS.idempotencyStatus,
      'Idempotent-Replayed': RESPONSE_HEADERS.idempotentReplayed,
    }),
    201: jsonResponse('The ledger entry.', entrySchema, { 'Idempotency-Status': RESPONSE_HEADERS.idempotencyStatus }),
    ...problemResponses(
      ...CODES_OF_WRITES,
      ...CODES_OF_KEYS,
      'not_found',
      'wallet_frozen',
      'currency_mismatch',
      'balance_limit_exceeded',
      'wallet_full',
    ),
  },
});

export function walletsDeposit(app: App): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const { amount, currency, reference } = c.req.valid('json');
    const result = await callObject(walletOf(c.env, c.get('scope'), id), (wallet) =>
      wallet.deposit({
        effectId: `deposit.${c.get('idempotencyKey')}`,
        amountMinor: amount,
        currency,
        ...(reference !== undefined && { reference }),
      }),
    );
    switch (result.kind) {
      case 'deposited':
        return c.json(result.entry, 201, { 'Idempotency-Status': 'created' });
      case 'replayed':
        return c.json(result.entry, 200, { 'Idempotency-Status': 'completed', 'Idempotent-Replayed': 'true' });
      case 'key_reused':
        return keyReused(c, result.fields);
      case 'refused':
        return problem(c, codeOfRefusal(result.reason));
    }
  });
}

function keyReused(c: AppContext, fields: readonly string[]): Response {
  const message = 'Differs from the first request with this key.';
  return problem(c, 'idempotency_key_reused', { errors: fields.map((pointer) => ({ in: 'body', pointer, message })) });
}

/** @throws InvariantError for refusals that only holds can meet: a deposit has none. */
function codeOfRefusal(reason: WalletRefusal): ApiErrorCode {
  switch (reason) {
    case 'wallet_not_found':
      return 'not_found';
    case 'effect_id_conflict':
      return 'idempotency_key_reused';
    case 'wallet_frozen':
    case 'currency_mismatch':
    case 'balance_limit_exceeded':
    case 'wallet_full':
      return reason;
    case 'hold_exists':
    case 'hold_not_found':
    case 'hold_resolved':
    case 'amount_exceeds_hold':
    case 'deadline_exceeded':
    case 'insufficient_funds':
    case 'holds_limit_exceeded':
    case 'simulated_refusal':
      throw new InvariantError('deposit_refusal_expected', { reason });
  }
}
