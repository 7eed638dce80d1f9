/**
 * The mutation harness, run as a person runs it, over its canary: it says "killed" of what a test notices, "survived" of
 * what none expects anything of, and "no coverage" of what none reaches. The score of `src/domain` is as good as that.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

it('npm run mutate -- --canary tells every mutant the fate that it has', () => {
  // Without what vitest tells its own processes: Stryker starts another one.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST')));
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/mutate.ts', '--canary'], {
    cwd: ROOT,
    env,
    encoding: 'utf8',
  });
  expect(stdout, stderr).toMatch(/canary: ([1-9][0-9]*) mutants, \1 as foretold/);
  expect(status).toBe(0);
});
