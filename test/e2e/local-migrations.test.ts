/**
 * What brings a local database up to date (scripts/local-migrations.ts) leaves it as wrangler would: either goes on after the other. What it
 * cannot apply `npm run dev` names.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, expect, test } from 'vitest';
import { applyMigrations, ROOT, WRANGLER, WRANGLER_ENV } from '../../scripts/local-worker.ts';
import { copyMigratedState } from '../../scripts/migrated-state.ts';

const state = mkdtempSync(join(tmpdir(), 'holdfast-migrations-'));
afterAll(() => rmSync(state, { recursive: true, force: true }));

function run(...args: string[]): { readonly code: number | null; readonly output: string } {
  const env = { ...process.env, ...WRANGLER_ENV };
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, env, encoding: 'utf8' });
  return { code: status, output: stdout + stderr };
}

/** Nobody has the state's database open. */
function sql(text: string): unknown[] {
  const files = globSync(join(state, 'v3/d1/miniflare-D1DatabaseObject/*.sqlite'));
  const [file] = files.filter((each) => !each.endsWith('metadata.sqlite'));
  const db = new DatabaseSync(file ?? '');
  try {
    return db.prepare(text).all();
  } finally {
    db.close();
  }
}

test('all are applied, wrangler knows of each, and a second time changes nothing', async () => {
  await copyMigratedState(state, applyMigrations);
  await applyMigrations(state);
  expect(run(WRANGLER, 'd1', 'migrations', 'list', 'DB', '--local', '--persist-to', state)).toMatchObject({
    code: 0,
    output: expect.stringContaining('No migrations to apply'),
  });
  const files = readdirSync(join(ROOT, 'migrations')).length;
  expect(sql('SELECT COUNT(*) AS n FROM d1_migrations')).toEqual([{ n: files }]);
});

test('one that cannot be applied is named by `npm run dev`, with the state and the way out', () => {
  // As a state of other code: it has the tables, and does not know that the last migration made them.
  sql('DELETE FROM d1_migrations WHERE id = (SELECT max(id) FROM d1_migrations)');
  const { code, output } = run('scripts/dev.ts', '--persist-to', state);
  expect(code).toBe(1);
  expect(output).toMatch(/^\d{4}_\w+\.sql cannot be applied to the state in /m);
  expect(output).toContain(state);
  expect(output).toContain('delete that folder, or give another one (--persist-to DIR)');
  expect(output).not.toContain('    at ');
  expect(existsSync(join(state, 'dev.lock'))).toBe(false);
});
