/**
 * The loop that all consumers share: decode each message, hand those that belong together to one handler call, and
 * settle each message by itself. A batch is never retried as a whole, so one bad message harms no other. Poison goes to
 * the dead letters at once, with the reason. Consumers (one function each) say how to decode, group and handle.
 */
import { InvariantError, isOverloaded } from '../src/domain/errors.ts';
import { ERROR_TEXT_LENGTH_MAX } from '../src/domain/limits.ts';
import type { DeadMessage } from '../src/domain/messages.ts';
import { errorText, logLine } from '../src/telemetry/log.ts';
import { type Verdict, verdictOnError } from './retry-policy.ts';

export interface Consumed<Body> {
  readonly message: Message;
  readonly body: Body;
}

export type Decoded<Body> =
  | { readonly ok: true; readonly body: Body }
  | { readonly ok: false; readonly reason: string };

export interface Consumer<Body> {
  readonly decode: (body: unknown) => Decoded<Body>;
  /** Messages with the same key are handled in one call; groups are handled side by side. */
  readonly groupKey: (body: Body) => string;
  /** One verdict per item, in the same order. Effects are idempotent: after a throw it may be called again with fewer. */
  readonly handle: (items: readonly Consumed<Body>[]) => Promise<readonly Verdict[]>;
}

export async function consume<Body>(batch: MessageBatch, env: Env, consumer: Consumer<Body>): Promise<void> {
  const startedAtMs = Date.now();
  const groups = new Map<string, Consumed<Body>[]>();
  const settling: Promise<void>[] = [];
  for (const message of batch.messages) {
    const decoded = consumer.decode(message.body);
    if (!decoded.ok) {
      settling.push(settle(batch.queue, env, message, { kind: 'dead', reason: decoded.reason }));
      continue;
    }
    const key = consumer.groupKey(decoded.body);
    const group = groups.get(key) ?? [];
    group.push({ message, body: decoded.body });
    groups.set(key, group);
  }
  for (const group of groups.values()) settling.push(handleGroup(batch.queue, env, consumer, group));
  await Promise.all(settling);
  logLine('queue.consumed', {
    queue: batch.queue,
    count: batch.messages.length,
    duration_ms: Date.now() - startedAtMs,
  });
}

async function handleGroup<Body>(
  queue: string,
  env: Env,
  consumer: Consumer<Body>,
  items: readonly Consumed<Body>[],
): Promise<void> {
  const verdicts = await verdictsOn(consumer, items);
  await Promise.all(verdicts.map(({ message, verdict }) => settle(queue, env, message, verdict)));
}

/**
 * The handler's verdicts. Where it throws for several messages, each is handled once more by itself, so that one that
 * cannot be handled does not take the others with it; an overloaded object is not asked again at once.
 */
async function verdictsOn<Body>(
  consumer: Consumer<Body>,
  items: readonly Consumed<Body>[],
): Promise<readonly { readonly message: Message; readonly verdict: Verdict }[]> {
  try {
    const verdicts = await consumer.handle(items);
    return items.map(({ message }, index) => ({ message, verdict: given(verdicts[index]) }));
  } catch (error) {
    if (items.length > 1 && !isOverloaded(error)) {
      return (await Promise.all(items.map((item) => verdictsOn(consumer, [item])))).flat();
    }
    return items.map(({ message }) => ({
      message,
      verdict: verdictOnError(error, message.attempts, Math.random()),
    }));
  }
}

/** A message without a verdict is never acknowledged: nobody has said that it was handled. */
function given(verdict: Verdict | undefined): Verdict {
  if (verdict === undefined) throw new InvariantError('one_verdict_per_message');
  return verdict;
}

async function settle(queue: string, env: Env, message: Message, verdict: Verdict): Promise<void> {
  switch (verdict.kind) {
    case 'ack':
      message.ack();
      return;
    case 'retry':
      logLine('queue.retried', {
        queue,
        message_id: message.id,
        attempts: message.attempts,
        delay_seconds: verdict.delaySeconds,
        reason: verdict.reason,
      });
      message.retry({ delaySeconds: verdict.delaySeconds });
      return;
    case 'dead':
      await bury(queue, env, message, verdict.reason);
      return;
  }
}

/** Hands a message to the dead letters. If even that fails it is retried, and the platform buries it in the end. */
async function bury(queue: string, env: Env, message: Message, reason: string): Promise<void> {
  logLine('queue.dead', { queue, message_id: message.id, attempts: message.attempts, reason, alert: true });
  const dead: DeadMessage = {
    kind: 'dead_message',
    queue,
    reason: reason.slice(0, ERROR_TEXT_LENGTH_MAX),
    body: message.body,
  };
  try {
    await env.DEAD_LETTERS.send(dead);
    message.ack();
  } catch (error) {
    logLine('queue.bury_failed', { queue, message_id: message.id, error: errorText(error), alert: true });
    message.retry();
  }
}
