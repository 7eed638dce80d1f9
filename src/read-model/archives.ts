/**
 * The table of the archive's objects (D1): what is planned, written and trimmed, and the leases of the jobs that do it. Typed SQL;
 * what may go is decided by the archiver (src/archiver).
 */
import { type ArchiveKind, type Manifest, manifestSchema } from '../domain/archive/manifest.ts';
import type { Counts } from '../domain/audit/counters.ts';
import { ARCHIVE_LEASE_MS } from '../domain/limits.ts';

export type ArchiveStatus = 'planned' | 'stored' | 'logs_trimmed' | 'trimmed';

export interface Plan {
  readonly kind: ArchiveKind;
  readonly objectKey: string;
  readonly keys: readonly unknown[];
  readonly newestAtMs: number;
}

export interface Archive extends Plan {
  readonly id: number;
  readonly status: ArchiveStatus;
  /** Null while it is planned. */
  readonly manifest: Manifest | null;
}

interface ArchiveRow {
  readonly id: number;
  readonly kind: ArchiveKind;
  readonly status: ArchiveStatus;
  readonly object_key: string;
  readonly keys: string;
  readonly manifest: string | null;
  readonly newest_at_ms: number;
}

function archiveOf(row: ArchiveRow): Archive {
  return {
    id: row.id,
    kind: row.kind,
    status: row.status,
    objectKey: row.object_key,
    keys: JSON.parse(row.keys) as unknown[],
    manifest: row.manifest === null ? null : manifestSchema.parse(JSON.parse(row.manifest)),
    newestAtMs: row.newest_at_ms,
  };
}

/** Whether this run may work: no other has the job. Given back by `endLease`, or over by itself. */
export async function takeLease(db: D1Database, job: string, nowMs: number): Promise<boolean> {
  const { meta } = await db
    .prepare(
      `INSERT INTO archive_leases (job, until_ms) VALUES (?1, ?2)
       ON CONFLICT (job) DO UPDATE SET until_ms = excluded.until_ms WHERE archive_leases.until_ms <= ?3`,
    )
    .bind(job, nowMs + ARCHIVE_LEASE_MS, nowMs)
    .run();
  return meta.changes > 0;
}

export async function endLease(db: D1Database, job: string): Promise<void> {
  await db.prepare('UPDATE archive_leases SET until_ms = 0 WHERE job = ?').bind(job).run();
}

/** The one in this status whose rows changed last the longest ago, before `newestBeforeMs`; null: there is none. */
export async function oldestArchive(
  db: D1Database,
  kind: ArchiveKind,
  status: ArchiveStatus,
  newestBeforeMs = Number.MAX_SAFE_INTEGER,
): Promise<Archive | null> {
  const row = await db
    .prepare(
      `SELECT id, kind, status, object_key, keys, manifest, newest_at_ms FROM archives
       WHERE status = ? AND newest_at_ms < ? AND kind = ? ORDER BY newest_at_ms, id LIMIT 1`,
    )
    .bind(status, newestBeforeMs, kind)
    .first<ArchiveRow>();
  return row === null ? null : archiveOf(row);
}

/** At most `limit` after `id`, in order. */
export async function archivesAfter(db: D1Database, id: number, limit: number): Promise<Archive[]> {
  const { results } = await db
    .prepare(
      `SELECT id, kind, status, object_key, keys, manifest, newest_at_ms FROM archives
       WHERE id > ? ORDER BY id LIMIT ?`,
    )
    .bind(id, limit)
    .all<ArchiveRow>();
  return results.map(archiveOf);
}

/** Enters a plan: from here on these keys are of this object, whatever happens. */
export function planStatement(db: D1Database, { kind, objectKey, keys, newestAtMs }: Plan, nowMs: number) {
  return db
    .prepare(
      `INSERT INTO archives (kind, status, object_key, keys, newest_at_ms, planned_at_ms, updated_at_ms)
       VALUES (?, 'planned', ?, ?, ?, ?, ?)`,
    )
    .bind(kind, objectKey, JSON.stringify(keys), newestAtMs, nowMs, nowMs);
}

/** The object is there, and was read back. */
export function storedStatement(
  db: D1Database,
  { id }: Archive,
  status: 'stored' | 'trimmed',
  manifest: Manifest,
  counts: Counts,
  nowMs: number,
) {
  return db
    .prepare(
      `UPDATE archives SET status = ?, manifest = ?, counts = ?, updated_at_ms = ? WHERE id = ? AND status = 'planned'`,
    )
    .bind(status, JSON.stringify(manifest), JSON.stringify(counts), nowMs, id);
}

/** The next step down. The first trimming of logs takes the next number: an audit that reads meanwhile sees which came after it. */
export function trimmedStatement(
  db: D1Database,
  { id }: Archive,
  from: ArchiveStatus,
  to: 'logs_trimmed' | 'trimmed',
  nowMs: number,
) {
  return db
    .prepare(
      `UPDATE archives SET status = ?, updated_at_ms = ?,
         trim_number = COALESCE(trim_number, (SELECT COALESCE(MAX(trim_number), 0) + 1 FROM archives))
       WHERE id = ? AND status = ?`,
    )
    .bind(to, nowMs, id, from);
}

/** What the runs that were trimmed after `trimNumber` had moved, by series and sum, and the number of the last trimming. */
export async function trimmedCounts(
  db: D1Database,
  trimNumber: number,
): Promise<{ readonly counts: Counts; readonly trimNumber: number }> {
  const [sums, last] = await db.batch([
    db
      .prepare(
        `SELECT moved.key AS series, SUM(moved.value) AS count FROM archives, json_each(archives.counts) AS moved
         WHERE archives.trim_number > ? GROUP BY moved.key`,
      )
      .bind(trimNumber),
    db.prepare('SELECT COALESCE(MAX(trim_number), 0) AS last FROM archives'),
  ]);
  const rows = (sums?.results ?? []) as { readonly series: string; readonly count: number }[];
  const [{ last: lastNumber } = { last: 0 }] = (last?.results ?? []) as { readonly last: number }[];
  return {
    counts: Object.fromEntries(rows.map(({ series, count }) => [series, count])),
    trimNumber: lastNumber,
  };
}

/** By what the runs in one object are noted to have moved each counter. */
export async function archiveCounts(db: D1Database, id: number): Promise<Counts> {
  const counts = await db.prepare('SELECT counts FROM archives WHERE id = ?').bind(id).first<string>('counts');
  return JSON.parse(counts ?? '{}') as Counts;
}
