/**
 * Pure: all chance of a simulated world, from one seed. Counter-based: a number is a hash of (seed, who, what, how often
 * asked before), not the next one of a sequence. So turning one fault off changes no other draw, and a shrunk world is
 * still the same story (`shrink.ts`). With it, the hash that two runs of one seed must agree on.
 */

/** Kinds of draws of one entity: a step's faults and waits, and what is not of a step. */
const POINTS_MAX = 128;
/** Entities of a world: the world itself (0), its payments and their refunds. */
export const ENTITIES_MAX = 32;

export class Dice {
  readonly #seed: number;
  readonly #drawn = new Uint16Array(ENTITIES_MAX * POINTS_MAX);

  constructor(seed: number) {
    this.#seed = seed | 0;
  }

  /** A number in [0, 1). */
  roll(who: number, point: number): number {
    return this.at(who, point, this.count(who, point));
  }

  /** How often this was asked for before; counts. */
  count(who: number, point: number): number {
    const slot = who * POINTS_MAX + point;
    const n = this.#drawn[slot] ?? 0;
    this.#drawn[slot] = n + 1;
    return n;
  }

  at(who: number, point: number, n: number): number {
    let hash = mixed(this.#seed ^ Math.imul(who + 1, 0x9e3779b1));
    hash = mixed(hash ^ Math.imul(point + 1, 0x85ebca6b));
    return (mixed(hash ^ Math.imul(n + 1, 0xc2b2ae35)) >>> 0) / 4_294_967_296;
  }

  /** A whole number in [0, below). */
  pick(who: number, point: number, below: number): number {
    return Math.floor(this.roll(who, point) * below);
  }
}

/** The finalizer of MurmurHash3: every bit of the input moves every bit of the output. */
function mixed(value: number): number {
  let hash = value ^ (value >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** The seed of one world of a run. */
export function seedOf(runSeed: number, world: number): number {
  return mixed(mixed(runSeed | 0) ^ Math.imul(world + 1, 0x9e3779b1)) >>> 0;
}

/** A running hash over everything that happens, in order. */
export class TraceHash {
  #low = 0x811c9dc5;
  #high = 0x1000193;

  take(value: number): void {
    // Times are above 2^32: both halves count.
    const low = value | 0;
    const high = Math.floor(value / 4_294_967_296) | 0;
    this.#low = mixed(this.#low ^ low ^ Math.imul(high, 0x9e3779b1));
    this.#high = mixed(Math.imul(this.#high, 31) ^ low ^ this.#low);
  }

  text(): string {
    return [this.#low, this.#high].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
  }
}
