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
import type { LateAuthorization, PaymentData } from '../payment.ts';
import { backoffMs } from '../retry.ts';
import { NOT_CONFIGURED, type PassedOver, ROUTE_RULES, type RouteDecision, route } from '../routing.ts';
import { provesNothing, spentOf } from './effects.ts';
import type { Fact } from './outcome.ts';
import type { PaymentContext, PaymentRule } from './payment-types.ts';
import type { PendingCommand } from './table.ts';

export const paysByCard = ({ saga }: PaymentContext): boolean => saga.data.request.method !== 'balance';

export const isCaptured = (context: PaymentContext): boolean =>
  paysByCard(context) && gatewayAnswer(context)?.gateway_status === 'CAPTURED';

/** Null: the client has named none. */
export function deadlineMsOf({ request }: PaymentData): number | null {
  return request.deadline === undefined ? null : Date.parse(request.deadline);
}

export const deadlinePassed = ({ saga, nowMs }: Pick<PaymentContext, 'saga' | 'nowMs'>): boolean =>
  isAfterDeadline(saga.data, nowMs);

export function isAfterDeadline(data: PaymentData, nowMs: number): boolean {
  const deadlineMs = deadlineMsOf(data);
  return deadlineMs !== null && nowMs > deadlineMs;
}

export const budgetSpent = ({ saga, nowMs }: PaymentContext): boolean => nowMs >= saga.data.authorizeNotAfterMs;

/** No provider of the route can ever take it; what none has been sent, none has charged. */
export const nobodyTakesIt = (context: PaymentContext): boolean => {
  const passedOver = withPassedOver(context.saga.data, context);
  const { candidates } = routeOf(context.saga.data);
  return (
    candidates.length > 0 &&
    candidates.every((name) => passedOver.some((each) => each.provider === name && each.declineCode !== undefined))
  );
};

/**
 * The provider that was asked can take it another time: what it never can is known at once, of every sending. That it is not configured
 * is known of this sending alone. And of what was answered "pending" there, in this round or an earlier one, under the same key, it says
 * nothing that another was not sent.
 */
export const provesNothingYet = (context: PaymentContext): boolean => {
  const code = gatewayAnswer(context)?.decline_code;
  const isForGood = code !== undefined && code !== NOT_CONFIGURED;
  return context.saga.data.unknownSinceMs !== null || (!isForGood && provesNothing(context));
};

/** An absence proves something only once no call can still be on its way: P13, "cancel before a late create lands". */
export const absenceProven = ({ saga, nowMs, policy }: PaymentContext): boolean =>
  nowMs >= saga.data.authorizeNotAfterMs + policy.absenceGraceMs;

/** The wallet itself has said that it holds nothing for this payment. */
export const walletHoldsNothing = ({ saga }: PaymentContext): boolean =>
  ['hold_not_found', 'hold_resolved'].includes(saga.data.releaseRefusal ?? '');

export const ranOutOfTime = ({ saga }: PaymentContext): boolean =>
  saga.data.failure?.code === 'gateway_unavailable' || saga.data.failure?.code === 'deadline_exceeded';

export const debitCameTooLate = (context: PaymentContext): boolean =>
  factOf(context, 'wallet.debit_failed')?.reason === 'deadline_exceeded';

const hasHeard = ({ saga }: PaymentContext, word: string): boolean => Object.values(saga.settled).includes(word);

// A refund that undoes can be taken back, as any refund (decision 0031): its provider says yes, and later no.
/** By its provider, and not by hand: of that it may say no as often as it likes. A callback of a late one has no number either. */
export const refundWasGiven = (context: PaymentContext): boolean => {
  const { late, provider: name } = context.saga.data;
  const at = gatewayProvider(context.fact) ?? name;
  const isOwn =
    at === name && hasHeard(context, 'refund:done') && context.saga.lastMove?.resolution !== 'undone_by_hand';
  return isOwn || late.some((each) => each.provider === at && each.undone === 'refunded');
};
/** The provider has said no since: this is its older word, or what a key is answered for ever. */
export const refundIsTakenBack = (context: PaymentContext): boolean =>
  context.command === null && hasHeard(context, 'refund:refused');

/** It is undone as one that is only authorized: stated by a person, it was not captured. */
export const isUndoneUncaptured = ({ saga }: PaymentContext): boolean =>
  !saga.data.captured && saga.data.attentionReason === null;

// What a person is needed for.
/** That the provider had not undone the charge; the hold, where there was one, is given back. */
export const onlyItsUndoingIsMissing = (context: PaymentContext): boolean => {
  const { attentionReason } = context.saga.data;
  const isReleased = paysByCard(context) || hasHeard(context, 'release:done');
  return attentionReason === null && isReleased;
};

export const releaseIsRefused = ({ saga }: PaymentContext): boolean => saga.data.attentionReason === 'release_refused';
export const releaseIsNotRefused = (context: PaymentContext): boolean => !releaseIsRefused(context);
export const authorizationIsKnown = ({ saga }: PaymentContext): boolean =>
  saga.data.attentionReason !== 'authorization_unknown';
export const captureIsKnown = ({ saga }: PaymentContext): boolean => saga.data.attentionReason !== 'capture_unknown';

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

/** From now on providers may be called, and no longer than the client waits; until when is fixed here, once. */
export function authorizingFrom(
  data: PaymentData,
  { nowMs, policy }: Pick<PaymentContext, 'nowMs' | 'policy'>,
): PaymentData {
  const budgetEndMs = nowMs + policy.authorizeBudgetMs;
  return routed({ ...data, authorizeNotAfterMs: Math.min(budgetEndMs, deadlineMsOf(data) ?? budgetEndMs) });
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
  const { reason = 'not_sent', decline_code: declineCode } = gatewayAnswer(context) ?? {};
  const passedOver = { ...(declineCode !== undefined && { declineCode }), reason };
  return data.provider === null ? data.passedOver : [...data.passedOver, { provider: data.provider, ...passedOver }];
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

/** By what the last of them says; that one is not configured says least. */
export function takenByNobody(data: PaymentData, context: PaymentContext): PaymentData {
  const codes = withPassedOver(data, context).map(({ declineCode }) => declineCode ?? NOT_CONFIGURED);
  const code = codes.findLast((each) => each !== NOT_CONFIGURED) ?? NOT_CONFIGURED;
  return { ...provider(data, context), ...failure('gateway_declined', code) };
}

export function holdRefused(data: PaymentData, context: PaymentContext): PaymentData {
  const reason = factOf(context, 'wallet.hold_funds_failed')?.reason;
  return { ...data, ...failure(failureOfRefusedHold(reason as WalletRefusal)) };
}

export const failedWith =
  (code: PaymentFailureCode) =>
  (data: PaymentData): PaymentData => ({ ...data, ...failure(code) });

/** No provider could be asked in time: by our budget, or by the client's deadline where that is sooner. */
export const outOfTime = (data: PaymentData): PaymentData => {
  const deadlineMs = deadlineMsOf(data);
  const isDeadline = deadlineMs !== null && deadlineMs <= data.authorizeNotAfterMs;
  return { ...data, ...failure(isDeadline ? 'deadline_exceeded' : 'gateway_unavailable') };
};

export const deadlineExceeded = (data: PaymentData, context: PaymentContext): PaymentData => ({
  ...provider(data, context),
  ...failure('deadline_exceeded'),
});

export function releaseRefused(data: PaymentData, context: PaymentContext): PaymentData {
  const refusal = factOf(context, 'wallet.release_funds_failed')?.reason;
  return refusal === undefined ? data : { ...data, releaseRefusal: refusal };
}

function askedAt(command: PendingCommand | null): string | null {
  const payload = command?.event?.payload as { readonly provider?: string } | undefined;
  return payload?.provider ?? null;
}

/** Where an undoing was made: what its answer says, or the command that got none. */
function undoneAt({ fact, command }: PaymentContext): string | null {
  return gatewayProvider(fact) ?? askedAt(command);
}

/** A provider's key is one per payment: what came to light there is one charge, however often it was told and undone. */
const lateThere =
  (change: (late: LateAuthorization) => LateAuthorization) =>
  (data: PaymentData, context: PaymentContext): PaymentData => ({
    ...data,
    late: data.late.map((each) => (each.provider === undoneAt(context) ? change(each) : each)),
  });

export const lateNotUndone = (notUndone: 'spent' | 'refused') =>
  lateThere(({ undone: _, ...each }) => ({ ...each, notUndone }));
export const lateUndone = (data: PaymentData, context: PaymentContext): PaymentData => {
  const undone = gatewayAnswer(context)?.gateway_status === 'REFUNDED' ? 'refunded' : 'voided';
  return lateThere((each) => ({ ...unmarked(each), undone }))(data, context);
};
/** Nothing was found to undo: no reason to call a person, and no proof against a word that comes later. */
export const lateNotThere = lateThere(unmarked);

/**
 * The provider has undone the charge: another undoing of it finds nothing, and its refusal says nothing. But for a refund's:
 * that one takes back what was given back (decision 0031).
 */
export const isUndoneThere = (context: PaymentContext): boolean => {
  const isRefund = gatewayAnswer(context)?.operation === 'refund';
  return context.saga.data.late.some(
    ({ provider: name, undone }) =>
      name === undoneAt(context) && undone !== undefined && !(undone === 'refunded' && isRefund),
  );
};

export const lateUndoneByHand = (data: PaymentData): PaymentData => ({ ...data, late: data.late.map(unmarked) });

/**
 * Only what is sent again is no longer marked. The undoings that were given up are all sent, by the commands that were kept;
 * where there are none, it is one of those that were refused: the newest of the list is the one that the next command is for.
 */
export function lateUndoneAgain(data: PaymentData, { saga }: PaymentContext): PaymentData {
  const sentTo = spentOf(saga, 'undo_late').map(askedAt);
  if (sentTo.length > 0) {
    return { ...data, late: data.late.map((each) => (sentTo.includes(each.provider) ? unmarked(each) : each)) };
  }
  const next = data.late.find(({ notUndone }) => notUndone !== undefined);
  if (next === undefined) return data;
  return { ...data, late: [...data.late.filter((each) => each !== next), unmarked(next)] };
}

function unmarked({ notUndone: _, ...late }: LateAuthorization): LateAuthorization {
  return late;
}

/** A person has found the charge at the provider. */
export function found(data: PaymentData, { move }: PaymentContext): PaymentData {
  return { ...data, providerReference: move?.providerReference ?? data.providerReference };
}

export const foundCaptured = (data: PaymentData, context: PaymentContext): PaymentData => ({
  ...found(data, context),
  captured: true,
});

/** What was given back is not: the charge is in force again, at the provider that says so. */
export function inForceAgain(data: PaymentData, context: PaymentContext): PaymentData {
  const at = undoneAt(context) ?? data.provider;
  const elsewhere = data.late.filter((each) => each.provider !== at);
  const isOwn = elsewhere.length === data.late.length;
  const known = data.late.findLast((each) => each.provider === at && each.reference !== null)?.reference ?? null;
  const reference = isOwn ? data.providerReference : known;
  return { ...data, late: [...elsewhere, { provider: at, reference, captured: true, notUndone: 'refused' }] };
}

/** The window in which a look-up may still find it begins anew. */
export const unknownFromNow = (data: PaymentData, { nowMs }: PaymentContext): PaymentData => ({
  ...data,
  unknownSinceMs: nowMs,
});

export const attention =
  (reason: string) =>
  (data: PaymentData): PaymentData => ({ ...data, attentionReason: reason });

// ── Rules that stand in several places ───────────────────────────────────────────────────────────────────────────────

/** The provider has said yes. */
export const AUTHORIZED: readonly PaymentRule[] = [
  { when: deadlinePassed, to: 'compensating', learn: deadlineExceeded },
  { when: isCaptured, to: 'completed', learn: provider },
  { when: paysByCard, to: 'capturing', learn: provider },
  { to: 'debiting', learn: provider },
];

/** Nothing is in force at any provider: give the hold back, if there is one. */
export function turnBack(rule: Omit<PaymentRule, 'to'>): readonly PaymentRule[] {
  const { when, ...rest } = rule;
  return [
    { ...rest, when: (context) => paysByCard(context) && (when?.(context) ?? true), to: 'failed' },
    { ...rest, ...(when && { when }), to: 'releasing_funds' },
  ];
}
