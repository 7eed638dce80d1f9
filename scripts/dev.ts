/**
 * `npm run dev`: brings the local D1 up to date, then runs the Worker on port 8080 until Ctrl-C, with its state in
 * .wrangler/state, or where `--persist-to` says. Further arguments go to `wrangler dev` (`npm run dev -- --port 9000`).
 */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { applyMigrations, DEFAULT_PORT, ROOT, WRANGLER, WRANGLER_ENV } from './local-worker.ts';
import { LOCAL_STATE } from './objects.ts';

const args = process.argv.slice(2);
const { values } = parseArgs({
  args,
  // The rest is for wrangler, which says what it does not know.
  strict: false,
  options: { port: { type: 'string' }, 'persist-to': { type: 'string' } },
});
const port = values.port === undefined ? ['--port', String(DEFAULT_PORT)] : [];

await applyMigrations(String(values['persist-to'] ?? LOCAL_STATE));
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
