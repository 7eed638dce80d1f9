/**
 * Pure: what the payment saga's rules ask (guards: named as the documentation prints them) and what they learn. A rule
 * decides by these alone; which rule stands where is the table's (`payment-saga.ts`).
 */
import {
  failureOfRefusedHold,
  PAYMENT_FAILURE_MESSAGES,
  type PaymentFailureCode,
  type WalletRefusal,
} from '../errors.ts';
import type { EventPayload, EventType } from '../events/catalogue.ts';
import type { PaymentData } from '../payment.ts';
import { backoffMs } from '../retry.ts';
import { type PassedOver, ROUTE_RULES, type RouteDecision, route } from '../routing.ts';
import type { Fact } from './outcome.ts';
import type { PaymentContext } from './payment-types.ts';

export const paysByCard = ({ saga }: PaymentContext): boolean => saga.data.request.method !== 'balance';

export const isCaptured = (context: PaymentContext): boolean =>
  paysByCard(context) && gatewayAnswer(context)?.gateway_status === 'CAPTURED';

export const deadlinePassed = ({ saga, nowMs }: PaymentContext): boolean =>
  saga.data.request.deadline !== undefined && nowMs > Date.parse(saga.data.request.deadline);

export const budgetSpent = ({ saga, nowMs }: PaymentContext): boolean => nowMs >= saga.data.authorizeNotAfterMs;

/** An absence proves something only once no call can still be on its way: P13, "cancel before a late create lands". */
export const absenceProven = ({ saga, nowMs, policy }: PaymentContext): boolean =>
  nowMs >= saga.data.authorizeNotAfterMs + policy.absenceGraceMs;

/** Another sending of the same command is out: that this one reached nobody proves nothing of that one (decision 0011). */
export const anotherIsOut = ({ command }: PaymentContext): boolean => command !== null && !command.allHeard;

export const failedAsUnavailable = ({ saga }: PaymentContext): boolean =>
  saga.data.failure?.code === 'gateway_unavailable';

// ── What is learnt ───────────────────────────────────────────────────────────────────────────────────────────────────

export function factOf<Type extends EventType>({ fact }: PaymentContext, type: Type): EventPayload<Type> | null {
  return fact?.event_type === type ? (fact.payload as EventPayload<Type>) : null;
}

export const gatewayAnswer = (context: PaymentContext): EventPayload<'payment_gateway.response'> | null =>
  factOf(context, 'payment_gateway.response');

export function provider(data: PaymentData, context: PaymentContext): PaymentData {
  const answer = gatewayAnswer(context);
  return {
    ...data,
    provider: answer?.provider ?? data.provider,
    providerReference: answer?.provider_reference ?? data.providerReference,
    captured: data.captured || answer?.gateway_status === 'CAPTURED',
  };
}

/** From now on providers may be called; until when is fixed here, once. */
export function authorizingFrom(
  data: PaymentData,
  { nowMs, policy }: Pick<PaymentContext, 'nowMs' | 'policy'>,
): PaymentData {
  return routed({ ...data, authorizeNotAfterMs: nowMs + policy.authorizeBudgetMs });
}

/**
 * A provider where an authorization came to light too late is never gone back to: its key there is used up, and what it
 * answers under it is what was undone.
 */
export function routeOf({ scope, request, passedOver, late }: PaymentData): RouteDecision {
  const { currency, method } = request;
  const usedUp = late.flatMap(({ provider: name }) => (name === null ? [] : [{ provider: name, reason: 'undone' }]));
  return route(ROUTE_RULES[scope.mode], { merchant: scope.merchant, currency, method }, [...passedOver, ...usedUp]);
}

export function gatewayProvider(fact: Fact | null): string | null {
  if (fact?.event_type !== 'payment_gateway.response') return null;
  return (fact.payload as EventPayload<'payment_gateway.response'>).provider ?? null;
}

function routed(data: PaymentData): PaymentData {
  return { ...data, provider: routeOf(data).provider, providerReference: null };
}

/** The provider that was asked provably charged nothing. */
export function withPassedOver(data: PaymentData, context: PaymentContext): readonly PassedOver[] {
  const reason = gatewayAnswer(context)?.reason ?? 'not_sent';
  return data.provider === null ? data.passedOver : [...data.passedOver, { provider: data.provider, reason }];
}

export const passOver = (data: PaymentData, context: PaymentContext): PaymentData =>
  routed({ ...data, passedOver: withPassedOver(data, context) });

/** Every provider was passed over: the step again, from the first. */
export const startOver = (data: PaymentData): PaymentData =>
  routed({ ...data, passedOver: [], rounds: data.rounds + 1 });

export const hasAnotherProvider = (context: PaymentContext): boolean =>
  routeOf({ ...context.saga.data, passedOver: withPassedOver(context.saga.data, context) }).provider !== null;

export const roundWaitMs = ({ saga, policy, random, fact }: PaymentContext): number => {
  const askedMs = fact === null ? 0 : ((fact.payload as { retry_after_ms?: number }).retry_after_ms ?? 0);
  return Math.max(askedMs, backoffMs(policy.round, saga.data.rounds + 1, random()));
};

export function cameLate(data: PaymentData, context: PaymentContext): PaymentData {
  const answer = gatewayAnswer(context);
  const late = {
    provider: answer?.provider ?? data.provider,
    reference: answer?.provider_reference ?? null,
    captured: answer?.gateway_status === 'CAPTURED',
  };
  return { ...data, late: [...data.late, late] };
}

export function unknown(data: PaymentData, context: PaymentContext): PaymentData {
  return { ...provider(data, context), unknownSinceMs: data.unknownSinceMs ?? context.nowMs };
}

function failure(code: PaymentFailureCode, declineCode?: string): Pick<PaymentData, 'failure'> {
  const message = PAYMENT_FAILURE_MESSAGES[code];
  return { failure: declineCode === undefined ? { code, message } : { code, message, decline_code: declineCode } };
}

export function declined(data: PaymentData, context: PaymentContext): PaymentData {
  return {
    ...provider(data, context),
    ...failure('gateway_declined', gatewayAnswer(context)?.decline_code ?? 'generic_decline'),
  };
}

export function holdRefused(data: PaymentData, context: PaymentContext): PaymentData {
  const reason = factOf(context, 'wallet.hold_funds_failed')?.reason;
  return { ...data, ...failure(failureOfRefusedHold(reason as WalletRefusal)) };
}

export const failedWith =
  (code: PaymentFailureCode) =>
  (data: PaymentData): PaymentData => ({ ...data, ...failure(code) });

export const deadlineExceeded = (data: PaymentData, context: PaymentContext): PaymentData => ({
  ...provider(data, context),
  ...failure('deadline_exceeded'),
});

export const attention =
  (reason: string) =>
  (data: PaymentData): PaymentData => ({ ...data, attentionReason: reason });
