/**
 * Pure: the idempotency key's grammar, the fingerprint of a request, and which fields of two requests differ.
 * Source: draft-ietf-httpapi-idempotency-key-header-07, RFC 8785; the decision table is in docs/idempotency.md.
 */
import { canonicalJson, sha256Hex } from './canonical.ts';
import { IDEMPOTENCY_KEY_LENGTH_MAX } from './limits.ts';

/** Accepted header names, first the standard one. Two that are present must agree. */
export const IDEMPOTENCY_KEY_HEADERS = ['idempotency-key', 'x-idempotent-key', 'x-idempotency-key'] as const;

export type IdempotencyKeyResult =
  | { readonly ok: true; readonly key: string }
  | {
      readonly ok: false;
      readonly code: 'idempotency_key_missing' | 'idempotency_key_invalid';
      readonly detail: string;
    };

/**
 * Reads the key out of the header values found (null where a header is absent). Checks, in order:
 * one is present → each is 1–255 visible ASCII characters once unquoted → all that are present agree.
 * The quoted form of the IETF draft (`"abc"`, with `\"` and `\\`) and the bare form are the same key.
 */
export function readIdempotencyKey(values: readonly (string | null)[]): IdempotencyKeyResult {
  const present = values.filter((value): value is string => value !== null);
  const [first, ...others] = present.map(unquote);
  if (first === undefined) {
    return refuse('idempotency_key_missing', `Send a unique ${IDEMPOTENCY_KEY_HEADERS[0]} header with this request.`);
  }
  if (!isKey(first) || !others.every(isKey)) {
    return refuse(
      'idempotency_key_invalid',
      `The key must be 1 to ${IDEMPOTENCY_KEY_LENGTH_MAX} visible ASCII characters.`,
    );
  }
  if (others.some((other) => other !== first)) {
    return refuse('idempotency_key_invalid', 'Two idempotency key headers have different values.');
  }
  return { ok: true, key: first };
}

function refuse(code: 'idempotency_key_missing' | 'idempotency_key_invalid', detail: string): IdempotencyKeyResult {
  return { ok: false, code, detail };
}

function unquote(value: string): string | null {
  if (!value.startsWith('"')) return value;
  const inner = /^"((?:[^"\\]|\\["\\])*)"$/.exec(value)?.[1];
  return inner === undefined ? null : inner.replaceAll(/\\(["\\])/g, '$1');
}

function isKey(value: string | null): value is string {
  return value !== null && value.length <= IDEMPOTENCY_KEY_LENGTH_MAX && /^[\x21-\x7e]+$/.test(value);
}

/** SHA-256 over the canonical JSON of a validated body with its defaults applied: formatting and order do not count. */
export function fingerprint(body: unknown): string {
  return sha256Hex(canonicalJson(body));
}

/** JSON pointers of the top-level fields in which two bodies differ, sorted; names only, never values. */
export function differingFields(
  stored: Readonly<Record<string, unknown>>,
  sent: Readonly<Record<string, unknown>>,
): string[] {
  const names = new Set([...Object.keys(stored), ...Object.keys(sent)]);
  return [...names]
    .filter((name) => fieldJson(stored, name) !== fieldJson(sent, name))
    .map((name) => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`)
    .sort();
}

/** Own members only: a field may be called `constructor`. */
function fieldJson(body: Readonly<Record<string, unknown>>, name: string): string | undefined {
  return Object.hasOwn(body, name) && body[name] !== undefined ? canonicalJson(body[name]) : undefined;
}
