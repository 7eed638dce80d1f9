/** What `npm run dev` says instead of a stack: a state that another one has, that is no folder, or that no migration fits. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { anyFreePort, applyMigrations, ROOT, WRANGLER, WRANGLER_ENV } from '../../scripts/local-worker.ts';
import { lockState } from '../../scripts/state-lock.ts';

/** A cold start of a busy machine. */
const START_TIMEOUT_MS = 90_000;

let state: string;
let started: ChildProcess[];

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'holdfast-dev-'));
  started = [];
});

afterEach(async () => {
  for (const child of started) await end(child);
  rmSync(state, { recursive: true, force: true, maxRetries: 5 });
});

function dev(...args: string[]): { readonly child: ChildProcess; readonly output: () => string } {
  const env = { ...process.env, ...WRANGLER_ENV, WRANGLER_REGISTRY_PATH: join(state, 'registry') };
  const child = spawn(
    process.execPath,
    ['scripts/dev.ts', '--show-interactive-dev-session=false', '--inspector-port', '0', ...args],
    { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  started.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (output += chunk));
  return { child, output: () => output };
}

async function end(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  }
  return child.exitCode;
}

async function ended(...args: string[]): Promise<{ code: number | null; output: string }> {
  const { child, output } = dev(...args);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output: output() };
}

async function isUp(port: string): Promise<boolean> {
  try {
    return (await fetch(`http://localhost:${port}/health`)).ok;
  } catch {
    // It does not listen yet.
    return false;
  }
}

/** Of a process that has ended. */
const deadPid = (): number => spawnSync(process.execPath, ['--version']).pid;
const lock = () => join(state, 'dev.lock');

test('a state belongs to one: a second is refused with what to do, and the first gives it back', async () => {
  const port = String(await anyFreePort());
  const first = dev('--port', port, '--persist-to', state);
  await expect.poll(() => isUp(port), { timeout: START_TIMEOUT_MS }).toBe(true);

  const second = await ended('--port', String(await anyFreePort()), `--persist-to=${state}`);
  expect(second.code).toBe(1);
  expect(second.output).toContain(
    `${state} is in use by process ${first.child.pid} on port ${port}; give this one --persist-to DIR`,
  );
  expect(second.output).not.toContain('    at ');
  expect(await isUp(port)).toBe(true);

  await end(first.child);
  expect(existsSync(lock())).toBe(false);
});

test('the lock of a process that has ended is taken over, and so is one that says nothing', () => {
  const self = { pid: process.pid, port: '1' };
  for (const left of [JSON.stringify({ pid: deadPid(), port: '8080' }), '']) {
    writeFileSync(lock(), left);
    const release = lockState(state, self);
    expect(JSON.parse(readFileSync(lock(), 'utf8'))).toEqual(self);
    expect(() => lockState(state, { pid: 1, port: '2' })).toThrow(`in use by process ${process.pid} on port 1`);
    release();
    expect(existsSync(lock())).toBe(false);
  }
});

test('a state that is a file is refused by its name', async () => {
  const file = join(state, 'file');
  writeFileSync(file, '');
  const { code, output } = await ended('--persist-to', file);
  expect(code).toBe(1);
  expect(output).toContain(`${file} cannot be a state's folder`);
  expect(output).not.toContain('    at ');
});

test('a migration that cannot be applied is named, with the state and the way out', async () => {
  await applyMigrations(state);
  // As a state of other code: it has the tables, and does not know that the last migration made them.
  const forget = ['DELETE FROM d1_migrations WHERE id = (SELECT max(id) FROM d1_migrations)'];
  const args = [WRANGLER, 'd1', 'execute', 'DB', '--local', '--persist-to', state, '--command', ...forget];
  expect(spawnSync(process.execPath, args, { cwd: ROOT, env: { ...process.env, ...WRANGLER_ENV } }).status).toBe(0);

  const { code, output } = await ended('--persist-to', state);
  expect(code).toBe(1);
  expect(output).toMatch(/^\d{4}_\w+\.sql cannot be applied to the state in /m);
  expect(output).toContain(state);
  expect(output).toContain('delete that folder, or give another one (--persist-to DIR)');
  expect(output).not.toContain('    at ');
  expect(existsSync(lock())).toBe(false);
});
