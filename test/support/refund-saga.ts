/** One refund's saga with a clock, for tests of the pure core: reserved as it begins, fed with outcomes by command. */
import type { EventPayload } from '../../src/domain/events/catalogue.ts';
import { HOUR_MS } from '../../src/domain/limits.ts';
import type { PaymentMethod } from '../../src/domain/payment.ts';
import type { RefundRequest } from '../../src/domain/refund.ts';
import { effectIdOf } from '../../src/domain/saga/effects.ts';
import { step } from '../../src/domain/saga/engine.ts';
import type { Fact } from '../../src/domain/saga/outcome.ts';
import { SAGA_POLICIES } from '../../src/domain/saga/policy.ts';
import { beginRefund, REFUND_SAGA, refundDataOf } from '../../src/domain/saga/refund-saga.ts';
import type { RefundCommand, RefundSagaValue, RefundStep } from '../../src/domain/saga/refund-types.ts';
import type { StepContext, StepInput } from '../../src/domain/saga/table.ts';
import { gatewayFact, PAYMENT_ID, START_MS } from './saga.ts';

export const REFUND_ID = `ref_${'0'.repeat(43)}`;
const TRACE = { traceId: 'a'.repeat(32), traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` };

export class RefundDriver {
  saga: RefundSagaValue;
  nowMs = START_MS;
  readonly events: RefundStep['events'][number][] = [];
  readonly sent: RefundStep['send'][number][] = [];

  /** `lent`: what else the payment's object says of itself. */
  constructor(
    method: PaymentMethod = 'balance',
    request: Partial<RefundRequest> = {},
    lent: Partial<EventPayload<'payment.refund_reserved'>> = { provider: 'acme', provider_reference: 'ch_1' },
  ) {
    const data = refundDataOf(
      {
        scope: { merchant: 'default', mode: 'sandbox' },
        idempotencyKey: 'key-1',
        fingerprint: 'f',
        request: { payment_id: PAYMENT_ID, ...request },
        trace: TRACE,
        waitMs: 0,
      },
      REFUND_ID,
      START_MS,
    );
    const first = beginRefund(data, this.context());
    this.saga = first.saga;
    this.#keep(first);
    this.outcome('reserve', {
      event_type: 'payment.refund_reserved',
      payload: {
        payment_id: PAYMENT_ID,
        amount: 500,
        currency: 'USD',
        wallet_id: 'wal-1',
        service_id: 'svc-1',
        method,
        ...lent,
      },
    });
  }

  context(): StepContext {
    return {
      nowMs: this.nowMs,
      policy: SAGA_POLICIES.live,
      random: () => 0.5,
      newId: () => '00000000-0000-4000-8000-000000000001',
      trace: TRACE,
    };
  }

  take(input: StepInput): RefundStep {
    const taken = step(REFUND_SAGA, this.saga, input, this.context());
    this.saga = taken.saga;
    this.#keep(taken);
    return taken;
  }

  outcome(command: RefundCommand, fact: Fact): RefundStep {
    const sent = this.sent.findLast((candidate) => candidate.name === command);
    const effectId = sent === undefined ? null : effectIdOf(sent);
    if (effectId === null) throw new Error(`${command} was never sent; state ${this.saga.state}`);
    return this.take({ kind: 'outcome', outcome: { effect_id: effectId, fact } });
  }

  gateway(
    operation: 'refund' | 'lookup',
    status: EventPayload<'payment_gateway.response'>['gateway_status'],
    more: Partial<EventPayload<'payment_gateway.response'>> = {},
  ) {
    return this.outcome(operation, gatewayFact(operation, { gateway_status: status, ...more }));
  }

  wallet(command: 'credit' | 'reverse', refusal?: string) {
    const base = { payment_id: PAYMENT_ID, refund_id: REFUND_ID, wallet_id: 'wal-1', amount: 500, currency: 'USD' };
    const name = ({ credit: 'wallet.credit', reverse: 'wallet.reverse_credit' } as const)[command];
    return this.outcome(
      command,
      refusal === undefined
        ? { event_type: name, payload: { ...base, status: 'DONE', wallet_version: 1 } }
        : { event_type: `${name}_failed`, payload: { ...base, status: 'REFUSED', reason: refusal } },
    );
  }

  wait(ms: number) {
    this.nowMs += ms;
    return this.take({ kind: 'timer' });
  }

  /** Its last look-up, at the end of the late window, is answered with nothing. */
  closeWindow() {
    this.wait(73 * HOUR_MS);
    return this.gateway('lookup', 'UNKNOWN');
  }

  names(): string[] {
    return this.sent.map((command) => command.name);
  }

  #keep({ events, send }: RefundStep): void {
    this.events.push(...events);
    this.sent.push(...send);
  }
}
