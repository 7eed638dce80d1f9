/**
 * P7 in its shortest form: the runtime is killed five times under load, once with all of wrangler. What it checks is in
 * chaos-check.test.ts; that it leaves nothing behind, also when it is interrupted, is checked here.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const KILLS = 5;
/** Where the local runtime keeps the objects of the payments: there once the first was asked for. */
const PAYMENTS = 'v3/do/holdfast-PaymentSaga';

test(`nothing is lost and nothing charged twice by ${KILLS} kills, and nothing is left behind`, {
  timeout: 300_000,
}, async () => {
  const { code, output } = await run();
  expect(code, output).toBe(0);
  expect(output).toMatch(/^P7 holds\.$/m);
  expect(output).toMatch(/^killed: runtime=4 wrangler=1 /m);
  expect(Number(/payments: acknowledged=([0-9]+)/.exec(output)?.[1])).toBeGreaterThan(0);
  console.info(output);
  expectNothingLeft(stateIn(output));
});

test('interrupted under load, it ends and sends nothing to whoever listens there next', {
  timeout: 240_000,
}, async () => {
  let interruptedAtMs = Number.POSITIVE_INFINITY;
  const { code, output } = await run(async (soFar, interrupt) => {
    await expect.poll(() => existsSync(join(stateIn(soFar()), PAYMENTS)), { timeout: 60_000 }).toBe(true);
    interruptedAtMs = Date.now();
    interrupt();
  });
  expect(code, output).toBe(130);
  // A client that nobody answers goes on for 400 attempts, a quarter of a second apart.
  expect(Date.now() - interruptedAtMs).toBeLessThan(60_000);
  expectNothingLeft(stateIn(output));
});

function stateIn(output: string): string {
  return /^state: (.+)$/m.exec(output)?.[1] ?? '';
}

function expectNothingLeft(state: string): void {
  expect(state).not.toBe('');
  expect(existsSync(state)).toBe(false);
  // Every process of a run has the state's folder on its command line, or was started by one that has.
  const processes = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,stat=,args='], { encoding: 'utf8' });
  expect(processes.split('\n').filter((line) => line.includes(state))).toEqual([]);
}

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** Runs it to its end; `meanwhile` sees what was written so far. */
function run(meanwhile?: (soFar: () => string, interrupt: () => void) => Promise<void>): Promise<Ended> {
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
    const interrupt = () => chaos.kill('SIGINT');
    meanwhile?.(() => output, interrupt).catch((error: unknown) => {
      interrupt();
      reject(error);
    });
  });
}
