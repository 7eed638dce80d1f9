import { describe, expect, test } from 'vitest';
import { CATALOGUE, type EventType, GATEWAY_STATUSES } from '../../src/domain/events/catalogue.ts';
import type { Envelope } from '../../src/domain/events/envelope.ts';
import { closesRun, runsOf } from '../../src/domain/saga/publication.ts';
import { SagaDriver } from '../support/saga.ts';

const [TEMPLATE] = new SagaDriver().events;

function event(type: EventType, sequence = 1, payload: Record<string, unknown> = {}): Envelope {
  if (TEMPLATE === undefined) throw new Error('a saga begins with an event');
  return { ...TEMPLATE, event_type: type, payload, metadata: { ...TEMPLATE.metadata, sequence } };
}

const CLOSING = [
  'payment.completed',
  'payment.failed',
  'payment.needs_attention',
  'payment.retried',
  'payment.resolved',
  'payment.refund_reserved',
  'refund.completed',
  'refund.failed',
  'refund.needs_attention',
  'refund.retried',
  'refund.resolved',
];
const ANSWERS = Object.keys(CATALOGUE).filter((type) => type !== 'payment_gateway.response') as EventType[];

describe('a commit closes a run', () => {
  test.each(ANSWERS)('with %s exactly when a reader of the record waits for it', (type) => {
    expect(closesRun([event(type)], false)).toBe(CLOSING.includes(type));
  });

  test.each(GATEWAY_STATUSES)(
    'with the gateway answer %s exactly when the payment may now stand for long',
    (status) => {
      const answer = event('payment_gateway.response', 1, { gateway_status: status });
      expect(closesRun([answer], false)).toBe(status === 'UNKNOWN' || status === 'PENDING');
    },
  );

  test('wherever in it the closing event stands', () => {
    const other = event('wallet.debit');
    expect(closesRun([other, event('payment.completed'), other], false)).toBe(true);
  });

  test('with any event after a terminal state, since nothing follows it', () => {
    expect(closesRun([event('wallet.debit')], true)).toBe(true);
  });

  test('never with no event', () => {
    expect(closesRun([], true)).toBe(false);
    expect(closesRun([], false)).toBe(false);
  });
});

describe('the runs of a log', () => {
  const commit = (closes: boolean, ...sequences: number[]) => ({
    closes,
    events: sequences.map((sequence) => event('wallet.debit', sequence)),
  });

  test('are none while nothing closes', () => {
    expect(runsOf([])).toEqual([]);
    expect(runsOf([commit(false, 1, 2)])).toEqual([]);
  });

  test('carry what came between two closings, and leave out what came after the last', () => {
    const commits = [commit(true, 1, 2), commit(false, 3), commit(false, 4, 5), commit(true, 6), commit(false, 7)];
    expect(runsOf(commits).map(({ first, last, events }) => [first, last, events.length])).toEqual([
      [1, 2, 2],
      [3, 6, 4],
    ]);
  });

  test('have the cost that their closing commit tells, and none where it tells none', () => {
    const cost = { d1_rows_written: 3 };
    const [told, untold] = runsOf([{ ...commit(true, 1), runCost: cost }, commit(true, 2)]);
    expect(told?.cost).toEqual(cost);
    expect(untold).not.toHaveProperty('cost');
  });

  test('pass over a commit with no event', () => {
    expect(runsOf([commit(true), commit(true, 1)]).map(({ first, last }) => [first, last])).toEqual([[1, 1]]);
  });
});
