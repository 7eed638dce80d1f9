/**
 * The loop that all consumers share: decode each message, hand those that belong together to one handler call, and
 * settle each message by itself. A batch is never retried as a whole, so one bad message harms no other. Poison goes to
 * the dead letters at once, with the reason. Consumers (one function each) say how to decode, group and handle.
 */
import { waitUntil } from 'cloudflare:workers';
import type { Spent } from '../src/domain/cost/spent.ts';
import { delivery } from '../src/domain/cost/work.ts';
import { InvariantError, isAway } from '../src/domain/errors.ts';
import { ERROR_TEXT_LENGTH_MAX } from '../src/domain/limits.ts';
import type { DeadMessage } from '../src/domain/messages.ts';
import type { Backoff } from '../src/domain/retry.ts';
import type { SpanAttributes } from '../src/domain/tracing/span.ts';
import { parseTraceparent } from '../src/domain/tracing/trace-context.ts';
import { errorText, logLine } from '../src/telemetry/log.ts';
import { type OpenSpan, openTracer } from '../src/telemetry/tracer.ts';
import { type Verdict, verdictOnError } from './retry-policy.ts';

export interface Consumed<Body> {
  readonly message: Message;
  readonly body: Body;
  /** What its delivery has cost. */
  readonly spent: Spent;
  /** Of this message; absent where nothing is traced. It ends when the message is settled. */
  readonly span?: OpenSpan;
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
  /** How long a message waits when handling it failed for the moment. Absent: not long, since its saga sends again anyway. */
  readonly patience?: Backoff;
  /** Under which span a message is a span of its own. Absent: its messages belong to no one trace. */
  readonly traceparentOf?: (body: Body) => string;
}

export async function consume<Body>(batch: MessageBatch, env: Env, consumer: Consumer<Body>): Promise<void> {
  const startedAtMs = Date.now();
  const tracer = openTracer(env);
  const groups = new Map<string, Consumed<Body>[]>();
  const settling: Promise<void>[] = [];
  let isSampled = false;
  for (const message of batch.messages) {
    const decoded = consumer.decode(message.body);
    if (!decoded.ok) {
      settling.push(settle(batch.queue, env, message, { kind: 'dead', reason: decoded.reason }));
      continue;
    }
    const key = consumer.groupKey(decoded.body);
    const group = groups.get(key) ?? [];
    const parent = consumer.traceparentOf?.(decoded.body);
    isSampled ||= parent === undefined || parseTraceparent(parent)?.isSampled === true;
    const span =
      tracer.isOn && parent && tracer.begin(`process ${batch.queue}`, 'consumer', parent, attributesOf(batch, message));
    const spent = delivery(message.body, message.attempts, message === batch.messages[0]);
    group.push({ message, body: decoded.body, spent, ...(span && { span }) });
    groups.set(key, group);
  }
  for (const group of groups.values()) settling.push(handleGroup(batch.queue, env, consumer, group));
  await Promise.all(settling);
  if (isSampled) {
    logLine('queue.consumed', {
      queue: batch.queue,
      count: batch.messages.length,
      duration_ms: Date.now() - startedAtMs,
    });
  }
  const exported = tracer.flush();
  if (exported !== null) waitUntil(exported);
}

function attributesOf({ queue }: MessageBatch, { id, attempts }: Message): SpanAttributes {
  return {
    'messaging.system': 'cloudflare_queues',
    'messaging.operation.type': 'process',
    'messaging.destination.name': queue,
    'messaging.message.id': id,
    'holdfast.attempts': attempts,
  };
}

async function handleGroup<Body>(
  queue: string,
  env: Env,
  consumer: Consumer<Body>,
  items: readonly Consumed<Body>[],
): Promise<void> {
  const verdicts = await verdictsOn(consumer, items);
  await Promise.all(
    verdicts.map(async ({ item, verdict }) => {
      await settle(queue, env, item.message, verdict);
      item.span?.end({ 'holdfast.verdict': verdict.kind }, verdict.kind !== 'ack');
    }),
  );
}

interface Judged<Body> {
  readonly item: Consumed<Body>;
  readonly verdict: Verdict;
}

/**
 * The handler's verdicts, in the order of the items. Where it throws for several, its halves are handled, one after the other: one
 * that cannot be handled takes no other with it, and what failed as one call never comes back as a hundred at once. Where the
 * platform says that the object or D1 is away, all that is left of the group is retried unasked.
 */
async function verdictsOn<Body>(
  consumer: Consumer<Body>,
  items: readonly Consumed<Body>[],
): Promise<readonly Judged<Body>[]> {
  const judged: Judged<Body>[] = [];
  const waiting = [items];
  for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
    try {
      const verdicts = await consumer.handle(part);
      judged.push(...part.map((item, index) => ({ item, verdict: given(verdicts[index]) })));
    } catch (error) {
      if (isAway(error)) return [...judged, ...failed(consumer, [part, ...waiting].flat(), error)];
      const middle = Math.ceil(part.length / 2);
      if (part.length > 1) waiting.unshift(part.slice(0, middle), part.slice(middle));
      else judged.push(...failed(consumer, part, error));
    }
  }
  return judged;
}

function failed<Body>(
  { patience }: Consumer<Body>,
  items: readonly Consumed<Body>[],
  error: unknown,
): readonly Judged<Body>[] {
  return items.map((item) => ({
    item,
    verdict: verdictOnError(error, item.message.attempts, Math.random(), patience),
  }));
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
    message_id: message.id,
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
