/**
 * Consumer of every dead-letter queue: stores what died, for a person to look at, and tells the saga whose command it
 * was, so that it sends again or goes another way. Nothing stands behind this queue: what D1 will not take is retried.
 */
import { identityOf, isMadeAnew, waitsForOf } from '../src/domain/dead-letter.ts';
import { entityOf } from '../src/domain/events/envelope.ts';
import { DEAD_LETTER_BODY_LENGTH_MAX, HOUR_MS } from '../src/domain/limits.ts';
import { deadMessageSchema } from '../src/domain/messages.ts';
import type { Backoff } from '../src/domain/retry.ts';
import { type DeadLetter, recordDeadLetters } from '../src/read-model/record-dead-letters.ts';
import { sagaStub } from '../src/stubs.ts';
import { logLine } from '../src/telemetry/log.ts';
import { type Consumed, consume } from './consume.ts';
import { ACK, type Verdict, verdictOnError } from './retry-policy.ts';

/**
 * After the 100 retries of wrangler.toml a letter would be gone: they are spread over some fifty hours of an outage, within
 * the four days that a queue keeps a message (https://developers.cloudflare.com/queues/platform/limits/).
 */
const PATIENCE: Backoff = { firstMs: 1_000, maxMs: HOUR_MS };
const ATTEMPTS_SPENT = 'its attempts are spent';
const DLQ_SUFFIX = '-dlq';

export async function consumeDeadLetters(batch: MessageBatch, env: Env): Promise<void> {
  await consume<unknown>(batch, env, {
    decode: (body) => ({ ok: true, body }),
    groupKey: () => 'dead letters',
    handle: (items) => store(env, batch.queue, items),
    patience: PATIENCE,
  });
}

async function store(env: Env, queue: string, items: readonly Consumed<unknown>[]): Promise<readonly Verdict[]> {
  const letters = items.map(({ message, body }) => toLetter(queue, message, body));
  const stored = await recordDeadLetters(env.DB, letters);
  for (const letter of letters) {
    const isNew = stored.has(letter.id);
    logLine(isNew ? 'dead_letter.stored' : 'dead_letter.counted', {
      queue: letter.queue,
      message_id: letter.id,
      message_type: letter.message_type,
      group_id: letter.group_id,
      reason: letter.reason,
      ...(isNew && { alert: true }),
    });
  }
  return Promise.all(letters.map((letter, index) => tellSaga(env, letter, items[index])));
}

function toLetter(queue: string, message: Message, body: unknown): DeadLetter {
  const dead = deadMessageSchema.safeParse(body);
  const original = dead.success ? dead.data.body : body;
  const diedIn = dead.success ? dead.data.queue : queue.replace(DLQ_SUFFIX, '');
  const kept = isMadeAnew(original) ? null : original;
  return {
    // Kept on its way through a dead-letter queue of the platform; a consumer that buries a message says it.
    id: dead.data?.message_id ?? message.id,
    queue: diedIn,
    reason: dead.success ? dead.data.reason : ATTEMPTS_SPENT,
    ...identityOf(original),
    body: withoutToken(kept).slice(0, DEAD_LETTER_BODY_LENGTH_MAX),
    died_at_ms: Date.now(),
    waits_for: waitsForOf(diedIn, original),
  };
}

/** A payment token travels in gateway messages and is not stored anywhere else than in its payment's object. */
function withoutToken(body: unknown): string {
  return JSON.stringify(body, (key, value: unknown) => (key === 'token' ? undefined : value)) ?? 'null';
}

/**
 * A redelivered letter tells the saga again, which changes nothing: the death of a settled command is ignored. A saga
 * that breaks on the news is a bug of its own: this letter is stored already, and another about it would help nobody.
 */
async function tellSaga(env: Env, letter: DeadLetter, item?: Consumed<unknown>): Promise<Verdict> {
  if (letter.effect_id === null || letter.group_id === null) return ACK;
  try {
    await sagaStub(env, entityOf(letter.group_id))?.commandDied(letter.effect_id, item?.spent);
    return ACK;
  } catch (error) {
    const verdict = verdictOnError(error, item?.message.attempts ?? 1, Math.random(), PATIENCE);
    if (verdict.kind !== 'dead') return verdict;
    logLine('dead_letter.tell_failed', {
      message_id: letter.id,
      group_id: letter.group_id,
      reason: verdict.reason,
      alert: true,
    });
    return ACK;
  }
}
