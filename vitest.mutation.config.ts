import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// What Stryker runs for every mutant (scripts/mutate.ts). Stryker asks for tests by their names, and some names tell their
// seed: were it not fixed, it would ask for tests that no longer exist, and their mutants would survive. Fewer runs of each
// property: they are paid for thousands of times.
export default defineConfig({
  resolve: {
    alias: [
      { find: /^vitest$/, replacement: fileURLToPath(new URL('./test/support/vitest-guarded.ts', import.meta.url)) },
      { find: /^vitest-itself$/, replacement: fileURLToPath(import.meta.resolve('vitest')) },
    ],
  },
  test: {
    include: ['test/support/tests-in-one.ts'],
    environment: 'node',
    testTimeout: 120_000,
    setupFiles: ['test/support/mutation.ts'],
    env: { HOLDFAST_SEED: '20261124', HOLDFAST_RUNS: '200' },
  },
});
