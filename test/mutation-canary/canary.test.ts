/** Run by scripts/mutate.ts only. Each test leaves the mutants of its function to the fate that the function's name tells. */
import { describe, expect, test } from 'vitest';
import {
  killedBySeededTest,
  killedBySilenceRounds,
  killedCovers,
  killedFirst,
  killedFirstOf,
  killedInDescribe,
  killedTable,
  survivedIsLarge,
  survivedTable,
} from './canary.ts';

test('an amount is covered up to the whole balance', () => {
  expect(killedCovers(10, 9)).toBe(true);
  expect(killedCovers(10, 10)).toBe(true);
  expect(killedCovers(10, 11)).toBe(false);
});

test('a table is what it says', () => {
  expect(killedTable).toEqual({ begun: ['hold', 'debit'] });
});

test('the first of the steps is one', () => {
  expect(killedFirst).toBe('hold');
  expect(() => killedFirstOf([])).toThrow('no step');
});

describe('states', () => {
  const [begun = '', ended = ''] = killedInDescribe(['begun']);
  if (begun !== 'begun' || ended !== 'ended') throw new RangeError('no states');
  test('are in order', () => {
    expect(begun < ended).toBe(true);
  });
});

test(`an amount is doubled (seed ${process.env.HOLDFAST_SEED ?? Date.now()})`, () => {
  expect(killedBySeededTest(3)).toBe(6);
});

test('a loop ends after its count', () => {
  expect(killedBySilenceRounds(3)).toBe(3);
});

test('a large amount and a table are looked at, and nothing is expected of them', () => {
  survivedIsLarge(1_000);
  Object.keys(survivedTable);
});
