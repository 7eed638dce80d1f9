/**
 * What the routes of API keys share: which keys an operator sees and may hand out, and the making of one. Its object first, then
 * the list: a key whose making broke off is one that nobody has the text of. Called by the routes under /ops/api-keys.
 */
import { bytesToHex } from '@noble/hashes/utils.js';
import { apiKeyId, type KeyScope, mintApiKey } from '../domain/api-key.ts';
import {
  type ApiKeyRecord,
  type ApiKeyResult,
  apiKeyStatus,
  apiKeyView,
  expiryWithin,
  type NewApiKey,
} from '../domain/api-key-record.ts';
import { InvariantError } from '../domain/errors.ts';
import { API_KEY_RANDOM_BYTES, API_KEYS_ACTIVE_MAX } from '../domain/limits.ts';
import { countActiveApiKeys, enterApiKey } from '../read-model/api-keys.ts';
import type { AppContext } from './context.ts';
import { apiKeyOf, callObject } from './objects.ts';
import { problem } from './problem.ts';
import { validationFailed } from './validation.ts';

/** The key as its object has it, where the operator may see it: their merchant's, or with a platform key any. */
export async function keyInPurview(c: AppContext, id: string): Promise<ApiKeyRecord | null> {
  const { merchant, mode, isPlatform } = c.get('purview');
  const result = await callObject(apiKeyOf(c.env, mode, id), (key) => key.read());
  if (result.kind === 'not_found') return null;
  return isPlatform || result.key.merchant === merchant ? result.key : null;
}

/** Whether the key that a request was let in with still counts, for what goes on for long; always where none was needed. */
export async function isStillLetIn(c: AppContext): Promise<boolean> {
  const identity = c.get('apiKey');
  if (identity === undefined) return true;
  const result = await callObject(apiKeyOf(c.env, c.get('config').mode, identity.id), (key) => key.read());
  return result.kind === 'found' && apiKeyStatus(result.key, Date.now()) === 'active';
}

/**
 * When a key that is to be made expires; null: never. Checks of what is asked for, in order: in the future → no later than the key
 * that asks expires, which no key that it makes may outlive.
 * @param usualMs where nothing is asked for, and the key that asks does not end before.
 */
export async function expiryOfNewKey(
  c: AppContext,
  asked: string | undefined,
  usualMs: number | null,
  nowMs: number,
): Promise<number | null | Response> {
  const askedMs = asked === undefined ? null : Date.parse(asked);
  if (apiKeyStatus({ expiresAtMs: askedMs, revokedAtMs: null }, nowMs) !== 'active') {
    return wrongExpiry(c, 'Must be in the future.');
  }
  const expiresAtMs = expiryWithin(await endOfAsker(c), askedMs, usualMs);
  return expiresAtMs === 'late' ? wrongExpiry(c, 'Must be no later than the end of the key that asks.') : expiresAtMs;
}

function wrongExpiry(c: AppContext, message: string): Response {
  return validationFailed(c, [{ in: 'body', pointer: '/expires_at', message }]);
}

/** null: never, or it was no key. */
async function endOfAsker(c: AppContext): Promise<number | null> {
  const identity = c.get('apiKey');
  if (identity === undefined) return null;
  const result = await callObject(apiKeyOf(c.env, c.get('config').mode, identity.id), (key) => key.read());
  if (result.kind === 'not_found') throw new InvariantError('api_key_exists', { id: identity.id });
  return result.key.expiresAtMs;
}

/** Nobody hands out what they have not: 403, naming the scopes; undefined where the caller has them all. */
export function refuseMissingScopes(c: AppContext, scopes: readonly KeyScope[]): Response | undefined {
  const { credential, roles } = c.get('caller');
  // Whoever has API_KEY_SECRET, and whoever runs the platform, hands out what there is.
  if (credential === 'bootstrap' || roles.has('platform')) return undefined;
  const missing = scopes.filter((scope) => !roles.has(scope));
  if (missing.length === 0) return undefined;
  return problem(c, 'forbidden', { detail: `A key cannot hand out what it lacks: ${missing.join(', ')}.` });
}

/** 422 where a merchant has as many keys as it may. Looked at before it is written: two at once may be one too many. */
export async function refuseTooManyKeys(c: AppContext, merchant: string | null): Promise<Response | undefined> {
  const active = await countActiveApiKeys(c.env.DB, c.get('config').mode, merchant, Date.now());
  if (active < API_KEYS_ACTIVE_MAX) return undefined;
  return problem(c, 'api_keys_limit_exceeded', { detail: `There are at most ${API_KEYS_ACTIVE_MAX}; revoke some.` });
}

export function freshApiKeyId(): string {
  return apiKeyId(BigInt(`0x${bytesToHex(crypto.getRandomValues(new Uint8Array(16)))}`));
}

/** Makes the key, and answers with its text: the only time that it is anywhere but with its owner. */
export async function makeApiKey(c: AppContext, apiKeySecret: string, made: Omit<NewApiKey, 'mode'>) {
  const { mode } = c.get('config');
  const random = crypto.getRandomValues(new Uint8Array(API_KEY_RANDOM_BYTES));
  const { key, mac } = mintApiKey(apiKeySecret, mode, made.id, random);
  const created = await changeApiKey(c, made.id, (stub) => stub.create({ ...made, mode }, mac));
  return { ...apiKeyView(created, Date.now()), key };
}

/** Has the object change, then says so in the list. @throws InvariantError for a key that is not there. */
export async function changeApiKey(
  c: AppContext,
  id: string,
  change: (stub: ReturnType<ReturnType<typeof apiKeyOf>>) => Promise<ApiKeyResult>,
): Promise<ApiKeyRecord> {
  const result = await callObject(apiKeyOf(c.env, c.get('config').mode, id), change);
  if (result.kind === 'not_found') throw new InvariantError('api_key_exists', { id });
  await enterApiKey(c.env.DB, result.key);
  return result.key;
}
