/**
 * Writes dead letters to the record (D1): one row per message, however often it is delivered, and never over what has
 * become of it meanwhile. Each is counted as it comes in, in the same transaction, so that none can go missing unseen (X3).
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
}

/** Before the letters: it looks at which are not there yet. The same message may stand twice in one batch. */
const COUNT = `
  INSERT INTO metric_counters (series, value)
  SELECT ?2, COUNT(DISTINCT value ->> '$.id') FROM json_each(?1)
  WHERE value ->> '$.id' NOT IN (SELECT id FROM dead_letters)
  HAVING COUNT(*) > 0
  ON CONFLICT (series) DO UPDATE SET value = value + excluded.value`;

const INSERT = `
  INSERT INTO dead_letters (id, queue, reason, message_type, group_id, effect_id, merchant, mode, body, died_at_ms)
  SELECT value ->> '$.id', value ->> '$.queue', value ->> '$.reason', value ->> '$.message_type', value ->> '$.group_id',
         value ->> '$.effect_id', value ->> '$.merchant', value ->> '$.mode', value ->> '$.body', value ->> '$.died_at_ms'
  FROM json_each(?1) WHERE true
  ON CONFLICT (id) DO NOTHING`;

/** @throws what D1 throws, with nothing written. */
export async function recordDeadLetters(db: D1Database, letters: readonly DeadLetter[]): Promise<void> {
  const rows = JSON.stringify(letters);
  await db.batch([db.prepare(COUNT).bind(rows, DEAD_LETTER_SERIES.stored), db.prepare(INSERT).bind(rows)]);
}
