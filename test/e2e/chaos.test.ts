/**
 * P7 in its shortest form: the runtime is killed five times under load, once with all of wrangler. What it checks is in
 * chaos-check.test.ts; that it leaves nothing behind is checked here.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const KILLS = 5;

test(`nothing is lost and nothing charged twice by ${KILLS} kills, and nothing is left behind`, {
  timeout: 300_000,
}, async () => {
  const { code, output } = await run();
  expect(code, output).toBe(0);
  expect(output).toMatch(/^P7 holds\.$/m);
  expect(output).toMatch(/^killed: runtime=4 wrangler=1 /m);
  expect(Number(/payments: acknowledged=([0-9]+)/.exec(output)?.[1])).toBeGreaterThan(0);
  console.info(output);
  const state = /^state: (.+)$/m.exec(output)?.[1] ?? '';
  expect(state).not.toBe('');
  expect(existsSync(state)).toBe(false);
  // Every process of a run has the state's folder on its command line, or was started by one that has.
  const processes = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,stat=,args='], { encoding: 'utf8' });
  expect(processes.split('\n').filter((line) => line.includes(state))).toEqual([]);
});

function run(): Promise<{ readonly code: number | null; readonly output: string }> {
  return new Promise((resolve, reject) => {
    const args = ['scripts/chaos.ts', '--kills', String(KILLS)];
    const chaos = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const take = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    chaos.stdout.on('data', take);
    chaos.stderr.on('data', take);
    chaos.on('error', reject);
    chaos.on('close', (code) => resolve({ code, output }));
  });
}
