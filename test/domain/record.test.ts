/** The stored value of a saga: what a step, an acknowledgement and time make of it, and when its object must be woken. */
import { describe, expect, test } from 'vitest';
import { DAY_MS, RETENTION_MS, SECOND_MS } from '../../src/domain/limits.ts';
import type { PaymentData } from '../../src/domain/payment.ts';
import { PAYMENT_KIND, paymentView } from '../../src/domain/payment-view.ts';
import { REFUND_KIND } from '../../src/domain/refund-view.ts';
import { effectIdOf } from '../../src/domain/saga/effects.ts';
import { nextDueAtMs, step as stepOf } from '../../src/domain/saga/engine.ts';
import type { Fact } from '../../src/domain/saga/outcome.ts';
import type { PaymentCommand, PaymentState } from '../../src/domain/saga/payment-types.ts';
import {
  afterAcknowledgement,
  afterLoss,
  afterPublishing,
  afterStep,
  alarmWantedAtMs,
  armed,
  beginRecord,
  billed,
  expiresAtMs,
  FIRST_PUBLICATION_DELAY_MS,
  isAtRest,
  isDue,
  type RecordChange,
  type SagaRecord,
  stillAwaits,
  takeInputs,
} from '../../src/domain/saga/record.ts';
import type { StepContext, StepInput } from '../../src/domain/saga/table.ts';
import { gatewayFact, SagaDriver, START_MS, walletFact } from '../support/saga.ts';

type Stored = SagaRecord<PaymentState, PaymentData, PaymentCommand>;
type Change = RecordChange<PaymentState, PaymentData, PaymentCommand>;

const contexts = new SagaDriver();
const at = (ms: number): StepContext => ({ ...contexts.context(), nowMs: START_MS + ms });

function begun(): Change {
  const first = new SagaDriver();
  return beginRecord(PAYMENT_KIND, 'fingerprint', { saga: first.saga, events: first.events, send: first.sent }, at(0));
}

/** The outcome of a pending command. */
function outcome({ saga }: Stored, name: PaymentCommand, fact: Fact): StepInput {
  const command = saga.pending.find((candidate) => candidate.name === name);
  return { kind: 'outcome', outcome: { effect_id: (command && effectIdOf(command)) ?? 'none', fact } };
}

function taken(record: Stored, inputs: readonly StepInput[], ms: number): Change {
  const change = takeInputs(PAYMENT_KIND, record, inputs, at(ms));
  if (change === null) throw new Error('nothing changed');
  return change;
}

/** A payment whose hold was refused at `ms`: terminal, with a notification still to be sent. */
function failed(ms: number): Stored {
  const { record } = begun();
  return taken(record, [outcome(record, 'hold', walletFact('hold', 'insufficient_funds'))], ms).record;
}

/** The same, with nothing left to do. */
function rested(ms: number): Stored {
  const record = failed(ms);
  const effectIds = record.saga.pending.map((command) => effectIdOf(command) ?? '');
  return afterAcknowledgement(
    record,
    { effectIds, events: { first: 1, last: record.saga.sequence } },
    START_MS + ms + 1,
  ) as Stored;
}

describe('a record that begins', () => {
  test('has its fingerprint and trace, knows nothing to be recorded, and is woken for its first command', () => {
    const { record, step, closes } = begun();
    expect(record).toMatchObject({
      format: 2,
      fingerprint: 'fingerprint',
      trace: at(0).trace,
      terminalBody: null,
      recordedSequence: 0,
      closedSequence: 0,
      publishAttempts: 0,
    });
    expect(record.saga).toBe(step.saga);
    expect(closes).toBe(false);
    expect(record.alarmAtMs).toBe(Math.min(nextDueAtMs(record.saga) ?? 0, record.publishDueAtMs ?? 0));
    expect(record.alarmAtMs).toBeGreaterThan(START_MS);
  });

  test('is told to the record by its alarm, where nothing closes a run before', () => {
    const { record, publish } = begun();
    expect(publish).toBeNull();
    expect(record.publishDueAtMs).toBe(START_MS + FIRST_PUBLICATION_DELAY_MS);
    expect(record.alarmAtMs).toBe(START_MS + FIRST_PUBLICATION_DELAY_MS);
    const nothing = { saga: record.saga, events: [], send: [] };
    const early = afterStep(PAYMENT_KIND, record, nothing, at(FIRST_PUBLICATION_DELAY_MS - 1));
    expect(early).toMatchObject({ closes: false, publish: null, record: { closedSequence: 0, publishAttempts: 0 } });
    const due = afterStep(PAYMENT_KIND, record, nothing, at(FIRST_PUBLICATION_DELAY_MS));
    expect(due).toMatchObject({ closes: true, publish: { after: 0, toTell: [] } });
    expect(due.record).toMatchObject({ closedSequence: record.saga.sequence, publishAttempts: 1 });
    // Handed to the queue once: from now on it is sent again, and closes nothing.
    const again = afterStep(PAYMENT_KIND, due.record, nothing, at(60 * SECOND_MS));
    expect(again).toMatchObject({ closes: false, publish: null });
  });

  test('is not told by time where its claim may be taken back: then it has never been', () => {
    const first = new SagaDriver();
    const step = { saga: first.saga, events: first.events, send: first.sent };
    const { record, publish } = beginRecord({ ...PAYMENT_KIND, isRevocable: true }, 'fingerprint', step, at(0));
    expect(publish).toBeNull();
    expect(record).toMatchObject({ closedSequence: 0, publishAttempts: 0, publishDueAtMs: null });
    expect(record.alarmAtMs).toBe(nextDueAtMs(first.saga));
    expect([PAYMENT_KIND.isRevocable, REFUND_KIND.isRevocable]).toEqual([undefined, true]);
  });

  test('is told with the events of the commit that its time finds', () => {
    const { record } = begun();
    const late = taken(record, [outcome(record, 'hold', walletFact('hold'))], FIRST_PUBLICATION_DELAY_MS);
    expect(late).toMatchObject({ closes: true, publish: { after: 0, toTell: [] } });
    expect(late.record.closedSequence).toBe(late.record.saga.sequence);
  });

  test('is told with the next closed run, where one comes before; from then on each closed run by itself', () => {
    const { record } = begun();
    const ended = taken(record, [outcome(record, 'hold', walletFact('hold', 'insufficient_funds'))], 7);
    expect(ended.publish?.after).toBe(0);
    expect(ended.record.publishAttempts).toBe(1);
    const late = { effect_id: 'late', fact: gatewayFact('authorize', { gateway_status: 'AUTHORIZED' }) };
    const later = taken(ended.record, [{ kind: 'outcome', outcome: late }], 900);
    expect(later.publish).toEqual({ after: ended.record.saga.sequence, toTell: [] });
    expect(later.record.publishAttempts).toBe(1);
    const held = taken(record, [outcome(record, 'hold', walletFact('hold'))], 7);
    expect(held.publish).toBeNull();
  });

  test('is waited for by an acknowledgement of effects alone, too', () => {
    const { record } = begun();
    const after = afterAcknowledgement(record, { effectIds: ['other'] }, START_MS);
    expect(after.publishDueAtMs).toBe(record.publishDueAtMs);
  });
});

describe('what is to be told of an end', () => {
  const ended = () => {
    const { record } = begun();
    return taken(record, [outcome(record, 'hold', walletFact('hold', 'insufficient_funds'))], 7);
  };

  test('goes with the run that closes then, and is no message', () => {
    const { record, send, step, publish } = ended();
    const [effectId] = record.saga.pending.map((command) => effectIdOf(command));
    expect(effectId).toContain('orchestrator.notify.payment_failure.pay_');
    expect(step.send.map(({ name }) => name)).toEqual(['notify']);
    expect(send).toEqual([]);
    expect(publish).toEqual({ after: 0, toTell: [effectId] });
  });

  test('is a message of its own when it is sent again', () => {
    const { record } = ended();
    const timer = stepOf(PAYMENT_KIND.table, record.saga, { kind: 'timer' }, at(60 * SECOND_MS));
    const { send, publish } = afterStep(PAYMENT_KIND, record, timer, at(60 * SECOND_MS));
    expect(send.map(({ name, attempts }) => [name, attempts])).toEqual([['notify', 2]]);
    expect(publish).toBeNull();
  });

  test('no other command goes with a run', () => {
    for (const { commands } of [PAYMENT_KIND.table, REFUND_KIND.table]) {
      expect(Object.values(commands).flatMap(({ name, goesWithRun }) => (goesWithRun ? name : []))).toEqual(['notify']);
    }
  });
});

test('a record that begins at its end has its terminal body at once', () => {
  const first = new SagaDriver();
  const step = { saga: { ...first.saga, state: 'failed' as const }, events: first.events, send: [] };
  const { record, closes, publish } = beginRecord(PAYMENT_KIND, 'fingerprint', step, at(0));
  expect(record.terminalBody).toContain('"saga_state":"failed"');
  // It is told at once, as a whole: there is nothing to wait for.
  expect({ closes, publish }).toEqual({ closes: true, publish: { after: 0, toTell: [] } });
  expect(record).toMatchObject({ closedSequence: 2, publishAttempts: 1, publishDueAtMs: START_MS + 22_500 });
});

describe('inputs', () => {
  test('that change nothing are no change', () => {
    const { record } = begun();
    expect(takeInputs(PAYMENT_KIND, record, [{ kind: 'timer' }], at(1))).toBeNull();
    expect(takeInputs(PAYMENT_KIND, record, [], at(1))).toBeNull();
  });

  test('are one change, with the events and commands of all of them in order', () => {
    const { record } = begun();
    const inputs = [outcome(record, 'hold', walletFact('hold')), { kind: 'timer' } as const];
    const change = taken(record, inputs, 5 * SECOND_MS);
    expect(change.step.events.map(({ event_type }) => event_type)).toEqual([
      'wallet.hold_funds',
      'payment_gateway.routed',
      'orchestrator.gateway.authorize',
    ]);
    expect(change.step.send.map(({ name }) => name)).toEqual(['authorize']);
    const once = taken(record, [outcome(record, 'hold', walletFact('hold'))], 0);
    const later = {
      effect_id: once.step.send.map(effectIdOf)[0] ?? '',
      fact: gatewayFact('authorize', { gateway_status: 'AUTHORIZED' }),
    };
    const both = taken(record, [outcome(record, 'hold', walletFact('hold')), { kind: 'outcome', outcome: later }], 0);
    expect(both.record.saga.state).toBe('debiting');
    expect(both.step.events).toHaveLength(once.step.events.length + 2);
    expect(both.step.send.map(({ name }) => name)).toEqual(['authorize', 'debit']);
  });

  test('that close no run leave what is to be published as it was', () => {
    const { record } = begun();
    const { record: after, closes } = taken(record, [outcome(record, 'hold', walletFact('hold'))], 1_999);
    expect(closes).toBe(false);
    expect(after).toMatchObject({ closedSequence: 0, publishAttempts: 0, publishDueAtMs: record.publishDueAtMs });
    expect(after.terminalBody).toBeNull();
    expect(after.saga.data.completedAtMs).toBeNull();
  });
});

describe('a terminal state', () => {
  test('fixes the public JSON and the moment, and closes a run', () => {
    const record = failed(7);
    expect(record.saga.data.completedAtMs).toBe(START_MS + 7);
    expect(record.terminalBody).toBe(JSON.stringify(paymentView(record.saga)));
    expect(record.terminalBody).toContain('"completed_at":"2026-01-01T00:00:00.007Z"');
    expect(record).toMatchObject({ closedSequence: record.saga.sequence, publishAttempts: 1 });
  });

  test('keeps its bytes whatever comes later, and every later commit closes a run', () => {
    const before = failed(7);
    const late = { effect_id: 'late', fact: gatewayFact('authorize', { gateway_status: 'AUTHORIZED' }) };
    const { record, closes } = taken(before, [{ kind: 'outcome', outcome: late }], 900);
    expect(record.saga.sequence).toBeGreaterThan(before.saga.sequence);
    expect(record.terminalBody).toBe(before.terminalBody);
    expect(record.saga.data.completedAtMs).toBe(START_MS + 7);
    expect(closes).toBe(true);
    expect(record.closedSequence).toBe(record.saga.sequence);
  });

  test('that is entered from another terminal one is a terminal body anew; one that is left has none', () => {
    const record = failed(7);
    const completed = { ...record, saga: { ...record.saga, state: 'completed' as const } };
    const { table } = PAYMENT_KIND;
    const mayTurn = { ...table.states.completed, mayTurnTo: ['failed', 'debiting'] as const };
    const always = { 'hold:refused': [{ to: 'failed' as const }], 'hold:done': [{ to: 'debiting' as const }] };
    const turning = {
      ...PAYMENT_KIND,
      table: { ...table, states: { ...table.states, completed: mayTurn }, always },
    };
    const turned = (fact: Fact) =>
      takeInputs(turning, completed, [{ kind: 'outcome', outcome: { effect_id: 'x', fact } }], at(900))?.record;
    const anew = turned(walletFact('hold', 'insufficient_funds'));
    expect(anew?.terminalBody).toContain('"saga_state":"failed"');
    expect(anew?.saga.data.completedAtMs).toBe(START_MS + 900);
    const left = turned(walletFact('hold'));
    expect(left?.terminalBody).toBeNull();
    expect(left?.saga.data.completedAtMs).toBe(START_MS + 7);
  });
});

describe('publishing again', () => {
  test('is counted, and the next time is later each time', () => {
    const first = afterPublishing(begun().record, at(0));
    const second = afterPublishing(first, at(0));
    const third = afterPublishing(second, at(0));
    expect([first, second, third].map(({ publishAttempts }) => publishAttempts)).toEqual([1, 2, 3]);
    // Half and half of the ceiling: 30 s, 60 s, 120 s.
    expect([first, second, third].map(({ publishDueAtMs }) => (publishDueAtMs ?? 0) - START_MS)).toEqual([
      22_500, 45_000, 90_000,
    ]);
  });
});

describe('an acknowledgement', () => {
  const acknowledged = (record: Stored, first: number, last: number) =>
    afterAcknowledgement(record, { effectIds: [], events: { first, last } }, START_MS);

  /** One whose beginning has been published, by time. */
  function told(): Stored {
    const { record } = begun();
    const nothing = { saga: record.saga, events: [], send: [] };
    return afterStep(PAYMENT_KIND, record, nothing, at(FIRST_PUBLICATION_DELAY_MS)).record;
  }

  test('of the next run moves what is recorded, and then nothing is left to publish', () => {
    expect(acknowledged(told(), 1, 2)).toMatchObject({ recordedSequence: 2, publishDueAtMs: null });
  });

  test('of a part of what is closed leaves the rest to be published', () => {
    const record = told();
    expect(acknowledged(record, 1, 1)).toMatchObject({ recordedSequence: 1, publishDueAtMs: record.publishDueAtMs });
  });

  test('of a run with something missing before it counts for nothing (S9)', () => {
    const record = told();
    expect(acknowledged(record, 2, 2)).toMatchObject({ recordedSequence: 0, publishDueAtMs: record.publishDueAtMs });
  });

  test('of a run again, or of an older one, takes nothing back', () => {
    const record = { ...begun().record, recordedSequence: 2, publishDueAtMs: null };
    expect(acknowledged(record, 1, 1).recordedSequence).toBe(2);
    expect(acknowledged(record, 3, 4).recordedSequence).toBe(4);
  });

  test('of effects drops their commands and tells nothing of the log', () => {
    const { record } = begun();
    const effectIds = record.saga.pending.map((command) => effectIdOf(command) ?? '');
    const after = afterAcknowledgement(record, { effectIds }, START_MS);
    expect(after.saga.pending).toEqual([]);
    expect(after).toMatchObject({ recordedSequence: 0, publishDueAtMs: record.publishDueAtMs });
    // Not at rest: the alarm finds out by itself that less is due.
    expect(after.alarmAtMs).toBe(record.alarmAtMs);
  });

  test('that leaves nothing to do arms the alarm for the end of the retention', () => {
    const record = rested(7);
    expect(isAtRest(record)).toBe(true);
    expect(record.alarmAtMs).toBe(START_MS + 7 + RETENTION_MS);
  });
});

describe('rest', () => {
  test('is terminal, nothing pending, nothing to publish: all three', () => {
    const record = rested(7);
    expect(isAtRest({ ...record, terminalBody: null })).toBe(false);
    expect(isAtRest({ ...record, publishDueAtMs: START_MS })).toBe(false);
    expect(isAtRest({ ...record, saga: failed(7).saga })).toBe(false);
  });

  test('lasts for the retention from the terminal state, or from the last change after it', () => {
    const record = rested(7);
    const { data } = record.saga;
    const changed = { ...record, saga: { ...record.saga, data: { ...data, updatedAtMs: START_MS + 99 } } };
    expect(expiresAtMs(record)).toBe(START_MS + 7 + RETENTION_MS);
    expect(expiresAtMs(changed)).toBe(START_MS + 99 + RETENTION_MS);
    const before = { ...record.saga, data: { ...data, updatedAtMs: START_MS } };
    expect(expiresAtMs({ ...record, saga: before })).toBe(START_MS + 7 + RETENTION_MS);
    const open = { ...changed.saga, data: { ...changed.saga.data, completedAtMs: null } };
    expect(expiresAtMs({ ...changed, saga: open })).toBe(START_MS + 99 + RETENTION_MS);
  });
});

describe('the alarm (S6)', () => {
  test('is for what is due first, of the commands and the publishing', () => {
    const { record } = begun();
    const dueAtMs = nextDueAtMs(record.saga) ?? 0;
    expect(alarmWantedAtMs({ ...record, publishDueAtMs: dueAtMs - 1 }, START_MS)).toBe(dueAtMs - 1);
    expect(alarmWantedAtMs({ ...record, publishDueAtMs: dueAtMs + 1 }, START_MS)).toBe(dueAtMs);
    expect(alarmWantedAtMs({ ...record, publishDueAtMs: null }, START_MS)).toBe(dueAtMs);
  });

  test('rings within a day where nothing is due: no live saga sleeps for ever', () => {
    const { record } = begun();
    const waiting = { ...record, publishDueAtMs: null, saga: { ...record.saga, pending: [] } };
    expect(alarmWantedAtMs(waiting, START_MS)).toBe(START_MS + DAY_MS);
  });

  test('that stands for earlier is left; one that has rung, or stands for later, is set', () => {
    const { record } = begun();
    const wantedAtMs = alarmWantedAtMs(record, START_MS);
    const armedAt = (alarmAtMs: number) => armed({ ...record, alarmAtMs }, START_MS).alarmAtMs;
    expect(armedAt(START_MS + 1)).toBe(START_MS + 1);
    expect(armedAt(START_MS)).toBe(wantedAtMs);
    expect(armedAt(wantedAtMs + 1)).toBe(wantedAtMs);
    const same = { ...record, alarmAtMs: wantedAtMs };
    expect(armed(same, START_MS)).toBe(same);
  });

  test('at rest is moved to the end of the retention, even from an earlier time', () => {
    const record = { ...rested(7), alarmAtMs: START_MS + 100 };
    expect(armed(record, START_MS + 8).alarmAtMs).toBe(START_MS + 7 + RETENTION_MS);
  });
});

describe('what a run tells of its cost', () => {
  const cost = { object_requests: 5, d1_rows_written: 2 };
  const toCome = { object_requests: 1, queue_operations: 3 };

  test('is nothing before the end, whatever it has cost and was told', () => {
    const record = { ...begun().record, cost, billed: { object_requests: 9 } };
    const told = billed(record, toCome);
    expect(told).toStrictEqual({ ...record, runCost: {} });
    expect(billed(begun().record, toCome)).not.toHaveProperty('billed');
  });

  test('is at the end all that it has cost, and what is certain to follow', () => {
    const record = { ...failed(7), cost };
    const all = { object_requests: 6, d1_rows_written: 2, queue_operations: 3 };
    expect(billed(record, toCome)).toStrictEqual({ ...record, billed: all, runCost: all });
  });

  test('is after that what was not told before, and is never taken back', () => {
    const record = {
      ...failed(7),
      cost,
      billed: { object_requests: 8, d1_rows_written: 1 },
      runCost: { object_ms: 1 },
    };
    expect(billed(record, toCome)).toStrictEqual({
      ...record,
      billed: { object_requests: 8, d1_rows_written: 2, queue_operations: 3 },
      runCost: { d1_rows_written: 1, queue_operations: 3 },
    });
  });

  test('of a record that has not been counted is what is certain to follow alone', () => {
    expect(billed(failed(7), toCome)).toMatchObject({ billed: toCome, runCost: toCome });
    expect(billed(failed(7), {})).toMatchObject({ billed: {}, runCost: {} });
  });
});

test('a record that is lost to the log’s projection is sent again as if for the first time, and its alarm with it', () => {
  const record = rested(7);
  const nowMs = START_MS + 900;
  const after = afterLoss(record, at(900));
  expect(after).toStrictEqual({
    ...record,
    recordedSequence: 0,
    publishAttempts: 1,
    // Three quarters of 30 s.
    publishDueAtMs: nowMs + 22_500,
    alarmAtMs: nowMs + 22_500,
  });
  expect(isAtRest(after)).toBe(false);
});

describe('what a dead letter carried', () => {
  test('is waited for while its effect has no outcome', () => {
    const { record } = begun();
    const effectId = record.saga.pending.map(effectIdOf)[0] ?? '';
    expect(stillAwaits(record, { kind: 'effect', effectId })).toBe(true);
    expect(stillAwaits({ ...record, publishDueAtMs: null }, { kind: 'effect', effectId })).toBe(true);
    expect(stillAwaits(record, { kind: 'effect', effectId: 'another' })).toBe(false);
    const answered = taken(record, [outcome(record, 'hold', walletFact('hold'))], 7).record;
    expect(stillAwaits(answered, { kind: 'effect', effectId })).toBe(false);
  });

  test('is waited for while its runs are not known to be recorded', () => {
    const { record } = begun();
    expect(stillAwaits(record, { kind: 'publication' })).toBe(true);
    expect(stillAwaits({ ...record, publishDueAtMs: null }, { kind: 'publication' })).toBe(false);
  });
});

describe('something is due', () => {
  test('from the moment for which a command stands, or the runs', () => {
    const { record } = begun();
    const commandAtMs = nextDueAtMs(record.saga) ?? 0;
    const due = (publishDueAtMs: number | null, nowMs: number) => isDue({ ...record, publishDueAtMs }, nowMs);
    expect([commandAtMs - 1, commandAtMs, commandAtMs + 1].map((nowMs) => due(null, nowMs))).toEqual([
      false,
      true,
      true,
    ]);
    expect([START_MS + 9, START_MS + 10].map((nowMs) => due(START_MS + 10, nowMs))).toEqual([false, true]);
    expect(due(commandAtMs + 1, commandAtMs)).toBe(true);
  });

  test('never where nothing is pending and a person’s turn it is', () => {
    const { record } = begun();
    const waiting = { ...record, publishDueAtMs: null, saga: { ...record.saga, pending: [] } };
    expect(isDue(waiting, START_MS + 99 * DAY_MS)).toBe(false);
  });

  test('at rest, when the retention ends: it is to be forgotten', () => {
    const record = rested(7);
    const endMs = START_MS + 7 + RETENTION_MS;
    expect([endMs - 1, endMs].map((nowMs) => isDue(record, nowMs))).toEqual([false, true]);
  });
});
