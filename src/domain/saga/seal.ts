/**
 * Pure: the seal of a stored commit: a hash over the row's own text and the seal of the row before, so that an edit of any
 * stored row of a saga shows (decision 0054). Made by the saga's store at every write, checked by the auditor.
 */
import { sha256Hex } from '../canonical.ts';

/** `format` of a stored record whose row is sealed; rows of format 1 were written before there were seals. */
export const SEALED_FORMAT = 2;

/** A row of `commits`, as it is stored: the seal covers the texts and not what they parse to. */
export interface StoredCommit {
  readonly sequenceLast: number;
  readonly closes: number;
  readonly events: string;
  readonly record: string;
  /** Null in rows of format 1. */
  readonly seal: string | null;
}

/**
 * The seal of a row. No part of it can hold a line feed that is not escaped, so no two rows make one text.
 * @param previous the seal of the row before; null for the first row, and after a row of format 1.
 */
export function sealOf(previous: string | null, row: Omit<StoredCommit, 'seal'>): string {
  return sha256Hex(`${previous ?? ''}\n${row.sequenceLast}\n${row.closes}\n${row.events}\n${row.record}`);
}
