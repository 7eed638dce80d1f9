/**
 * POST /ops/wallets/{id}/freeze and /unfreeze: an operator's word on whether a wallet begins anything new; what has begun
 * ends (decision 0084). Names its actor and reason, and is in the audit log before it is made; said again, it is answered
 * as before and in no log.
 */
import { createRoute, z } from '@hono/zod-openapi';
import type { Scope } from '../../domain/ids.ts';
import { audit } from '../audit.ts';
import type { App, AppContext } from '../context.ts';
import { jsonBody } from '../middleware/json-body.ts';
import { callObject, walletOf } from '../objects.ts';
import { CODES_OF_WRITES, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { clientId, noQuery, operatorFields } from '../schemas/common.ts';
import { walletIdParams, walletSchema } from '../schemas/wallet.ts';
import { needs } from '../security.ts';
import { validationFailed } from '../validation.ts';

const freezeSchema = z
  .strictObject({
    merchant: clientId('shop').optional().openapi({
      description: 'Whose wallet it is. Absent: of the merchant of the key that asks; a platform key must say it.',
    }),
    ...operatorFields,
  })
  .openapi('WalletFreeze');

const common = {
  method: 'post' as const,
  tags: ['ops'],
  security: needs('ops'),
  request: {
    query: noQuery,
    params: walletIdParams,
    body: { required: true, content: { 'application/json': { schema: freezeSchema } } },
  },
};

const freezeRoute = createRoute({
  ...common,
  middleware: [jsonBody] as const,
  path: '/ops/wallets/{id}/freeze',
  operationId: 'freezeWallet',
  summary: 'Have a wallet refuse new payments and deposits',
  responses: {
    200: jsonResponse('It is frozen, by this request or an earlier one.', walletSchema),
    ...problemResponses(...CODES_OF_WRITES, 'not_found'),
  },
});

const unfreezeRoute = createRoute({
  ...common,
  middleware: [jsonBody] as const,
  path: '/ops/wallets/{id}/unfreeze',
  operationId: 'unfreezeWallet',
  summary: 'Let a frozen wallet take payments and deposits again',
  responses: {
    200: jsonResponse('It is not frozen, by this request or an earlier one.', walletSchema),
    ...problemResponses(...CODES_OF_WRITES, 'not_found'),
  },
});

interface Word {
  readonly merchant?: string | undefined;
  readonly actor: string;
  readonly reason: string;
}

export function opsWalletsFreeze(app: App): void {
  app.openapi(freezeRoute, (c) => setFrozen(c, c.req.valid('param').id, c.req.valid('json'), true));
  app.openapi(unfreezeRoute, (c) => setFrozen(c, c.req.valid('param').id, c.req.valid('json'), false));
}

/** Checks, in order: whose wallet is said → the caller sees that merchant's → there is such a wallet → the audit log. */
async function setFrozen(c: AppContext, id: string, { merchant: asked, actor, reason }: Word, frozen: boolean) {
  const { merchant: own, mode, isPlatform } = c.get('purview');
  const merchant = asked ?? own;
  if (merchant === null) {
    const message = 'A platform key must say whose wallet it is.';
    return validationFailed(c, [{ in: 'body', pointer: '/merchant', message }]);
  }
  if (merchant !== own && !isPlatform) return problem(c, 'not_found');
  const scope: Scope = { merchant, mode };
  const before = await callObject(walletOf(c.env, scope, id), (wallet) => wallet.read());
  if (before.kind === 'not_found') return problem(c, 'not_found');
  if (before.wallet.frozen !== frozen) {
    await audit(c, { actor, action: frozen ? 'wallet.freeze' : 'wallet.unfreeze', subject: id, reason, merchant });
  }
  const after = await callObject(walletOf(c.env, scope, id), (wallet) => wallet.setFrozen(frozen));
  return after.kind === 'not_found' ? problem(c, 'not_found') : c.json(after.wallet, 200);
}
