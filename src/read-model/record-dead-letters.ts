/**
 * Writes dead letters to the record (D1): one row for all messages that die of the same while it is present, however often each is
 * delivered, and never over what has become of it meanwhile (decision 0086). A new one is counted as it comes in, in the same
 * transaction, so that none can go missing unseen (X3).
 */
import { DEAD_LETTER_SERIES, type MessageIdentity } from '../domain/dead-letter.ts';

export interface DeadLetter extends MessageIdentity {
  /** The id of the message that died. */
  readonly id: string;
  readonly queue: string;
  readonly reason: string;
  /** JSON, without secrets. */
  readonly body: string;
  readonly died_at_ms: number;
  /** `waitsForOf`; null: a letter of its own. */
  readonly waits_for: string | null;
}

/**
 * Messages that no letter has counted: neither as its first nor as its last. One that comes again between two others counts
 * again: it is no letter of its own, unless its letter has been resolved, and then a redrive of it finds nothing to do.
 */
const UNCOUNTED = `
  NOT EXISTS (SELECT 1 FROM dead_letters AS known WHERE known.id = dead.value ->> '$.id')
  AND NOT EXISTS (
    SELECT 1 FROM dead_letters AS known
    WHERE known.last_message_id = dead.value ->> '$.id'
      AND (known.group_id = dead.value ->> '$.group_id'
        OR (known.status = 'present' AND known.waits_for = dead.value ->> '$.waits_for'))
  )`;

const NEW = `${UNCOUNTED} AND NOT EXISTS (
    SELECT 1 FROM dead_letters AS open WHERE open.status = 'present' AND open.waits_for = dead.value ->> '$.waits_for'
  )`;

/** Before the letters: it looks at which are not there yet. Messages of one letter may stand together in one batch. */
const COUNT = `
  INSERT INTO metric_counters (series, value)
  SELECT ?2, COUNT(DISTINCT COALESCE(value ->> '$.waits_for', value ->> '$.id')) FROM json_each(?1) AS dead
  WHERE ${NEW}
  HAVING COUNT(*) > 0
  ON CONFLICT (series) DO UPDATE SET value = value + excluded.value`;

const INSERT = `
  INSERT INTO dead_letters (id, queue, reason, message_type, group_id, effect_id, merchant, mode, body, died_at_ms, waits_for)
  SELECT value ->> '$.id', value ->> '$.queue', value ->> '$.reason', value ->> '$.message_type', value ->> '$.group_id',
         value ->> '$.effect_id', value ->> '$.merchant', value ->> '$.mode', value ->> '$.body', value ->> '$.died_at_ms',
         value ->> '$.waits_for'
  FROM json_each(?1) AS dead WHERE ${NEW} ORDER BY key
  ON CONFLICT DO NOTHING
  RETURNING id`;

/** After the letters: what is left uncounted died of one that is there. The columns beside MAX are those of its row. */
const COUNT_DEATHS = `
  UPDATE dead_letters
  SET death_count = death_count + again.deaths, last_died_at_ms = again.died_at_ms, last_message_id = again.id, reason = again.reason
  FROM (
    SELECT value ->> '$.waits_for' AS waits_for, COUNT(DISTINCT value ->> '$.id') AS deaths, MAX(key), value ->> '$.id' AS id,
           value ->> '$.reason' AS reason, value ->> '$.died_at_ms' AS died_at_ms
    FROM json_each(?1) AS dead WHERE ${UNCOUNTED} GROUP BY 1
  ) AS again
  WHERE dead_letters.status = 'present' AND dead_letters.waits_for = again.waits_for`;

/** Answers the ids of the letters that are new. @throws what D1 throws, with nothing written. */
export async function recordDeadLetters(db: D1Database, letters: readonly DeadLetter[]): Promise<ReadonlySet<string>> {
  const rows = JSON.stringify(letters);
  const [, stored] = await db.batch<{ id: string }>([
    db.prepare(COUNT).bind(rows, DEAD_LETTER_SERIES.stored),
    db.prepare(INSERT).bind(rows),
    db.prepare(COUNT_DEATHS).bind(rows),
  ]);
  return new Set(stored?.results.map(({ id }) => id));
}
