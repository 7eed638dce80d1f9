/**
 * One simulated world, from one seed: sagas' objects, wallets, providers, queues, the record and the clients, and the time
 * that passes between them. Everything that happens is on one agenda; every fault comes from one dice; the invariants are
 * asked after every event. Built and run by `run.ts`.
 */
import type { Publication } from '../../src/domain/messages.ts';
import type { PaymentData } from '../../src/domain/payment.ts';
import type { settleRefund } from '../../src/domain/payment-refunds.ts';
import { PAYMENT_KIND } from '../../src/domain/payment-view.ts';
import type { RefundData } from '../../src/domain/refund.ts';
import { REFUND_KIND } from '../../src/domain/refund-view.ts';
import type { PaymentCommand, PaymentState } from '../../src/domain/saga/payment-types.ts';
import type { SagaKind, SagaRecord } from '../../src/domain/saga/record.ts';
import type { RefundCommand, RefundState } from '../../src/domain/saga/refund-types.ts';
import type { PendingCommand, Step, StepContext } from '../../src/domain/saga/table.ts';
import { Agenda } from './agenda.ts';
import { Calls } from './calls.ts';
import { Clients } from './clients.ts';
import { cellOf, Faults, pointOf, type Struck, UNHARMED } from './faults.ts';
import { Gateway } from './gateway.ts';
import { Invariants } from './invariants.ts';
import type { Fault, Matrix, Side, StepName } from './matrix.ts';
import { type Plan, planOf, START_MS } from './plan.ts';
import { Providers } from './providers.ts';
import { type Message, Queues } from './queues.ts';
import { Dice, TraceHash } from './random.ts';
import { RecordBook } from './record.ts';
import { type Crash, type Node, type RowPart, SagaNode, type Surroundings } from './saga-node.ts';
import { type StoreOf, Wallets } from './wallets.ts';

export type PaymentNode = SagaNode<PaymentState, PaymentData, PaymentCommand>;
export type RefundNode = SagaNode<RefundState, RefundData, RefundCommand>;

/** Where a canary plants its fault. */
export interface Sabotage {
  readonly paymentKind?: SagaKind<PaymentState, PaymentData, PaymentCommand, RowPart>;
  readonly refundKind?: SagaKind<RefundState, RefundData, RefundCommand, RowPart>;
  readonly storeOf?: StoreOf;
  /** Whether the n-th alarm that is to be set is set. */
  readonly armsAlarm?: (n: number) => boolean;
  /** The record's consumer acknowledges before D1 has taken the run. */
  readonly acknowledgesFirst?: boolean;
  /** A redelivered authorization calls without asking the saga whether it still waits. */
  readonly callsUnasked?: boolean;
  /** It asks, and the saga does not store that it was asked. */
  readonly asksOnly?: boolean;
  /** How a payment notes what became of a refund. */
  readonly settles?: typeof settleRefund;
  /** The provider key of a call, from the right one. */
  readonly keyOf?: (key: string, effectId: string) => string;
}

export interface WorldOptions {
  readonly seed: number;
  readonly matrix: Matrix;
  /** Faults that do not happen, and payments or refunds that are never asked for: what shrinking turns off. */
  readonly faultsOff: ReadonlySet<number>;
  readonly sagasOff: ReadonlySet<number>;
  readonly sabotage: Sabotage;
  /** Called for every line of the story, when somebody wants to read it. */
  readonly tell: ((line: string) => void) | null;
}

/** The kinds of things that happen, for the trace hash. */
export type Happening = 'sent' | 'arrived' | 'effect' | 'landed' | 'reported' | 'committed' | 'rang' | 'died' | 'fault';
const HAPPENINGS: readonly Happening[] = [
  'sent',
  'arrived',
  'effect',
  'landed',
  'reported',
  'committed',
  'rang',
  'died',
  'fault',
];
const CODES = new Map(HAPPENINGS.map((name, index) => [name, index]));
/** Of so many worlds, one has its events decoded. */
const DECODED_EVERY = 16;
const RANDOM_POINT = 110;
const CLOCK_POINT = 111;
/** The platform may ring an alarm so much late, seldom. */
const ALARM_LATE_MS = 40_000;

export class World implements Surroundings {
  readonly plan: Plan;
  readonly dice: Dice;
  readonly agenda = new Agenda(START_MS);
  readonly faults: Faults;
  readonly sabotage: Sabotage;
  readonly wallets: Wallets;
  readonly providers: Providers;
  readonly record = new RecordBook();
  readonly payments = new Map<string, PaymentNode>();
  readonly refunds = new Map<string, RefundNode>();
  readonly clients: Clients;
  readonly gateway: Gateway;
  readonly queues: Queues;
  readonly calls: Calls;
  readonly invariants: Invariants;
  readonly hash = new TraceHash();
  readonly faultsUntilMs: number;
  /** Whether this is one of the worlds whose events are decoded. */
  readonly decodes: boolean;
  /** Of this life of the runtime: what is in flight when it is killed is gone. */
  epoch = 0;
  events = 0;
  readonly #tell: ((line: string) => void) | null;
  readonly #rings = new Map<Node, number>();
  #ids = 0;
  #alarms = 0;

  constructor({ seed, matrix, faultsOff, sagasOff, sabotage, tell }: WorldOptions) {
    this.dice = new Dice(seed);
    this.plan = planOf(this.dice);
    this.faultsUntilMs = START_MS + this.plan.times.faultsForMs;
    this.faults = new Faults(this.dice, matrix, this.faultsUntilMs, faultsOff);
    this.decodes = seed % DECODED_EVERY === 0;
    this.sabotage = sabotage;
    this.#tell = tell;
    const byId = new Map(this.plan.payments.map((payment) => [payment.paymentId, payment]));
    this.wallets = new Wallets(this.plan.wallets, sabotage.storeOf ?? ((real) => real), START_MS);
    this.providers = new Providers(
      (told) => this.queues.callBack(told, 0),
      (paymentId) => byId.get(paymentId)?.capturesAtOnce === true,
    );
    this.gateway = new Gateway(this);
    this.queues = new Queues(this);
    this.calls = new Calls(this);
    this.invariants = new Invariants(this);
    this.clients = new Clients(this, sagasOff);
    // The last of the faults: every clock is right again.
    this.agenda.at(this.faultsUntilMs, () => this.#setClocks());
  }

  get nowMs(): number {
    return this.agenda.nowMs;
  }

  // ── Nodes ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  payment(paymentId: string, who: number): PaymentNode {
    const known = this.payments.get(paymentId);
    if (known !== undefined) return known;
    const kind = this.sabotage.paymentKind ?? PAYMENT_KIND;
    const node: PaymentNode = new SagaNode(this, kind, { who, service: 'payment', id: paymentId });
    this.payments.set(paymentId, node);
    return node;
  }

  refund(refundId: string, who: number): RefundNode {
    const known = this.refunds.get(refundId);
    if (known !== undefined) return known;
    const kind = this.sabotage.refundKind ?? REFUND_KIND;
    const node: RefundNode = new SagaNode(this, kind, { who, service: 'refund', id: refundId });
    this.refunds.set(refundId, node);
    return node;
  }

  /** The saga that an entity id leads to; null: nobody's. */
  node(entityId: string): Node | null {
    return this.payments.get(entityId) ?? this.refunds.get(entityId) ?? null;
  }

  nodes(): readonly Node[] {
    return [...this.payments.values(), ...this.refunds.values()];
  }

  // ── What a saga's object asks of its surroundings ──────────────────────────────────────────────────────────────────

  context(node: Node): StepContext {
    return {
      nowMs: this.nowMs + node.clockAheadMs,
      policy: this.plan.times.policy,
      random: () => this.dice.roll(node.who, RANDOM_POINT),
      newId: () => `00000000-0000-4000-8000-${String(++this.#ids).padStart(12, '0')}`,
      trace: { traceId: 'a'.repeat(32), traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` },
    };
  }

  send(node: Node, command: PendingCommand): void {
    if (command.event === null) return;
    if (command.name === 'reserve' || command.name === 'settle') this.calls.call(node, command);
    else this.queues.send(node, command);
  }

  publish(node: Node, publication: Publication): void {
    this.queues.publish(node, publication);
  }

  armsAlarm(): boolean {
    return this.sabotage.armsAlarm?.(this.#alarms++) ?? true;
  }

  alarmSet(node: SagaNode<string, never, string> | Node): void {
    const ring = (this.#rings.get(node) ?? 0) + 1;
    this.#rings.set(node, ring);
    const { alarmAtMs } = node;
    if (alarmAtMs === null) return;
    this.agenda.at(alarmAtMs - node.clockAheadMs, () => {
      if (this.#rings.get(node) === ring) this.#ring(node, true);
    });
  }

  committed(node: Node, before: SagaRecord | null, after: SagaRecord, taken: Step<string, unknown, string>): void {
    this.note('committed', node.who, after.saga.sequence * 64 + after.saga.state.length, () => {
      const events = taken.events.map((event) => event.event_type).join(', ');
      return `${node.id}: ${after.saga.state}${events === '' ? '' : ` (${events})`}`;
    });
    this.invariants.committed(node, before, after, taken);
    if (node.service === 'payment') this.clients.paymentIs(node.id, after.saga.state);
  }

  // ── Time, and what goes wrong ──────────────────────────────────────────────────────────────────────────────────────

  /** What is gone when the runtime is killed. */
  inFlight(ms: number, happen: () => void): void {
    const { epoch } = this;
    this.agenda.in(ms, () => {
      if (this.epoch === epoch) happen();
    });
  }

  /** How long a step's attempt takes: mostly little, and now and then ten times as much. */
  waitMs(who: number, step: StepName, typicalMs: number): number {
    const roll = this.dice.roll(who, pointOf(step, 1));
    return 1 + Math.floor(typicalMs * (roll > 0.97 ? 10 * roll : 2 * roll));
  }

  /** Enough to be overtaken by a message that was sent again. */
  delayMs(who: number, step: StepName): number {
    const { policy } = this.plan.times;
    return Math.floor((0.2 + 2 * this.dice.roll(who, pointOf(step, 2))) * policy.resendGateway.firstMs);
  }

  fault(who: number, step: StepName): Struck {
    return this.faults.draw(who, step, this.nowMs);
  }

  /** Counts it, and says so. */
  strikes(struck: Struck, fault: Fault, side: Side, who: number, what: () => string): boolean {
    const cell = cellOf(struck, fault, side);
    if (cell === null) return false;
    this.faults.hit(cell);
    this.note('fault', who, cell.index, () => `! ${what()}: ${fault}, ${side} the commit`);
    return true;
  }

  /** How the saga's object dies on the turn that takes this attempt's outcome, as far as the fault says. */
  crashOf(struck: Struck, node: Node): Crash {
    const what = () => `the object of ${node.id} dies`;
    if (this.strikes(struck, 'crashed', 'before', node.who, what)) return 'before';
    if (this.strikes(struck, 'crashed', 'after', node.who, what)) return 'after';
    return this.strikes(struck, 'cut_off', 'after', node.who, what) ? 'sent' : null;
  }

  /** Sets the clock of a saga's object ahead or back. */
  jumps(struck: Struck, side: Side, node: Node): void {
    // Drawn in time, but due when every clock is right again: one that was wrong from then on would be a fault without an end.
    if (this.nowMs >= this.faultsUntilMs) return;
    if (!this.strikes(struck, 'clock_jump', side, node.who, () => `the clock of ${node.id}`)) return;
    const roll = this.dice.roll(node.who, CLOCK_POINT);
    const { aheadMs } = this.plan.times;
    // Back by seconds, or by up to an hour; ahead only as far as a late landing leaves of the grace.
    node.clockAheadMs = Math.round(roll < 0.4 ? roll * 2 * aheadMs : roll < 0.8 ? -roll * 10_000 : -roll * 3_600_000);
    this.invariants.disturbed(node);
    this.alarmSet(node);
  }

  kills(struck: Struck, side: Side, who: number, what: () => string): boolean {
    if (!this.strikes(struck, 'killed', side, who, what)) return false;
    this.note('died', 0, 0, () => 'the runtime is killed, with all that is in flight');
    this.epoch += 1;
    for (const node of this.nodes()) node.die();
    this.invariants.allDisturbed();
    return true;
  }

  // ── The trace ──────────────────────────────────────────────────────────────────────────────────────────────────────

  note(what: Happening, who: number, value: number, line: () => string): void {
    this.hash.take(this.nowMs);
    this.hash.take((CODES.get(what) ?? 0) * 64 + who);
    this.hash.take(value);
    if (this.#tell === null) return;
    this.#tell(`${((this.nowMs - START_MS) / 1_000).toFixed(3).padStart(9)} s  ${line()}`);
  }

  noteMessage(what: Happening, message: Message, line: () => string): void {
    this.note(what, message.node.who, message.event.metadata.sequence * 16 + message.deliveries, line);
  }

  #ring(node: Node, mayFault: boolean): void {
    const record = node.record();
    if (record === null || (node instanceof SagaNode && node.isIdle())) return;
    const step: StepName = `${node.service}.alarm`;
    const struck = mayFault ? this.fault(node.who, step) : UNHARMED;
    const what = () => `the alarm of ${node.id}`;
    if (this.strikes(struck, 'delayed', 'before', node.who, what)) {
      const lateMs = this.dice.roll(node.who, pointOf(step, 2)) * ALARM_LATE_MS;
      const ring = this.#rings.get(node);
      this.agenda.in(lateMs, () => {
        if (this.#rings.get(node) === ring) this.#ring(node, false);
      });
      return;
    }
    this.jumps(struck, 'before', node);
    if (this.kills(struck, 'before', node.who, what)) {
      // It comes again: the platform has not heard that it went well.
      this.agenda.in(500, () => this.#ring(node, false));
      return;
    }
    this.note('rang', node.who, record.saga.sequence, () => `the alarm of ${node.id} rings`);
    const throws = this.strikes(struck, 'throws', 'before', node.who, what);
    node.ring(throws ? 'throws' : this.crashOf(struck, node));
    this.jumps(struck, 'after', node);
    if (this.strikes(struck, 'doubled', 'after', node.who, what)) this.#ring(node, false);
    this.kills(struck, 'after', node.who, what);
  }

  #setClocks(): void {
    for (const node of this.nodes()) {
      if (node.clockAheadMs === 0) continue;
      node.clockAheadMs = 0;
      this.invariants.disturbed(node);
      this.alarmSet(node);
    }
  }
}
