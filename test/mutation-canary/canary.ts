/**
 * The canary of the mutation harness (scripts/mutate.ts): not part of the service. Functions whose mutants have a known fate, told
 * by their names. A harness that reports anything else is broken, and its score of `src/domain` worth nothing.
 */

export function killedCovers(balanceMinor: number, amountMinor: number): boolean {
  return balanceMinor >= amountMinor;
}

/**
 * Evaluated as the module is loaded, like the tables of the sagas. Where mutants do not each get a load of their own, the
 * first table's are still there when the second's are tried, and these are called killed.
 */
export const killedTable: Readonly<Record<string, readonly string[]>> = { begun: ['hold', 'debit'] };
export const survivedTable: Readonly<Record<string, readonly string[]>> = { ended: ['release'] };

/** Throws as the module is loaded, when it is wrong: no test is left that could fail, and the harness must not say "survived". */
export const killedFirst = killedFirstOf(['hold']);

export function killedFirstOf(steps: readonly string[]): string {
  const [first] = steps;
  if (first === undefined) throw new RangeError('no step');
  return first;
}

/** Called by the body of a `describe`, which throws with it when it is wrong: vitest then has a failed file, and no test. */
export function killedInDescribe(states: readonly string[]): readonly string[] {
  return [...states, 'ended'];
}

/** Its only test has a seed in its name: when seeds are not fixed, the harness asks for a test that is not there. */
export function killedBySeededTest(amountMinor: number): number {
  return amountMinor * 2;
}

export function killedBySilenceRounds(count: number): number {
  let rounds = 0;
  while (rounds < count) rounds += 1;
  return rounds;
}

export function survivedIsLarge(amountMinor: number): boolean {
  return amountMinor > 1_000;
}

export function uncoveredIsSmall(amountMinor: number): boolean {
  return amountMinor < 10;
}
