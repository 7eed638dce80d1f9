import { describe, expect, test } from 'vitest';
import { InvariantError } from '../../src/domain/errors.ts';
import type { GatewayStatus } from '../../src/domain/events/catalogue.ts';
import { decodeEvent } from '../../src/domain/events/decode.ts';
import { COMPENSATION_TRIES_MIN, DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../src/domain/limits.ts';
import { nextDueAtMs } from '../../src/domain/saga/engine.ts';
import { PAYMENT_SAGA, paymentDataOf } from '../../src/domain/saga/payment-saga.ts';
import type { PaymentCommand } from '../../src/domain/saga/payment-types.ts';
import { SAGA_POLICIES } from '../../src/domain/saga/policy.ts';
import { REFUND_SAGA } from '../../src/domain/saga/refund-saga.ts';
import { REFUND_ID, RefundDriver } from '../support/refund-saga.ts';
import {
  gatewayFact,
  PAYMENT_ID,
  paymentData,
  SagaDriver,
  START_MS,
  triedInVain,
  walletFact,
} from '../support/saga.ts';

const AUTHORIZED = { gateway_status: 'AUTHORIZED', provider_reference: 'ch_1' } as const;

function authorized(request = {}): SagaDriver {
  const saga = new SagaDriver(request);
  saga.wallet('hold');
  saga.gateway('authorize', AUTHORIZED);
  return saga;
}

/** When what is asked about, or undone, can have been authorized. */
const AUTHORIZED_WITHIN = { authorized_from: START_MS, authorized_to: START_MS + 3 * MINUTE_MS };
const within = (saga: SagaDriver, command: PaymentCommand) => {
  const payload = saga.sent.findLast(({ name }) => name === command)?.event?.payload ?? {};
  return Object.fromEntries(
    Object.keys(AUTHORIZED_WITHIN).map((name) => [name, Date.parse(String(payload[name as keyof typeof payload]))]),
  );
};

describe('a provider that is asked without a reference', () => {
  test('is told when the authorization can have been made: until no call of it can land any more', () => {
    const lost = new SagaDriver({ method: 'credit_card' });
    lost.gateway('authorize', { gateway_status: 'UNKNOWN' });
    for (let asked = 0; asked < 2; asked++) {
      lost.wait(30 * SECOND_MS);
      expect(within(lost, 'lookup')).toEqual(AUTHORIZED_WITHIN);
      lost.gateway('lookup', { gateway_status: 'UNKNOWN' });
    }
    const late = new SagaDriver({ method: 'credit_card' });
    const first = late.effectId('authorize');
    late.gateway('authorize', { gateway_status: 'NOT_SENT' });
    late.wait(2 * MINUTE_MS);
    late.take({
      kind: 'outcome',
      outcome: { effect_id: first, fact: gatewayFact('authorize', { gateway_status: 'UNKNOWN' }) },
    });
    expect(within(late, 'undo_late')).toEqual(AUTHORIZED_WITHIN);
  });

  test('is told so of a void too, and of nothing whose reference is known', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.gateway('authorize', { gateway_status: 'AUTHORIZED' });
    saga.wallet('debit', 'hold_resolved');
    expect(within(saga, 'unauthorize')).toEqual(AUTHORIZED_WITHIN);
    const known = authorized();
    known.wallet('debit', 'hold_resolved');
    expect(Object.values(within(known, 'unauthorize'))).toEqual([Number.NaN, Number.NaN]);
  });
});

describe('a callback that names the authorization without its number', () => {
  const told = (answer: Parameters<typeof gatewayFact>[1]) => ({
    kind: 'outcome' as const,
    outcome: { effect_id: `orchestrator.gateway.authorize.${PAYMENT_ID}`, fact: gatewayFact('authorize', answer) },
  });

  test('is the answer to the one that waits for it, which is not sent again', () => {
    const saga = new SagaDriver({ method: 'credit_card' });
    saga.take(told(AUTHORIZED));
    expect(saga.saga.state).toBe('capturing');
    expect(saga.saga.pending.map(({ name }) => name)).toEqual(['capture']);
  });

  test('is the answer to its round, whichever that is', () => {
    const saga = new SagaDriver({ method: 'credit_card' });
    for (let passed = 0; passed < 2; passed++) saga.gateway('authorize', { gateway_status: 'NOT_SENT' });
    saga.wait(10 * SECOND_MS);
    expect(saga.effectId('authorize')).toBe(`orchestrator.gateway.authorize.${PAYMENT_ID}.3`);
    saga.take(told({ ...AUTHORIZED, provider: 'acme' }));
    expect(saga.saga.state).toBe('capturing');
    expect(saga.saga.settled).toMatchObject({ [saga.effectId('authorize')]: 'authorize:done' });
  });

  test('says nothing new once that was answered, however the payment has gone on', () => {
    const saga = authorized({ deadline: new Date(START_MS + SECOND_MS).toISOString() });
    const late = new SagaDriver({ deadline: new Date(START_MS + SECOND_MS).toISOString() });
    late.wallet('hold');
    late.nowMs += 2 * SECOND_MS;
    late.gateway('authorize', AUTHORIZED);
    late.gateway('unauthorize', { gateway_status: 'VOIDED' });
    late.wallet('release');
    expect([saga.saga.state, late.saga.state]).toEqual(['debiting', 'failed']);
    for (const each of [saga, late]) expect(each.take(told(AUTHORIZED))).toMatchObject({ events: [], send: [] });
  });

  test('of a provider that was passed over is a late success, and undone there', () => {
    const saga = new SagaDriver({ method: 'credit_card' });
    saga.gateway('authorize', { gateway_status: 'NOT_SENT' });
    saga.take(told({ ...AUTHORIZED, provider: 'acme' }));
    expect(saga.sent.at(-1)).toMatchObject({ name: 'undo_late', event: { payload: { provider: 'acme' } } });
    expect(saga.saga.state).toBe('authorizing');
  });

  test('while the next round waits for its time is no answer to what was not sent', () => {
    const saga = new SagaDriver({ method: 'credit_card' });
    for (let passed = 0; passed < 2; passed++) saga.gateway('authorize', { gateway_status: 'NOT_SENT' });
    saga.take(told({ ...AUTHORIZED, provider: 'acme' }));
    expect(saga.saga.state).toBe('capturing');
    expect(Object.keys(saga.saga.settled)).not.toContain(`orchestrator.gateway.authorize.${PAYMENT_ID}.3`);
  });
});

describe('a balance payment', () => {
  test('holds, authorizes, debits and completes, and its log tells so in order', () => {
    const saga = authorized();
    saga.wallet('debit');
    expect(saga.saga.state).toBe('completed');
    expect(saga.types()).toEqual([
      'payment.created',
      'orchestrator.wallet.hold_funds',
      'wallet.hold_funds',
      'payment_gateway.routed',
      'orchestrator.gateway.authorize',
      'payment_gateway.response',
      'orchestrator.wallet.debit',
      'wallet.debit',
      'payment.completed',
      'metrics.payment.success',
      'orchestrator.notify.payment_success',
    ]);
    expect(saga.saga.data).toMatchObject({ provider: 'acme', providerReference: 'ch_1', failure: null });
  });

  test('writes a log whose sequence has no gap and whose events all decode', () => {
    const saga = authorized();
    saga.wallet('debit');
    expect(saga.events.map((event) => event.metadata.sequence)).toEqual(saga.events.map((_, index) => index + 1));
    for (const event of saga.events) expect(decodeEvent(event)).toMatchObject({ ok: true });
  });

  test('that is refused its hold fails with the reason and undoes nothing', () => {
    for (const reason of ['insufficient_funds', 'wallet_not_found', 'wallet_frozen', 'currency_mismatch'] as const) {
      const saga = new SagaDriver();
      saga.wallet('hold', reason);
      expect(saga.saga.state).toBe('failed');
      expect(saga.saga.data.failure?.code).toBe(reason);
      expect(saga.sent.map((command) => command.name)).toEqual(['hold', 'notify']);
    }
  });

  test('that is refused its hold for a reason only a bug can make is a bug', () => {
    const saga = new SagaDriver();
    expect(() => saga.wallet('hold', 'effect_id_conflict')).toThrow(InvariantError);
  });

  test('that is declined releases its hold before it fails', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.gateway('authorize', { gateway_status: 'UNAUTHORIZED', decline_code: 'lost_card' });
    expect(saga.saga.state).toBe('releasing_funds');
    saga.wallet('release');
    expect(saga.saga.state).toBe('failed');
    expect(saga.saga.data.failure).toMatchObject({ code: 'gateway_declined', decline_code: 'lost_card' });
  });

  test('that is refused its debit undoes the gateway and the hold, in either order, and then fails', () => {
    for (const order of [
      ['unauthorize', 'release'],
      ['release', 'unauthorize'],
    ] as const) {
      const saga = authorized();
      saga.wallet('debit', 'hold_resolved');
      expect(saga.saga.state).toBe('compensating');
      for (const command of order) {
        expect(saga.saga.state).toBe('compensating');
        if (command === 'release') saga.wallet('release');
        else saga.gateway('unauthorize', { gateway_status: 'VOIDED' });
      }
      expect(saga.saga.state).toBe('failed');
      expect(saga.saga.data.failure?.code).toBe('debit_failed');
    }
  });

  test('whose provider has captured is refunded, not voided, when its debit is refused', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.gateway('authorize', { gateway_status: 'CAPTURED' });
    saga.wallet('debit', 'hold_resolved');
    expect(saga.sent.map((command) => command.name)).toContain('refund');
    expect(saga.sent.map((command) => command.name)).not.toContain('unauthorize');
  });

  test('whose compensation fails is released all the same, and is never said to have failed (S5)', () => {
    const saga = authorized();
    saga.wallet('debit', 'hold_resolved');
    saga.gateway('unauthorize', { gateway_status: 'VOID_FAILED' });
    expect(saga.saga.state).toBe('compensating');
    saga.wallet('release');
    expect(saga.saga.state).toBe('needs_attention');
    expect(saga.types()).not.toContain('payment.failed');
  });

  test('retries a void of unknown outcome, and needs a person when its budget is spent', () => {
    const saga = authorized();
    saga.wallet('debit', 'hold_resolved');
    saga.wallet('release');
    saga.gateway('unauthorize', { gateway_status: 'UNKNOWN' });
    expect(saga.saga.state).toBe('compensating');
    for (const waitMs of [MINUTE_MS, HOUR_MS]) {
      expect(saga.wait(waitMs).send.map((command) => command.name)).toEqual(['unauthorize']);
      saga.gateway('unauthorize', { gateway_status: 'UNKNOWN' });
    }
    saga.wait(HOUR_MS);
    expect(saga.saga.state).toBe('needs_attention');
  });

  test('gives no compensation up that it has hardly tried, however long it was away', () => {
    const saga = authorized();
    saga.wallet('debit', 'hold_resolved');
    saga.wallet('release');
    // Away until long after the late window, too.
    expect(saga.wait(100 * HOUR_MS).send.map((command) => command.name)).toEqual(['unauthorize']);
    expect(saga.wait(2 * HOUR_MS).send.map((command) => command.name)).toEqual(['unauthorize']);
    saga.wait(2 * HOUR_MS);
    expect(saga.saga.state).toBe('needs_attention');
  });
});

describe('an unknown authorization (S8)', () => {
  function unknown(): SagaDriver {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.gateway('authorize', { gateway_status: 'UNKNOWN' });
    return saga;
  }

  test('undoes nothing and is looked up on the published schedule', () => {
    const saga = unknown();
    expect(saga.saga.state).toBe('authorization_unknown');
    const waits = [5 * SECOND_MS, 30 * SECOND_MS, 5 * MINUTE_MS, HOUR_MS, DAY_MS, DAY_MS];
    for (const ms of waits) {
      expect(saga.wait(ms - 1).send).toEqual([]);
      expect(saga.wait(1).send.map((command) => command.name)).toEqual(['lookup']);
      saga.gateway('lookup', { gateway_status: 'UNKNOWN' });
    }
    expect(saga.saga.state).toBe('authorization_unknown');
    expect(saga.types()).not.toContain('orchestrator.wallet.release_funds');
  });

  test('goes on to the debit when the look-up finds it authorized', () => {
    const saga = unknown();
    saga.wait(5 * SECOND_MS);
    saga.gateway('lookup', AUTHORIZED);
    expect(saga.saga.state).toBe('debiting');
  });

  test('is released as declined when the look-up finds it declined', () => {
    const saga = unknown();
    saga.wait(5 * SECOND_MS);
    saga.gateway('lookup', { gateway_status: 'UNAUTHORIZED', decline_code: 'do_not_honor' });
    expect(saga.saga.state).toBe('releasing_funds');
    expect(saga.saga.data.failure?.decline_code).toBe('do_not_honor');
  });

  test('is not proven absent while a call may still be on its way', () => {
    const saga = unknown();
    saga.wait(5 * SECOND_MS);
    saga.gateway('lookup', { gateway_status: 'ABSENT' });
    expect(saga.saga.state).toBe('authorization_unknown');
    // Two minutes in which calls may begin, and one in which they may still land.
    saga.nowMs = START_MS + 3 * MINUTE_MS - 1;
    saga.take({ kind: 'timer' });
    saga.gateway('lookup', { gateway_status: 'ABSENT' });
    expect(saga.saga.state).toBe('authorization_unknown');
    saga.wait(5 * MINUTE_MS);
    saga.nowMs = START_MS + 3 * MINUTE_MS;
    saga.gateway('lookup', { gateway_status: 'ABSENT' });
    expect(saga.saga.state).toBe('releasing_funds');
    expect(saga.saga.data.failure?.code).toBe('gateway_unavailable');
  });

  test('is asked about for the last time as the late window closes', () => {
    const saga = unknown();
    const askedHours: number[] = [];
    while (saga.saga.state === 'authorization_unknown') {
      saga.wait(Math.max(...saga.saga.pending.map(({ dueAtMs }) => dueAtMs)) - saga.nowMs);
      askedHours.push(Math.floor((saga.nowMs - START_MS) / HOUR_MS));
      saga.gateway('lookup', { gateway_status: 'UNKNOWN' });
    }
    expect(askedHours).toEqual([0, 0, 0, 1, 25, 49, 72]);
    expect(saga.saga.state).toBe('needs_attention');
  });

  test('needs a person when it is still unknown as the late window closes', () => {
    const saga = unknown();
    for (let hours = 0; hours < 80 && saga.saga.state === 'authorization_unknown'; hours++) {
      if (saga.wait(HOUR_MS).send.length > 0) saga.gateway('lookup', { gateway_status: 'UNKNOWN' });
    }
    expect(saga.saga.state).toBe('needs_attention');
    expect(saga.nowMs - START_MS).toBeGreaterThanOrEqual(72 * HOUR_MS);
    expect(saga.types()).not.toContain('payment.failed');
  });

  test('counts its window from the first doubt, a pending answer, and not from the state that it is in', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.gateway('authorize', { gateway_status: 'PENDING' });
    saga.nowMs += HOUR_MS;
    saga.gateway('authorize', { gateway_status: 'UNKNOWN' });
    expect(saga.saga.data.unknownSinceMs).toBe(START_MS);
    saga.nowMs = START_MS + 72 * HOUR_MS;
    saga.take({ kind: 'timer' });
    saga.gateway('lookup', { gateway_status: 'UNKNOWN' });
    expect(saga.saga.state).toBe('needs_attention');
    expect(saga.events.at(-1)?.payload.reason).toBe('authorization_unknown');
  });

  test('is entered when the attempts are spent with no report at all', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.wait(2 * MINUTE_MS);
    expect(saga.saga.state).toBe('authorization_unknown');
  });

  test('is entered when the command becomes a dead letter', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.take({ kind: 'died', effectId: saga.effectId('authorize') });
    expect(saga.saga.state).toBe('authorization_unknown');
  });

  test('is settled by a report that comes late', () => {
    const saga = unknown();
    saga.take({
      kind: 'outcome',
      outcome: { effect_id: saga.effectId('authorize'), fact: gatewayFact('authorize', AUTHORIZED) },
    });
    expect(saga.saga.state).toBe('debiting');
  });
});

describe('an asynchronous authorization', () => {
  test('waits for the provider, and is looked up when its callback is late', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.gateway('authorize', { gateway_status: 'PENDING', provider_reference: 'ch_9' });
    expect(saga.saga.state).toBe('authorizing');
    expect(saga.wait(5 * SECOND_MS).send.map((command) => command.name)).toEqual(['lookup']);
    saga.gateway('lookup', AUTHORIZED);
    expect(saga.saga.state).toBe('debiting');
  });

  test('takes the callback as the outcome', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.gateway('authorize', { gateway_status: 'PENDING' });
    saga.gateway('authorize', { gateway_status: 'UNAUTHORIZED', decline_code: 'fraudulent' });
    expect(saga.saga.state).toBe('releasing_funds');
  });
});

describe('an authorization that provably reached nobody', () => {
  test('fails over: another command, under another effect id, names the next provider, and the log says why', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    const first = saga.effectId('authorize');
    const { send, events } = saga.gateway('authorize', { gateway_status: 'NOT_SENT', reason: 'connection_refused' });
    expect(events.find((event) => event.event_type === 'payment_gateway.routed')?.payload).toMatchObject({
      provider: 'borealis',
      candidates: ['acme', 'borealis'],
      passed_over: [{ provider: 'acme', reason: 'connection_refused' }],
    });
    expect(send).toMatchObject([{ name: 'authorize', event: { payload: { provider: 'borealis' } } }]);
    expect(saga.effectId('authorize')).not.toBe(first);
    expect(saga.saga.state).toBe('authorizing');
  });

  test('goes to no other provider while a second delivery, which has asked, may be calling (S1)', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.take({ kind: 'asked', effectId: saga.effectId('authorize') });
    expect(saga.gateway('authorize', { gateway_status: 'NOT_SENT' }).send).toEqual([]);
    expect(saga.saga).toMatchObject({ state: 'authorizing', data: { provider: 'acme' } });
    saga.gateway('authorize', AUTHORIZED);
    expect(saga.saga).toMatchObject({ state: 'debiting', data: { provider: 'acme' } });
  });

  test('starts over from the first provider, after a wait, when every one was passed over', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.gateway('authorize', { gateway_status: 'NOT_SENT' });
    expect(saga.gateway('authorize', { gateway_status: 'NOT_SENT', provider: 'borealis' }).send).toEqual([]);
    const dueAtMs = nextDueAtMs(saga.saga) ?? 0;
    expect(dueAtMs).toBeGreaterThan(saga.nowMs);
    const { send } = saga.wait(dueAtMs - saga.nowMs);
    expect(send).toMatchObject([{ name: 'authorize', event: { payload: { provider: 'acme' } } }]);
    expect(saga.saga.data).toMatchObject({ rounds: 1, passedOver: [] });
  });

  test('waits longer before each round, and says of a provider with no reason of its own that nothing was sent', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    const waits: number[] = [];
    for (let rounds = 0; rounds < 3; rounds++) {
      saga.gateway('authorize', { gateway_status: 'NOT_SENT' });
      expect(saga.saga.data.passedOver).toEqual([{ provider: 'acme', reason: 'not_sent' }]);
      saga.gateway('authorize', { gateway_status: 'NOT_SENT', provider: 'borealis' });
      waits.push((nextDueAtMs(saga.saga) ?? 0) - saga.nowMs);
      saga.wait(waits.at(-1) ?? 0);
    }
    expect(waits).toEqual([1_500, 3_000, 6_000]);
  });

  test('is tried until the budget of the step is spent, and then fails with nothing charged', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    for (let answers = 0; answers < 100 && saga.saga.state === 'authorizing'; answers++) {
      if (saga.saga.pending.some((command) => command.event !== null)) {
        saga.gateway('authorize', { gateway_status: 'NOT_SENT' });
      } else saga.wait((nextDueAtMs(saga.saga) ?? 0) - saga.nowMs);
    }
    expect(saga.saga.state).toBe('releasing_funds');
    expect(saga.saga.data.failure?.code).toBe('gateway_unavailable');
    expect(saga.nowMs - START_MS).toBeGreaterThanOrEqual(2 * MINUTE_MS);
  });

  test('of a doubled sending changes nothing once the provider has answered "pending": no other is asked', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    const answer = { effect_id: saga.effectId('authorize') };
    const hear = (gateway_status: 'PENDING' | 'NOT_SENT') =>
      saga.take({ kind: 'outcome', outcome: { ...answer, fact: gatewayFact('authorize', { gateway_status }) } });
    hear('PENDING');
    const { saga: waiting } = saga;
    // Also long after the budget of the step: what is pending may be in force.
    for (const laterMs of [0, SAGA_POLICIES.live.authorizeBudgetMs]) {
      saga.nowMs += laterMs;
      expect(hear('NOT_SENT').send).toEqual([]);
      expect(saga.saga).toMatchObject({ state: 'authorizing', pending: waiting.pending, settled: waiting.settled });
      expect(saga.saga.data).toMatchObject({ provider: 'acme', passedOver: [] });
    }
    saga.wait((nextDueAtMs(saga.saga) ?? 0) - saga.nowMs);
    saga.gateway('lookup', { gateway_status: 'AUTHORIZED' });
    expect(saga.saga.state).toBe('debiting');
  });

  test.each([
    ['UNAUTHORIZED', 'releasing_funds'],
    ['UNKNOWN', 'authorization_unknown'],
    ['AUTHORIZED', 'debiting'],
  ] as const)(
    'is not sent in its next round when an earlier sending is heard of, %s, before it: nobody is asked any more',
    (gateway_status, state) => {
      const saga = new SagaDriver();
      saga.wallet('hold');
      const earlier = saga.effectId('authorize');
      saga.gateway('authorize', { gateway_status: 'NOT_SENT' });
      saga.gateway('authorize', { gateway_status: 'NOT_SENT', provider: 'borealis' });
      const asked = saga.sent.filter(({ name }) => name === 'authorize').length;
      saga.take({
        kind: 'outcome',
        outcome: { effect_id: earlier, fact: gatewayFact('authorize', { gateway_status }) },
      });
      expect(saga.saga.state).toBe(state);
      if (state === 'releasing_funds') saga.wallet('release');
      saga.wait(MINUTE_MS);
      expect(saga.sent.filter(({ name }) => name === 'authorize')).toHaveLength(asked);
      expect(saga.saga.pending.map(({ name }) => name)).not.toContain('authorize');
    },
  );

  test('in its next round proves nothing of an earlier sending there that was answered "pending": no other is asked', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    const earlier = saga.effectId('authorize');
    saga.gateway('authorize', { gateway_status: 'NOT_SENT' });
    saga.gateway('authorize', { gateway_status: 'NOT_SENT', provider: 'borealis' });
    const fact = gatewayFact('authorize', { gateway_status: 'PENDING' });
    saga.take({ kind: 'outcome', outcome: { effect_id: earlier, fact } });
    saga.wait(2 * SECOND_MS);
    expect(saga.effectId('authorize')).not.toBe(earlier);
    saga.gateway('authorize', { gateway_status: 'NOT_SENT' });
    expect(saga.saga).toMatchObject({ state: 'authorizing', data: { provider: 'acme' } });
    // Nor is it given up as not charged when the time of the step is over.
    saga.nowMs += SAGA_POLICIES.live.authorizeBudgetMs;
    saga.gateway('authorize', { gateway_status: 'NOT_SENT' });
    expect(saga.saga.state).toBe('authorizing');
    saga.wait(5 * MINUTE_MS);
    expect(saga.saga.state).toBe('authorization_unknown');
  });

  test('waits at least as long as the provider asked', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.gateway('authorize', { gateway_status: 'NOT_SENT' });
    saga.gateway('authorize', { gateway_status: 'NOT_SENT', provider: 'borealis', retry_after_ms: 60_000 });
    expect(nextDueAtMs(saga.saga)).toBe(START_MS + 60_000);
  });
});

describe('a card payment', () => {
  test('authorizes and captures, and moves nothing in the wallet', () => {
    const saga = new SagaDriver({ method: 'credit_card' });
    saga.gateway('authorize', AUTHORIZED);
    expect(saga.saga.state).toBe('capturing');
    saga.gateway('capture', { gateway_status: 'CAPTURED' });
    expect(saga.saga.state).toBe('completed');
    expect(saga.types().filter((type) => type.includes('wallet'))).toEqual([]);
  });

  test('that is declined fails at once', () => {
    const saga = new SagaDriver({ method: 'debit_card' });
    saga.gateway('authorize', { gateway_status: 'UNAUTHORIZED', decline_code: 'expired_card' });
    expect(saga.saga.state).toBe('failed');
  });

  test('whose capture is refused is voided', () => {
    const saga = new SagaDriver({ method: 'credit_card' });
    saga.gateway('authorize', AUTHORIZED);
    saga.gateway('capture', { gateway_status: 'UNAUTHORIZED' });
    saga.gateway('unauthorize', { gateway_status: 'VOIDED' });
    expect(saga.saga.state).toBe('failed');
  });
});

test('a card that its provider has captured at once completes without another call', () => {
  const saga = new SagaDriver({ method: 'credit_card' });
  saga.gateway('authorize', { gateway_status: 'CAPTURED', provider_reference: 'ch_1' });
  expect(saga.saga.state).toBe('completed');
  expect(saga.saga.data).toMatchObject({ captured: true, providerReference: 'ch_1' });
  expect(saga.sent.map(({ name }) => name)).not.toContain('capture');
});

test('a payment begins with what was asked, and nothing known besides', () => {
  const { paymentId, scope, idempotencyKey, request } = paymentData();
  const trace = { traceId: '', traceparent: '' };
  const input = { scope, idempotencyKey, request, fingerprint: 'f', amountCodes: true, trace, waitMs: 0 };
  expect(paymentDataOf(input, paymentId, START_MS)).toEqual({ ...paymentData(), amountCodes: true });
});

describe('a deadline', () => {
  const deadline = new Date(START_MS + 1_000).toISOString();

  test('that passed before the debit undoes what was authorized', () => {
    const saga = new SagaDriver({ deadline });
    saga.wallet('hold');
    saga.nowMs += 1_001;
    saga.gateway('authorize', AUTHORIZED);
    expect(saga.saga.state).toBe('compensating');
    expect(saga.saga.data.failure?.code).toBe('deadline_exceeded');
  });

  test('that passed during the hold releases it without asking a provider', () => {
    const saga = new SagaDriver({ deadline });
    saga.nowMs += 1_001;
    saga.wallet('hold');
    expect(saga.saga.state).toBe('releasing_funds');
    expect(saga.types()).not.toContain('orchestrator.gateway.authorize');
  });

  test('that has passed before anything is asked fails the payment, and nobody is asked', () => {
    for (const method of ['balance', 'credit_card'] as const) {
      const saga = new SagaDriver({ method, deadline: new Date(START_MS - 1).toISOString() });
      expect(saga.saga.state).toBe('failed');
      expect(saga.saga.data.failure?.code).toBe('deadline_exceeded');
      expect(saga.sent.map(({ name }) => name)).toEqual(['notify']);
    }
  });

  test('ends the time in which providers may be asked, where it is sooner than the budget', () => {
    for (const [after, until] of [
      [1_000, 1_000],
      [5 * MINUTE_MS, 2 * MINUTE_MS],
    ] as const) {
      const saga = new SagaDriver({ deadline: new Date(START_MS + after).toISOString() });
      saga.wallet('hold');
      const { payload } = saga.sent.at(-1)?.event ?? {};
      expect(payload?.not_after).toBe(new Date(START_MS + until).toISOString());
    }
  });

  test.each([
    ['before', 999, 'authorizing', undefined],
    ['after', 1_001, 'releasing_funds', 'deadline_exceeded'],
  ])('%s which a provider was not reached: the next is asked, or nobody', (_when, ms, state, code) => {
    const saga = new SagaDriver({ deadline });
    saga.wallet('hold');
    saga.nowMs += ms;
    saga.gateway('authorize', { gateway_status: 'NOT_SENT' });
    expect(saga.saga.state).toBe(state);
    expect(saga.saga.data.failure?.code).toBe(code);
  });

  test('after which a doubt turns out to have been nothing fails the payment by its own name', () => {
    const saga = new SagaDriver({ deadline });
    saga.wallet('hold');
    saga.gateway('authorize', { gateway_status: 'UNKNOWN' });
    saga.wait(10 * MINUTE_MS);
    saga.gateway('lookup', { gateway_status: 'ABSENT' });
    saga.wallet('release');
    expect(saga.saga.state).toBe('failed');
    expect(saga.saga.data.failure?.code).toBe('deadline_exceeded');
    // One that may have succeeded after all is undone by its key.
    saga.gateway('authorize', { gateway_status: 'PENDING' });
    expect(saga.sent.at(-1)?.name).toBe('undo_late');
  });

  test('goes with the debit, and what the wallet refuses for it is undone', () => {
    const saga = new SagaDriver({ deadline });
    saga.wallet('hold');
    saga.gateway('authorize', AUTHORIZED);
    expect(saga.sent.at(-1)?.event?.payload.not_after).toBe(deadline);
    const { events } = saga.wallet('debit', 'deadline_exceeded');
    expect(saga.saga.state).toBe('compensating');
    expect(saga.saga.data.failure?.code).toBe('deadline_exceeded');
    expect(events.map(({ event_type }) => event_type)).not.toContain('metrics.wallet.debit_failure');
  });

  test('that has not passed changes nothing', () => {
    const saga = new SagaDriver({ deadline });
    saga.nowMs += 1_000;
    saga.wallet('hold');
    saga.gateway('authorize', AUTHORIZED);
    expect(saga.saga.state).toBe('debiting');
  });
});

describe('every delivery may come again, late or out of order (S7)', () => {
  test('the same outcome twice is one event and one transition', () => {
    const saga = new SagaDriver();
    const outcome = { effect_id: saga.effectId('hold'), fact: walletFact('hold') };
    saga.take({ kind: 'outcome', outcome });
    const before = saga.saga;
    const again = saga.take({ kind: 'outcome', outcome });
    expect(again.events).toEqual([]);
    expect(saga.saga).toBe(before);
  });

  test('an authorization that shows up after the saga gave it up is voided, and the status stays (S4)', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.gateway('authorize', { gateway_status: 'UNKNOWN' });
    saga.wait(10 * MINUTE_MS);
    saga.gateway('lookup', { gateway_status: 'ABSENT' });
    saga.wallet('release');
    expect(saga.saga.state).toBe('failed');
    saga.gateway('authorize', AUTHORIZED);
    expect(saga.saga.state).toBe('failed');
    expect(saga.sent.at(-1)).toMatchObject({ name: 'undo_late', event: { payload: { provider: 'acme' } } });
    saga.gateway('undo_late', { gateway_status: 'VOIDED' });
    expect(saga.saga.pending.map((command) => command.name)).toEqual(['notify']);
  });

  test('an authorization that shows up where the saga has come back to is the one that it asks for: not undone', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    const firstRound = saga.effectId('authorize');
    saga.gateway('authorize', { gateway_status: 'NOT_SENT' });
    saga.gateway('authorize', { gateway_status: 'NOT_SENT', provider: 'borealis' });
    saga.wait(MINUTE_MS);
    expect(saga.effectId('authorize')).not.toBe(firstRound);
    const fact = gatewayFact('authorize', { ...AUTHORIZED, provider: 'acme' });
    saga.take({ kind: 'outcome', outcome: { effect_id: firstRound, fact } });
    expect(saga.saga.state).toBe('debiting');
    expect(saga.sent.map(({ name }) => name)).not.toContain('undo_late');
  });

  test('an authorization that shows up at a provider the saga has left is undone there, and nowhere else (S1)', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    const atAcme = saga.effectId('authorize');
    saga.gateway('authorize', { gateway_status: 'NOT_SENT' });
    const fact = gatewayFact('authorize', { ...AUTHORIZED, provider: 'acme' });
    saga.take({ kind: 'outcome', outcome: { effect_id: atAcme, fact } });
    expect(saga.saga.state).toBe('authorizing');
    expect(saga.sent.at(-1)).toMatchObject({ name: 'undo_late', event: { payload: { provider: 'acme' } } });
    saga.gateway('authorize', { gateway_status: 'AUTHORIZED', provider: 'borealis', provider_reference: 'ch_2' });
    expect(saga.saga.state).toBe('debiting');
    expect(saga.saga.data).toMatchObject({ provider: 'borealis', providerReference: 'ch_2' });
  });

  test('one sending that reached nobody proves nothing while another of the same command is out', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.wait(MINUTE_MS);
    expect(saga.sent.filter((command) => command.name === 'authorize')).toHaveLength(2);
    saga.gateway('authorize', { gateway_status: 'NOT_SENT' });
    expect(saga.saga.state).toBe('authorizing');
    expect(saga.saga.data.provider).toBe('acme');
    saga.gateway('authorize', { gateway_status: 'UNKNOWN' });
    expect(saga.saga.state).toBe('authorization_unknown');
  });

  test('an unknown outcome at a provider the saga has left is undone there by its key', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    const atAcme = saga.effectId('authorize');
    saga.gateway('authorize', { gateway_status: 'NOT_SENT' });
    const fact = gatewayFact('authorize', { gateway_status: 'UNKNOWN', provider: 'acme' });
    saga.take({ kind: 'outcome', outcome: { effect_id: atAcme, fact } });
    expect(saga.saga.state).toBe('authorizing');
    expect(saga.sent.at(-1)).toMatchObject({ name: 'undo_late', event: { payload: { provider: 'acme' } } });
    // Absent now may still land; absent once no call can be on its way is the end of it.
    saga.gateway('undo_late', { gateway_status: 'ABSENT' });
    expect(saga.saga.pending.map((command) => command.name)).toContain('undo_late');
    saga.nowMs += 10 * MINUTE_MS;
    saga.gateway('undo_late', { gateway_status: 'ABSENT' });
    expect(saga.saga.pending.map((command) => command.name)).not.toContain('undo_late');
  });

  test('a stale "pending" after "authorized" is recorded and replaces nothing', () => {
    const saga = authorized();
    const effectId = saga.effectId('authorize');
    const stale = { effect_id: effectId, fact: gatewayFact('authorize', { gateway_status: 'PENDING' }) };
    expect(saga.take({ kind: 'outcome', outcome: stale }).events).toHaveLength(1);
    const again = { effect_id: effectId, fact: gatewayFact('authorize', AUTHORIZED) };
    expect(saga.take({ kind: 'outcome', outcome: again }).events).toEqual([]);
  });

  test('a late authorization that cannot be undone is said to need a person, and the status stays', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.gateway('authorize', { gateway_status: 'UNAUTHORIZED' });
    saga.wallet('release');
    const late = { effect_id: saga.effectId('authorize'), fact: gatewayFact('authorize', AUTHORIZED) };
    saga.take({ kind: 'outcome', outcome: late });
    saga.gateway('undo_late', { gateway_status: 'VOID_FAILED' });
    expect(saga.saga.state).toBe('failed');
    expect(saga.types().at(-1)).toBe('payment.needs_attention');
  });

  test('an answer to a look-up that is no longer asked is ignored', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.gateway('authorize', { gateway_status: 'UNKNOWN' });
    saga.wait(5 * SECOND_MS);
    const lookup = saga.effectId('lookup');
    saga.gateway('authorize', AUTHORIZED);
    const late = { effect_id: lookup, fact: gatewayFact('lookup', { gateway_status: 'UNAUTHORIZED' }) };
    expect(saga.take({ kind: 'outcome', outcome: late }).events).toEqual([]);
    expect(saga.saga.state).toBe('debiting');
  });

  test('the death of a command that has its outcome is ignored', () => {
    const saga = authorized();
    const before = saga.saga;
    saga.take({ kind: 'died', effectId: `orchestrator.wallet.hold_funds.${saga.saga.data.paymentId}` });
    expect(saga.saga).toBe(before);
  });
});

describe('every message may be lost (S6)', () => {
  test('a command to a wallet is sent again no sooner than a queue that is behind may take, a quarter of a minute', () => {
    const saga = new SagaDriver();
    expect(nextDueAtMs(saga.saga)).toBe(START_MS + 22_500);
    for (const { resend } of Object.values(SAGA_POLICIES)) expect(resend.firstMs / 2).toBe(15 * SECOND_MS);
  });

  test('a command to a gateway is sent again no sooner than a call may take, half a minute', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    expect(nextDueAtMs(saga.saga)).toBe(START_MS + 45_000);
    expect(SAGA_POLICIES.live.resendGateway.firstMs / 2).toBe(30 * SECOND_MS);
  });

  test('what may rightly be told twice has an id for each time', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.gateway('authorize', { gateway_status: 'NOT_SENT' });
    const routed = saga.events.filter(({ event_type }) => event_type === 'payment_gateway.routed');
    expect(routed.map(({ metadata }) => metadata.message_deduplication_id)).toEqual(
      routed.map(({ metadata }) => `payment_gateway.routed.${PAYMENT_ID}.${metadata.sequence}`),
    );
    const person = new SagaDriver();
    person.wallet('hold');
    person.gateway('authorize', { gateway_status: 'UNAUTHORIZED' });
    person.wallet('release', 'hold_resolved');
    const { message_deduplication_id: id, sequence } = person.events.at(-1)?.metadata ?? {};
    expect(id).toBe(`payment.needs_attention.${PAYMENT_ID}.${sequence}`);
  });

  test('a command with no outcome is sent again, with the same effect id, for ever and ever more slowly', () => {
    const saga = new SagaDriver();
    const effectId = saga.effectId('hold');
    let previousMs = 0;
    for (let attempt = 1; attempt <= 12; attempt++) {
      const waitMs = (nextDueAtMs(saga.saga) ?? 0) - saga.nowMs;
      expect(waitMs).toBeGreaterThanOrEqual(previousMs);
      expect(waitMs).toBeLessThanOrEqual(5 * MINUTE_MS);
      expect(saga.wait(waitMs - 1).send).toEqual([]);
      expect(saga.wait(1).events).toEqual([]);
      expect(saga.effectId('hold')).toBe(effectId);
      previousMs = waitMs;
    }
    expect(saga.sent.length).toBe(13);
  });

  test('every state that is not terminal has something due, or waits for a person', () => {
    const saga = new SagaDriver();
    expect(nextDueAtMs(saga.saga)).not.toBeNull();
    saga.wallet('hold');
    expect(nextDueAtMs(saga.saga)).not.toBeNull();
    saga.gateway('authorize', { gateway_status: 'UNKNOWN' });
    expect(nextDueAtMs(saga.saga)).not.toBeNull();
    saga.wait(5 * SECOND_MS);
    expect(nextDueAtMs(saga.saga)).not.toBeNull();
  });
});

describe('what is told of a payment', () => {
  const payloads = (saga: SagaDriver) =>
    Object.fromEntries(saga.events.map(({ event_type, payload }) => [event_type, payload]));
  const id = { payment_id: PAYMENT_ID };
  const posting = { ...id, wallet_id: 'wal-1', amount: 1230, currency: 'USD' };
  const call = { ...id, amount: 1230, currency: 'USD', method: 'balance', service_id: 'svc-1' };
  const fact = { ...id, wallet_id: 'wal-1', service_id: 'svc-1', amount: 1230, currency: 'USD', method: 'balance' };

  test('that completes is all that each consumer needs, and no more', () => {
    const saga = authorized();
    saga.wallet('debit');
    expect(payloads(saga)).toMatchObject({
      'payment.created': { ...fact, status: 'PENDING' },
      'payment_gateway.routed': { ...id, provider: 'acme', candidates: ['acme', 'borealis'], passed_over: [] },
      'orchestrator.gateway.authorize': { ...call, provider: 'acme', not_after: '2026-01-01T00:02:00.000Z' },
      'payment.completed': { ...fact, status: 'COMPLETED' },
      'metrics.payment.success': id,
    });
    expect(payloads(saga)['orchestrator.wallet.hold_funds']).toEqual({
      ...posting,
      expires_at: '2026-01-08T00:00:00.000Z',
      open_with: 100_000_000,
    });
    expect(payloads(saga)['orchestrator.wallet.debit']).toEqual(posting);
    expect(payloads(saga)['orchestrator.notify.payment_success']).toEqual({ ...id, status: 'COMPLETED' });
    expect(saga.events.at(-1)?.metadata).toMatchObject({
      merchant: 'default',
      mode: 'sandbox',
      idempotency_key: 'key-1',
      message_group_id: `payment_${PAYMENT_ID}`,
      message_deduplication_id: `orchestrator.notify.payment_success.${PAYMENT_ID}`,
    });
  });

  test('that fails says why, and with the provider’s code only where there is one', () => {
    const declined = new SagaDriver();
    declined.wallet('hold');
    const { events } = declined.gateway('authorize', { gateway_status: 'UNAUTHORIZED', decline_code: 'lost_card' });
    declined.wallet('release');
    const why = { ...fact, status: 'FAILED', failure_code: 'gateway_declined', decline_code: 'lost_card' };
    expect(payloads(declined)['payment.failed']).toStrictEqual(why);
    expect(payloads(declined)['metrics.payment.failure']).toEqual({ ...id, failure_code: 'gateway_declined' });
    expect(payloads(declined)['orchestrator.wallet.release_funds']).toEqual(posting);
    expect(payloads(declined)['orchestrator.notify.payment_failure']).toEqual({ ...id, status: 'FAILED' });
    expect(events.map(({ event_type }) => event_type)).toContain('metrics.gateway.unauthorized');
    const refused = new SagaDriver();
    const { events: counted } = refused.wallet('hold', 'wallet_frozen');
    expect(payloads(refused)['payment.failed']).toStrictEqual({
      ...fact,
      status: 'FAILED',
      failure_code: 'wallet_frozen',
    });
    expect(refused.saga.data.failure).not.toHaveProperty('decline_code');
    expect(counted.map(({ event_type }) => event_type)).toContain('metrics.wallet.hold_funds_failure');
  });

  test('that is declined without a code is generic', () => {
    const saga = new SagaDriver({ method: 'debit_card' });
    saga.gateway('authorize', { gateway_status: 'UNAUTHORIZED' });
    expect(saga.saga.data.failure?.decline_code).toBe('generic_decline');
  });

  test('to a provider has what the client gave, the codes of the sandbox and the reference, where there are such', () => {
    const saga = new SagaDriver({ customer_id: 'cus-1', reference: 'order-7' }, { amountCodes: true });
    saga.wallet('hold');
    saga.gateway('authorize', AUTHORIZED);
    saga.wallet('debit', 'hold_resolved');
    const given = { ...call, customer_id: 'cus-1', reference: 'order-7', provider: 'acme', amount_codes: true };
    expect(payloads(saga)['orchestrator.gateway.unauthorize']).toEqual({ ...given, provider_reference: 'ch_1' });
    expect(payloads(authorized())['orchestrator.gateway.authorize']).toStrictEqual({
      ...call,
      provider: 'acme',
      not_after: '2026-01-01T00:02:00.000Z',
    });
  });

  test('to a wallet opens it in the sandbox only, by the decimals of the currency', () => {
    const openWith = (request: object, data = {}) =>
      payloads(new SagaDriver(request, data))['orchestrator.wallet.hold_funds']?.open_with;
    expect(openWith({ currency: 'CLP' })).toBe(1_000_000);
    expect(openWith({ currency: 'KWD' })).toBe(1_000_000_000);
    expect(openWith({}, { scope: { merchant: 'default', mode: 'live' } })).toBeUndefined();
  });

  test.each([
    ['pm_sim_debit_fail', 'sandbox', 'refuse'],
    ['pm_sim_void_fail_2', 'sandbox', 'refuse'],
    ['pm_sim_void_fail_12', 'sandbox', 'refuse'],
    ['pm_sim_void_fail_', 'sandbox', undefined],
    ['pm_sim_debit_fail_1', 'sandbox', undefined],
    ['x_pm_sim_debit_fail', 'sandbox', undefined],
    ['pm_card_visa', 'sandbox', undefined],
    ['pm_sim_debit_fail', 'live', undefined],
  ] as const)('with the token %s in %s mode simulates %s in the debit', (token, mode, simulate) => {
    const saga = new SagaDriver({ token }, { scope: { merchant: 'default', mode } });
    saga.wallet('hold');
    saga.gateway('authorize', AUTHORIZED);
    expect(payloads(saga)['orchestrator.wallet.debit']?.simulate).toBe(simulate);
  });
});

describe('an end', () => {
  test('that is a failure for no reason is a bug, of a payment and of a refund', () => {
    expect(() => PAYMENT_SAGA.states.failed.facts?.(paymentData())).toThrow(
      new InvariantError('failed_for_a_reason', { payment_id: PAYMENT_ID }),
    );
    const { saga } = new RefundDriver();
    expect(() => REFUND_SAGA.states.failed.facts?.(saga.data)).toThrow(
      new InvariantError('failed_for_a_reason', { refund_id: REFUND_ID }),
    );
  });

  test.each([
    ['completed', 'success', 'COMPLETED', 'completed'],
    ['failed', 'failure', 'FAILED', 'released'],
  ] as const)('is told, and settled, as the state that it is: %s', (state, end, status, settlement) => {
    const payment = new SagaDriver();
    const refund = new RefundDriver();
    // What is known of a failure is no matter.
    for (const failure of [null, { code: 'gateway_unavailable', message: '' } as const]) {
      const paid = { ...payment.saga.data, failure };
      const given = { ...refund.saga.data, failure };
      const { notify } = PAYMENT_SAGA.commands;
      expect(notify.type(paid, state)).toBe(`orchestrator.notify.payment_${end}`);
      expect(notify.payload(paid, payment.context(), state)).toEqual({ payment_id: PAYMENT_ID, status });
      const { notify: notifyRefund, settle } = REFUND_SAGA.commands;
      expect(notifyRefund.type(given, state)).toBe(`orchestrator.notify.refund_${end}`);
      expect(notifyRefund.payload(given, refund.context(), state)).toMatchObject({ status });
      expect(settle.payload(given, refund.context(), state)).toMatchObject({ settlement });
    }
  });
});

describe('an answer to a step that must not be repeated blindly', () => {
  function compensating(captured = false): SagaDriver {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.gateway('authorize', captured ? { gateway_status: 'CAPTURED' } : AUTHORIZED);
    expect(saga.wallet('debit', 'hold_resolved').events.map(({ event_type }) => event_type)).toContain(
      'metrics.wallet.debit_failure',
    );
    return saga;
  }
  const capturing = () => {
    const saga = new SagaDriver({ method: 'credit_card' });
    saga.gateway('authorize', AUTHORIZED);
    return saga;
  };

  test.each(['PENDING', 'UNKNOWN', 'NOT_SENT'] as const)(
    '%s: a capture is asked for again, and decides nothing',
    (status) => {
      const saga = capturing();
      saga.gateway('capture', { gateway_status: status });
      expect(saga.saga.state).toBe('capturing');
      expect(saga.wait(MINUTE_MS).send.map(({ name }) => name)).toEqual(['capture']);
    },
  );

  test('a capture that stays unknown needs a person', () => {
    const saga = capturing();
    saga.wait(HOUR_MS - 1);
    expect(saga.saga.state).toBe('capturing');
    triedInVain(saga);
    expect(saga.events.at(-1)?.payload).toEqual({ payment_id: PAYMENT_ID, reason: 'capture_unknown' });
  });

  test('a capture that is refused counts as declined', () => {
    const { events } = capturing().gateway('capture', { gateway_status: 'UNAUTHORIZED' });
    expect(events.map(({ event_type }) => event_type)).toContain('metrics.gateway.unauthorized');
  });

  test.each([
    ['unauthorize', 'PENDING'],
    ['unauthorize', 'UNKNOWN'],
    ['unauthorize', 'NOT_SENT'],
    ['refund', 'PENDING'],
    ['refund', 'UNKNOWN'],
    ['refund', 'NOT_SENT'],
  ] as const)('%s %s: is asked for again', (command, status) => {
    const saga = compensating(command === 'refund');
    saga.wallet('release');
    saga.gateway(command, { gateway_status: status });
    expect(saga.saga.state).toBe('compensating');
    expect(saga.wait(MINUTE_MS).send.map(({ name }) => name)).toEqual([command]);
  });

  test.each([
    ['unauthorize', 'VOIDED', 'failed'],
    ['unauthorize', 'VOID_FAILED', 'needs_attention'],
    ['unauthorize', 'ABSENT', 'needs_attention'],
    ['refund', 'REFUNDED', 'failed'],
    ['refund', 'REFUND_FAILED', 'needs_attention'],
  ] as const)('%s %s: the saga ends %s once the hold is released', (command, status, end) => {
    const saga = compensating(command === 'refund');
    saga.gateway(command, { gateway_status: status });
    expect(saga.saga.state).toBe('compensating');
    saga.wallet('release');
    expect(saga.saga.state).toBe(end);
    if (end === 'needs_attention') expect(saga.events.at(-1)?.payload.reason).toBe('compensation_failed');
  });

  test.each(['unauthorize', 'refund'] as const)('%s: is given up an hour after it was first sent', (command) => {
    const saga = compensating(command === 'refund');
    saga.wallet('release');
    const sentAtMs = saga.nowMs;
    for (let tries = 0; tries < COMPENSATION_TRIES_MIN; tries++) {
      saga.gateway(command, { gateway_status: 'UNKNOWN' });
      saga.wait(5 * MINUTE_MS);
    }
    saga.nowMs = sentAtMs + HOUR_MS - 1;
    saga.wait(0);
    expect(saga.saga.state).toBe('compensating');
    saga.gateway(command, { gateway_status: 'UNKNOWN' });
    saga.wait(5 * MINUTE_MS);
    expect(saga.saga.state).toBe('needs_attention');
  });

  test.each(['unauthorize', 'refund', 'capture'] as const)(
    '%s: its budget says nothing of a provider that was not reached (decision 0091)',
    (command) => {
      const saga =
        command === 'capture' ? new SagaDriver({ method: 'credit_card' }) : compensating(command === 'refund');
      if (command === 'capture') saga.gateway('authorize', AUTHORIZED);
      else saga.wallet('release');
      const { state } = saga.saga;
      // Lost on the way, each of them.
      for (let lost = 0; lost < 2 * COMPENSATION_TRIES_MIN; lost++) saga.wait(HOUR_MS);
      expect(saga.saga.state).toBe(state);
      // Two are answered, and no third: its answer said twice is one.
      for (let tries = 1; tries < COMPENSATION_TRIES_MIN; tries++) {
        saga.gateway(command, { gateway_status: 'UNKNOWN' });
        saga.gateway(command, { gateway_status: 'UNKNOWN' });
        saga.wait(HOUR_MS);
      }
      expect(saga.saga.state).toBe(state);
      saga.take({ kind: 'died', effectId: saga.effectId(command) });
      saga.wait(HOUR_MS);
      expect(saga.saga.state).toBe('needs_attention');
    },
  );

  test('what became of one sending is told any number of times, and is one try', () => {
    const saga = compensating(false);
    saga.wallet('release');
    for (let lost = 1; lost < COMPENSATION_TRIES_MIN; lost++) saga.wait(HOUR_MS);
    saga.gateway('unauthorize', { gateway_status: 'UNKNOWN' });
    const effectId = saga.effectId('unauthorize');
    for (let told = 0; told < COMPENSATION_TRIES_MIN; told++) saga.take({ kind: 'died', effectId });
    saga.wait(HOUR_MS);
    expect(saga.saga.state).toBe('compensating');
    // Each of the two sendings after it is a try of its own.
    for (const _ of ['second', 'third']) {
      saga.take({ kind: 'died', effectId });
      saga.wait(HOUR_MS);
    }
    expect(saga.saga.state).toBe('needs_attention');
  });

  test('what nobody ever answers is given up when the late window closes', () => {
    const saga = compensating(false);
    saga.wallet('release');
    const endMs = saga.nowMs + 72 * HOUR_MS;
    while (saga.nowMs < endMs - HOUR_MS) saga.wait(HOUR_MS);
    expect(saga.saga.state).toBe('compensating');
    saga.wait(2 * HOUR_MS);
    expect(saga.saga.state).toBe('needs_attention');
  });

  test.each([
    ['unauthorize', 'VOIDED'],
    ['refund', 'REFUNDED'],
  ] as const)('%s: a word that comes after it was given up ends the saga, once the hold is back', (command, status) => {
    for (const refusal of [undefined, 'hold_resolved'] as const) {
      const saga = compensating(command === 'refund');
      saga.wallet('release', refusal);
      triedInVain(saga);
      expect(saga.saga.state).toBe('needs_attention');
      saga.gateway(command, { gateway_status: status });
      expect(saga.saga.state).toBe(refusal === undefined ? 'failed' : 'needs_attention');
      if (refusal === undefined) expect(saga.types()).toContain('payment.failed');
    }
  });

  test('a refused undoing that another sending has done after all needs nobody any more', () => {
    const saga = compensating(false);
    saga.wallet('release');
    saga.gateway('unauthorize', { gateway_status: 'VOID_FAILED' });
    expect(saga.saga.state).toBe('needs_attention');
    saga.gateway('unauthorize', { gateway_status: 'VOIDED' });
    expect(saga.saga.state).toBe('failed');
  });

  describe('a refund that undoes, and is taken back (decision 0031)', () => {
    const told = (saga: SagaDriver, gateway_status: 'REFUNDED' | 'REFUND_FAILED') =>
      saga.gateway('refund', { gateway_status });
    const reasonOf = ({ saga }: SagaDriver) => PAYMENT_SAGA.attention.reasonOf(saga);

    test.each([
      ['before the hold is back', false],
      ['after it', true],
    ])('needs a person, and its older yes is none: %s', (_when, isReleased) => {
      const saga = compensating(true);
      if (isReleased) saga.wallet('release');
      told(saga, 'REFUND_FAILED');
      told(saga, 'REFUNDED');
      if (!isReleased) saga.wallet('release');
      expect(reasonOf(saga)).toBe('compensation_failed');
      expect(saga.saga.state).toBe('needs_attention');
      // Nor is it undone already, to whoever tries again.
      saga.take({ kind: 'move', move: { kind: 'retry', actor: 'jane', reason: 'ticket-7' } });
      expect(saga.effectId('refund')).toBe(`orchestrator.gateway.refund.${PAYMENT_ID}.r2`);
      told(saga, 'REFUNDED');
      expect(saga.saga.state).toBe('failed');
    });

    test('needs a person after the payment has failed too, and is given again', () => {
      const saga = compensating(true);
      saga.wallet('release');
      told(saga, 'REFUNDED');
      const { events } = told(saga, 'REFUND_FAILED');
      expect(saga.saga.state).toBe('failed');
      expect(reasonOf(saga)).toBe('late_authorization_in_force');
      expect(events.map(({ event_type: type }) => type)).toEqual([
        'payment_gateway.response',
        'payment.needs_attention',
      ]);
      const { provider, providerReference: reference } = saga.saga.data;
      expect(saga.saga.data.late).toEqual([{ provider, reference, captured: true, notUndone: 'refused' }]);
      // What it said before, once more.
      told(saga, 'REFUNDED');
      told(saga, 'REFUND_FAILED');
      expect(saga.types().filter((type) => type === 'payment.needs_attention')).toHaveLength(1);
      saga.take({ kind: 'move', move: { kind: 'retry', actor: 'jane', reason: 'ticket-7' } });
      expect(saga.sent.at(-1)?.event).toMatchObject({
        event_type: 'orchestrator.gateway.refund',
        payload: { provider, ...(reference !== null && { provider_reference: reference }) },
      });
    });

    test('is no news once a person has undone the charge by hand', () => {
      const saga = compensating(true);
      saga.wallet('release');
      told(saga, 'REFUND_FAILED');
      const move = { kind: 'resolve', resolution: 'undone_by_hand', actor: 'jane', reason: 'ticket-7' } as const;
      saga.take({ kind: 'move', move });
      expect(saga.saga.state).toBe('failed');
      told(saga, 'REFUND_FAILED');
      expect(reasonOf(saga)).toBeNull();
    });
  });

  test.each([false, true])(
    'a release that is refused while a provider is undone (captured: %s) needs a person',
    (captured) => {
      const saga = compensating(captured);
      saga.wallet('release', 'hold_resolved');
      if (captured) saga.gateway('refund', { gateway_status: 'REFUNDED' });
      else saga.gateway('unauthorize', { gateway_status: 'VOIDED' });
      expect(saga.saga.state).toBe('needs_attention');
    },
  );

  test('a release that is refused with nothing else to undo needs a person', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.gateway('authorize', { gateway_status: 'UNAUTHORIZED' });
    saga.wallet('release', 'hold_resolved');
    expect(saga.events.at(-1)?.payload).toEqual({ payment_id: PAYMENT_ID, reason: 'release_refused' });
  });

  test.each(['UNKNOWN', 'NOT_SENT', 'PENDING'] as const)('%s: a look-up is asked again', (status) => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    const { events } = saga.gateway('authorize', { gateway_status: 'UNKNOWN' });
    expect(events.map(({ event_type }) => event_type)).toContain('metrics.gateway.unknown');
    saga.wait(5 * SECOND_MS);
    saga.gateway('lookup', { gateway_status: status, provider_reference: 'ch_7' });
    expect(saga.saga.state).toBe('authorization_unknown');
    expect(saga.saga.pending.map(({ name }) => name)).toEqual(['lookup']);
    expect(saga.saga.data.providerReference).toBe(status === 'PENDING' ? 'ch_7' : null);
  });
});

describe('an authorization that comes after the saga gave it up', () => {
  /** Given up as unavailable: nobody was reached until the step's time was over. */
  function unavailable(): SagaDriver {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.nowMs += 2 * MINUTE_MS;
    saga.gateway('authorize', { gateway_status: 'NOT_SENT' });
    return saga;
  }

  test.each(['UNKNOWN', 'PENDING'] as const)(
    'as %s is undone by its key where nothing was thought to be there',
    (status) => {
      const saga = unavailable();
      expect(saga.saga.state).toBe('releasing_funds');
      saga.gateway('authorize', { gateway_status: status });
      expect(saga.sent.at(-1)?.name).toBe('undo_late');
      expect(saga.saga.data.late).toEqual([{ provider: 'acme', reference: null, captured: false }]);
    },
  );

  test.each(['UNKNOWN', 'PENDING'] as const)('as %s proves nothing against a decline', (status) => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.gateway('authorize', { gateway_status: 'UNAUTHORIZED' });
    const { events, send } = saga.gateway('authorize', { gateway_status: status });
    expect(events.map(({ event_type }) => event_type)).toEqual(['payment_gateway.response']);
    expect(send).toEqual([]);
  });

  test('as captured is refunded, with the reference that it came with', () => {
    const saga = unavailable();
    saga.gateway('authorize', { gateway_status: 'CAPTURED', provider: 'acme', provider_reference: 'ch_9' });
    const undo = saga.sent.at(-1)?.event;
    expect(undo?.event_type).toBe('orchestrator.gateway.refund');
    expect(undo?.payload).toMatchObject({ provider: 'acme', provider_reference: 'ch_9' });
    expect(undo?.metadata.message_deduplication_id).toBe(`orchestrator.gateway.refund.${PAYMENT_ID}.1`);
  });

  test.each(['UNKNOWN', 'PENDING', 'NOT_SENT'] as const)('is undone again when the answer is %s', (status) => {
    const saga = unavailable();
    saga.gateway('authorize', AUTHORIZED);
    saga.gateway('undo_late', { gateway_status: status });
    expect(saga.saga.pending.map(({ name }) => name)).toContain('undo_late');
  });

  test.each(['refused', 'spent'] as const)(
    'and cannot be undone (%s) needs a person, who is told what is in force',
    (how) => {
      const saga = unavailable();
      saga.wallet('release');
      saga.gateway('authorize', AUTHORIZED);
      if (how === 'refused') saga.gateway('undo_late', { gateway_status: 'VOID_FAILED' });
      else triedInVain(saga);
      const told = saga.events.findLast(({ event_type }) => event_type === 'payment.needs_attention');
      expect(told?.payload).toEqual({ payment_id: PAYMENT_ID, reason: 'late_authorization_in_force' });
      expect(saga.saga.state).toBe('failed');
    },
  );

  describe('and is undone twice, as a doubt and as what it turned out to be', () => {
    /** One charge: unknown at first, undone by its key, then told to be captured, and given back. */
    function undoneTwice() {
      const saga = unavailable();
      saga.wallet('release');
      saga.gateway('authorize', { gateway_status: 'UNKNOWN' });
      const voiding = saga.effectId('undo_late');
      saga.gateway('authorize', { gateway_status: 'CAPTURED', provider_reference: 'ch_9' });
      const refunding = saga.effectId('undo_late');
      const said = (effectId: string, operation: 'unauthorize' | 'refund', gateway_status: GatewayStatus) =>
        saga.take({
          kind: 'outcome',
          outcome: { effect_id: effectId, fact: gatewayFact(operation, { gateway_status }) },
        });
      return {
        saga,
        voided: (status: GatewayStatus) => said(voiding, 'unauthorize', status),
        refunded: (status: GatewayStatus) => said(refunding, 'refund', status),
      };
    }
    const reasonOf = ({ saga }: SagaDriver) => PAYMENT_SAGA.attention.reasonOf(saga);

    test('needs nobody once one has done it: the other finds nothing to undo, refused or given up', () => {
      for (const other of ['VOID_FAILED', null] as const) {
        const { saga, voided, refunded } = undoneTwice();
        refunded('REFUNDED');
        if (other === null) triedInVain(saga);
        else voided(other);
        expect(reasonOf(saga)).toBeNull();
        expect(saga.types()).not.toContain('payment.needs_attention');
      }
    });

    test('needs somebody once more when the provider takes its refund back', () => {
      const { saga, voided, refunded } = undoneTwice();
      refunded('REFUNDED');
      refunded('REFUND_FAILED');
      expect(reasonOf(saga)).toBe('late_authorization_in_force');
      expect(saga.types().filter((type) => type === 'payment.needs_attention')).toHaveLength(1);
      // It is in force again: what cannot be voided is no news.
      voided('VOID_FAILED');
      expect(reasonOf(saga)).toBe('late_authorization_in_force');
    });

    test('needs nobody where the void has done it, and there is nothing to refund', () => {
      const { saga, voided, refunded } = undoneTwice();
      voided('VOIDED');
      refunded('REFUND_FAILED');
      expect(reasonOf(saga)).toBeNull();
    });

    test('needs somebody too when the provider says so by a callback, which has no number', () => {
      for (const provider of ['acme', 'borealis']) {
        const { saga, refunded } = undoneTwice();
        refunded('REFUNDED');
        const fact = gatewayFact('refund', { gateway_status: 'REFUND_FAILED', provider });
        saga.take({ kind: 'outcome', outcome: { effect_id: `orchestrator.gateway.refund.${PAYMENT_ID}`, fact } });
        expect(reasonOf(saga)).toBe(provider === 'acme' ? 'late_authorization_in_force' : null);
        if (provider === 'acme') {
          expect(saga.saga.data.late).toEqual([{ provider, reference: 'ch_9', captured: true, notUndone: 'refused' }]);
        }
      }
    });

    test('needs somebody until then', () => {
      const { saga, voided, refunded } = undoneTwice();
      voided('VOID_FAILED');
      expect(reasonOf(saga)).toBe('late_authorization_in_force');
      refunded('REFUNDED');
      expect(reasonOf(saga)).toBeNull();
    });

    test('needs somebody where one has found nothing, which it may have been too early for, and the other is refused', () => {
      const { saga, voided, refunded } = undoneTwice();
      saga.nowMs += HOUR_MS;
      voided('ABSENT');
      expect(reasonOf(saga)).toBeNull();
      refunded('REFUND_FAILED');
      expect(reasonOf(saga)).toBe('late_authorization_in_force');
    });
  });

  test('at a provider whose round is over is never gone back to', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    const atAcme = saga.effectId('authorize');
    saga.gateway('authorize', { gateway_status: 'NOT_SENT' });
    const fact = gatewayFact('authorize', { gateway_status: 'PENDING', provider: 'acme' });
    saga.take({ kind: 'outcome', outcome: { effect_id: atAcme, fact } });
    expect(saga.sent.at(-1)).toMatchObject({ name: 'undo_late', event: { payload: { provider: 'acme' } } });
    saga.gateway('authorize', { gateway_status: 'NOT_SENT', provider: 'borealis' });
    saga.wait(MINUTE_MS);
    expect(saga.sent.findLast(({ name }) => name === 'authorize')?.event?.payload.provider).toBe('borealis');
    const routed = saga.events.findLast(({ event_type }) => event_type === 'payment_gateway.routed');
    expect(routed?.payload.passed_over).toEqual([{ provider: 'acme', reason: 'undone' }]);
  });
});

describe('the table', () => {
  test('names each command as its key does, and calls none of its own accord but the refund’s payment', () => {
    const all = { ...PAYMENT_SAGA.commands, ...REFUND_SAGA.commands };
    for (const [key, { name }] of Object.entries(all)) expect(name).toBe(key);
    expect(Object.keys(all).filter((key) => all[key as keyof typeof all].isCall)).toEqual(['reserve', 'settle']);
  });

  test('ends in completed and failed, for a refund too', () => {
    for (const { states } of [PAYMENT_SAGA, REFUND_SAGA]) {
      const ends = Object.entries(states).filter(([, { terminal }]) => terminal);
      expect(ends.map(([state]) => state)).toEqual(['completed', 'failed']);
    }
  });

  test('says of every state what it is, and of a refund’s too', () => {
    for (const { says } of [...Object.values(PAYMENT_SAGA.states), ...Object.values(REFUND_SAGA.states)]) {
      expect(says).toMatch(/^[A-Z].+\.$/);
    }
  });

  test('never leaves a terminal state', () => {
    for (const state of Object.values(PAYMENT_SAGA.states).filter((candidate) => candidate.terminal)) {
      for (const rules of Object.values(state.on)) {
        for (const rule of rules ?? []) expect(rule.to).toBeUndefined();
      }
    }
  });

  test('has an unguarded last rule wherever it has rules, so that no outcome falls through', () => {
    for (const state of Object.values(PAYMENT_SAGA.states)) {
      for (const rules of Object.values(state.on)) expect(rules?.at(-1)?.when).toBeUndefined();
    }
  });
});

describe('whether every sending was heard of', () => {
  test('stays true while each is answered before the next', () => {
    const saga = authorized();
    saga.wallet('debit', 'hold_resolved');
    saga.gateway('unauthorize', { gateway_status: 'UNKNOWN' });
    expect(saga.wait(MINUTE_MS).send).toMatchObject([
      { name: 'unauthorize', attempts: 2, allHeard: true },
      { name: 'release', attempts: 2, allHeard: false },
    ]);
  });

  test('is false for good once one was sent again unanswered: "not sent" would prove nothing of the lost one', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    expect(saga.wait(MINUTE_MS).send).toMatchObject([{ name: 'authorize', attempts: 2, allHeard: false }]);
    saga.take({
      kind: 'outcome',
      outcome: {
        effect_id: saga.effectId('authorize'),
        fact: gatewayFact('authorize', { gateway_status: 'NOT_SENT' }),
      },
    });
    expect(saga.wait(MINUTE_MS - 1).send.every((command) => !command.allHeard)).toBe(true);
  });
});

describe('a payment that a provider can never take', () => {
  const unfit = (provider: string) => ({
    gateway_status: 'NOT_SENT' as const,
    provider,
    reason: 'invalid_token',
    decline_code: 'invalid_token',
  });

  test('is taken to the next', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.gateway('authorize', unfit('acme'));
    expect(saga.saga).toMatchObject({ state: 'authorizing', data: { provider: 'borealis' } });
    const routed = saga.events.findLast(({ event_type: type }) => type === 'payment_gateway.routed');
    expect(routed?.payload.passed_over).toEqual([{ provider: 'acme', reason: 'invalid_token' }]);
  });

  test('is declined only when none of the route can: one that was not reached may take it another time', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.gateway('authorize', { gateway_status: 'NOT_SENT', provider: 'acme', reason: 'throttled' });
    saga.gateway('authorize', unfit('borealis'));
    expect(saga.saga).toMatchObject({ state: 'authorizing', data: { provider: 'acme', failure: null } });
    saga.wait(MINUTE_MS);
    saga.gateway('authorize', unfit('acme'));
    saga.gateway('authorize', unfit('borealis'));
    expect(saga.saga).toMatchObject({
      state: 'releasing_funds',
      data: { failure: { code: 'gateway_declined', decline_code: 'invalid_token' } },
    });
    expect(saga.types().filter((type) => type === 'metrics.gateway.unauthorized')).toHaveLength(1);
  });

  test('is not passed over once it has answered "pending", whatever it says then: it is asked what became of that (S1)', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.gateway('authorize', { gateway_status: 'PENDING' });
    saga.gateway('authorize', unfit('acme'));
    expect(saga.saga).toMatchObject({ state: 'authorizing', data: { provider: 'acme' } });
    expect(saga.wait(5 * SECOND_MS).send.map(({ name }) => name)).toEqual(['lookup']);
  });

  test('is passed over although an earlier sending is out: that one has sent nothing either', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.wait(MINUTE_MS);
    saga.gateway('authorize', unfit('acme'));
    expect(saga.saga.data.provider).toBe('borealis');
  });
});

describe('a provider that is not configured', () => {
  const absent = (provider: string) => ({
    gateway_status: 'NOT_SENT' as const,
    provider,
    reason: 'provider_not_configured',
    decline_code: 'provider_not_configured',
  });
  const unfit = { reason: 'currency_not_supported', decline_code: 'currency_not_supported' };

  test.each([
    ['the first', unfit, {}],
    ['the last', {}, unfit],
  ])('says less than why another cannot take the payment, which is declined by that: %s', (_which, first, last) => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.gateway('authorize', { ...absent('acme'), ...first });
    saga.gateway('authorize', { ...absent('borealis'), ...last });
    expect(saga.saga).toMatchObject({
      state: 'releasing_funds',
      data: { failure: { code: 'gateway_declined', decline_code: 'currency_not_supported' } },
    });
  });

  test('declines at once where none of the route is', () => {
    const saga = new SagaDriver({ method: 'credit_card' });
    saga.gateway('authorize', absent('acme'));
    saga.gateway('authorize', absent('borealis'));
    expect(saga.saga).toMatchObject({
      state: 'failed',
      data: { failure: { code: 'gateway_declined', decline_code: 'provider_not_configured' } },
    });
  });

  test('proves nothing of another sending, which may have come while it still was (S1)', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.take({ kind: 'asked', effectId: saga.effectId('authorize') });
    expect(saga.gateway('authorize', absent('acme')).send).toEqual([]);
    expect(saga.saga).toMatchObject({ state: 'authorizing', data: { provider: 'acme' } });
  });
});

describe('the death of a message that captures or undoes', () => {
  const died = (saga: SagaDriver, name: PaymentCommand) => saga.take({ kind: 'died', effectId: saga.effectId(name) });

  test.each(['capture', 'unauthorize'] as const)('%s: is sent again until its budget is over', (name) => {
    const saga = new SagaDriver({ method: 'credit_card' });
    saga.gateway('authorize', AUTHORIZED);
    if (name === 'unauthorize') saga.gateway('capture', { gateway_status: 'UNAUTHORIZED' });
    const { state } = saga.saga;
    saga.wait(8_000);
    died(saga, name);
    expect(saga.saga.state).toBe(state);
    saga.wait(10 * MINUTE_MS);
    expect(saga.sent.filter((command) => command.name === name)).toHaveLength(2);
    triedInVain(saga);
    expect(saga.saga.state).toBe('needs_attention');
  });
});
