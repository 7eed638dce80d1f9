/**
 * What the tests of consumers share: batches whose verdicts can be read back, real examples of messages, and an
 * environment that writes down what is sent to the dead letters and told to sagas. D1 and the wallets stay the real ones.
 */
import { createExecutionContext, createMessageBatch, getQueueResult } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { vi } from 'vitest';
import type { EventType } from '../../src/domain/events/catalogue.ts';
import type { Envelope } from '../../src/domain/events/envelope.ts';
import { publicIdFromHex } from '../../src/domain/ids.ts';
import type { DeadMessage } from '../../src/domain/messages.ts';
import type { Outcome } from '../../src/domain/saga/outcome.ts';
import type { Acknowledgement } from '../../src/domain/saga-rpc.ts';
import fixtures from '../domain/fixtures/events-v1.json';

export const EXAMPLES: readonly Envelope[] = fixtures as Envelope[];

let last = 0;

/** The id of a payment that this namespace would mint; no other test of the file uses it. */
export function freshPaymentId(): string {
  last += 1;
  return publicIdFromHex('pay_', env.PAYMENT_SAGA.idFromName(`queues-${last}`).toString());
}

/** The fixture's example of that type, as if it were of payment `paymentId`. */
export function message(type: EventType, paymentId: string, payload: Record<string, unknown> = {}): Envelope {
  const example = EXAMPLES.find((event) => event.event_type === type);
  if (example === undefined) throw new Error(`no example of ${type}`);
  return {
    ...example,
    payload: { ...example.payload, payment_id: paymentId, ...payload },
    metadata: {
      ...example.metadata,
      message_group_id: `payment_${paymentId}`,
      message_deduplication_id: `${type}.${paymentId}`,
    },
  };
}

export interface Settled {
  readonly acked: readonly string[];
  /** Delay by message id; undefined: the queue's own. */
  readonly retried: Readonly<Record<string, number | undefined>>;
}

/** Delivers bodies as messages `m1`, `m2`, … of one batch, or as those of these ids, and reads the verdicts back. */
export async function deliver(
  consume: (batch: MessageBatch, env: Env) => Promise<void>,
  queue: string,
  bodies: readonly unknown[],
  testEnv: Env,
  options: { readonly attempts?: number; readonly idPrefix?: string; readonly ids?: readonly string[] } = {},
): Promise<Settled> {
  const batch = createMessageBatch(
    queue,
    bodies.map((body, index) => ({
      id: options.ids?.[index] ?? `${options.idPrefix ?? 'm'}${index + 1}`,
      timestamp: new Date(),
      attempts: options.attempts ?? 1,
      body,
    })),
  );
  // The result does not say with which delay a message was retried.
  const retries = batch.messages.map((each) => vi.spyOn(each, 'retry'));
  await consume(batch, testEnv);
  const result = await getQueueResult(batch, createExecutionContext());
  if (result.ackAll || result.retryBatch.retry) throw new Error('the batch was settled as a whole');
  const delays = batch.messages.map(({ id }, index) => [id, retries[index]?.mock.calls[0]?.[0]?.delaySeconds] as const);
  const retried = new Set(result.retryMessages.map(({ msgId }) => msgId));
  return {
    acked: result.explicitAcks,
    retried: Object.fromEntries(delays.filter(([id]) => retried.has(id))),
  };
}

/** What was sent and told, and what each saga answers: a thrown error, or nothing. */
export class Recorder {
  readonly dead: DeadMessage[] = [];
  readonly acknowledged: (Acknowledgement & { readonly paymentId: string })[] = [];
  readonly died: string[] = [];
  readonly delivered: { readonly paymentId: string; readonly outcomes: readonly Outcome[] }[] = [];
  readonly #failures = new Map<string, () => unknown>();
  readonly #unknown = new Set<string>();
  readonly env: Env;

  constructor(overrides: Partial<Env> = {}) {
    this.env = {
      ...env,
      DEAD_LETTERS: { send: async (dead: DeadMessage) => void this.dead.push(dead) } as unknown as Queue,
      PAYMENT_SAGA: {
        idFromString: (hex: string) => env.PAYMENT_SAGA.idFromString(hex),
        get: (id: DurableObjectId) => this.#saga(publicIdFromHex('pay_', id.toString())),
      } as unknown as Env['PAYMENT_SAGA'],
      ...overrides,
    };
  }

  /** From now on every call to that payment's saga throws what `error` makes. */
  breakSaga(paymentId: string, error: () => unknown): void {
    this.#failures.set(paymentId, error);
  }

  /** From now on that payment's object has never begun a saga. */
  forgetSaga(paymentId: string): void {
    this.#unknown.add(paymentId);
  }

  #saga(paymentId: string) {
    const answer = (): { kind: 'delivered' | 'unknown_saga' } => {
      const failure = this.#failures.get(paymentId);
      if (failure !== undefined) throw failure();
      return { kind: this.#unknown.has(paymentId) ? 'unknown_saga' : 'delivered' };
    };
    return {
      // There is nothing behind the ids of these tests.
      read: async () => ({ kind: 'not_found' }),
      acknowledge: async (acknowledgement: Acknowledgement) => {
        answer();
        this.acknowledged.push({ paymentId, ...acknowledgement });
      },
      commandDied: async (effectId: string) => {
        const result = answer();
        this.died.push(effectId);
        return result;
      },
      deliver: async (outcomes: readonly Outcome[]) => {
        const result = answer();
        this.delivered.push({ paymentId, outcomes });
        return result;
      },
    };
  }
}

/** A database that takes nothing, and says why in D1's words. */
export function brokenDatabase(said = 'Network connection lost.'): D1Database {
  const fail = () => Promise.reject(new Error(`D1_ERROR: ${said}`));
  const statement = { bind: () => statement, run: fail, all: fail, first: fail };
  return { prepare: () => statement, batch: fail } as unknown as D1Database;
}

export const transient = () => new Error('Network connection lost.');
export const overloaded = () => Object.assign(new Error('Durable Object is overloaded.'), { overloaded: true });
export const d1Overloaded = () => new Error('D1_ERROR: D1 DB is overloaded. Requests queued for too long.');
/** Of one message, and nobody knows which. */
export const unknown = () => new Error('D1_ERROR: string or blob too big: SQLITE_TOOBIG');
/** As a bug looks after it crossed RPC: the name is an own field, the class is gone. */
export const bug = () => Object.assign(new Error('invariant broken: test {}'), { name: 'InvariantError' });
