/**
 * The consumer of gateway commands and the wire to the providers, simulated over the real decisions: keys and requests,
 * breakers, adapters' reading of answers, and what is left of "not sent" when an earlier delivery may have begun. A call
 * lands when it lands, listened to or not; the listener gives up after its timeout. Mirrors `queues/gateway-commands.ts`
 * and `src/gateway/gateway.ts`, whose calls are asynchronous and read the clock.
 */
import { ask, type Breaker, type CallReport, CLOSED, tell } from '../../src/domain/circuit-breaker.ts';
import type { GatewayOperation } from '../../src/domain/events/catalogue.ts';
import { effectIdOf } from '../../src/domain/saga/effects.ts';
import { outcomeOf } from '../../src/gateway/answers.ts';
import { withoutProof } from '../../src/gateway/gateway.ts';
import { PROVIDER_SLOW_MS } from '../../src/gateway/limits.ts';
import type { ProviderAnswer } from '../../src/gateway/provider.ts';
import { authorizeRequest, chargeRequest, type GatewayCommand, lookupRequest } from '../../src/gateway/requests.ts';
import { cellOf, pointOf } from './faults.ts';
import { START_MS } from './plan.ts';
import { type Call, failed } from './providers.ts';
import type { Delivery, Message } from './queues.ts';
import type { World } from './world.ts';

const AWAITS_MS = 3;
const WIRE_MS = 40;
/** As many failures as open a breaker (circuit-breaker.ts: CALLS_MIN). */
const FAILURES_BEFORE = 20;

interface Listening {
  readonly delivery: Delivery;
  readonly operation: GatewayOperation;
  readonly provider: string;
  readonly mayHaveBegun: boolean;
  readonly beganAtMs: number;
  readonly leaseId: string | undefined;
  heard: boolean;
}

export class Gateway {
  readonly #world: World;
  readonly #breakers = new Map<string, Breaker>();
  #leases = 0;

  constructor(world: World) {
    this.#world = world;
    if (!world.plan.breakerOpen) return;
    const failures = Array.from({ length: FAILURES_BEFORE }, (): CallReport => ({ result: 'failure', slow: false }));
    this.#breakers.set('acme.authorize', tell(CLOSED, failures, START_MS, 0.5));
  }

  /** A delivery that may not be the first asks the saga first, as the consumer does (decision 0011). */
  take(delivery: Delivery): void {
    const world = this.#world;
    const { message } = delivery;
    const mayHaveBegun = message.deliveries > 1 || message.unheard;
    if (!mayHaveBegun || world.sabotage.callsUnasked === true) {
      this.#begin(delivery, mayHaveBegun);
      return;
    }
    world.inFlight(AWAITS_MS, () => {
      const effectId = message.event.metadata.message_deduplication_id;
      const isAwaited =
        world.sabotage.asksOnly === true
          ? message.node.record()?.saga.pending.some((command) => effectIdOf(command) === effectId) === true
          : message.node.awaits(effectId);
      if (isAwaited) world.inFlight(AWAITS_MS, () => this.#begin(delivery, true));
      else world.noteMessage('reported', message, () => `${message.node.id} waits for ${message.step} no more`);
    });
  }

  #begin(delivery: Delivery, mayHaveBegun: boolean): void {
    const world = this.#world;
    const { node, step, event } = delivery.message;
    const { provider, not_after: notAfter } = (event as unknown as GatewayCommand).payload;
    if (provider === undefined) throw new Error(`${step} of ${node.id} names no provider`);
    const operation = event.event_type.slice('orchestrator.gateway.'.length) as GatewayOperation;
    const listening = {
      delivery,
      operation,
      provider,
      mayHaveBegun,
      beganAtMs: world.nowMs,
      leaseId: undefined,
      heard: false,
    };
    if (notAfter !== undefined && world.nowMs > Date.parse(notAfter)) {
      this.#report(listening, { kind: 'unknown', reason: 'expired' });
      return;
    }
    const series = `${provider}.${operation}`;
    const { breaker, permit } = ask(
      this.#breakers.get(series) ?? CLOSED,
      1,
      world.nowMs,
      () => `lease_${this.#leases++}`,
    );
    this.#breakers.set(series, breaker);
    if (permit.kind === 'refused') {
      this.#report(listening, { kind: 'not_sent', reason: 'breaker_open', retryAfterMs: permit.retryAfterMs });
    } else {
      this.#call({ ...listening, leaseId: permit.kind === 'leased' ? permit.leases[0] : undefined });
    }
  }

  #call(listening: Listening): void {
    const world = this.#world;
    const { delivery, operation, provider } = listening;
    const { fault, message } = delivery;
    const { node, step } = message;
    const what = () => `${step} of ${node.id} at ${provider}`;
    const { callTimeoutMs, lateMs, tooLateMs } = world.plan.times;
    const outMs = world.waitMs(node.who, step, WIRE_MS);
    world.inFlight(callTimeoutMs, () => this.#hear(listening, failed('timeout', operation)));
    if (world.strikes(fault, 'unanswered', 'before', node.who, what)) return;
    const roll = world.dice.roll(node.who, pointOf(step, 3));
    if (world.strikes(fault, 'turned_away', 'before', node.who, what)) {
      world.inFlight(outMs, () => this.#hear(listening, failed(roll < 0.6 ? 'http_503' : 'http_429', operation)));
    } else if (world.strikes(fault, 'failed_5xx', 'before', node.who, what)) {
      world.inFlight(outMs, () => this.#hear(listening, failed('http_500', operation)));
    } else {
      const isLate = cellOf(fault, 'late', 'before') !== null;
      const isTooLate = cellOf(fault, 'late', 'after') !== null;
      const landsMs = isLate
        ? callTimeoutMs + roll * (lateMs - callTimeoutMs)
        : isTooLate
          ? tooLateMs * (1 + roll / 4)
          : outMs;
      const { epoch } = world;
      world.agenda.in(landsMs, () => this.#land(listening, epoch));
    }
  }

  /** The call reaches the provider, whoever still listens. */
  #land(listening: Listening, epoch: number): void {
    const world = this.#world;
    const { delivery, operation, provider } = listening;
    const { fault, message } = delivery;
    const { node, step } = message;
    const what = () => `${step} of ${node.id} at ${provider}`;
    world.strikes(fault, 'late', 'before', node.who, what);
    const isTooLate = world.strikes(fault, 'late', 'after', node.who, what);
    const call = this.#callOf(operation, provider, message);
    const { answer, waitMs } = world.providers.of(provider).take(call, world.nowMs);
    world.noteMessage('landed', message, () => `${provider}: ${operation} for ${node.id} → ${described(answer)}`);
    world.invariants.landed(call, provider, answer, isTooLate);
    // Nobody listens any more: a provider that authorizes so late says so by itself.
    if (isTooLate) this.#tellLate(call, provider, answer);
    if (world.strikes(fault, 'unanswered', 'after', node.who, what)) return;
    const heard = world.strikes(fault, 'failed_5xx', 'after', node.who, what) ? failed('http_500', operation) : answer;
    world.agenda.in(waitMs + WIRE_MS / 2, () => {
      if (world.epoch === epoch) this.#hear(listening, heard);
    });
  }

  #hear(listening: Listening, answer: ProviderAnswer): void {
    if (listening.heard) return;
    listening.heard = true;
    const world = this.#world;
    const series = `${listening.provider}.${listening.operation}`;
    const report: CallReport = {
      result: isFailure(answer) ? 'failure' : answer.kind === 'throttled' ? 'no_sign' : 'success',
      slow: world.nowMs - listening.beganAtMs >= PROVIDER_SLOW_MS[world.plan.mode],
      ...(listening.leaseId !== undefined && { leaseId: listening.leaseId }),
    };
    const roll = world.dice.roll(0, 1);
    this.#breakers.set(series, tell(this.#breakers.get(series) ?? CLOSED, [report], world.nowMs, roll));
    this.#report(listening, answer);
  }

  #report({ delivery, operation, provider, mayHaveBegun }: Listening, answer: ProviderAnswer): void {
    const { message } = delivery;
    if (!isDefinite(answer)) message.touched = true;
    const { payment_id: paymentId, refund_id: refundId } = (message.event as unknown as GatewayCommand).payload;
    const outcome = outcomeOf({
      effectId: message.event.metadata.message_deduplication_id,
      paymentId,
      operation,
      isOfRefund: operation === 'refund' || refundId !== undefined,
      provider,
      answer: mayHaveBegun ? withoutProof(operation, answer) : answer,
    });
    this.#world.queues.afterEffect(delivery, outcome);
  }

  #tellLate(call: Call, provider: string, answer: ProviderAnswer): void {
    if (call.operation !== 'authorize' || answer.kind !== 'approved') return;
    const { key, paymentId, effectId, amountMinor, currency } = call.request;
    this.#world.queues.callBack(
      {
        provider,
        dueAtMs: this.#world.nowMs + WIRE_MS,
        body: {
          id: `evt_${key}_late`,
          type: 'charge.updated',
          created_at_ms: this.#world.nowMs,
          data: {
            object: 'charge',
            id: answer.reference,
            status: answer.captured ? 'captured' : 'authorized',
            amount: amountMinor,
            currency,
            metadata: { payment_id: paymentId, effect_id: effectId },
          },
        },
      },
      0,
    );
  }

  #callOf(operation: GatewayOperation, provider: string, { event }: Message): Call {
    const { sabotage, plan } = this.#world;
    const command = event as unknown as GatewayCommand;
    const effectId = event.metadata.message_deduplication_id;
    const keyed = <Request extends { readonly key: string }>(request: Request): Request =>
      sabotage.keyOf === undefined ? request : { ...request, key: sabotage.keyOf(request.key, effectId) };
    switch (operation) {
      case 'authorize': {
        // The token is no part of the stored event: the dispatcher adds it to the message (saga/dispatch.ts).
        const { token } = plan.payments.find(({ paymentId }) => paymentId === command.payload.payment_id) ?? {
          token: null,
        };
        const request = authorizeRequest(provider, command);
        return { operation, request: keyed(token === null ? request : { ...request, token }) };
      }
      case 'lookup':
        return { operation, request: lookupRequest(provider, command) };
      default: {
        const named = operation === 'unauthorize' ? 'void' : operation;
        return { operation, request: keyed(chargeRequest(provider, command, named)) };
      }
    }
  }
}

/** As `health.ts` reads it. */
function isFailure({ kind }: ProviderAnswer): boolean {
  return kind === 'not_sent' || kind === 'misconfigured' || kind === 'unknown';
}

/** The provider has done what it was asked. */
function isDefinite({ kind }: ProviderAnswer): boolean {
  return kind === 'approved' || kind === 'captured' || kind === 'voided' || kind === 'refunded' || kind === 'declined';
}

function described(answer: ProviderAnswer): string {
  const why = 'reason' in answer ? answer.reason : 'code' in answer ? answer.code : '';
  return why === '' ? answer.kind : `${answer.kind} (${why})`;
}
