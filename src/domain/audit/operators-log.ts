/**
 * Pure: the hash chain of the operators' log. Each row's hash covers the row and the hash before it, so that a row that was
 * edited, taken out or put in shows; that the newest were cut off shows only to who has kept the head (docs/runbook.md).
 * Called by the log itself (src/read-model/audit-log.ts) and by the auditor.
 */
import { canonicalJson, sha256Hex } from '../canonical.ts';
import { type Finding, Findings } from './finding.ts';

export interface OperatorsLogRow {
  /** Gapless from 1. */
  readonly id: number;
  readonly at_ms: number;
  readonly merchant: string;
  readonly mode: string;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly reason: string;
  /** What the change was made with: an API key's id, or `bootstrap`; null where authentication was open. */
  readonly credential: string | null;
  /** Both null in rows from before the chain. */
  readonly previous_hash: string | null;
  readonly hash: string | null;
}

export type LogHead = Pick<OperatorsLogRow, 'id' | 'hash'>;

export const EMPTY_LOG: LogHead = { id: 0, hash: null };

/** What the row after `head` stands on; after rows without a hash, on their number. */
export function previousHashOf({ id, hash }: LogHead): string {
  return hash ?? `unsealed.${id}`;
}

/**
 * SHA-256 over the canonical JSON of the rest of the row, the hash before it with it. A row without a credential is hashed as
 * rows were before there were any: one that is put in, or taken out, shows all the same.
 */
export function operatorsLogHash({ hash: _, credential, ...covered }: OperatorsLogRow): string {
  return sha256Hex(canonicalJson(credential === null ? covered : { ...covered, credential }));
}

export interface OperatorsLogAudit {
  readonly head: LogHead;
  readonly findings: readonly Finding[];
  /** Rows from before the chain: an edit of one may go unseen. */
  readonly unsealed: number;
}

/** Checks a page of the log that follows `head`: gapless ids, links, hashes; no row without a hash after one with it. */
export function auditOperatorsLog(head: LogHead, rows: readonly OperatorsLogRow[]): OperatorsLogAudit {
  let last = head;
  let unsealed = 0;
  const findings = rows.flatMap((row) => {
    const found = new Findings(`audit_log ${row.id}`);
    found.guard('log', 'the row', () => {
      found.expect(row.id === last.id + 1, 'log', `follows ${last.id}`);
      if (row.hash === null && row.previous_hash === null && last.hash === null) {
        unsealed += 1;
        return;
      }
      found.expect(row.previous_hash === previousHashOf(last), 'log', 'does not stand on the row before it');
      found.expect(row.hash === operatorsLogHash(row), 'log', 'was edited');
    });
    last = { id: row.id, hash: row.hash };
    return found.all;
  });
  return { head: last, findings, unsealed };
}
