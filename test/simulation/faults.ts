/**
 * Which faults meet which attempt of which step: at most one on the way, one at the provider and one of the saga's own
 * object, so that pairs meet too. Drawn by the attempt's own name (who, step, how many before it), so that a shrunk world can
 * turn one off and keep the rest. Nothing goes wrong after the faults' end.
 */
import { CELLS_OF, type Cell, type Fault, type Matrix, type Side, STEPS, type StepName } from './matrix.ts';
import type { Dice } from './random.ts';

/** What meets one attempt. */
export type Struck = readonly Cell[];
export const UNHARMED: Struck = [];

const stepIndex: ReadonlyMap<StepName, number> = new Map(STEPS.map((step, index) => [step, index]));
/** Points of the dice, four per step: which faults; how long it takes; how much longer; what else is to be drawn. */
export const pointOf = (step: StepName, kind: 0 | 1 | 2 | 3): number => 2 + (stepIndex.get(step) ?? 0) * 4 + kind;

/** Where a fault happens, and how often, of attempts of a step that is reached seldom. */
const PLACES: readonly { readonly faults: readonly Fault[]; readonly share: number }[] = [
  {
    faults: ['lost', 'doubled', 'delayed', 'consumer_died', 'dead_letter', 'killed', 'outage', 'throws'],
    share: 0.55,
  },
  { faults: ['unanswered', 'failed_5xx', 'turned_away', 'late'], share: 0.4 },
  { faults: ['crashed', 'cut_off', 'clock_jump'], share: 0.5 },
];

/** Steps that every saga reaches, often, are harmed less: the run would be about nothing else. The rarest are harmed more. */
const FACTORS: Readonly<Partial<Record<StepName, number>>> = {
  'payment.create': 0.23,
  'payment.hold': 0.6,
  'payment.authorize': 0.42,
  'payment.lookup': 0.32,
  'payment.debit': 0.75,
  'payment.unauthorize': 1.15,
  'payment.refund': 1.35,
  'payment.undo_late': 1.3,
  'payment.callback': 0.7,
  'payment.notify': 0.4,
  'payment.publish': 0.12,
  'payment.alarm': 0.05,
  'refund.create': 0.35,
  'refund.reserve': 0.48,
  'refund.refund': 0.65,
  'refund.lookup': 1.25,
  'refund.credit': 0.9,
  'refund.reverse': 1.15,
  'refund.settle': 0.52,
  'refund.callback': 0.52,
  'refund.notify': 0.55,
  'refund.publish': 0.2,
  'refund.alarm': 0.08,
};

/** Drawn anywhere, but for the one that only a provider which then speaks by itself can have: the plan's. */
const DRAWN: ReadonlyMap<StepName, readonly (readonly Cell[])[]> = new Map(
  [...CELLS_OF].map(([step, cells]) => [
    step,
    PLACES.map(({ faults }) =>
      cells.filter(({ fault, side }) => faults.includes(fault) && !(fault === 'late' && side === 'after')),
    ),
  ]),
);

export interface DrawnFault {
  readonly key: number;
  readonly who: number;
  readonly cell: Cell;
}

const NTHS = 4_096;

export class Faults {
  readonly drawn: DrawnFault[] = [];
  readonly #dice: Dice;
  readonly #matrix: Matrix;
  readonly #untilMs: number;
  readonly #off: ReadonlySet<number>;

  /** @param off keys of faults that do not happen this time. */
  constructor(dice: Dice, matrix: Matrix, untilMs: number, off: ReadonlySet<number>) {
    this.#dice = dice;
    this.#matrix = matrix;
    this.#untilMs = untilMs;
    this.#off = off;
  }

  /** What goes wrong with this attempt. */
  draw(who: number, step: StepName, nowMs: number): Struck {
    if (nowMs >= this.#untilMs) return UNHARMED;
    const factor = FACTORS[step] ?? 1;
    const point = pointOf(step, 0);
    let struck: Cell[] | null = null;
    for (const [place, cells] of (DRAWN.get(step) ?? []).entries()) {
      if (cells.length === 0) continue;
      const n = this.#dice.count(who, point);
      const roll = this.#dice.at(who, point, n) / ((PLACES[place]?.share ?? 0) * factor);
      const cell = roll < 1 ? this.#given(who, step, n, cells[Math.floor(roll * cells.length)]) : null;
      if (cell !== null) struck = struck === null ? [cell] : [...struck, cell];
    }
    return struck ?? UNHARMED;
  }

  /** A fault that the plan asks for, at the first attempt of a step. */
  planned(who: number, step: StepName, fault: Fault, side: Side): Struck {
    const found = CELLS_OF.get(step)?.find((each) => each.fault === fault && each.side === side);
    const cell = this.#given(who, step, NTHS - 1, found);
    return cell === null ? UNHARMED : [cell];
  }

  hit(cell: Cell): void {
    this.#matrix.hit(cell);
  }

  #given(who: number, step: StepName, n: number, cell: Cell | undefined): Cell | null {
    const key = (who * STEPS.length + (stepIndex.get(step) ?? 0)) * NTHS + Math.min(n, NTHS - 1);
    if (cell === undefined || this.#off.has(key)) return null;
    this.drawn.push({ key, who, cell });
    return cell;
  }
}

/** The cell of this fault, where the attempt has met it. */
export function cellOf(struck: Struck, fault: Fault, side: Side): Cell | null {
  for (const cell of struck) if (cell.fault === fault && cell.side === side) return cell;
  return null;
}
