/** What a run prints, so that it can be pasted: seed, machine, counts, times, the matrix, and the story of what broke. */
import { cpus } from 'node:os';
import { impossibleCells, POSSIBLE_CELLS } from './matrix.ts';
import type { RunResult } from './run.ts';
import { shrink, told } from './shrink.ts';

/** How often each possible cell must be hit, or the run has not tested what it says (P2). */
export const HITS_MIN = 1_000;
/** Below so many sagas no run can hit every cell that often. */
export const SAGAS_FOR_MATRIX = 100_000;

/** Half a second to a second of a core. */
const YARDSTICK_ROUNDS = 500_000;

/** How long a run took. */
export interface Took {
  /** On the clock. */
  readonly seconds: number;
  readonly coreSeconds: number;
  /** `coreSeconds`, in yardsticks as this machine ran them before and after: what a slower machine does not change. */
  readonly yardsticks: number;
}

/** Call it when the run begins, and what it gives when it has ended. */
export function stopwatch(): () => Took {
  const yardstickBefore = yardstickCoreSeconds();
  const startedAtMs = performance.now();
  const before = process.cpuUsage();
  return () => {
    const seconds = (performance.now() - startedAtMs) / 1_000;
    const coreSeconds = coreSecondsSince(before);
    const yardstick = (yardstickBefore + yardstickCoreSeconds()) / 2;
    return { seconds, coreSeconds, yardsticks: coreSeconds / yardstick };
  };
}

/** A fixed piece of work of the simulator's own kind: small objects copied, written as JSON and read again. */
function yardstickCoreSeconds(): number {
  const before = process.cpuUsage();
  let event: Readonly<Record<string, unknown>> = { event_type: 'payment.created', payload: { payment_id: 'pay_1' } };
  for (let sequence = 0; sequence < YARDSTICK_ROUNDS; sequence++) {
    event = JSON.parse(JSON.stringify({ ...event, sequence, previous: `${sequence - 1}` }));
  }
  return coreSecondsSince(before);
}

function coreSecondsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000_000;
}

/** The figures of a run, in lines. */
export function figures(result: RunResult, { seconds, coreSeconds, yardsticks }: Took): string {
  const { seed, sagas, worlds, events, faults, hash, ends, matrix, broken } = result;
  const [cpu] = cpus();
  const sorted = [...ends].sort(([left], [right]) => (left < right ? -1 : 1));
  return [
    `simulation: ${sagas} sagas in ${worlds} worlds, ${events} events, ${faults} faults, seed ${seed}`,
    `violations: ${broken === null ? 0 : 1} · trace hash ${hash}`,
    `${coreSeconds.toFixed(1)} s of a core (${yardsticks.toFixed(1)} yardsticks), ${seconds.toFixed(1)} s on the clock, on ${cpus().length} × ${cpu?.model.trim() ?? 'unknown'}, Node ${process.version}`,
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
