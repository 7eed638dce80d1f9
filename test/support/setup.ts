/**
 * Before each test file of the Workers projects: the database's migrations, and a log that stays here. The Worker under
 * test shares this isolate and logs a line per unit of work, also when a file has just ended; a line on its way to the test
 * runner then would fail the run. So lines are kept, and shown with a test that fails.
 */
import { applyD1Migrations, reset } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterAll, afterEach } from 'vitest';

const LINES_KEPT_MAX = 500;

// On the global object: this file runs once per test file, the isolate may live longer.
const holder = globalThis as typeof globalThis & { holdfastPrint?: typeof console.log };
holder.holdfastPrint ??= console.log;
const print = holder.holdfastPrint;
const kept: string[] = [];
console.log = (...parts: unknown[]) => {
  kept.push(parts.map(String).join(' '));
  if (kept.length > LINES_KEPT_MAX) kept.shift();
};

afterEach(({ task }) => {
  if (task.result?.state === 'fail') print(kept.join('\n'));
  kept.length = 0;
});

// What a file leaves running stops with it: payments that never end would slow the files after it. `reset` empties the objects
// that are in memory; one that was evicted keeps what it holds, so the names of wallets and endpoints are a file's own.
afterAll(reset);

await applyD1Migrations(env.DB, env.TEST_MIGRATIONS);
