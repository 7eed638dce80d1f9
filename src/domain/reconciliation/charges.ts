/**
 * Pure: a payment at rest against the charges that providers have for it. A payment that COMPLETED has one charge in force,
 * the one that it names, at the provider that it names, of its amount; one that FAILED has none.
 */
import type { ChargeLine, PaymentRecord } from './books.ts';
import type { Difference } from './difference.ts';
import { aboutPayment, apartMinor, claimOf, NOTHING, type Subject, sideOf } from './subject.ts';

/** How much of a charge is in force: at least something where its amount cannot be told. */
export function inForceMinor({ state, amountMinor, refundedMinor }: ChargeLine): number {
  if (state !== 'authorized' && state !== 'captured') return 0;
  return amountMinor === null ? 1 : Math.max(amountMinor - refundedMinor, 0);
}

/** @param isExpected whether the charge must be in the lines: it was made within the window, and the books were read. */
export function compareCharges({ payment, charges }: Subject, isExpected: boolean): Difference[] {
  if (payment.status === 'FAILED') return charges.flatMap((line) => ofFailed(payment, line));
  const own = ownCharge(payment, charges);
  const others = charges.filter((line) => line !== own).flatMap((line) => duplicate(payment, line));
  if (own !== null) return [...ofCompleted(payment, own), ...others];
  return isExpected ? [missing(payment, null), ...others] : others;
}

/** The charge that the payment names; where its reference was never heard, the one in force at its provider. */
export function ownCharge(payment: PaymentRecord, charges: readonly ChargeLine[]): ChargeLine | null {
  const atProvider = charges.filter(({ provider }) => payment.provider === null || provider === payment.provider);
  if (payment.reference !== null) return atProvider.find(({ reference }) => reference === payment.reference) ?? null;
  return atProvider.find((line) => inForceMinor(line) > 0) ?? atProvider[0] ?? null;
}

function ofCompleted(payment: PaymentRecord, line: ChargeLine): Difference[] {
  if (line.state === 'voided' || line.state === 'declined') return [missing(payment, line)];
  const base = {
    ...aboutPayment(payment),
    provider: line.provider,
    subject: line.reference,
    expected: claimOf(payment),
    found: sideOf(line),
  };
  const differences: Difference[] = [];
  // A wallet's sale is confirmed as a whole and never captured; a card's money is to be had once it is captured.
  const isInForce = line.state === 'captured' || (line.state === 'authorized' && payment.method === 'balance');
  if (!isInForce) differences.push({ ...base, class: 'status_mismatch', inDoubtMinor: payment.amountMinor });
  if (line.currency !== payment.currency) {
    differences.push({ ...base, class: 'currency_mismatch', inDoubtMinor: payment.amountMinor });
  } else if (line.amountMinor !== payment.amountMinor) {
    const inDoubtMinor = apartMinor(payment.amountMinor, line.amountMinor);
    differences.push({ ...base, class: 'amount_mismatch', inDoubtMinor });
  }
  return differences;
}

function missing(payment: PaymentRecord, line: ChargeLine | null): Difference {
  return {
    ...aboutPayment(payment),
    class: 'missing_at_provider',
    subject: payment.reference ?? 'charge',
    expected: claimOf(payment),
    found: line === null ? NOTHING : sideOf(line),
    inDoubtMinor: payment.amountMinor,
  };
}

function ofFailed(payment: PaymentRecord, line: ChargeLine): Difference[] {
  const base = { ...aboutPayment(payment), ...ofLine(line), expected: claimOf(payment) };
  // It may still come to be in force, and nobody here waits for it any more.
  if (line.state === 'pending') return [{ ...base, class: 'status_mismatch' }];
  return inForceMinor(line) > 0 ? [{ ...base, class: 'missing_here' }] : [];
}

function duplicate(payment: PaymentRecord, line: ChargeLine): Difference[] {
  if (inForceMinor(line) === 0) return [];
  const base = { ...aboutPayment(payment), ...ofLine(line), expected: claimOf(payment) };
  return [{ ...base, class: 'duplicate_at_provider' }];
}

/** Money in force that no payment of ours accounts for; a charge that is not in force harms nobody. */
export function unknownCharge(line: ChargeLine): Difference[] {
  if (inForceMinor(line) === 0) return [];
  const base = { paymentId: line.paymentId, merchant: null, confirmed: true };
  return [{ ...base, ...ofLine(line), class: 'unknown_here', expected: NOTHING }];
}

function ofLine(line: ChargeLine) {
  return {
    provider: line.provider,
    subject: line.reference,
    found: sideOf(line),
    inDoubtMinor: line.state === 'pending' ? (line.amountMinor ?? 1) : inForceMinor(line),
    currency: line.currency,
  };
}
