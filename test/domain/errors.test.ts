import { describe, expect, test } from 'vitest';
import {
  API_ERRORS,
  failureOfRefusedHold,
  InvariantError,
  isAway,
  isOverloaded,
  isRetryable,
  PAYMENT_FAILURE_MESSAGES,
} from '../../src/domain/errors.ts';
import { REFUND_FAILURE_MESSAGES } from '../../src/domain/refund.ts';

/** Append-only: clients match on these, so a code is never renamed, removed or given another status. */
const PUBLISHED: readonly (readonly [code: keyof typeof API_ERRORS, status: number])[] = [
  ['idempotency_key_missing', 400],
  ['idempotency_key_invalid', 400],
  ['invalid_json', 400],
  ['validation_failed', 400],
  ['pan_in_request', 400],
  ['invalid_cursor', 400],
  ['unauthenticated', 401],
  ['forbidden', 403],
  ['not_found', 404],
  ['idempotency_key_not_found', 404],
  ['method_not_allowed', 405],
  ['idempotency_key_expired', 409],
  ['wallet_currency_conflict', 409],
  ['payload_too_large', 413],
  ['unsupported_media_type', 415],
  ['idempotency_key_reused', 422],
  ['wallet_frozen', 422],
  ['currency_mismatch', 422],
  ['balance_limit_exceeded', 422],
  ['webhook_endpoint_disabled', 409],
  ['webhook_endpoints_limit_exceeded', 422],
  ['rate_limited', 429],
  ['internal_error', 500],
  ['overloaded', 503],
  ['temporarily_unavailable', 503],
  ['misconfigured', 503],
];

/** The statuses that each class may have (docs/architecture.md). */
const STATUSES: Readonly<Record<string, readonly number[]>> = {
  poison: [400],
  refusal: [401, 403, 404, 405, 409, 410, 413, 415, 422],
  overloaded: [429, 503],
  transient: [503],
  bug: [500, 503],
};

describe('an API error', () => {
  test.each(PUBLISHED)('%s keeps its status %i', (code, status) => {
    expect(API_ERRORS[code].status).toBe(status);
  });

  test.each(Object.entries(API_ERRORS))('%s is snake_case, has a title, and a status of its class', (code, row) => {
    expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
    expect(row.title).not.toBe('');
    expect(STATUSES[row.class]).toContain(row.status);
  });

  test('may be sent again exactly when nothing was decided, or nobody knows what was', () => {
    for (const [code, row] of Object.entries(API_ERRORS)) {
      const isUndecided = row.class === 'transient' || row.class === 'overloaded' || code === 'internal_error';
      expect(row.retryable, code).toBe(isUndecided);
    }
  });
});

describe('a refused hold', () => {
  test.each([
    'wallet_not_found',
    'wallet_frozen',
    'currency_mismatch',
    'insufficient_funds',
    'holds_limit_exceeded',
    'wallet_full',
  ] as const)('for %s fails its payment with that code, and the code has a message', (refusal) => {
    expect(failureOfRefusedHold(refusal)).toBe(refusal);
    expect(PAYMENT_FAILURE_MESSAGES[refusal]).not.toBe('');
  });

  test.each([
    'effect_id_conflict',
    'hold_exists',
    'hold_not_found',
    'hold_resolved',
    'amount_exceeds_hold',
    'balance_limit_exceeded',
    'simulated_refusal',
  ] as const)('for %s is a bug of ours', (refusal) => {
    expect(() => failureOfRefusedHold(refusal)).toThrow(new InvariantError('hold_refusal_expected', { refusal }));
  });
});

test.each([...Object.entries(PAYMENT_FAILURE_MESSAGES), ...Object.entries(REFUND_FAILURE_MESSAGES)])(
  'a failure for %s says so to a person in one sentence',
  (_code, message) => {
    expect(message).toMatch(/^[A-Z].+\.$/);
  },
);

/** As D1's client throws what the database answered. */
const d1 = (said: string) => new Error(`D1_ERROR: ${said}`, { cause: new Error(said) });
const D1_OVERLOADED: readonly string[] = [
  'D1 DB is overloaded. Requests queued for too long.',
  'D1 DB is overloaded. Too many requests queued.',
];
/** Each as it stands in the list of https://developers.cloudflare.com/d1/observability/debug-d1/, but the last, which D1 says when it is full. */
const D1_AWAY = [
  'D1 DB storage operation exceeded timeout which caused object to be reset.',
  'D1 DB reset because its code was updated.',
  'Network connection lost.',
  'Internal error while starting up D1 DB storage caused object to be reset.',
  'Internal error in D1 DB storage caused object to be reset.',
  'Cannot resolve D1 DB due to transient issue on remote node.',
  'Exceeded maximum DB size',
];
type Case = readonly [string, unknown];
const UNKNOWN: readonly Case[] = [
  ['a row too large', d1('string or blob too big: SQLITE_TOOBIG')],
  ['a broken constraint', d1('NOT NULL constraint failed: payments.wallet_id: SQLITE_CONSTRAINT')],
  ['too much memory for one query', d1("D1 DB's isolate exceeded its memory limit and was reset.")],
  ['too much work for one query', d1('D1 DB exceeded its CPU time limit and was reset.')],
  ['the words in the middle of others', d1('CHECK constraint failed: Network connection lost.')],
  ['a bug', new InvariantError('S4_terminal_left')],
  ['a text', 'D1_ERROR: Network connection lost.'],
  ['nothing', null],
];

describe('who has more to do than it can take: an object by its flag, D1 by its words', () => {
  test('is an object whose error the platform has marked so', () => {
    expect(isOverloaded(Object.assign(new Error('too many requests'), { overloaded: true }))).toBe(true);
  });

  test.each(D1_OVERLOADED)('is D1 where it says: %s', (said) => {
    expect(isOverloaded(d1(said))).toBe(true);
  });

  test.each<Case>([
    ['an error without the mark', new Error('overloaded')],
    ['an object by its words', new Error('Durable Object is overloaded.')],
    ['one that is marked not to be', Object.assign(new Error('x'), { overloaded: false })],
    ['a mark that is no truth', Object.assign(new Error('x'), { overloaded: 'true' })],
    ['one that may be asked again', Object.assign(new Error('x'), { retryable: true })],
    ['what is no error', { overloaded: true }],
    ...D1_AWAY.map((said): Case => [said, d1(said)]),
    ...UNKNOWN,
  ])('is not %s', (_what, thrown) => {
    expect(isOverloaded(thrown)).toBe(false);
  });
});

describe('who is away, whatever is asked', () => {
  test.each<Case>([
    ['an object that may be asked again', Object.assign(new Error('reset'), { retryable: true })],
    ['an object that is overloaded', Object.assign(new Error('x'), { overloaded: true })],
    ...[...D1_OVERLOADED, ...D1_AWAY].map((said): Case => [said, d1(said)]),
    ['D1 that adds a reference', d1('Internal error in D1 DB storage caused object to be reset; reference = 8t4d')],
    ['D1 that the call never reached: its client adds no word then', new Error('Network connection lost.')],
  ])('is %s', (_what, thrown) => {
    expect(isAway(thrown)).toBe(true);
  });

  test.each<Case>([
    ['a mark that is no truth', Object.assign(new Error('x'), { retryable: 'true' })],
    ['what is no error', { retryable: true }],
    ...UNKNOWN,
  ])('is not told by %s', (_what, thrown) => {
    expect(isAway(thrown)).toBe(false);
  });

  test('may be asked again at once by its flag alone', () => {
    expect(isRetryable(Object.assign(new Error('reset'), { retryable: true }))).toBe(true);
    expect(isRetryable(d1('Network connection lost.'))).toBe(false);
  });
});

describe('a broken invariant', () => {
  test('keeps its name as an own field, since only names and own fields cross RPC', () => {
    const error = new InvariantError('S4_terminal_left', { state: 'failed' });
    expect(Object.hasOwn(error, 'name') && error.name).toBe('InvariantError');
    expect(error).toMatchObject({ invariant: 'S4_terminal_left', facts: { state: 'failed' } });
    expect(error.message).toBe('invariant broken: S4_terminal_left {"state":"failed"}');
    expect(new InvariantError('x').facts).toEqual({});
  });
});
