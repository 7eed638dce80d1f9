/**
 * The real promtool, for tests: the one on the PATH, or the one of Debian's package `prometheus`, taken out of it into a folder
 * of the system's temporary ones and kept there. Installs nothing, and needs no rights. Null, with the reason, where neither can
 * be had: the tests that need it are then skipped, and say so.
 */
import { execFile } from 'node:child_process';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const DOWNLOAD_TIMEOUT_MS = 90_000;
const KEPT_IN = join(tmpdir(), 'holdfast-promtool');

export type Promtool = { readonly path: string } | { readonly path: null; readonly reason: string };

export async function findPromtool(): Promise<Promtool> {
  const kept = join(KEPT_IN, 'usr/bin/promtool');
  for (const path of ['promtool', kept]) {
    if (await works(path)) return { path };
  }
  try {
    await unpack();
  } catch (error) {
    return { path: null, reason: `promtool cannot be had here: ${error instanceof Error ? error.message : error}` };
  }
  return (await works(kept)) ? { path: kept } : { path: null, reason: 'the promtool of the package does not run here' };
}

async function works(path: string): Promise<boolean> {
  try {
    await run(path, ['--version']);
    return true;
  } catch {
    // Not there, or not for this machine: the next one is tried.
    return false;
  }
}

/** Into a folder of its own first: two that do this at once do not meet, and half a package is never found. */
async function unpack(): Promise<void> {
  const folder = `${KEPT_IN}-${process.pid}`;
  await mkdir(folder, { recursive: true });
  try {
    await run('apt-get', ['download', 'prometheus'], { cwd: folder, timeout: DOWNLOAD_TIMEOUT_MS });
    const [archive] = (await readdir(folder)).filter((name) => name.endsWith('.deb'));
    if (archive === undefined) throw new Error('apt-get brought no package');
    const unpacked = join(folder, 'unpacked');
    await run('dpkg-deb', ['-x', join(folder, archive), unpacked], { timeout: DOWNLOAD_TIMEOUT_MS });
    await rm(KEPT_IN, { recursive: true, force: true });
    await rename(unpacked, KEPT_IN);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
