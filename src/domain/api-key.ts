/**
 * Pure: what an API key is made of and what it may do: its text, its id, the HMAC that is stored instead of its secret, and
 * the bootstrap token that stands in for the first key. Comparing is the caller's, in constant time; chance and the clock are
 * the caller's too. Called by HTTP, by the key's object and by scripts/keys.ts (decision 0070).
 */
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { InvariantError } from './errors.ts';
import { base62, type Scope } from './ids.ts';
import { API_KEY_RANDOM_BYTES } from './limits.ts';

/** What a key can be allowed to do; each route names the one that it needs (src/http/security.ts). */
export const KEY_SCOPES = ['payments:write', 'payments:read', 'wallets:write', 'webhooks', 'ops'] as const;
export type KeyScope = (typeof KEY_SCOPES)[number];

/** `platform`: a key that belongs to no merchant, but to whoever runs the deployment. */
export type Role = KeyScope | 'platform';

/** What a platform key may have: with no merchant there are no payments, no wallets and no endpoints of its own. */
export const PLATFORM_SCOPES: readonly KeyScope[] = ['ops'];

/** Stands for a merchant where there is none. No merchant's id: the alphabet of ids has no asterisk. */
export const PLATFORM_MERCHANT = '*';

/** Whose things an operator sees and changes. */
export interface Purview {
  /** null: every merchant's. */
  readonly merchant: string | null;
  readonly mode: Scope['mode'];
  /** Also what belongs to nobody, since nobody could read whose it is: it may hold anything of any merchant. */
  readonly isPlatform: boolean;
}

// ── The key ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** 22 base62 digits hold 128 bits. */
const ID_DIGITS = 22;
/** 43 base62 digits hold the 256 bits of the secret. */
const SECRET_DIGITS = 43;
/** Of the HMAC, in the key itself: 47 bits that who has not API_KEY_SECRET cannot make. */
const CHECK_DIGITS = 8;
const CHECK_BYTES = 8;

export const API_KEY_ID_PATTERN = /^ak_[0-9A-Za-z]{22}$/;
/** No underscore is in base62: the parts cannot run into each other. */
const KEY_PATTERN = new RegExp(
  `^hf_(sandbox|live)_([0-9A-Za-z]{${ID_DIGITS}})_([0-9A-Za-z]{${SECRET_DIGITS}})([0-9A-Za-z]{${CHECK_DIGITS}})$`,
);

/** @param random 128 bits of chance. */
export function apiKeyId(random: bigint): string {
  return `ak_${base62(BigInt.asUintN(128, random)).slice(-ID_DIGITS)}`;
}

/** The name of the object that owns a key. */
export function apiKeyObjectName(mode: Scope['mode'], id: string): string {
  return `${mode}|${id}`;
}

export interface ParsedApiKey {
  readonly mode: Scope['mode'];
  readonly id: string;
  readonly secret: string;
  /** What the key says that its HMAC begins with: compared before any object is asked. */
  readonly check: string;
}

/**
 * The text of a new key, and the HMAC to store of it.
 * @param pepper API_KEY_SECRET.
 * @param random API_KEY_RANDOM_BYTES of chance.
 * @throws InvariantError for any other number of bytes.
 */
export function mintApiKey(
  pepper: string,
  mode: Scope['mode'],
  id: string,
  random: Uint8Array,
): { readonly key: string; readonly mac: Uint8Array<ArrayBuffer> } {
  if (random.length !== API_KEY_RANDOM_BYTES) throw new InvariantError('api_key_random', { length: random.length });
  const secret = base62(BigInt(`0x${bytesToHex(random)}`));
  const mac = apiKeyMac(pepper, { mode, id, secret });
  return { key: `hf_${mode}_${id.slice('ak_'.length)}_${secret}${checkOf(mac)}`, mac };
}

/** The parts of a key, or null for a text that is none. */
export function parseApiKey(text: string): ParsedApiKey | null {
  const [, mode, id, secret, check] = KEY_PATTERN.exec(text) ?? [];
  if ((mode !== 'sandbox' && mode !== 'live') || secret === undefined || check === undefined) return null;
  return { mode, id: `ak_${id}`, secret, check };
}

/** HMAC-SHA-256 under API_KEY_SECRET of everything that makes a key: all that is stored of it. */
export function apiKeyMac(
  pepper: string,
  { mode, id, secret }: Pick<ParsedApiKey, 'mode' | 'id' | 'secret'>,
): Uint8Array<ArrayBuffer> {
  return macOf(pepper, ['holdfast api key', mode, id, secret]);
}

/** The digits that a key with this HMAC ends with. */
export function checkOf(mac: Uint8Array): string {
  return base62(BigInt(`0x${bytesToHex(mac.subarray(0, CHECK_BYTES))}`)).slice(-CHECK_DIGITS);
}

// ── The bootstrap token ──────────────────────────────────────────────────────────────────────────────────────────────

/** How old a token may be, and how far ahead the clock of who made it: 300 s from the first moment to the last. */
const BOOTSTRAP_AGE_MAX_SECONDS = 240;
const BOOTSTRAP_AHEAD_MAX_SECONDS = 60;
const BOOTSTRAP_PATTERN = /^hfboot_([0-9]{1,11})_([0-9a-f]{64})$/;

export interface ParsedBootstrapToken {
  readonly atSeconds: number;
  readonly mac: Uint8Array;
}

/**
 * What who knows API_KEY_SECRET shows instead of a key, for the first one. For one host: a token that was sent to a wrong
 * address is worth nothing at the right one.
 */
export function bootstrapToken(pepper: string, host: string, atSeconds: number): string {
  return `hfboot_${atSeconds}_${bytesToHex(bootstrapMac(pepper, host, atSeconds))}`;
}

/** The parts of a token, or null for a text that is none. */
export function parseBootstrapToken(text: string): ParsedBootstrapToken | null {
  const [, atSeconds, mac] = BOOTSTRAP_PATTERN.exec(text) ?? [];
  return mac === undefined ? null : { atSeconds: Number(atSeconds), mac: hexToBytes(mac) };
}

export function bootstrapMac(pepper: string, host: string, atSeconds: number): Uint8Array<ArrayBuffer> {
  return macOf(pepper, ['holdfast bootstrap', host, String(atSeconds)]);
}

export function isBootstrapTimely(atSeconds: number, nowMs: number): boolean {
  const ageSeconds = nowMs / 1_000 - atSeconds;
  return ageSeconds <= BOOTSTRAP_AGE_MAX_SECONDS && ageSeconds >= -BOOTSTRAP_AHEAD_MAX_SECONDS;
}

/** No part holds a line break: two lists of parts never make one text. */
function macOf(pepper: string, parts: readonly string[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(hmac(sha256, utf8ToBytes(pepper), utf8ToBytes(parts.join('\n'))));
}
