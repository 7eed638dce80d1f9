/**
 * GET /wallets/{id}/entries: the ledger, newest first, read from the wallet itself; with `at`, the balance as it stood
 * at that instant and the entries made until then.
 */
import { createRoute, z } from '@hono/zod-openapi';
import { canonicalJson } from '../../domain/canonical.ts';
import type { App } from '../context.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { callObject, walletOf } from '../objects.ts';
import { CODES_OF_READS, jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';
import { instant, pageCursor, pageLimit } from '../schemas/common.ts';
import { entryListSchema, walletIdParams } from '../schemas/wallet.ts';
import { needs } from '../security.ts';

const querySchema = z.strictObject({
  at: instant.optional().openapi({ description: 'The balance at this instant, and entries made until then.' }),
  limit: pageLimit,
  cursor: pageCursor,
});

const sequenceSchema = z.number().int().positive();

const route = createRoute({
  method: 'get',
  path: '/wallets/{id}/entries',
  operationId: 'listWalletEntries',
  summary: "Read a wallet's ledger, newest first",
  tags: ['wallets'],
  security: needs('payments:read'),
  request: { params: walletIdParams, query: querySchema },
  responses: {
    200: jsonResponse('One page.', entryListSchema),
    ...problemResponses(...CODES_OF_READS, 'validation_failed', 'invalid_cursor', 'not_found'),
  },
});

export function walletsEntries(app: App): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const { at, limit, cursor } = c.req.valid('query');
    const filtersText = canonicalJson([c.req.path, at ?? null]);
    const beforeSequence = cursor === undefined ? null : decodeCursor(sequenceSchema, cursor, filtersText);
    if (cursor !== undefined && beforeSequence === null) return problem(c, 'invalid_cursor');

    const atMs = at === undefined ? null : Date.parse(at);
    const result = await callObject(walletOf(c.env, c.get('scope'), id), (wallet) =>
      wallet.readEntries({ beforeSequence, limit, atMs }),
    );
    if (result.kind === 'not_found') return problem(c, 'not_found');
    const last = result.entries.at(-1);
    return c.json(
      {
        object: 'list',
        data: result.entries,
        next_cursor: result.more && last !== undefined ? encodeCursor(last.sequence, filtersText) : null,
        ...(result.balanceAt !== undefined && { balance_at: result.balanceAt }),
      },
      200,
    );
  });
}
