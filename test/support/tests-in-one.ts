/**
 * The one test file of the mutation run (vitest.mutation.config.ts): the tests of HOLDFAST_MUTATION_TESTS, loaded together. A mutant then
 * costs one load and not one for each test file. Examples first: they kill most mutants in milliseconds, and the first failure ends a run.
 */
import { globSync } from 'node:fs';
import { test } from 'vitest';

const ROOT = '../..';
const files = globSync(process.env.HOLDFAST_MUTATION_TESTS ?? 'test/domain/**/*.test.ts');
const cost = (file: string) => (/property|replay|audit-wallet/.test(file) ? 1 : 0);

for (const file of files.toSorted((left, right) => cost(left) - cost(right) || (left < right ? -1 : 1))) {
  try {
    await import(/* @vite-ignore */ `${ROOT}/${file}`);
  } catch (error) {
    // Stryker counts failed tests: a mutant for which a file throws as it is loaded would leave none, and survive.
    test(`${file} loads`, () => {
      throw error;
    });
  }
}
