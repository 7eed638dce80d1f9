/**
 * HMAC-SHA-256 over a callback's raw bytes with the time of signing, in the header form `t=<seconds>,v1=<hex>`: the
 * scheme that Stripe publishes and others follow (https://docs.stripe.com/webhooks#verify-manually). WebCrypto compares
 * in constant time. Used by adapters; the sandbox providers sign with the same code.
 */
import { bytesToHex, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { CALLBACK_WINDOW_MS } from './limits.ts';

/** More `v1` values than a rotation of secrets needs are not looked at. */
const SIGNATURES_MAX = 5;

export type SignatureCheck = 'valid' | 'signature_missing' | 'signature_mismatch' | 'timestamp_out_of_window';

/** The header's value for `body`, signed at `atSeconds` since the epoch. */
export async function signCallback(secret: string, atSeconds: number, body: Uint8Array<ArrayBuffer>): Promise<string> {
  const key = await hmacKey(secret, 'sign');
  const mac = await crypto.subtle.sign('HMAC', key, signedBytes(String(atSeconds), body));
  return `t=${atSeconds},v1=${bytesToHex(new Uint8Array(mac))}`;
}

/**
 * Checks, in order: a time and at least one signature are there → one of the signatures is right → the time is within
 * CALLBACK_WINDOW_MS of `nowMs`, either way. The time is judged last: before the signature is right it is anybody's.
 */
export async function checkSignature(
  header: string | null,
  body: Uint8Array<ArrayBuffer>,
  secret: string,
  nowMs: number,
): Promise<SignatureCheck> {
  const parts = (header ?? '').split(',').map((part) => part.trim());
  const signedAt = parts.find((part) => /^t=\d{1,12}$/.test(part))?.slice(2);
  const macs = parts.filter((part) => /^v1=[0-9a-f]{64}$/.test(part)).slice(0, SIGNATURES_MAX);
  if (signedAt === undefined || macs.length === 0) return 'signature_missing';
  const key = await hmacKey(secret, 'verify');
  const bytes = signedBytes(signedAt, body);
  const checks = macs.map((mac) => crypto.subtle.verify('HMAC', key, hexToBytes(mac.slice(3)), bytes));
  if (!(await Promise.all(checks)).includes(true)) return 'signature_mismatch';
  return Math.abs(nowMs - Number(signedAt) * 1_000) <= CALLBACK_WINDOW_MS ? 'valid' : 'timestamp_out_of_window';
}

function hmacKey(secret: string, usage: 'sign' | 'verify'): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', utf8ToBytes(secret), { name: 'HMAC', hash: 'SHA-256' }, false, [usage]);
}

function signedBytes(signedAt: string, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const prefix = utf8ToBytes(`${signedAt}.`);
  const bytes = new Uint8Array(prefix.length + body.length);
  bytes.set(prefix);
  bytes.set(body, prefix.length);
  return bytes;
}
