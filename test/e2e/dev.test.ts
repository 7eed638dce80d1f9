/** What `npm run dev` makes of a state that another one had, or that is no folder. Of one that another has: docs-commands.test.ts, which runs one. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ROOT } from '../../scripts/local-worker.ts';
import { lockState } from '../../scripts/state-lock.ts';

let state: string;

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'holdfast-dev-'));
});

afterEach(() => rmSync(state, { recursive: true, force: true }));

/** Of a process that has ended. */
const deadPid = (): number => spawnSync(process.execPath, ['--version']).pid;

test('the lock of a process that has ended is taken over, and so is one that says nothing', () => {
  const lock = join(state, 'dev.lock');
  const self = { pid: process.pid, port: '1' };
  for (const left of [JSON.stringify({ pid: deadPid(), port: '8080' }), '']) {
    writeFileSync(lock, left);
    const release = lockState(state, self);
    expect(JSON.parse(readFileSync(lock, 'utf8'))).toEqual(self);
    expect(() => lockState(state, { pid: 1, port: '2' })).toThrow(`in use by process ${process.pid} on port 1`);
    release();
    expect(existsSync(lock)).toBe(false);
  }
});

test.runIf(existsSync('/proc/self/status'))(
  'a process that was killed and that nobody has waited for has ended: its lock is taken over',
  async () => {
    // The shell starts one that ends, and becomes one that waits for none.
    const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const [line] = (await once(parent.stdout, 'data')) as [Buffer];
      const pid = Number(String(line));
      await expect.poll(() => readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(/^State:\s+Z/m);
      writeFileSync(join(state, 'dev.lock'), JSON.stringify({ pid, port: '8080' }));
      lockState(state, { pid: process.pid, port: '1' })();
    } finally {
      parent.kill('SIGKILL');
    }
  },
);

test('a state that is a file is refused by its name', () => {
  const file = join(state, 'file');
  writeFileSync(file, '');
  const args = ['scripts/dev.ts', '--persist-to', file];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
  expect(status).toBe(1);
  expect(stderr).toContain(`${file} cannot be a state's folder`);
  expect(`${stdout}${stderr}`).not.toContain('    at ');
});
