/**
 * A local state with every migration applied, as local-migrations.ts makes it: made once of the same migrations and kept in dist, since
 * to start a runtime for it takes longer than most of what a Worker is then asked. Called by local-worker.ts, for states that are new.
 */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** What says which database, and what makes its files. */
const FILES = ['wrangler.toml', 'package-lock.json', 'scripts/local-migrations.ts'];

/** @param migrate brings a new state up to date. @throws what it does. */
export async function copyMigratedState(to: string, migrate: (state: string) => Promise<void>): Promise<void> {
  const kept = join(ROOT, `dist/migrated-${stampOfSources()}`);
  if (!existsSync(kept)) await make(kept, migrate);
  cpSync(kept, to, { recursive: true });
}

/** Beside its place first: half a state is never copied. */
async function make(kept: string, migrate: (state: string) => Promise<void>): Promise<void> {
  const making = `${kept}-${process.pid}`;
  mkdirSync(making, { recursive: true });
  try {
    await migrate(making);
    renameSync(making, kept);
  } catch (error) {
    // Another process was faster: of the same migrations.
    if (!existsSync(kept)) throw error;
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
}

function stampOfSources(): string {
  const hash = createHash('sha256');
  const migrations = readdirSync(join(ROOT, 'migrations')).sort();
  for (const file of [...migrations.map((name) => join('migrations', name)), ...FILES]) {
    hash
      .update(file)
      .update('\0')
      .update(readFileSync(join(ROOT, file)))
      .update('\0');
  }
  return hash.digest('hex').slice(0, 16);
}
