import { describe, expect, test } from 'vitest';
import { InvariantError } from '../../src/domain/errors.ts';
import { decodeEvent } from '../../src/domain/events/decode.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../src/domain/limits.ts';
import { nextDueAtMs } from '../../src/domain/saga/engine.ts';
import { PAYMENT_SAGA } from '../../src/domain/saga/payment-saga.ts';
import { gatewayFact, SagaDriver, START_MS, walletFact } from '../support/saga.ts';

const AUTHORIZED = { gateway_status: 'AUTHORIZED', provider_reference: 'ch_1' } as const;

function authorized(request = {}): SagaDriver {
  const saga = new SagaDriver(request);
  saga.wallet('hold');
  saga.gateway('authorize', AUTHORIZED);
  return saga;
}

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
    expect(saga.wait(MINUTE_MS).send.map((command) => command.name)).toEqual(['unauthorize']);
    saga.wait(HOUR_MS);
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
    saga.wait(10 * MINUTE_MS);
    saga.gateway('lookup', { gateway_status: 'ABSENT' });
    expect(saga.saga.state).toBe('releasing_funds');
    expect(saga.saga.data.failure?.code).toBe('gateway_unavailable');
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

  test('starts over from the first provider, after a wait, when every one was passed over', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.gateway('authorize', { gateway_status: 'NOT_SENT' });
    expect(saga.gateway('authorize', { gateway_status: 'NOT_SENT', provider: 'borealis' }).send).toEqual([]);
    const dueAtMs = nextDueAtMs(saga.saga) ?? 0;
    expect(dueAtMs).toBeGreaterThan(saga.nowMs);
    const { send } = saga.wait(dueAtMs - saga.nowMs);
    expect(send).toMatchObject([{ name: 'authorize', event: { payload: { provider: 'acme' } } }]);
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

describe('the table', () => {
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
