/**
 * The owner of one API key: what it may do, until when, and the HMAC that it is known by. Every request with the key asks it, so
 * what it is told counts from the next request on; it keeps the row in memory, and a question writes nothing. It knows no
 * secret and no API_KEY_SECRET. Called by HTTP alone (decision 0070).
 */
import { DurableObject } from 'cloudflare:workers';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { isEqualInConstantTime } from '../../src/constant-time.ts';
import {
  type ApiKeyResult,
  type ApiKeyRpc,
  type ApiKeyState,
  apiKeyStatus,
  type NewApiKey,
  type VerifyResult,
} from '../../src/domain/api-key-record.ts';
import { ApiKeyStore } from './store.ts';

const NOT_FOUND = { kind: 'not_found' } as const;

export class ApiKey extends DurableObject<Env> implements ApiKeyRpc {
  readonly #store = new ApiKeyStore(this.ctx.storage.sql);
  /** As stored; `undefined`: not read yet in this life of the object. */
  #state: ApiKeyState | null | undefined;

  create(key: NewApiKey, mac: Uint8Array): ApiKeyResult {
    if (this.#load() === null) this.#keep({ format: 1, ...key, mac: bytesToHex(mac), revokedAtMs: null });
    return this.read();
  }

  /** Checks, in order: there is such a key → its HMAC, in constant time → it is not revoked → it has not expired. */
  verify(mac: Uint8Array): VerifyResult {
    const state = this.#load();
    if (state === null) return { kind: 'unknown' };
    if (!isEqualInConstantTime(mac, hexToBytes(state.mac))) return { kind: 'mismatch' };
    const status = apiKeyStatus(state, Date.now());
    return status === 'active' ? { kind: 'valid', merchant: state.merchant, scopes: state.scopes } : { kind: status };
  }

  read(): ApiKeyResult {
    const state = this.#load();
    if (state === null) return NOT_FOUND;
    const { format: _format, mac: _mac, ...key } = state;
    return { kind: 'found', key };
  }

  expire(atMs: number): ApiKeyResult {
    const state = this.#load();
    if (state !== null && (state.expiresAtMs === null || state.expiresAtMs > atMs)) {
      this.#keep({ ...state, expiresAtMs: atMs });
    }
    return this.read();
  }

  revoke(): ApiKeyResult {
    const state = this.#load();
    if (state !== null && state.revokedAtMs === null) this.#keep({ ...state, revokedAtMs: Date.now() });
    return this.read();
  }

  #load(): ApiKeyState | null {
    if (this.#state === undefined) this.#state = this.#store.load();
    return this.#state;
  }

  #keep(state: ApiKeyState): void {
    this.#store.save(state);
    this.#state = state;
  }
}
