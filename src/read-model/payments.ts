/**
 * Typed queries over the `payments` rows of the record (migrations/0001_record.sql). Reads only: the record is written
 * by the payment-events consumer. The record may lag by a second and never decides about money.
 */
import type { Scope } from '../domain/ids.ts';
import { PAYMENTS_SEARCHED_MAX } from '../domain/limits.ts';
import type { PaymentMethod, PaymentStatus } from '../domain/payment.ts';
import { type BodiesPage, type Conditions, listBodies, type PagePosition, positionAfter } from './pages.ts';

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

/**
 * One page of a merchant's payments, newest first, at most `limit`, after `position`. What no index has is looked for among
 * PAYMENTS_SEARCHED_MAX payments: the page may then be short, or empty, with more to come (decision 0085).
 */
export async function listPayments(
  db: D1Database,
  scope: Scope,
  filters: PaymentFilters,
  position: PagePosition | null,
  limit: number,
): Promise<BodiesPage> {
  const { walletId, serviceId, status, method, reference, createdFromMs, createdToMs } = filters;
  const isByStatus = walletId === undefined && status !== undefined && status !== 'COMPLETED';
  const indexed: Conditions = [
    ['merchant = ?', scope.merchant],
    ['mode = ?', scope.mode],
    ['wallet_id = ?', walletId],
    // As the partial index of migrations/0014_found_by_index.sql says it: in other words it would not be used.
    [`status <> 'COMPLETED' AND status = ?`, isByStatus ? status : undefined],
  ];
  const searched: Conditions = [
    ['service_id = ?', serviceId],
    ['status = ?', isByStatus ? undefined : status],
    ['method = ?', method],
    ['reference = ?', reference],
  ];
  // Bounds are positions: SQLite takes one each way for the index, and would take a bound by time alone before a nearer one.
  const start = position ?? (createdToMs === undefined ? null : { createdAtMs: createdToMs, id: '' });
  const from = (end: PagePosition | null): Conditions => [
    ['(created_at_ms, id) >= (?, ?)', end?.createdAtMs ?? createdFromMs, end?.id ?? ''],
  ];
  const isSearched = searched.some(([, value]) => value !== undefined);
  const end = isSearched ? await positionAfter(db, [...indexed, ...from(null)], start, PAYMENTS_SEARCHED_MAX) : null;
  const { bodies, next } = await listBodies(db, 'payments', [...indexed, ...searched, ...from(end)], start, limit);
  return { bodies, next: next ?? end };
}
