import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EventPayload } from '../../src/domain/events/catalogue.ts';
import { decodeEvent } from '../../src/domain/events/decode.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../src/domain/limits.ts';
import type { PaymentMethod } from '../../src/domain/payment.ts';
import { refundableMinor, reserveRefund, settleRefund } from '../../src/domain/payment-refunds.ts';
import type { RefundRequest } from '../../src/domain/refund.ts';
import { refundView } from '../../src/domain/refund-view.ts';
import { effectIdOf, step } from '../../src/domain/saga/engine.ts';
import type { Fact } from '../../src/domain/saga/outcome.ts';
import { SAGA_POLICIES } from '../../src/domain/saga/policy.ts';
import { beginRefund, REFUND_SAGA, refundDataOf } from '../../src/domain/saga/refund-saga.ts';
import type { RefundCommand, RefundSagaValue, RefundStep } from '../../src/domain/saga/refund-types.ts';
import type { StepContext, StepInput } from '../../src/domain/saga/table.ts';
import { gatewayFact, PAYMENT_ID, SagaDriver, START_MS } from '../support/saga.ts';

const REFUND_ID = `ref_${'0'.repeat(43)}`;
const TRACE = { traceId: 'a'.repeat(32), traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` };

/** One refund's saga with a clock. */
class RefundDriver {
  saga: RefundSagaValue;
  nowMs = START_MS;
  readonly events: RefundStep['events'][number][] = [];
  readonly sent: RefundStep['send'][number][] = [];

  constructor(method: PaymentMethod = 'balance', request: Partial<RefundRequest> = {}) {
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
        provider: 'acme',
        provider_reference: 'ch_1',
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

  gateway(operation: 'refund' | 'lookup', status: EventPayload<'payment_gateway.response'>['gateway_status']) {
    return this.outcome(operation, gatewayFact(operation, { gateway_status: status }));
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

  names(): string[] {
    return this.sent.map((command) => command.name);
  }

  #keep({ events, send }: RefundStep): void {
    this.events.push(...events);
    this.sent.push(...send);
  }
}

describe('a refund of a balance payment', () => {
  test('reserves, refunds, credits and completes, and its log decodes and has no gap', () => {
    const refund = new RefundDriver();
    refund.gateway('refund', 'REFUNDED');
    refund.wallet('credit');
    expect(refund.saga.state).toBe('completed');
    expect(refund.names()).toEqual(['reserve', 'refund', 'credit', 'settle', 'notify']);
    expect(refund.events.map((event) => event.metadata.sequence)).toEqual(refund.events.map((_, index) => index + 1));
    for (const event of refund.events) expect(decodeEvent(event)).toMatchObject({ ok: true });
  });

  test('that the provider refuses fails, and what was reserved is released', () => {
    const refund = new RefundDriver();
    refund.gateway('refund', 'REFUND_FAILED');
    expect(refund.saga.state).toBe('failed');
    expect(refund.saga.data.failure?.code).toBe('refund_declined');
    expect(refund.sent.find((command) => command.name === 'settle')?.event?.payload).toMatchObject({
      settlement: 'released',
    });
    expect(refund.names()).not.toContain('credit');
  });

  test('whose credit is refused needs a person: the provider has given the money back, and it is never dropped', () => {
    const refund = new RefundDriver();
    refund.gateway('refund', 'REFUNDED');
    refund.wallet('credit', 'wallet_frozen');
    expect(refund.saga.state).toBe('needs_attention');
    expect(refundView(refund.saga).status).toBe('PENDING');
  });
});

test('a refund of a card payment completes with the provider’s word and moves nothing in the wallet', () => {
  const refund = new RefundDriver('credit_card');
  refund.gateway('refund', 'REFUNDED');
  expect(refund.saga.state).toBe('completed');
  expect(refund.names()).not.toContain('credit');
});

describe('an unknown refund', () => {
  test('is looked up, and a look-up that finds it given back goes on to the credit', () => {
    const refund = new RefundDriver();
    refund.gateway('refund', 'UNKNOWN');
    expect(refund.saga.state).toBe('refund_unknown');
    expect(refund.wait(5 * SECOND_MS).send.map((command) => command.name)).toEqual(['lookup']);
    refund.gateway('lookup', 'REFUNDED');
    expect(refund.saga.state).toBe('crediting');
  });

  test('that is absent is asked for again, never credited and never given up', () => {
    const refund = new RefundDriver();
    refund.gateway('refund', 'UNKNOWN');
    refund.wait(5 * SECOND_MS);
    refund.gateway('lookup', 'ABSENT');
    expect(refund.saga.state).toBe('refunding');
    expect(refund.names().filter((name) => name === 'refund')).toHaveLength(2);
  });

  test('that stays unknown to the end of the late window needs a person', () => {
    const refund = new RefundDriver();
    refund.gateway('refund', 'UNKNOWN');
    for (let hours = 0; hours < 80 && refund.saga.state === 'refund_unknown'; hours++) {
      if (refund.wait(HOUR_MS).send.length > 0) refund.gateway('lookup', 'UNKNOWN');
    }
    expect(refund.saga.state).toBe('needs_attention');
  });

  test('that is pending waits for the callback', () => {
    const refund = new RefundDriver();
    refund.gateway('refund', 'PENDING');
    expect(refund.saga.state).toBe('refunding');
    refund.gateway('refund', 'REFUNDED');
    expect(refund.saga.state).toBe('crediting');
  });
});

describe('a refund that provably reached nobody', () => {
  test('is tried again, and fails when its budget is spent', () => {
    const refund = new RefundDriver();
    refund.gateway('refund', 'NOT_SENT');
    expect(refund.saga.state).toBe('refunding');
    refund.nowMs += HOUR_MS;
    refund.gateway('refund', 'NOT_SENT');
    expect(refund.saga.data.failure?.code).toBe('gateway_unavailable');
  });

  test('proves nothing while another sending is out', () => {
    const refund = new RefundDriver();
    refund.wait(MINUTE_MS);
    refund.nowMs += HOUR_MS;
    refund.gateway('refund', 'NOT_SENT');
    expect(refund.saga.state).toBe('refunding');
  });
});

describe('a success that the provider takes back', () => {
  test('reverses the credit by a new entry, fails, and gives the reservation back', () => {
    const refund = new RefundDriver();
    refund.gateway('refund', 'REFUNDED');
    refund.wallet('credit');
    refund.gateway('refund', 'REFUND_FAILED');
    expect(refund.saga.state).toBe('reversing');
    refund.wallet('reverse');
    expect(refund.saga.state).toBe('failed');
    expect(refund.saga.data.failure?.code).toBe('refund_failed_after_success');
    expect(refund.sent.findLast((command) => command.name === 'settle')?.event?.payload).toMatchObject({
      settlement: 'released',
    });
  });

  test('needs a person when the credited money is gone', () => {
    const refund = new RefundDriver();
    refund.gateway('refund', 'REFUNDED');
    refund.wallet('credit');
    refund.gateway('refund', 'REFUND_FAILED');
    refund.wallet('reverse', 'insufficient_funds');
    expect(refund.saga.state).toBe('needs_attention');
    expect(refund.saga.data.attentionReason).toBe('credited_money_is_gone');
  });

  test('fails at once for a card', () => {
    const refund = new RefundDriver('credit_card');
    refund.gateway('refund', 'REFUNDED');
    refund.gateway('refund', 'REFUND_FAILED');
    expect(refund.saga.state).toBe('failed');
  });
});

describe('a callback that names the refund without a number', () => {
  const effectId = `orchestrator.gateway.refund.${REFUND_ID}`;
  const told = (status: 'REFUNDED' | 'REFUND_FAILED') =>
    ({
      kind: 'outcome',
      outcome: { effect_id: effectId, fact: gatewayFact('refund', { gateway_status: status }) },
    }) as const;

  test('settles a refund that was pending', () => {
    const refund = new RefundDriver();
    refund.gateway('refund', 'PENDING');
    refund.take(told('REFUNDED'));
    expect(refund.saga.state).toBe('crediting');
  });

  test('takes a success back', () => {
    const refund = new RefundDriver();
    refund.gateway('refund', 'REFUNDED');
    refund.wallet('credit');
    refund.take(told('REFUND_FAILED'));
    expect(refund.saga.state).toBe('reversing');
  });

  test('takes a success back while the wallet is being credited: credited, and reversed', () => {
    const refund = new RefundDriver();
    refund.gateway('refund', 'REFUNDED');
    refund.take(told('REFUND_FAILED'));
    expect(refund.saga.state).toBe('crediting');
    refund.wallet('credit');
    expect(refund.saga.state).toBe('reversing');
  });
});

test('money that was given back after the refund had failed needs a person, and the status stays', () => {
  const refund = new RefundDriver();
  refund.nowMs += HOUR_MS;
  refund.gateway('refund', 'NOT_SENT');
  expect(refund.saga.state).toBe('failed');
  refund.gateway('refund', 'REFUNDED');
  expect(refund.saga.state).toBe('failed');
  expect(refund.events.at(-1)?.event_type).toBe('refund.needs_attention');
});

test('no call for a refund begins once the saga may have given it up (S10)', () => {
  const refund = new RefundDriver();
  const sent = refund.sent.find((command) => command.name === 'refund');
  expect(sent?.event?.payload.not_after).toBe(new Date(START_MS + HOUR_MS).toISOString());
});

describe('what a payment keeps of its refunds', () => {
  function completed(): SagaDriver {
    const payment = new SagaDriver({ amount: 500 });
    payment.wallet('hold');
    payment.gateway('authorize', { gateway_status: 'AUTHORIZED' });
    payment.wallet('debit');
    return payment;
  }

  test('a payment that is not completed is not refundable', () => {
    expect(reserveRefund(new SagaDriver().saga, 'ref_1', 1)).toEqual({
      answer: { kind: 'payment_not_refundable' },
      data: null,
    });
  });

  test('the same refund reserves once, and hears the same again', () => {
    const payment = completed();
    const { answer, data } = reserveRefund(payment.saga, 'ref_1', 200);
    if (data === null) throw new Error('nothing reserved');
    expect(reserveRefund({ ...payment.saga, data }, 'ref_1', 200)).toEqual({ answer, data: null });
    expect(refundableMinor(data)).toBe(300);
  });

  test('S10: whatever is reserved, settled and released, no more is given back than was paid', () => {
    const actions = fc.array(
      fc.record({
        refund: fc.integer({ min: 1, max: 6 }).map((n) => `ref_${n}`),
        act: fc.constantFrom('reserve', 'completed', 'released'),
        amount: fc.option(fc.integer({ min: 1, max: 600 })),
      }),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(actions, (list) => {
        const payment = completed();
        let { saga } = payment;
        for (const { refund, act, amount } of list) {
          if (act === 'reserve') saga = { ...saga, data: reserveRefund(saga, refund, amount).data ?? saga.data };
          else saga = settleRefund(saga, refund, act, payment.context())?.saga ?? saga;
          const given = Object.values(saga.data.refunds).filter(({ state }) => state === 'completed');
          expect(saga.data.refundedAmount).toBe(given.reduce((sum, { amountMinor }) => sum + amountMinor, 0));
          expect(refundableMinor(saga.data)).toBeGreaterThanOrEqual(0);
        }
      }),
      { seed: 20261124, numRuns: 2_000 },
    );
  });
});
