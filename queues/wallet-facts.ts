/**
 * Pure: from a saga's message to the wallet's command, and from the wallet's outcome to the fact that the saga hears. Used by
 * the consumer (`wallet-commands.ts`) and by the simulator, which has no runtime around it.
 */
import type { EventPayload } from '../src/domain/events/catalogue.ts';
import type { Event } from '../src/domain/events/decode.ts';
import type { Fact } from '../src/domain/saga/outcome.ts';
import type { WalletCommand, WalletOutcome } from '../src/domain/wallet-rpc.ts';

export const WALLET_COMMAND_TYPES = [
  'orchestrator.wallet.hold_funds',
  'orchestrator.wallet.debit',
  'orchestrator.wallet.release_funds',
  'orchestrator.wallet.credit',
  'orchestrator.wallet.reverse_credit',
] as const;
export type WalletMessage = Extract<Event, { event_type: (typeof WALLET_COMMAND_TYPES)[number] }>;

export function toCommand(event: WalletMessage): WalletCommand {
  const { payment_id: paymentId, amount: amountMinor, currency } = event.payload;
  const base = { effectId: event.metadata.message_deduplication_id, paymentId, amountMinor, currency };
  switch (event.event_type) {
    case 'orchestrator.wallet.hold_funds': {
      const { expires_at: expiresAt, open_with: openWithMinor } = event.payload;
      return {
        ...base,
        type: 'hold',
        expiresAtMs: Date.parse(expiresAt),
        ...(openWithMinor !== undefined && event.metadata.mode === 'sandbox' && { openWithMinor }),
      };
    }
    case 'orchestrator.wallet.debit': {
      const simulates = event.payload.simulate !== undefined && event.metadata.mode === 'sandbox';
      const { not_after: notAfter } = event.payload;
      return {
        ...base,
        type: 'debit',
        ...(notAfter !== undefined && { notAfterMs: Date.parse(notAfter) }),
        ...(simulates && { simulate: 'refuse' }),
      };
    }
    case 'orchestrator.wallet.release_funds':
      return { ...base, type: 'release' };
    case 'orchestrator.wallet.credit':
      return { ...base, type: 'credit' };
    case 'orchestrator.wallet.reverse_credit':
      return { ...base, type: 'reverse' };
  }
}

const FACTS = {
  'orchestrator.wallet.hold_funds': { done: 'wallet.hold_funds', refused: 'wallet.hold_funds_failed', status: 'HELD' },
  'orchestrator.wallet.debit': { done: 'wallet.debit', refused: 'wallet.debit_failed', status: 'DEBITED' },
  'orchestrator.wallet.release_funds': {
    done: 'wallet.release_funds',
    refused: 'wallet.release_funds_failed',
    status: 'RELEASED',
  },
  'orchestrator.wallet.credit': { done: 'wallet.credit', refused: 'wallet.credit_failed', status: 'CREDITED' },
  'orchestrator.wallet.reverse_credit': {
    done: 'wallet.reverse_credit',
    refused: 'wallet.reverse_credit_failed',
    status: 'REVERSED',
  },
} as const;

export function toFact(event: WalletMessage, outcome: WalletOutcome): Fact {
  const { payment_id, refund_id, wallet_id, amount, currency } = event.payload;
  const names = FACTS[event.event_type];
  const base = { payment_id, ...(refund_id !== undefined && { refund_id }), wallet_id, amount, currency };
  if (outcome.kind === 'refused') {
    const payload: EventPayload<'wallet.hold_funds_failed'> = { ...base, status: 'REFUSED', reason: outcome.reason };
    return { event_type: names.refused, payload };
  }
  const payload: EventPayload<'wallet.hold_funds'> = { ...base, status: names.status, wallet_version: outcome.version };
  return { event_type: names.done, payload };
}
