import { describe, expect, test } from 'vitest';
import {
  API_ERRORS,
  failureOfRefusedHold,
  InvariantError,
  isOverloaded,
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

  test('may be tried again exactly when nothing was decided: transient or overloaded', () => {
    for (const row of Object.values(API_ERRORS)) {
      expect(row.retryable).toBe(row.class === 'transient' || row.class === 'overloaded');
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

describe('an overloaded object', () => {
  test('is one whose error the platform has marked so', () => {
    expect(isOverloaded(Object.assign(new Error('too many requests'), { overloaded: true }))).toBe(true);
  });

  test.each([
    ['an error without the mark', new Error('overloaded')],
    ['one that is marked not to be', Object.assign(new Error('x'), { overloaded: false })],
    ['a mark that is no truth', Object.assign(new Error('x'), { overloaded: 'true' })],
    ['what is no error', { overloaded: true }],
    ['nothing', null],
  ])('is not %s', (_what, thrown) => {
    expect(isOverloaded(thrown)).toBe(false);
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
