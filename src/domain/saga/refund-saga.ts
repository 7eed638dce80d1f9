/**
 * Pure: the refund saga as one table over the same engine: read it next to docs/saga.md, which is made from it. The pivot
 * is the provider's refund: once it has given the money back, the wallet's credit can only go forward.
 */
import { groupIdOf } from '../events/envelope.ts';
import type { RefundData } from '../refund.ts';
import type { CreateRefund } from '../saga-rpc.ts';
import { provesNothing } from './effects.ts';
import { begin } from './engine.ts';
import { classifyForRefund } from './outcome.ts';
import { REFUND_ATTENTION, reasonOf } from './refund-attention.ts';
import { failureOf, REFUND_COMMAND_SPECS, refundFact } from './refund-commands.ts';
import {
  attention,
  budgetSpent,
  failedUnrefused,
  failedWith,
  givenAfterFailure,
  isBalance,
  isInDoubt,
  isTakenBack,
  isWrittenOff,
  REFUNDED,
  referred,
  refundIsKnown,
  reservation,
  takenBack,
  unknown,
  waitsForCredit,
} from './refund-rules.ts';
import type { RefundCommand, RefundRule, RefundState, RefundStep } from './refund-types.ts';
import type { NewEvent, SagaTable, StateSpec, StepContext } from './table.ts';

const REFUSED: readonly RefundRule[] = [{ to: 'failed', learn: failedWith('refund_declined') }];
const UNKNOWN: readonly RefundRule[] = [{ to: 'refund_unknown', learn: unknown, count: 'metrics.gateway.unknown' }];
const AGAIN: readonly RefundRule[] = [{ again: true }];

const LOOKUP_RULES: StateSpec<RefundState, RefundData, RefundCommand>['on'] = {
  'lookup:done': REFUNDED,
  'lookup:refused': REFUSED,
  // Never arrived, or not yet: asked for again, under the same provider key, which gives money back once.
  'lookup:absent': [{ to: 'refunding' }],
  'lookup:pending': [{ learn: referred, again: true }],
  'lookup:unknown': AGAIN,
  'lookup:not_sent': AGAIN,
  'lookup:spent': [{ to: 'needs_attention', learn: attention('refund_unknown') }],
};

const STATES: Readonly<Record<RefundState, StateSpec<RefundState, RefundData, RefundCommand>>> = {
  reserving: {
    says: "The payment's object is asked, directly, to set the amount aside; if it refuses, there is no refund.",
    commands: () => ['reserve'],
    on: { 'reserve:done': [{ to: 'refunding', learn: reservation }] },
  },
  refunding: {
    says: 'The provider that holds the money is asked to give it back; it may answer now or by callback.',
    commands: () => ['refund'],
    on: {
      ...LOOKUP_RULES,
      'refund:done': REFUNDED,
      'refund:refused': REFUSED,
      'refund:pending': [{ learn: unknown, send: ['lookup'] }],
      'refund:unknown': UNKNOWN,
      'refund:absent': UNKNOWN,
      'refund:spent': UNKNOWN,
      'refund:not_sent': [
        { when: provesNothing, again: true },
        // What an earlier one did is not known by this: its amount stays reserved, and it is asked about for the late window.
        { when: (context) => budgetSpent(context) && isInDoubt(context), to: 'refund_unknown' },
        { when: budgetSpent, to: 'failed', learn: failedWith('gateway_unavailable') },
        { again: true },
      ],
    },
  },
  refund_unknown: {
    says: 'The provider may have given it back: it is asked on a schedule.',
    commands: () => ['lookup'],
    on: { ...LOOKUP_RULES, 'refund:done': REFUNDED, 'refund:refused': REFUSED },
  },
  crediting: {
    says: 'The provider has given it back; the wallet is credited.',
    commands: () => ['credit'],
    on: {
      'credit:done': [{ when: isTakenBack, to: 'reversing' }, { to: 'completed' }],
      'refund:refused': [{ learn: takenBack }],
      'credit:refused': [
        { to: 'needs_attention', learn: attention('credit_refused'), count: 'metrics.wallet.credit_failure' },
      ],
    },
  },
  reversing: {
    says: 'The provider has taken its success back; the wallet is asked to give the credit back by a new entry.',
    commands: () => ['reverse'],
    on: {
      'reverse:done': [{ to: 'failed', learn: failedWith('refund_failed_after_success') }],
      'reverse:refused': [{ to: 'needs_attention', learn: attention('credited_money_is_gone') }],
    },
  },
  completed: {
    says: 'The money is given back.',
    terminal: true,
    // Providers can take a refund's success back (Stripe: `refund.failed`); what they do is what is true.
    mayTurnTo: ['reversing', 'failed'],
    // One whose taking back was written off is completed once more: that it is was told then.
    commands: (data) => (data.completedAtMs === null ? ['settle', 'notify'] : ['settle']),
    on: {
      'refund:refused': [
        { when: isWrittenOff },
        { when: isBalance, to: 'reversing' },
        { to: 'failed', learn: failedWith('refund_failed_after_success') },
      ],
      'settle:done': [{}],
    },
    facts: (data) =>
      data.completedAtMs === null
        ? [
            { type: 'refund.completed', payload: refundFact(data, 'COMPLETED') },
            { type: 'metrics.refund.success', payload: { payment_id: data.request.payment_id } },
          ]
        : [{ type: 'refund.completed', payload: refundFact(data, 'COMPLETED'), repeats: true }],
  },
  failed: {
    says: 'Nothing was given back; what was reserved is free again.',
    terminal: true,
    commands: () => ['settle', 'notify'],
    on: {
      'settle:done': [{}],
      'refund:done': [
        // What was thought not to have been given was after all: the reservation is gone, a person must look.
        {
          when: failedUnrefused,
          learn: givenAfterFailure,
          facts: (data) => [attentionFact(data, 'refunded_after_failure')],
        },
        // The provider has said no since: this is its older word, overtaken, or told again by its key.
        {},
      ],
    },
    facts: (data) => [
      { type: 'refund.failed', payload: { ...refundFact(data, 'FAILED'), failure_code: failureOf(data).code } },
      {
        type: 'metrics.refund.failure',
        payload: { payment_id: data.request.payment_id, failure_code: failureOf(data).code },
      },
    ],
  },
  needs_attention: {
    says: 'A person retries or resolves it; it is counted, alerted and listed. What the provider says for good meanwhile counts as it would have before.',
    commands: () => [],
    on: {
      'refund:done': [{ when: refundIsKnown }, ...REFUNDED],
      // Heard while the wallet's refusal waits for a person: there is nothing to credit any more.
      'refund:refused': [{ when: waitsForCredit, learn: takenBack }, { when: refundIsKnown }, ...REFUSED],
    },
    facts: (data) => [attentionFact(data, reasonOf(data))],
  },
};

function attentionFact(data: RefundData, reason: string): NewEvent {
  const payload = { refund_id: data.refundId, payment_id: data.request.payment_id, reason };
  return { type: 'refund.needs_attention', payload, repeats: true };
}

/** What is known of a refund as it begins. */
export function refundDataOf(input: CreateRefund, refundId: string, nowMs: number): RefundData {
  return {
    refundId,
    scope: input.scope,
    idempotencyKey: input.idempotencyKey,
    request: input.request,
    payment: null,
    failure: null,
    takenBack: false,
    unknownSinceMs: null,
    attentionReason: null,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    completedAtMs: null,
  };
}

/** Begins the saga of a refund: the payment's object is asked first. */
export function beginRefund(data: RefundData, context: StepContext): RefundStep {
  const { payment_id, amount, reason } = data.request;
  const payload = {
    refund_id: data.refundId,
    payment_id,
    ...(amount !== undefined && { amount }),
    ...(reason !== undefined && { reason }),
  };
  return begin(REFUND_SAGA, 'reserving', data, [{ type: 'refund.created', payload }], context);
}

export const REFUND_SAGA: SagaTable<RefundState, RefundData, RefundCommand> = {
  classify: classifyForRefund,
  group: (data) => ({
    groupId: groupIdOf(data.refundId),
    entityId: data.refundId,
    paymentId: data.request.payment_id,
  }),
  scope: (data) => data.scope,
  idempotencyKey: (data) => data.idempotencyKey,
  touch: (data, nowMs) => ({ ...data, updatedAtMs: nowMs }),
  states: STATES,
  commands: REFUND_COMMAND_SPECS,
  always: { 'settle:done': [{}] },
  // Its key at the provider is one, however often it is asked for; callbacks name it without a number.
  isSameEffect: () => true,
  superseded: {},
  attention: REFUND_ATTENTION,
};
