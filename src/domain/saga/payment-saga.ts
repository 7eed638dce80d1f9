/**
 * Pure: the payment saga as one table over the engine, and nothing else of it: read it next to docs/saga.md, which is
 * made from it. The pivot is `debiting` (for cards, `capturing`): before it the saga can turn back, after it only on.
 */
import {
  failureOfRefusedHold,
  PAYMENT_FAILURE_MESSAGES,
  type PaymentFailureCode,
  type WalletRefusal,
} from '../errors.ts';
import type { EventPayload, EventType } from '../events/catalogue.ts';
import { toTimestamp } from '../events/envelope.ts';
import { HOLD_TTL_MS } from '../limits.ts';
import { currencyExponent } from '../money.ts';
import type { PaymentData } from '../payment.ts';
import { backoffMs } from '../retry.ts';
import { type PassedOver, ROUTE_RULES, type RouteDecision, route } from '../routing.ts';
import {
  begin,
  type CommandSpec,
  type NewEvent,
  type PendingCommand,
  type Rule,
  type RuleContext,
  type Saga,
  type SagaTable,
  type StateSpec,
  type Step,
  type StepContext,
  type StepInput,
  step,
} from './engine.ts';
import type { SagaPolicy } from './policy.ts';

export const PAYMENT_STATES = [
  'holding_funds',
  'authorizing',
  'authorization_unknown',
  'capturing',
  'debiting',
  'releasing_funds',
  'compensating',
  'completed',
  'failed',
  'needs_attention',
] as const;
export type PaymentState = (typeof PAYMENT_STATES)[number];

export const PAYMENT_COMMANDS = [
  'hold',
  'authorize',
  'lookup',
  'capture',
  'debit',
  'release',
  'unauthorize',
  'refund',
  'undo_late',
  'notify',
] as const;
export type PaymentCommand = (typeof PAYMENT_COMMANDS)[number];

export type PaymentSagaValue = Saga<PaymentState, PaymentData, PaymentCommand>;
export type PaymentStep = Step<PaymentState, PaymentData, PaymentCommand>;
type PaymentRule = Rule<PaymentState, PaymentData, PaymentCommand>;
type Context = RuleContext<PaymentData>;

/** Sandbox: what the first payment that names a wallet opens it with, in major units (docs/sandbox.md). */
const SANDBOX_OPENING_MAJOR = 1_000_000;

// ── Guards ───────────────────────────────────────────────────────────────────────────────────────────────────────────

const paysByCard = ({ saga }: Context): boolean => saga.data.request.method !== 'balance';

const isCaptured = (context: Context): boolean =>
  paysByCard(context) && gatewayAnswer(context)?.gateway_status === 'CAPTURED';

const deadlinePassed = ({ saga, nowMs }: Context): boolean =>
  saga.data.request.deadline !== undefined && nowMs > Date.parse(saga.data.request.deadline);

const budgetSpent = ({ saga, nowMs }: Context): boolean => nowMs >= saga.data.authorizeNotAfterMs;

/** An absence proves something only once no call can still be on its way: P13, "cancel before a late create lands". */
const absenceProven = ({ saga, nowMs, policy }: Context): boolean =>
  nowMs >= saga.data.authorizeNotAfterMs + policy.absenceGraceMs;

// ── What is learnt ───────────────────────────────────────────────────────────────────────────────────────────────────

function factOf<Type extends EventType>({ fact }: Context, type: Type): EventPayload<Type> | null {
  return fact?.event_type === type ? (fact.payload as EventPayload<Type>) : null;
}

const gatewayAnswer = (context: Context): EventPayload<'payment_gateway.response'> | null =>
  factOf(context, 'payment_gateway.response');

function provider(data: PaymentData, context: Context): PaymentData {
  const answer = gatewayAnswer(context);
  return {
    ...data,
    provider: answer?.provider ?? data.provider,
    providerReference: answer?.provider_reference ?? data.providerReference,
    captured: data.captured || answer?.gateway_status === 'CAPTURED',
  };
}

/** From now on providers may be called; until when is fixed here, once. */
function authorizingFrom(data: PaymentData, { nowMs, policy }: Pick<Context, 'nowMs' | 'policy'>): PaymentData {
  return routed({ ...data, authorizeNotAfterMs: nowMs + policy.authorizeBudgetMs });
}

function routeOf({ scope, request, passedOver }: PaymentData): RouteDecision {
  const { currency, method } = request;
  return route(ROUTE_RULES[scope.mode], { merchant: scope.merchant, currency, method }, passedOver);
}

function routed(data: PaymentData): PaymentData {
  return { ...data, provider: routeOf(data).provider, providerReference: null };
}

/** The provider that was asked provably charged nothing. */
function withPassedOver(data: PaymentData, context: Context): readonly PassedOver[] {
  const reason = gatewayAnswer(context)?.reason ?? 'not_sent';
  return data.provider === null ? data.passedOver : [...data.passedOver, { provider: data.provider, reason }];
}

const passOver = (data: PaymentData, context: Context): PaymentData =>
  routed({ ...data, passedOver: withPassedOver(data, context) });

/** Every provider was passed over: the step again, from the first. */
const startOver = (data: PaymentData): PaymentData => routed({ ...data, passedOver: [], rounds: data.rounds + 1 });

const hasAnotherProvider = (context: Context): boolean =>
  routeOf({ ...context.saga.data, passedOver: withPassedOver(context.saga.data, context) }).provider !== null;

const roundWaitMs = ({ saga, policy, random, fact }: Context): number => {
  const askedMs = fact === null ? 0 : ((fact.payload as { retry_after_ms?: number }).retry_after_ms ?? 0);
  return Math.max(askedMs, backoffMs(policy.round, saga.data.rounds + 1, random()));
};

function cameLate(data: PaymentData, context: Context): PaymentData {
  const answer = gatewayAnswer(context);
  const late = {
    provider: answer?.provider ?? data.provider,
    reference: answer?.provider_reference ?? null,
    captured: answer?.gateway_status === 'CAPTURED',
  };
  return { ...data, late: [...data.late, late] };
}

function unknown(data: PaymentData, context: Context): PaymentData {
  return { ...provider(data, context), unknownSinceMs: data.unknownSinceMs ?? context.nowMs };
}

function failure(code: PaymentFailureCode, declineCode?: string): Pick<PaymentData, 'failure'> {
  const message = PAYMENT_FAILURE_MESSAGES[code];
  return { failure: declineCode === undefined ? { code, message } : { code, message, decline_code: declineCode } };
}

function declined(data: PaymentData, context: Context): PaymentData {
  return {
    ...provider(data, context),
    ...failure('gateway_declined', gatewayAnswer(context)?.decline_code ?? 'generic_decline'),
  };
}

function holdRefused(data: PaymentData, context: Context): PaymentData {
  const reason = factOf(context, 'wallet.hold_funds_failed')?.reason;
  return { ...data, ...failure(failureOfRefusedHold(reason as WalletRefusal)) };
}

const failedWith =
  (code: PaymentFailureCode) =>
  (data: PaymentData): PaymentData => ({ ...data, ...failure(code) });

const deadlineExceeded = (data: PaymentData, context: Context): PaymentData => ({
  ...provider(data, context),
  ...failure('deadline_exceeded'),
});

const attention =
  (reason: string) =>
  (data: PaymentData): PaymentData => ({ ...data, attentionReason: reason });

// ── Rules that several states share ──────────────────────────────────────────────────────────────────────────────────

/** The provider has said yes. */
const AUTHORIZED: readonly PaymentRule[] = [
  { when: deadlinePassed, to: 'compensating', learn: deadlineExceeded },
  { when: isCaptured, to: 'completed', learn: provider },
  { when: paysByCard, to: 'capturing', learn: provider },
  { to: 'debiting', learn: provider },
];

/** Nothing is in force at any provider: give the hold back, if there is one. */
function turnBack(rule: Omit<PaymentRule, 'to'>): readonly PaymentRule[] {
  const { when, ...rest } = rule;
  return [
    { ...rest, when: (context) => paysByCard(context) && (when?.(context) ?? true), to: 'failed' },
    { ...rest, ...(when && { when }), to: 'releasing_funds' },
  ];
}

const DECLINED = turnBack({ learn: declined, count: 'metrics.gateway.unauthorized' });
const UNKNOWN: readonly PaymentRule[] = [
  { to: 'authorization_unknown', learn: unknown, count: 'metrics.gateway.unknown' },
];
const AGAIN: readonly PaymentRule[] = [{ again: true }];
const ENDED: readonly PaymentRule[] = [{}];
/** An authorization that shows up after the saga gave it up is undone; the status does not change (S4). */
const LATE_SUCCESS: readonly PaymentRule[] = [{ learn: cameLate, send: ['undo_late'] }];

/** The answers to a look-up mean the same wherever it is asked. */
const LOOKUP_RULES: StateSpec<PaymentState, PaymentData, PaymentCommand>['on'] = {
  'lookup:done': AUTHORIZED,
  'lookup:refused': DECLINED,
  'lookup:absent': [...turnBack({ when: absenceProven, learn: failedWith('gateway_unavailable') }), { again: true }],
  'lookup:pending': [{ learn: provider, again: true }],
  'lookup:unknown': AGAIN,
  'lookup:not_sent': AGAIN,
  'lookup:spent': [{ to: 'needs_attention', learn: attention('authorization_unknown') }],
};

// ── States ───────────────────────────────────────────────────────────────────────────────────────────────────────────

const STATES: Readonly<Record<PaymentState, StateSpec<PaymentState, PaymentData, PaymentCommand>>> = {
  holding_funds: {
    says: 'The wallet is asked to set the amount aside.',
    commands: () => ['hold'],
    on: {
      'hold:done': [
        { when: deadlinePassed, to: 'releasing_funds', learn: deadlineExceeded },
        { to: 'authorizing', learn: authorizingFrom },
      ],
      'hold:refused': [{ to: 'failed', learn: holdRefused, count: 'metrics.wallet.hold_funds_failure' }],
    },
  },
  authorizing: {
    says: 'A provider is asked to authorize; one that provably charged nothing is passed over for the next.',
    commands: () => ['authorize'],
    facts: (data) => [{ type: 'payment_gateway.routed', payload: routedFact(data) }],
    on: {
      ...LOOKUP_RULES,
      'authorize:done': AUTHORIZED,
      'authorize:refused': DECLINED,
      'authorize:pending': [{ learn: unknown, send: ['lookup'] }],
      'authorize:unknown': UNKNOWN,
      'authorize:spent': UNKNOWN,
      'authorize:not_sent': [
        ...turnBack({ when: budgetSpent, learn: failedWith('gateway_unavailable') }),
        { when: hasAnotherProvider, to: 'authorizing', learn: passOver },
        { to: 'authorizing', learn: startOver, afterMs: roundWaitMs },
      ],
    },
  },
  authorization_unknown: {
    says: 'The provider may have authorized: it is asked on a schedule, and nothing is undone before it has answered.',
    commands: () => ['lookup'],
    on: { ...LOOKUP_RULES, 'authorize:done': AUTHORIZED, 'authorize:refused': DECLINED },
  },
  capturing: {
    says: 'Card payments: the provider is asked to take what it has authorized.',
    commands: () => ['capture'],
    on: {
      'capture:done': [{ to: 'completed', learn: provider }],
      'capture:refused': [{ to: 'compensating', learn: declined, count: 'metrics.gateway.unauthorized' }],
      'capture:pending': AGAIN,
      'capture:unknown': AGAIN,
      'capture:not_sent': AGAIN,
      'capture:spent': [{ to: 'needs_attention', learn: attention('capture_unknown') }],
    },
  },
  debiting: {
    says: 'The wallet is asked to take the held amount: the pivot.',
    commands: () => ['debit'],
    on: {
      'debit:done': [{ to: 'completed' }],
      'debit:refused': [
        { to: 'compensating', learn: failedWith('debit_failed'), count: 'metrics.wallet.debit_failure' },
      ],
    },
  },
  releasing_funds: {
    says: 'Nothing is in force at a provider; the wallet is asked to give the held amount back.',
    commands: () => ['release'],
    on: {
      'release:done': [{ to: 'failed' }],
      'release:refused': [{ to: 'needs_attention', learn: attention('release_refused') }],
      'authorize:done': LATE_SUCCESS,
    },
  },
  compensating: {
    says: 'What the provider authorized is undone and the hold is released; one failing does not stop the other.',
    commands: (data) => [
      data.captured ? 'refund' : 'unauthorize',
      ...(data.request.method === 'balance' ? (['release'] as const) : []),
    ],
    on: {
      'unauthorize:done': ENDED,
      'unauthorize:absent': ENDED,
      'unauthorize:refused': ENDED,
      'unauthorize:spent': ENDED,
      'unauthorize:pending': AGAIN,
      'unauthorize:unknown': AGAIN,
      'unauthorize:not_sent': AGAIN,
      'refund:done': ENDED,
      'refund:refused': ENDED,
      'refund:spent': ENDED,
      'refund:pending': AGAIN,
      'refund:unknown': AGAIN,
      'refund:not_sent': AGAIN,
      'release:done': ENDED,
      'release:refused': ENDED,
    },
    whenAllEnded: { done: 'failed', otherwise: 'needs_attention' },
  },
  completed: {
    says: 'The money moved.',
    terminal: true,
    commands: () => ['notify'],
    on: {},
    facts: (data) => [
      { type: 'payment.completed', payload: paymentFact(data, 'COMPLETED') },
      { type: 'metrics.payment.success', payload: { payment_id: data.paymentId } },
    ],
  },
  failed: {
    says: 'Nothing is held and nothing is in force at a provider.',
    terminal: true,
    commands: () => ['notify'],
    on: { 'authorize:done': LATE_SUCCESS },
    facts: (data) => [
      { type: 'payment.failed', payload: failedFact(data) },
      { type: 'metrics.payment.failure', payload: { payment_id: data.paymentId } },
    ],
  },
  needs_attention: {
    says: 'A person retries or resolves it; it is counted, alerted and listed.',
    commands: () => [],
    on: {},
    facts: (data) => [attentionFact(data, data.attentionReason ?? 'compensation_failed')],
  },
};

// ── Commands ─────────────────────────────────────────────────────────────────────────────────────────────────────────

function walletPayload({ paymentId, request }: PaymentData) {
  return { payment_id: paymentId, wallet_id: request.wallet_id, amount: request.amount, currency: request.currency };
}

/** Sandbox tokens whose story begins with a refused debit (docs/sandbox.md): there is no void without one. */
function isDebitRefused({ scope, request }: PaymentData): boolean {
  return scope.mode === 'sandbox' && /^pm_sim_(debit_fail|void_fail_\d+)$/.test(request.token ?? '');
}

function gatewayPayload(data: PaymentData): EventPayload<'orchestrator.gateway.capture'> {
  const { request } = data;
  return {
    payment_id: data.paymentId,
    amount: request.amount,
    currency: request.currency,
    method: request.method,
    service_id: request.service_id,
    ...(request.customer_id !== undefined && { customer_id: request.customer_id }),
    ...(request.reference !== undefined && { reference: request.reference }),
    ...(data.provider !== null && { provider: data.provider }),
    ...(data.providerReference !== null && { provider_reference: data.providerReference }),
    ...(data.amountCodes && { amount_codes: true }),
  };
}

const compensationGiveUp = (_saga: Saga<string, PaymentData>, command: PendingCommand, policy: SagaPolicy): number =>
  (command.firstSentAtMs ?? Number.POSITIVE_INFINITY) + policy.compensationBudgetMs;

const COMMANDS: Readonly<Record<PaymentCommand, CommandSpec<PaymentData, PaymentCommand>>> = {
  hold: {
    name: 'hold',
    type: () => 'orchestrator.wallet.hold_funds',
    payload: (data, { nowMs }) => ({
      ...walletPayload(data),
      expires_at: toTimestamp(nowMs + HOLD_TTL_MS),
      ...(data.scope.mode === 'sandbox' && {
        open_with: SANDBOX_OPENING_MAJOR * 10 ** currencyExponent(data.request.currency),
      }),
    }),
  },
  authorize: {
    name: 'authorize',
    type: () => 'orchestrator.gateway.authorize',
    payload: (data) => ({ ...gatewayPayload(data), not_after: toTimestamp(data.authorizeNotAfterMs) }),
    // One effect per provider asked: a failover is another command (decision 0012).
    repeats: true,
    giveUpAtMs: (saga) => saga.data.authorizeNotAfterMs,
  },
  lookup: {
    name: 'lookup',
    type: () => 'orchestrator.gateway.lookup',
    payload: gatewayPayload,
    repeats: true,
    waitMs: (policy, issuedBefore) =>
      policy.lookupScheduleMs[Math.min(issuedBefore, policy.lookupScheduleMs.length - 1)] ?? 0,
    giveUpAtMs: (saga, _command, policy) => (saga.data.unknownSinceMs ?? saga.enteredAtMs) + policy.lateWindowMs,
  },
  capture: {
    name: 'capture',
    type: () => 'orchestrator.gateway.capture',
    payload: gatewayPayload,
    giveUpAtMs: compensationGiveUp,
  },
  debit: {
    name: 'debit',
    type: () => 'orchestrator.wallet.debit',
    payload: (data) => ({
      ...walletPayload(data),
      ...(isDebitRefused(data) && { simulate: 'refuse' }),
    }),
  },
  release: { name: 'release', type: () => 'orchestrator.wallet.release_funds', payload: walletPayload },
  unauthorize: {
    name: 'unauthorize',
    type: () => 'orchestrator.gateway.unauthorize',
    payload: gatewayPayload,
    giveUpAtMs: compensationGiveUp,
  },
  refund: {
    name: 'refund',
    type: () => 'orchestrator.gateway.refund',
    payload: gatewayPayload,
    giveUpAtMs: compensationGiveUp,
  },
  undo_late: {
    name: 'undo_late',
    type: (data) => (data.late.at(-1)?.captured ? 'orchestrator.gateway.refund' : 'orchestrator.gateway.unauthorize'),
    payload: (data) => {
      const { provider: _pinned, provider_reference: _reference, ...payload } = gatewayPayload(data);
      const late = data.late.at(-1);
      return {
        ...payload,
        ...(late?.provider != null && { provider: late.provider }),
        ...(late?.reference != null && { provider_reference: late.reference }),
      };
    },
    repeats: true,
    giveUpAtMs: compensationGiveUp,
  },
  notify: {
    name: 'notify',
    type: (data): EventType =>
      data.failure === null ? 'orchestrator.notify.payment_success' : 'orchestrator.notify.payment_failure',
    payload: (data) => ({ payment_id: data.paymentId, status: data.failure === null ? 'COMPLETED' : 'FAILED' }),
  },
};

// ── Facts ────────────────────────────────────────────────────────────────────────────────────────────────────────────

function paymentFact(data: PaymentData, status: 'PENDING' | 'COMPLETED' | 'FAILED'): Record<string, unknown> {
  const { wallet_id, service_id, amount, currency, method } = data.request;
  return { payment_id: data.paymentId, wallet_id, service_id, amount, currency, method, status };
}

function routedFact(data: PaymentData): Record<string, unknown> {
  const { provider: name, rule, candidates, passedOver } = routeOf(data);
  return {
    payment_id: data.paymentId,
    ...(name !== null && { provider: name }),
    rule,
    candidates: [...candidates],
    passed_over: passedOver.map((each) => ({ ...each })),
  };
}

function attentionFact(data: PaymentData, reason: string): NewEvent {
  return { type: 'payment.needs_attention', payload: { payment_id: data.paymentId, reason } };
}

function failedFact(data: PaymentData): Record<string, unknown> {
  const declineCode = data.failure?.decline_code;
  return {
    ...paymentFact(data, 'FAILED'),
    failure_code: data.failure?.code,
    ...(declineCode !== undefined && { decline_code: declineCode }),
  };
}

/** Begins the saga of a payment: `payment.created`, then the first command. */
export function beginPayment(data: PaymentData, context: StepContext): PaymentStep {
  const state = data.request.method === 'balance' ? 'holding_funds' : 'authorizing';
  const facts = [{ type: 'payment.created' as const, payload: paymentFact(data, 'PENDING') }];
  return begin(PAYMENT_SAGA, state, authorizingFrom(data, context), facts, context);
}

/** One step of a payment's saga; see `step` of the engine. */
export function stepPayment(saga: PaymentSagaValue, input: StepInput, context: StepContext): PaymentStep {
  return step(PAYMENT_SAGA, saga, input, context);
}

export const PAYMENT_SAGA: SagaTable<PaymentState, PaymentData, PaymentCommand> = {
  group: (data) => ({ groupId: `payment_${data.paymentId}`, entityId: data.paymentId }),
  scope: (data) => data.scope,
  idempotencyKey: (data) => data.idempotencyKey,
  touch: (data, nowMs) => ({ ...data, updatedAtMs: nowMs }),
  states: STATES,
  commands: COMMANDS,
  always: {
    'undo_late:done': ENDED,
    'undo_late:pending': AGAIN,
    'undo_late:unknown': AGAIN,
    'undo_late:not_sent': AGAIN,
    // The status is what it was; that money is in force where it should not be is a person's turn.
    'undo_late:absent': [{ facts: (data) => [attentionFact(data, 'late_authorization_in_force')] }],
    'undo_late:refused': [{ facts: (data) => [attentionFact(data, 'late_authorization_in_force')] }],
    'undo_late:spent': [{ facts: (data) => [attentionFact(data, 'late_authorization_in_force')] }],
  },
  superseded: { 'authorize:done': LATE_SUCCESS },
};
