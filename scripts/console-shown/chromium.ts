/**
 * A real Chromium, for tests and screenshots: the one on the PATH, or the one of Debian's package `chromium`, taken out of it,
 * with the libraries of its dependencies that are missing here, into a folder of the system's temporary ones and kept there.
 * Installs nothing, and needs no rights. Null, with the reason, where neither can be had: what needs it is then skipped, and
 * says so.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** 110 MB. */
const DOWNLOAD_TIMEOUT_MS = 120_000;
const KEPT_IN = join(tmpdir(), 'holdfast-chromium');

export interface Chromium {
  readonly path: string;
  /** Where the libraries and fonts of the package are, added to our own. */
  readonly env: Record<string, string>;
}
export type FoundChromium = Chromium | { readonly path: null; readonly reason: string };

export async function findChromium(): Promise<FoundChromium> {
  const kept = unpackedIn(KEPT_IN);
  for (const chromium of [{ path: 'chromium', env: ownEnv() }, kept]) {
    const path = await works(chromium);
    if (path !== null) return { ...chromium, path };
  }
  try {
    await unpack();
  } catch (error) {
    return { path: null, reason: `chromium cannot be had here: ${error instanceof Error ? error.message : error}` };
  }
  const path = await works(kept);
  return path === null ? { path: null, reason: 'the chromium of the package does not run here' } : { ...kept, path };
}

function ownEnv(): Record<string, string> {
  const env = { ...process.env };
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

function unpackedIn(folder: string): Chromium {
  const libraries = join(folder, 'usr/lib/x86_64-linux-gnu');
  const env = {
    ...ownEnv(),
    LD_LIBRARY_PATH: [libraries, join(libraries, 'pulseaudio'), join(folder, 'lib/x86_64-linux-gnu')].join(':'),
    // A machine's own fonts are good enough, where it has any.
    ...(!existsSync('/etc/fonts/fonts.conf') && { FONTCONFIG_FILE: join(folder, 'fonts.conf') }),
  };
  return { path: join(folder, 'usr/lib/chromium/chromium'), env };
}

/** Its path, absolute where it was looked up; null: not there, or not for this machine. */
async function works({ path, env }: Chromium): Promise<string | null> {
  try {
    const found = path.includes('/') ? path : (await run('sh', ['-c', `command -v ${path}`])).stdout.trim();
    await run(found, ['--version'], { env });
    return found;
  } catch {
    // The next one is tried.
    return null;
  }
}

/** Into a folder of its own first: two that do this at once do not meet, and half a package is never found. */
async function unpack(): Promise<void> {
  const folder = `${KEPT_IN}-${process.pid}`;
  await mkdir(folder, { recursive: true });
  try {
    // What an installation would bring, without making one: names after "Inst".
    const { stdout } = await run('apt-get', [
      '-s',
      'install',
      '--no-install-recommends',
      'chromium',
      'fonts-dejavu-core',
    ]);
    const names = [...stdout.matchAll(/^Inst (\S+)/gm)].map(([, name]) => name ?? '');
    if (!names.includes('chromium')) throw new Error('apt-get knows no package chromium');
    await run('apt-get', ['download', ...names], { cwd: folder, timeout: DOWNLOAD_TIMEOUT_MS });
    const unpacked = join(folder, 'unpacked');
    for (const name of await readdir(folder)) {
      if (name.endsWith('.deb')) await run('dpkg-deb', ['-x', join(folder, name), unpacked]);
    }
    await writeFile(join(unpacked, 'fonts.conf'), fontsConfiguration());
    await rm(KEPT_IN, { recursive: true, force: true });
    await rename(unpacked, KEPT_IN);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function fontsConfiguration(): string {
  const prefer = (family: string, font: string) =>
    `<alias><family>${family}</family><prefer><family>${font}</family></prefer></alias>`;
  const aliases = [
    prefer('sans-serif', 'DejaVu Sans'),
    prefer('system-ui', 'DejaVu Sans'),
    prefer('monospace', 'DejaVu Sans Mono'),
  ];
  return `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
<dir>${join(KEPT_IN, 'usr/share/fonts')}</dir><cachedir>${join(KEPT_IN, 'fonts-cache')}</cachedir>${aliases.join('')}
</fontconfig>
`;
}
