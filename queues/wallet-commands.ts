/**
 * Consumer of `wallet-commands`: one call per wallet carries all commands of the batch for it, and each outcome goes
 * back to its saga as a fact. It decides nothing: the wallet does. An effect id makes every delivery harmless but the first.
 */
import { sumOfSpent } from '../src/domain/cost/spent.ts';
import { InvariantError } from '../src/domain/errors.ts';
import { walletObjectName } from '../src/domain/ids.ts';
import { walletStub } from '../src/stubs.ts';
import { type Consumed, consume } from './consume.ts';
import { commandDecoder } from './decode-command.ts';
import { type Verdict, verdictOnError } from './retry-policy.ts';
import { deliverOutcomes } from './sagas.ts';
import { toCommand, toFact, WALLET_COMMAND_TYPES, type WalletMessage } from './wallet-facts.ts';

export async function consumeWalletCommands(batch: MessageBatch, env: Env): Promise<void> {
  await consume<WalletMessage>(batch, env, {
    decode: commandDecoder(WALLET_COMMAND_TYPES),
    groupKey: (event) => walletObjectName(event.metadata, event.payload.wallet_id),
    traceparentOf: (event) => event.metadata.traceparent,
    handle: (items) => handleWallet(env, items),
  });
}

async function handleWallet(env: Env, items: readonly Consumed<WalletMessage>[]): Promise<readonly Verdict[]> {
  const [first] = items;
  if (first === undefined) return [];
  const { metadata, payload } = first.body;
  const scope = { merchant: metadata.merchant, mode: metadata.mode };
  const outcomes = await walletStub(env, scope, payload.wallet_id).execute(
    scope,
    payload.wallet_id,
    items.map(({ body }) => toCommand(body)),
  );
  return Promise.all(
    items.map(async ({ body, message, spent }, index) => {
      const outcome = outcomes[index];
      if (outcome === undefined) throw new InvariantError('one_outcome_per_command', { index });
      const effectId = body.metadata.message_deduplication_id;
      try {
        return await deliverOutcomes(env, body.payload.refund_id ?? body.payload.payment_id, [
          { effect_id: effectId, fact: toFact(body, outcome), spent: sumOfSpent(spent, outcome.spent) },
        ]);
      } catch (error) {
        // The wallet has acted; only this report failed. Its neighbours' reports stand.
        return verdictOnError(error, message.attempts, Math.random());
      }
    }),
  );
}
