/**
 * POST /wallets: opens a wallet. The id is the client's, or minted: from the idempotency key where one was sent, so that
 * a retry opens the same wallet, else from chance. Opening is idempotent by id: no key is needed.
 */
import { createRoute } from '@hono/zod-openapi';
import { sha256Hex } from '../../domain/canonical.ts';
import { base62, type Scope } from '../../domain/ids.ts';
import type { App } from '../context.ts';
import { readKeyHeaders } from '../middleware/idempotency-key.ts';
import { jsonBody } from '../middleware/json-body.ts';
import { callObject, walletOf } from '../objects.ts';
import { CODES_OF_WRITES, IDEMPOTENCY_KEY, jsonResponse, problemResponses, RESPONSE_HEADERS } from '../openapi.ts';
import { problem } from '../problem.ts';
import { noQuery } from '../schemas/common.ts';
import { walletOpenSchema, walletSchema } from '../schemas/wallet.ts';
import { needs } from '../security.ts';

const route = createRoute({
  method: 'post',
  path: '/wallets',
  operationId: 'openWallet',
  summary: 'Open a wallet',
  tags: ['wallets'],
  security: needs('wallets:write'),
  parameters: [{ ...IDEMPOTENCY_KEY, required: false }],
  middleware: [jsonBody] as const,
  request: { query: noQuery, body: { required: true, content: { 'application/json': { schema: walletOpenSchema } } } },
  responses: {
    200: jsonResponse('It exists, in this currency: the wallet as it is.', walletSchema, {
      Location: RESPONSE_HEADERS.location,
    }),
    201: jsonResponse('Opened.', walletSchema, { Location: RESPONSE_HEADERS.location }),
    ...problemResponses(...CODES_OF_WRITES, 'idempotency_key_invalid', 'wallet_currency_conflict'),
  },
});

export function walletsCreate(app: App): void {
  app.openapi(route, async (c) => {
    const { id, currency } = c.req.valid('json');
    const key = readKeyHeaders(c);
    if (!key.ok && key.code === 'idempotency_key_invalid') return problem(c, key.code, { detail: key.detail });
    const scope = c.get('scope');
    const walletId = id ?? mintWalletId(key.ok ? `${scopeText(scope)}|/wallets|${key.key}` : crypto.randomUUID());
    const result = await callObject(walletOf(c.env, scope, walletId), (wallet) =>
      wallet.open(scope, walletId, currency),
    );
    if (result.kind === 'currency_conflict') {
      return problem(c, 'wallet_currency_conflict', { detail: `The wallet is in ${result.currency}.` });
    }
    return c.json(result.wallet, result.kind === 'opened' ? 201 : 200, { Location: `/wallets/${walletId}` });
  });
}

/** The parts hold no `|`: no two scopes make one text. */
function scopeText(scope: Scope): string {
  return `${scope.merchant}|${scope.mode}`;
}

/** `wal_` and 43 base62 digits of the SHA-256 of `seed`. */
function mintWalletId(seed: string): string {
  return `wal_${base62(BigInt(`0x${sha256Hex(seed)}`))}`;
}
