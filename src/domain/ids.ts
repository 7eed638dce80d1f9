/**
 * Pure: public ids. A payment id is `pay_` and the base62 form of its Durable Object's own 256-bit id, so that an id
 * leads to its owner with no look-up; ids that the namespace did not mint are refused by the runtime when it parses the
 * hex form (https://developers.cloudflare.com/durable-objects/api/namespace/#idfromstring), before any storage.
 */
import { InvariantError } from './errors.ts';
import { CLIENT_ID_LENGTH_MAX } from './limits.ts';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const BASE = 62n;
/** ceil(256 / log2(62)): every 256-bit number fits, and the padded form has one length. */
const BASE62_LENGTH = 43;
const HEX_LENGTH = 64;

export type ObjectIdPrefix = 'pay_' | 'ref_';

/**
 * The public id of the object whose id is `hex`.
 * @throws InvariantError when `hex` is not 64 lower-case hex digits.
 */
export function publicIdFromHex(prefix: ObjectIdPrefix, hex: string): string {
  if (!OBJECT_ID_PATTERN.test(hex)) throw new InvariantError('object_id_hex', { length: hex.length });
  return prefix + base62(BigInt(`0x${hex}`));
}

/** What an id of a payment or a refund looks like; whether this namespace minted it, only the runtime can say. */
export const SAGA_ID_PATTERN = /^(?:pay|ref)_[0-9A-Za-z]{43}$/;
/** An object's own id, as the platform lists it. */
export const OBJECT_ID_PATTERN = /^[0-9a-f]{64}$/;

/** The 64 hex digits inside a public id, or null when it has another prefix, length, alphabet or range. */
export function hexFromPublicId(prefix: ObjectIdPrefix, id: string): string | null {
  const digits = id.slice(prefix.length);
  if (!id.startsWith(prefix) || digits.length !== BASE62_LENGTH) return null;
  let value = 0n;
  for (const character of digits) {
    const digit = ALPHABET.indexOf(character);
    if (digit < 0) return null;
    value = value * BASE + BigInt(digit);
  }
  const hex = value.toString(16).padStart(HEX_LENGTH, '0');
  return hex.length === HEX_LENGTH ? hex : null;
}

/** A number as 43 base62 digits; for ids that are minted from a hash as well as for object ids. */
export function base62(value: bigint): string {
  let rest = value;
  let digits = '';
  while (rest > 0n) {
    digits = ALPHABET.charAt(Number(rest % BASE)) + digits;
    rest /= BASE;
  }
  return digits.padStart(BASE62_LENGTH, '0');
}

/** Ids that clients choose (wallets, services, customers): 1–64 of letters, digits, `-`, `_`, `.`, `:`. */
export const CLIENT_ID_PATTERN = new RegExp(`^[A-Za-z0-9._:-]{1,${CLIENT_ID_LENGTH_MAX}}$`);

/** The same, but for `.` and `..`: wallets are in paths, and those are dot segments there (decision 0078). */
export const WALLET_ID_PATTERN = new RegExp(
  `^(?:[A-Za-z0-9_:-][A-Za-z0-9._:-]{0,${CLIENT_ID_LENGTH_MAX - 1}}|` +
    `\\.[A-Za-z0-9_:-][A-Za-z0-9._:-]{0,${CLIENT_ID_LENGTH_MAX - 2}}|` +
    `\\.\\.[A-Za-z0-9._:-]{1,${CLIENT_ID_LENGTH_MAX - 2}})$`,
);

/** Who a request acts for. Every object's name begins with it, so tenants and modes can never meet. */
export interface Scope {
  readonly merchant: string;
  readonly mode: 'sandbox' | 'live';
}

/**
 * The name of the object that owns an idempotency key: the key is the address.
 * The parts before the key hold no `|`, so no two scopes can make one name.
 */
export function sagaObjectName(scope: Scope, route: string, idempotencyKey: string): string {
  return `${scope.merchant}|${scope.mode}|${route}|${idempotencyKey}`;
}

/** The name of the object that owns a wallet. */
export function walletObjectName(scope: Scope, walletId: string): string {
  return `${scope.merchant}|${scope.mode}|${walletId}`;
}
