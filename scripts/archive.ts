/**
 * `npm run archive -- verify <file…>` and `npm run archive -- show <file> <payment or refund id>`: reads objects of the archive that were
 * fetched (docs/retention.md), offline. With its manifest beside it (`….manifest.json`) a file is compared with that first; each
 * payment in it always with its own tombstones. Exit code 0: all is as it should be; 1: something is not; 2: it cannot be told.
 */
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { checkSaga, type Dossier, dossierSchema, sagasOf } from '../src/domain/archive/dossier.ts';
import { linesOf, manifestKeyOf, manifestSchema, problemOfObject } from '../src/domain/archive/manifest.ts';
import { messageOf } from './command-line.ts';

const USAGE = 'npm run archive -- verify <file…> | show <file> <id>   (docs/retention.md)';

try {
  const [command, ...rest] = process.argv.slice(2);
  const [file, id] = rest;
  if (command === 'verify' && file !== undefined) for (const one of rest) named(one, verify);
  else if (command === 'show' && file !== undefined && id !== undefined) named(file, () => show(file, id));
  else throw new Error(USAGE);
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 2;
}

/** @throws what `read` does, with the file that it was reading. */
function named(file: string, read: (file: string) => void): void {
  try {
    read(file);
  } catch (error) {
    throw new Error(`${file} cannot be read as an object of the archive: ${messageOf(error)}`);
  }
}

function verify(file: string): void {
  const bytes = readFileSync(file);
  const problems: string[] = [];
  const manifestFile = manifestKeyOf(file);
  const isListed = existsSync(manifestFile);
  if (isListed) {
    const manifest = manifestSchema.parse(JSON.parse(readFileSync(manifestFile, 'utf8')));
    const problem = problemOfObject(manifest, bytes);
    if (problem !== null) {
      tell(file, '', [problem]);
      return;
    }
    const { lines } = manifest.rows;
    const found = linesOfFile(file).length;
    if (lines !== found) problems.push(`has ${found} lines, not ${lines}`);
    if (manifest.kind !== 'payments') {
      tell(file, `${found} rows, as its manifest says`, problems);
      return;
    }
  }
  const dossiers = dossiersOfFile(file);
  for (const saga of dossiers.flatMap(sagasOf)) {
    for (const { where, what } of checkSaga(saga, saga.tombstone)) problems.push(`${where}: ${what}`);
  }
  tell(file, `${dossiers.length} payments${isListed ? ', as its manifest says' : ', without a manifest'}`, problems);
}

function tell(file: string, what: string, problems: readonly string[]): void {
  if (problems.length === 0) {
    console.log(`${file}: ${what}`);
    return;
  }
  for (const problem of problems) console.log(`${file}: ${problem}`);
  process.exitCode = 1;
}

/** The payment's whole dossier, also by the id of one of its refunds. */
function show(file: string, id: string): void {
  const dossier = dossiersOfFile(file).find((one) => sagasOf(one).some(({ row }) => row.id === id));
  if (dossier === undefined) {
    console.error(`${id} is not in ${file}`);
    process.exitCode = 1;
    return;
  }
  console.log(JSON.stringify(dossier, null, 2));
}

function linesOfFile(file: string): unknown[] {
  return linesOf(gunzipSync(readFileSync(file)).toString('utf8'));
}

function dossiersOfFile(file: string): Dossier[] {
  return dossierSchema.array().parse(linesOfFile(file));
}
