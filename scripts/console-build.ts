/**
 * Builds the operations console (console/) into dist/assets/console with Vite, when what it is made of has changed: its own
 * sources, the module that it shares with the Worker, and the versions of what it is built with. Called by assets.ts.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TARGET = join(ROOT, 'dist/assets/console');
/** Not among the assets: it is nobody's business. */
const STAMP = join(ROOT, 'dist/console.stamp');
/** Types alone are imported from elsewhere, and leave nothing in the build. */
const SHARED = ['src/domain/money.ts', 'src/domain/errors.ts', 'src/domain/limits.ts'];
const FILES = [...SHARED, 'package-lock.json', 'scripts/console-build.ts'];

export function buildConsole(): void {
  const stamp = stampOfSources();
  if (existsSync(join(TARGET, 'index.html')) && existsSync(STAMP) && readFileSync(STAMP, 'utf8') === stamp) return;
  // Beside the target first: two that build at once do not meet, and half a build is never served.
  const building = join(ROOT, `dist/console-${process.pid}`);
  const replaced = `${building}-replaced`;
  const vite = join(ROOT, 'node_modules/vite/bin/vite.js');
  mkdirSync(building, { recursive: true });
  try {
    execFileSync(process.execPath, [vite, 'build', '--outDir', building, '--emptyOutDir', '--logLevel', 'error'], {
      cwd: join(ROOT, 'console'),
      // A test runner's NODE_ENV would bring React's development build.
      env: { ...process.env, NODE_ENV: 'production' },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    if (existsSync(TARGET)) renameSync(TARGET, replaced);
    renameSync(building, TARGET);
    writeFileSync(STAMP, stamp);
  } catch (error) {
    // Another process has put its build there in between: of the same sources, or the next start finds the stamp stale.
    if (!isTargetTaken(error)) throw error;
  } finally {
    rmSync(building, { recursive: true, force: true });
    rmSync(replaced, { recursive: true, force: true });
  }
}

function isTargetTaken(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return (code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'ENOENT') && existsSync(TARGET);
}

function stampOfSources(): string {
  const hash = createHash('sha256');
  const files = readdirSync(join(ROOT, 'console'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  for (const file of [...files.sort(), ...FILES.map((name) => join(ROOT, name))]) {
    hash.update(file.slice(ROOT.length)).update('\0').update(readFileSync(file)).update('\0');
  }
  return hash.digest('hex');
}
