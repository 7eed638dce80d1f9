/**
 * Pure: one byte form for a JSON value (RFC 8785, by the `canonicalize` library) and its SHA-256 (`@noble/hashes`:
 * synchronous, so that a hash can be taken inside a storage transaction; decision 0004).
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import canonicalize from 'canonicalize';
import { InvariantError } from './errors.ts';

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/**
 * The canonical JSON text of `value`; members that are `undefined` are left out, as `JSON.stringify` does.
 * @throws InvariantError when `value` has no JSON form: not a number, infinite, half of a surrogate pair, a function.
 */
export function canonicalJson(value: unknown): string {
  const text = canonicalOrUndefined(value);
  if (text === undefined) throw new InvariantError('canonical_json', { type: typeof value });
  return text;
}

function canonicalOrUndefined(value: unknown): string | undefined {
  try {
    return canonicalize(value);
  } catch {
    // The library throws for values that RFC 8785 excludes, and for nothing else; its message may quote the value.
    return undefined;
  }
}

/** SHA-256 of a UTF-8 text, as 64 hex digits. */
export function sha256Hex(text: string): string {
  return bytesToHex(sha256(utf8ToBytes(text)));
}
