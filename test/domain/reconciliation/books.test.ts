/** The lines of our record, as a reconciliation compares them. */
import { describe, expect, test } from 'vitest';
import type { PaymentRow, RefundRow } from '../../../src/domain/messages.ts';
import { paymentRecord, refundRecord } from '../../../src/domain/reconciliation/books.ts';

const PAYMENT_BODY = { saga_state: 'completed', amount: 1230, currency: 'USD' };

const paymentRow = (body: Record<string, unknown> = PAYMENT_BODY): PaymentRow => ({
  id: 'pay_1',
  merchant: 'm',
  mode: 'live',
  wallet_id: 'wal-1',
  service_id: 'svc-1',
  method: 'credit_card',
  status: 'COMPLETED',
  reference: 'order-7',
  created_at_ms: 1_000,
  updated_at_ms: 2_000,
  sequence: 9,
  body: JSON.stringify(body),
  attention: null,
});

const refundRow: RefundRow = {
  id: 'ref_1',
  merchant: 'm',
  mode: 'live',
  payment_id: 'pay_1',
  status: 'FAILED',
  created_at_ms: 3_000,
  updated_at_ms: 4_000,
  sequence: 5,
  body: JSON.stringify({ saga_state: 'failed', amount: 500, currency: 'JPY', provider: 'acme' }),
};

describe('a row of the record', () => {
  test('of a payment is a line with its charge at the provider, and when it ended', () => {
    const charged = { provider: 'acme', provider_reference: 'ch_1', completed_at: '2026-01-01T00:00:00.007Z' };
    expect(paymentRecord(paymentRow({ ...PAYMENT_BODY, ...charged }))).toStrictEqual({
      id: 'pay_1',
      merchant: 'm',
      walletId: 'wal-1',
      method: 'credit_card',
      status: 'COMPLETED',
      sagaState: 'completed',
      amountMinor: 1_230,
      currency: 'USD',
      provider: 'acme',
      reference: 'ch_1',
      createdAtMs: 1_000,
      updatedAtMs: 2_000,
      completedAtMs: Date.UTC(2026, 0, 1) + 7,
    });
  });

  test('of a payment that has no charge and has not ended says so of each; the client’s own reference is none', () => {
    expect(paymentRecord(paymentRow())).toMatchObject({ provider: null, reference: null, completedAtMs: null });
  });

  test('of a refund is a line that names its payment', () => {
    expect(refundRecord(refundRow)).toStrictEqual({
      id: 'ref_1',
      paymentId: 'pay_1',
      status: 'FAILED',
      sagaState: 'failed',
      amountMinor: 500,
      currency: 'JPY',
      createdAtMs: 3_000,
      updatedAtMs: 4_000,
    });
  });

  test('is not read where its body is no JSON', () => {
    expect(() => paymentRecord({ ...paymentRow(), body: '{' })).toThrow(SyntaxError);
    expect(() => refundRecord({ ...refundRow, body: '' })).toThrow(SyntaxError);
  });
});
