/**
 * Pure: what of a saga's effects stands now, as far as the saga knows: for a person who must decide. Made from what settled
 * each effect; what may have happened unheard is `unknown`, never `none`. Called by the kinds of sagas.
 */
import type { PaymentData } from '../payment.ts';
import { reasonOf } from './payment-attention.ts';
import type { PaymentSagaValue } from './payment-types.ts';
import type { RefundSagaValue } from './refund-types.ts';
import type { Saga } from './table.ts';

/** Whether some effect was settled by one of these words (`release:done`). */
function isSettled({ settled }: Saga, ...words: readonly string[]): boolean {
  return Object.values(settled).some((word) => words.includes(word));
}

function mayHaveActed({ pending, spent = [] }: Saga, name: string): boolean {
  return [...pending, ...spent].some((command) => command.name === name && command.event !== null);
}

function hold(saga: PaymentSagaValue): string {
  if (isSettled(saga, 'release:done')) return 'released';
  if (isSettled(saga, 'debit:done')) return 'debited';
  if (mayHaveActed(saga, 'release') || mayHaveActed(saga, 'debit')) return 'unknown';
  if (isSettled(saga, 'hold:done')) return 'held';
  return mayHaveActed(saga, 'hold') ? 'unknown' : 'none';
}

function charge(saga: PaymentSagaValue): string {
  const { data, state } = saga;
  if (isSettled(saga, 'unauthorize:done', 'refund:done')) return 'undone';
  const where = state === 'needs_attention' ? reasonOf(data) : state;
  switch (where) {
    case 'capturing':
    case 'capture_unknown':
      return 'authorized, capture unknown';
    case 'debiting':
    case 'completed':
    case 'compensating':
    case 'compensation_failed':
      return data.captured ? 'captured' : 'authorized';
    case 'authorizing':
    case 'authorization_unknown':
      return 'unknown';
    default:
      return 'none';
  }
}

function late({ provider, reference, captured, notUndone }: PaymentData['late'][number]) {
  return { provider, reference, captured, ...(notUndone !== undefined && { not_undone: notUndone }) };
}

export function paymentInForce(saga: PaymentSagaValue): Record<string, unknown> {
  const { provider, providerReference, request } = saga.data;
  return {
    wallet_id: request.wallet_id,
    hold: hold(saga),
    charge: charge(saga),
    provider,
    provider_reference: providerReference,
    late: saga.data.late.map(late),
  };
}

export function refundInForce(saga: RefundSagaValue): Record<string, unknown> {
  const { data } = saga;
  const wasRefunded = isSettled(saga, 'refund:done', 'credit:done', 'credit:refused') || saga.state === 'completed';
  const isUnknown = mayHaveActed(saga, 'refund') || data.unknownSinceMs !== null;
  const isTakenBack = isSettled(saga, 'refund:refused') && wasRefunded;
  const notRefunded = isUnknown && saga.state !== 'failed' ? 'unknown' : 'none';
  const credited = isSettled(saga, 'reverse:done') ? 'reversed' : 'credited';
  return {
    wallet_id: data.payment?.walletId ?? null,
    reserved: data.payment?.amountMinor ?? null,
    refund: isTakenBack || data.takenBack ? 'taken_back' : wasRefunded ? 'refunded' : notRefunded,
    credit: isSettled(saga, 'credit:done') ? credited : mayHaveActed(saga, 'credit') ? 'unknown' : 'none',
    provider: data.payment?.provider ?? null,
    provider_reference: data.payment?.providerReference ?? null,
  };
}
