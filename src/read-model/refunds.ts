/**
 * Typed queries over the `refunds` rows of the record (migrations/0004_refunds.sql). Reads only: the record is written by
 * the payment-events consumer.
 */
import type { Scope } from '../domain/ids.ts';
import { type BodiesPage, listBodies, type PagePosition } from './pages.ts';

/** One page of the refunds of a merchant's payment, newest first, at most `limit`, after `position`. */
export async function listRefunds(
  db: D1Database,
  scope: Scope,
  paymentId: string,
  position: PagePosition | null,
  limit: number,
): Promise<BodiesPage> {
  const conditions = [
    ['merchant = ?', scope.merchant],
    ['mode = ?', scope.mode],
    ['payment_id = ?', paymentId],
  ] as const;
  return listBodies(db, 'refunds', conditions, position, limit);
}
