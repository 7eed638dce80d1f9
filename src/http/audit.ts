/**
 * Writes what an operator is about to change into the audit log, with what they have shown of themselves: `actor` is what they
 * say, the credential is what they were let in with. Called by every route that changes something, before it does.
 */
import { type AuditEntry, appendAudits } from '../read-model/audit-log.ts';
import type { AppContext } from './context.ts';

/** `merchant`: whose thing is changed, where that is not who the request acts for. */
export type AuditedChange = Omit<AuditEntry, 'credential'>;

/** A row each, all or none. @throws what D1 throws: then nothing may be changed. */
export async function audit(c: AppContext, ...changes: readonly AuditedChange[]): Promise<void> {
  const { credential } = c.get('caller');
  const entries = changes.map((change) => ({ ...change, credential }));
  await appendAudits(c.env.DB, c.get('scope'), entries, Date.now());
}
