/**
 * The consumers as they are, ending at named points: before and after each call that they make to an object or to D1, and
 * before and after the acknowledgement. A message of a saga with such a point is consumed by itself. Where its consumer
 * ends, nothing of it goes on, and the queue delivers the message again, as it does for an isolate that is gone.
 */
import type { WalletCommand } from '../../../src/domain/wallet-rpc.ts';
import { IDEMPOTENCY_HEADER } from '../../../src/gateway/providers/sandbox-protocol.ts';
import worker from '../../../src/index.ts';
import { crashesAt, entityOfMessage, isPlanted, messageName, watches } from './plans.ts';
import { type Around, namespaceWith } from './stubs.ts';

export async function consumeWithCrashes(batch: MessageBatch, env: Env): Promise<void> {
  const alone = batch.messages.filter(({ body }) => watches(entityOfMessage(body), prefixOf(body)));
  const together = batch.messages.filter((message) => !alone.includes(message));
  const work = alone.map((message) => consumeAlone(batch.queue, message, env));
  if (together.length > 0) work.push(worker.queue(batchOf(batch.queue, together), env));
  await Promise.all(work);
}

function prefixOf(body: unknown): string {
  return `consumer of ${messageName(body)} `;
}

function batchOf(queue: string, messages: readonly Message[]): MessageBatch {
  return { queue, messages, metadata: {} as MessageBatch['metadata'], ackAll: never, retryAll: never };
}

/** A batch is never settled as a whole (queues/consume.ts). */
function never(): never {
  throw new Error('a batch was settled as a whole');
}

async function consumeAlone(queue: string, message: Message, env: Env): Promise<void> {
  const id = entityOfMessage(message.body);
  const prefix = prefixOf(message.body);
  let isAcknowledged = false;
  const ended = Promise.withResolvers<void>();
  /** Whether this is where it ends. */
  const endsAt = (point: string): boolean => {
    const ends = crashesAt(id, prefix + point);
    if (ends) ended.resolve();
    return ends;
  };
  const around: Around = async (method, call) => {
    if (endsAt(`${method} #before`)) return new Promise(() => undefined);
    const answer = await call();
    return endsAt(`${method} #after`) ? new Promise(() => undefined) : answer;
  };
  const watched = {
    id: message.id,
    timestamp: message.timestamp,
    body: message.body,
    attempts: message.attempts,
    ack(): void {
      if (endsAt('ack #before')) return;
      message.ack();
      isAcknowledged = true;
      endsAt('ack #after');
    },
    retry: (options?: QueueRetryOptions) => message.retry(options),
  } as Message;
  const plants = message.attempts > 1 ? id : null;
  await Promise.race([worker.queue(batchOf(queue, [watched]), watchedEnv(env, around, plants)), ended.promise]);
  // The first word counts: of a message that is to be tried again already, this changes nothing.
  if (!isAcknowledged) message.retry({ delaySeconds: 0 });
}

/** The health of providers is left out: a report that is lost there costs nothing, and whether one is asked varies. */
function watchedEnv(env: Env, around: Around, plantsOf: string | null): Env {
  const database = new Proxy(env.DB, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      if (name !== 'batch') return member.bind(target);
      return (...input: unknown[]) => around('D1 batch', async () => Reflect.apply(member, target, input));
    },
  });
  const notifications = new Proxy(env.NOTIFICATIONS, {
    get(target, name) {
      if (name !== 'send') return Reflect.get(target, name);
      return (body: unknown) => around(`send ${messageName(body)}`, () => target.send(body));
    },
  });
  return Object.create(env, {
    NOTIFICATIONS: { value: notifications },
    PAYMENT_SAGA: { value: namespaceWith(env.PAYMENT_SAGA, around) },
    REFUND_SAGA: { value: namespaceWith(env.REFUND_SAGA, around) },
    WALLET: { value: namespaceWith(env.WALLET, around, (input) => renamedEffects(plantsOf, input)) },
    SANDBOX_PROVIDER: { value: namespaceWith(env.SANDBOX_PROVIDER, around, (input) => renamedKey(plantsOf, input)) },
    DB: { value: database },
  }) as Env;
}

// ── Planted faults ───────────────────────────────────────────────────────────────────────────────────────────────────

function renamedEffects(id: string | null, input: readonly unknown[]): readonly unknown[] {
  const [scope, walletId, commands] = input;
  if (!isPlanted(id, 'fresh_effect_ids')) return input;
  const renamed = (commands as readonly WalletCommand[]).map((command) => ({
    ...command,
    effectId: `${command.effectId}.again`,
  }));
  return [scope, walletId, renamed];
}

function renamedKey(id: string | null, input: readonly unknown[]): readonly unknown[] {
  const [request] = input;
  if (!isPlanted(id, 'fresh_provider_keys') || !(request instanceof Request)) return input;
  const renamed = new Request(request);
  renamed.headers.set(IDEMPOTENCY_HEADER, `${request.headers.get(IDEMPOTENCY_HEADER)}.again`);
  return [renamed];
}
