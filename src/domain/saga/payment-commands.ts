/**
 * Pure: the commands of the payment saga: their event types, payloads, and how long each is tried; and the facts that it
 * records of itself.
 */
import { InvariantError } from '../errors.ts';
import type { EventPayload, EventType } from '../events/catalogue.ts';
import { toTimestamp } from '../events/envelope.ts';
import { COMPENSATION_TRIES_MIN, HOLD_TTL_MS } from '../limits.ts';
import { currencyExponent } from '../money.ts';
import type { PaymentData, PaymentFailure } from '../payment.ts';
import type { Backoff } from '../retry.ts';
import { routeOf } from './payment-rules.ts';
import type { PaymentCommand } from './payment-types.ts';
import { resendWithRun, type SagaPolicy } from './policy.ts';
import type { CommandSpec, NewEvent, PendingCommand, Saga, StepContext } from './table.ts';

/** Sandbox: what the first payment that names a wallet opens it with, in major units (docs/sandbox.md). */
const SANDBOX_OPENING_MAJOR = 1_000_000;

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

/** When what a provider is asked about can have been made: where its reference was never heard, a list is read for it (decision 0023). */
function authorizedWithin(data: PaymentData, policy: SagaPolicy) {
  return {
    authorized_from: toTimestamp(data.createdAtMs),
    authorized_to: toTimestamp(data.authorizeNotAfterMs + policy.absenceGraceMs),
  };
}

/** Of a charge as it is asked about, or undone. */
const chargePayload = (data: PaymentData, { policy }: Pick<StepContext, 'policy'>) => ({
  ...gatewayPayload(data),
  ...(data.providerReference === null && authorizedWithin(data, policy)),
});

const resendGateway = (policy: SagaPolicy): Backoff => policy.resendGateway;

/**
 * Its budget alone is no reason: what an object slept through, or what was lost on the way, has tried no provider yet. It goes on then, and
 * for no longer than an authorization is looked for (decision 0091).
 */
const compensationGiveUp = (
  _saga: Saga<string, PaymentData>,
  { firstSentAtMs, attempts, accounted = 0 }: PendingCommand,
  policy: SagaPolicy,
): number => {
  if (firstSentAtMs === null || attempts < COMPENSATION_TRIES_MIN) return Number.POSITIVE_INFINITY;
  const isTried = accounted >= COMPENSATION_TRIES_MIN;
  return firstSentAtMs + (isTried ? policy.compensationBudgetMs : policy.lateWindowMs);
};

export const PAYMENT_COMMAND_SPECS: Readonly<Record<PaymentCommand, CommandSpec<PaymentData, PaymentCommand>>> = {
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
    resend: resendGateway,
    type: () => 'orchestrator.gateway.authorize',
    payload: (data) => ({ ...gatewayPayload(data), not_after: toTimestamp(data.authorizeNotAfterMs) }),
    // One effect per provider asked: a failover is another command (decision 0012).
    repeats: true,
    isEchoed: true,
    giveUpAtMs: (saga) => saga.data.authorizeNotAfterMs,
  },
  lookup: {
    name: 'lookup',
    resend: resendGateway,
    type: () => 'orchestrator.gateway.lookup',
    payload: chargePayload,
    repeats: true,
    waitMs: (policy, issuedBefore) =>
      policy.lookupScheduleMs[Math.min(issuedBefore, policy.lookupScheduleMs.length - 1)] ?? 0,
    giveUpAtMs: (saga, _command, policy) => (saga.data.unknownSinceMs ?? saga.enteredAtMs) + policy.lateWindowMs,
  },
  capture: {
    name: 'capture',
    retriable: true,
    resend: resendGateway,
    type: () => 'orchestrator.gateway.capture',
    payload: gatewayPayload,
    giveUpAtMs: compensationGiveUp,
  },
  debit: {
    name: 'debit',
    type: () => 'orchestrator.wallet.debit',
    payload: (data) => ({
      ...walletPayload(data),
      ...(data.request.deadline !== undefined && { not_after: data.request.deadline }),
      ...(isDebitRefused(data) && { simulate: 'refuse' }),
    }),
  },
  release: {
    name: 'release',
    retriable: true,
    type: () => 'orchestrator.wallet.release_funds',
    payload: walletPayload,
  },
  unauthorize: {
    name: 'unauthorize',
    retriable: true,
    resend: resendGateway,
    type: () => 'orchestrator.gateway.unauthorize',
    payload: chargePayload,
    giveUpAtMs: compensationGiveUp,
  },
  refund: {
    name: 'refund',
    retriable: true,
    resend: resendGateway,
    type: () => 'orchestrator.gateway.refund',
    payload: gatewayPayload,
    giveUpAtMs: compensationGiveUp,
  },
  undo_late: {
    name: 'undo_late',
    retriable: true,
    resend: resendGateway,
    type: (data) => (data.late.at(-1)?.captured ? 'orchestrator.gateway.refund' : 'orchestrator.gateway.unauthorize'),
    payload: (data, { policy }) => {
      const { provider: _pinned, provider_reference: _reference, ...payload } = gatewayPayload(data);
      const late = data.late.at(-1);
      return {
        ...payload,
        ...(late?.provider != null && { provider: late.provider }),
        ...(late?.reference == null ? authorizedWithin(data, policy) : { provider_reference: late.reference }),
      };
    },
    repeats: true,
    giveUpAtMs: compensationGiveUp,
  },
  notify: {
    name: 'notify',
    goesWithRun: true,
    resend: resendWithRun,
    type: (_data, state): EventType =>
      state === 'failed' ? 'orchestrator.notify.payment_failure' : 'orchestrator.notify.payment_success',
    payload: (data, _context, state) => ({
      payment_id: data.paymentId,
      status: state === 'failed' ? 'FAILED' : 'COMPLETED',
    }),
  },
};

// ── Facts ────────────────────────────────────────────────────────────────────────────────────────────────────────────

export function paymentFact(data: PaymentData, status: 'PENDING' | 'COMPLETED' | 'FAILED'): Record<string, unknown> {
  const { wallet_id, service_id, amount, currency, method } = data.request;
  return { payment_id: data.paymentId, wallet_id, service_id, amount, currency, method, status };
}

export function routedFact(data: PaymentData): Record<string, unknown> {
  const { provider: name, rule, candidates, passedOver } = routeOf(data);
  return {
    payment_id: data.paymentId,
    ...(name !== null && { provider: name }),
    rule,
    candidates: [...candidates],
    passed_over: passedOver.map(({ provider, reason }) => ({ provider, reason })),
  };
}

export function attentionFact(data: PaymentData, reason: string): NewEvent {
  return { type: 'payment.needs_attention', payload: { payment_id: data.paymentId, reason }, repeats: true };
}

/** @throws InvariantError where there is none: whatever leads to `failed` has said why. */
export function failureOf({ failure, paymentId }: PaymentData): PaymentFailure {
  if (failure === null) throw new InvariantError('failed_for_a_reason', { payment_id: paymentId });
  return failure;
}

export function failedFact(data: PaymentData): Record<string, unknown> {
  const { code, decline_code: declineCode } = failureOf(data);
  return {
    ...paymentFact(data, 'FAILED'),
    failure_code: code,
    ...(declineCode !== undefined && { decline_code: declineCode }),
  };
}
