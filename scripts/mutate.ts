/**
 * Mutation testing of the pure core (P12): Stryker breaks `src/domain` in thousands of small ways, and the `domain` tests
 * must notice. Prints what became of the mutants of each file, the machine and the seconds, and fails below the score that
 * is promised. A canary goes first: code whose mutants have a known fate. Without it the score would prove nothing.
 *
 *   npm run mutate                                    all of src/domain
 *   npm run mutate -- src/domain/ledger/decide.ts …   these files or patterns
 *   npm run mutate -- --tests 'test/domain/led*' …    by these tests alone: sooner, and never a higher score
 *   npm run mutate -- --canary                        the canary alone
 */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { relative } from 'node:path';
import type { Stryker } from '@stryker-mutator/core';
import { readCommandLine } from './command-line.ts';

type Mutant = Awaited<ReturnType<Stryker['runMutationTest']>>[number];
type Status = Mutant['status'];

/** Promised in docs/decisions/0060-mutation-testing.md. */
const SCORE_MIN_PERCENT = 90;
const CANARY = 'test/mutation-canary/canary';
/** The names of the canary's exports begin with the fate of their mutants. */
const FATES: Readonly<Record<string, readonly Status[]>> = {
  killed: ['Killed', 'Timeout'],
  survived: ['Survived'],
  uncovered: ['NoCoverage'],
};
const COLUMNS = ['killed', 'timeout', 'survived', 'no coverage', 'score'];

const USAGE = `npm run mutate -- [--tests <patterns>] [--canary] [file or pattern…]

  --tests   by these tests alone
  --canary  the canary alone
  Without a file: all of src/domain.`;

const { values, positionals } = readCommandLine(
  USAGE,
  { canary: { type: 'boolean' }, tests: { type: 'string' } },
  true,
);

say(`machine: ${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores, Node ${process.version}`);
const isSound = await isCanarySound();
const isGood = isSound && (values.canary === true || (await isDomainGood(positionals)));
process.exitCode = isGood ? 0 : 1;

/** Every mutant of the canary has the fate that its function's name foretells, and every fate was met. */
async function isCanarySound(): Promise<boolean> {
  const mutants = await mutantsOf('canary', [`${CANARY}.ts`], `${CANARY}.test.ts`);
  const source = readFileSync(`${CANARY}.ts`, 'utf8').split('\n');
  const foretold = mutants.map((mutant) => {
    const above = source.slice(0, mutant.location.start.line).toReversed();
    const fate = above
      .map((line) => /^export (?:function|const) ([a-z]+)/.exec(line)?.[1])
      .find((name) => name !== undefined);
    return { mutant, fates: FATES[fate ?? ''] ?? [] };
  });
  const wrong = foretold.filter(({ mutant, fates }) => !fates.includes(mutant.status));
  const unmet = Object.values(FATES).flatMap((fates) => fates.filter((fate) => count(mutants, fate) === 0));
  say(`canary: ${mutants.length} mutants, ${mutants.length - wrong.length} as foretold`);
  for (const { mutant, fates } of wrong) say(`  ${fates.join(' or ')} was foretold: ${describe(mutant)}`);
  for (const fate of unmet) say(`  none was ${fate}`);
  return wrong.length === 0 && unmet.length === 0;
}

async function isDomainGood(patterns: readonly string[]): Promise<boolean> {
  const startedAtMs = Date.now();
  const mutants = await mutantsOf('domain', patterns, values.tests ?? 'test/domain/**/*.test.ts');
  const byFile = Object.groupBy(mutants, ({ fileName }) => relative('src/domain', fileName));
  const files = Object.entries(byFile).map(([name, ofFile = []]) => ({ name, mutants: ofFile }));
  files.sort((left, right) => score(left.mutants) - score(right.mutants) || (left.name < right.name ? -1 : 1));
  for (const mutant of mutants) if (isUndetected(mutant)) say(`  ${describe(mutant)}`);
  say([''.padEnd(28), ...COLUMNS.map((column) => column.padStart(11))].join(' '));
  for (const file of files) say(row(file.name, file.mutants));
  say(row('all', mutants));
  const seconds = Math.round((Date.now() - startedAtMs) / 1_000);
  say(`${mutants.length - count(mutants, 'Ignored')} mutants, ${count(mutants, 'Ignored')} excluded; ${seconds} s`);
  const isGood = score(mutants) >= SCORE_MIN_PERCENT;
  if (!isGood) say(`below ${SCORE_MIN_PERCENT} %`);
  return isGood;
}

/** No pattern: what stryker.config.json says. */
async function mutantsOf(name: string, patterns: readonly string[], tests: string): Promise<readonly Mutant[]> {
  // Read by vitest.mutation.config.ts, in the processes that Stryker starts.
  process.env.HOLDFAST_MUTATION_TESTS = tests;
  // It takes seconds to load; a word about the command line comes before.
  const { Stryker } = await import('@stryker-mutator/core');
  const stryker = new Stryker({
    ...(patterns.length > 0 && { mutate: [...patterns] }),
    jsonReporter: { fileName: `.tmp/mutation/${name}.json` },
    htmlReporter: { fileName: `.tmp/mutation/${name}.html` },
  });
  return stryker.runMutationTest();
}

function row(name: string, mutants: readonly Mutant[]): string {
  const counts = (['Killed', 'Timeout', 'Survived', 'NoCoverage'] as const).map((status) => count(mutants, status));
  return [name.padEnd(28), ...[...counts, `${score(mutants).toFixed(1)} %`].map((cell) => `${cell}`.padStart(11))].join(
    ' ',
  );
}

/** Of the mutants that could be run, the share that a test noticed; a mutant that no test reaches was not noticed. */
function score(mutants: readonly Mutant[]): number {
  const noticed = count(mutants, 'Killed') + count(mutants, 'Timeout');
  const all = noticed + mutants.filter(isUndetected).length;
  return all === 0 ? 100 : (100 * noticed) / all;
}

function isUndetected({ status }: Mutant): boolean {
  return status === 'Survived' || status === 'NoCoverage';
}

function count(mutants: readonly Mutant[], status: Status): number {
  return mutants.filter((mutant) => mutant.status === status).length;
}

function describe({ fileName, location, mutatorName, replacement, status }: Mutant): string {
  const { line, column } = location.start;
  const by = replacement.replaceAll(/\s+/g, ' ').slice(0, 80);
  return `${relative('.', fileName)}:${line}:${column} ${status}: ${mutatorName} → ${by}`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
