/** The reports of the sweeper (D1), the last ones. Written by the sweeper, read by operators. */
import { LOOK_AGAIN_MS, LOOK_AGAIN_RUNS_MAX } from '../domain/sweep-policy.ts';
import { longestOutboxAgeMs, type SweepReport } from '../domain/sweep-report.ts';

export interface StoredSweep {
  readonly id: number;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly report: SweepReport;
}

/** Keeps a report, and of all of them the last `keptMax`. */
export async function keepSweep(
  db: D1Database,
  { startedAtMs, finishedAtMs, report }: Omit<StoredSweep, 'id'>,
  keptMax: number,
): Promise<void> {
  await db.batch([
    db
      .prepare('INSERT INTO sweeps (started_at_ms, finished_at_ms, report) VALUES (?, ?, ?)')
      .bind(startedAtMs, finishedAtMs, JSON.stringify(report)),
    db.prepare('DELETE FROM sweeps WHERE id <= (SELECT MAX(id) FROM sweeps) - ?').bind(keptMax),
  ]);
}

/** Newest first, at most `limit`, before `beforeId` (null: from the newest). */
export async function listSweeps(
  db: D1Database,
  beforeId: number | null,
  limit: number,
): Promise<{ readonly sweeps: readonly StoredSweep[]; readonly nextId: number | null }> {
  const { results } = await db
    .prepare(
      'SELECT id, started_at_ms, finished_at_ms, report FROM sweeps WHERE ?1 IS NULL OR id < ?1 ORDER BY id DESC LIMIT ?2',
    )
    .bind(beforeId, limit + 1)
    .all<{ id: number; started_at_ms: number; finished_at_ms: number; report: string }>();
  const sweeps = results.slice(0, limit).map(({ id, started_at_ms, finished_at_ms, report }) => ({
    id,
    startedAtMs: started_at_ms,
    finishedAtMs: finished_at_ms,
    report: JSON.parse(report) as SweepReport,
  }));
  return { sweeps, nextId: results.length > limit ? (sweeps.at(-1)?.id ?? null) : null };
}

export interface LastSweep extends StoredSweep {
  /** By this run and those before it that ended within LOOK_AGAIN_MS of it, since each looks at some sagas only; 0: none waits. */
  readonly outboxAgeMs: number;
}

/** The last run of the sweeper; null: none yet. Of a sweeper that has fallen silent it goes on to say what it said last. */
export async function lastSweep(db: D1Database): Promise<LastSweep | null> {
  const { sweeps } = await listSweeps(db, null, LOOK_AGAIN_RUNS_MAX);
  const [last] = sweeps;
  if (last === undefined) return null;
  const recent = sweeps.filter(({ finishedAtMs }) => finishedAtMs > last.finishedAtMs - LOOK_AGAIN_MS);
  return { ...last, outboxAgeMs: longestOutboxAgeMs(recent.map(({ report }) => report)) };
}
