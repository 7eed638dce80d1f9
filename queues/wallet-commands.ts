/**
 * Consumer of `wallet-commands`: one call per wallet carries all commands of the batch for it, and each outcome goes
 * back to its saga as a fact. It decides nothing: the wallet does. An effect id makes every delivery harmless but the first.
 */
import { InvariantError } from '../src/domain/errors.ts';
import type { EventPayload } from '../src/domain/events/catalogue.ts';
import type { Event } from '../src/domain/events/decode.ts';
import { walletObjectName } from '../src/domain/ids.ts';
import type { WalletCommand, WalletOutcome } from '../src/domain/rpc.ts';
import type { Fact } from '../src/domain/saga/outcome.ts';
import { type Consumed, consume } from './consume.ts';
import { commandDecoder } from './decode-command.ts';
import { type Verdict, verdictOnError } from './retry-policy.ts';
import { deliverOutcomes } from './sagas.ts';

const TYPES = [
  'orchestrator.wallet.hold_funds',
  'orchestrator.wallet.debit',
  'orchestrator.wallet.release_funds',
  'orchestrator.wallet.credit',
  'orchestrator.wallet.reverse_credit',
] as const;
type WalletMessage = Extract<Event, { event_type: (typeof TYPES)[number] }>;

export async function consumeWalletCommands(batch: MessageBatch, env: Env): Promise<void> {
  await consume<WalletMessage>(batch, env, {
    decode: commandDecoder(TYPES),
    groupKey: (event) => walletObjectName(event.metadata, event.payload.wallet_id),
    handle: (items) => handleWallet(env, items),
  });
}

async function handleWallet(env: Env, items: readonly Consumed<WalletMessage>[]): Promise<readonly Verdict[]> {
  const [first] = items;
  if (first === undefined) return [];
  const { metadata, payload } = first.body;
  const scope = { merchant: metadata.merchant, mode: metadata.mode };
  const wallet = env.WALLET.getByName(walletObjectName(scope, payload.wallet_id));
  const outcomes = await wallet.execute(
    scope,
    payload.wallet_id,
    items.map(({ body }) => toCommand(body)),
  );
  return Promise.all(
    items.map(async ({ body, message }, index) => {
      const outcome = outcomes[index];
      if (outcome === undefined) throw new InvariantError('one_outcome_per_command', { index });
      const effectId = body.metadata.message_deduplication_id;
      try {
        return await deliverOutcomes(env, body.payload.refund_id ?? body.payload.payment_id, [
          { effect_id: effectId, fact: toFact(body, outcome) },
        ]);
      } catch (error) {
        // The wallet has acted; only this report failed. Its neighbours' reports stand.
        return verdictOnError(error, message.attempts, Math.random());
      }
    }),
  );
}

function toCommand(event: WalletMessage): WalletCommand {
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
      return { ...base, type: 'debit', ...(simulates && { simulate: 'refuse' }) };
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

function toFact(event: WalletMessage, outcome: WalletOutcome): Fact {
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
