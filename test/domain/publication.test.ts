import { describe, expect, test } from 'vitest';
import { CATALOGUE, type EventType, GATEWAY_STATUSES } from '../../src/domain/events/catalogue.ts';
import type { Envelope } from '../../src/domain/events/envelope.ts';
import { PUBLICATION_RUNS_BYTES_MAX } from '../../src/domain/limits.ts';
import { closesRun, messagesOf, runsOf } from '../../src/domain/saga/publication.ts';
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

describe('runs on their way to the record', () => {
  const run = (sequence: number, bytes: number) => ({
    first: sequence,
    last: sequence,
    events: [event('wallet.debit', sequence, { text: '\u20ac'.repeat(bytes / 3) })],
  });
  const bytesOf = (runs: readonly unknown[]) => new TextEncoder().encode(JSON.stringify(runs)).length;

  test('are one message while they fit into one, and none where there are none', () => {
    const runs = [run(1, 3_000), run(2, 3_000), run(3, 3_000)];
    expect(messagesOf(runs)).toEqual([runs]);
    expect(messagesOf([])).toEqual([]);
  });

  test('are messages of bounded size, all of them in order', () => {
    const runs = Array.from({ length: 200 }, (_, n) => run(n + 1, 300 * (n % 40)));
    const messages = messagesOf(runs);
    expect(messages.flat()).toEqual(runs);
    for (const [index, message] of messages.entries()) {
      expect(bytesOf(message)).toBeLessThanOrEqual(PUBLICATION_RUNS_BYTES_MAX + message.length + 1);
      const next = messages[index + 1]?.[0];
      if (next !== undefined) expect(bytesOf([...message, next])).toBeGreaterThan(PUBLICATION_RUNS_BYTES_MAX);
    }
  });

  test('that are too large by themselves go by themselves', () => {
    const runs = [run(1, 90_000), run(2, 3), run(3, 90_000)];
    expect(messagesOf(runs)).toEqual([[runs[0]], [runs[1]], [runs[2]]]);
  });
});
