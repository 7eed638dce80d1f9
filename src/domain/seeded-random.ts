/**
 * Pure: numbers that look drawn by chance and are told by their seed: for the sandbox's stories, chaos and tests. Never for
 * ids, keys or secrets.
 */

/** mulberry32: 32 bits of state, enough to draw stories, times and flips from; the same numbers in [0, 1) for a seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
