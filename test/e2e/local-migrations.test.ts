// What brings a local database up to date (scripts/local-migrations.ts) leaves it as wrangler would: either goes on after the other.
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { applyMigrations, ROOT, WRANGLER, WRANGLER_ENV } from '../../scripts/local-worker.ts';

const state = mkdtempSync(join(tmpdir(), 'holdfast-migrations-'));
afterAll(() => rmSync(state, { recursive: true, force: true }));

async function wrangler(...args: string[]): Promise<string> {
  const at = ['--local', '--persist-to', state];
  const { stdout } = await promisify(execFile)(process.execPath, [WRANGLER, 'd1', ...args, ...at], {
    cwd: ROOT,
    env: { ...process.env, ...WRANGLER_ENV },
  });
  return stdout;
}

test('all are applied, wrangler knows of each, and a second time changes nothing', async () => {
  await applyMigrations(state);
  await applyMigrations(state);
  expect(await wrangler('migrations', 'list', 'DB')).toContain('No migrations to apply');
  const counted = await wrangler('execute', 'DB', '--json', '--command', 'SELECT COUNT(*) AS n FROM d1_migrations');
  expect(JSON.parse(counted)).toMatchObject([{ results: [{ n: readdirSync(join(ROOT, 'migrations')).length }] }]);
});
