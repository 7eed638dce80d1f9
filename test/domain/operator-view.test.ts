/** A saga as the person sees it who must decide about it. */
import { describe, expect, test } from 'vitest';
import { SECOND_MS } from '../../src/domain/limits.ts';
import { PAYMENT_KIND, paymentView } from '../../src/domain/payment-view.ts';
import { REFUND_KIND, refundView } from '../../src/domain/refund-view.ts';
import { operatorView } from '../../src/domain/saga/operator-view.ts';
import type { PaymentSagaValue } from '../../src/domain/saga/payment-types.ts';
import { armed, beginRecord } from '../../src/domain/saga/record.ts';
import type { OperatorMove } from '../../src/domain/saga/table.ts';
import { REFUND_ID, RefundDriver } from '../support/refund-saga.ts';
import { PAYMENT_ID, SagaDriver, START_MS } from '../support/saga.ts';

const BY = { actor: 'jane', reason: 'ticket-7' };

/** The record of a payment whose saga stands as the driver has brought it. */
function recordOf(payment: SagaDriver, saga: PaymentSagaValue = payment.saga) {
  const first = new SagaDriver();
  const step = { saga: first.saga, events: first.events, send: first.sent };
  const { record } = beginRecord(PAYMENT_KIND, 'f', step, first.context());
  return { ...record, saga };
}

const viewOf = (payment: SagaDriver) => operatorView(PAYMENT_KIND, recordOf(payment), payment.context());

/** A payment of which nobody has said whether it was authorized, after the late window. */
function unknown(): SagaDriver {
  const payment = new SagaDriver();
  payment.wallet('hold');
  payment.gateway('authorize', { gateway_status: 'UNKNOWN' });
  payment.closeWindow();
  return payment;
}

/** A payment whose hold the wallet does not give back. */
function releaseRefused(): SagaDriver {
  const payment = new SagaDriver();
  payment.wallet('hold');
  payment.gateway('authorize', { gateway_status: 'UNAUTHORIZED' });
  payment.wallet('release', 'wallet_frozen');
  return payment;
}

describe('a saga that goes on by itself', () => {
  test('shows its place, what it waits for, what is in force and how far the record is', () => {
    const payment = new SagaDriver();
    expect(viewOf(payment)).toStrictEqual({
      id: PAYMENT_ID,
      object: 'saga',
      kind: 'payment',
      status: 'PENDING',
      saga_state: 'holding_funds',
      attention: null,
      entered_at: '2026-01-01T00:00:00.000Z',
      sequence: 2,
      pending: [
        {
          command: 'hold',
          event_type: 'orchestrator.wallet.hold_funds',
          effect_id: `orchestrator.wallet.hold_funds.${PAYMENT_ID}`,
          attempts: 1,
          first_sent_at: '2026-01-01T00:00:00.000Z',
          due_at: '2026-01-01T00:00:22.500Z',
        },
      ],
      given_up: [],
      in_force: {
        wallet_id: 'wal-1',
        hold: 'unknown',
        charge: 'none',
        provider: null,
        provider_reference: null,
        late: [],
      },
      record: {
        recorded_sequence: 0,
        closed_sequence: 0,
        publish_attempts: 0,
        publish_due_at: '2026-01-01T00:00:02.000Z',
      },
      alarm_at: '2026-01-01T00:00:02.000Z',
      last_move: null,
      payment: paymentView(payment.saga),
    });
  });

  test('shows what the record holds and has been sent, and no time where nothing is due', () => {
    const payment = new SagaDriver();
    const known = { recordedSequence: 2, closedSequence: 3, publishAttempts: 4, publishDueAtMs: null, alarmAtMs: 0 };
    const view = operatorView(PAYMENT_KIND, { ...recordOf(payment), ...known }, payment.context());
    expect(view).toMatchObject({
      record: { recorded_sequence: 2, closed_sequence: 3, publish_attempts: 4, publish_due_at: null },
      alarm_at: null,
    });
  });

  test('shows the alarm that is set, of whatever time', () => {
    const payment = new SagaDriver();
    const record = armed({ ...recordOf(payment), publishDueAtMs: null, alarmAtMs: 0 }, START_MS);
    expect(operatorView(PAYMENT_KIND, record, payment.context()).alarm_at).toBe('2026-01-01T00:00:22.500Z');
  });

  test('shows a command that is only scheduled with neither an effect nor a first time', () => {
    const payment = new SagaDriver();
    payment.wallet('hold');
    payment.nowMs += 7;
    payment.gateway('authorize', { gateway_status: 'UNKNOWN' });
    expect(viewOf(payment)).toMatchObject({
      saga_state: 'authorization_unknown',
      entered_at: '2026-01-01T00:00:00.007Z',
      pending: [
        {
          command: 'lookup',
          event_type: null,
          effect_id: null,
          attempts: 0,
          first_sent_at: null,
          due_at: new Date(START_MS + 7 + 5 * SECOND_MS).toISOString(),
        },
      ],
    });
  });

  test('shows nothing secret: no token, and no payload of a command', () => {
    const payment = new SagaDriver({ method: 'credit_card', token: 'pm_card_visa_secret' });
    expect(JSON.stringify(payment.saga.data)).toContain('pm_card_visa_secret');
    expect(JSON.stringify(payment.saga.pending)).toContain('not_after');
    expect(JSON.stringify(viewOf(payment))).not.toMatch(/pm_card_visa_secret|not_after/);
  });
});

describe('a saga that needs a person', () => {
  test('says why, in words, and which moves it takes', () => {
    const payment = unknown();
    expect(viewOf(payment)).toMatchObject({
      status: 'PENDING',
      saga_state: 'needs_attention',
      attention: {
        reason: 'authorization_unknown',
        says: 'The late window has closed, and the provider has not said whether it charged.',
        moves: { retry: true, resolve: ['charged', 'not_charged'] },
      },
      pending: [],
    });
  });

  test('whose reason the table does not know is shown all the same, with no words and no moves', () => {
    const payment = unknown();
    const data = { ...payment.saga.data, attentionReason: 'from_before' };
    const record = recordOf(payment, { ...payment.saga, data });
    expect(operatorView(PAYMENT_KIND, record, payment.context()).attention).toStrictEqual({
      reason: 'from_before',
      says: '',
      moves: { retry: false, resolve: [] },
    });
  });

  test('shows what was given up apart from what is pending', () => {
    const payment = releaseRefused();
    const command = payment.sent.find(({ name }) => name === 'release');
    if (command === undefined) throw new Error('nothing sent');
    const spent = [{ ...command, attempts: 9, firstSentAtMs: START_MS + 1, dueAtMs: START_MS + 2 }];
    const record = recordOf(payment, { ...payment.saga, spent });
    expect(operatorView(PAYMENT_KIND, record, payment.context())).toMatchObject({
      pending: [],
      given_up: [
        {
          command: 'release',
          event_type: 'orchestrator.wallet.release_funds',
          effect_id: `orchestrator.wallet.release_funds.${PAYMENT_ID}`,
          attempts: 9,
          first_sent_at: '2026-01-01T00:00:00.001Z',
          due_at: '2026-01-01T00:00:00.002Z',
        },
      ],
    });
  });

  test.each([
    [
      { kind: 'retry', ...BY },
      { kind: 'retry', ...BY },
    ],
    [
      { kind: 'resolve', resolution: 'authorized', providerReference: 'ch_1', ...BY },
      { kind: 'resolve', resolution: 'authorized', ...BY },
    ],
  ] as const)('shows the last move that was made, by whom and why: %j', (move: OperatorMove, shown) => {
    const payment = unknown();
    const record = recordOf(payment, { ...payment.saga, lastMove: move });
    expect(operatorView(PAYMENT_KIND, record, payment.context()).last_move).toStrictEqual(shown);
  });
});

test('a refund is shown under its own name, with what is in force of it', () => {
  const refund = new RefundDriver();
  refund.gateway('refund', 'REFUNDED');
  refund.wallet('credit', 'wallet_frozen');
  const first = { saga: refund.saga, events: [], send: [] };
  const { record } = beginRecord(REFUND_KIND, 'f', first, refund.context());
  const view = operatorView(REFUND_KIND, record, refund.context());
  expect(view).toMatchObject({
    id: REFUND_ID,
    object: 'saga',
    kind: 'refund',
    attention: {
      reason: 'credit_refused',
      says: 'The provider has given the money back, and the wallet refuses to take it.',
      moves: { retry: true, resolve: ['written_off'] },
    },
    in_force: { wallet_id: 'wal-1', reserved: 500, refund: 'refunded', credit: 'none', provider: 'acme' },
    refund: refundView(refund.saga),
  });
  expect(view).not.toHaveProperty('payment');
});
