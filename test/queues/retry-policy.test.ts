import { env } from 'cloudflare:workers';
import { describe, expect, test } from 'vitest';
import { verdictOnError } from '../../queues/retry-policy.ts';
import { InvariantError } from '../../src/domain/errors.ts';
import { sagaObjectName } from '../../src/domain/ids.ts';
import type { Fact } from '../../src/domain/saga/outcome.ts';
import { bug, d1Overloaded, overloaded, transient } from './messages.ts';

const ALMOST_ONE = 1 - Number.EPSILON;
const seconds = (error: unknown, attempts: number, random: number) => {
  const verdict = verdictOnError(error, attempts, random);
  return verdict.kind === 'retry' ? verdict.delaySeconds : verdict.kind;
};

describe('a bug', () => {
  test.each([
    ['thrown here', new InvariantError('S4_terminal_left', { state: 'failed' })],
    ['that crossed RPC and lost its class', bug()],
    ['that says it is overloaded as well', Object.assign(bug(), { overloaded: true })],
  ])('%s is dead at once, whatever the attempt', (_what, error) => {
    for (const attempts of [1, 4]) {
      expect(verdictOnError(error, attempts, 0.5)).toEqual({
        kind: 'dead',
        reason: `InvariantError: ${error.message}`,
      });
    }
  });

  test('in an object keeps its name across RPC, and so is dead at once', async () => {
    const scope = { merchant: 'default', mode: 'sandbox' } as const;
    const saga = env.PAYMENT_SAGA.getByName(sagaObjectName(scope, '/payments', 'retry-policy'));
    await saga.create({
      scope,
      idempotencyKey: 'retry-policy',
      fingerprint: 'f',
      request: { wallet_id: 'w', service_id: 's', amount: 1, currency: 'USD', method: 'balance' },
      amountCodes: false,
      trace: { traceId: 'a'.repeat(32), traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` },
      waitMs: 0,
    });
    // A fact that answers no command: the engine refuses it as a bug of its consumer.
    const fact = { event_type: 'payment.needs_attention', payload: { payment_id: 'p', reason: 'r' } } as Fact;
    let thrown: unknown;
    try {
      await env.PAYMENT_SAGA.getByName(sagaObjectName(scope, '/payments', 'retry-policy')).deliver([
        { effect_id: 'x', fact },
      ]);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).not.toBeInstanceOf(InvariantError);
    expect(verdictOnError(thrown, 1, 0.5)).toMatchObject({
      kind: 'dead',
      reason: expect.stringContaining('fact_answers_command'),
    });
  });
});

describe('who is overloaded, an object by its flag or D1 by its words,', () => {
  test.each([
    [1, 5, 10],
    [2, 5, 20],
    [3, 5, 40],
    [4, 5, 60],
    [100, 5, 60],
  ])('after delivery %i is left alone from %i to %i s', (attempts, from, to) => {
    for (const error of [overloaded(), d1Overloaded()]) {
      expect(seconds(error, attempts, 0)).toBe(from);
      expect(seconds(error, attempts, ALMOST_ONE)).toBe(to);
    }
  });

  test('is left alone for as long as the consumer has patience, where that is longer', () => {
    const verdict = verdictOnError(overloaded(), 100, ALMOST_ONE, { firstMs: 1_000, maxMs: 3_600_000 });
    expect(verdict).toMatchObject({ delaySeconds: 3_600 });
  });
});

describe('everything else is transient', () => {
  test.each([
    ['a lost connection', transient()],
    ['a reset that may be retried', Object.assign(new Error('reset'), { retryable: true })],
    ['a D1 error', new Error('D1_ERROR: Network connection lost.')],
    ['a type error', new TypeError('x is not a function')],
    ['an error that only mentions a bug', new Error('InvariantError')],
    ['a thrown text', 'InvariantError'],
    ['a thrown nothing', undefined],
    ['a thrown object', { name: 'InvariantError' }],
  ])('%s is retried', (_what, error) => {
    expect(verdictOnError(error, 1, 0.5)).toMatchObject({ kind: 'retry', reason: expect.stringMatching(/./) });
  });

  test.each([
    [1, 1, 1],
    [2, 1, 2],
    [3, 1, 4],
    [4, 1, 8],
    [6, 1, 30],
    [100, 1, 30],
  ])('after delivery %i it waits from %i to %i s, drawn from the whole range', (attempts, from, to) => {
    expect(seconds(transient(), attempts, 0)).toBe(from);
    expect(seconds(transient(), attempts, ALMOST_ONE)).toBe(to);
    expect(seconds(transient(), attempts, 0.5)).toBe(Math.max(1, Math.round(to / 2)));
  });

  test('and says why, by the name and the message of the error', () => {
    expect(verdictOnError(new TypeError('no'), 1, 0)).toMatchObject({ reason: 'TypeError: no' });
    expect(verdictOnError('text', 1, 0)).toMatchObject({ reason: 'text' });
  });
});
