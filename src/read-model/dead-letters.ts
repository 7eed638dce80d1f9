/**
 * Typed queries over `dead_letters` (migrations/0001_record.sql, 0006_dead_letters.sql, 0016_letters_of_one_cause.sql): what operators are shown of them,
 * and what becomes of them. A letter is resolved once: every change asks that it is still present. New letters come from the
 * dead letters' consumer (record-dead-letters.ts).
 */
import type { Purview } from '../domain/api-key.ts';
import { DEAD_LETTER_SERIES, type DeadLetterStatus } from '../domain/dead-letter.ts';
import type { Scope } from '../domain/ids.ts';
import type { RedriveOutcome } from '../domain/redrive-rpc.ts';
import { type Conditions, listRows, type PagePosition, type RowsPage } from './pages.ts';

/** A letter without its body, and what became of it. */
export interface DeadLetterRow {
  readonly id: string;
  /** When the first message died. */
  readonly at_ms: number;
  readonly queue: string;
  readonly reason: string;
  readonly message_type: string | null;
  readonly group_id: string | null;
  readonly effect_id: string | null;
  /** Both null: nobody could read whose it is. */
  readonly merchant: string | null;
  readonly mode: Scope['mode'] | null;
  readonly status: DeadLetterStatus;
  /** Messages that died of it, at least. */
  readonly death_count: number;
  readonly last_died_at_ms: number;
  readonly redrive_count: number;
  readonly outcome: RedriveOutcome | null;
  readonly resolved_at_ms: number | null;
  readonly resolved_by: string | null;
  readonly resolution_reason: string | null;
}

export interface DeadLetterFilters {
  readonly queue?: string | undefined;
  readonly status?: DeadLetterStatus | undefined;
  readonly messageType?: string | undefined;
  readonly groupId?: string | undefined;
  /** Inclusive. */
  readonly diedFromMs?: number | undefined;
  /** Exclusive. */
  readonly diedToMs?: number | undefined;
}

/** Who resolves a letter, and why. */
export interface Resolver {
  readonly actor: string;
  readonly reason: string;
}

export interface Redriven {
  readonly id: string;
  /** null: its owner could not be asked; the letter stays present, and the try is counted. */
  readonly outcome: RedriveOutcome | null;
}

const COLUMNS = `id, died_at_ms AS at_ms, queue, reason, message_type, group_id, effect_id, merchant, mode, status, death_count,
  COALESCE(last_died_at_ms, died_at_ms) AS last_died_at_ms, redrive_count, outcome, resolved_at_ms, resolved_by, resolution_reason`;

/** The merchant's own letters, or all of the mode; with a platform key, those of nobody as well. */
function visible({ merchant, mode, isPlatform }: Purview): Conditions {
  const is = (column: string) => (isPlatform ? `(${column} = ? OR ${column} IS NULL)` : `${column} = ?`);
  return [
    [is('merchant'), merchant ?? undefined],
    [is('mode'), mode],
  ];
}

/** One page of the letters that an operator may see, newest first, at most `limit`, after `position`. */
export async function listDeadLetters(
  db: D1Database,
  purview: Purview,
  filters: DeadLetterFilters,
  position: PagePosition | null,
  limit: number,
): Promise<RowsPage<DeadLetterRow>> {
  const { diedFromMs, diedToMs } = filters;
  const conditions: Conditions = [
    ...visible(purview),
    ['queue = ?', filters.queue],
    // Of everybody's letters no index has the status and the order: by the status alone each page would read all that have it.
    [purview.isPlatform ? '+status = ?' : 'status = ?', filters.status],
    ['message_type = ?', filters.messageType],
    ['group_id = ?', filters.groupId],
    ['(died_at_ms, id) >= (?, ?)', diedFromMs, ''],
  ];
  // Bounds are positions: SQLite would take a bound by time alone for the index, and each page read all pages before it (decision 0085).
  const start = position ?? (diedToMs === undefined ? null : { createdAtMs: diedToMs, id: '' });
  const from = { table: 'dead_letters', columns: COLUMNS, time: 'died_at_ms' } as const;
  return listRows(db, from, conditions, start, limit);
}

/** How many letters that an operator may see are present, by queue; of all of them, at most `rowsMax` are counted. */
export async function countPresentLetters(
  db: D1Database,
  purview: Purview,
  rowsMax: number,
): Promise<readonly { readonly queue: string; readonly count: number }[]> {
  const conditions = visible(purview).filter(([, value]) => value !== undefined);
  const where = conditions.map(([condition]) => condition).join(' AND ');
  const { results } = await db
    .withSession('first-unconstrained')
    .prepare(
      `SELECT queue, COUNT(*) AS count FROM (
         SELECT queue FROM dead_letters WHERE ${where} AND status = 'present' LIMIT ?
       ) GROUP BY queue ORDER BY queue`,
    )
    .bind(...conditions.map(([, value]) => value), rowsMax)
    .all<{ queue: string; count: number }>();
  return results;
}

/** Those of the ids that are letters and that the operator may see, as they are now. */
export async function readDeadLetters(
  db: D1Database,
  purview: Purview,
  ids: readonly string[],
): Promise<ReadonlyMap<string, DeadLetterRow>> {
  const conditions = visible(purview).filter(([, value]) => value !== undefined);
  const where = conditions.map(([condition]) => condition).join(' AND ');
  const { results } = await db
    .prepare(`SELECT ${COLUMNS} FROM dead_letters WHERE ${where} AND id IN (SELECT value FROM json_each(?))`)
    .bind(...conditions.map(([, value]) => value), JSON.stringify(ids))
    .all<DeadLetterRow>();
  return new Map(results.map((row) => [row.id, row]));
}

/** The stored body of a letter: JSON text, cut where it was too long. */
export async function readDeadLetterBody(db: D1Database, id: string): Promise<string | null> {
  return db.prepare('SELECT body FROM dead_letters WHERE id = ?').bind(id).first<string>('body');
}

/** Counts, in the same transaction and before the change, the letters that it will resolve: those that are present. */
const COUNT_RESOLVED = `
  INSERT INTO metric_counters (series, value)
  SELECT ?2, COUNT(*) FROM dead_letters
  WHERE status = 'present' AND id IN (SELECT value ->> '$.id' FROM json_each(?1) WHERE value ->> '$.outcome' IS NOT NULL)
  HAVING COUNT(*) > 0
  ON CONFLICT (series) DO UPDATE SET value = value + excluded.value`;

const COUNT_TRIES = `
  UPDATE dead_letters SET redrive_count = redrive_count + 1
  WHERE status = 'present' AND id IN (SELECT value ->> '$.id' FROM json_each(?1))`;

const REDRIVE = `
  UPDATE dead_letters
  SET status = 'redriven', outcome = tried.value ->> '$.outcome', resolved_at_ms = ?2, resolved_by = ?3,
      resolution_reason = ?4
  FROM json_each(?1) AS tried
  WHERE dead_letters.id = tried.value ->> '$.id' AND status = 'present' AND tried.value ->> '$.outcome' IS NOT NULL
  RETURNING dead_letters.id`;

/** Writes down what came of redrives; answers the ids of the letters that this call resolved, and no other did before. */
export async function noteRedrives(
  db: D1Database,
  redrives: readonly Redriven[],
  by: Resolver,
  nowMs: number,
): Promise<ReadonlySet<string>> {
  const rows = JSON.stringify(redrives);
  const [, , resolved] = await db.batch<{ id: string }>([
    db.prepare(COUNT_RESOLVED).bind(rows, DEAD_LETTER_SERIES.redriven),
    db.prepare(COUNT_TRIES).bind(rows),
    db.prepare(REDRIVE).bind(rows, nowMs, by.actor, by.reason),
  ]);
  return new Set(resolved?.results.map(({ id }) => id));
}

const DISCARD = `
  UPDATE dead_letters SET status = 'discarded', resolved_at_ms = ?2, resolved_by = ?3, resolution_reason = ?4
  WHERE id = ?1 AND status = 'present'`;

const COUNT_DISCARDED = `
  INSERT INTO metric_counters (series, value)
  SELECT ?2, COUNT(*) FROM dead_letters WHERE id = ?1 AND status = 'present' HAVING COUNT(*) > 0
  ON CONFLICT (series) DO UPDATE SET value = value + excluded.value`;

/** Discards a letter that is still present; one that is not stays what it is. */
export async function discardDeadLetter(db: D1Database, id: string, by: Resolver, nowMs: number): Promise<void> {
  await db.batch([
    db.prepare(COUNT_DISCARDED).bind(id, DEAD_LETTER_SERIES.discarded),
    db.prepare(DISCARD).bind(id, nowMs, by.actor, by.reason),
  ]);
}
