/**
 * Archives rows that stand by themselves, providers' callbacks and settled dead letters, and deletes them at once when the object
 * has been read back. A plan that was begun is ended first, so that a crash at any point leads to the same object. Called by
 * the cron.
 */
import { objectKeyOf } from '../domain/archive/manifest.ts';
import { InvariantError } from '../domain/errors.ts';
import { toTimestamp } from '../domain/events/envelope.ts';
import { ARCHIVE_ROWS_MAX, ARCHIVE_STEPS_MAX, RECORD_LOG_RETENTION_MS } from '../domain/limits.ts';
import { type ArchivedTable, deleteRowsStatement, oldRows, rowsOfKeys } from '../read-model/archived-rows.ts';
import { type Archive, oldestArchive, planStatement, storedStatement } from '../read-model/archives.ts';
import { logLine } from '../telemetry/log.ts';
import { shelve } from './shelf.ts';

/** Objects that were written. @throws what D1 and R2 throw, with nothing deleted. */
export async function archiveRows(env: Env, table: ArchivedTable, nowMs: number): Promise<number> {
  let stored = 0;
  for (let step = 0; step < ARCHIVE_STEPS_MAX; step++) {
    const planned = (await oldestArchive(env.DB, table, 'planned')) ?? (await plan(env.DB, table, nowMs));
    if (planned === null) return stored;
    await store(env, table, planned, nowMs);
    stored += 1;
  }
  return stored;
}

async function plan(db: D1Database, table: ArchivedTable, nowMs: number): Promise<Archive | null> {
  const rows = await oldRows(db, table, nowMs - RECORD_LOG_RETENTION_MS, ARCHIVE_ROWS_MAX);
  const [first] = rows;
  if (first === undefined) return null;
  const keys = rows.map(({ key }) => key);
  const newestAtMs = Math.max(...rows.map(({ atMs }) => atMs));
  const objectKey = objectKeyOf(table, null, first.atMs, keys);
  await planStatement(db, { kind: table, objectKey, keys, newestAtMs }, nowMs).run();
  return oldestArchive(db, table, 'planned');
}

async function store(env: Env, table: ArchivedTable, archive: Archive, nowMs: number): Promise<void> {
  const { objectKey, keys, newestAtMs } = archive;
  const lines = await rowsOfKeys(env.DB, table, keys);
  if (lines.length !== keys.length) {
    throw new InvariantError('archive_plan_whole', { object_key: objectKey, found: lines.length });
  }
  const manifest = await shelve(
    env.ARCHIVE,
    {
      format: 1,
      object_key: objectKey,
      kind: table,
      rows: { lines: lines.length },
      first_key: JSON.stringify(keys.at(0)),
      last_key: JSON.stringify(keys.at(-1)),
      newest_at: toTimestamp(newestAtMs),
    },
    lines,
  );
  await env.DB.batch([
    deleteRowsStatement(env.DB, table, keys),
    storedStatement(env.DB, archive, 'trimmed', manifest, {}, nowMs),
  ]);
  logLine('archive.trimmed', { job: table, entity_id: objectKey, status: 'trimmed', count: lines.length });
}
