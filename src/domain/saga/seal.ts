/**
 * Pure: the seal of a stored commit: a hash over its own texts and the seal of the commit before, so that an edit of any
 * stored commit of a saga shows (decision 0054). Made by the saga's store at every write, checked by the auditor.
 */
import { sha256Hex } from '../canonical.ts';

/** `format` of a stored record whose commit is sealed; those of format 1 were written before there were seals. */
export const SEALED_FORMAT = 2;

/** A commit as it is stored (decision 0067): the seal covers the texts and not what they parse to. */
export interface StoredCommit {
  readonly sequenceLast: number;
  readonly closes: number;
  readonly events: string;
  readonly record: string;
  /** Null in commits of format 1. */
  readonly seal: string | null;
}

/**
 * The seal of a commit. No part of it can hold a line feed that is not escaped, so no two commits make one text.
 * @param previous the seal of the commit before; null for the first, and after one of format 1.
 */
export function sealOf(previous: string | null, row: Omit<StoredCommit, 'seal'>): string {
  return sha256Hex(`${previous ?? ''}\n${row.sequenceLast}\n${row.closes}\n${row.events}\n${row.record}`);
}
