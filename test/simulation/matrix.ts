/**
 * The fault matrix (P2): every step × every fault × before or after the commit that the step is about. Says which cells
 * can be and why the others cannot, counts what was really done, and prints it. A fault counts when it takes effect, not
 * when it is drawn.
 *
 * Before and after: of the commit of whoever carries the step out (the wallet, the provider's books, the record, the
 * payment's object) for faults of its message; of the saga's own commit for faults of the saga's object and clock.
 */

/** Who carries a step out, and so what can go wrong on the way. */
export type Via = 'client' | 'wallet' | 'gateway' | 'notify' | 'record' | 'call' | 'callback' | 'alarm';

const STEPS_VIA = {
  'payment.create': 'client',
  'payment.hold': 'wallet',
  'payment.authorize': 'gateway',
  'payment.lookup': 'gateway',
  'payment.capture': 'gateway',
  'payment.debit': 'wallet',
  'payment.release': 'wallet',
  'payment.unauthorize': 'gateway',
  'payment.refund': 'gateway',
  'payment.undo_late': 'gateway',
  'payment.callback': 'callback',
  'payment.notify': 'notify',
  'payment.publish': 'record',
  'payment.alarm': 'alarm',
  'refund.create': 'client',
  'refund.reserve': 'call',
  'refund.refund': 'gateway',
  'refund.lookup': 'gateway',
  'refund.credit': 'wallet',
  'refund.reverse': 'wallet',
  'refund.settle': 'call',
  'refund.callback': 'callback',
  'refund.notify': 'notify',
  'refund.publish': 'record',
  'refund.alarm': 'alarm',
} as const satisfies Record<string, Via>;

export type StepName = keyof typeof STEPS_VIA;
// Its keys are its step names, which `Object.keys` forgets.
export const STEPS = Object.keys(STEPS_VIA) as StepName[];

export const FAULTS = {
  lost: 'the message never arrives · it was carried out and nobody ever hears of it',
  doubled: 'the message arrives twice · its outcome arrives twice',
  delayed: 'the message is overtaken by later ones · its outcome is',
  crashed: "the saga's object dies before it has committed · after, before it sends",
  cut_off: "the saga's object dies after it has sent, before it has answered",
  consumer_died: 'who carries it out dies before its effect · after, before the report',
  dead_letter: 'the attempts are spent before its effect · after, before the report',
  killed: 'the whole runtime is killed, with all that is in flight, before the effect · after it',
  clock_jump: "the saga's clock jumps before its commit · after it",
  unanswered: 'the provider never gets the call · it books, and the answer is lost',
  failed_5xx: 'the provider fails before it books · it books and answers 500',
  turned_away: 'the provider answers 503 or 429 and has processed nothing',
  late: 'the call lands after we stopped listening · after the saga has taken its absence for proven',
  outage: 'D1 takes nothing · it took the run, and the acknowledgement is lost',
  throws: 'the alarm throws: only the watchdog is left',
} as const;
export type Fault = keyof typeof FAULTS;
const FAULT_NAMES = Object.keys(FAULTS) as Fault[];
export const SIDES = ['before', 'after'] as const;
export type Side = (typeof SIDES)[number];

export interface Cell {
  readonly index: number;
  readonly step: StepName;
  readonly fault: Fault;
  readonly side: Side;
}

type Reasons = Partial<Record<Fault | `${Fault}.${Side}`, string>>;

const NO_PROVIDER = 'no provider is called';
const NOT_THE_RECORD = 'it does not go to D1';
const NO_ALARM = 'it is no alarm';
const NO_QUEUE = 'no queue carries it, so it has no attempts to spend';
const NOTHING_SENT_YET = 'nothing is sent before the commit';

const NO_CALL: Reasons = {
  unanswered: NO_PROVIDER,
  failed_5xx: NO_PROVIDER,
  turned_away: NO_PROVIDER,
  late: NO_PROVIDER,
  'cut_off.before': NOTHING_SENT_YET,
};
const OUR_SIDE: Reasons = { ...NO_CALL, throws: NO_ALARM };

/** What cannot be, by who carries the step out. */
const IMPOSSIBLE: Readonly<Record<Via, Reasons>> = {
  client: {
    ...OUR_SIDE,
    outage: NOT_THE_RECORD,
    dead_letter: NO_QUEUE,
    consumer_died: "the request is the object's own turn: nobody stands between it and the commit",
    'delayed.after': 'an answer that comes late to the client changes nothing here',
  },
  wallet: { ...OUR_SIDE, outage: NOT_THE_RECORD },
  gateway: {
    outage: NOT_THE_RECORD,
    throws: NO_ALARM,
    'cut_off.before': NOTHING_SENT_YET,
    'turned_away.after': 'a provider that has booked has not turned the call away',
    'late.after': 'only an authorization can be given up as absent',
  },
  notify: {
    ...OUR_SIDE,
    outage: 'its own D1 write fails like a consumer that died before its effect',
    cut_off: 'an acknowledgement sends nothing',
  },
  record: {
    ...OUR_SIDE,
    cut_off: 'an acknowledgement sends nothing',
    'dead_letter.after': 'a run that D1 has taken is not tried again, whatever becomes of its acknowledgement',
  },
  call: {
    ...OUR_SIDE,
    outage: NOT_THE_RECORD,
    dead_letter: NO_QUEUE,
    'doubled.after': 'a call between two objects is answered once',
  },
  callback: {
    ...OUR_SIDE,
    outage: 'its intake answers 503 then, and the provider sends again: as lost before',
    dead_letter: NO_QUEUE,
    consumer_died: 'the route that dies answers nothing, and the provider sends again: as lost',
    'doubled.after': 'the provider that hears no 2xx sends again: as lost after',
    'delayed.after': 'the callback is itself the report',
  },
  alarm: {
    ...NO_CALL,
    'throws.after': 'what has committed has not thrown',
    outage: NOT_THE_RECORD,
    dead_letter: NO_QUEUE,
    lost: 'alarms are on disk: the platform lets none be lost but by failing, which is `throws`',
    consumer_died: "the alarm is the object's own turn",
    'doubled.before': 'at least once shows as one more ring after the first',
    'delayed.after': 'a ring reports to nobody',
  },
};

const LOOKUP: Reasons = {
  'unanswered.after': 'a look-up books nothing that an answer could be lost after',
  'failed_5xx.after': 'a look-up books nothing that a failure could come after',
  'late.before': 'a look-up that nobody listens to any more has no effect',
};

/** Why a cell cannot be; null: it can, and must be hit. */
export function impossible(step: StepName, fault: Fault, side: Side): string | null {
  if (step === 'payment.authorize' && fault === 'late') return null;
  if (step.endsWith('.lookup')) {
    const reason = LOOKUP[`${fault}.${side}`];
    if (reason !== undefined) return reason;
  }
  const reasons = IMPOSSIBLE[STEPS_VIA[step]];
  return reasons[fault] ?? reasons[`${fault}.${side}`] ?? null;
}

export const CELLS: readonly Cell[] = STEPS.flatMap((step) =>
  FAULT_NAMES.flatMap((fault) => SIDES.map((side) => ({ step, fault, side }))),
).map((cell, index) => ({ ...cell, index }));

const POSSIBLE = CELLS.filter(({ step, fault, side }) => impossible(step, fault, side) === null);
export const CELLS_OF: ReadonlyMap<StepName, readonly Cell[]> = new Map(
  STEPS.map((name) => [name, POSSIBLE.filter(({ step }) => step === name)]),
);

export function viaOf(step: StepName): Via {
  return STEPS_VIA[step];
}

export class Matrix {
  readonly #hits = new Float64Array(CELLS.length);

  hit(cell: Cell): void {
    this.#hits[cell.index] = (this.#hits[cell.index] ?? 0) + 1;
  }

  hits(cell: Cell): number {
    return this.#hits[cell.index] ?? 0;
  }

  /** The cells that can be and were hit less often than `min`. */
  below(min: number): readonly Cell[] {
    return POSSIBLE.filter((cell) => this.hits(cell) < min);
  }

  least(): number {
    return Math.min(...POSSIBLE.map((cell) => this.hits(cell)));
  }

  /** One line per step; each fault's hits before/after the commit; `·` where the cell cannot be. */
  table(): string {
    const header = ['step', ...FAULT_NAMES];
    const rows = STEPS.map((step) => [
      step,
      ...FAULT_NAMES.map((fault) =>
        SIDES.map((side) => {
          const cell = CELLS.find((each) => each.step === step && each.fault === fault && each.side === side);
          return cell === undefined || impossible(step, fault, side) !== null ? '·' : String(this.hits(cell));
        }).join('/'),
      ),
    ]);
    const lines = [header, header.map(() => '---'), ...rows];
    return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
  }
}

export const POSSIBLE_CELLS = POSSIBLE.length;

/** The cells that cannot be, each reason once, with where it holds. */
export function impossibleCells(): string {
  const reasons = new Map<string, Set<string>>();
  for (const { step, fault, side } of CELLS) {
    const reason = impossible(step, fault, side);
    if (reason === null) continue;
    const where = reasons.get(reason) ?? new Set<string>();
    reasons.set(reason, where.add(`${step} × ${fault} ${side}`));
  }
  return [...reasons].map(([reason, where]) => `- ${where.size} cells: ${reason} (${[...where][0]} …)`).join('\n');
}
