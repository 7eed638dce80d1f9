/**
 * What was once written decodes for ever: fixtures/events-v1.json holds an example of each type of the catalogue, with
 * every optional member somewhere. Append-only: an example is never edited or removed; a new type or member brings its own.
 */
import { describe, expect, test } from 'vitest';
import { InvariantError } from '../../src/domain/errors.ts';
import { CATALOGUE, type EventType, isEventType } from '../../src/domain/events/catalogue.ts';
import { decodeEvent } from '../../src/domain/events/decode.ts';
import {
  type Envelope,
  entityOf,
  groupIdOf,
  hasLog,
  SOURCES,
  TRACEPARENT_PATTERN,
  toTimestamp,
} from '../../src/domain/events/envelope.ts';
import { PAYMENT_METHODS } from '../../src/domain/payment.ts';
import fixtures from './fixtures/events-v1.json';

const EXAMPLES = new Map<string, Envelope>(fixtures.toReversed().map((event) => [event.event_type, event as Envelope]));
const TYPES = Object.keys(CATALOGUE) as EventType[];

function example(type: EventType): Envelope {
  const found = EXAMPLES.get(type);
  if (found === undefined) throw new Error(`${type} has no example in fixtures/events-v1.json`);
  return structuredClone(found);
}

/** The example with one member replaced, or taken away. */
function changed(event: Envelope, path: string, value: unknown): unknown {
  const copy = structuredClone(event) as unknown as Record<string, Record<string, unknown>>;
  const names = path.split('.');
  const last = names.pop() ?? '';
  const parent = names.reduce<Record<string, unknown>>((at, name) => at[name] as Record<string, unknown>, copy);
  if (value === undefined) delete parent[last];
  else parent[last] = value;
  return copy;
}

describe('every type of the catalogue', () => {
  test.each(fixtures.map((event) => [event.event_type, event] as const))(
    'the example of %s decodes to exactly what was written',
    (_type, event) => {
      expect(decodeEvent(event)).toEqual({ ok: true, event });
    },
  );

  test.each(TYPES)(
    '%s has an example without each member that is optional, so that none is ever made a must',
    (type) => {
      const members = Object.keys(CATALOGUE[type].payload.shape);
      const optional = members.filter((name) => !requiredOf(type).includes(name));
      const examples = fixtures.filter((event) => event.event_type === type);
      expect(optional.filter((name) => examples.every((event) => name in event.payload))).toEqual([]);
    },
  );

  test.each(TYPES)('%s has its kind, its source and a description', (type) => {
    const { kind, source, description, version } = CATALOGUE[type];
    const expected = type.startsWith('metrics.') ? 'metric' : type.startsWith('orchestrator.') ? 'command' : 'fact';
    expect(kind).toBe(expected);
    expect(SOURCES).toContain(source);
    expect(version).toBe('1.0');
    expect(description).not.toBe('');
    expect(example(type).metadata.source).toBe(source);
  });

  test.each(TYPES)(
    '%s is refused without each member of its payload that is not optional, and with it as a wrong type',
    (type) => {
      const event = example(type);
      for (const name of requiredOf(type)) {
        for (const value of [undefined, null, { nested: true }]) {
          expect(
            decodeEvent(changed(event, `payload.${name}`, value)),
            `${name}: ${JSON.stringify(value)}`,
          ).toMatchObject({
            ok: false,
            reason: 'malformed',
            detail: expect.stringContaining(`/${name}`),
          });
        }
      }
    },
  );

  test('has an example, and no example is of a type that was removed', () => {
    expect([...EXAMPLES.keys()].sort()).toEqual([...TYPES].sort());
  });

  test('has every member of its payload, also the optional ones, in some example', () => {
    const shown = new Set(fixtures.flatMap((event) => Object.keys(event.payload)));
    const known = new Set(TYPES.flatMap((type) => Object.keys(CATALOGUE[type].payload.shape)));
    expect([...known].filter((name) => !shown.has(name))).toEqual([]);
  });
});

test('a command to the gateway takes every method that a payment can have', () => {
  const command = example('orchestrator.gateway.authorize');
  for (const method of PAYMENT_METHODS) {
    expect(decodeEvent(changed(command, 'payload.method', method))).toMatchObject({ ok: true });
  }
  expect(decodeEvent(changed(command, 'payload.method', ''))).toMatchObject({ ok: false });
});

test('a log is named after its entity', () => {
  expect(entityOf('payment_pay_1_2')).toBe('pay_1_2');
  for (const id of ['pay_1', 'ref_7', 'we_1']) expect([hasLog(id), entityOf(groupIdOf(id))]).toEqual([true, id]);
  expect(groupIdOf('pay_1')).toBe('payment_pay_1');
  for (const id of ['', 'pay', 'wal-1', 'evt_1', 'constructor_x']) {
    expect(hasLog(id), id).toBe(false);
    expect(() => groupIdOf(id), id).toThrow(InvariantError);
  }
});

describe('the envelope', () => {
  const event = example('wallet.hold_funds');

  test.each([
    ['no event id', 'event_id', undefined],
    ['an event id that is no UUID', 'event_id', 'event-1'],
    ['no type', 'event_type', undefined],
    ['a type that is no text', 'event_type', 7],
    ['no version', 'event_version', undefined],
    ['a version that is a number', 'event_version', 1],
    ['no time', 'timestamp', undefined],
    ['a time without milliseconds', 'timestamp', '2026-01-01T00:00:00Z'],
    ['a time in another zone', 'timestamp', '2026-01-01T00:00:00.000+01:00'],
    ['a day that does not exist', 'timestamp', '2026-02-30T00:00:00.000Z'],
    ['a time as a number', 'timestamp', 1_767_225_600_000],
    ['no payload', 'payload', undefined],
    ['a payload that is a list', 'payload', []],
    ['a payload that is text', 'payload', '{}'],
    ['no metadata', 'metadata', undefined],
    ['no source', 'metadata.source', undefined],
    ['an unknown source', 'metadata.source', 'billing-service'],
    ['no merchant', 'metadata.merchant', undefined],
    ['no mode', 'metadata.mode', undefined],
    ['an unknown mode', 'metadata.mode', 'test'],
    ['no trace id', 'metadata.trace_id', undefined],
    ['a short trace id', 'metadata.trace_id', 'abc'],
    ['a trace id in capitals', 'metadata.trace_id', 'A'.repeat(32)],
    ['a trace id with more before it', 'metadata.trace_id', `0${'a'.repeat(32)}`],
    ['a trace id with more after it', 'metadata.trace_id', `${'a'.repeat(32)}0`],
    ['no traceparent', 'metadata.traceparent', undefined],
    ['a traceparent of another version', 'metadata.traceparent', `01-${'a'.repeat(32)}-${'b'.repeat(16)}-01`],
    ['a traceparent with more before it', 'metadata.traceparent', `x00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`],
    ['a traceparent with more after it', 'metadata.traceparent', `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01-x`],
    ['no group', 'metadata.message_group_id', undefined],
    ['no deduplication id', 'metadata.message_deduplication_id', undefined],
    ['no sequence', 'metadata.sequence', undefined],
    ['sequence 0', 'metadata.sequence', 0],
    ['a fraction for a sequence', 'metadata.sequence', 1.5],
    ['a sequence as text', 'metadata.sequence', '1'],
  ])('with %s is refused as malformed, by its path', (_what, path, value) => {
    expect(decodeEvent(changed(event, path, value))).toMatchObject({
      ok: false,
      reason: 'malformed',
      detail: expect.stringContaining(`/${path.replace('.', '/')}: `),
    });
  });

  test.each([
    ['null', null],
    ['undefined', undefined],
    ['text', JSON.stringify(event)],
    ['a number', 1],
    ['a list of it', [event]],
    ['an empty object', {}],
  ])('that is %s is refused as malformed, and never throws', (_what, value) => {
    expect(decodeEvent(value)).toMatchObject({ ok: false, reason: 'malformed' });
  });

  test('may lack an idempotency key', () => {
    expect(decodeEvent(changed(event, 'metadata.idempotency_key', undefined))).toMatchObject({ ok: true });
  });

  test('drops unknown members at every level', () => {
    const more = {
      ...event,
      extra: 1,
      payload: { ...event.payload, extra: 1 },
      metadata: { ...event.metadata, extra: 1 },
    };
    expect(decodeEvent(more)).toEqual({ ok: true, event });
  });

  test('has times as the public JSON has them', () => {
    expect(toTimestamp(0)).toBe('1970-01-01T00:00:00.000Z');
    expect(decodeEvent({ ...event, timestamp: toTimestamp(Date.UTC(2028, 1, 29)) })).toMatchObject({ ok: true });
  });

  test('reads a trace and its span out of a traceparent', () => {
    expect(TRACEPARENT_PATTERN.exec(event.metadata.traceparent)?.slice(1, 3)).toEqual([
      event.metadata.trace_id,
      '00f067aa0ba902b7',
    ]);
  });
});

describe('what this version does not know', () => {
  const event = example('wallet.hold_funds');

  test.each(['wallet.teleported', 'constructor', '__proto__', 'toString', '', 'WALLET.HOLD_FUNDS'])(
    'the type %j is parked, not poison, even with a payload that nobody can read',
    (type) => {
      expect(isEventType(type)).toBe(false);
      expect(decodeEvent({ ...event, event_type: type, payload: { what: 'ever' } })).toEqual({
        ok: false,
        reason: 'unknown_type',
        detail: type,
      });
    },
  );

  test('a version from the future is told apart from a malformed one', () => {
    for (const version of ['2.0', '1.1', '', '1']) {
      expect(decodeEvent({ ...event, event_version: version, payload: {} })).toEqual({
        ok: false,
        reason: 'unknown_version',
        detail: `wallet.hold_funds ${version}`,
      });
    }
  });
});

describe('a payload', () => {
  test.each<[string, EventType, string, unknown]>([
    ['no money', 'wallet.hold_funds', 'amount', 0],
    ['negative money', 'wallet.hold_funds', 'amount', -1],
    ['a fraction of money', 'wallet.hold_funds', 'amount', 0.5],
    ['money as text', 'wallet.hold_funds', 'amount', '1230'],
    ['money beyond a safe integer', 'wallet.hold_funds', 'amount', 2 ** 53],
    ['a currency of two letters', 'wallet.hold_funds', 'currency', 'US'],
    ['wallet version 0', 'wallet.hold_funds', 'wallet_version', 0],
    ['an unknown status', 'payment.created', 'status', 'DONE'],
    ['an unknown method', 'orchestrator.gateway.capture', 'method', 'cash'],
    ['an unknown operation', 'payment_gateway.response', 'operation', 'steal'],
    ['an unknown gateway status', 'payment_gateway.response', 'gateway_status', 'MAYBE'],
    ['a negative wait', 'payment_gateway.response', 'retry_after_ms', -1],
    ['an expiry without milliseconds', 'orchestrator.wallet.hold_funds', 'expires_at', '2026-01-08T00:00:00Z'],
    ['a limit in time that is none', 'orchestrator.gateway.authorize', 'not_after', 'soon'],
    ['an opening balance of nothing', 'orchestrator.wallet.hold_funds', 'open_with', 0],
    ['an unknown simulation', 'orchestrator.wallet.debit', 'simulate', 'accept'],
    ['a notification of what is not terminal', 'orchestrator.notify.payment_success', 'status', 'PENDING'],
    ['amount codes that are no boolean', 'orchestrator.gateway.authorize', 'amount_codes', 'on'],
  ])('with %s is refused', (_what, type, name, value) => {
    expect(decodeEvent(changed(example(type), `payload.${name}`, value))).toMatchObject({
      ok: false,
      reason: 'malformed',
      detail: expect.stringContaining(`/${name}`),
    });
  });

  test('that is refused is described by names, at most five of them, and shows no value', () => {
    const payload = {
      ...example('orchestrator.gateway.authorize').payload,
      token: 4242424242424242,
      method: 'pm_secret',
    };
    const result = decodeEvent({ ...example('orchestrator.gateway.authorize'), payload });
    expect(result).toMatchObject({ ok: false, detail: expect.stringMatching(/\/method: .*; \/token: /) });
    expect(JSON.stringify(result)).not.toMatch(/4242|pm_secret/);
    const empty = decodeEvent({
      ...example('orchestrator.gateway.authorize'),
      payload: { payment_id: 1, not_after: 1, token: 1, reference: 1 },
    });
    expect(!empty.ok && empty.detail.split('; ').length).toBe(5);
  });
});

function requiredOf(type: EventType): string[] {
  return Object.entries(CATALOGUE[type].payload.shape)
    .filter(([, member]) => !member.safeParse(undefined).success)
    .map(([name]) => name);
}
