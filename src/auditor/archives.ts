/**
 * Audits one object of the archive: that it is what its manifest says, the record's and the one beside it, that it has the rows that it
 * was planned for, and that each payment in it is what the tombstone in its own object proves. Reads only. Called by the walk.
 */

import { dossiersOf, readShelved } from '../archiver/shelf.ts';
import { checkSaga, countsOfRuns, sagasOf } from '../domain/archive/dossier.ts';
import { type Manifest, manifestKeyOf } from '../domain/archive/manifest.ts';
import { type Finding, Findings } from '../domain/audit/finding.ts';
import { canonicalJson } from '../domain/canonical.ts';
import { toTimestamp } from '../domain/events/envelope.ts';
import { type Archive, archiveCounts, archivesAfter } from '../read-model/archives.ts';
import { sagaStub } from '../stubs.ts';

export interface ArchivePage {
  readonly checked: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
  /** Null: there is no object after this one. */
  readonly lastId: number | null;
}

/** The first object after this id. One that is planned only has nothing to check yet. */
export async function auditArchive(env: Env, afterId: number): Promise<ArchivePage> {
  const [archive] = await archivesAfter(env.DB, afterId, 1);
  if (archive === undefined) return { checked: { archives: 0 }, findings: [], lastId: null };
  if (archive.manifest === null) return { checked: { planned: 1 }, findings: [], lastId: archive.id };
  const where = `archive ${archive.objectKey}`;
  try {
    const { lines, findings } = await contents(env, archive, archive.manifest, where);
    return { checked: { archives: 1, lines }, findings, lastId: archive.id };
  } catch (error) {
    const what = `cannot be read: ${error instanceof Error ? error.message : 'unknown'}`;
    return { checked: { archives: 1 }, findings: [{ where, rule: 'archive', what }], lastId: archive.id };
  }
}

async function contents(env: Env, archive: Archive, manifest: Manifest, where: string) {
  const found = new Findings(where);
  const { kind, object_key: objectKey, newest_at: newestAt } = manifest;
  const isEntered =
    kind === archive.kind && objectKey === archive.objectKey && newestAt === toTimestamp(archive.newestAtMs);
  found.expect(isEntered, 'archive', 'is entered otherwise than its manifest says');
  const beside = await (await env.ARCHIVE.get(manifestKeyOf(objectKey)))?.text();
  const isBeside = beside !== undefined && canonicalJson(JSON.parse(beside)) === canonicalJson(manifest);
  found.expect(isBeside, 'archive', 'has another manifest beside it, or none');
  if (kind !== 'payments') {
    const lines = await readShelved(env.ARCHIVE, manifest);
    found.expect(lines.length === archive.keys.length, 'archive', 'has another number of lines than was planned');
    return { lines: lines.length, findings: found.all };
  }
  const dossiers = await dossiersOf(env.ARCHIVE, archive);
  const ids = dossiers.map(({ payment }) => payment.row.id);
  found.expect(canonicalJson(ids) === canonicalJson(archive.keys), 'archive', 'has other payments than were planned');
  const counts = await archiveCounts(env.DB, archive.id);
  const isCounted = canonicalJson(countsOfRuns(dossiers)) === canonicalJson(counts);
  found.expect(isCounted, 'counter', 'is noted to have moved the counters otherwise than its events did');
  const proofs = await Promise.all(
    dossiers.flatMap(sagasOf).map(async (saga): Promise<readonly Finding[]> => {
      const stored = await sagaStub(env, saga.row.id)?.storedCommits(0);
      if (stored?.tombstone != null) return checkSaga(saga, stored.tombstone);
      return [{ where: saga.row.id, rule: 'archive', what: 'was archived, and its object has no tombstone' }];
    }),
  );
  return { lines: dossiers.length, findings: [...found.all, ...proofs.flat()] };
}
