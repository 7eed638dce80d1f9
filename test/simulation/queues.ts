/**
 * The queues and their consumers, simulated over the real decisions (`queues/wallet-facts.ts`, `gateway.ts`): at least
 * once, in no order, lost when the runtime is killed; a consumer can die before its effect, after it, or be unable to
 * report; attempts are spent after three retries. Callbacks of providers come in here too. Mirrors `queues/` and decides
 * nothing of its own.
 */
import { toCommand, toFact } from '../../queues/wallet-facts.ts';
import type { Envelope } from '../../src/domain/events/envelope.ts';
import type { Publication } from '../../src/domain/messages.ts';
import type { Outcome } from '../../src/domain/saga/outcome.ts';
import type { PendingCommand } from '../../src/domain/saga/table.ts';
import { outcomeOf } from '../../src/gateway/answers.ts';
import { pointOf, type Struck, UNHARMED } from './faults.ts';
import { type StepName, viaOf } from './matrix.ts';
import { callbackOf, type Told } from './providers.ts';
import type { Node } from './saga-node.ts';
import type { World } from './world.ts';

/** wrangler.toml: max_retries = 3. */
const DELIVERIES_MAX = 4;
/** A provider sends a callback again that was not taken, so often (sandbox-provider/callbacks.ts). */
const CALLBACK_ATTEMPTS_MAX = 4;
const HOP_MS = 12;
const RPC_MS = 3;

/** One sending of a command, or of a publication. */
export interface Message {
  readonly node: Node;
  readonly step: StepName;
  readonly event: Envelope;
  readonly publication: Publication | null;
  readonly unheard: boolean;
  deliveries: number;
  /** A fault has met it, or what came of it: that nothing was heard of it proves nothing against the saga. */
  touched: boolean;
}

export interface Delivery {
  readonly message: Message;
  readonly fault: Struck;
}

type WalletMessage = Parameters<typeof toCommand>[0];

export class Queues {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  send(node: Node, command: PendingCommand): void {
    const { event, name, allHeard } = command;
    if (event === null) return;
    const step = `${node.service}.${name}` as StepName;
    const message = { node, step, event, publication: null, unheard: !allHeard, deliveries: 0, touched: false };
    this.#world.noteMessage('sent', message, () => `${node.id} sends ${name}`);
    this.#world.invariants.sent(message);
    this.#post(message, this.#world.waitMs(node.who, step, HOP_MS));
  }

  publish(node: Node, publication: Publication): void {
    const event = publication.runs[0]?.events[0];
    if (event === undefined) return;
    const step: StepName = `${node.service}.publish`;
    const message = { node, step, event, publication, unheard: false, deliveries: 0, touched: false };
    this.#post(message, this.#world.waitMs(node.who, step, HOP_MS));
  }

  /** The message is to come again: it was not acknowledged. */
  redeliver(message: Message): void {
    message.touched = true;
    if (message.deliveries >= DELIVERIES_MAX) this.#bury(message);
    else this.#post(message, 500 + this.#world.waitMs(message.node.who, message.step, 500 * message.deliveries));
  }

  /** The effect is there; now the saga is to hear of it. */
  afterEffect({ message, fault }: Delivery, outcome: Outcome): void {
    const world = this.#world;
    const { node, step } = message;
    const what = () => `${step} of ${node.id}`;
    if (!this.#survives({ message, fault })) return;
    const waitMs = world.waitMs(node.who, step, RPC_MS);
    const isDelayed = world.strikes(fault, 'delayed', 'after', node.who, what);
    const delayMs = isDelayed ? world.delayMs(node.who, step) : 0;
    world.inFlight(waitMs + delayMs, () => this.#report({ message, fault }, outcome));
    if (world.strikes(fault, 'doubled', 'after', node.who, what)) {
      world.inFlight(waitMs + world.delayMs(node.who, step), () => this.#report({ message, fault: UNHARMED }, outcome));
    }
  }

  /** A provider tells how a charge or a refund has turned out. */
  callBack(told: Told, attempts: number): void {
    const world = this.#world;
    const event = callbackOf(told.body);
    const effectId = event?.effectId;
    if (event === null || effectId === undefined) return;
    world.agenda.at(told.dueAtMs, () => {
      // What was undone before it settled is not told (sandbox-provider/callbacks.ts).
      const { data } = told.body;
      if (
        data.object === 'charge' &&
        world.providers.of(told.provider).charge(data.id.slice(3), world.nowMs)?.status === 'voided'
      )
        return;
      const node = world.node(/\.(ref_[0-9A-Za-z]+)/.exec(effectId)?.[1] ?? event.paymentId);
      if (node === null) return;
      const { paymentId, operation, answer } = event;
      const outcome = outcomeOf({
        effectId,
        paymentId,
        operation,
        isOfRefund: operation === 'refund',
        provider: told.provider,
        answer,
      });
      this.#takeCallback(node, outcome, told, attempts);
    });
  }

  #takeCallback(node: Node, outcome: Outcome, told: Told, attempts: number): void {
    const world = this.#world;
    const step: StepName = `${node.service}.callback`;
    // The last time it is sent it comes: one that never does is a story of the sandbox's own (`callback_never`).
    const fault = attempts + 1 < CALLBACK_ATTEMPTS_MAX ? world.fault(node.who, step) : UNHARMED;
    const what = () => `a callback of ${told.provider} for ${node.id}`;
    const again = (ms: number) => this.callBack({ ...told, dueAtMs: world.nowMs + ms }, attempts + 1);
    const soonMs = 500 * 2 ** attempts;
    if (world.strikes(fault, 'lost', 'before', node.who, what) || world.kills(fault, 'before', node.who, what)) {
      again(soonMs);
    } else if (world.strikes(fault, 'delayed', 'before', node.who, what)) {
      again(world.delayMs(node.who, step));
    } else {
      world.note('reported', node.who, outcome.effect_id.length, () => `${what()}: ${readable(outcome)}`);
      if (world.strikes(fault, 'doubled', 'before', node.who, what)) again(world.waitMs(node.who, step, HOP_MS));
      const isHeard = this.#deliver(node, outcome, fault);
      const isAnswered =
        !world.strikes(fault, 'lost', 'after', node.who, what) && !world.kills(fault, 'after', node.who, what);
      if (!isHeard || !isAnswered) again(soonMs);
    }
  }

  #post(message: Message, waitMs: number): void {
    const world = this.#world;
    const { node, step } = message;
    const fault = world.invariants.plannedFault(message) ?? world.fault(node.who, step);
    if (fault.length > 0) message.touched = true;
    const what = () => `${step} of ${node.id}`;
    if (world.strikes(fault, 'lost', 'before', node.who, what)) return;
    const delayMs = world.strikes(fault, 'delayed', 'before', node.who, what) ? world.delayMs(node.who, step) : 0;
    world.inFlight(waitMs + delayMs, () => this.#arrive({ message, fault }));
    if (world.strikes(fault, 'doubled', 'before', node.who, what)) {
      // At about the same time, or much later.
      const roll = world.dice.roll(node.who, pointOf(step, 2));
      const againMs = roll < 0.6 ? Math.floor(3 * roll * waitMs) : world.delayMs(node.who, step);
      world.inFlight(againMs, () => this.#arrive({ message, fault: UNHARMED }));
    }
  }

  #arrive(delivery: Delivery): void {
    const world = this.#world;
    const { message, fault } = delivery;
    const { node, step } = message;
    const what = () => `${step} of ${node.id}`;
    message.deliveries += 1;
    world.noteMessage('arrived', message, () => `${step} of ${node.id} arrives (delivery ${message.deliveries})`);
    if (world.strikes(fault, 'dead_letter', 'before', node.who, what)) this.#bury(message);
    else if (world.strikes(fault, 'consumer_died', 'before', node.who, what)) this.redeliver(message);
    else if (!world.kills(fault, 'before', node.who, what)) this.#carryOut(delivery);
  }

  #carryOut(delivery: Delivery): void {
    switch (viaOf(delivery.message.step)) {
      case 'wallet':
        this.#move(delivery);
        break;
      case 'gateway':
        this.#world.gateway.take(delivery);
        break;
      case 'record':
        this.#write(delivery);
        break;
      default:
        this.#notify(delivery);
    }
  }

  #move(delivery: Delivery): void {
    const world = this.#world;
    const { event, node } = delivery.message;
    // Made by the saga a moment ago: the consumer's decoding is the events' own test's (test/domain/events-decode.test.ts).
    const command = event as unknown as WalletMessage;
    const { wallet_id: walletId, amount } = command.payload;
    const outcome = world.wallets.execute(walletId, toCommand(command), world.nowMs);
    world.noteMessage('effect', delivery.message, () => {
      const done = outcome.kind === 'applied' ? `applied as entry ${outcome.version}` : `refused: ${outcome.reason}`;
      return `wallet ${walletId}: ${command.event_type.split('.')[2]} of ${amount} for ${node.id} ${done}`;
    });
    this.afterEffect(delivery, { effect_id: outcome.effectId, fact: toFact(command, outcome) });
  }

  #notify({ message, fault }: Delivery): void {
    const effectIds = [message.event.metadata.message_deduplication_id];
    this.#acknowledged({ message, fault }, () => message.node.acknowledge({ effectIds }));
  }

  #write(delivery: Delivery): void {
    const world = this.#world;
    const { message, fault } = delivery;
    const { node, step, publication } = message;
    const runs = publication?.runs ?? [];
    const [first, last] = [runs[0]?.first, runs.at(-1)?.last];
    if (publication === null || first === undefined || last === undefined) return;
    const what = () => `${step} of ${node.id}`;
    // Of four merchants, one has nobody to tell.
    const isToBeTold = node.who % 4 > 0;
    const toTell = publication.to_tell ?? [];
    const effectIds = isToBeTold ? [] : toTell;
    const acknowledge = () => node.acknowledge({ effectIds, events: { first, last } });
    if (world.sabotage.acknowledgesFirst === true) acknowledge();
    if (world.strikes(fault, 'outage', 'before', node.who, what)) {
      this.redeliver(message);
      return;
    }
    world.record.write(publication);
    if (isToBeTold) for (const effectId of toTell) this.#handOn(message, effectId);
    if (!world.strikes(fault, 'outage', 'after', node.who, what)) this.#acknowledged(delivery, acknowledge);
  }

  /** What a publication brings to tell, on its way to whoever is to be told (queues/payment-events.ts). */
  #handOn({ node, publication }: Message, effectId: string): void {
    const event = publication?.runs
      .flatMap(({ events }) => events)
      .find(({ metadata }) => metadata.message_deduplication_id === effectId);
    if (event === undefined) return;
    const step: StepName = `${node.service}.notify`;
    const message = { node, step, event, publication: null, unheard: false, deliveries: 0, touched: false };
    this.#post(message, this.#world.waitMs(node.who, step, HOP_MS));
  }

  /** A consumer that reports no outcome, only that it has taken over. */
  #acknowledged({ message, fault }: Delivery, acknowledge: () => void): void {
    const world = this.#world;
    const { node, step } = message;
    const what = () => `${step} of ${node.id}`;
    if (!this.#survives({ message, fault })) return;
    const waitMs = world.waitMs(node.who, step, RPC_MS);
    const isDelayed = world.strikes(fault, 'delayed', 'after', node.who, what);
    world.inFlight(waitMs + (isDelayed ? world.delayMs(node.who, step) : 0), () => {
      world.jumps(fault, 'before', node);
      const crash = world.crashOf(fault, node);
      if (crash === 'before') node.die();
      else acknowledge();
      // What it has taken and not stored is forgotten.
      if (crash === 'after') node.die();
      world.jumps(fault, 'after', node);
      world.noteMessage('reported', message, () => `${step} of ${node.id} is taken over`);
    });
    if (world.strikes(fault, 'doubled', 'after', node.who, what)) {
      world.inFlight(waitMs + world.delayMs(node.who, step), acknowledge);
    }
  }

  /** Whether who has carried it out comes to report. */
  #survives({ message, fault }: Delivery): boolean {
    const world = this.#world;
    const { node, step } = message;
    const what = () => `${step} of ${node.id}`;
    if (world.strikes(fault, 'consumer_died', 'after', node.who, what)) this.redeliver(message);
    else if (world.strikes(fault, 'dead_letter', 'after', node.who, what)) this.#bury(message);
    else return !world.strikes(fault, 'lost', 'after', node.who, what) && !world.kills(fault, 'after', node.who, what);
    return false;
  }

  #report({ message, fault }: Delivery, outcome: Outcome): void {
    const { node } = message;
    this.#world.noteMessage('reported', message, () => `${node.id} hears: ${readable(outcome)}`);
    if (!this.#deliver(node, outcome, fault)) this.redeliver(message);
  }

  /** False: the caller saw an exception. */
  #deliver(node: Node, outcome: Outcome, fault: Struck): boolean {
    const world = this.#world;
    world.jumps(fault, 'before', node);
    world.invariants.told(outcome.effect_id);
    const answered = node.take([{ kind: 'outcome', outcome }], world.crashOf(fault, node));
    world.jumps(fault, 'after', node);
    return answered === 'ok';
  }

  /** The attempts are spent: a dead letter, and the saga is told, unless the letter is a publication. */
  #bury(message: Message): void {
    const world = this.#world;
    message.touched = true;
    if (message.publication !== null) return;
    const { node, step, event } = message;
    const effectId = event.metadata.message_deduplication_id;
    world.inFlight(world.waitMs(node.who, step, 10 * HOP_MS), () => {
      world.noteMessage('died', message, () => `${step} of ${node.id} is a dead letter, and ${node.id} is told`);
      world.invariants.told(effectId);
      node.take([{ kind: 'died', effectId }], null);
    });
  }
}

/** An outcome as a line of a story has it. */
export function readable({ effect_id: effectId, fact }: Outcome): string {
  const { payload } = fact;
  const status = 'gateway_status' in payload ? payload.gateway_status : fact.event_type;
  const where = 'provider' in payload && payload.provider !== undefined ? ` at ${payload.provider}` : '';
  return `${status}${where} (${effectId.replace('orchestrator.', '')})`;
}
