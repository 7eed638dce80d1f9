/** The audit log (D1): what operators changed, by whom and why. Append-only; written before the change is made. */
import type { Scope } from '../domain/ids.ts';

export interface AuditEntry {
  readonly actor: string;
  /** `noun.verb`, as in `breaker.force`. */
  readonly action: string;
  /** What was changed, and to what. */
  readonly subject: string;
  readonly reason: string;
}

/** @throws what D1 throws; nothing may be changed then, since a change that is not logged must not happen. */
export async function appendAudit(db: D1Database, scope: Scope, entry: AuditEntry, nowMs: number): Promise<void> {
  await db
    .prepare(
      'INSERT INTO audit_log (at_ms, merchant, mode, actor, action, subject, reason) VALUES (?, ?, ?, ?, ?, ?, ?)',
    )
    .bind(nowMs, scope.merchant, scope.mode, entry.actor, entry.action, entry.subject, entry.reason)
    .run();
}
