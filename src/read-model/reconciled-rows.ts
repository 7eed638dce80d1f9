/**
 * The record's payments and refunds as reconciliation goes through them: all merchants of a mode, a bounded page at a time,
 * each by an index. Reads only, from the primary: a replica that lags would look like a difference.
 */
import { InvariantError } from '../domain/errors.ts';
import { type PaymentRow, paymentRowSchema, type RefundRow } from '../domain/messages.ts';
import type { ReconciliationPlan } from '../domain/reconciliation/plan.ts';
import type { Window } from '../domain/reconciliation/subject.ts';

type Mode = ReconciliationPlan['mode'];

const PAYMENT_COLUMNS = Object.keys(paymentRowSchema.shape).join(', ');
const REFUND_COLUMNS = 'id, merchant, mode, payment_id, status, created_at_ms, updated_at_ms, sequence, body';
/** Refunds of one page of payments: a hundred each. More is nothing that a payment of ours is ever refunded in. */
const REFUNDS_MAX = 10_000;

/** Where a page of payments ended: merchants in turn, each oldest first. */
export interface PaymentsPosition {
  readonly merchant: string;
  readonly createdAtMs: number;
  readonly id: string;
}

/** The payments made in the window, after `position`; null after the last. May be empty where a merchant ends. */
export async function paymentsMade(
  db: D1Database,
  mode: Mode,
  { fromMs, toMs }: Window,
  position: PaymentsPosition | null,
  limit: number,
): Promise<{ readonly rows: readonly PaymentRow[]; readonly next: PaymentsPosition | null }> {
  const at = position ?? (await nextMerchant(db, mode, ''));
  if (at === null) return { rows: [], next: null };
  const after = startingAt(fromMs, at);
  const { results } = await db
    .prepare(
      `SELECT ${PAYMENT_COLUMNS} FROM payments
       WHERE merchant = ? AND mode = ? AND (created_at_ms, id) > (?, ?) AND created_at_ms < ?
       ORDER BY created_at_ms, id LIMIT ?`,
    )
    .bind(at.merchant, mode, after.createdAtMs, after.id, toMs, limit)
    .all<PaymentRow>();
  const last = results.at(-1);
  if (last === undefined || results.length < limit) {
    return { rows: results, next: await nextMerchant(db, mode, at.merchant) };
  }
  return { rows: results, next: { merchant: at.merchant, createdAtMs: last.created_at_ms, id: last.id } };
}

/**
 * Where a page of the window begins. Its beginning is a position too: beside a bound by time alone SQLite would not take the position for
 * the index, and each page would read all pages before it (decision 0085).
 */
function startingAt(
  fromMs: number,
  position: { readonly createdAtMs: number; readonly id: string } | null,
): { readonly createdAtMs: number; readonly id: string } {
  return position === null || position.createdAtMs < fromMs ? { createdAtMs: fromMs, id: '' } : position;
}

/** Skips from merchant to merchant in the index: there are few of them, and many payments of each. */
async function nextMerchant(db: D1Database, mode: Mode, after: string): Promise<PaymentsPosition | null> {
  const row = await db
    .prepare('SELECT merchant FROM payments WHERE merchant > ? AND mode = ? ORDER BY merchant LIMIT 1')
    .bind(after, mode)
    .first<{ merchant: string }>();
  return row === null ? null : { merchant: row.merchant, createdAtMs: -1, id: '' };
}

/** Those of the payments that the record has. */
export async function paymentsById(db: D1Database, mode: Mode, ids: readonly string[]): Promise<PaymentRow[]> {
  const { results } = await db
    .prepare(`SELECT ${PAYMENT_COLUMNS} FROM payments WHERE id IN (SELECT value FROM json_each(?)) AND mode = ?`)
    .bind(JSON.stringify(ids), mode)
    .all<PaymentRow>();
  return results;
}

/**
 * All refunds of these payments.
 * @throws InvariantError for more than a page may have: comparing with a part of them would find differences that are none.
 */
export async function refundsOf(
  db: D1Database,
  mode: Mode,
  payments: readonly { readonly merchant: string; readonly id: string }[],
): Promise<RefundRow[]> {
  if (payments.length === 0) return [];
  const keys = payments.map(({ merchant, id }) => ({ merchant, id }));
  const { results } = await db
    .prepare(
      `SELECT ${REFUND_COLUMNS} FROM refunds WHERE (merchant, mode, payment_id) IN
         (SELECT value ->> '$.merchant', ?2, value ->> '$.id' FROM json_each(?1)) LIMIT ?3`,
    )
    .bind(JSON.stringify(keys), mode, REFUNDS_MAX)
    .all<RefundRow>();
  if (results.length === REFUNDS_MAX) throw new InvariantError('refunds_of_a_page', { n: results.length });
  return results;
}

/** The payments whose refunds were made in the window, after `position`; null after the last. */
export async function paymentsRefunded(
  db: D1Database,
  mode: Mode,
  { fromMs, toMs }: Window,
  position: { readonly createdAtMs: number; readonly id: string } | null,
  limit: number,
): Promise<{
  readonly paymentIds: readonly string[];
  readonly next: { readonly createdAtMs: number; readonly id: string } | null;
}> {
  const after = startingAt(fromMs, position);
  const { results } = await db
    .prepare(
      `SELECT id, payment_id, created_at_ms FROM refunds
       WHERE mode = ? AND (created_at_ms, id) > (?, ?) AND created_at_ms < ?
       ORDER BY created_at_ms, id LIMIT ?`,
    )
    .bind(mode, after.createdAtMs, after.id, toMs, limit)
    .all<{ id: string; payment_id: string; created_at_ms: number }>();
  const last = results.at(-1);
  return {
    paymentIds: [...new Set(results.map((row) => row.payment_id))],
    next: last === undefined || results.length < limit ? null : { createdAtMs: last.created_at_ms, id: last.id },
  };
}
