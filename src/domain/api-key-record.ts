/**
 * Pure: what the object of an API key stores of it, when a key counts, what it looks like in public, and what may be asked of
 * its object. Neither the secret nor its HMAC is in anything that leaves the object.
 */
import type { KeyScope } from './api-key.ts';
import { toTimestamp } from './events/envelope.ts';
import type { Scope } from './ids.ts';

export interface NewApiKey {
  readonly id: string;
  readonly mode: Scope['mode'];
  /** null: a platform key. */
  readonly merchant: string | null;
  readonly scopes: readonly KeyScope[];
  readonly name: string;
  readonly createdAtMs: number;
  /** From then on it does not count; null: until it is revoked. */
  readonly expiresAtMs: number | null;
  /** The key that it was made to take the place of. */
  readonly rotatedFrom: string | null;
}

/** A key as it stands, without what it is known by. */
export interface ApiKeyRecord extends NewApiKey {
  readonly revokedAtMs: number | null;
}

/** What the object stores, as one JSON value. */
export interface ApiKeyState extends ApiKeyRecord {
  readonly format: 1;
  /** Hex of the HMAC (api-key.ts). */
  readonly mac: string;
}

export const API_KEY_STATUSES = ['active', 'expired', 'revoked'] as const;
export type ApiKeyStatus = (typeof API_KEY_STATUSES)[number];

/** Revoked goes before expired: it says that somebody meant it. */
export function apiKeyStatus(
  { revokedAtMs, expiresAtMs }: Pick<ApiKeyRecord, 'revokedAtMs' | 'expiresAtMs'>,
  nowMs: number,
): ApiKeyStatus {
  if (revokedAtMs !== null) return 'revoked';
  return expiresAtMs !== null && expiresAtMs <= nowMs ? 'expired' : 'active';
}

/** The public JSON of a key. */
export interface ApiKeyView {
  id: string;
  object: 'api_key';
  mode: Scope['mode'];
  merchant: string | null;
  scopes: KeyScope[];
  name: string;
  status: ApiKeyStatus;
  rotated_from: string | null;
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
}

export function apiKeyView(record: ApiKeyRecord, nowMs: number): ApiKeyView {
  const { id, mode, merchant, scopes, name, rotatedFrom, createdAtMs, expiresAtMs, revokedAtMs } = record;
  return {
    id,
    object: 'api_key',
    mode,
    merchant,
    scopes: [...scopes],
    name,
    status: apiKeyStatus(record, nowMs),
    rotated_from: rotatedFrom,
    created_at: toTimestamp(createdAtMs),
    expires_at: expiresAtMs === null ? null : toTimestamp(expiresAtMs),
    revoked_at: revokedAtMs === null ? null : toTimestamp(revokedAtMs),
  };
}

/** The expiry of a key that was rotated out: the end of the overlap, or earlier where it would have expired before. */
export function expiryAfterRotation(expiresAtMs: number | null, nowMs: number, overlapMs: number): number {
  const overlapEndMs = nowMs + overlapMs;
  return expiresAtMs === null ? overlapEndMs : Math.min(expiresAtMs, overlapEndMs);
}

/** The expiry of the key in its place: as long a life again. A rotation makes no key that never ends of one that does. */
export function expiryOfSuccessor(
  { createdAtMs, expiresAtMs }: Pick<ApiKeyRecord, 'createdAtMs' | 'expiresAtMs'>,
  nowMs: number,
): number | null {
  return expiresAtMs === null ? null : nowMs + (expiresAtMs - createdAtMs);
}

/**
 * The expiry of a key that is made by one that expires at `endMs` (null: never): what was asked for, else `usualMs`, but no later
 * than that: a key that leaked would else make itself one without end. `late`: a later one was asked for.
 */
export function expiryWithin(
  endMs: number | null,
  askedMs: number | null,
  usualMs: number | null,
): number | null | 'late' {
  if (endMs === null) return askedMs ?? usualMs;
  if (askedMs !== null) return askedMs > endMs ? 'late' : askedMs;
  return Math.min(usualMs ?? endMs, endMs);
}

// ── The object ───────────────────────────────────────────────────────────────────────────────────────────────────────

export type ApiKeyResult = { readonly kind: 'found'; readonly key: ApiKeyRecord } | { readonly kind: 'not_found' };

/** Why a key does not count is for the log; the client is told that it does not. */
export type VerifyResult =
  | { readonly kind: 'valid'; readonly merchant: string | null; readonly scopes: readonly KeyScope[] }
  | { readonly kind: 'unknown' | 'mismatch' | 'expired' | 'revoked' };

/** Implemented by the ApiKey object. */
export interface ApiKeyRpc {
  /** The same id again: the key as it is. */
  create(key: NewApiKey, mac: Uint8Array): ApiKeyResult;
  /** Whether the key with this HMAC counts now. Writes nothing, also where there is no such key. */
  verify(mac: Uint8Array): VerifyResult;
  read(): ApiKeyResult;
  /** Has it expire at `atMs`, unless it does so earlier. */
  expire(atMs: number): ApiKeyResult;
  /** From the next question on it does not count. Revoked twice, it is revoked since the first time. */
  revoke(): ApiKeyResult;
}
