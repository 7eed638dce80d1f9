/**
 * The simulator's canaries: each plants one fault of a kind that services like this one have had, and the simulator must find
 * it within a bounded number of sagas, by an invariant that says what is wrong. A proof that cannot fail proves nothing.
 */
import { describe, expect, test } from 'vitest';
import type { LedgerStore } from '../../src/domain/ledger/execute.ts';
import { COMPENSATION_TRIES_MIN } from '../../src/domain/limits.ts';
import type { PaymentData } from '../../src/domain/payment.ts';
import { settleRefund } from '../../src/domain/payment-refunds.ts';
import { PAYMENT_KIND } from '../../src/domain/payment-view.ts';
import { REFUND_KIND } from '../../src/domain/refund-view.ts';
import type { PaymentCommand, PaymentState } from '../../src/domain/saga/payment-types.ts';
import type { StateSpec } from '../../src/domain/saga/table.ts';
import type { MemoryStore } from '../domain/ledger/memory-store.ts';
import { runSagas } from './run.ts';
import { shrink, told } from './shrink.ts';
import type { Sabotage } from './world.ts';

const SEED = Number(process.env.HOLDFAST_SEED ?? 20_261_124);
/** Every canary is found long before. */
const SAGAS_MAX = 20_000;

type PaymentStates = typeof PAYMENT_KIND.table.states;

function paymentTable(change: Partial<typeof PAYMENT_KIND.table>): Sabotage {
  return { paymentKind: { ...PAYMENT_KIND, table: { ...PAYMENT_KIND.table, ...change } } };
}

function paymentState(
  name: PaymentState,
  change: Partial<StateSpec<PaymentState, PaymentData, PaymentCommand>>,
): Sabotage {
  const { states } = PAYMENT_KIND.table;
  const changed: PaymentStates = { ...states, [name]: { ...states[name], ...change } };
  return paymentTable({ states: changed });
}

/** A store with some of its methods replaced; its state stays its own. */
function storeWith(real: MemoryStore, change: (real: MemoryStore) => Partial<LedgerStore>): LedgerStore {
  return {
    wallet: () => real.wallet(),
    head: () => real.head(),
    entry: (sequence) => real.entry(sequence),
    openHolds: () => real.openHolds(),
    effect: (effectId) => real.effect(effectId),
    resolution: (paymentId) => real.resolution(paymentId),
    isFull: () => real.isFull(),
    openWallet: (wallet) => real.openWallet(wallet),
    appendEntry: (entry) => real.appendEntry(entry),
    appendEffect: (effect) => real.appendEffect(effect),
    appendResolution: (paymentId, resolution) => real.appendResolution(paymentId, resolution),
    ...change(real),
  };
}

const { table: payments } = PAYMENT_KIND;
const { table: refunds } = REFUND_KIND;

interface Canary {
  readonly planted: string;
  readonly sabotage: Sabotage;
  /** A race that takes long to meet: a seed that meets it soon. */
  readonly seed?: number;
  /** The invariants of which one must break. */
  readonly breaks: readonly string[];
}

const CANARIES: readonly Canary[] = [
  {
    planted: 'one alarm in a hundred is not armed',
    sabotage: { armsAlarm: (n) => n % 100 !== 99 },
    breaks: ['S6'],
  },
  {
    planted: 'a compensation is skipped: the authorization is left in force',
    sabotage: paymentState('compensating', {
      commands: (data) => (data.request.method === 'balance' ? ['release'] : ['unauthorize']),
    }),
    breaks: ['S3'],
  },
  {
    planted: 'a compensation is skipped: the hold is left open',
    sabotage: paymentState('compensating', { commands: (data) => [data.captured ? 'refund' : 'unauthorize'] }),
    breaks: ['S3'],
  },
  {
    planted: 'a refused void is recorded as done',
    sabotage: paymentState('compensating', { whenAllEnded: { done: 'failed', otherwise: 'failed' } }),
    breaks: ['S3'],
  },
  {
    planted: 'an effect id is reused by the next provider',
    sabotage: paymentTable({
      commands: { ...payments.commands, authorize: { ...payments.commands.authorize, repeats: false } },
    }),
    breaks: ['S9'],
  },
  {
    planted: 'the second settlement of a refund has the id of the first',
    sabotage: {
      refundKind: {
        ...REFUND_KIND,
        table: {
          ...refunds,
          commands: { ...refunds.commands, settle: { ...refunds.commands.settle, repeats: false } },
        },
      },
    },
    breaks: ['S9'],
  },
  {
    planted: 'unknown is mapped to declined',
    sabotage: paymentTable({
      classify: (fact) => {
        const read = payments.classify(fact);
        return read.result === 'unknown' ? { ...read, result: 'refused' } : read;
      },
    }),
    breaks: ['S8', 'S3'],
  },
  {
    planted: 'a timeout leads to the next provider',
    sabotage: paymentTable({
      classify: (fact) => {
        const read = payments.classify(fact);
        return read.name === 'authorize' && read.result === 'unknown' ? { ...read, result: 'not_sent' } : read;
      },
    }),
    breaks: ['S1', 'S3', 'X2'],
  },
  {
    planted: 'an absence is believed while a call may still land',
    sabotage: paymentState('authorization_unknown', {
      on: {
        ...payments.states.authorization_unknown.on,
        'lookup:absent': payments.states.authorization_unknown.on['lookup:refused'] ?? [],
      },
    }),
    breaks: ['S8', 'X2', 'S3'],
  },
  {
    planted: 'a late authorization is only noted',
    sabotage: paymentState('failed', { on: {} }),
    breaks: ['X2'],
  },
  {
    planted: 'a run of events is acknowledged before the record has it',
    sabotage: { acknowledgesFirst: true },
    breaks: ['S9'],
  },
  {
    planted: 'a redelivered authorization does not ask the saga first',
    sabotage: { callsUnasked: true },
    breaks: ['S1', 'S3', 'X2'],
  },
  {
    planted: 'a redelivered authorization asks, and the saga does not reckon with its call',
    sabotage: { asksOnly: true },
    seed: 2,
    breaks: ['S1', 'S3', 'X2'],
  },
  {
    planted: 'a compensation is given up by its budget alone',
    sabotage: paymentTable({
      commands: {
        ...payments.commands,
        unauthorize: {
          ...payments.commands.unauthorize,
          giveUpAtMs: (_saga, command, policy) => (command.firstSentAtMs ?? 0) + policy.compensationBudgetMs,
        },
      },
    }),
    breaks: ['S2'],
  },
  {
    planted: 'a sending that was lost counts as one that the provider was silent to',
    sabotage: paymentTable({
      commands: {
        ...payments.commands,
        unauthorize: {
          ...payments.commands.unauthorize,
          giveUpAtMs: (_saga, { firstSentAtMs, attempts }, policy) =>
            firstSentAtMs === null || attempts < COMPENSATION_TRIES_MIN
              ? Number.POSITIVE_INFINITY
              : firstSentAtMs + policy.compensationBudgetMs,
        },
      },
    }),
    breaks: ['S2'],
  },
  {
    planted: "a provider's key is new for each effect",
    sabotage: { keyOf: (key, effectId) => `${key}.${effectId.slice(-1)}` },
    breaks: ['S1', 'S3', 'X2', 'S8'],
  },
  {
    planted: 'a wallet forgets its effects',
    sabotage: {
      storeOf: (real) =>
        storeWith(real, () => ({
          effect: () => null,
          appendEffect: (effect) => {
            real.effects.delete(effect.effectId);
            real.appendEffect(effect);
          },
        })),
    },
    breaks: ['L6'],
  },
  {
    planted: 'a wallet forgets how holds have ended',
    sabotage: { storeOf: (real) => storeWith(real, () => ({ appendResolution: () => {} })) },
    breaks: ['L5', 'S3'],
  },
  {
    planted: 'an entry is written whose postings do not sum to zero',
    sabotage: {
      storeOf: (real) =>
        storeWith(real, () => ({
          appendEntry: (entry) => {
            const [first, ...rest] = entry.postings;
            const bent =
              first === undefined ? entry : { ...entry, postings: [{ ...first, amount: first.amount + 1 }, ...rest] };
            real.appendEntry(entry.type === 'credit' ? bent : entry);
          },
        })),
    },
    breaks: ['L1'],
  },
  {
    planted: 'a refund is counted twice',
    sabotage: {
      settles: (saga, refundId, settlement, context) => {
        const taken = settleRefund(saga, refundId, settlement, context);
        if (taken === null) return null;
        const { refundedAmount } = taken.saga.data;
        const twice = refundedAmount + (refundedAmount - saga.data.refundedAmount);
        return { ...taken, saga: { ...taken.saga, data: { ...taken.saga.data, refundedAmount: twice } } };
      },
    },
    breaks: ['S10'],
  },
  {
    planted: "a refund's success that is taken back is not heard",
    sabotage: {
      refundKind: {
        ...REFUND_KIND,
        table: { ...refunds, states: { ...refunds.states, completed: { ...refunds.states.completed, on: {} } } },
      },
    },
    breaks: ['X2'],
  },
  {
    planted: 'a lost message is never sent again',
    sabotage: paymentTable({
      commands: {
        ...payments.commands,
        debit: { ...payments.commands.debit, resend: () => ({ firstMs: 9e12, maxMs: 9e12 }) },
      },
    }),
    breaks: ['S2'],
  },
  {
    planted: 'a failed payment can still be completed',
    sabotage: paymentState('failed', { on: { 'authorize:done': [{ to: 'completed' }] } }),
    breaks: ['S4_terminal_left'],
  },
];

describe('the simulator finds what is planted', () => {
  test.each(CANARIES)('$planted', ({ sabotage, breaks, planted, seed = SEED }) => {
    const { broken, sagas } = runSagas({ seed, sagas: SAGAS_MAX, sabotage });
    console.log(
      `canary: "${planted}" → ${broken?.violation.invariant ?? 'not found'} after ${sagas} sagas, seed ${seed}`,
    );
    expect(breaks).toContain(broken?.violation.invariant);
  });
});

test('a broken world is shrunk to a short story of the same break', () => {
  const sabotage = paymentState('compensating', { whenAllEnded: { done: 'failed', otherwise: 'failed' } });
  const { broken } = runSagas({ seed: SEED, sagas: SAGAS_MAX, sabotage });
  const shrunk = shrink(broken?.seed ?? 0, sabotage);
  if (shrunk === null) throw new Error('nothing to shrink');
  console.log(told(shrunk));
  expect(shrunk.invariant).toBe(broken?.violation.invariant);
  expect(shrunk.sagas).toBe(1);
  expect(shrunk.faults).toBeLessThan(shrunk.faultsBefore / 2);
  expect(shrunk.story.length).toBeLessThan(80);
});
