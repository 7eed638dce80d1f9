/**
 * Pure: a page of a sandbox provider's books as lines of a statement. The books are in the order of their keys, so the span of
 * time is picked out of every page; a charge that was only ever turned away is none. Used by the adapter (`sandbox.ts`).
 */
import { z } from 'zod';
import type { StatementLine } from '../../domain/reconciliation/books.ts';
import { entityOfKey } from '../keys.ts';
import type { StatementAnswer, StatementRequest } from '../provider.ts';
import type { SandboxBooksPage } from './sandbox-protocol.ts';

/** The most that the books give at once. */
export const BOOKS_PAGE_SIZE = 500;

const cursorSchema = z.object({ afterCharge: z.string(), afterRefund: z.string() });
type BooksCursor = z.infer<typeof cursorSchema>;

/** @throws for a text that is no cursor of ours: it never leaves the reconciliation that it was made in. */
export function booksCursor(cursor: string | null): BooksCursor {
  return cursor === null ? { afterCharge: '', afterRefund: '' } : cursorSchema.parse(JSON.parse(cursor));
}

export function statementPage(provider: string, request: StatementRequest, page: SandboxBooksPage): StatementAnswer {
  const before = booksCursor(request.cursor);
  const next: BooksCursor = {
    afterCharge: page.charges.at(-1)?.key ?? before.afterCharge,
    afterRefund: page.refunds.at(-1)?.key ?? before.afterRefund,
  };
  const lines = [...chargeLines(provider, page), ...refundLines(provider, page)].filter(
    ({ createdAtMs }) => createdAtMs >= request.fromMs && createdAtMs < request.toMs,
  );
  return { kind: 'page', lines, next: page.more ? JSON.stringify(next) : null };
}

function chargeLines(provider: string, { charges }: SandboxBooksPage): StatementLine[] {
  return charges.flatMap(({ id, paymentId, amountMinor, currency, status, refundedMinor, createdAtMs }) =>
    status === 'turned_away'
      ? []
      : {
          kind: 'charge' as const,
          provider,
          reference: id,
          paymentId,
          amountMinor,
          currency,
          state: status,
          refundedMinor,
          createdAtMs,
        },
  );
}

function refundLines(provider: string, { refunds }: SandboxBooksPage): StatementLine[] {
  return refunds.map(({ key, chargeKey, amountMinor, status, createdAtMs }) => ({
    kind: 'refund',
    provider,
    reference: `re_${key}`,
    chargeReference: `ch_${chargeKey}`,
    paymentId: entityOfKey(chargeKey),
    entityId: entityOfKey(key),
    amountMinor,
    currency: null,
    state: status,
    createdAtMs,
  }));
}
