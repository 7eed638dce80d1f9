/** Commands and ledgers for the ledger's tests: one wallet in USD, amounts and ids that the test may replace. */
import { executeCommands, executeDeposit, openWallet } from '../../../src/domain/ledger/execute.ts';
import type { WalletCommand, WalletOutcome } from '../../../src/domain/wallet-rpc.ts';
import { MemoryStore } from './memory-store.ts';

export const NOW_MS = Date.UTC(2026, 10, 24);
export const HOLD_TTL_MS = 1_000;
export const OWNER = { scope: { merchant: 'default', mode: 'sandbox' }, walletId: 'wal-1' } as const;

type Type = WalletCommand['type'];
type Fields = Partial<Omit<Extract<WalletCommand, { type: 'hold' }>, 'type'>> & { readonly simulate?: 'refuse' };

/** A command of the n-th payment, under an effect id of its own. */
export function command(type: Type, n: number, fields: Fields = {}): WalletCommand {
  const base = { effectId: `${type}.${n}`, paymentId: `pay_${n}`, amountMinor: 100, currency: 'USD' };
  const hold = type === 'hold' ? { expiresAtMs: NOW_MS + HOLD_TTL_MS } : {};
  return { ...base, ...hold, ...fields, type } as WalletCommand;
}

/** An open wallet with `amountMinor` available, by one deposit. */
export function funded(amountMinor: number): MemoryStore {
  const store = new MemoryStore();
  openWallet(store, OWNER, 'USD', NOW_MS);
  executeDeposit(store, { effectId: 'deposit.1', amountMinor, currency: 'USD', reference: 'r' }, NOW_MS);
  return store;
}

export function execute(store: MemoryStore, commands: readonly WalletCommand[], nowMs = NOW_MS): readonly string[] {
  return executeCommands(store, OWNER, commands, nowMs).map(told);
}

/** `applied 2` with the version, or the refusal. */
export function told(outcome: WalletOutcome): string {
  return outcome.kind === 'applied' ? `applied ${outcome.version}` : outcome.reason;
}

/** A sound ledger with entries of every type, partial debits, refusals, and a release that found its hold expired. */
export function everyEntryType(): MemoryStore {
  const store = funded(5_000);
  for (let n = 1; n <= 30; n++) {
    execute(store, [command('hold', n, { amountMinor: 10 * n })]);
    if (n % 3 === 0) execute(store, [command('debit', n, { amountMinor: 5 * n })]);
    if (n % 3 === 1) execute(store, [command('release', n, { amountMinor: 10 * n })]);
    if (n % 6 === 0)
      execute(store, [command('credit', n, { amountMinor: 4 }), command('reverse', n, { amountMinor: 2 })]);
  }
  execute(store, [command('hold', 99, { amountMinor: 9_999 }), command('debit', 98)]);
  execute(store, [command('hold', 50, { expiresAtMs: NOW_MS + 9_999 })]);
  execute(store, [command('release', 2, { amountMinor: 20 })], NOW_MS + HOLD_TTL_MS);
  return store;
}
