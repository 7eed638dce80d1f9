/**
 * Makes a broken world small, for a person to read: leaves out sagas, then turns faults off, as long as the same invariant
 * still breaks (delta debugging, https://www.debugging.org/book/html/DeltaDebugger.html). Draws do not depend on each other
 * (`random.ts`), so what is left is still the same story.
 */
import { Matrix } from './matrix.ts';
import { runWorld, type WorldResult } from './run.ts';
import type { Sabotage } from './world.ts';

/** Runs that shrinking may take: a few seconds. */
const RUNS_MAX = 3_000;

export interface Shrunk {
  readonly seed: number;
  readonly invariant: string;
  readonly message: string;
  readonly sagas: number;
  /** Faults that are left, of those that the world had. */
  readonly faults: number;
  readonly faultsBefore: number;
  /** One line per event. */
  readonly story: readonly string[];
}

interface Switches {
  readonly faultsOff: ReadonlySet<number>;
  readonly sagasOff: ReadonlySet<number>;
}

/** The smallest world found that breaks the same invariant as the one of `seed`; null where that one breaks none. */
export function shrink(seed: number, sabotage: Sabotage = {}): Shrunk | null {
  let runs = 0;
  const run = (switches: Switches, tell: ((line: string) => void) | null = null): WorldResult => {
    runs += 1;
    return runWorld({ seed, sabotage, matrix: new Matrix(), tell, ...switches });
  };
  const first = run({ faultsOff: new Set(), sagasOff: new Set() });
  const invariant = first.violation?.invariant;
  if (invariant === undefined) return null;
  const breaks = (switches: Switches) => runs < RUNS_MAX && run(switches).violation?.invariant === invariant;
  const sagasOff = without(first.whos, (off) => breaks({ faultsOff: new Set(), sagasOff: off }));
  const keys = run({ faultsOff: new Set(), sagasOff }).faults.map(({ key }) => key);
  const faultsOff = without(keys, (off) => breaks({ faultsOff: off, sagasOff }));
  const story: string[] = [];
  const last = run({ faultsOff, sagasOff }, (line) => story.push(line));
  return {
    seed,
    invariant,
    message: last.violation?.message ?? '',
    sagas: last.sagas,
    faults: last.faults.length,
    faultsBefore: first.faults.length,
    story,
  };
}

/** The most of `all` that can be off together: halves, then quarters, down to single ones, until none more can. */
function without(all: readonly number[], holds: (off: ReadonlySet<number>) => boolean): ReadonlySet<number> {
  let off: ReadonlySet<number> = new Set();
  for (let size = Math.max(1, Math.ceil(all.length / 2)); ; size = Math.max(1, Math.floor(size / 2))) {
    const before = off.size;
    for (let from = 0; from < all.length; from += size) {
      const more = new Set([...off, ...all.slice(from, from + size)]);
      if (more.size > off.size && holds(more)) off = more;
    }
    if (size === 1 && off.size === before) return off;
  }
}

/** The story as it is printed. */
export function told({ seed, message, sagas, faults, faultsBefore, story }: Shrunk): string {
  const head = `world ${seed}, shrunk to ${sagas} sagas and ${faults} of ${faultsBefore} faults: ${message}`;
  return [head, ...story].join('\n');
}
