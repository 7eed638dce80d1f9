/**
 * Pure: the payment saga as one table over the engine, and nothing else of it: read it next to docs/saga.md, which is
 * made from it. The pivot is `debiting` (for cards, `capturing`): before it the saga can turn back, after it only on.
 */
import { groupIdOf } from '../events/envelope.ts';
import type { PaymentData } from '../payment.ts';
import type { CreatePayment } from '../saga-rpc.ts';
import { begin } from './engine.ts';
import { classifyForPayment } from './outcome.ts';
import { PAYMENT_ATTENTION, reasonOf } from './payment-attention.ts';
import {
  attentionFact,
  failedFact,
  failureOf,
  PAYMENT_COMMAND_SPECS,
  paymentFact,
  routedFact,
} from './payment-commands.ts';
import {
  AUTHORIZED,
  absenceProven,
  attention,
  authorizationIsKnown,
  authorizingFrom,
  budgetSpent,
  cameLate,
  captureIsKnown,
  deadlineExceeded,
  deadlinePassed,
  debitCameTooLate,
  declined,
  failedWith,
  gatewayProvider,
  hasAnotherProvider,
  holdRefused,
  inForceAgain,
  isAfterDeadline,
  isUndoneThere,
  isUndoneUncaptured,
  lateNotThere,
  lateNotUndone,
  lateUndone,
  nobodyTakesIt,
  onlyItsUndoingIsMissing,
  outOfTime,
  passOver,
  provesNothingYet,
  provider,
  ranOutOfTime,
  refundIsTakenBack,
  refundWasGiven,
  releaseIsNotRefused,
  releaseIsRefused,
  releaseRefused,
  roundWaitMs,
  startOver,
  takenByNobody,
  turnBack,
  unknown,
} from './payment-rules.ts';
import type { PaymentCommand, PaymentContext, PaymentRule, PaymentState, PaymentStep } from './payment-types.ts';
import type { NewEvent, SagaTable, StateSpec, StepContext } from './table.ts';

const notReleased = (data: PaymentData, context: PaymentContext): PaymentData =>
  attention('release_refused')(releaseRefused(data, context));

const lateAttention = (data: PaymentData): NewEvent[] => [attentionFact(data, 'late_authorization_in_force')];

// ── Rules that several states share ──────────────────────────────────────────────────────────────────────────────────

const DECLINED = turnBack({ learn: declined, count: 'metrics.gateway.unauthorized' });
const UNKNOWN: readonly PaymentRule[] = [
  { to: 'authorization_unknown', learn: unknown, count: 'metrics.gateway.unknown' },
];
const AGAIN: readonly PaymentRule[] = [{ again: true }];
const ENDED: readonly PaymentRule[] = [{}];
/** An authorization that shows up after the saga gave it up is undone; the status does not change (S4). */
const LATE_SUCCESS: readonly PaymentRule[] = [{ learn: cameLate, send: ['undo_late'] }];
/** The same for one that may have succeeded, when nothing was thought to have reached a provider: undone by its key. */
const LATE_DOUBT: readonly PaymentRule[] = [{ when: ranOutOfTime, learn: cameLate, send: ['undo_late'] }, {}];
const GIVEN_UP: StateSpec<PaymentState, PaymentData, PaymentCommand>['on'] = {
  'authorize:done': LATE_SUCCESS,
  'authorize:unknown': LATE_DOUBT,
  'authorize:pending': LATE_DOUBT,
};

/** The answers to a look-up mean the same wherever it is asked. */
const LOOKUP_RULES: StateSpec<PaymentState, PaymentData, PaymentCommand>['on'] = {
  'lookup:done': AUTHORIZED,
  'lookup:refused': DECLINED,
  'lookup:absent': [...turnBack({ when: absenceProven, learn: outOfTime }), { again: true }],
  'lookup:pending': [{ learn: provider, again: true }],
  'lookup:unknown': AGAIN,
  'lookup:not_sent': AGAIN,
  'lookup:spent': [{ to: 'needs_attention', learn: attention('authorization_unknown') }],
};

/** The undoing of a charge that came late, in whatever state the saga is by then. */
const UNDO_LATE_RULES: StateSpec<PaymentState, PaymentData, PaymentCommand>['on'] = {
  'undo_late:done': [{ learn: lateUndone }],
  'undo_late:pending': AGAIN,
  'undo_late:unknown': AGAIN,
  'undo_late:not_sent': AGAIN,
  'undo_late:absent': [{ when: absenceProven, learn: lateNotThere }, { again: true }],
  // The status is what it was; that money is in force where it should not be is a person's turn.
  'undo_late:refused': [{ when: isUndoneThere }, { learn: lateNotUndone('refused'), facts: lateAttention }],
  'undo_late:spent': [{ when: isUndoneThere }, { learn: lateNotUndone('spent'), facts: lateAttention }],
};

/** What the provider says for good of a capture. */
const CAPTURED: readonly PaymentRule[] = [{ to: 'completed', learn: provider }];
/** A void cannot undo it any more. */
const CAPTURED_AFTER_ALL: PaymentRule = { when: isUndoneUncaptured, to: 'compensating', learn: provider };
const NOT_CAPTURED: readonly PaymentRule[] = [
  { to: 'compensating', learn: declined, count: 'metrics.gateway.unauthorized' },
];

/** What the provider undid after it was given up, or had refused. */
const UNDONE: readonly PaymentRule[] = [{ when: onlyItsUndoingIsMissing, to: 'failed' }, {}];
/** A yes that the provider has taken back since is none. */
const TAKEN_BACK: PaymentRule = { when: refundIsTakenBack, again: true };

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
    facts: (data) => [{ type: 'payment_gateway.routed', payload: routedFact(data), repeats: true }],
    on: {
      ...LOOKUP_RULES,
      'authorize:done': AUTHORIZED,
      'authorize:refused': DECLINED,
      'authorize:pending': [{ learn: unknown, send: ['lookup'] }],
      'authorize:unknown': UNKNOWN,
      'authorize:spent': UNKNOWN,
      'authorize:not_sent': [
        { when: provesNothingYet, again: true },
        ...turnBack({ when: nobodyTakesIt, learn: takenByNobody, count: 'metrics.gateway.unauthorized' }),
        ...turnBack({ when: budgetSpent, learn: outOfTime }),
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
      'capture:done': CAPTURED,
      'capture:refused': NOT_CAPTURED,
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
        { when: debitCameTooLate, to: 'compensating', learn: failedWith('deadline_exceeded') },
        { to: 'compensating', learn: failedWith('debit_failed'), count: 'metrics.wallet.debit_failure' },
      ],
    },
  },
  releasing_funds: {
    says: 'Nothing is in force at a provider; the wallet is asked to give the held amount back.',
    commands: () => ['release'],
    on: {
      'release:done': [{ to: 'failed' }],
      'release:refused': [{ to: 'needs_attention', learn: notReleased }],
      ...GIVEN_UP,
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
      'refund:done': [TAKEN_BACK, ...ENDED],
      'refund:refused': ENDED,
      'refund:spent': ENDED,
      'refund:pending': AGAIN,
      'refund:unknown': AGAIN,
      'refund:not_sent': AGAIN,
      'release:done': ENDED,
      'release:refused': [{ learn: releaseRefused }],
      'capture:done': [CAPTURED_AFTER_ALL, ...ENDED],
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
    on: {
      ...GIVEN_UP,
      'refund:done': [TAKEN_BACK, ...ENDED],
      'refund:refused': [{ when: refundWasGiven, learn: inForceAgain, facts: lateAttention }, {}],
    },
    facts: (data) => [
      { type: 'payment.failed', payload: failedFact(data) },
      {
        type: 'metrics.payment.failure',
        payload: { payment_id: data.paymentId, failure_code: failureOf(data).code },
      },
    ],
  },
  needs_attention: {
    says: 'A person retries or resolves it; it is counted, alerted and listed. What the provider says for good meanwhile counts as it would have before.',
    commands: () => [],
    on: {
      'authorize:done': [
        { when: releaseIsRefused, learn: cameLate, send: ['undo_late'] },
        { when: authorizationIsKnown },
        ...AUTHORIZED,
      ],
      'authorize:refused': [{ when: authorizationIsKnown }, ...DECLINED],
      'authorize:unknown': [{ when: releaseIsNotRefused }, ...LATE_DOUBT],
      'authorize:pending': [{ when: releaseIsNotRefused }, ...LATE_DOUBT],
      'capture:done': [CAPTURED_AFTER_ALL, { when: captureIsKnown }, ...CAPTURED],
      'capture:refused': [{ when: captureIsKnown }, ...NOT_CAPTURED],
      'unauthorize:done': UNDONE,
      'refund:done': [TAKEN_BACK, ...UNDONE],
    },
    facts: (data) => [attentionFact(data, reasonOf(data))],
  },
};

/** What is known of a payment as it begins. */
export function paymentDataOf(input: CreatePayment, paymentId: string, nowMs: number): PaymentData {
  return {
    paymentId,
    scope: input.scope,
    idempotencyKey: input.idempotencyKey,
    request: input.request,
    amountCodes: input.amountCodes,
    provider: null,
    providerReference: null,
    passedOver: [],
    rounds: 0,
    late: [],
    captured: false,
    failure: null,
    refundedAmount: 0,
    refunds: {},
    authorizeNotAfterMs: nowMs,
    unknownSinceMs: null,
    attentionReason: null,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    completedAtMs: null,
  };
}

/** Begins the saga of a payment: `payment.created`, then the first command. Nobody is asked for one whose deadline has passed. */
export function beginPayment(data: PaymentData, context: StepContext): PaymentStep {
  const facts = [{ type: 'payment.created' as const, payload: paymentFact(data, 'PENDING') }];
  if (isAfterDeadline(data, context.nowMs))
    return begin(PAYMENT_SAGA, 'failed', failedWith('deadline_exceeded')(data), facts, context);
  return data.request.method === 'balance'
    ? begin(PAYMENT_SAGA, 'holding_funds', data, facts, context)
    : begin(PAYMENT_SAGA, 'authorizing', authorizingFrom(data, context), facts, context);
}

export const PAYMENT_SAGA: SagaTable<PaymentState, PaymentData, PaymentCommand> = {
  classify: classifyForPayment,
  group: (data) => ({ groupId: groupIdOf(data.paymentId), entityId: data.paymentId, paymentId: data.paymentId }),
  scope: (data) => data.scope,
  idempotencyKey: (data) => data.idempotencyKey,
  touch: (data, nowMs) => ({ ...data, updatedAtMs: nowMs }),
  states: STATES,
  commands: PAYMENT_COMMAND_SPECS,
  always: UNDO_LATE_RULES,
  // A provider's key is one per payment: an authorization of an earlier round there is the one that is asked for now.
  isSameEffect: (data, fact) => gatewayProvider(fact) === data.provider,
  superseded: {
    // Each undoing is one effect of its own: the older one's word counts as the newest's does.
    ...UNDO_LATE_RULES,
    'authorize:done': LATE_SUCCESS,
    'authorize:unknown': LATE_SUCCESS,
    'authorize:pending': LATE_SUCCESS,
  },
  attention: PAYMENT_ATTENTION,
};
