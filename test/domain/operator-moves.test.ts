import { describe, expect, test } from 'vitest';
import type { GatewayStatus } from '../../src/domain/events/catalogue.ts';
import { decodeEvent } from '../../src/domain/events/decode.ts';
import { COMPENSATION_TRIES_MIN, DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../src/domain/limits.ts';
import type { PaymentRequest } from '../../src/domain/payment.ts';
import { effectIdOf } from '../../src/domain/saga/effects.ts';
import { judgeMove, type MoveVerdict, possibleMoves } from '../../src/domain/saga/operator.ts';
import { PAYMENT_SAGA } from '../../src/domain/saga/payment-saga.ts';
import type { OperatorMove } from '../../src/domain/saga/table.ts';
import { gatewayFact, PAYMENT_ID, SagaDriver, START_MS, triedInVain, walletFact } from '../support/saga.ts';

const BY = { actor: 'jane', reason: 'ticket-7' };
const RETRY: OperatorMove = { kind: 'retry', ...BY };
const resolved = (resolution: string, more: Partial<OperatorMove> = {}): OperatorMove => ({
  kind: 'resolve',
  resolution,
  ...more,
  ...BY,
});
const LOST = { gateway_status: 'UNKNOWN' } as const;

/** A saga that has gone through these until a person is needed. */
function unknown(request: Partial<PaymentRequest> = {}): SagaDriver {
  const saga = new SagaDriver(request);
  if (request.method === undefined) saga.wallet('hold');
  saga.gateway('authorize', LOST);
  saga.closeWindow();
  return saga;
}

function captureUnknown(): SagaDriver {
  const saga = new SagaDriver({ method: 'credit_card', token: 'pm_card_visa' });
  saga.gateway('authorize', { gateway_status: 'AUTHORIZED', provider_reference: 'ch_1' });
  saga.gateway('capture', LOST);
  triedInVain(saga);
  return saga;
}

function releaseRefused(reason = 'wallet_frozen'): SagaDriver {
  const saga = new SagaDriver();
  saga.wallet('hold');
  saga.gateway('authorize', { gateway_status: 'UNAUTHORIZED' });
  saga.wallet('release', reason);
  return saga;
}

/** Debit refused; the void's answer as given, or none; the release's refusal, or none. */
function compensationFailed(voided: 'VOIDED' | 'VOID_FAILED' | null, refusal?: string): SagaDriver {
  const saga = new SagaDriver();
  saga.wallet('hold');
  saga.gateway('authorize', { gateway_status: 'AUTHORIZED' });
  saga.wallet('debit', 'hold_resolved');
  saga.wallet('release', refusal);
  if (voided === null) triedInVain(saga);
  else saga.gateway('unauthorize', { gateway_status: voided });
  return saga;
}

function lateInForce(answer: 'VOID_FAILED' | null = null): SagaDriver {
  const saga = new SagaDriver();
  saga.wallet('hold');
  saga.gateway('authorize', { gateway_status: 'UNAUTHORIZED' });
  saga.wallet('release');
  saga.gateway('authorize', { gateway_status: 'AUTHORIZED', provider_reference: 'ch_late' });
  if (answer === null) triedInVain(saga);
  else saga.gateway('undo_late', { gateway_status: answer });
  return saga;
}

/** On at its second provider: the first has charged after all, under an effect that was left, and its undoing was refused. */
function lateElsewhere(request: Partial<PaymentRequest> = {}): SagaDriver {
  const saga = new SagaDriver(request);
  if (request.method === undefined) saga.wallet('hold');
  const left = saga.effectId('authorize');
  saga.gateway('authorize', { gateway_status: 'NOT_SENT' });
  const fact = gatewayFact('authorize', { gateway_status: 'AUTHORIZED', provider_reference: 'ch_late' });
  saga.take({ kind: 'outcome', outcome: { effect_id: left, fact } });
  saga.gateway('undo_late', { gateway_status: 'VOID_FAILED' });
  expect(PAYMENT_SAGA.attention.reasonOf(saga.saga)).toBe('late_authorization_in_force');
  return saga;
}

function make(saga: SagaDriver, move: OperatorMove): void {
  expect(judge(saga, move)).toBe('possible');
  saga.take({ kind: 'move', move });
}

function judge(saga: SagaDriver, move: OperatorMove): MoveVerdict {
  return judgeMove(PAYMENT_SAGA, saga.saga, move, saga.context());
}

const lastSent = (saga: SagaDriver) => saga.sent.at(-1);

describe('what may be done', () => {
  test.each([
    ['authorization_unknown', unknown(), true, ['charged', 'not_charged']],
    ['capture_unknown', captureUnknown(), true, ['captured', 'not_captured']],
    ['release_refused', releaseRefused(), true, []],
    ['release_refused', releaseRefused('hold_not_found'), true, ['nothing_held']],
    ['compensation_failed', compensationFailed(null), true, ['undone_by_hand']],
    ['compensation_failed', compensationFailed('VOIDED', 'hold_resolved'), true, ['undone_by_hand', 'nothing_held']],
    ['late_authorization_in_force', lateInForce(), true, ['undone_by_hand']],
  ])('about %s', (reason, saga, retry, resolve) => {
    expect(PAYMENT_SAGA.attention.reasonOf(saga.saga)).toBe(reason);
    expect(possibleMoves(PAYMENT_SAGA, saga.saga, saga.context())).toEqual({ retry, resolve });
  });

  test('of a saga that needs nobody is nothing, and nothing changes', () => {
    const saga = new SagaDriver();
    const before = saga.saga;
    for (const move of [RETRY, resolved('charged')]) {
      expect(judge(saga, move)).toBe('not_in_attention');
      saga.take({ kind: 'move', move });
      expect(saga.saga).toBe(before);
    }
  });

  test('is only what the reason takes', () => {
    const saga = unknown();
    for (const resolution of ['captured', 'undone_by_hand', 'nothing_held', 'constructor']) {
      expect(judge(saga, resolved(resolution))).toBe('not_possible');
    }
  });
});

describe('the same move once more', () => {
  test('is known once the saga has gone on, and is not made', () => {
    const saga = captureUnknown();
    make(saga, RETRY);
    expect(judge(saga, RETRY)).toBe('repeated');
    const after = saga.saga;
    saga.take({ kind: 'move', move: RETRY });
    expect(saga.saga).toBe(after);
    expect(judge(saga, { ...RETRY, reason: 'another' })).toBe('not_in_attention');
    expect(judge(saga, resolved('captured'))).toBe('not_in_attention');
  });

  test('is a new one once the saga needs somebody again', () => {
    const saga = releaseRefused();
    make(saga, RETRY);
    saga.wallet('release', 'wallet_frozen');
    make(saga, RETRY);
  });
});

describe('a retry', () => {
  test('of a look-up begins the schedule and the window anew, and numbers the questions on', () => {
    const saga = unknown();
    const asked = saga.saga.issued.lookup ?? 0;
    make(saga, RETRY);
    expect(saga.saga.state).toBe('authorization_unknown');
    expect(saga.saga.pending[0]?.dueAtMs).toBe(saga.nowMs + 5 * SECOND_MS);
    saga.wait(5 * SECOND_MS);
    expect(saga.effectId('lookup')).toBe(`orchestrator.gateway.lookup.${PAYMENT_ID}.${asked + 1}`);
    saga.gateway('lookup', LOST);
    expect(saga.saga.pending[0]?.dueAtMs).toBe(saga.nowMs + 30 * SECOND_MS);
    saga.wait(71 * HOUR_MS);
    expect(saga.saga.state).toBe('authorization_unknown');
    saga.gateway('lookup', LOST);
    saga.wait(2 * HOUR_MS);
    saga.gateway('lookup', LOST);
    expect(saga.saga.state).toBe('needs_attention');
  });

  test('of what may have acted is the same effect under the same id, with a fresh budget', () => {
    const saga = captureUnknown();
    const effectId = saga.effectId('capture');
    make(saga, RETRY);
    expect(saga.effectId('capture')).toBe(effectId);
    expect(lastSent(saga)).toMatchObject({ attempts: 1 });
    expect(saga.types().filter((type) => type === 'orchestrator.gateway.capture')).toHaveLength(1);
    saga.wait(50 * MINUTE_MS);
    expect(saga.saga.state).toBe('capturing');
    saga.gateway('capture', { gateway_status: 'CAPTURED' });
    expect(saga.saga.state).toBe('completed');
  });

  test('of what was refused is a new effect: a refused id stays refused for ever', () => {
    const saga = releaseRefused();
    const refused = saga.effectId('release');
    make(saga, RETRY);
    expect(saga.saga.state).toBe('releasing_funds');
    expect(saga.effectId('release')).toBe(`${refused}.r2`);
    // The old word once more, under the old id, decides nothing.
    saga.take({ kind: 'outcome', outcome: { effect_id: refused, fact: walletFact('release', 'wallet_frozen') } });
    expect(saga.saga.state).toBe('releasing_funds');
    saga.wallet('release');
    expect(saga.saga.state).toBe('failed');
  });

  test('of a compensation tries only what failed', () => {
    const gaveUp = compensationFailed(null);
    const effectId = gaveUp.effectId('unauthorize');
    make(gaveUp, RETRY);
    expect(gaveUp.saga.pending.map(effectIdOf)).toEqual([effectId]);
    gaveUp.gateway('unauthorize', { gateway_status: 'VOIDED' });
    expect(gaveUp.saga.state).toBe('failed');

    const refused = compensationFailed('VOID_FAILED');
    make(refused, RETRY);
    expect(refused.saga.pending.map(effectIdOf)).toEqual([`orchestrator.gateway.unauthorize.${PAYMENT_ID}.r2`]);

    const held = compensationFailed('VOIDED', 'wallet_frozen');
    make(held, RETRY);
    expect(held.saga.pending.map(({ name }) => name)).toEqual(['release']);
    held.wallet('release');
    expect(held.saga.state).toBe('failed');
  });

  test('does not undo again what a late word said was done', () => {
    const saga = compensationFailed(null, 'wallet_frozen');
    saga.gateway('unauthorize', { gateway_status: 'VOIDED' });
    expect(saga.saga.state).toBe('needs_attention');
    const sentBefore = saga.sent.length;
    make(saga, RETRY);
    expect(saga.sent.slice(sentBefore).map(({ name }) => name)).toEqual(['release']);
    saga.wallet('release');
    expect(saga.saga.state).toBe('failed');
  });

  test.each(['UNKNOWN', 'PENDING', 'NOT_SENT'] as const)(
    'hears %s as the answer that it is, although the same was heard after it had been given up',
    (status) => {
      const saga = compensationFailed(null);
      saga.gateway('unauthorize', { gateway_status: status });
      make(saga, RETRY);
      for (let tries = 0; tries < COMPENSATION_TRIES_MIN; tries++) {
        const { events } = saga.gateway('unauthorize', { gateway_status: status });
        expect(events.map(({ event_type: type }) => type)).toEqual(['payment_gateway.response']);
        expect(saga.saga.pending[0]?.heard).toBe(true);
        saga.wait(HOUR_MS);
      }
      expect(saga.saga.state).toBe('needs_attention');
    },
  );

  test('of a late undoing leaves the terminal status, and asks under the id that may have acted', () => {
    const gaveUp = lateInForce();
    const effectId = gaveUp.effectId('undo_late');
    make(gaveUp, RETRY);
    expect(gaveUp.saga.state).toBe('failed');
    expect(PAYMENT_SAGA.attention.reasonOf(gaveUp.saga)).toBeNull();
    expect(gaveUp.effectId('undo_late')).toBe(effectId);
    triedInVain(gaveUp);
    expect(PAYMENT_SAGA.attention.reasonOf(gaveUp.saga)).toBe('late_authorization_in_force');
    // Its late word is heard for what it is.
    gaveUp.gateway('undo_late', { gateway_status: 'VOIDED' });
    expect(PAYMENT_SAGA.attention.reasonOf(gaveUp.saga)).toBeNull();

    const refused = lateInForce('VOID_FAILED');
    make(refused, RETRY);
    expect(refused.effectId('undo_late')).toBe(`orchestrator.gateway.unauthorize.${PAYMENT_ID}.2`);
    expect(lastSent(refused)?.event?.payload).toMatchObject({ provider: 'acme', provider_reference: 'ch_late' });
  });
});

describe('a resolution', () => {
  test('as charged goes on to the debit, or to the capture, with what the person has found', () => {
    const balance = unknown();
    make(balance, resolved('charged', { providerReference: 'ch_9' }));
    expect(balance.saga).toMatchObject({
      state: 'debiting',
      data: { providerReference: 'ch_9', attentionReason: null },
    });
    const card = unknown({ method: 'credit_card', token: 'pm_card_visa' });
    make(card, resolved('charged', { providerReference: 'ch_9' }));
    expect(card.saga.state).toBe('capturing');
    expect(lastSent(card)?.event?.payload).toMatchObject({ provider_reference: 'ch_9' });
  });

  test('as charged after the deadline undoes, as the table says of any yes', () => {
    const saga = unknown({ deadline: new Date(Date.UTC(2026, 0, 1) + DAY_MS).toISOString() });
    make(saga, resolved('charged'));
    expect(saga.saga).toMatchObject({ state: 'compensating', data: { failure: { code: 'deadline_exceeded' } } });
  });

  test('as not charged gives the hold back, or fails a card; and a charge that shows up after all is undone', () => {
    const card = unknown({ method: 'credit_card', token: 'pm_card_visa' });
    make(card, resolved('not_charged'));
    expect(card.saga.state).toBe('failed');
    const saga = unknown();
    make(saga, resolved('not_charged'));
    saga.wallet('release');
    expect(saga.saga).toMatchObject({ state: 'failed', data: { failure: { code: 'gateway_unavailable' } } });
    saga.gateway('authorize', { gateway_status: 'AUTHORIZED' });
    expect(saga.saga.state).toBe('failed');
    expect(lastSent(saga)?.name).toBe('undo_late');
  });

  test('as captured completes; as not captured undoes', () => {
    const captured = captureUnknown();
    make(captured, resolved('captured'));
    expect(captured.saga).toMatchObject({ state: 'completed', data: { captured: true } });
    const not = captureUnknown();
    make(not, resolved('not_captured'));
    expect(not.saga.state).toBe('compensating');
    not.gateway('unauthorize', { gateway_status: 'VOIDED' });
    expect(not.saga.state).toBe('failed');
  });

  test.each([null, 'VOID_FAILED'] as const)(
    'as not captured of what was captured after all gives it back, once the provider says so: void %s',
    (voided) => {
      const saga = captureUnknown();
      make(saga, resolved('not_captured'));
      if (voided !== null) saga.gateway('unauthorize', { gateway_status: voided });
      expect(saga.saga.state).toBe(voided === null ? 'compensating' : 'needs_attention');
      saga.gateway('capture', { gateway_status: 'CAPTURED' });
      expect(saga.saga).toMatchObject({ state: 'compensating', data: { captured: true } });
      expect(lastSent(saga)?.event).toMatchObject({
        event_type: 'orchestrator.gateway.refund',
        payload: { provider: 'acme', provider_reference: 'ch_1' },
      });
      // What cannot be voided is no news any more.
      if (voided === null) saga.gateway('unauthorize', { gateway_status: 'VOID_FAILED' });
      expect(saga.saga.state).toBe('compensating');
      saga.gateway('refund', { gateway_status: 'REFUNDED' });
      expect(saga.saga.state).toBe('failed');
    },
  );

  test('as undone by hand leaves the other compensation to be done', () => {
    const saga = compensationFailed('VOID_FAILED', 'wallet_frozen');
    make(saga, resolved('undone_by_hand'));
    expect(saga.saga.pending.map(({ name }) => name)).toEqual(['release']);
    saga.wallet('release', 'wallet_frozen');
    expect(saga.saga.state).toBe('needs_attention');
    // What was stated is not asked of the provider again.
    make(saga, RETRY);
    expect(saga.saga.pending.map(({ name }) => name)).toEqual(['release']);
    saga.wallet('release');
    expect(saga.saga.state).toBe('failed');
    expect(saga.saga.data.late).toEqual([]);
  });

  test('as nothing held takes the word of the wallet itself, and ends what is left', () => {
    const saga = releaseRefused('hold_not_found');
    make(saga, resolved('nothing_held'));
    expect(saga.saga.state).toBe('failed');
    const both = compensationFailed('VOID_FAILED', 'hold_resolved');
    make(both, resolved('nothing_held'));
    expect(both.saga.pending.map(({ name }) => name)).toEqual(['unauthorize']);
  });

  test('of a late authorization leaves everything as it is', () => {
    const saga = lateInForce('VOID_FAILED');
    const { pending, state } = saga.saga;
    make(saga, resolved('undone_by_hand'));
    expect(saga.saga).toMatchObject({ state, pending });
    expect(PAYMENT_SAGA.attention.reasonOf(saga.saga)).toBeNull();
  });
});

describe('what the provider says for good while a person is waited for', () => {
  const said = (saga: SagaDriver, command: 'authorize' | 'capture', status: GatewayStatus) =>
    saga.gateway(command, { gateway_status: status, provider_reference: 'ch_9' });

  test.each<[string, Partial<PaymentRequest>, GatewayStatus, string]>([
    ['a balance payment that was charged goes on to the debit', {}, 'AUTHORIZED', 'debiting'],
    ['a card that was charged is captured', { method: 'credit_card', token: 't' }, 'AUTHORIZED', 'capturing'],
    ['a card that was captured too is paid', { method: 'credit_card', token: 't' }, 'CAPTURED', 'completed'],
    ['a decline gives the hold back', {}, 'UNAUTHORIZED', 'releasing_funds'],
    ['a decline of a card ends it', { method: 'credit_card', token: 't' }, 'UNAUTHORIZED', 'failed'],
  ])('of a charge that is not known: %s, and nobody is needed', (_what, request, status, state) => {
    const saga = unknown(request);
    said(saga, 'authorize', status);
    expect(saga.saga.state).toBe(state);
    expect(saga.saga.data.attentionReason).toBeNull();
    for (const move of ['charged', 'not_charged']) expect(judge(saga, resolved(move))).toBe('not_in_attention');
  });

  test('of a charge that came after the deadline: it is undone', () => {
    const saga = unknown({ deadline: new Date(START_MS + HOUR_MS).toISOString() });
    said(saga, 'authorize', 'AUTHORIZED');
    expect(saga.saga.state).toBe('compensating');
    // A reason of its own, and not the one before.
    triedInVain(saga);
    saga.wallet('release');
    expect(PAYMENT_SAGA.attention.reasonOf(saga.saga)).toBe('compensation_failed');
  });

  test.each<[GatewayStatus, string]>([
    ['CAPTURED', 'completed'],
    ['UNAUTHORIZED', 'compensating'],
  ])('of a capture that is not known: %s leads to %s', (status, state) => {
    const saga = captureUnknown();
    said(saga, 'capture', status);
    expect(saga.saga.state).toBe(state);
    expect(saga.saga.data.attentionReason).toBeNull();
  });

  test('of a charge that was given up, while its hold is not released: it is undone', () => {
    const saga = releaseRefused();
    said(saga, 'authorize', 'AUTHORIZED');
    expect(saga.saga.state).toBe('needs_attention');
    expect(lastSent(saga)?.name).toBe('undo_late');
    expect(saga.saga.data.late).toMatchObject([{ reference: 'ch_9' }]);
    make(saga, RETRY);
    saga.wallet('release');
    expect(saga.saga.state).toBe('failed');
  });

  test('of anything else is recorded, and changes nothing', () => {
    for (const [saga, command, status] of [
      [captureUnknown(), 'authorize', 'CAPTURED'],
      [captureUnknown(), 'authorize', 'UNAUTHORIZED'],
      [releaseRefused(), 'authorize', 'UNKNOWN'],
      [unknown(), 'authorize', 'UNKNOWN'],
      [compensationFailed(null), 'authorize', 'UNAUTHORIZED'],
    ] as const) {
      const { pending, data } = saga.saga;
      said(saga, command, status);
      expect(saga.saga).toMatchObject({ state: 'needs_attention', pending });
      expect(saga.saga.data.attentionReason).toBe(data.attentionReason);
    }
  });
});

describe('a payment that needs a person while a late authorization waits for one too', () => {
  const CARD = { method: 'credit_card', token: 'pm_card_visa' } as const;
  const BOREALIS = { provider: 'borealis', provider_reference: 'ch_2' } as const;

  function unknownBesides(): SagaDriver {
    const saga = lateElsewhere();
    saga.gateway('authorize', { gateway_status: 'UNKNOWN', provider: 'borealis' });
    saga.closeWindow();
    return saga;
  }

  function captureUnknownBesides(): SagaDriver {
    const saga = lateElsewhere(CARD);
    saga.gateway('authorize', { gateway_status: 'AUTHORIZED', ...BOREALIS });
    triedInVain(saga);
    return saga;
  }

  test.each([
    ['authorization_unknown', unknownBesides, ['charged', 'not_charged']],
    ['capture_unknown', captureUnknownBesides, ['captured', 'not_captured']],
  ] as const)('says its own reason, %s, and takes its moves', (reason, build, resolve) => {
    const saga = build();
    expect(saga.events.at(-1)?.payload).toEqual({ payment_id: PAYMENT_ID, reason });
    expect(PAYMENT_SAGA.attention.reasonOf(saga.saga)).toBe(reason);
    expect(possibleMoves(PAYMENT_SAGA, saga.saga, saga.context())).toEqual({ retry: true, resolve });
  });

  test.each([
    ['authorize', 'AUTHORIZED', unknownBesides, 'debiting'],
    ['authorize', 'UNAUTHORIZED', unknownBesides, 'releasing_funds'],
    ['capture', 'CAPTURED', captureUnknownBesides, 'completed'],
    ['capture', 'UNAUTHORIZED', captureUnknownBesides, 'compensating'],
  ] as const)('hears the provider’s word for good: %s, %s', (command, status, build, state) => {
    const saga = build();
    saga.gateway(command, { gateway_status: status, ...BOREALIS });
    expect(saga.saga).toMatchObject({ state, data: { attentionReason: null } });
    // What else waits for a person still does.
    expect(PAYMENT_SAGA.attention.reasonOf(saga.saga)).toBe('late_authorization_in_force');
  });

  test.each([
    ['not_charged', unknownBesides],
    ['not_captured', captureUnknownBesides],
  ] as const)('and was %s, as a person has found, fails for a reason, and is told as failed', (resolution, build) => {
    const saga = build();
    make(saga, resolved(resolution));
    if (resolution === 'not_charged') saga.wallet('release');
    else saga.gateway('unauthorize', { gateway_status: 'VOIDED', ...BOREALIS });
    expect(saga.saga).toMatchObject({ state: 'failed', data: { failure: { code: 'gateway_unavailable' } } });
    expect(lastSent(saga)?.event?.event_type).toBe('orchestrator.notify.payment_failure');
    for (const event of saga.events) expect(decodeEvent(event)).toMatchObject({ ok: true });
  });
});

describe('two late authorizations whose undoings were both given up', () => {
  const LATE = { acme: 'ch_a', borealis: 'ch_b' } as const;

  function twoGivenUp(): { readonly saga: SagaDriver; readonly undoings: readonly string[] } {
    const saga = new SagaDriver();
    saga.wallet('hold');
    const atAcme = saga.effectId('authorize');
    saga.gateway('authorize', { gateway_status: 'NOT_SENT' });
    const atBorealis = saga.effectId('authorize');
    saga.nowMs += 3 * MINUTE_MS;
    saga.gateway('authorize', { gateway_status: 'NOT_SENT', provider: 'borealis' });
    saga.wallet('release');
    const undoings = (['acme', 'borealis'] as const).map((provider) => {
      const fact = gatewayFact('authorize', {
        gateway_status: 'AUTHORIZED',
        provider,
        provider_reference: LATE[provider],
      });
      saga.take({ kind: 'outcome', outcome: { effect_id: provider === 'acme' ? atAcme : atBorealis, fact } });
      return saga.effectId('undo_late');
    });
    triedInVain(saga);
    expect(saga.saga.data.late.map(({ notUndone }) => notUndone)).toEqual(['spent', 'spent']);
    return { saga, undoings };
  }

  const said = (saga: SagaDriver, effectId: string | undefined, answer: Parameters<typeof gatewayFact>[1]) =>
    saga.take({ kind: 'outcome', outcome: { effect_id: effectId ?? '', fact: gatewayFact('unauthorize', answer) } });
  const flags = ({ saga }: SagaDriver) =>
    Object.fromEntries(saga.data.late.map(({ provider, notUndone }) => [provider, notUndone]));

  test('are each heard of late, the older one too', () => {
    const { saga, undoings } = twoGivenUp();
    said(saga, undoings[0], { gateway_status: 'VOIDED', provider: 'acme' });
    expect(flags(saga)).toEqual({ acme: undefined, borealis: 'spent' });
  });

  test('and of which the older is refused late: a retry sends what was given up, the next what was refused', () => {
    const { saga, undoings } = twoGivenUp();
    said(saga, undoings[0], { gateway_status: 'VOID_FAILED', provider: 'acme' });
    expect(flags(saga)).toEqual({ acme: 'refused', borealis: 'spent' });
    make(saga, RETRY);
    expect(lastSent(saga)).toMatchObject({ event: { payload: { provider: 'borealis', provider_reference: 'ch_b' } } });
    expect(flags(saga)).toEqual({ acme: 'refused', borealis: undefined });
    saga.gateway('undo_late', { gateway_status: 'VOIDED', provider: 'borealis' });
    expect(PAYMENT_SAGA.attention.reasonOf(saga.saga)).toBe('late_authorization_in_force');
    make(saga, { ...RETRY, reason: 'ticket-8' });
    expect(lastSent(saga)).toMatchObject({ event: { payload: { provider: 'acme', provider_reference: 'ch_a' } } });
    saga.gateway('undo_late', { gateway_status: 'VOIDED', provider: 'acme' });
    expect(PAYMENT_SAGA.attention.reasonOf(saga.saga)).toBeNull();
  });
});

test('every move is a fact with who, why and what, and the log stays one that decodes, under ids of its own', () => {
  const saga = unknown();
  make(saga, RETRY);
  saga.closeWindow();
  make(saga, resolved('charged', { providerReference: 'ch_9' }));
  const facts = saga.events.filter(({ event_type: type }) => /retried|resolved/.test(type));
  expect(facts.map(({ payload }) => payload)).toEqual([
    { payment_id: PAYMENT_ID, attention: 'authorization_unknown', ...BY },
    {
      payment_id: PAYMENT_ID,
      attention: 'authorization_unknown',
      resolution: 'charged',
      provider_reference: 'ch_9',
      ...BY,
    },
  ]);
  for (const event of saga.events) expect(decodeEvent(event)).toMatchObject({ ok: true });
  const ids = saga.events.map((event) => event.metadata.message_deduplication_id);
  expect(new Set(ids).size).toBe(ids.length);
});
