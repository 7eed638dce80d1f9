/** Writes dead letters to the record (D1): one row per message, however often it is delivered. */
export interface DeadLetter {
  /** The message's id, which it keeps on its way through the dead-letter queue. */
  readonly id: string;
  readonly queue: string;
  readonly reason: string;
  readonly message_type: string | null;
  readonly group_id: string | null;
  readonly effect_id: string | null;
  /** JSON, without secrets. */
  readonly body: string;
  readonly died_at_ms: number;
}

const INSERT = `
  INSERT INTO dead_letters (id, queue, reason, message_type, group_id, effect_id, body, died_at_ms)
  SELECT value ->> '$.id', value ->> '$.queue', value ->> '$.reason', value ->> '$.message_type', value ->> '$.group_id',
         value ->> '$.effect_id', value ->> '$.body', value ->> '$.died_at_ms'
  FROM json_each(?1) WHERE true
  ON CONFLICT (id) DO NOTHING`;

/** @throws what D1 throws, with nothing written. */
export async function recordDeadLetters(db: D1Database, letters: readonly DeadLetter[]): Promise<void> {
  await db.prepare(INSERT).bind(JSON.stringify(letters)).run();
}
