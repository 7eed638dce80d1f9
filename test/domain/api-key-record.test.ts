import { describe, expect, test } from 'vitest';
import {
  type ApiKeyRecord,
  apiKeyStatus,
  apiKeyView,
  expiryAfterRotation,
  expiryOfSuccessor,
} from '../../src/domain/api-key-record.ts';

const NOW_MS = Date.parse('2026-11-24T12:00:00.000Z');
const KEY: ApiKeyRecord = {
  id: 'ak_1',
  mode: 'live',
  merchant: 'shop',
  scopes: ['payments:read', 'ops'],
  name: 'the backend',
  createdAtMs: NOW_MS - 1_000,
  expiresAtMs: null,
  revokedAtMs: null,
  rotatedFrom: null,
};

test.each<[Partial<ApiKeyRecord>, string]>([
  [{}, 'active'],
  [{ expiresAtMs: NOW_MS + 1 }, 'active'],
  [{ expiresAtMs: NOW_MS }, 'expired'],
  [{ expiresAtMs: NOW_MS - 1 }, 'expired'],
  [{ revokedAtMs: NOW_MS - 1 }, 'revoked'],
  [{ revokedAtMs: 0 }, 'revoked'],
  [{ revokedAtMs: NOW_MS, expiresAtMs: NOW_MS - 5 }, 'revoked'],
])('a key with %o is %s', (changes, status) => {
  expect(apiKeyStatus({ ...KEY, ...changes }, NOW_MS)).toBe(status);
});

describe('in public', () => {
  test('a key is all that may be known of it', () => {
    expect(apiKeyView(KEY, NOW_MS)).toEqual({
      id: 'ak_1',
      object: 'api_key',
      mode: 'live',
      merchant: 'shop',
      scopes: ['payments:read', 'ops'],
      name: 'the backend',
      status: 'active',
      rotated_from: null,
      created_at: '2026-11-24T11:59:59.000Z',
      expires_at: null,
      revoked_at: null,
    });
  });

  test('a key that counts no more says since when, and a platform key has no merchant', () => {
    const view = apiKeyView(
      { ...KEY, merchant: null, expiresAtMs: NOW_MS + 1_000, revokedAtMs: NOW_MS, rotatedFrom: 'ak_0' },
      NOW_MS,
    );
    expect(view).toMatchObject({
      merchant: null,
      status: 'revoked',
      rotated_from: 'ak_0',
      expires_at: '2026-11-24T12:00:01.000Z',
      revoked_at: '2026-11-24T12:00:00.000Z',
    });
  });
});

describe('a rotation', () => {
  test('has the old key expire when the overlap ends, or earlier where it would have', () => {
    expect(expiryAfterRotation(null, NOW_MS, 500)).toBe(NOW_MS + 500);
    expect(expiryAfterRotation(NOW_MS + 400, NOW_MS, 500)).toBe(NOW_MS + 400);
    expect(expiryAfterRotation(NOW_MS + 600, NOW_MS, 500)).toBe(NOW_MS + 500);
    expect(expiryAfterRotation(null, NOW_MS, 0)).toBe(NOW_MS);
  });

  test('gives the new key as long a life as the old one was to have', () => {
    expect(expiryOfSuccessor(KEY, NOW_MS)).toBeNull();
    expect(expiryOfSuccessor({ ...KEY, expiresAtMs: NOW_MS + 9_000 }, NOW_MS)).toBe(NOW_MS + 10_000);
  });
});
