/**
 * Pure: the idempotency keys that providers see. Stable per (payment or refund, operation, provider): the same on every
 * network retry, so that a provider takes an operation once; new only for another provider, which knows nothing of it.
 */
import { InvariantError } from '../domain/errors.ts';
import { KEY_LENGTH_MAX } from './limits.ts';

const LETTERS = { authorize: 'a', capture: 'c', void: 'v', refund: 'r' } as const;
export type KeyedOperation = keyof typeof LETTERS;

/**
 * `{entity id}.{letter}.{provider}`: 47 characters of id, a letter, and at most 12 of provider name fit 64.
 * @param entityId the payment's id; for a refund of its own, the refund's.
 * @throws InvariantError when the key would be too long: a provider would cut or refuse it.
 */
export function providerKey(entityId: string, operation: KeyedOperation, provider: string): string {
  const key = `${entityId}.${LETTERS[operation]}.${provider}`;
  if (key.length > KEY_LENGTH_MAX) throw new InvariantError('provider_key_length', { length: key.length, provider });
  return key;
}

/** Whose key it is: the payment's or refund's id in it; null for a key that we did not make. */
export function entityOfKey(key: string): string | null {
  return /^((?:pay|ref)_[0-9A-Za-z]{43})\.[acvr]\./.exec(key)?.[1] ?? null;
}

/** A payment's id as a provider echoes it, or null for what is none: other software may use the same account. */
export function echoedPaymentId(text: string | null | undefined): string | null {
  return text != null && /^pay_[0-9A-Za-z]{43}$/.test(text) ? text : null;
}
