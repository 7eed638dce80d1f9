import { describe, expect, test } from 'vitest';
import { refundRowSchema } from '../../src/domain/messages.ts';
import { REFUND_KIND, refundRow, refundStatus, refundView } from '../../src/domain/refund-view.ts';
import { REFUND_STATES } from '../../src/domain/saga/refund-types.ts';
import { REFUND_ID, RefundDriver } from '../support/refund-saga.ts';
import { PAYMENT_ID, START_MS } from '../support/saga.ts';

const AT = '2026-01-01T00:00:00.000Z';

test.each(REFUND_STATES)('the status of a refund in state %s is what is decided of it', (state) => {
  const { saga } = new RefundDriver();
  const decided = { completed: 'COMPLETED', failed: 'FAILED' }[state as string] ?? 'PENDING';
  expect(refundStatus({ ...saga, state })).toBe(decided);
});

describe('a refund as the public sees it', () => {
  test('has every member that is known, in one order, and none that is not', () => {
    const { saga } = new RefundDriver('credit_card', { amount: 500, reason: 'too late' });
    expect(JSON.stringify(refundView(saga))).toBe(
      JSON.stringify({
        id: REFUND_ID,
        object: 'refund',
        payment_id: PAYMENT_ID,
        amount: 500,
        currency: 'USD',
        reason: 'too late',
        status: 'PENDING',
        saga_state: 'refunding',
        provider: 'acme',
        created_at: AT,
        updated_at: AT,
      }),
    );
    const { saga: other } = new RefundDriver('balance', {}, {});
    expect(Object.keys(refundView(other))).not.toContain('reason');
    expect(Object.keys(refundView(other))).not.toContain('provider');
  });

  test('before the payment has answered has the amount that was asked for, or 0, and no currency', () => {
    const unanswered = (amount?: number) => {
      const { saga } = new RefundDriver('balance', amount === undefined ? {} : { amount });
      return refundView({ ...saga, state: 'reserving', data: { ...saga.data, payment: null } });
    };
    expect(unanswered(7)).toMatchObject({ amount: 7, currency: '' });
    expect(unanswered()).toMatchObject({ amount: 0, currency: '' });
    expect(unanswered()).not.toHaveProperty('provider');
  });

  test('says when an unknown one is looked up next', () => {
    const refund = new RefundDriver();
    expect(refundView(refund.saga)).not.toHaveProperty('next_check_at');
    refund.gateway('refund', 'UNKNOWN');
    expect(refundView(refund.saga).next_check_at).toBe(new Date(START_MS + 5_000).toISOString());
  });

  test('shows a failure only once it has failed, and when it has ended', () => {
    const refund = new RefundDriver();
    refund.gateway('refund', 'REFUND_FAILED');
    const failed = { ...refund.saga, data: { ...refund.saga.data, completedAtMs: START_MS + 1 } };
    expect(refundView(failed)).toMatchObject({
      status: 'FAILED',
      failure: { code: 'refund_declined' },
      completed_at: '2026-01-01T00:00:00.001Z',
    });
    expect(refundView({ ...failed, state: 'needs_attention' })).not.toHaveProperty('failure');
    expect(refundView(new RefundDriver().saga)).not.toHaveProperty('completed_at');
    expect(refundView(new RefundDriver().saga)).not.toHaveProperty('failure');
  });
});

test('the row of a refund is what the record takes, with the sequence and the public JSON of the moment', () => {
  const { saga, events } = new RefundDriver();
  const row = refundRow(saga);
  expect(refundRowSchema.parse(row)).toEqual(row);
  expect(row).toEqual({
    id: REFUND_ID,
    merchant: 'default',
    mode: 'sandbox',
    payment_id: PAYMENT_ID,
    status: 'PENDING',
    created_at_ms: START_MS,
    updated_at_ms: START_MS,
    sequence: events.length,
    body: JSON.stringify(refundView(saga)),
    attention: null,
  });
  expect(REFUND_KIND.row(saga)).toEqual({ refund: row });
  expect(REFUND_KIND.view(saga)).toEqual(refundView(saga));
});
