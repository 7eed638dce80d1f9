/**
 * The gateway: carries out one command at one provider and tells what came of it. It decides nothing about a payment: it
 * never tries a second provider, never undoes, never waits. A failover is the saga's next command (decision 0012).
 * Called by the consumer of `gateway-commands`: one `GatewayBatch` per batch of messages.
 */
import pLimit, { type LimitFunction } from 'p-limit';
import type { Config } from '../config.ts';
import type { Spent } from '../domain/cost/spent.ts';
import { InvariantError } from '../domain/errors.ts';
import type { GatewayOperation, GatewayStatus } from '../domain/events/catalogue.ts';
import { NOT_CONFIGURED, ROUTE_RULES, type RouteDecision, route } from '../domain/routing.ts';
import type { Outcome } from '../domain/saga/outcome.ts';
import { logLine, routineLine } from '../telemetry/log.ts';
import type { OpenSpan } from '../telemetry/tracer.ts';
import { outcomeOf } from './answers.ts';
import { HealthBatch, healthDeskOf } from './health.ts';
import { PROVIDER_CALLS_AT_ONCE_MAX } from './limits.ts';
import { MATTERS, type Provider, type ProviderAnswer } from './provider.ts';
import { type Providers, providersOf } from './registry.ts';
import { authorizeRequest, chargeRequest, type GatewayCommand, lookupRequest } from './requests.ts';

export interface Delivery {
  /**
   * An earlier delivery of this very effect may have begun its call and never told: the message is redelivered, or was
   * sent again with no outcome heard. Then a call that now provably takes no effect proves nothing of the earlier one.
   */
  readonly mayHaveBegun?: boolean;
  /** Under which its calls are traced; absent: they are not. */
  readonly span?: OpenSpan;
}

/** The gateway for one batch of a consumer: `run` each command, side by side, then `close` once. */
export function openGatewayBatch(env: Env, config: Config): GatewayBatch {
  const health = new HealthBatch(healthDeskOf(env), config.mode);
  return new GatewayBatch(providersOf(env, config), health, PROVIDER_CALLS_AT_ONCE_MAX[config.mode]);
}

export class GatewayBatch {
  readonly #providers: Providers;
  readonly #health: HealthBatch;
  readonly #inTurn: LimitFunction;

  constructor(providers: Providers, health: HealthBatch, callsAtOnceMax: number) {
    this.#providers = providers;
    this.#health = health;
    this.#inTurn = pLimit(callsAtOnceMax);
  }

  /**
   * Carries out one command. Checks, in order: the time it may begin until → the provider is known → its breaker → the call; where the
   * call has to wait for its turn, the time again, by the clock `now`.
   * Never throws for what a provider does; the same command may come any number of times (one key, one effect).
   * @throws InvariantError for a command that no saga of ours issues: a capture, void or refund with no provider.
   */
  async run(command: GatewayCommand, now: () => number, delivery: Delivery = {}): Promise<Outcome> {
    const startedAtMs = Date.now();
    const operation = operationOf(command);
    const candidates = candidatesOf(command, operation);
    const { provider, answer } =
      operation === 'lookup'
        ? await this.#lookUp(candidates, command, delivery.span)
        : await this.#askOne(candidates[0], operation, command, now, delivery);
    const outcome = outcomeOf({
      effectId: command.metadata.message_deduplication_id,
      paymentId: command.payload.payment_id,
      operation,
      isOfRefund: operation === 'refund' || command.payload.refund_id !== undefined,
      ...(provider !== undefined && { provider }),
      answer: delivery.mayHaveBegun === true ? withoutProof(operation, answer) : answer,
    });
    logCall(command, outcome, needsPerson(answer), Date.now() - startedAtMs);
    return outcome;
  }

  /** Tells the providers' health how the calls went. Nothing waits for it: after the outcomes are delivered. */
  async close(): Promise<void> {
    await this.#health.close();
  }

  /** What its breakers have cost since this was last asked, what they will be told included. */
  takeSpent(): Spent {
    return this.#health.takeSpent();
  }

  async #askOne(
    name: string | undefined,
    operation: Exclude<GatewayOperation, 'lookup'>,
    command: GatewayCommand,
    now: () => number,
    { span, mayHaveBegun = false }: Delivery,
  ): Promise<Asked> {
    if (name === undefined) return { answer: { kind: 'misconfigured', reason: 'no_route' } };
    const { not_after: notAfter } = command.payload;
    const isLate = () => notAfter !== undefined && now() > Date.parse(notAfter);
    if (isLate()) return { provider: name, answer: EXPIRED };
    const answer =
      this.#passedOn(name, operation, command, mayHaveBegun) ??
      (await this.#admitted(name, operation, span, (provider) => call(provider, operation, command), isLate));
    return { provider: name, answer };
  }

  /**
   * A payment that this provider cannot take, and another of its route may: nothing is sent, and its breaker hears nothing. Routes name
   * providers that a deployment need not have; one that is not there is none of the money's, unless an earlier delivery came while it was.
   */
  #passedOn(
    name: string,
    operation: GatewayOperation,
    command: GatewayCommand,
    mayHaveBegun: boolean,
  ): ProviderAnswer | null {
    if (operation !== 'authorize') return null;
    const provider = this.#providers.get(name);
    if (provider === undefined) return mayHaveBegun ? null : { kind: 'unfit', code: NOT_CONFIGURED };
    const code = provider.unfit?.(authorizeRequest(name, command)) ?? null;
    return code === null ? null : { kind: 'unfit', code };
  }

  /** Asks every candidate; the answer that matters most is the answer (`MATTERS`). */
  async #lookUp(names: readonly string[], command: GatewayCommand, span: OpenSpan | undefined): Promise<Asked> {
    const asked = await Promise.all(
      names.map(async (name): Promise<Asked> => {
        const request = lookupRequest(name, command);
        const answer = await this.#admitted(name, 'lookup', span, (provider) => provider.lookup(request));
        return { provider: name, answer };
      }),
    );
    const [only] = asked;
    if (asked.length === 1 && only !== undefined) return only;
    for (const kind of MATTERS) {
      const found = asked.find(({ answer }) => answer.kind === kind);
      // Absence was said by all of them: no one provider is its source.
      if (found !== undefined) return kind === 'absent' ? { answer: found.answer } : found;
    }
    return { answer: { kind: 'misconfigured', reason: 'no_route' } };
  }

  /** Makes the call if the provider is there and its breaker lets it; an open breaker provably sends nothing. */
  async #admitted(
    name: string,
    operation: GatewayOperation,
    parent: OpenSpan | undefined,
    make: (provider: Provider) => Promise<ProviderAnswer>,
    isLate: () => boolean = () => false,
  ): Promise<ProviderAnswer> {
    const provider = this.#providers.get(name);
    if (provider === undefined) return { kind: 'misconfigured', reason: `${NOT_CONFIGURED}: ${name}` };
    const admission = await this.#health.admit(name, operation);
    if (!admission.admitted) {
      return { kind: 'not_sent', reason: 'breaker_open', retryAfterMs: admission.retryAfterMs };
    }
    return await this.#inTurn(async () => {
      if (isLate()) return EXPIRED;
      const startedAtMs = Date.now();
      const span = parent?.begin(`${operation} ${name}`, 'client', {
        'holdfast.provider': name,
        'holdfast.operation': operation,
      });
      const answer = await make((span && provider.traced?.(span.traceparent)) ?? provider);
      span?.end({ 'holdfast.outcome': answer.kind }, FAULTS.has(answer.kind));
      this.#health.note(name, operation, admission, answer, Date.now() - startedAtMs);
      return answer;
    });
  }
}

function operationOf(command: GatewayCommand): GatewayOperation {
  return command.event_type.slice('orchestrator.gateway.'.length) as GatewayOperation;
}

/**
 * Whom the command is for: the provider that it names, else those of the route. Only an authorization, or a look-up of
 * one, may leave it open.
 */
function candidatesOf(command: GatewayCommand, operation: GatewayOperation): readonly string[] {
  const { provider } = command.payload;
  if (provider !== undefined) return [provider];
  if (operation !== 'authorize' && operation !== 'lookup') {
    throw new InvariantError('gateway_provider_pinned', { operation, payment_id: command.payload.payment_id });
  }
  const decision = routeOf(command);
  return operation === 'lookup' || decision.provider === null ? decision.candidates : [decision.provider];
}

function routeOf({ payload, metadata }: GatewayCommand): RouteDecision {
  const { merchant, mode } = metadata;
  return route(ROUTE_RULES[mode], { merchant, currency: payload.currency, method: payload.method });
}

interface Asked {
  readonly provider?: string;
  readonly answer: ProviderAnswer;
}

async function call(
  provider: Provider,
  operation: Exclude<GatewayOperation, 'lookup'>,
  command: GatewayCommand,
): Promise<ProviderAnswer> {
  switch (operation) {
    case 'authorize':
      return await provider.authorize(authorizeRequest(provider.name, command));
    case 'capture':
      return await provider.capture(chargeRequest(provider.name, command, 'capture'));
    case 'unauthorize':
      return await provider.void(chargeRequest(provider.name, command, 'void'));
    case 'refund':
      return await refund(provider, command);
  }
}

/** A key answers the same for ever, so a refund that was pending is asked about, not only asked for again. */
async function refund(provider: Provider, command: GatewayCommand): Promise<ProviderAnswer> {
  const request = chargeRequest(provider.name, command, 'refund');
  const answer = await provider.refund(request);
  if (answer.kind !== 'pending') return answer;
  const { key: refundKey, ...rest } = request;
  const { reference: refundReference } = answer;
  const found = await provider.lookup({
    ...rest,
    refundKey,
    ...(refundReference !== undefined && { refundReference }),
  });
  return found.kind === 'refunded' || found.kind === 'refused' ? found : answer;
}

/**
 * Not "not sent": that this delivery begins no call proves nothing of an earlier one, and after this time the saga
 * would take it for the last word. Unknown makes it look first; an absence seen after this time is one for good.
 */
const EXPIRED: ProviderAnswer = { kind: 'unknown', reason: 'expired' };

/** Answers that are an error of the call; a no of the provider is an answer. */
const FAULTS: ReadonlySet<ProviderAnswer['kind']> = new Set(['unknown', 'not_sent', 'throttled', 'misconfigured']);

/** What is left of "not sent" when an earlier delivery may have sent. Look-ups, and what has effects in force, as they are. */
export function withoutProof(operation: GatewayOperation, answer: ProviderAnswer): ProviderAnswer {
  const isProof = answer.kind === 'not_sent' || answer.kind === 'throttled' || answer.kind === 'misconfigured';
  return operation === 'authorize' && isProof ? { kind: 'unknown', reason: 'earlier_delivery_unaccounted' } : answer;
}

/** Nothing goes right until a person has acted: wrong credentials, or two bodies under one key, which is a bug of ours. */
function needsPerson(answer: ProviderAnswer): boolean {
  return answer.kind === 'misconfigured' || (answer.kind === 'unknown' && answer.reason === 'idempotency_key_reused');
}

/** Answers that say what they should, and that the event log keeps. */
const ROUTINE_STATUSES: ReadonlySet<GatewayStatus> = new Set([
  'AUTHORIZED',
  'CAPTURED',
  'VOIDED',
  'REFUNDED',
  'UNAUTHORIZED',
]);

function logCall(command: GatewayCommand, outcome: Outcome, alert: boolean, durationMs: number): void {
  const answer = 'gateway_status' in outcome.fact.payload ? outcome.fact.payload : null;
  const fields = {
    operation: answer?.operation,
    provider: answer?.provider,
    gateway_status: answer?.gateway_status,
    code: answer?.decline_code,
    reason: answer?.reason,
    payment_id: command.payload.payment_id,
    effect_id: outcome.effect_id,
    trace_id: command.metadata.trace_id,
    duration_ms: durationMs,
  };
  if (alert) logLine('gateway.called', { ...fields, alert });
  else if (answer !== null && ROUTINE_STATUSES.has(answer.gateway_status)) {
    routineLine('gateway.called', fields, command.metadata.traceparent);
  } else logLine('gateway.called', fields);
}
