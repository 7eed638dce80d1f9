/** `pm_sim_seed_N` of the sandbox: N tells the story, and nothing else does (docs/sandbox.md). */
import { expect, test } from 'vitest';
import { behaviourOf } from '../../durable-objects/sandbox-provider/behaviours.ts';

const SEEDS = Array.from({ length: 50 }, (_, index) => index + 1);
const drawn = (seed: number) =>
  behaviourOf('acme', { token: `pm_sim_seed_${seed}`, amountMinor: 1_230, amountCodes: false });

test('a seed draws the same story each time, and fifty seeds many stories', () => {
  const stories = SEEDS.map(drawn);
  expect(SEEDS.map(drawn)).toEqual(stories);
  expect(new Set(stories.map((story) => JSON.stringify(story))).size).toBeGreaterThan(10);
  // Not the delay alone, which hardly two of them share.
  expect(new Set(stories.map(({ delayMs: _, ...story }) => JSON.stringify(story))).size).toBeGreaterThan(10);
});
