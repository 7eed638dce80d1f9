/**
 * Typed queries over the `payments` rows of the record (migrations/0001_record.sql). Reads only: the record is written
 * by the payment-events consumer. The record may lag by a second and never decides about money.
 */
import type { Scope } from '../domain/ids.ts';
import type { PaymentMethod, PaymentStatus } from '../domain/payment.ts';
import { type BodiesPage, type Conditions, listBodies, type PagePosition } from './pages.ts';

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

/** One page of a merchant's payments, newest first, at most `limit`, after `position`. */
export async function listPayments(
  db: D1Database,
  scope: Scope,
  filters: PaymentFilters,
  position: PagePosition | null,
  limit: number,
): Promise<BodiesPage> {
  const conditions: Conditions = [
    ['merchant = ?', scope.merchant],
    ['mode = ?', scope.mode],
    ['wallet_id = ?', filters.walletId],
    ['service_id = ?', filters.serviceId],
    ['status = ?', filters.status],
    ['method = ?', filters.method],
    ['reference = ?', filters.reference],
    ['created_at_ms >= ?', filters.createdFromMs],
    ['created_at_ms < ?', filters.createdToMs],
  ];
  return listBodies(db, 'payments', conditions, position, limit);
}
