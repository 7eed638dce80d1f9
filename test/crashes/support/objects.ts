/**
 * The objects of sagas and wallets as they are, dying at named points. A point is passed before a call, after it with its
 * writes not durable yet (`uncommitted`: they are undone), after its commit (`committed`: the answer is lost), and before and after
 * each sending to a queue and each call of another object. What dies is the object: what is in memory is gone, what is on
 * disk is not, and nothing but its alarm or another message brings it back.
 */
import { PaymentSaga } from '../../../durable-objects/payment-saga/payment-saga.ts';
import { RefundSaga } from '../../../durable-objects/refund-saga/refund-saga.ts';
import type { SagaHost } from '../../../durable-objects/saga/saga-host.ts';
import { Wallet } from '../../../durable-objects/wallet/wallet.ts';
import { publicIdFromHex, type Scope } from '../../../src/domain/ids.ts';
import type { Outcome } from '../../../src/domain/saga/outcome.ts';
import { isAtRest, type SagaData } from '../../../src/domain/saga/record.ts';
import type { Acknowledgement } from '../../../src/domain/saga-rpc.ts';
import type { WalletCommand } from '../../../src/domain/wallet-rpc.ts';
import { crashesAt, isPlanted, messageName, planOf } from './plans.ts';
import { namespaceWith } from './stubs.ts';

const SCOPE: Scope = { merchant: 'default', mode: 'sandbox' };
const EVENTS_MAX = 200;

/** Ends the object as a crash does. Nothing after it runs: the promise never settles. */
function die(ctx: DurableObjectState): Promise<never> {
  ctx.abort('planned crash');
  return new Promise(() => undefined);
}

/** @param points one, or several where one call brings several things: it passes the points of each. */
async function passing<Answer>(
  ctx: DurableObjectState,
  id: string,
  points: readonly string[],
  call: () => Answer | Promise<Answer>,
): Promise<Answer> {
  if (planOf(id) === undefined) return call();
  const plants = planted(id, points);
  if (plants !== null) return plants.answer as Answer;
  const crashes = (moment: string) => points.filter((point) => crashesAt(id, `${point} ${moment}`)).length > 0;
  if (crashes('#before')) return die(ctx);
  const answer = call();
  // Nothing was awaited since its writes: they are not durable, and no message has left.
  if (crashes('#uncommitted')) return die(ctx);
  const settled = await answer;
  if (!crashes('#committed')) return settled;
  await ctx.storage.sync();
  return die(ctx);
}

/** What a planted fault answers instead of what is called; null: none is planted here. */
function planted(id: string, [point]: readonly string[]): { readonly answer: unknown } | null {
  if (point?.endsWith(' alarm') && isPlanted(id, 'no_alarm')) return { answer: undefined };
  if (point !== 'payment create' || !isPlanted(id, 'unstored')) return null;
  return { answer: { kind: 'created', entityId: id, body: '{}', terminal: false } };
}

function sendingQueue(queue: Queue, ctx: DurableObjectState, id: string): Queue {
  const send = async (body: unknown): Promise<void> => {
    const point = `object sends ${messageName(body)}`;
    if (crashesAt(id, `${point} #before`)) {
      await ctx.storage.sync();
      return die(ctx);
    }
    await queue.send(body);
    if (crashesAt(id, `${point} #after`)) return die(ctx);
  };
  return new Proxy(queue, { get: (target, name) => (name === 'send' ? send : Reflect.get(target, name)) });
}

function sendingEnv(ctx: DurableObjectState, env: Env, id: string): Env {
  const queue = (name: 'WALLET_COMMANDS' | 'GATEWAY_COMMANDS' | 'NOTIFICATIONS' | 'PAYMENT_EVENTS') => ({
    value: sendingQueue(env[name], ctx, id),
    enumerable: true,
  });
  return Object.create(env, {
    WALLET_COMMANDS: queue('WALLET_COMMANDS'),
    GATEWAY_COMMANDS: queue('GATEWAY_COMMANDS'),
    NOTIFICATIONS: queue('NOTIFICATIONS'),
    PAYMENT_EVENTS: queue('PAYMENT_EVENTS'),
  }) as Env;
}

function acknowledgedWhat({ effectIds, events }: Acknowledgement): string[] {
  if (events !== undefined) return [`events from ${events.first}`];
  return effectIds.map((id) => id.split('.').slice(0, 3).join('.'));
}

/** What the end of a saga is compared by, as its own object knows it. */
export interface SagaEnd {
  readonly body: string;
  readonly events: readonly unknown[];
  /** Nothing is left to send, to hear or to record. */
  readonly atRest: boolean;
  readonly state: string;
}

interface Host {
  readonly host: SagaHost<string, SagaData, string>;
}

/** The class with each of `methods` passing its points; its points are named by what it is called with. */
function crashing<Class extends { readonly prototype: object }>(
  { prototype }: Class,
  methods: Readonly<Record<string, (...input: never[]) => readonly string[]>>,
  idOf: (ctx: DurableObjectState) => string,
): void {
  for (const [name, point] of Object.entries(methods)) {
    const inherited: unknown = Reflect.get(prototype, name);
    if (typeof inherited !== 'function') throw new Error(`no method ${name}`);
    Object.defineProperty(prototype, name, {
      value(this: { readonly ctx: DurableObjectState }, ...input: never[]) {
        return passing(this.ctx, idOf(this.ctx), point(...input), () => Reflect.apply(inherited, this, input));
      },
    });
  }
}

/** Two deliveries of one thing in one call pass its points once. */
function distinct(points: readonly string[]): string[] {
  return [...new Set(points)];
}

function paymentIdOf(ctx: DurableObjectState): string {
  return publicIdFromHex('pay_', ctx.id.toString());
}

function refundIdOf(ctx: DurableObjectState): string {
  return publicIdFromHex('ref_', ctx.id.toString());
}

function endOf({ host }: Host): SagaEnd | null {
  const record = host.load();
  if (record === null || record === 'expired') return null;
  if (!isAtRest(record)) return { body: '', events: [], atRest: false, state: record.saga.state };
  const log = host.readEvents(SCOPE, 0, EVENTS_MAX);
  const events = log.kind === 'found' ? log.events : [];
  return { body: host.body().body, events, atRest: true, state: record.saga.state };
}

export class CrashingPaymentSaga extends PaymentSaga {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, sendingEnv(ctx, env, paymentIdOf(ctx)));
  }

  end(): SagaEnd | null {
    return endOf(this as unknown as Host);
  }
}
const ofSaga = (kind: string) => ({
  create: () => [`${kind} create`],
  deliver: (outcomes: readonly Outcome[]) => distinct(outcomes.map(({ fact }) => `${kind} deliver ${fact.event_type}`)),
  awaits: () => [`${kind} awaits`],
  acknowledge: (what: Acknowledgement) => acknowledgedWhat(what).map((name) => `${kind} acknowledge ${name}`),
  alarm: () => [`${kind} alarm`],
});
crashing(
  CrashingPaymentSaga,
  {
    ...ofSaga('payment'),
    reserveRefund: () => ['payment reserveRefund'],
    settleRefund: () => ['payment settleRefund'],
  },
  paymentIdOf,
);

export class CrashingRefundSaga extends RefundSaga {
  constructor(ctx: DurableObjectState, env: Env) {
    const id = refundIdOf(ctx);
    const payments = namespaceWith(env.PAYMENT_SAGA, async (method, call) => {
      if (crashesAt(id, `refund calls ${method} #before`)) {
        await ctx.storage.sync();
        return die(ctx);
      }
      const answer = await call();
      return crashesAt(id, `refund calls ${method} #after`) ? die(ctx) : answer;
    });
    super(ctx, Object.create(sendingEnv(ctx, env, id), { PAYMENT_SAGA: { value: payments } }) as Env);
  }

  end(): SagaEnd | null {
    return endOf(this as unknown as Host);
  }
}
crashing(CrashingRefundSaga, ofSaga('refund'), refundIdOf);

/** A wallet is known to a plan by its object's name. */
export class CrashingWallet extends Wallet {}
crashing(
  CrashingWallet,
  {
    execute: (_scope: Scope, _walletId: string, commands: readonly WalletCommand[]) =>
      distinct(commands.map(({ type }) => `wallet ${type}`)),
  },
  (ctx) => ctx.id.name ?? '',
);
