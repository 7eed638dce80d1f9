/**
 * `npm run dev`: brings the local D1 up to date, then runs the Worker on port 8080 until Ctrl-C, with its state in
 * .wrangler/state, or where `--persist-to` says. Further arguments go to `wrangler dev` (`npm run dev -- --port 9000`).
 */
import { spawn } from 'node:child_process';
import { applyMigrations, DEFAULT_PORT, ROOT, WRANGLER, WRANGLER_ENV } from './local-worker.ts';

const args = process.argv.slice(2);
const port = args.includes('--port') ? [] : ['--port', String(DEFAULT_PORT)];

const at = args.indexOf('--persist-to');
await applyMigrations(at === -1 ? [] : args.slice(at, at + 2));
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
