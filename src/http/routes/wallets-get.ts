/**
 * GET /wallets/{id}: balances, open holds and version in one snapshot, read from the wallet itself.
 */
import { createRoute } from '@hono/zod-openapi';
import type { App } from '../context.ts';
import { callObject, walletOf } from '../objects.ts';
import { CODES_OF_READS, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { noQuery } from '../schemas/common.ts';
import { walletIdParams, walletSchema } from '../schemas/wallet.ts';
import { needs } from '../security.ts';

const route = createRoute({
  method: 'get',
  path: '/wallets/{id}',
  operationId: 'getWallet',
  summary: 'Read a wallet',
  tags: ['wallets'],
  security: needs('payments:read'),
  request: { query: noQuery, params: walletIdParams },
  responses: {
    200: jsonResponse('One snapshot.', walletSchema),
    ...problemResponses(...CODES_OF_READS, 'validation_failed', 'not_found'),
  },
});

export function walletsGet(app: App): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const result = await callObject(walletOf(c.env, c.get('scope'), id), (wallet) => wallet.read());
    return result.kind === 'not_found' ? problem(c, 'not_found') : c.json(result.wallet, 200);
  });
}
