/**
 * Deletes from the record (D1) what the archive has: first timelines and notifications, much later the rows. What goes is what
 * stands in the object, read back and compared just before; one transaction for each object. Called by the cron.
 */
import { ARCHIVE_STEPS_MAX, RECORD_LOG_RETENTION_MS, RECORD_ROW_RETENTION_MS } from '../domain/limits.ts';
import { trimLogsStatements, trimRowsStatements } from '../read-model/archived-payments.ts';
import { oldestArchive, trimmedStatement } from '../read-model/archives.ts';
import { logLine } from '../telemetry/log.ts';
import { dossiersOf } from './shelf.ts';

const STAGES = [
  { from: 'stored', to: 'logs_trimmed', afterMs: RECORD_LOG_RETENTION_MS, statements: trimLogsStatements },
  { from: 'logs_trimmed', to: 'trimmed', afterMs: RECORD_ROW_RETENTION_MS, statements: trimRowsStatements },
] as const;

/** Objects whose rows were trimmed. @throws what D1 and R2 throw, with nothing deleted of that object. */
export async function trimPayments(env: Env, nowMs: number): Promise<number> {
  let trimmed = 0;
  for (const { from, to, afterMs, statements } of STAGES) {
    for (let step = 0; step < ARCHIVE_STEPS_MAX; step++) {
      const archive = await oldestArchive(env.DB, 'payments', from, nowMs - afterMs);
      if (archive === null) break;
      const dossiers = await dossiersOf(env.ARCHIVE, archive);
      await env.DB.batch([
        ...statements(env.DB, archive.id, dossiers),
        trimmedStatement(env.DB, archive, from, to, nowMs),
      ]);
      logLine('archive.trimmed', { job: 'payments', entity_id: archive.objectKey, status: to, count: dossiers.length });
      trimmed += 1;
    }
  }
  return trimmed;
}
