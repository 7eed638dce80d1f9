/**
 * GET /wallets: the directory of the merchant's wallets, by id, from the record (D1). A row is what never changes of a wallet;
 * balances are at its own address. Never asks an object.
 */
import { createRoute, z } from '@hono/zod-openapi';
import { canonicalJson } from '../../domain/canonical.ts';
import { toTimestamp } from '../../domain/events/envelope.ts';
import { listWallets } from '../../read-model/wallets.ts';
import type { App } from '../context.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { CODES_OF_READS, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { clientId, pageCursor, pageLimit } from '../schemas/common.ts';
import { walletListSchema } from '../schemas/wallet.ts';
import { needs } from '../security.ts';

const querySchema = z.strictObject({
  prefix: clientId('wal-').optional().openapi({ description: 'Only wallets whose ids begin with it.' }),
  limit: pageLimit,
  cursor: pageCursor,
});

const positionSchema = z.string().max(64);

const route = createRoute({
  method: 'get',
  path: '/wallets',
  operationId: 'listWallets',
  summary: 'List wallets, by id',
  tags: ['wallets'],
  security: needs('payments:read'),
  request: { query: querySchema },
  responses: {
    200: jsonResponse('One page.', walletListSchema),
    ...problemResponses(...CODES_OF_READS, 'validation_failed', 'invalid_cursor'),
  },
});

export function walletsList(app: App): void {
  app.openapi(route, async (c) => {
    const { prefix, limit, cursor } = c.req.valid('query');
    const filtersText = `/wallets ${canonicalJson({ prefix: prefix ?? null })}`;
    const afterId = cursor === undefined ? '' : decodeCursor(positionSchema, cursor, filtersText);
    if (afterId === null) return problem(c, 'invalid_cursor');
    const { rows, nextId } = await listWallets(c.env.DB, c.get('scope'), prefix ?? '', afterId, limit);
    const data = rows.map(({ id, currency, created_at_ms: createdAtMs }) => ({
      id,
      object: 'wallet_row' as const,
      currency,
      created_at: toTimestamp(createdAtMs),
    }));
    const next = nextId === null ? null : encodeCursor(nextId, filtersText);
    return c.json({ object: 'list' as const, data, next_cursor: next }, 200);
  });
}
