import { describe, expect, test } from 'vitest';
import { paymentRowSchema } from '../../src/domain/messages.ts';
import { maskToken } from '../../src/domain/payment.ts';
import { PAYMENT_KIND, paymentRow, paymentStatus, paymentView } from '../../src/domain/payment-view.ts';
import { PAYMENT_STATES } from '../../src/domain/saga/payment-types.ts';
import { PAYMENT_ID, SagaDriver, START_MS } from '../support/saga.ts';

const AT = '2026-01-01T00:00:00.000Z';
const REQUEST = {
  method: 'credit_card',
  token: 'pm_card_visa_secret',
  customer_id: 'cus-1',
  reference: 'order-7',
  metadata: { cart: 'c-77' },
  deadline: '2026-02-01T00:00:00.000Z',
} as const;

describe('the status of a payment', () => {
  test.each(
    PAYMENT_STATES.map((state) => [state, { completed: 'COMPLETED', failed: 'FAILED' }[state as string] ?? 'PENDING']),
  )('in state %s is %s', (state, status) => {
    const { saga } = new SagaDriver();
    expect(paymentStatus({ ...saga, state: state as (typeof PAYMENT_STATES)[number] })).toBe(status);
  });
});

describe('a payment as the public sees it', () => {
  test('has every member of the smallest request, and none that is not known', () => {
    expect(paymentView(new SagaDriver().saga)).toStrictEqual({
      id: PAYMENT_ID,
      object: 'payment',
      wallet_id: 'wal-1',
      service_id: 'svc-1',
      amount: 1230,
      currency: 'USD',
      method: 'balance',
      status: 'PENDING',
      saga_state: 'holding_funds',
      refunded_amount: 0,
      created_at: AT,
      updated_at: AT,
    });
  });

  test('has its members in one order, whatever the order of the request', () => {
    const saga = new SagaDriver(REQUEST);
    saga.gateway('authorize', { gateway_status: 'UNKNOWN', provider_reference: 'ch_1' });
    const view = paymentView(saga.saga);
    expect(view).toMatchObject({ customer_id: 'cus-1', reference: 'order-7', metadata: { cart: 'c-77' } });
    expect(Object.keys(view)).toEqual([
      ...['id', 'object', 'wallet_id', 'service_id', 'amount', 'currency', 'method', 'token', 'customer_id'],
      ...['reference', 'metadata', 'deadline', 'status', 'saga_state', 'provider', 'provider_reference'],
      ...['refunded_amount', 'next_check_at', 'created_at', 'updated_at'],
    ]);
    const { data } = saga.saga;
    const request = Object.fromEntries(Object.entries(data.request).reverse()) as unknown as typeof data.request;
    expect(JSON.stringify(paymentView({ ...saga.saga, data: { ...data, request } }))).toBe(JSON.stringify(view));
  });

  test('shows no token whole, anywhere', () => {
    const { saga } = new SagaDriver(REQUEST);
    expect(paymentView(saga).token).toBe('pm_c…cret');
    expect(JSON.stringify(paymentView(saga))).not.toContain(REQUEST.token);
    expect(JSON.stringify(paymentRow(saga))).not.toContain(REQUEST.token);
  });

  test('says when an unknown authorization is looked up next', () => {
    const saga = new SagaDriver(REQUEST);
    saga.gateway('authorize', { gateway_status: 'UNKNOWN' });
    expect(paymentView(saga.saga).next_check_at).toBe(new Date(START_MS + 5_000).toISOString());
    saga.wait(5_000);
    saga.gateway('lookup', { gateway_status: 'AUTHORIZED' });
    expect(paymentView(saga.saga)).not.toHaveProperty('next_check_at');
  });

  test('shows a failure only once it has failed: before that, nothing is decided', () => {
    const saga = new SagaDriver();
    saga.wallet('hold');
    saga.gateway('authorize', { gateway_status: 'UNAUTHORIZED', decline_code: 'lost_card' });
    expect(saga.saga.data.failure).not.toBeNull();
    expect(paymentView(saga.saga)).not.toHaveProperty('failure');
    saga.wallet('release');
    expect(paymentView(saga.saga)).toMatchObject({
      status: 'FAILED',
      failure: { code: 'gateway_declined', decline_code: 'lost_card', message: expect.stringMatching(/./) },
    });
  });

  test('that was completed says when', () => {
    const { saga } = new SagaDriver();
    const completed = { ...saga, state: 'completed' as const, data: { ...saga.data, completedAtMs: START_MS + 1 } };
    expect(paymentView(completed).completed_at).toBe('2026-01-01T00:00:00.001Z');
  });

  test('shares no metadata with the saga: who changes the view does not change the state', () => {
    const { saga } = new SagaDriver(REQUEST);
    Object.assign(paymentView(saga).metadata ?? {}, { cart: 'other' });
    expect(saga.data.request.metadata).toEqual({ cart: 'c-77' });
  });
});

describe('a masked token', () => {
  test.each([
    ['', '…'],
    ['12345678', '…'],
    ['123456789', '…6789'],
    ['1234567890123456', '…3456'],
    ['12345678901234567', '1234…4567'],
    ['pm_card_visa_chargeDeclined', 'pm_c…ined'],
  ])('of %j is %s', (token, masked) => {
    expect(maskToken(token)).toBe(masked);
  });

  test('shows at most half of the token', () => {
    for (let length = 1; length <= 128; length++) {
      expect(maskToken('x'.repeat(length)).replace('…', '').length).toBeLessThanOrEqual(length / 2);
    }
  });
});

describe('the row of a payment', () => {
  test('is what the record takes, with the sequence and the public JSON of the moment', () => {
    const saga = new SagaDriver(REQUEST);
    const row = paymentRow(saga.saga);
    expect(paymentRowSchema.parse(row)).toEqual(row);
    expect(PAYMENT_KIND.row(saga.saga)).toEqual({ payment: row });
    expect(row).toEqual({
      id: PAYMENT_ID,
      merchant: 'default',
      mode: 'sandbox',
      wallet_id: 'wal-1',
      service_id: 'svc-1',
      method: 'credit_card',
      status: 'PENDING',
      reference: 'order-7',
      attention: null,
      created_at_ms: START_MS,
      updated_at_ms: START_MS,
      sequence: saga.events.length,
      body: JSON.stringify(paymentView(saga.saga)),
    });
    // A message from before `attention` still decodes.
    const { attention: _, ...before } = row;
    expect(paymentRowSchema.parse(before)).toEqual(before);
  });

  test('has no reference where the request has none', () => {
    expect(paymentRow(new SagaDriver().saga).reference).toBeNull();
  });
});
