import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InvariantError } from '../../src/domain/errors.ts';
import { decodeEvent } from '../../src/domain/events/decode.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../src/domain/limits.ts';
import type { PaymentMethod } from '../../src/domain/payment.ts';
import { refundableMinor, reserveRefund, settleRefund } from '../../src/domain/payment-refunds.ts';
import { refundView } from '../../src/domain/refund-view.ts';
import { effectIdOf } from '../../src/domain/saga/effects.ts';
import { nextDueAtMs } from '../../src/domain/saga/engine.ts';
import { judgeMove } from '../../src/domain/saga/operator.ts';
import type { Fact } from '../../src/domain/saga/outcome.ts';
import { paymentOf, refundFact, reservedPayload } from '../../src/domain/saga/refund-commands.ts';
import { REFUND_SAGA, refundDataOf } from '../../src/domain/saga/refund-saga.ts';
import { REFUND_ID, RefundDriver } from '../support/refund-saga.ts';
import { gatewayFact, PAYMENT_ID, SagaDriver, START_MS } from '../support/saga.ts';

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
    expect(refund.sent.filter(({ name }) => name === 'refund').map(effectIdOf)).toEqual(
      [1, 2].map((n) => `orchestrator.gateway.refund.${REFUND_ID}.${n}`),
    );
    expect(refund.sent.find(({ name }) => name === 'lookup')?.event?.metadata.message_deduplication_id).toBe(
      `orchestrator.gateway.lookup.${REFUND_ID}.1`,
    );
  });

  test('is looked up on the published schedule, and daily after it', () => {
    const refund = new RefundDriver();
    refund.gateway('refund', 'UNKNOWN');
    for (const ms of [5 * SECOND_MS, 30 * SECOND_MS, 5 * MINUTE_MS, HOUR_MS, DAY_MS, DAY_MS]) {
      expect(refund.wait(ms - 1).send).toEqual([]);
      expect(refund.wait(1).send.map(({ name }) => name)).toEqual(['lookup']);
      refund.gateway('lookup', 'UNKNOWN');
    }
  });

  test('that stays unknown to the end of the late window needs a person', () => {
    const refund = new RefundDriver();
    refund.gateway('refund', 'UNKNOWN');
    for (let hours = 0; hours < 80 && refund.saga.state === 'refund_unknown'; hours++) {
      if (refund.wait(HOUR_MS).send.length > 0) refund.gateway('lookup', 'UNKNOWN');
    }
    expect(refund.saga.state).toBe('needs_attention');
  });

  test('that was nothing as the window closed is tried once more, and asked about no more: no circle of both', () => {
    const refund = new RefundDriver();
    refund.gateway('refund', 'UNKNOWN');
    refund.wait(73 * HOUR_MS);
    refund.gateway('lookup', 'ABSENT');
    expect(refund.saga.state).toBe('refunding');
    refund.nowMs += SECOND_MS;
    refund.gateway('refund', 'UNKNOWN');
    expect(refund.wait(0).send).toEqual([]);
    expect(refund.saga.state).toBe('needs_attention');
  });

  test('that is pending waits for the callback', () => {
    const refund = new RefundDriver();
    refund.gateway('refund', 'PENDING');
    expect(refund.saga.state).toBe('refunding');
    refund.gateway('refund', 'REFUNDED');
    expect(refund.saga.state).toBe('crediting');
  });

  test('that is said to be pending by a callback too, which has no number, is asked about once at a time', () => {
    const refund = new RefundDriver();
    refund.gateway('refund', 'PENDING');
    const fact = gatewayFact('refund', { gateway_status: 'PENDING' });
    refund.take({ kind: 'outcome', outcome: { effect_id: `orchestrator.gateway.refund.${REFUND_ID}`, fact } });
    expect(refund.saga.pending.map(({ name }) => name)).toEqual(['lookup']);
    for (const ms of [5 * SECOND_MS, 30 * SECOND_MS, 5 * MINUTE_MS]) {
      expect(refund.wait(ms).send.map(({ name }) => name)).toEqual(['lookup']);
      refund.gateway('lookup', 'PENDING');
    }
    const ids = refund.events.map(({ metadata }) => metadata.message_deduplication_id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test.each([
    ['PENDING', 'refund', 'refunding'],
    ['UNKNOWN', 'lookup', 'refund_unknown'],
  ] as const)('that was %s and then pending is looked up by what the provider calls it', (first, second, state) => {
    const refund = new RefundDriver();
    const known = { refund_reference: 're_1' };
    refund.gateway('refund', first, first === 'PENDING' ? known : {});
    const [asked] = refund.wait(5 * SECOND_MS).send;
    if (second === 'lookup') {
      expect(asked?.event?.payload).not.toHaveProperty('refund_reference');
      refund.gateway('lookup', 'PENDING', known);
    } else refund.gateway('lookup', 'UNKNOWN');
    expect(refund.saga.state).toBe(state);
    expect(refund.wait(30 * SECOND_MS).send).toMatchObject([
      { name: 'lookup', event: { payload: { provider_reference: 'ch_1', refund_reference: 're_1' } } },
    ]);
    refund.gateway('lookup', 'REFUNDED', known);
    expect(refund.saga.state).toBe('crediting');
  });

  test('of which no answer was heard is looked up as ever, also one that was stored before references were kept', () => {
    const refund = new RefundDriver();
    refund.gateway('refund', 'UNKNOWN');
    expect(refund.wait(5 * SECOND_MS).send[0]?.event?.payload).not.toHaveProperty('refund_reference');
    expect(refund.saga.data).not.toHaveProperty('refundReference');
  });

  test('that is pending is not failed by a doubled sending that was turned away, however late', () => {
    const refund = new RefundDriver();
    refund.gateway('refund', 'PENDING');
    const { saga: waiting } = refund;
    for (const laterMs of [0, 2 * HOUR_MS]) {
      refund.nowMs += laterMs;
      refund.gateway('refund', 'NOT_SENT');
      expect(refund.saga).toMatchObject({ state: 'refunding', pending: waiting.pending, settled: waiting.settled });
    }
    refund.gateway('refund', 'REFUNDED');
    expect(refund.saga.state).toBe('crediting');
  });
});

describe('an answer about a refund', () => {
  function unknown(): RefundDriver {
    const refund = new RefundDriver();
    refund.gateway('refund', 'UNKNOWN');
    refund.wait(5 * SECOND_MS);
    return refund;
  }

  test.each(['PENDING', 'UNKNOWN', 'NOT_SENT'] as const)('%s: a look-up is asked again', (status) => {
    const refund = unknown();
    refund.gateway('lookup', status);
    expect(refund.saga.state).toBe('refund_unknown');
    expect(refund.wait(30 * SECOND_MS).send.map(({ name }) => name)).toEqual(['lookup']);
  });

  test.each([
    ['REFUND_FAILED', 'failed', 'refund_declined'],
    ['REFUNDED', 'crediting', undefined],
  ] as const)('%s: by a look-up, or late and by itself, ends the doubt: %s', (status, state, code) => {
    const asked = unknown();
    asked.gateway('lookup', status);
    const told = unknown();
    told.gateway('refund', status);
    for (const { saga } of [asked, told]) {
      expect(saga.state).toBe(state);
      expect(saga.data.failure?.code).toBe(code);
    }
  });

  test.each(['ABSENT', 'nothing'] as const)(
    '%s, to the refund itself, is no proof: it is looked up, and counted',
    (status) => {
      const refund = new RefundDriver();
      const { events } = status === 'ABSENT' ? refund.gateway('refund', status) : refund.wait(HOUR_MS);
      expect(refund.saga.state).toBe('refund_unknown');
      expect(refund.saga.data.unknownSinceMs).toBe(refund.nowMs);
      expect(events.map(({ event_type }) => event_type)).toContain('metrics.gateway.unknown');
    },
  );

  test('that it was settled at its payment moves nothing more', () => {
    for (const status of ['REFUNDED', 'REFUND_FAILED'] as const) {
      const refund = new RefundDriver('credit_card');
      refund.gateway('refund', status);
      const { state } = refund.saga;
      refund.outcome('settle', { event_type: 'payment.refund_settled', payload: { payment_id: PAYMENT_ID } } as Fact);
      expect(refund.saga.state).toBe(state);
      expect(refund.saga.pending.map(({ name }) => name)).toEqual(['notify']);
    }
  });

  test('that takes a success back reverses nothing in the wallet where a card was paid with', () => {
    const refund = new RefundDriver('credit_card');
    refund.gateway('refund', 'REFUNDED');
    refund.gateway('refund', 'REFUND_FAILED');
    expect(refund.saga.data.failure?.code).toBe('refund_failed_after_success');
    expect(refund.names()).not.toContain('reverse');
  });
});

test('a refund begins with what was asked, and nothing known besides', () => {
  const scope = { merchant: 'm', mode: 'live' } as const;
  const request = { payment_id: PAYMENT_ID };
  const trace = { traceId: '', traceparent: '' };
  const input = { scope, idempotencyKey: 'key-1', request, fingerprint: 'f', trace, waitMs: 0 };
  expect(refundDataOf(input, REFUND_ID, START_MS)).toEqual({
    refundId: REFUND_ID,
    scope,
    idempotencyKey: 'key-1',
    request,
    payment: null,
    failure: null,
    takenBack: false,
    unknownSinceMs: null,
    attentionReason: null,
    createdAtMs: START_MS,
    updatedAtMs: START_MS,
    completedAtMs: null,
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

describe('a refund that was in doubt, and then provably reached nobody to the end of its budget', () => {
  /** Unknown, or pending; then a look-up finds nothing, and it is asked for again in vain. */
  function inDoubt(first: 'UNKNOWN' | 'PENDING'): RefundDriver {
    const refund = new RefundDriver();
    refund.gateway('refund', first);
    refund.wait(5 * SECOND_MS);
    refund.gateway('lookup', 'ABSENT');
    expect(refund.saga.state).toBe('refunding');
    refund.gateway('refund', 'NOT_SENT');
    refund.nowMs += HOUR_MS;
    refund.gateway('refund', 'NOT_SENT');
    return refund;
  }

  test.each(['UNKNOWN', 'PENDING'] as const)(
    'after %s is looked up again: "not sent" speaks of the later sending only, and what is reserved stays so (S8)',
    (first) => {
      const refund = inDoubt(first);
      expect(refund.saga).toMatchObject({ state: 'refund_unknown', data: { unknownSinceMs: START_MS, failure: null } });
      expect(refund.names()).not.toContain('settle');
      // The first sending has given it after all.
      refund.wait(DAY_MS);
      refund.gateway('lookup', 'REFUNDED');
      expect(refund.saga.state).toBe('crediting');
    },
  );

  test('goes round no longer than the late window, and then needs a person', () => {
    const refund = inDoubt('UNKNOWN');
    let rounds = 0;
    for (; rounds < 100 && refund.saga.state !== 'needs_attention'; rounds++) {
      if (refund.saga.state === 'refund_unknown') {
        if (refund.wait((nextDueAtMs(refund.saga) ?? 0) - refund.nowMs).send.length > 0)
          refund.gateway('lookup', 'ABSENT');
      } else {
        refund.nowMs += HOUR_MS;
        refund.gateway('refund', 'NOT_SENT');
      }
    }
    expect(rounds).toBeLessThan(100);
    expect(refund.saga).toMatchObject({ state: 'needs_attention', data: { attentionReason: 'refund_unknown' } });
    expect(refund.nowMs - START_MS).toBeGreaterThanOrEqual(72 * HOUR_MS);
    expect(refund.nowMs - START_MS).toBeLessThan(75 * HOUR_MS);
    expect(refund.names()).not.toContain('settle');
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

describe('what can happen twice to one refund', () => {
  const ids = (refund: RefundDriver) => refund.events.map((event) => event.metadata.message_deduplication_id);

  test('is told under an id of its own each time: its settlement, once completed and once taken back', () => {
    const refund = new RefundDriver('credit_card');
    const settle = (settlement: 'completed' | 'released') =>
      refund.outcome('settle', {
        event_type: 'payment.refund_settled',
        payload: { payment_id: PAYMENT_ID, refund_id: REFUND_ID, settlement },
      });
    refund.gateway('refund', 'REFUNDED');
    settle('completed');
    refund.gateway('refund', 'REFUND_FAILED');
    settle('released');
    expect(new Set(ids(refund)).size).toBe(refund.events.length);
  });

  test('is counted under an id of its own each time: becoming unknown', () => {
    const refund = new RefundDriver();
    refund.gateway('refund', 'UNKNOWN');
    refund.wait(5 * SECOND_MS);
    refund.gateway('lookup', 'ABSENT');
    refund.gateway('refund', 'UNKNOWN');
    expect(refund.saga.state).toBe('refund_unknown');
    expect(new Set(ids(refund)).size).toBe(refund.events.length);
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

test('S7: a success that is told after the failure that has overtaken it changes nothing, and calls nobody', () => {
  const refund = new RefundDriver('credit_card');
  refund.gateway('refund', 'REFUND_FAILED');
  expect(refund.saga.state).toBe('failed');
  refund.gateway('refund', 'REFUNDED');
  expect(refund.saga.state).toBe('failed');
  expect(refund.events.map((event) => event.event_type)).not.toContain('refund.needs_attention');
});

test('money that was given back after the refund had failed needs a person, and the status stays', () => {
  const refund = new RefundDriver();
  refund.nowMs += HOUR_MS;
  refund.gateway('refund', 'NOT_SENT');
  expect(refund.saga.state).toBe('failed');
  refund.gateway('refund', 'REFUNDED');
  expect(refund.saga.state).toBe('failed');
  expect(refund.events.at(-1)).toMatchObject({
    event_type: 'refund.needs_attention',
    payload: { refund_id: REFUND_ID, reason: 'refunded_after_failure' },
    metadata: { message_deduplication_id: `refund.needs_attention.${REFUND_ID}.${refund.saga.sequence}` },
  });
});

test('a settlement that is told while the credit is being reversed moves nothing', () => {
  const refund = new RefundDriver();
  refund.gateway('refund', 'REFUNDED');
  refund.wallet('credit');
  refund.gateway('refund', 'REFUND_FAILED');
  refund.outcome('settle', { event_type: 'payment.refund_settled', payload: { payment_id: PAYMENT_ID } } as Fact);
  expect(refund.saga.state).toBe('reversing');
  refund.wallet('reverse');
  expect(refund.saga.state).toBe('failed');
});

test('a refund is asked for again no sooner than a call may take', () => {
  expect(nextDueAtMs(new RefundDriver().saga)).toBe(START_MS + 45_000);
});

test('no call for a refund begins once the saga may have given it up (S10)', () => {
  const refund = new RefundDriver();
  const sent = refund.sent.find((command) => command.name === 'refund');
  expect(sent?.event?.payload.not_after).toBe(new Date(START_MS + HOUR_MS).toISOString());
});

describe('what is told of a refund', () => {
  const payloads = (refund: RefundDriver) =>
    Object.fromEntries(refund.events.map(({ event_type, payload }) => [event_type, payload]));
  const ids = { refund_id: REFUND_ID, payment_id: PAYMENT_ID };
  const money = { amount: 500, currency: 'USD' };

  test('is all that each consumer needs, and no more', () => {
    const refund = new RefundDriver('balance', { amount: 500, reason: 'too late' });
    refund.gateway('refund', 'UNKNOWN');
    refund.wait(5 * SECOND_MS);
    refund.gateway('lookup', 'REFUNDED');
    refund.wallet('credit');
    refund.gateway('refund', 'REFUND_FAILED');
    refund.wallet('reverse');
    const call = {
      ...ids,
      ...money,
      method: 'balance',
      service_id: 'svc-1',
      provider: 'acme',
      provider_reference: 'ch_1',
    };
    const posting = { ...ids, wallet_id: 'wal-1', ...money };
    expect(payloads(refund)).toMatchObject({
      'refund.created': { ...ids, amount: 500, reason: 'too late' },
      'orchestrator.payment.reserve_refund': { ...ids, amount: 500 },
      'orchestrator.gateway.refund': { ...call, not_after: '2026-01-01T01:00:00.000Z' },
      'metrics.gateway.unknown': { payment_id: PAYMENT_ID },
      'orchestrator.gateway.lookup': call,
      'orchestrator.wallet.credit': posting,
      'orchestrator.wallet.reverse_credit': posting,
      'refund.completed': { ...ids, ...money, status: 'COMPLETED' },
      'metrics.refund.success': { payment_id: PAYMENT_ID },
      'orchestrator.notify.refund_success': { ...ids, status: 'COMPLETED' },
      'refund.failed': { ...ids, ...money, status: 'FAILED', failure_code: 'refund_failed_after_success' },
      'metrics.refund.failure': { payment_id: PAYMENT_ID, failure_code: 'refund_failed_after_success' },
      'orchestrator.notify.refund_failure': { ...ids, status: 'FAILED' },
    });
    expect(Object.keys(payloads(refund)['orchestrator.gateway.lookup'] ?? {})).toEqual(Object.keys(call));
    const settlements = refund.events.filter(({ event_type }) => event_type === 'orchestrator.payment.settle_refund');
    expect(settlements.map(({ metadata }) => metadata.message_deduplication_id)).toEqual(
      [1, 2].map((n) => `orchestrator.payment.settle_refund.${REFUND_ID}.${n}`),
    );
    expect(settlements.map(({ payload }) => payload)).toEqual([
      { ...ids, settlement: 'completed' },
      { ...ids, settlement: 'released' },
    ]);
  });

  test('names neither an amount nor a reason nor a provider that there is not', () => {
    const told = payloads(new RefundDriver('balance', {}, {}));
    expect(told['refund.created']).toStrictEqual(ids);
    expect(told['orchestrator.payment.reserve_refund']).toStrictEqual(ids);
    expect(Object.keys(told['orchestrator.gateway.refund'] ?? {})).toEqual([
      ...['refund_id', 'payment_id', 'amount', 'currency', 'method', 'service_id', 'not_after'],
    ]);
  });

  test('is of its own log, in the scope and under the key of its request', () => {
    const refund = new RefundDriver();
    refund.nowMs += 7;
    refund.gateway('refund', 'REFUNDED');
    expect(refund.events.at(-1)?.metadata).toMatchObject({
      merchant: 'default',
      mode: 'sandbox',
      idempotency_key: 'key-1',
      message_group_id: `refund_${REFUND_ID}`,
      message_deduplication_id: `orchestrator.wallet.credit.${REFUND_ID}`,
    });
    expect(refund.saga.data).toMatchObject({ createdAtMs: START_MS, updatedAtMs: START_MS + 7 });
    expect(refund.saga.data).toMatchObject({ completedAtMs: null, failure: null, takenBack: false });
  });

  test('of its amount is a bug before it is reserved', () => {
    const { saga } = new RefundDriver();
    expect(() => paymentOf({ ...saga.data, payment: null })).toThrow(
      new InvariantError('refund_reserved', { refund_id: REFUND_ID }),
    );
  });
});

describe('a refund that needs a person says why', () => {
  const reasonOf = (refund: RefundDriver) => {
    expect(refund.saga.state).toBe('needs_attention');
    return refund.events.findLast(({ event_type }) => event_type === 'refund.needs_attention')?.payload;
  };
  const ids = { refund_id: REFUND_ID, payment_id: PAYMENT_ID };

  test('its credit was refused, which is counted', () => {
    const refund = new RefundDriver();
    refund.gateway('refund', 'REFUNDED');
    const { events } = refund.wallet('credit', 'wallet_frozen');
    expect(reasonOf(refund)).toEqual({ ...ids, reason: 'credit_refused' });
    expect(events.map(({ event_type }) => event_type)).toContain('metrics.wallet.credit_failure');
  });

  test('nobody knows whether it was given, from the moment that it first was unknown', () => {
    const refund = new RefundDriver();
    refund.nowMs += HOUR_MS;
    refund.gateway('refund', 'PENDING');
    refund.nowMs += HOUR_MS;
    refund.gateway('refund', 'UNKNOWN');
    expect(refund.saga.data.unknownSinceMs).toBe(START_MS + HOUR_MS);
    refund.nowMs = START_MS + 73 * HOUR_MS - 1;
    refund.take({ kind: 'timer' });
    refund.gateway('lookup', 'UNKNOWN');
    expect(refund.saga.state).toBe('refund_unknown');
    refund.wait(1);
    refund.gateway('lookup', 'UNKNOWN');
    expect(reasonOf(refund)).toEqual({ ...ids, reason: 'refund_unknown' });
  });
});

describe('what the provider says for good while a person is waited for', () => {
  function unknown(method: PaymentMethod = 'balance'): RefundDriver {
    const refund = new RefundDriver(method);
    refund.gateway('refund', 'UNKNOWN');
    refund.closeWindow();
    expect(refund.saga.state).toBe('needs_attention');
    return refund;
  }

  test.each([
    ['balance', 'REFUNDED', 'crediting'],
    ['credit_card', 'REFUNDED', 'completed'],
    ['balance', 'REFUND_FAILED', 'failed'],
  ] as const)('of a refund by %s that is not known: %s leads to %s, and nobody is needed', (method, status, state) => {
    const refund = unknown(method);
    refund.gateway('refund', status);
    expect(refund.saga).toMatchObject({ state, data: { attentionReason: null } });
    const stated = { kind: 'resolve', resolution: 'not_refunded', actor: 'jane', reason: 'ticket-7' } as const;
    expect(judgeMove(REFUND_SAGA, refund.saga, stated, refund.context())).toBe('not_in_attention');
  });

  test('of another reason is recorded, and changes nothing', () => {
    const refund = new RefundDriver();
    refund.gateway('refund', 'REFUNDED');
    refund.wallet('credit', 'wallet_frozen');
    refund.gateway('refund', 'REFUNDED');
    expect(refund.saga).toMatchObject({ state: 'needs_attention', data: { attentionReason: 'credit_refused' } });
  });
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
    expect(answer).toEqual({
      kind: 'reserved',
      amountMinor: 200,
      currency: 'USD',
      walletId: 'wal-1',
      serviceId: 'svc-1',
      method: 'balance',
      provider: 'acme',
      providerReference: null,
    });
  });

  test('what was released can be refunded again, whole', () => {
    const payment = completed();
    const { data } = reserveRefund(payment.saga, 'ref_1', null);
    if (data === null) throw new Error('nothing reserved');
    expect(refundableMinor(data)).toBe(0);
    const released = settleRefund({ ...payment.saga, data }, 'ref_1', 'released', payment.context());
    if (released === null) throw new Error('nothing released');
    expect(refundableMinor(released.saga.data)).toBe(500);
    expect(reserveRefund(released.saga, 'ref_2', 500).answer.kind).toBe('reserved');
  });

  test('all that is left is what is reserved where no amount is named, and never more', () => {
    const payment = completed();
    const { data } = reserveRefund(payment.saga, 'ref_1', 200);
    if (data === null) throw new Error('nothing reserved');
    const partly = { ...payment.saga, data };
    const refused = { answer: { kind: 'refund_amount_exceeds_refundable' }, data: null };
    expect(reserveRefund(partly, 'ref_2', 301)).toEqual(refused);
    const all = reserveRefund(partly, 'ref_2', null);
    expect(all.answer).toMatchObject({ amountMinor: 300 });
    const used = { ...partly, data: all.data ?? data };
    expect(reserveRefund(used, 'ref_3', null)).toEqual(refused);
    expect(reserveRefund(used, 'ref_3', 1)).toEqual(refused);
  });

  test('a payment has so many refunds that are given or under way, and so many in all', () => {
    const payment = completed();
    const withRefunds = (count: number, state: 'completed' | 'reserved' | 'released') => {
      const refunds = Object.fromEntries(
        Array.from({ length: count }, (_, n) => [`ref_${n}`, { amountMinor: 1, state }] as const),
      );
      return { ...payment.saga, data: { ...payment.saga.data, refunds } };
    };
    const refused = { answer: { kind: 'refunds_limit_exceeded' }, data: null };
    for (const state of ['completed', 'reserved'] as const) {
      expect(reserveRefund(withRefunds(98, state), 'ref_new', 1).answer.kind).toBe('reserved');
      expect(reserveRefund(withRefunds(99, state), 'ref_new', 1)).toEqual(refused);
      expect(reserveRefund(withRefunds(99, state), 'ref_7', 1).answer.kind).toBe('reserved');
    }
    expect(reserveRefund(withRefunds(499, 'released'), 'ref_new', 1).answer.kind).toBe('reserved');
    expect(reserveRefund(withRefunds(500, 'released'), 'ref_new', 1)).toEqual(refused);
  });

  test('a refund that is settled is told in the payment’s log with what it moved, once; what is released stays so', () => {
    const payment = completed();
    const { data } = reserveRefund(payment.saga, 'ref_1', 200);
    if (data === null) throw new Error('nothing reserved');
    const reserved = { ...payment.saga, data };
    const context = payment.context();
    expect(settleRefund(reserved, 'ref_2', 'completed', context)).toBeNull();
    const given = settleRefund(reserved, 'ref_1', 'completed', context);
    expect(given?.events.map(({ event_type, payload }) => [event_type, payload])).toEqual([
      ['payment.refunded', { payment_id: PAYMENT_ID, refund_id: 'ref_1', amount: 200, refunded_amount: 200 }],
    ]);
    expect(given?.events[0]?.metadata.message_deduplication_id).toBe(
      `payment.refunded.${PAYMENT_ID}.${payment.saga.sequence + 1}`,
    );
    if (!given) throw new Error('nothing settled');
    expect(settleRefund(given.saga, 'ref_1', 'completed', context)).toBeNull();
    const taken = settleRefund(given.saga, 'ref_1', 'released', context);
    expect(taken?.events[0]?.payload).toMatchObject({ amount: -200, refunded_amount: 0 });
    if (!taken) throw new Error('nothing settled');
    expect(settleRefund(taken.saga, 'ref_1', 'completed', context)).toBeNull();
    const unmoved = settleRefund(reserved, 'ref_1', 'released', context);
    expect(unmoved).toMatchObject({
      events: [],
      send: [],
      saga: { data: { refunds: { ref_1: { state: 'released' } } } },
    });
    expect(unmoved?.saga.sequence).toBe(payment.saga.sequence);
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
      { seed: 20261124, numRuns: Number(process.env.HOLDFAST_RUNS ?? 2_000) },
    );
  });
});

describe('what a refund learns of its payment', () => {
  const reserved = {
    kind: 'reserved',
    amountMinor: 200,
    currency: 'JPY',
    walletId: 'wal-2',
    serviceId: 'svc-2',
    method: 'credit_card',
  } as const;
  const payload = {
    payment_id: PAYMENT_ID,
    amount: 200,
    currency: 'JPY',
    wallet_id: 'wal-2',
    service_id: 'svc-2',
    method: 'credit_card',
  };

  test('is all that the payment’s object lends it', () => {
    const answer = { ...reserved, provider: 'acme', providerReference: 'ch_1' };
    const told = { ...payload, provider: 'acme', provider_reference: 'ch_1' };
    expect(reservedPayload(PAYMENT_ID, answer)).toStrictEqual(told);
  });

  test('names neither a provider nor a reference that there is not', () => {
    expect(reservedPayload(PAYMENT_ID, { ...reserved, provider: null, providerReference: null })).toStrictEqual(
      payload,
    );
  });

  test('is what its end tells of the amount, under the status that it has', () => {
    const { data } = new RefundDriver().saga;
    const told = { refund_id: REFUND_ID, payment_id: PAYMENT_ID, amount: 500, currency: 'USD' };
    expect(refundFact(data, 'COMPLETED')).toStrictEqual({ ...told, status: 'COMPLETED' });
    expect(refundFact(data, 'FAILED')).toStrictEqual({ ...told, status: 'FAILED' });
  });
});

describe('the table of the refund', () => {
  test('says of each state what it is, and ends in two', () => {
    const states = Object.entries(REFUND_SAGA.states);
    expect(states.map(([state]) => state)).toEqual([
      'reserving',
      'refunding',
      'refund_unknown',
      'crediting',
      'reversing',
      'completed',
      'failed',
      'needs_attention',
    ]);
    for (const [, { says }] of states) expect(says).toMatch(/^[A-Z].+\.$/);
    for (const { says } of Object.values(REFUND_SAGA.attention.moves)) expect(says).toMatch(/^[A-Z].+\.$/);
    expect(states.filter(([, { terminal }]) => terminal === true).map(([state]) => state)).toEqual([
      'completed',
      'failed',
    ]);
    expect(REFUND_SAGA.states.completed.mayTurnTo).toEqual(['reversing', 'failed']);
    expect(REFUND_SAGA.states.failed.mayTurnTo).toBeUndefined();
  });

  test('sets an amount aside, and settles it, by a direct call; all else is a message', () => {
    const calls = Object.values(REFUND_SAGA.commands).filter(({ isCall }) => isCall === true);
    expect(calls.map(({ name }) => name)).toEqual(['reserve', 'settle']);
    for (const [key, { name }] of Object.entries(REFUND_SAGA.commands)) expect(name).toBe(key);
  });

  test('names no reason where none is known of what needs a person', () => {
    const { saga } = new RefundDriver();
    const { reasonOf } = REFUND_SAGA.attention;
    expect(reasonOf(saga)).toBeNull();
    expect(reasonOf({ ...saga, state: 'needs_attention' })).toBe('unknown');
    const data = { ...saga.data, givenAfterFailure: false };
    expect(reasonOf({ ...saga, state: 'failed', data })).toBeNull();
  });

  test('leaves a person’s move in the log with who made it and why, and forgets the reason', () => {
    const { data } = new RefundDriver().saga;
    const by = { actor: 'jane', reason: 'ticket-7' };
    const ids = { refund_id: REFUND_ID, payment_id: PAYMENT_ID };
    const { fact, leave } = REFUND_SAGA.attention;
    expect(fact(data, 'refund_unknown', { kind: 'retry', ...by })).toStrictEqual({
      type: 'refund.retried',
      payload: { ...ids, attention: 'refund_unknown', ...by },
      repeats: true,
    });
    expect(fact(data, 'refund_unknown', { kind: 'resolve', resolution: 'refunded', ...by })).toStrictEqual({
      type: 'refund.resolved',
      payload: { ...ids, attention: 'refund_unknown', resolution: 'refunded', ...by },
      repeats: true,
    });
    expect(leave({ ...data, attentionReason: 'refund_unknown' })).toStrictEqual({ ...data, attentionReason: null });
  });
});

test('a refund that is completed once more is settled and told again, and neither notified nor counted', () => {
  const { data } = new RefundDriver().saga;
  const { commands, facts } = REFUND_SAGA.states.completed;
  const payload = { refund_id: REFUND_ID, payment_id: PAYMENT_ID, amount: 500, currency: 'USD', status: 'COMPLETED' };
  expect(commands(data)).toEqual(['settle', 'notify']);
  expect(facts?.(data)).toStrictEqual([
    { type: 'refund.completed', payload },
    { type: 'metrics.refund.success', payload: { payment_id: PAYMENT_ID } },
  ]);
  const again = { ...data, completedAtMs: START_MS };
  expect(commands(again)).toEqual(['settle']);
  expect(facts?.(again)).toStrictEqual([{ type: 'refund.completed', payload, repeats: true }]);
});

test('a refund that a person has found not to be given fails as one that the provider declined', () => {
  const refund = new RefundDriver();
  refund.gateway('refund', 'UNKNOWN');
  refund.closeWindow();
  const move = { kind: 'resolve', resolution: 'not_refunded', actor: 'jane', reason: 'ticket-7' } as const;
  refund.take({ kind: 'move', move });
  expect(refund.saga.data.failure?.code).toBe('refund_declined');
});

test('a refund that the provider will tell of later is looked up all the same', () => {
  const refund = new RefundDriver();
  refund.gateway('refund', 'PENDING');
  expect(refund.saga.pending.map(({ name }) => name)).toContain('lookup');
});

test('that it was settled is heard in whatever state, and moves nothing', () => {
  const refund = new RefundDriver();
  refund.gateway('refund', 'REFUNDED');
  refund.wallet('credit');
  refund.gateway('refund', 'REFUND_FAILED');
  refund.outcome('settle', {
    event_type: 'payment.refund_settled',
    payload: { payment_id: PAYMENT_ID, refund_id: REFUND_ID, settlement: 'completed' },
  });
  expect(refund.saga.state).toBe('reversing');
  expect(refund.saga.pending.map(({ name }) => name)).not.toContain('settle');
});
