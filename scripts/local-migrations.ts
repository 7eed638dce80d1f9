/**
 * Brings a local D1 up to date: `node scripts/local-migrations.ts STATE`, the directory that `wrangler dev --persist-to` takes. In one start of
 * the runtime: `wrangler d1 migrations apply --local` makes one for each file, a second each. The same statements, as the tests read them, and the same
 * table of what is applied, so that either can go on where the other has stopped. A migration that fails leaves nothing of itself, and ends
 * the process with 1 and what to do.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readD1Migrations } from '@cloudflare/vitest-plugin';
import type { D1Database } from '@cloudflare/workers-types';
import { parse } from 'smol-toml';
import { getPlatformProxy } from 'wrangler';
import { messageOf } from './command-line.ts';
import { ROOT } from './local-worker.ts';

const [state] = process.argv.slice(2);
if (state === undefined) throw new Error('node scripts/local-migrations.ts STATE');

const directory = mkdtempSync(join(tmpdir(), 'holdfast-migrations-'));
try {
  await bringUpToDate(state);
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}

async function bringUpToDate(of: string): Promise<void> {
  // The database alone: with the whole configuration wrangler would warn that the objects are not there.
  const { name, compatibility_date, d1_databases } = parse(readFileSync(join(ROOT, 'wrangler.toml'), 'utf8'));
  const configPath = join(directory, 'wrangler.json');
  writeFileSync(configPath, JSON.stringify({ name, compatibility_date, d1_databases }));
  const { env, dispose } = await getPlatformProxy<{ DB: D1Database }>({
    configPath,
    persist: { path: join(of, 'v3') },
    remoteBindings: false,
  });
  try {
    await applyAll(env.DB);
  } finally {
    await dispose();
  }
}

async function applyAll(db: D1Database): Promise<void> {
  await db
    .prepare(
      `CREATE TABLE IF NOT EXISTS d1_migrations (
         id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
       )`,
    )
    .run();
  const { results } = await db.prepare('SELECT name FROM d1_migrations').all<{ name: string }>();
  const applied = new Set(results.map(({ name }) => name));
  for (const { name, queries } of await readD1Migrations(join(ROOT, 'migrations'))) {
    if (applied.has(name)) continue;
    try {
      await db.batch([
        ...queries.map((query) => db.prepare(query)),
        db.prepare('INSERT INTO d1_migrations (name) VALUES (?)').bind(name),
      ]);
    } catch (error) {
      throw new Error(
        `${name} cannot be applied to the state in ${state}: ${messageOf(error)}\n` +
          `It has left nothing of itself. A state of another version of the code: delete that folder, or give another one (--persist-to DIR).`,
      );
    }
  }
}
