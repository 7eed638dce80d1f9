/** Builders for tests of the pure saga: a payment's data, a context whose clock the test moves, and outcomes. */
import type { EventPayload } from '../../src/domain/events/catalogue.ts';
import { COMPENSATION_TRIES_MIN, HOUR_MS } from '../../src/domain/limits.ts';
import type { PaymentData, PaymentRequest } from '../../src/domain/payment.ts';
import { effectIdOf } from '../../src/domain/saga/effects.ts';
import { step } from '../../src/domain/saga/engine.ts';
import type { Fact } from '../../src/domain/saga/outcome.ts';
import { beginPayment, PAYMENT_SAGA, paymentDataOf } from '../../src/domain/saga/payment-saga.ts';
import type { PaymentCommand, PaymentSagaValue, PaymentStep } from '../../src/domain/saga/payment-types.ts';
import { SAGA_POLICIES } from '../../src/domain/saga/policy.ts';
import type { PendingCommand, StepContext, StepInput } from '../../src/domain/saga/table.ts';

export const PAYMENT_ID = `pay_${'0'.repeat(43)}`;
export const START_MS = Date.UTC(2026, 0, 1);

export function paymentData(request: Partial<PaymentRequest> = {}): PaymentData {
  const input = {
    scope: { merchant: 'default', mode: 'sandbox' },
    idempotencyKey: 'key-1',
    fingerprint: 'f',
    request: { wallet_id: 'wal-1', service_id: 'svc-1', amount: 1230, currency: 'USD', method: 'balance', ...request },
    amountCodes: false,
    trace: { traceId: 'a'.repeat(32), traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` },
    waitMs: 0,
  } as const;
  return paymentDataOf(input, PAYMENT_ID, START_MS);
}

type GatewayAnswer = Partial<EventPayload<'payment_gateway.response'>> &
  Pick<EventPayload<'payment_gateway.response'>, 'gateway_status'>;

/** One saga with a clock: feeds it inputs and keeps everything that came out. */
export class SagaDriver {
  saga: PaymentSagaValue;
  nowMs = START_MS;
  readonly events: PaymentStep['events'][number][] = [];
  readonly sent: PaymentStep['send'][number][] = [];
  #ids = 0;

  constructor(request: Partial<PaymentRequest> = {}, data: Partial<PaymentData> = {}) {
    const first = beginPayment({ ...paymentData(request), ...data }, this.context());
    this.saga = first.saga;
    this.#keep(first);
  }

  context(): StepContext {
    return {
      nowMs: this.nowMs,
      policy: SAGA_POLICIES.live,
      random: () => 0.5,
      newId: () => `00000000-0000-4000-8000-${String(++this.#ids).padStart(12, '0')}`,
      trace: { traceId: 'a'.repeat(32), traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` },
    };
  }

  take(input: StepInput): PaymentStep {
    const taken = step(PAYMENT_SAGA, this.saga, input, this.context());
    this.saga = taken.saga;
    this.#keep(taken);
    return taken;
  }

  /** The outcome of a pending command, by the fact that its consumer would report. */
  outcome(command: PaymentCommand, fact: Fact, retryAfterMs?: number): PaymentStep {
    const outcome = { effect_id: this.effectId(command), fact, ...(retryAfterMs !== undefined && { retryAfterMs }) };
    return this.take({ kind: 'outcome', outcome });
  }

  wallet(command: 'hold' | 'debit' | 'release', refusal?: string): PaymentStep {
    return this.outcome(command, walletFact(command, refusal));
  }

  gateway(
    command: 'authorize' | 'lookup' | 'capture' | 'unauthorize' | 'refund' | 'undo_late',
    answer: GatewayAnswer,
  ): PaymentStep {
    return this.outcome(command, gatewayFact(command === 'undo_late' ? 'unauthorize' : command, answer));
  }

  /** Moves the clock and lets the timer look. */
  wait(ms: number): PaymentStep {
    this.nowMs += ms;
    return this.take({ kind: 'timer' });
  }

  /** Its last look-up, at the end of the late window, is answered with nothing. */
  closeWindow(): PaymentStep {
    this.wait(73 * HOUR_MS);
    return this.gateway('lookup', { gateway_status: 'UNKNOWN' });
  }

  /** The effect id of the last command of that name that was sent. */
  effectId(command: PaymentCommand): string {
    const sent = this.sent.findLast((candidate) => candidate.name === command);
    const id = sent === undefined ? null : effectIdOf(sent);
    if (id === null) throw new Error(`${command} was never sent; state ${this.saga.state}`);
    return id;
  }

  types(): string[] {
    return this.events.map((event) => event.event_type);
  }

  #keep({ events, send }: PaymentStep): void {
    this.events.push(...events);
    this.sent.push(...send);
  }
}

export function walletFact(command: 'hold' | 'debit' | 'release', refusal?: string): Fact {
  const base = { payment_id: PAYMENT_ID, wallet_id: 'wal-1', amount: 1230, currency: 'USD' };
  const name = ({ hold: 'wallet.hold_funds', debit: 'wallet.debit', release: 'wallet.release_funds' } as const)[
    command
  ];
  return refusal === undefined
    ? { event_type: name, payload: { ...base, status: 'DONE', wallet_version: 1 } }
    : { event_type: `${name}_failed`, payload: { ...base, status: 'REFUSED', reason: refusal } };
}

export function gatewayFact(
  operation: 'authorize' | 'lookup' | 'capture' | 'unauthorize' | 'refund',
  answer: GatewayAnswer,
): Fact {
  return {
    event_type: 'payment_gateway.response',
    payload: { payment_id: PAYMENT_ID, operation, provider: 'acme', ...answer },
  };
}

/** What is pending at a provider is sent as often as it must be before it is given up, dies each time, and its budget is long over. */
export function triedInVain(saga: SagaDriver): void {
  for (let tries = 0; tries < COMPENSATION_TRIES_MIN; tries++) {
    for (const effectId of saga.saga.pending.filter(isUndoing).map(effectIdOf)) {
      if (effectId !== null) saga.take({ kind: 'died', effectId });
    }
    saga.wait(2 * HOUR_MS);
  }
}

function isUndoing({ name }: PendingCommand): boolean {
  return ['capture', 'unauthorize', 'refund', 'undo_late'].includes(name);
}
