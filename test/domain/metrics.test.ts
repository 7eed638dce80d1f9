/** What a run of events adds to the sums, and what the sums look like to Prometheus. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { PAYMENT_FAILURE_MESSAGES } from '../../src/domain/errors.ts';
import { CATALOGUE } from '../../src/domain/events/catalogue.ts';
import { exposition, type Sample, samplesOfCounts } from '../../src/domain/metrics/exposition.ts';
import { COUNTERS, FAMILIES } from '../../src/domain/metrics/families.ts';
import { type MeasuredEvent, seriesOf, sumsOf } from '../../src/domain/metrics/measures.ts';

const CREATED_AT_MS = Date.parse('2026-11-24T12:00:00.000Z');

function event(event_type: string, afterMs: number, payload: Record<string, unknown> = {}): MeasuredEvent {
  return { event_type, timestamp: new Date(CREATED_AT_MS + afterMs).toISOString(), payload };
}

const answer = (operation: string, gateway_status: string, afterMs: number, provider?: string) =>
  event('payment_gateway.response', afterMs, {
    operation,
    gateway_status,
    ...(provider !== undefined && { provider }),
  });
const sums = (...events: MeasuredEvent[]) => Object.fromEntries(sumsOf(events, CREATED_AT_MS));

describe('a run adds', () => {
  test('the latency of each step whose command it holds, of a first command, and of the whole', () => {
    const second = [
      event('wallet.hold_funds', 12),
      event('orchestrator.gateway.authorize', 12),
      answer('authorize', 'AUTHORIZED', 95, 'acme'),
      event('orchestrator.wallet.debit', 95),
      event('wallet.debit', 105),
      event('payment.completed', 105),
      event('metrics.payment.success', 105),
    ];
    expect(sums(...second)).toEqual({
      'step|wallet.hold_funds|25': 1,
      'step|wallet.hold_funds|ms': 12,
      'step|gateway.authorize|100': 1,
      'step|gateway.authorize|ms': 83,
      'step|wallet.debit|10': 1,
      'step|wallet.debit|ms': 10,
      'outcome|acme|authorize|AUTHORIZED': 1,
      'end|payment|completed|250': 1,
      'end|payment|completed|ms': 105,
    });
    expect(seriesOf(second)).toEqual(['metrics.payment.success']);
  });

  test('nothing for what has only begun', () => {
    expect(sums(event('payment.created', 0), event('orchestrator.wallet.hold_funds', 0))).toEqual({});
  });

  test('an outcome, and no latency, where an earlier run holds the command', () => {
    expect(sums(answer('lookup', 'AUTHORIZED', 900, 'acme'))).toEqual({ 'outcome|acme|lookup|AUTHORIZED': 1 });
  });

  test('the first outcome of a command alone; of one that is given again, both', () => {
    const given = event('orchestrator.gateway.authorize', 0);
    const heard = [answer('authorize', 'UNKNOWN', 5, 'acme'), answer('authorize', 'AUTHORIZED', 9, 'acme')];
    expect(sums(given, ...heard)).toMatchObject({ 'step|gateway.authorize|10': 1, 'step|gateway.authorize|ms': 5 });
    const again = event('orchestrator.gateway.authorize', 100);
    expect(sums(given, ...heard, again, answer('authorize', 'AUTHORIZED', 103, 'borealis'))).toMatchObject({
      'step|gateway.authorize|10': 2,
      'step|gateway.authorize|ms': 8,
    });
  });

  test('a refusal as the outcome of its step', () => {
    expect(sums(event('wallet.hold_funds_failed', 30))).toEqual({
      'step|wallet.hold_funds|50': 1,
      'step|wallet.hold_funds|ms': 30,
    });
  });

  test('of a refund, its reservation, its settlement and its end', () => {
    const run = [
      event('payment.refund_reserved', 4),
      event('orchestrator.payment.settle_refund', 50),
      event('payment.refund_settled', 57),
      event('refund.failed', 57),
    ];
    expect(sums(...run)).toMatchObject({
      'step|payment.reserve_refund|ms': 4,
      'step|payment.settle_refund|ms': 7,
      'end|refund|failed|100': 1,
    });
  });

  test('a failure to the sum of its code, which events of older versions do not have', () => {
    const failure = (type: string, failure_code: string) => event(type, 5, { payment_id: 'pay_1', failure_code });
    expect(sums(failure('metrics.payment.failure', 'wallet_frozen'))).toEqual({ 'payments|failed|wallet_frozen': 1 });
    expect(sums(failure('metrics.refund.failure', 'refund_declined'))).toEqual({ 'refunds|failed|refund_declined': 1 });
    expect(sums(event('metrics.payment.failure', 5), event('metrics.refund.failure', 5))).toEqual({});
    // Counted with its metric, not once more with its fact.
    expect(sums({ ...failure('payment.failed', 'wallet_frozen'), timestamp: 'soon' })).toEqual({});
  });

  test('a call that was never made as no provider’s', () => {
    expect(sums(answer('authorize', 'NOT_SENT', 1))).toEqual({ 'outcome|none|authorize|NOT_SENT': 1 });
  });

  test.each([
    ['no time at all where a clock went back', -5, '10', 0],
    ['a bound to its own bucket', 10, '10', 10],
    ['a millisecond more to the next', 11, '25', 11],
    ['three days to the last', 3 * 86_400_000, 'inf', 3 * 86_400_000],
  ])('%s', (_what, afterMs, bucket, ms) => {
    expect(sums(event('payment.completed', afterMs))).toEqual({
      [`end|payment|completed|${bucket}`]: 1,
      'end|payment|completed|ms': ms,
    });
  });

  test('nothing of a time that cannot be read', () => {
    expect(sums({ ...event('payment.completed', 0), timestamp: 'soon' })).toEqual({});
  });
});

describe('the exposition', () => {
  const of = (family: Sample['family'], samples: readonly Sample[]) =>
    samples.filter((sample) => sample.family === family).map(({ suffix, labels, value }) => [suffix, labels.le, value]);

  test('has a histogram with buckets that each hold those below, its sum in seconds, and its count', () => {
    const samples = samplesOfCounts({
      'end|refund|completed|25': 2,
      'end|refund|completed|inf': 1,
      'end|refund|completed|ms': 400_040,
    });
    const ends = of('ends', samples);
    expect(ends.slice(0, 3)).toEqual([
      ['_bucket', '0.01', 0],
      ['_bucket', '0.025', 2],
      ['_bucket', '0.05', 2],
    ]);
    expect(ends.slice(-4)).toEqual([
      ['_bucket', '300', 2],
      ['_bucket', '+Inf', 3],
      ['_sum', undefined, 400.04],
      ['_count', undefined, 3],
    ]);
  });

  test('has every counter from the beginning, and as many dead letters as are left', () => {
    const payments = samplesOfCounts({}).filter(({ family }) => family === 'payments');
    expect(payments).toEqual([
      { family: 'payments', labels: { status: 'completed' }, value: 0 },
      { family: 'payments', labels: { status: 'failed' }, value: 0 },
      ...Object.keys(PAYMENT_FAILURE_MESSAGES).map((failure) => ({
        family: 'payments',
        labels: { status: 'failed', failure },
        value: 0,
      })),
    ]);
    const letters = { 'dead_letters.stored': 7, 'dead_letters.redriven': 2, 'dead_letters.discarded': 1 };
    expect(of('deadLetters', samplesOfCounts(letters))).toEqual([[undefined, undefined, 4]]);
  });

  test('counts each failure once: by its code, or without one where it was counted before codes were', () => {
    const counts = {
      'metrics.payment.failure': 10,
      'metrics.refund.failure': 3,
      'payments|failed|gateway_declined': 4,
      'payments|failed|of another version': 1,
      'refunds|failed|refund_declined': 3,
    };
    const failed = (family: Sample['family']) =>
      samplesOfCounts(counts)
        .filter(({ labels, value }) => labels.status === 'failed' && value !== 0)
        .filter((sample) => sample.family === family)
        .map(({ labels, value }) => [labels.failure, value]);
    expect(failed('payments')).toEqual([
      [undefined, 5],
      ['gateway_declined', 4],
      ['of another version', 1],
    ]);
    expect(failed('refunds')).toEqual([['refund_declined', 3]]);
  });

  test('keeps what a label may hold in its quotes', () => {
    const text = exposition([{ family: 'limbo', labels: { currency: 'a"b\\c\nd' }, value: '9007199254740993' }]);
    expect(text.split('\n').at(2)).toBe('holdfast_limbo_amount_minor{currency="a\\"b\\\\c\\nd"} 9007199254740993');
  });

  test('has a name for every metric of the catalogue, and each name once', () => {
    const metrics = Object.entries(CATALOGUE).filter(([, { kind }]) => kind === 'metric');
    expect(metrics.map(([type]) => type).filter((type) => !Object.hasOwn(COUNTERS, type))).toEqual([]);
    const names = Object.values(FAMILIES).map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('the names of the metrics', () => {
  const SUMS = {
    'step|wallet.debit|10': 1,
    'step|wallet.debit|ms': 7,
    'end|payment|completed|250': 1,
    'end|payment|completed|ms': 120,
    'outcome|acme|authorize|AUTHORIZED': 2,
    'cost|of|nothing that is told': 1,
  };
  const GAUGES: Sample[] = [
    { family: 'attention', labels: { kind: 'payment', reason: 'gateway_unknown' }, value: 1 },
    { family: 'stuck', labels: { kind: 'payment', state: 'authorizing' }, value: 2 },
    { family: 'unfinished', labels: { kind: 'refund', state: 'refunding' }, value: 3 },
    { family: 'oldest', labels: { kind: 'payment' }, value: 4.5 },
    { family: 'limbo', labels: { currency: 'USD' }, value: '5' },
    { family: 'outboxAge', labels: {}, value: 0 },
    { family: 'sweepAge', labels: {}, value: 6 },
    { family: 'sweepFindings', labels: { finding: 'stale_outbox' }, value: 7 },
    { family: 'reconciliationAge', labels: {}, value: 8 },
    { family: 'reconciliationDifferences', labels: {}, value: 9 },
    { family: 'reconciliationIncomplete', labels: {}, value: 1 },
    { family: 'breakers', labels: { provider: 'acme', operation: 'authorize', state: 'open' }, value: 1 },
    { family: 'truncated', labels: { kind: 'payment' }, value: 0 },
    { family: 'errors', labels: { part: 'breakers' }, value: 0 },
  ];

  test('are added to, and never changed: dashboards and alerts know them by fixtures/metrics-v1.txt', () => {
    const counts = { ...Object.fromEntries(Object.keys(COUNTERS).map((series, at) => [series, 10 + at])), ...SUMS };
    const text = exposition([...samplesOfCounts(counts), ...GAUGES]);
    expect(text).toBe(readFileSync('test/domain/fixtures/metrics-v1.txt', 'utf8'));
  });

  test.each(Object.entries(FAMILIES))('%s has the labels that its samples have', (id, { labels }) => {
    const counts = { ...Object.fromEntries(Object.keys(COUNTERS).map((series) => [series, 1])), ...SUMS };
    const samples = [...samplesOfCounts(counts), ...GAUGES].filter(({ family }) => family === id);
    const own = new Set(samples.flatMap((sample) => Object.keys(sample.labels)).filter((label) => label !== 'le'));
    expect([...own]).toEqual([...labels]);
  });
});
