/** What a run prints, so that it can be pasted: seed, machine, counts, times, the matrix, and the story of what broke. */
import { cpus } from 'node:os';
import { impossibleCells, POSSIBLE_CELLS } from './matrix.ts';
import type { RunResult } from './run.ts';
import { shrink, told } from './shrink.ts';

/** How often each possible cell must be hit, or the run has not tested what it says (P2). */
export const HITS_MIN = 1_000;
/** Below so many sagas no run can hit every cell that often. */
export const SAGAS_FOR_MATRIX = 100_000;

/** How long a run took: on the clock, and of a core, which another load on the machine does not change. */
export interface Took {
  readonly seconds: number;
  readonly coreSeconds: number;
}

/** Call it when the run begins, and what it gives when it has ended. */
export function stopwatch(): () => Took {
  const startedAtMs = performance.now();
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return { seconds: (performance.now() - startedAtMs) / 1_000, coreSeconds: (user + system) / 1_000_000 };
  };
}

/** The figures of a run, in lines. */
export function figures(result: RunResult, { seconds, coreSeconds }: Took): string {
  const { seed, sagas, worlds, events, faults, hash, ends, matrix, broken } = result;
  const [cpu] = cpus();
  const sorted = [...ends].sort(([left], [right]) => (left < right ? -1 : 1));
  return [
    `simulation: ${sagas} sagas in ${worlds} worlds, ${events} events, ${faults} faults, seed ${seed}`,
    `violations: ${broken === null ? 0 : 1} · trace hash ${hash}`,
    `${coreSeconds.toFixed(1)} s of a core, ${seconds.toFixed(1)} s on the clock, on ${cpus().length} × ${cpu?.model.trim() ?? 'unknown'}, Node ${process.version}`,
    `ends: ${sorted.map(([end, count]) => `${end} ${count}`).join(', ')}`,
    `matrix: ${POSSIBLE_CELLS} cells, the least hit ${matrix.least()} times`,
  ].join('\n');
}

/** The matrix, and why some of its cells cannot be. */
export function matrixReport({ matrix }: RunResult): string {
  return `hits of each step × fault, before/after the commit\n${matrix.table()}\ncannot be:\n${impossibleCells()}`;
}

/** The cells that were hit too seldom, in lines; empty: none. */
export function missed({ matrix }: RunResult, hitsMin: number): readonly string[] {
  return matrix
    .below(hitsMin)
    .map((cell) => `${cell.step} × ${cell.fault} ${cell.side}: ${matrix.hits(cell)} of ${hitsMin}`);
}

/** What broke, shrunk; empty: nothing did. */
export function brokenStory({ broken }: RunResult): string {
  if (broken === null) return '';
  const shrunk = shrink(broken.seed);
  return shrunk === null ? `world ${broken.seed}: ${broken.violation.message}` : told(shrunk);
}
