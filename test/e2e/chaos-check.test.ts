/** P7's verdict, by itself: evidence that is whole passes, and each tampering with it is told. */
import { describe, expect, test } from 'vitest';
import { type Evidence, violationsIn } from '../../scripts/chaos-check.ts';

const PAYMENT = { amount: 1_000, currency: 'USD', wallet_id: 'w', method: 'balance', refunded_amount: 0 };

const WHOLE: Evidence = {
  payments: [
    { id: 'paid', view: { ...PAYMENT, status: 'COMPLETED', saga_state: 'completed', refunded_amount: 300 } },
    { id: 'card', view: { ...PAYMENT, status: 'COMPLETED', saga_state: 'completed', method: 'credit_card' } },
    { id: 'declined', view: { ...PAYMENT, status: 'FAILED', saga_state: 'failed' } },
  ],
  refunds: [{ id: 'back', view: { status: 'COMPLETED', payment_id: 'paid', amount: 300 } }],
  wallets: [{ id: 'w', currency: 'USD', available: 9_300, held: 0, settled: 700, external: 10_000 }],
  charges: [
    { key: 'paid.a', paymentId: 'paid', amountMinor: 1_000, currency: 'USD', status: 'authorized' },
    { key: 'card.a', paymentId: 'card', amountMinor: 1_000, currency: 'USD', status: 'captured' },
    { key: 'declined.a', paymentId: 'declined', amountMinor: 1_000, currency: 'USD', status: 'declined' },
    { key: 'declined.b', paymentId: 'declined', amountMinor: 1_000, currency: 'USD', status: 'voided' },
  ],
  chargeRefunds: [{ chargeKey: 'paid.a', amountMinor: 300, status: 'refunded' }],
};

function tampered(change: (copy: Mutable<Evidence>) => void): string[] {
  const copy = structuredClone(WHOLE) as Mutable<Evidence>;
  change(copy);
  return violationsIn(copy);
}

type Mutable<Value> = Value extends object ? { -readonly [Member in keyof Value]: Mutable<Value[Member]> } : Value;

/** The element, which the evidence above has. */
function at<Value>(list: Value[], index: number): Value {
  const value = list[index];
  if (value === undefined) throw new Error(`nothing at ${index}`);
  return value;
}

test('evidence that is whole has no violation', () => {
  expect(violationsIn(WHOLE)).toEqual([]);
});

describe('is told:', () => {
  test.each<[string, RegExp, (copy: Mutable<Evidence>) => void]>([
    ['a payment that is not there', /^lost: payment paid /, ({ payments }) => (at(payments, 0).view = null)],
    ['a refund that is not there', /^lost: refund back /, ({ refunds }) => (at(refunds, 0).view = null)],
    [
      'a payment that never ends',
      /^stuck: payment card is in authorizing$/,
      ({ payments }) => Object.assign(at(payments, 1).view ?? {}, { status: 'PENDING', saga_state: 'authorizing' }),
    ],
    [
      'a refund that never ends',
      /^stuck: refund back /,
      ({ refunds }) => Object.assign(at(refunds, 0).view ?? {}, { status: 'PENDING' }),
    ],
    [
      'a second charge, under another key or at another provider',
      /^charged twice: payment paid has the charges paid\.a and paid\.b$/,
      ({ charges }) => charges.push({ ...at(charges, 0), key: 'paid.b' }),
    ],
    [
      'a charge in force of a payment that failed',
      /^charged: /,
      ({ charges }) => (at(charges, 3).status = 'authorized'),
    ],
    ['a completed payment without a charge', /^not charged: /, ({ charges }) => (at(charges, 1).status = 'voided')],
    ['a charge of another amount', /^another amount: /, ({ charges }) => (at(charges, 1).amountMinor = 1_001)],
    ['a charge in another currency', /^another amount: /, ({ charges }) => (at(charges, 1).currency = 'EUR')],
    [
      'a charge that nobody has asked for',
      /^unknown charge: /,
      ({ charges }) => charges.push({ ...at(charges, 0), key: 'x.a', paymentId: 'x' }),
    ],
    [
      'a refund given twice',
      /^refunds: of payment paid the provider has 600, the refunds 300, the payment 300$/,
      ({ chargeRefunds }) => chargeRefunds.push({ ...at(chargeRefunds, 0) }),
    ],
    ['a refund that was not given', /^refunds: /, ({ chargeRefunds }) => (at(chargeRefunds, 0).status = 'failed')],
    [
      'a refund that its payment has not heard of',
      /^refunds: /,
      ({ payments }) => Object.assign(at(payments, 0).view ?? {}, { refunded_amount: 0 }),
    ],
    ['money that came from nowhere (X1)', /^X1: wallet w /, ({ wallets }) => (at(wallets, 0).available += 1)],
    [
      'money that is still held',
      /^held: wallet w still holds 1$/,
      ({ wallets }) => Object.assign(at(wallets, 0), { available: 9_299, held: 1 }),
    ],
    [
      'a debit made twice',
      /^wallet w has paid 1700, its payments say 700$/,
      ({ wallets }) => Object.assign(at(wallets, 0), { available: 8_300, settled: 1_700 }),
    ],
  ])('%s', (_, told, change) => {
    expect(tampered(change)).toContainEqual(expect.stringMatching(told));
  });
});
