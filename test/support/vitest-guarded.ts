/**
 * What the mutation run has for `vitest` (vitest.mutation.config.ts): the same, but that a `describe` whose body throws leaves a failed
 * test. vitest calls that a failed file; Stryker counts tests, would find none, and call the mutant that made it throw a survivor.
 */
import { describe as original, test } from 'vitest-itself';

export * from 'vitest-itself';

type Callable = (...input: unknown[]) => unknown;

/** `describe`, and all that is reached from it: `.each(…)`, `.skipIf(…)` … */
export const describe = guarded(original as unknown as Callable) as unknown as typeof original;

function guarded(target: Callable): Callable {
  return new Proxy(target, {
    apply(callable, self, input: unknown[]) {
      const result = Reflect.apply(callable, self, input.map(guardedBody));
      return isCallable(result) ? guarded(result) : result;
    },
    get(callable, name) {
      const member: unknown = Reflect.get(callable, name);
      return isCallable(member) ? guarded(member) : member;
    },
  });
}

function guardedBody(input: unknown): unknown {
  if (!isCallable(input)) return input;
  return (...given: unknown[]) => {
    try {
      return input(...given);
    } catch (error) {
      test('the body of this describe does not throw', () => {
        throw error;
      });
      return undefined;
    }
  };
}

function isCallable(value: unknown): value is Callable {
  return typeof value === 'function';
}
