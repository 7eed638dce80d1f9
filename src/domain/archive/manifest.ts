/**
 * Pure: what an object of the archive is called, what its manifest says, and whether an object is what its manifest says.
 * The name follows from the keys of its rows, so that an archiving that is begun again writes the same object again. Called by
 * the archiver, by the auditor, and by `npm run archive`.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { z } from 'zod';
import { canonicalJson, sha256Hex } from '../canonical.ts';

export const ARCHIVE_KINDS = ['payments', 'provider_callbacks', 'dead_letters'] as const;
export type ArchiveKind = (typeof ARCHIVE_KINDS)[number];

export const manifestSchema = z.strictObject({
  format: z.literal(1),
  object_key: z.string(),
  kind: z.enum(ARCHIVE_KINDS),
  /** How many lines it has, and of payments how many rows of each table are in them. */
  rows: z.record(z.string(), z.number().int()),
  first_key: z.string(),
  last_key: z.string(),
  /** RFC 3339: the last change among them. */
  newest_at: z.string(),
  bytes: z.number().int(),
  /** Of the object as it is stored, compressed. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type Manifest = z.infer<typeof manifestSchema>;

const SUFFIX = '.ndjson.gz';

/**
 * `{kind}/{owner}/{day}/{hash of the keys}.ndjson.gz`: by owner, so that what is one merchant's can be found, kept and erased
 * together; by the day of the first row, so that a person finds a payment without an index.
 */
export function objectKeyOf(
  kind: ArchiveKind,
  owner: { readonly merchant: string; readonly mode: string } | null,
  firstAtMs: number,
  keys: readonly unknown[],
): string {
  const folder = owner === null ? 'all' : `${owner.mode}/${encodeURIComponent(owner.merchant)}`;
  const day = new Date(firstAtMs).toISOString().slice(0, 10);
  return `${kind}/${folder}/${day}/${sha256Hex(canonicalJson(keys)).slice(0, 32)}${SUFFIX}`;
}

export function manifestKeyOf(objectKey: string): string {
  return `${objectKey.slice(0, -SUFFIX.length)}.manifest.json`;
}

/** What is wrong with the bytes of an object; null: they are what the manifest says. */
export function problemOfObject(manifest: Manifest, bytes: Uint8Array): string | null {
  if (bytes.length !== manifest.bytes) return `has ${bytes.length} bytes, not ${manifest.bytes}`;
  return bytesToHex(sha256(bytes)) === manifest.sha256 ? null : 'has another hash than its manifest says';
}

export function ndjsonOf(lines: readonly unknown[]): string {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}

/** @throws where a line is no JSON. */
export function linesOf(ndjson: string): unknown[] {
  return ndjson
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
}
