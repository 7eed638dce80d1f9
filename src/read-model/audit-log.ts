/**
 * The audit log (D1): what operators changed, by whom and why. Append-only, a hash chain, written before the change is made.
 * D1 has no transaction around a read, a hash and a write: a row names the one it follows, of which no two can be, and who
 * comes second reads the head again (decision 0054).
 */
import { EMPTY_LOG, type LogHead, operatorsLogHash, previousHashOf } from '../domain/audit/operators-log.ts';
import { InvariantError } from '../domain/errors.ts';
import type { Scope } from '../domain/ids.ts';
import { AUDIT_APPEND_ATTEMPTS_MAX } from '../domain/limits.ts';

export interface AuditEntry {
  readonly actor: string;
  /** `noun.verb`, as in `breaker.force`. */
  readonly action: string;
  /** What was changed, and to what. */
  readonly subject: string;
  readonly reason: string;
  /** What the change is made with: an API key's id, or `bootstrap`; null where authentication is open. */
  readonly credential?: string | null;
  /** Whose thing is changed, where that is not who the request acts for. */
  readonly merchant?: string;
}

/** All of the rows, or none where another has become the newest since the head was read. */
const INSERT = `
  INSERT INTO audit_log (id, at_ms, merchant, mode, actor, action, subject, reason, credential,
                         previous_hash, hash)
  SELECT value ->> '$.id', value ->> '$.at_ms', value ->> '$.merchant', value ->> '$.mode', value ->> '$.actor',
         value ->> '$.action', value ->> '$.subject', value ->> '$.reason',
         value ->> '$.credential', value ->> '$.previous_hash', value ->> '$.hash'
  FROM json_each(?1) WHERE (SELECT COALESCE(MAX(id), 0) FROM audit_log) = ?2`;

/**
 * Appends a row for each of the changes that are made together, all or none.
 * @throws what D1 throws, and InvariantError when others came first every time; nothing may be changed then, since a change
 *   that is not logged must not happen.
 */
export async function appendAudits(
  db: D1Database,
  scope: Scope,
  entries: readonly AuditEntry[],
  nowMs: number,
): Promise<void> {
  if (entries.length === 0) return;
  for (let attempt = 1; attempt <= AUDIT_APPEND_ATTEMPTS_MAX; attempt++) {
    const head = await headOf(db);
    const rows = rowsAfter(head, scope, entries, nowMs);
    const { meta } = await db.prepare(INSERT).bind(JSON.stringify(rows), head.id).run();
    if (meta.changes > 0) return;
  }
  throw new InvariantError('audit_log_append', { attempts: AUDIT_APPEND_ATTEMPTS_MAX });
}

async function headOf(db: D1Database): Promise<LogHead> {
  return (await db.prepare('SELECT id, hash FROM audit_log ORDER BY id DESC LIMIT 1').first<LogHead>()) ?? EMPTY_LOG;
}

function rowsAfter(head: LogHead, scope: Scope, entries: readonly AuditEntry[], nowMs: number) {
  let last = head;
  return entries.map(({ actor, action, subject, reason, credential = null, merchant = scope.merchant }) => {
    const who = { merchant, mode: scope.mode, actor, credential };
    const unsealed = { id: last.id + 1, at_ms: nowMs, ...who, action, subject, reason };
    const previousHash = previousHashOf(last);
    const hash = operatorsLogHash({ ...unsealed, previous_hash: previousHash, hash: null });
    last = { id: unsealed.id, hash };
    return { ...unsealed, previous_hash: previousHash, hash };
  });
}
