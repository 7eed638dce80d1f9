/**
 * `npm run dev`: brings the local D1 up to date, then runs the Worker on port 8080 until Ctrl-C, with its state in
 * .wrangler/state, or where `--persist-to` says. Further arguments go to `wrangler dev` (`npm run dev -- --port 9000`). A state that another
 * one of these has is left alone. Exit code 1: it did not begin.
 */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf } from './command-line.ts';
import { applyMigrations, DEFAULT_PORT, ROOT, WRANGLER, WRANGLER_ENV } from './local-worker.ts';
import { LOCAL_STATE } from './objects.ts';
import { lockState } from './state-lock.ts';

const args = process.argv.slice(2);
const { values } = parseArgs({
  args,
  // The rest is for wrangler, which says what it does not know.
  strict: false,
  options: { port: { type: 'string' }, 'persist-to': { type: 'string' } },
});
const port = values.port === undefined ? ['--port', String(DEFAULT_PORT)] : [];
// As wrangler reads it, which runs in the root.
const state = resolve(ROOT, String(values['persist-to'] ?? LOCAL_STATE));

try {
  const release = lockState(state, { pid: process.pid, port: String(values.port ?? DEFAULT_PORT) });
  process.on('exit', release);
  await applyMigrations(state);
  runWrangler();
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}

function runWrangler(): void {
  const child = spawn(process.execPath, [WRANGLER, 'dev', ...port, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...WRANGLER_ENV },
    stdio: 'inherit',
  });
  // A terminal sends Ctrl-C to both of us: wrangler ends, and then we do. A signal sent to us alone is handed on.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('exit', (code) => {
    process.exitCode = code ?? 0;
  });
}
