import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config.ts';
import type { Envelope } from '../../src/domain/events/envelope.ts';
import { SPAN_EVENTS_MAX } from '../../src/domain/limits.ts';
import { endsSaga, isSampledLog, sagaSpans } from '../../src/domain/tracing/saga-spans.ts';
import type { Span } from '../../src/domain/tracing/span.ts';
import { isInRatio, parseTraceparent, spanIdOf, withSpanId } from '../../src/domain/tracing/trace-context.ts';
import { otlpBody } from '../../src/telemetry/otlp.ts';

const TRACE = 'a'.repeat(32);
const CALLER = 'b'.repeat(16);
const TRACEPARENT = `00-${TRACE}-${CALLER}-01`;

/** A log with these events, 10 ms apart. */
function logOf(
  events: readonly (readonly [type: string, payload?: Record<string, unknown>])[],
  flags = '01',
): Envelope[] {
  return events.map(([event_type, payload = {}], index) => ({
    event_id: `00000000-0000-4000-8000-${String(index + 1).padStart(12, '0')}`,
    event_type,
    event_version: '1.0',
    timestamp: new Date(10 * (index + 1)).toISOString(),
    payload: { payment_id: 'pay_1', ...payload },
    metadata: {
      source: 'payment-service',
      merchant: 'default',
      mode: 'sandbox',
      trace_id: TRACE,
      traceparent: `${TRACEPARENT.slice(0, -2)}${flags}`,
      idempotency_key: 'a-secret-key',
      message_group_id: 'payment_pay_1',
      message_deduplication_id: `${event_type}.pay_1`,
      sequence: index + 1,
    },
  }));
}

const answer = (operation: string, gateway_status: string, provider = 'acme') =>
  ['payment_gateway.response', { operation, gateway_status, provider, reason: 'a text' }] as const;

const FAILOVER = logOf([
  ['payment.created', { status: 'PENDING' }],
  ['payment_gateway.routed', { provider: 'acme' }],
  ['orchestrator.gateway.authorize', { token: 'a-token' }],
  answer('authorize', 'UNKNOWN'),
  ['orchestrator.gateway.lookup'],
  answer('lookup', 'ABSENT'),
  ['orchestrator.gateway.authorize'],
  answer('authorize', 'AUTHORIZED', 'borealis'),
  ['payment.completed', { status: 'COMPLETED' }],
  ['metrics.payment.success'],
  ['orchestrator.notify.payment_success'],
]);

const told = (spans: readonly Span[]) =>
  spans.map(({ name, startAtMs, endAtMs, attributes }) => [
    name,
    startAtMs,
    endAtMs,
    attributes['holdfast.gateway_status'] ?? attributes['holdfast.state'],
  ]);

describe('the spans of a log', () => {
  test('are its run and its commands, each from its event to the last outcome before the next of its type', () => {
    expect(told(sagaSpans(FAILOVER))).toEqual([
      ['saga payment', 10, 90, 'COMPLETED'],
      ['orchestrator.gateway.authorize', 30, 40, 'UNKNOWN'],
      ['orchestrator.gateway.lookup', 50, 60, 'ABSENT'],
      ['orchestrator.gateway.authorize', 70, 80, 'AUTHORIZED'],
      ['orchestrator.notify.payment_success', 110, 110, undefined],
    ]);
  });

  test('hang under the request, and the commands under the run, by ids that follow from the events', () => {
    const [saga, ...commands] = sagaSpans(FAILOVER);
    expect(saga).toMatchObject({ traceId: TRACE, parentSpanId: CALLER, spanId: '8000000000000001' });
    expect(commands.every(({ parentSpanId }) => parentSpanId === saga?.spanId)).toBe(true);
    expect(commands.map(({ spanId }) => spanId)).toEqual(
      [3, 5, 7, 11].map((n) => `80000000000000${String(n).padStart(2, '0')}`),
    );
    expect(sagaSpans(FAILOVER)).toEqual(sagaSpans(structuredClone(FAILOVER)));
  });

  test('keep the facts that answer no command as events of the run', () => {
    expect(sagaSpans(FAILOVER)[0]?.events.map(({ name, atMs }) => [name, atMs])).toEqual([
      ['payment.created', 10],
      ['payment_gateway.routed', 20],
      ['payment.completed', 90],
    ]);
  });

  test('call an unknown outcome an error, and no decline or refusal', () => {
    const errors = (log: Envelope[]) =>
      sagaSpans(log)
        .filter(({ isError }) => isError)
        .map(({ name }) => name);
    expect(errors(FAILOVER)).toEqual(['orchestrator.gateway.authorize']);
    const declined = logOf([
      ['payment.created'],
      ['orchestrator.wallet.hold_funds'],
      ['wallet.hold_funds_failed', { status: 'REFUSED' }],
      ['payment.failed', { status: 'FAILED' }],
    ]);
    expect(errors(declined)).toEqual([]);
    expect(told(sagaSpans(declined))[1]).toEqual(['orchestrator.wallet.hold_funds', 20, 30, 'REFUSED']);
    expect(errors(logOf([['payment.created'], ['payment.needs_attention', { reason: 'late' }]]))).toEqual([
      'saga payment',
    ]);
  });

  test.each([
    ['is empty', []],
    ['has no end yet', FAILOVER.slice(0, 8)],
    ['lacks its beginning', FAILOVER.slice(1)],
    ['is not sampled', logOf([['payment.created'], ['payment.failed']], '00')],
  ])('are none for a log that %s', (_what, log) => {
    expect(sagaSpans(log)).toEqual([]);
  });

  test('are bounded in their events', () => {
    const many = Array.from({ length: 2 * SPAN_EVENTS_MAX }, () => ['payment_gateway.routed'] as const);
    const [saga] = sagaSpans(logOf([['payment.created'], ...many, ['payment.completed']]));
    expect(saga?.events).toHaveLength(SPAN_EVENTS_MAX);
  });

  test('are asked for when a run ends its saga, and only where it is sampled', () => {
    expect([endsSaga(FAILOVER), endsSaga(FAILOVER.slice(0, 8)), endsSaga([])]).toEqual([true, false, false]);
    expect([isSampledLog(FAILOVER), isSampledLog(logOf([['payment.created']], '02')), isSampledLog([])]).toEqual([
      true,
      false,
      false,
    ]);
  });

  test('hold no text of a client, whatever the events hold', () => {
    const body = otlpBody(sagaSpans(FAILOVER));
    for (const secret of ['a-secret-key', 'a-token', 'a text']) expect(body).not.toContain(secret);
  });
});

describe('what a span tells', () => {
  const event = (name: string, atMs: number, provider?: string, gateway_status?: string) => ({
    name,
    atMs,
    attributes: { 'holdfast.provider': provider, 'holdfast.gateway_status': gateway_status },
  });
  const idOf = (n: number): string => `80000000000000${String(n).padStart(2, '0')}`;

  test('of a run and of its commands, whole', () => {
    const log = logOf([
      ['payment.created', { status: 'PENDING' }],
      ['orchestrator.gateway.authorize', { provider: 'acme' }],
      answer('authorize', 'UNKNOWN'),
      [
        'payment_gateway.response',
        { operation: 'authorize', gateway_status: 'DECLINED', decline_code: 'lost', provider: 'borealis' },
      ],
      ['payment.failed', { status: 'FAILED', failure_code: 'gateway_declined' }],
      ['orchestrator.notify.payment_failure', { provider: 'told' }],
    ]);
    const command = { traceId: TRACE, parentSpanId: idOf(1), kind: 'internal' };
    expect(sagaSpans(log)).toEqual([
      {
        traceId: TRACE,
        spanId: idOf(1),
        parentSpanId: CALLER,
        name: 'saga payment',
        kind: 'internal',
        startAtMs: 10,
        endAtMs: 50,
        attributes: {
          'holdfast.entity_id': 'pay_1',
          'holdfast.payment_id': 'pay_1',
          'holdfast.merchant': 'default',
          'holdfast.event_type': 'payment.failed',
          'holdfast.state': 'FAILED',
          'holdfast.outcome': 'gateway_declined',
        },
        events: [event('payment.created', 10), event('payment.failed', 50)],
        isError: false,
      },
      {
        ...command,
        spanId: idOf(2),
        name: 'orchestrator.gateway.authorize',
        startAtMs: 20,
        endAtMs: 40,
        attributes: {
          'holdfast.effect_id': 'orchestrator.gateway.authorize.pay_1',
          'holdfast.event_type': 'payment_gateway.response',
          'holdfast.provider': 'borealis',
          'holdfast.gateway_status': 'DECLINED',
          'holdfast.state': undefined,
          'holdfast.outcome': 'lost',
        },
        events: [
          event('payment_gateway.response', 30, 'acme', 'UNKNOWN'),
          event('payment_gateway.response', 40, 'borealis', 'DECLINED'),
        ],
        isError: false,
      },
      {
        ...command,
        spanId: idOf(6),
        name: 'orchestrator.notify.payment_failure',
        startAtMs: 60,
        endAtMs: 60,
        attributes: {
          'holdfast.effect_id': 'orchestrator.notify.payment_failure.pay_1',
          'holdfast.event_type': undefined,
          'holdfast.provider': 'told',
          'holdfast.gateway_status': undefined,
          'holdfast.state': undefined,
          'holdfast.outcome': undefined,
        },
        events: [],
        isError: false,
      },
    ]);
  });

  test('of a refund, whose reservation and settlement are outcomes of its commands', () => {
    const log = logOf([
      ['refund.created'],
      ['orchestrator.payment.reserve_refund'],
      ['payment.refund_reserved', { status: 'RESERVED' }],
      ['orchestrator.wallet.credit'],
      ['wallet.credit_failed', { status: 'REFUSED' }],
      ['orchestrator.payment.settle_refund'],
      ['payment.refund_settled', { status: 'SETTLED' }],
      ['refund.completed', { status: 'COMPLETED' }],
    ]);
    expect(told(sagaSpans(log))).toEqual([
      ['saga refund', 10, 80, 'COMPLETED'],
      ['orchestrator.payment.reserve_refund', 20, 30, 'RESERVED'],
      ['orchestrator.wallet.credit', 40, 50, 'REFUSED'],
      ['orchestrator.payment.settle_refund', 60, 70, 'SETTLED'],
    ]);
    expect(sagaSpans(log)[0]?.events.map(({ name }) => name)).toEqual(['refund.created', 'refund.completed']);
  });

  test.each([
    ['UNKNOWN', true],
    ['VOID_FAILED', true],
    ['REFUND_FAILED', true],
    ['DECLINED', false],
    ['VOIDED', false],
  ])('with an answer of %s is an error: %s', (status, isError) => {
    const log = logOf([
      ['payment.created'],
      ['orchestrator.gateway.refund'],
      answer('refund', status),
      ['payment.failed'],
    ]);
    expect(sagaSpans(log)[1]?.isError).toBe(isError);
  });

  test('is never shorter than nothing, where an outcome comes from a clock that is behind', () => {
    const log = logOf([['payment.created'], ['orchestrator.wallet.debit'], ['wallet.debit'], ['payment.completed']]);
    const behind = log.map((each, at) => (at === 2 ? { ...each, timestamp: new Date(5).toISOString() } : each));
    expect(told(sagaSpans(behind))[1]).toEqual(['orchestrator.wallet.debit', 20, 20, undefined]);
  });

  test('ends with the last ending, whatever came before it and after', () => {
    const log = logOf([
      ['payment.created'],
      ['payment.needs_attention', { reason: 'late' }],
      ['payment.completed', { status: 'COMPLETED' }],
      ['payment.resolved'],
    ]);
    expect(sagaSpans(log)[0]).toMatchObject({ endAtMs: 30, isError: false });
    expect(sagaSpans(logOf([['payment.created'], ['payment.needs_attention']]))[0]).toMatchObject({
      attributes: { 'holdfast.state': 'NEEDS_ATTENTION', 'holdfast.outcome': undefined },
      isError: true,
    });
  });

  test('names no member that is no text, and no event that is no fact of the catalogue', () => {
    const log = logOf([
      ['payment.created', { provider: 7 }],
      ['payment.strange_thing'],
      ['metrics.payment.success'],
      ['xpayment.completed'],
      ['payment.completed', { status: 'COMPLETED' }],
      ['payment.completedx'],
    ]);
    expect(sagaSpans(log)[0]?.events).toEqual([event('payment.created', 10), event('payment.completed', 50)]);
    expect(endsSaga(log.slice(0, 4))).toBe(false);
    expect(endsSaga(log.slice(5))).toBe(false);
  });
});

test('an attribute that is not on the list, or is too long, is not exported', () => {
  const [saga] = sagaSpans(FAILOVER);
  const attributes = { 'holdfast.provider': 'x'.repeat(1_000), token: 'a-token' };
  const body = otlpBody(saga === undefined ? [] : [{ ...saga, attributes }]);
  expect(body).not.toContain('a-token');
  expect(body).toContain(`"${'x'.repeat(256)}"`);
});

describe('a trace context', () => {
  test.each([
    ['sampled', TRACEPARENT, true],
    ['not sampled', TRACEPARENT.replace(/01$/, '00'), false],
    ['sampled, with flags of a later version', TRACEPARENT.replace(/01$/, '03'), true],
    ['not sampled, with flags of a later version', TRACEPARENT.replace(/01$/, 'fe'), false],
  ])('is read: %s', (_what, text, isSampled) => {
    expect(parseTraceparent(text)).toEqual({ traceId: TRACE, spanId: CALLER, isSampled });
  });

  test.each([[undefined], [''], [`00-${'0'.repeat(32)}-${CALLER}-01`], [`00-${TRACE}-${'0'.repeat(16)}-01`], ['x']])(
    'is none in %s',
    (text) => {
      expect(parseTraceparent(text)).toBeNull();
    },
  );

  test('goes on under another span', () => {
    expect(withSpanId(TRACEPARENT, 'c'.repeat(16))).toBe(`00-${TRACE}-${'c'.repeat(16)}-01`);
    expect(spanIdOf('0189a5b4-0000-7000-8000-000000000000')).toBe('8000000000000000');
  });

  test('is sampled by the last bits of a new id: none at 0, all at 1, half at a half', () => {
    const [low, middle, high] = ['0', '8', 'f'].map((digit) => `${TRACE.slice(0, 24)}${digit}${digit.repeat(7)}`);
    const sampled = (ratio: number) => [low, middle, high].map((id) => isInRatio(id ?? '', ratio));
    expect(sampled(0)).toEqual([false, false, false]);
    expect(sampled(0.5)).toEqual([true, false, false]);
    expect(sampled(1)).toEqual([true, true, true]);
  });
});

describe('the export of traces', () => {
  const SANDBOX = { MODE: 'sandbox', AUTH: 'open' };
  const LIVE = {
    MODE: 'live',
    AUTH: 'required',
    API_KEY_SECRET: 's'.repeat(32),
    STRIPE_SECRET_KEY: 'sk_test_0123456789',
    STRIPE_WEBHOOK_SECRET: 'whsec_0123456789abcdef',
  };
  const ENDPOINT = { ...SANDBOX, OTEL_EXPORTER_OTLP_ENDPOINT: 'https://otlp.example/base/' };
  const tracingOf = (vars: Record<string, unknown>) => {
    const result = parseConfig(vars);
    return result.ok ? result.config.tracing : result.problems;
  };

  test('is off without an endpoint, whatever else is set', () => {
    expect(tracingOf({ ...SANDBOX, OTEL_TRACES_SAMPLER_ARG: '1', OTEL_EXPORTER_OTLP_HEADERS: 'a=b' })).toBeUndefined();
  });

  test('goes to the endpoint\u2019s traces, with its headers decoded', () => {
    const headers = 'Authorization=Basic%20abc%3D, x-tenant = one ,';
    expect(tracingOf({ ...ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS: headers })).toEqual({
      url: 'https://otlp.example/base/v1/traces',
      headers: { authorization: 'Basic abc=', 'x-tenant': 'one' },
    });
  });

  test.each([
    ['0', 0],
    ['1', 1],
    ['1.0', 1],
    ['0.25', 0.25],
    ['.5', 0.5],
  ])('takes the ratio %s, with an endpoint and without', (text, ratio) => {
    expect(parseConfig({ ...ENDPOINT, OTEL_TRACES_SAMPLER_ARG: text })).toMatchObject({
      config: { sampleRatio: ratio },
    });
    expect(parseConfig({ ...SANDBOX, OTEL_TRACES_SAMPLER_ARG: text })).toMatchObject({
      config: { sampleRatio: ratio },
    });
  });

  test('samples every new trace in the sandbox and one in ten in live mode, unless it is told otherwise', () => {
    expect(parseConfig(SANDBOX)).toMatchObject({ config: { sampleRatio: 1 } });
    expect(parseConfig(LIVE)).toMatchObject({ config: { sampleRatio: 0.1 } });
  });

  test.each([
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'otlp.example'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'ftp://otlp.example'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', ''],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'authorization'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'a b=c'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'a=%zz'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'a=b%0Ac'],
    ['OTEL_TRACES_SAMPLER_ARG', ''],
    ['OTEL_TRACES_SAMPLER_ARG', '1.1'],
    ['OTEL_TRACES_SAMPLER_ARG', '-0.1'],
    ['OTEL_TRACES_SAMPLER_ARG', '10%'],
  ])('fails closed for %s = "%s", and shows no value', (name, value) => {
    expect(tracingOf({ ...ENDPOINT, [name]: value })).toEqual([name]);
  });

  test('is described with the tree that its tests see', () => {
    const page = readFileSync('docs/observability/traces.md', 'utf8');
    const source = readFileSync('test/traces/traces.flow.test.ts', 'utf8');
    const [, lines = ''] = /const COMPLETED = \[\n(.*?)\n\];/s.exec(source) ?? [];
    const tree = [...lines.matchAll(/'(.*)',/g)].map(([, line]) => line);
    expect(tree.length).toBeGreaterThan(5);
    expect(page).toContain(tree.join('\n'));
  });
});
