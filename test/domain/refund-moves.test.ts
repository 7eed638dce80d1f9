import { describe, expect, test } from 'vitest';
import { HOUR_MS } from '../../src/domain/limits.ts';
import { judgeMove, type MoveVerdict, possibleMoves } from '../../src/domain/saga/operator.ts';
import { REFUND_SAGA } from '../../src/domain/saga/refund-saga.ts';
import type { OperatorMove } from '../../src/domain/saga/table.ts';
import { REFUND_ID, RefundDriver } from '../support/refund-saga.ts';

const BY = { actor: 'jane', reason: 'ticket-7' };
const RETRY: OperatorMove = { kind: 'retry', ...BY };
const resolved = (resolution: string): OperatorMove => ({ kind: 'resolve', resolution, ...BY });

function unknown(method: 'balance' | 'credit_card' = 'balance'): RefundDriver {
  const refund = new RefundDriver(method);
  refund.gateway('refund', 'UNKNOWN');
  refund.closeWindow();
  return refund;
}

function creditRefused(): RefundDriver {
  const refund = new RefundDriver();
  refund.gateway('refund', 'REFUNDED');
  refund.wallet('credit', 'wallet_frozen');
  return refund;
}

function moneyGone(): RefundDriver {
  const refund = new RefundDriver();
  refund.gateway('refund', 'REFUNDED');
  refund.wallet('credit');
  refund.gateway('refund', 'REFUND_FAILED');
  refund.wallet('reverse', 'insufficient_funds');
  return refund;
}

function judge(refund: RefundDriver, move: OperatorMove): MoveVerdict {
  return judgeMove(REFUND_SAGA, refund.saga, move, refund.context());
}

function make(refund: RefundDriver, move: OperatorMove): void {
  expect(judge(refund, move)).toBe('possible');
  refund.take({ kind: 'move', move });
}

const lastEffectId = (refund: RefundDriver) => refund.sent.at(-1)?.event?.metadata.message_deduplication_id;

test.each([
  ['refund_unknown', unknown(), true, ['refunded', 'not_refunded']],
  ['credit_refused', creditRefused(), true, ['written_off']],
  ['credited_money_is_gone', moneyGone(), true, ['written_off']],
])('%s takes these moves', (reason, refund, retry, resolve) => {
  expect(REFUND_SAGA.attention.reasonOf(refund.saga)).toBe(reason);
  expect(possibleMoves(REFUND_SAGA, refund.saga, refund.context())).toEqual({ retry, resolve });
});

describe('a refund of which nobody has said what became of it', () => {
  test('is looked up again within a fresh window', () => {
    const refund = unknown();
    make(refund, RETRY);
    refund.wait(71 * HOUR_MS);
    expect(refund.saga.state).toBe('refund_unknown');
    refund.gateway('lookup', 'REFUNDED');
    expect(refund.saga.state).toBe('crediting');
  });

  test('that a person has found to be given is credited, or for a card completed', () => {
    const balance = unknown();
    make(balance, resolved('refunded'));
    expect(balance.saga.state).toBe('crediting');
    const card = unknown('credit_card');
    make(card, resolved('refunded'));
    expect(card.saga.state).toBe('completed');
  });

  test('that a person has found not to be given releases the reservation; given after all, it needs somebody again', () => {
    const refund = unknown();
    make(refund, resolved('not_refunded'));
    expect(refund.saga.state).toBe('failed');
    expect(refund.names().filter((name) => name === 'settle')).toHaveLength(1);
    refund.gateway('refund', 'REFUNDED');
    expect(refund.saga.state).toBe('failed');
    expect(REFUND_SAGA.attention.reasonOf(refund.saga)).toBe('refunded_after_failure');
    expect(judge(refund, RETRY)).toBe('not_possible');
    make(refund, resolved('settled_by_hand'));
    expect(REFUND_SAGA.attention.reasonOf(refund.saga)).toBeNull();
    expect(judge(refund, resolved('settled_by_hand'))).toBe('repeated');
  });
});

describe('a refused credit', () => {
  test('is tried again under a new id each time, and counted each time it is refused', () => {
    const refund = creditRefused();
    for (const n of [2, 3]) {
      make(refund, RETRY);
      expect(lastEffectId(refund)).toBe(`orchestrator.wallet.credit.${REFUND_ID}.r${n}`);
      refund.wallet('credit', 'wallet_frozen');
      expect(refund.saga.state).toBe('needs_attention');
    }
    make(refund, RETRY);
    refund.wallet('credit');
    expect(refund.saga.state).toBe('completed');
    expect(refund.events.filter(({ event_type: type }) => type === 'metrics.wallet.credit_failure')).toHaveLength(3);
    const ids = refund.events.map((event) => event.metadata.message_deduplication_id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('of money that the provider has taken back meanwhile is never made: a retry fails the refund', () => {
    const refund = creditRefused();
    refund.gateway('refund', 'REFUND_FAILED');
    expect(judge(refund, resolved('written_off'))).toBe('not_possible');
    make(refund, RETRY);
    expect(refund.saga).toMatchObject({ state: 'failed', data: { failure: { code: 'refund_failed_after_success' } } });
    expect(refund.names().filter((name) => name === 'credit')).toHaveLength(1);
  });

  test('that was written off is completed, and nothing is taken from the wallet when the provider takes it back', () => {
    const refund = creditRefused();
    make(refund, resolved('written_off'));
    expect(refund.saga.state).toBe('completed');
    refund.gateway('refund', 'REFUND_FAILED');
    expect(refund.saga.state).toBe('completed');
    expect(refund.names()).not.toContain('reverse');
  });
});

test('a credit that cannot be taken back is tried again under a new id, or written off and completed', () => {
  const again = moneyGone();
  make(again, RETRY);
  expect(lastEffectId(again)).toBe(`orchestrator.wallet.reverse_credit.${REFUND_ID}.r2`);
  again.wallet('reverse');
  expect(again.saga.state).toBe('failed');
  const off = moneyGone();
  make(off, resolved('written_off'));
  expect(off.saga.state).toBe('completed');
});
