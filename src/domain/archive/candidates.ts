/**
 * Pure: which payments the archiver may take next, by what the record says of them. Whether their objects are empty is asked of
 * those; this only says when that is worth asking. Called by the archiver (src/archiver/payments.ts).
 */
import { ARCHIVE_WAIT_MS, RETENTION_MS } from '../limits.ts';

/** A payment or refund as the record has it. */
export interface RecordedEnd {
  readonly status: string;
  readonly updated_at_ms: number;
}

/**
 * When its object may be empty: never before its retention is over, counted from the last change of the payment or of any of
 * its refunds; of one that has not ended, a while from now.
 */
export function askedNotBeforeMs(sagas: readonly RecordedEnd[], nowMs: number): number {
  if (sagas.some(({ status }) => status === 'PENDING')) return nowMs + ARCHIVE_WAIT_MS;
  return Math.max(...sagas.map((saga) => saga.updated_at_ms)) + RETENTION_MS;
}

/** What is made before this may be ended and empty by now; what is younger cannot. */
export function searchedUntilMs(nowMs: number): number {
  return nowMs - RETENTION_MS;
}
