/** The engine by a table of its own, so that each rule of it is seen alone; the payment's table has its own tests. */
import { describe, expect, test } from 'vitest';
import { InvariantError } from '../../src/domain/errors.ts';
import type { EventPayload } from '../../src/domain/events/catalogue.ts';
import { decodeEvent } from '../../src/domain/events/decode.ts';
import { MINUTE_MS, SECOND_MS } from '../../src/domain/limits.ts';
import { effectIdOf } from '../../src/domain/saga/effects.ts';
import { begin, nextDueAtMs, step, withoutCommands } from '../../src/domain/saga/engine.ts';
import { classifyForPayment as classify, classifyForRefund, type Fact } from '../../src/domain/saga/outcome.ts';
import { SAGA_POLICIES } from '../../src/domain/saga/policy.ts';
import type { Saga, SagaTable, Step, StepContext, StepInput } from '../../src/domain/saga/table.ts';
import { gatewayFact, PAYMENT_ID, START_MS, walletFact } from '../support/saga.ts';

type State = 'trying' | 'first' | 'asking' | 'both' | 'end' | 'broken_end' | 'stuck';
type Name = 'hold' | 'authorize' | 'lookup' | 'unauthorize' | 'debit' | 'release' | 'notify';
interface Data {
  readonly touchedAtMs: number;
  readonly learnt: readonly string[];
}

const payload = () => ({ payment_id: PAYMENT_ID, wallet_id: 'wal-1', amount: 1230, currency: 'USD' });
const gatewayPayload = () => ({
  payment_id: PAYMENT_ID,
  amount: 1,
  currency: 'USD',
  method: 'balance',
  service_id: 's',
});
const learn = (word: string) => (data: Data) => ({ ...data, learnt: [...data.learnt, word] });

const TABLE: SagaTable<State, Data, Name> = {
  classify,
  isSameEffect: () => false,
  group: () => ({ groupId: `payment_${PAYMENT_ID}`, entityId: PAYMENT_ID, paymentId: PAYMENT_ID }),
  scope: () => ({ merchant: 'default', mode: 'live' }),
  idempotencyKey: () => 'key-1',
  touch: (data, nowMs) => ({ ...data, touchedAtMs: nowMs }),
  commands: {
    hold: {
      name: 'hold',
      type: () => 'orchestrator.wallet.hold_funds',
      payload: () => ({ ...payload(), expires_at: '2026-01-08T00:00:00.000Z' }),
    },
    authorize: {
      name: 'authorize',
      type: () => 'orchestrator.gateway.authorize',
      payload: gatewayPayload,
      giveUpAtMs: () => START_MS + 2 * MINUTE_MS,
    },
    lookup: {
      name: 'lookup',
      type: () => 'orchestrator.gateway.lookup',
      payload: gatewayPayload,
      repeats: true,
      waitMs: (_policy, before) => (before + 1) * 10 * SECOND_MS,
      giveUpAtMs: () => START_MS + 10 * MINUTE_MS,
    },
    unauthorize: {
      name: 'unauthorize',
      type: () => 'orchestrator.gateway.unauthorize',
      payload: gatewayPayload,
      repeats: true,
      giveUpAtMs: () => START_MS + 5 * MINUTE_MS,
    },
    debit: { name: 'debit', type: () => 'orchestrator.wallet.debit', payload },
    release: { name: 'release', type: () => 'orchestrator.wallet.release_funds', payload },
    notify: {
      name: 'notify',
      type: () => 'orchestrator.notify.payment_success',
      payload: () => ({ payment_id: PAYMENT_ID, status: 'COMPLETED' }),
    },
  },
  states: {
    first: {
      says: '',
      commands: () => ['hold'],
      on: {
        'hold:done': [{ to: 'asking', learn: learn('held'), count: 'metrics.payment.success' }],
        // Not total on purpose.
        'hold:refused': [{ when: () => false, to: 'end' }],
      },
    },
    asking: {
      says: '',
      commands: () => ['authorize', 'lookup'],
      on: {
        'authorize:done': [
          { when: ({ saga }) => saga.data.learnt.includes('never'), to: 'stuck' },
          { to: 'both', learn: learn('first that holds') },
          { to: 'stuck' },
        ],
        'authorize:refused': [{ learn: learn('refused'), send: ['release'] }],
        'authorize:pending': [{ send: ['unauthorize'] }],
        'authorize:not_sent': [{ again: true, learn: learn('again') }],
        'authorize:spent': [{ to: 'stuck', learn: learn('spent') }],
        'lookup:unknown': [{ again: true }],
        'lookup:spent': [{ to: 'stuck', learn: learn('lookup spent') }],
      },
    },
    both: {
      says: '',
      commands: () => ['debit', 'release'],
      on: { 'debit:done': [{}], 'debit:refused': [{}], 'release:done': [{}], 'release:refused': [{}] },
      whenAllEnded: { done: 'end', otherwise: 'stuck' },
    },
    end: {
      says: '',
      terminal: true,
      commands: () => ['notify'],
      on: { 'authorize:refused': [{ learn: learn('late'), send: ['release'] }] },
      facts: () => [{ type: 'metrics.payment.success', payload: { payment_id: PAYMENT_ID } }],
    },
    trying: {
      says: '',
      commands: () => ['unauthorize'],
      on: {
        'unauthorize:refused': [
          {
            to: 'trying',
            afterMs: () => 30 * SECOND_MS,
            facts: () => [{ type: 'metrics.gateway.unauthorized', payload: { payment_id: PAYMENT_ID } }],
          },
        ],
        'unauthorize:not_sent': [{ to: 'stuck', learn: learn('reached nobody') }],
        'unauthorize:spent': [{ to: 'stuck', learn: learn('spent') }],
        'hold:done': [{ to: 'end' }],
        'hold:refused': [{ to: 'trying', afterMs: () => MINUTE_MS }],
      },
    },
    broken_end: { says: '', terminal: true, commands: () => [], on: { 'hold:done': [{ to: 'first' }] } },
    stuck: { says: '', commands: () => [], on: {} },
  },
  always: {
    'unauthorize:unknown': [{ again: true }],
    'unauthorize:done': [{ learn: learn('always') }],
    'unauthorize:refused': [{ learn: learn('always') }],
  },
  superseded: { 'unauthorize:done': [{ learn: learn('superseded') }] },
  attention: {
    reasonOf: () => null,
    moves: {},
    fact: () => ({ type: 'payment.retried', payload: {} }),
    leave: (data) => data,
  },
};

class Driver {
  saga: Saga<State, Data, Name>;
  nowMs = START_MS;
  random = 0;
  last: Step<State, Data, Name>;
  readonly log: string[] = [];
  #ids = 0;

  constructor(state: State = 'first') {
    const facts = [{ type: 'payment.created' as const, payload: { payment_id: PAYMENT_ID } }];
    this.last = begin(TABLE, state, { touchedAtMs: 0, learnt: [] }, facts, this.context());
    this.saga = this.last.saga;
    this.log.push(...this.last.events.map((event) => event.event_type));
  }

  context(): StepContext {
    return {
      nowMs: this.nowMs,
      policy: SAGA_POLICIES.live,
      random: () => this.random,
      newId: () => `00000000-0000-4000-8000-${String(++this.#ids).padStart(12, '0')}`,
      trace: { traceId: 'a'.repeat(32), traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` },
    };
  }

  take(input: StepInput): this {
    this.last = step(TABLE, this.saga, input, this.context());
    this.saga = this.last.saga;
    this.log.push(...this.last.events.map((event) => event.event_type));
    return this;
  }

  answer(fact: Fact, effectId = this.effectId(classify(fact).name), retryAfterMs?: number): this {
    const outcome = { effect_id: effectId, fact, ...(retryAfterMs !== undefined && { retryAfterMs }) };
    return this.take({ kind: 'outcome', outcome });
  }

  wait(ms: number): this {
    this.nowMs += ms;
    return this.take({ kind: 'timer' });
  }

  effectId(name: string): string {
    const command = this.pending(name);
    return (command && effectIdOf(command)) ?? `${name} is not pending`;
  }

  pending(name: string) {
    return this.saga.pending.find((command) => command.name === name);
  }

  sent(): string[] {
    return this.last.send.map((command) => command.name);
  }
}

const AUTHORIZED = gatewayFact('authorize', { gateway_status: 'AUTHORIZED' });
const REFUSED = gatewayFact('authorize', { gateway_status: 'UNAUTHORIZED' });
const NOT_SENT = gatewayFact('authorize', { gateway_status: 'NOT_SENT' });

const asking = () => new Driver().answer(walletFact('hold'));
const both = () => asking().answer(AUTHORIZED);

describe('a saga that begins', () => {
  test('records its facts first, then the commands of its state, numbered from 1', () => {
    const { last, saga } = new Driver();
    expect(last.events.map((event) => [event.event_type, event.metadata.sequence])).toEqual([
      ['payment.created', 1],
      ['orchestrator.wallet.hold_funds', 2],
    ]);
    expect(saga).toMatchObject({ state: 'first', sequence: 2, enteredAtMs: START_MS, settled: {}, results: {} });
  });

  test('lists for sending exactly what is pending and in the log', () => {
    const { last, saga } = new Driver();
    expect(last.send).toEqual(saga.pending);
    expect(last.send[0]).toMatchObject({ name: 'hold', attempts: 1, firstSentAtMs: START_MS, event: last.events[1] });
  });

  test('puts whose it is, in which mode, its trace and its key on every event', () => {
    const { last } = new Driver();
    expect(last.events[1]).toMatchObject({
      timestamp: '2026-01-01T00:00:00.000Z',
      metadata: {
        source: 'payment-service',
        merchant: 'default',
        mode: 'live',
        trace_id: 'a'.repeat(32),
        idempotency_key: 'key-1',
        message_group_id: `payment_${PAYMENT_ID}`,
        message_deduplication_id: `orchestrator.wallet.hold_funds.${PAYMENT_ID}`,
      },
    });
    expect(decodeEvent(last.events[1])).toMatchObject({ ok: true });
  });

  test('names the request as the parent of its facts, and the command as the parent of what its message leads to', () => {
    const { last } = new Driver();
    const [fact, command] = last.events.map(({ metadata }) => metadata.traceparent);
    expect(fact).toBe(`00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`);
    expect(command).toBe(`00-${'a'.repeat(32)}-8000000000000002-01`);
    expect(last.events[1]?.event_id.endsWith('8000-000000000002')).toBe(true);
  });
});

describe('an outcome', () => {
  test('is recorded, learnt from, counted, and leads to the state of its rule, in one step', () => {
    const saga = new Driver();
    saga.nowMs += 7;
    saga.answer(walletFact('hold'));
    expect(saga.last.events.map((event) => [event.event_type, event.metadata.sequence])).toEqual([
      ['wallet.hold_funds', 3],
      ['metrics.payment.success', 4],
      ['orchestrator.gateway.authorize', 5],
    ]);
    expect(saga.saga).toMatchObject({
      state: 'asking',
      sequence: 5,
      enteredAtMs: START_MS + 7,
      data: { learnt: ['held'], touchedAtMs: START_MS + 7 },
      settled: { [`orchestrator.wallet.hold_funds.${PAYMENT_ID}`]: 'hold:done' },
    });
    expect(saga.pending('hold')).toBeUndefined();
  });

  test('takes the first rule that holds', () => {
    expect(both().saga).toMatchObject({ state: 'both', data: { learnt: ['held', 'first that holds'] } });
  });

  test('that no rule of its state fits is a bug of the table', () => {
    expect(() => new Driver().answer(walletFact('hold', 'insufficient_funds'))).toThrow(
      new InvariantError('saga_rule_total', { state: 'first', command: 'hold', result: 'refused' }),
    );
  });

  test('that its state has no rules for is recorded and changes no state (S4)', () => {
    const saga = both().answer(walletFact('hold', 'wallet_frozen'), `orchestrator.wallet.hold_funds.${PAYMENT_ID}`);
    expect(saga.last.events.map((event) => event.event_type)).toEqual(['wallet.hold_funds_failed']);
    expect(saga.saga.state).toBe('both');
    expect(saga.sent()).toEqual([]);
  });

  test('that says the same again changes nothing, not even the reference', () => {
    const saga = both();
    const before = saga.saga;
    saga.answer(AUTHORIZED, `orchestrator.gateway.authorize.${PAYMENT_ID}`);
    expect(saga.saga).toBe(before);
    expect(saga.last).toEqual({ saga: before, events: [], send: [] });
  });

  test('that leads out of a terminal state is a bug of the table (S4)', () => {
    expect(() => new Driver('broken_end').answer(walletFact('hold'), 'any')).toThrow(
      new InvariantError('S4_terminal_left', { state: 'broken_end', to: 'first' }),
    );
  });

  test('of no command is a bug of its consumer', () => {
    const fact = { event_type: 'payment.created', payload: { payment_id: PAYMENT_ID } } as unknown as Fact;
    expect(() => new Driver().take({ kind: 'outcome', outcome: { effect_id: 'x', fact } })).toThrow(
      new InvariantError('fact_answers_command', { type: 'payment.created' }),
    );
  });

  test('of a command that this table does not have is a bug', () => {
    expect(() => new Driver().answer(gatewayFact('capture', { gateway_status: 'CAPTURED' }), 'x')).toThrow(
      new InvariantError('saga_command_known', { name: 'capture' }),
    );
  });

  test('may send a command without leaving the state, also from a terminal one', () => {
    const saga = asking().answer(REFUSED);
    expect(saga.saga.state).toBe('asking');
    expect(saga.sent()).toEqual(['release']);
    const ended = new Driver('end').answer(REFUSED, 'any');
    expect(ended.saga).toMatchObject({ state: 'end', data: { learnt: ['late'] } });
    expect(ended.sent()).toEqual(['release']);
  });

  test('that asks to try again teaches, and sends nothing, where its command is not pending', () => {
    const saga = asking();
    const { pending } = saga.saga;
    saga.answer(NOT_SENT, 'another');
    expect(saga.saga.data.learnt).toEqual(['held', 'again']);
    expect(saga.saga.pending).toEqual(pending);
  });

  test.each([
    ['AUTHORIZED', 'PENDING', 'AUTHORIZED', 'nothing new'],
    ['UNAUTHORIZED', 'UNKNOWN', 'UNAUTHORIZED', 'nothing new'],
    ['PENDING', 'UNKNOWN', 'UNKNOWN', 'nothing new'],
    ['PENDING', 'UNKNOWN', 'PENDING', 'new'],
    ['AUTHORIZED', 'UNAUTHORIZED', 'UNAUTHORIZED', 'nothing new'],
    ['AUTHORIZED', 'UNAUTHORIZED', 'AUTHORIZED', 'new'],
    ['UNAUTHORIZED', 'AUTHORIZED', 'AUTHORIZED', 'nothing new'],
  ] as const)('%s and then %s of one effect: %s is %s; what is known for good outlasts what is not', (...answers) => {
    const [first, second, third, is] = answers;
    const saga = new Driver('stuck');
    for (const gateway_status of [first, second, third])
      saga.answer(gatewayFact('authorize', { gateway_status }), 'one');
    expect(saga.last.events).toHaveLength(is === 'new' ? 1 : 0);
  });

  test('of anything else has the id of its fact, which can come once only; what is counted is numbered', () => {
    const saga = new Driver();
    const ids = () => saga.last.events.map(({ metadata }) => metadata.message_deduplication_id);
    expect(ids()).toEqual([`payment.created.${PAYMENT_ID}`, `orchestrator.wallet.hold_funds.${PAYMENT_ID}`]);
    saga.answer(walletFact('hold'));
    expect(ids().slice(0, 2)).toEqual([`wallet.hold_funds.${PAYMENT_ID}`, `metrics.payment.success.${PAYMENT_ID}.4`]);
  });

  test('of a gateway is numbered by its sequence, since several can rightly come', () => {
    const saga = asking().answer(NOT_SENT);
    expect(saga.last.events[0]?.metadata.message_deduplication_id).toBe(
      `payment_gateway.response.${PAYMENT_ID}.${saga.last.events[0]?.metadata.sequence}`,
    );
  });
});

describe('a state that waits for several commands', () => {
  test.each([
    ['debit', 'release'],
    ['release', 'debit'],
  ] as const)('goes on when the last has ended, %s before %s', (one, other) => {
    const saga = both().answer(walletFact(one));
    expect(saga.saga.state).toBe('both');
    expect(saga.answer(walletFact(other)).saga.state).toBe('end');
  });

  test.each([
    ['debit', 'release'],
    ['release', 'debit'],
  ] as const)('goes the other way when %s was refused, but not before %s has ended (S5)', (refused, other) => {
    const saga = both().answer(walletFact(refused, 'hold_resolved'));
    expect(saga.saga.state).toBe('both');
    expect(saga.pending(other)).toBeDefined();
    expect(saga.answer(walletFact(other)).saga.state).toBe('stuck');
  });

  test('starts with no results of the state before', () => {
    expect(both().saga.results).toEqual({});
  });

  test('enters a state with its facts before its commands', () => {
    const saga = both().answer(walletFact('debit')).answer(walletFact('release'));
    expect(saga.last.events.map((event) => event.event_type)).toEqual([
      'wallet.release_funds',
      'metrics.payment.success',
      'orchestrator.notify.payment_success',
    ]);
  });
});

describe('a timer', () => {
  test('with nothing due changes nothing, not even the reference', () => {
    const saga = new Driver();
    const before = saga.saga;
    expect(saga.wait(14_999).last).toEqual({ saga: before, events: [], send: [] });
    expect(saga.saga).toBe(before);
  });

  test('sends again what is due: the same event, one attempt more, and waits longer', () => {
    const saga = new Driver();
    const [first] = saga.last.send;
    saga.wait(15_000);
    expect(saga.last.events).toEqual([]);
    expect(saga.last.send).toEqual([
      { ...first, attempts: 2, firstSentAtMs: START_MS, allHeard: false, dueAtMs: saga.nowMs + 30_000 },
    ]);
    expect(saga.saga.sequence).toBe(2);
  });

  test('knows whether every sending but the last was answered', () => {
    const saga = asking();
    expect(saga.pending('authorize')).toMatchObject({ allHeard: true, heard: false });
    saga.answer(NOT_SENT);
    expect(saga.pending('authorize')).toMatchObject({ heard: true });
    saga.wait(15_000);
    expect(saga.pending('authorize')).toMatchObject({ attempts: 2, allHeard: true, heard: false });
    saga.wait(30_000);
    expect(saga.pending('authorize')).toMatchObject({ attempts: 3, allHeard: false });
    saga.answer(NOT_SENT).wait(60_000);
    expect(saga.pending('authorize')).toMatchObject({ attempts: 4, allHeard: false });
  });

  test('reckons with one more sending once a delivery has asked about it, once, and only while it is pending', () => {
    const saga = asking();
    const before = saga.saga;
    const effectId = saga.effectId('authorize');
    expect(saga.take({ kind: 'asked', effectId }).pending('authorize')).toMatchObject({ attempts: 1, allHeard: false });
    expect(saga.saga.sequence).toBe(before.sequence);
    const asked = saga.saga;
    expect(saga.take({ kind: 'asked', effectId }).saga).toBe(asked);
    expect(saga.take({ kind: 'asked', effectId: 'orchestrator.gateway.authorize.nobody' }).saga).toBe(asked);
  });

  test('gives up a command whose time is over, and not a moment before', () => {
    const saga = asking();
    saga.nowMs = START_MS + 2 * MINUTE_MS - 1;
    expect(saga.take({ kind: 'timer' }).sent()).toContain('authorize');
    saga.nowMs = START_MS + 2 * MINUTE_MS + MINUTE_MS;
    saga.take({ kind: 'timer' });
    expect(saga.saga).toMatchObject({ state: 'stuck', data: { learnt: ['held', 'spent'] } });
    expect(saga.pending('authorize')).toBeUndefined();
    // Nobody has told: nothing is settled by it.
    expect(Object.values(saga.saga.settled)).toEqual(['hold:done']);
  });

  test('gives up nothing that has no end: our own consumers are asked for ever', () => {
    const saga = new Driver();
    for (let day = 0; day < 400; day++) expect(saga.wait(86_400_000).sent()).toEqual(['hold']);
    expect(saga.saga.state).toBe('first');
  });

  test('wakes several commands in one step, and none that an earlier one has dropped', () => {
    const saga = asking();
    saga.nowMs = START_MS + 5 * MINUTE_MS;
    // `authorize` is given up, which leaves the state and drops the question that is due in the same moment.
    saga.take({ kind: 'timer' });
    expect(saga.saga.state).toBe('stuck');
    expect(saga.log).not.toContain('orchestrator.gateway.lookup');
    expect(saga.saga.pending).toEqual([]);
  });
});

describe('an outcome that asks to try again', () => {
  test('leaves the command pending under its effect id, and sends nothing now', () => {
    const saga = asking();
    const effectId = saga.effectId('authorize');
    saga.answer(NOT_SENT);
    expect(saga.effectId('authorize')).toBe(effectId);
    expect(saga.sent()).toEqual([]);
    expect(saga.saga.settled).not.toHaveProperty(effectId);
    expect(saga.saga.data.learnt).toEqual(['held', 'again']);
  });

  test('waits as long as the other side asks, and never less than its own backoff', () => {
    const saga = asking();
    saga.answer(NOT_SENT, undefined, 60_000);
    expect(saga.pending('authorize')?.dueAtMs).toBe(START_MS + 60_000);
    saga.answer(NOT_SENT, undefined, 1);
    expect(saga.pending('authorize')?.dueAtMs).toBe(START_MS + 15_000);
  });
});

describe('a step that is tried again as a new effect', () => {
  const DECLINED = gatewayFact('unauthorize', { gateway_status: 'VOID_FAILED' });
  const VOIDED = gatewayFact('unauthorize', { gateway_status: 'VOIDED' });
  const effect = (n: number) => `orchestrator.gateway.unauthorize.${PAYMENT_ID}.${n}`;

  test('waits for its time before it is in the log, and then has an effect id of its own', () => {
    const saga = new Driver('trying');
    expect(saga.effectId('unauthorize')).toBe(effect(1));
    saga.answer(DECLINED);
    expect(saga.last.events.map((event) => event.event_type)).toEqual([
      'payment_gateway.response',
      'metrics.gateway.unauthorized',
    ]);
    expect(saga.sent()).toEqual([]);
    expect(saga.pending('unauthorize')).toMatchObject({ event: null, attempts: 0, dueAtMs: START_MS + 30_000 });
    expect(saga.wait(29_999).sent()).toEqual([]);
    expect(saga.wait(1).sent()).toEqual(['unauthorize']);
    expect(saga.effectId('unauthorize')).toBe(effect(2));
  });

  test('that was still waiting when its time was over has provably reached nobody', () => {
    const saga = new Driver('trying').answer(DECLINED);
    saga.nowMs = START_MS + 5 * MINUTE_MS;
    saga.take({ kind: 'timer' });
    expect(saga.saga).toMatchObject({ state: 'stuck', data: { learnt: ['reached nobody'] } });
  });

  test('that was still waiting when the saga moves on is dropped: nobody has it; one that was sent is not', () => {
    const waiting = new Driver('trying').answer(DECLINED).answer(walletFact('hold'), 'any');
    expect(waiting.saga.state).toBe('end');
    expect(waiting.saga.pending.map(({ name }) => name)).toEqual(['notify']);
    expect(waiting.wait(MINUTE_MS).sent()).toEqual(['notify']);
    const sent = new Driver('trying').answer(walletFact('hold'), 'any');
    expect(sent.saga.pending.map(({ name }) => name)).toEqual(['unauthorize', 'notify']);
  });

  test('that was still waiting when its state is entered once more gives way to the one that is issued then', () => {
    const saga = new Driver('trying').answer(DECLINED).answer(walletFact('hold', 'wallet_frozen'), 'any');
    expect(saga.saga.pending).toMatchObject([{ name: 'unauthorize', event: null, dueAtMs: START_MS + MINUTE_MS }]);
    saga.wait(MINUTE_MS);
    expect(saga.saga.pending.map(effectIdOf)).toEqual([effect(3)]);
  });

  test('that was sent and never answered is spent, not proven', () => {
    const saga = new Driver('trying').wait(5 * MINUTE_MS);
    expect(saga.saga).toMatchObject({ state: 'stuck', data: { learnt: ['spent'] } });
  });

  test('takes a late outcome of the effect before it by rules of their own, whatever the state', () => {
    const saga = new Driver('trying').answer(DECLINED).wait(30_000);
    saga.answer(VOIDED, effect(1));
    expect(saga.saga).toMatchObject({ state: 'trying', data: { learnt: ['superseded'] } });
    expect(saga.effectId('unauthorize')).toBe(effect(2));
  });

  test('ignores a late outcome of the effect before it that there is no rule for, and records it', () => {
    const saga = new Driver('trying').answer(DECLINED).wait(30_000);
    const unknown = gatewayFact('unauthorize', { gateway_status: 'UNKNOWN' });
    saga.answer(unknown, effect(1));
    expect(saga.last.events.map((event) => event.event_type)).toEqual(['payment_gateway.response']);
    expect(saga.saga).toMatchObject({ state: 'trying', data: { learnt: [] } });
  });

  test('keeps an effect that has no outcome yet, however many newer ones were issued', () => {
    const PENDING = gatewayFact('authorize', { gateway_status: 'PENDING' });
    const saga = asking().answer(PENDING, 'one').answer(PENDING, 'another');
    const undone = () => saga.saga.pending.filter(({ name }) => name === 'unauthorize').map(effectIdOf);
    expect(undone()).toEqual([effect(1), effect(2)]);
    saga.answer(gatewayFact('unauthorize', { gateway_status: 'UNKNOWN' }), effect(1));
    expect(undone()).toEqual([effect(1), effect(2)]);
    saga.answer(VOIDED, effect(1));
    expect(undone()).toEqual([effect(2)]);
  });

  test('is settled by effect, so that the same answer to two effects is two answers', () => {
    const saga = new Driver('trying').answer(DECLINED).wait(30_000).answer(DECLINED);
    expect(saga.last.events.length).toBe(2);
    const before = saga.saga;
    saga.answer(DECLINED, effect(1)).answer(DECLINED, effect(2));
    expect(saga.saga).toBe(before);
  });

  test('takes the rule of its state before the one that holds always', () => {
    const stuck = new Driver('stuck').answer(DECLINED, `orchestrator.gateway.unauthorize.${PAYMENT_ID}.1`);
    expect(stuck.saga).toMatchObject({ state: 'stuck', data: { learnt: ['always'] } });
    expect(new Driver('trying').answer(DECLINED).saga.data.learnt).toEqual([]);
  });
});

describe('a question', () => {
  const UNKNOWN = gatewayFact('lookup', { gateway_status: 'UNKNOWN' });

  test('is only scheduled at first: not in the log, not sent', () => {
    const saga = asking();
    expect(saga.pending('lookup')).toMatchObject({ event: null, attempts: 0, dueAtMs: START_MS + 10_000 });
    expect(saga.log).not.toContain('orchestrator.gateway.lookup');
  });

  test('is asked when it is due, and again on its schedule, each time under a number of its own', () => {
    const saga = asking().wait(10_000);
    expect(saga.effectId('lookup')).toBe(`orchestrator.gateway.lookup.${PAYMENT_ID}.1`);
    saga.answer(UNKNOWN);
    expect(saga.pending('lookup')).toMatchObject({ event: null, dueAtMs: saga.nowMs + 20_000 });
    expect(saga.saga.pending.map(({ name }) => name)).toEqual(['authorize', 'lookup']);
    saga.wait(20_000);
    expect(saga.effectId('lookup')).toBe(`orchestrator.gateway.lookup.${PAYMENT_ID}.2`);
  });

  test('that was answered leaves no trace in what is settled', () => {
    const saga = asking().wait(10_000);
    const effectId = saga.effectId('lookup');
    saga.answer(UNKNOWN).answer(gatewayFact('lookup', { gateway_status: 'ABSENT' }), effectId);
    saga.wait(20_000).answer(gatewayFact('lookup', { gateway_status: 'ABSENT' }));
    expect(saga.pending('lookup')).toBeUndefined();
    expect(Object.values(saga.saga.settled)).toEqual(['hold:done']);
  });

  test('is dropped when the saga moves on, and its late answer teaches nothing', () => {
    const saga = asking().wait(10_000);
    const effectId = saga.effectId('lookup');
    saga.answer(AUTHORIZED);
    expect(saga.pending('lookup')).toBeUndefined();
    const before = saga.saga;
    saga.answer(UNKNOWN, effectId);
    expect(saga.saga).toBe(before);
    expect(saga.last.events).toEqual([]);
  });

  test('is given up when its time is over', () => {
    const saga = asking();
    saga.saga = withoutCommands(saga.saga, new Set([saga.effectId('authorize')]));
    saga.wait(10 * MINUTE_MS);
    expect(saga.sent()).toEqual(['lookup']);
    expect(saga.saga.state).toBe('asking');
    saga.answer(UNKNOWN);
    expect(saga.saga).toMatchObject({ state: 'stuck', data: { learnt: ['held', 'lookup spent'] } });
  });

  test('is due no later than its time is over, asked then, and given up when nobody answers', () => {
    const saga = asking();
    saga.saga = withoutCommands(saga.saga, new Set([saga.effectId('authorize')]));
    while (saga.saga.state === 'asking' && saga.nowMs < START_MS + 10 * MINUTE_MS) {
      const due = saga.pending('lookup')?.dueAtMs ?? 0;
      expect(due).toBeLessThanOrEqual(START_MS + 10 * MINUTE_MS);
      saga.wait(due - saga.nowMs);
      if (saga.nowMs < START_MS + 10 * MINUTE_MS) saga.answer(UNKNOWN);
    }
    expect(saga.nowMs).toBe(START_MS + 10 * MINUTE_MS);
    expect(saga.sent()).toEqual(['lookup']);
    saga.wait(10 * MINUTE_MS);
    expect(saga.sent()).toEqual([]);
    expect(saga.saga).toMatchObject({ state: 'stuck', data: { learnt: ['held', 'lookup spent'] } });
  });
});

describe('an effect that is pending', () => {
  test('is kept when the saga moves on: an effect is never forgotten', () => {
    const saga = asking().answer(gatewayFact('authorize', { gateway_status: 'PENDING' }), 'one');
    const undo = saga.effectId('unauthorize');
    saga.answer(AUTHORIZED, 'another');
    expect(saga.saga.state).toBe('both');
    expect(saga.saga.pending.map(effectIdOf)).toContain(undo);
  });
});

describe('the death of a message', () => {
  const died = (saga: Driver, name: string) => saga.take({ kind: 'died', effectId: saga.effectId(name) });

  test('of a command that may be given up spends it', () => {
    expect(died(asking(), 'authorize').saga).toMatchObject({ state: 'stuck', data: { learnt: ['held', 'spent'] } });
  });

  test('ends nothing while another sending is out: that one may be carried out', () => {
    const saga = died(asking().wait(30_000), 'authorize');
    expect(saga.pending('authorize')).toMatchObject({ attempts: 2, allHeard: false });
    expect(saga.answer(AUTHORIZED).saga.state).toBe('both');
  });

  test('of a command that is ours makes it due again after a backoff, with nothing recorded', () => {
    const saga = new Driver();
    saga.nowMs += 1_000;
    died(saga, 'hold');
    expect(saga.pending('hold')?.dueAtMs).toBe(START_MS + 1_000 + 15_000);
    expect(saga.last.events).toEqual([]);
    expect(saga.sent()).toEqual([]);
  });

  test('of a question is no answer: it is asked again', () => {
    const saga = asking().wait(10_000);
    died(saga, 'lookup');
    expect(saga.saga.state).toBe('asking');
    expect(saga.pending('lookup')?.dueAtMs).toBeGreaterThan(saga.nowMs);
  });

  test('of a command that is not pending changes nothing, not even the reference', () => {
    const saga = asking();
    const before = saga.saga;
    saga.take({ kind: 'died', effectId: `orchestrator.wallet.hold_funds.${PAYMENT_ID}` });
    expect(saga.saga).toBe(before);
  });
});

describe('a redrive', () => {
  const redrive = (saga: Driver, effectId: string) => saga.take({ kind: 'redrive', effectId });

  test('sends a pending command again before its time, under the same effect id and with nothing recorded', () => {
    const saga = new Driver();
    const effectId = saga.effectId('hold');
    const before = saga.pending('hold');
    saga.nowMs += 1_000;
    redrive(saga, effectId);
    expect(saga.sent()).toEqual(['hold']);
    expect(saga.last.send.map(effectIdOf)).toEqual([effectId]);
    expect(saga.last.events).toEqual([]);
    expect(saga.pending('hold')).toEqual({
      ...before,
      attempts: 2,
      allHeard: false,
      dueAtMs: saga.nowMs + 30_000,
    });
  });

  test('of a command that died sends it at once, and its backoff grows', () => {
    const saga = new Driver();
    const effectId = saga.effectId('hold');
    saga.take({ kind: 'died', effectId });
    redrive(saga, effectId);
    expect(saga.sent()).toEqual(['hold']);
    saga.take({ kind: 'died', effectId });
    expect(saga.pending('hold')?.attempts).toBe(2);
  });

  test('of a command whose time is over gives it up, as its timer would', () => {
    const saga = asking();
    const effectId = saga.effectId('authorize');
    saga.nowMs = START_MS + 2 * MINUTE_MS;
    redrive(saga, effectId);
    expect(saga.sent()).not.toContain('authorize');
    expect(saga.saga).toMatchObject({ state: 'stuck', data: { learnt: ['held', 'spent'] } });
  });

  test('of what has its outcome, was given up, or was never sent changes nothing, not even the reference', () => {
    const saga = asking();
    const { saga: before } = saga;
    for (const effectId of [`orchestrator.wallet.hold_funds.${PAYMENT_ID}`, 'another', '']) {
      redrive(saga, effectId);
      expect(saga.saga).toBe(before);
      expect(saga.sent()).toEqual([]);
    }
    const authorize = saga.effectId('authorize');
    saga.take({ kind: 'died', effectId: authorize });
    const { saga: stuck } = saga;
    redrive(saga, authorize);
    expect(saga.saga).toBe(stuck);
  });
});

describe('what a consumer has taken over', () => {
  test('is pending no more, and the rest is', () => {
    const saga = both().saga;
    const debit = saga.pending.find((command) => command.name === 'debit');
    const left = withoutCommands(saga, new Set([debit ? (effectIdOf(debit) ?? '') : '']));
    expect(left.pending.map((command) => command.name)).toEqual(['release']);
    expect(left).toEqual({ ...saga, pending: left.pending });
  });

  test('changes nothing, not even the reference, when it is not pending', () => {
    const { saga } = asking();
    // A command that is only scheduled has no effect id, and so nobody can have taken it over.
    expect(withoutCommands(saga, new Set(['another', '']))).toBe(saga);
    expect(withoutCommands(saga, new Set(['another']))).toBe(saga);
    expect(withoutCommands(saga, new Set())).toBe(saga);
  });
});

describe('when the owner is woken', () => {
  test('is when the first of the pending commands is due', () => {
    expect(nextDueAtMs(asking().saga)).toBe(START_MS + 10_000);
  });

  test('is never when nothing is pending', () => {
    expect(nextDueAtMs(new Driver('stuck').saga)).toBeNull();
  });
});

describe('a gateway answer reads', () => {
  const results: readonly (readonly [EventPayload<'payment_gateway.response'>['gateway_status'], string, string])[] = [
    ['AUTHORIZED', 'done', 'done'],
    ['CAPTURED', 'done', 'done'],
    ['VOIDED', 'done', 'refused'],
    ['REFUNDED', 'done', 'refused'],
    ['UNAUTHORIZED', 'refused', 'refused'],
    ['VOID_FAILED', 'refused', 'refused'],
    ['REFUND_FAILED', 'refused', 'refused'],
    ['PENDING', 'pending', 'pending'],
    ['UNKNOWN', 'unknown', 'unknown'],
    ['NOT_SENT', 'not_sent', 'not_sent'],
    ['ABSENT', 'absent', 'absent'],
  ];

  test.each(results)(
    '%s as %s to an effect and as %s to a question; unknown is never refused (S8)',
    (status, effect, question) => {
      for (const operation of ['authorize', 'capture', 'unauthorize', 'refund'] as const) {
        expect(classify(gatewayFact(operation, { gateway_status: status }))).toEqual({
          name: operation,
          result: effect,
        });
      }
      expect(classify(gatewayFact('lookup', { gateway_status: status }))).toEqual({ name: 'lookup', result: question });
    },
  );

  test('a fact that answers no command as a bug', () => {
    const fact = { event_type: 'metrics.payment.success', payload: { payment_id: PAYMENT_ID } } as const;
    const broken = new InvariantError('fact_answers_command', { type: 'metrics.payment.success' });
    expect(() => classify(fact)).toThrow(broken);
    expect(() => classifyForRefund(fact)).toThrow(broken);
  });

  test.each(results)('%s of a refund as %s, to a question too: it is about the refund itself', (status, effect) => {
    const fact = gatewayFact('lookup', { gateway_status: status });
    expect(classifyForRefund(fact)).toEqual({ name: 'lookup', result: effect });
  });

  test.each([
    ['wallet.credit', 'credit', 'done'],
    ['wallet.credit_failed', 'credit', 'refused'],
    ['wallet.reverse_credit', 'reverse', 'done'],
    ['wallet.reverse_credit_failed', 'reverse', 'refused'],
    ['payment.refund_reserved', 'reserve', 'done'],
    ['payment.refund_settled', 'settle', 'done'],
  ] as const)('%s as: %s is %s', (type, name, result) => {
    expect(classifyForRefund({ event_type: type, payload: {} } as unknown as Fact)).toEqual({ name, result });
  });
});
