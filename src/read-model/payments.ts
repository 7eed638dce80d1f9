/**
 * Typed queries over the `payments` rows of the record (migrations/0001_record.sql). Reads only: the record is written
 * by the payment-events consumer. The record may lag by a second and never decides about money.
 */
import type { Scope } from '../domain/ids.ts';
import type { PaymentMethod, PaymentStatus } from '../domain/payment.ts';

export interface PaymentFilters {
  readonly walletId?: string | undefined;
  readonly serviceId?: string | undefined;
  readonly status?: PaymentStatus | undefined;
  readonly method?: PaymentMethod | undefined;
  readonly reference?: string | undefined;
  /** Inclusive. */
  readonly createdFromMs?: number | undefined;
  /** Exclusive, so that two adjacent ranges share no payment. */
  readonly createdToMs?: number | undefined;
}

/** Where a page ended: newest first, and by id among those of one millisecond. */
export interface PaymentPosition {
  readonly createdAtMs: number;
  readonly id: string;
}

export interface PaymentPage {
  /** The public JSON of each payment, as text. */
  readonly bodies: readonly string[];
  /** Where the next page begins; null on the last. */
  readonly next: PaymentPosition | null;
}

interface Row {
  id: string;
  created_at_ms: number;
  body: string;
}

/**
 * One page of a merchant's payments, newest first, at most `limit`, after `position`.
 * Any replica may answer: a list is as current as the record is
 * (https://developers.cloudflare.com/d1/best-practices/read-replication/#use-sessions-api).
 */
export async function listPayments(
  db: D1Database,
  scope: Scope,
  filters: PaymentFilters,
  position: PaymentPosition | null,
  limit: number,
): Promise<PaymentPage> {
  const conditions: readonly (readonly [string, readonly (string | number | undefined)[]])[] = [
    ['merchant = ?', [scope.merchant]],
    ['mode = ?', [scope.mode]],
    ['wallet_id = ?', [filters.walletId]],
    ['service_id = ?', [filters.serviceId]],
    ['status = ?', [filters.status]],
    ['method = ?', [filters.method]],
    ['reference = ?', [filters.reference]],
    ['created_at_ms >= ?', [filters.createdFromMs]],
    ['created_at_ms < ?', [filters.createdToMs]],
    ['(created_at_ms, id) < (?, ?)', [position?.createdAtMs, position?.id]],
  ];
  const asked = conditions.filter(([, values]) => values.every((value) => value !== undefined));
  const sql =
    `SELECT id, created_at_ms, body FROM payments WHERE ${asked.map(([condition]) => condition).join(' AND ')}` +
    ' ORDER BY created_at_ms DESC, id DESC LIMIT ?';
  // One row more than asked tells whether another page follows.
  const { results } = await db
    .withSession('first-unconstrained')
    .prepare(sql)
    .bind(...asked.flatMap(([, values]) => values), limit + 1)
    .all<Row>();
  const rows = results.slice(0, limit);
  const last = rows.at(-1);
  const more = results.length > limit && last !== undefined;
  return {
    bodies: rows.map((row) => row.body),
    next: more ? { createdAtMs: last.created_at_ms, id: last.id } : null,
  };
}
