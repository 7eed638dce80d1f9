/**
 * Writes objects of the archive (R2) and reads them back: an object counts as written only when what is read is what was
 * meant. Compressed NDJSON, with a manifest beside it. Asks D1 nothing. Called by the rest of the archiver and by the auditor.
 */

import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { type Dossier, dossierSchema } from '../domain/archive/dossier.ts';
import { linesOf, type Manifest, manifestKeyOf, ndjsonOf, problemOfObject } from '../domain/archive/manifest.ts';
import { InvariantError } from '../domain/errors.ts';
import type { Archive } from '../read-model/archives.ts';

/** All of a manifest but what follows from the bytes. */
export type Described = Omit<Manifest, 'bytes' | 'sha256'>;

/**
 * Writes the object, reads it back, then writes the manifest. The same again writes the same again.
 * @throws what R2 throws, and InvariantError where it does not give back what it took; nothing may be deleted then.
 */
export async function shelve(bucket: R2Bucket, described: Described, lines: readonly unknown[]): Promise<Manifest> {
  const bytes = await gzip(ndjsonOf(lines));
  const digest = bytesToHex(sha256(bytes));
  const manifest: Manifest = { ...described, bytes: bytes.length, sha256: digest };
  await bucket.put(described.object_key, bytes, {
    sha256: digest,
    httpMetadata: { contentType: 'application/gzip' },
  });
  await readBytes(bucket, manifest);
  await bucket.put(manifestKeyOf(described.object_key), JSON.stringify(manifest, null, 2), {
    httpMetadata: { contentType: 'application/json' },
  });
  return manifest;
}

/** The lines of an object, once its bytes are what the manifest says. @throws InvariantError where they are not. */
export async function readShelved(bucket: R2Bucket, manifest: Manifest): Promise<unknown[]> {
  return linesOf(await gunzip(await readBytes(bucket, manifest)));
}

/** The payments of an object, which is what its manifest says. @throws InvariantError where it is not. */
export async function dossiersOf(bucket: R2Bucket, { objectKey, manifest }: Archive): Promise<Dossier[]> {
  if (manifest === null) throw new InvariantError('archive_manifest', { object_key: objectKey });
  return dossierSchema.array().parse(await readShelved(bucket, manifest));
}

async function readBytes(bucket: R2Bucket, manifest: Manifest): Promise<Uint8Array> {
  const object = await bucket.get(manifest.object_key);
  const bytes = object === null ? null : new Uint8Array(await object.arrayBuffer());
  const problem = bytes === null ? 'is not there' : problemOfObject(manifest, bytes);
  if (bytes === null || problem !== null) {
    throw new InvariantError('archive_object', { object_key: manifest.object_key, problem });
  }
  return bytes;
}

async function gzip(text: string): Promise<Uint8Array> {
  const compressed = new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'));
  return new Uint8Array(await new Response(compressed).arrayBuffer());
}

async function gunzip(bytes: Uint8Array): Promise<string> {
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))).text();
}
