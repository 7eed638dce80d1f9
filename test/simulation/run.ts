/**
 * Runs simulated worlds: one, to its end or its first violation; or as many as make up a number of sagas, adding up what
 * happened. The same options give the same trace, to the bit. Used by the tests and by `simulate.ts`.
 */
import { InvariantError } from '../../src/domain/errors.ts';
import { DAY_MS } from '../../src/domain/limits.ts';
import { isAtRest } from '../../src/domain/saga/record.ts';
import type { DrawnFault } from './faults.ts';
import { Matrix } from './matrix.ts';
import { seedOf, TraceHash } from './random.ts';
import { Violation } from './violation.ts';
import { type Sabotage, World, type WorldOptions } from './world.ts';

/** A world that does not come to rest within so many events runs in circles. */
const EVENTS_MAX = 20_000;

export interface WorldResult {
  readonly violation: Violation | null;
  readonly hash: string;
  readonly sagas: number;
  readonly events: number;
  /** How its sagas have ended, by service and state. */
  readonly ends: readonly string[];
  /** In the order in which they were drawn. */
  readonly faults: readonly DrawnFault[];
  /** Who could be left out: payments and refunds. */
  readonly whos: readonly number[];
}

export type WorldInput = Pick<WorldOptions, 'seed'> & Partial<WorldOptions>;

export function runWorld(input: WorldInput): WorldResult {
  const world = new World({
    matrix: new Matrix(),
    faultsOff: new Set(),
    sagasOff: new Set(),
    sabotage: {},
    tell: null,
    ...input,
  });
  const violation = violationOf(() => live(world));
  const records = world.nodes().flatMap((node) => node.record() ?? []);
  return {
    violation,
    hash: world.hash.text(),
    sagas: records.length,
    events: world.events,
    ends: world.nodes().flatMap((node) => {
      const record = node.record();
      return record === null ? [] : [`${node.service} ${record.saga.state}`];
    }),
    faults: world.faults.drawn,
    whos: world.plan.payments.flatMap(({ who, refunds }) => [who, ...refunds.map((refund) => refund.who)]),
  };
}

/** A bug that the code itself notices (an InvariantError, a constraint of the store) is a violation like any other. */
function violationOf(run: () => void): Violation | null {
  try {
    run();
    return null;
  } catch (error) {
    if (error instanceof Violation) return error;
    if (error instanceof InvariantError) return new Violation(error.invariant, error.stack ?? error.message);
    if (error instanceof Error)
      return new Violation(error.message.split(':')[0] ?? error.name, error.stack ?? error.message);
    throw error;
  }
}

function live(world: World): void {
  const endAtMs = world.faultsUntilMs + DAY_MS;
  let isEnded = false;
  for (;;) {
    const nextAtMs = world.agenda.nextAtMs();
    if (nextAtMs === null) break;
    if (!isEnded && nextAtMs > endAtMs) {
      isEnded = true;
      expectEnded(world);
    }
    world.events += 1;
    if (world.events > EVENTS_MAX) throw new Violation('S2', `no rest after ${EVENTS_MAX} events`);
    world.agenda.step();
  }
  world.invariants.ended();
}

/** S2: a day after the last fault everything has ended, but for what waits for a provider that never speaks. */
function expectEnded(world: World): void {
  const silent = new Set(
    world.plan.payments.filter(({ token }) => token === 'pm_sim_lost').map(({ paymentId }) => paymentId),
  );
  for (const node of world.nodes()) {
    const record = node.record();
    if (record === null || silent.has(node.id) || isAtRest(record)) continue;
    const { state } = record.saga;
    if (state !== 'needs_attention') throw new Violation('S2', `${node.id} is ${state} a day after the last fault`);
  }
}

export interface RunOptions {
  readonly seed: number;
  readonly sagas: number;
  readonly sabotage?: Sabotage;
  /** Called now and then, with the sagas so far. */
  readonly progress?: (sagas: number) => void;
}

export interface RunResult {
  readonly seed: number;
  readonly worlds: number;
  readonly sagas: number;
  readonly events: number;
  readonly faults: number;
  readonly hash: string;
  readonly ends: ReadonlyMap<string, number>;
  readonly matrix: Matrix;
  /** The first world that broke, where one did: the run ends there. */
  readonly broken: { readonly seed: number; readonly violation: Violation } | null;
}

const PROGRESS_EVERY = 1_000;

/** Worlds until `sagas` have been begun, or one is broken. */
export function runSagas({ seed, sagas: wanted, sabotage = {}, progress }: RunOptions): RunResult {
  const matrix = new Matrix();
  const hash = new TraceHash();
  const ends = new Map<string, number>();
  const sums = { worlds: 0, sagas: 0, events: 0, faults: 0 };
  let broken: RunResult['broken'] = null;
  while (sums.sagas < wanted && broken === null) {
    const worldSeed = seedOf(seed, sums.worlds);
    const result = runWorld({ seed: worldSeed, matrix, sabotage });
    if (result.violation !== null) broken = { seed: worldSeed, violation: result.violation };
    hash.take(Number.parseInt(result.hash.slice(0, 8), 16));
    hash.take(Number.parseInt(result.hash.slice(8), 16));
    for (const end of result.ends) ends.set(end, (ends.get(end) ?? 0) + 1);
    sums.worlds += 1;
    sums.sagas += result.sagas;
    sums.events += result.events;
    sums.faults += result.faults.length;
    if (sums.worlds % PROGRESS_EVERY === 0) progress?.(sums.sagas);
  }
  return { seed, ...sums, hash: hash.text(), ends, matrix, broken };
}
