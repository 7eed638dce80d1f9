/**
 * The wallets of a world: the real ledger (`src/domain/ledger`) over memory. Each command is one transaction, as in the
 * Wallet object. After every entry L1, L2 and X1; after every command L6; the whole ledger by its own audit at the end.
 */
import { executeCommands, executeDeposit, type LedgerStore, openWallet } from '../../src/domain/ledger/execute.ts';
import { verifyLedger } from '../../src/domain/ledger/replay.ts';
import type { WalletCommand, WalletOutcome } from '../../src/domain/wallet-rpc.ts';
import { MemoryStore } from '../domain/ledger/memory-store.ts';
import type { WalletPlan } from './plan.ts';
import { must } from './violation.ts';

export const SCOPE = { merchant: 'default', mode: 'sandbox' } as const;
const CURRENCY = 'USD';

/** A canary puts a faulty store in the real one's place. */
export type StoreOf = (real: MemoryStore) => LedgerStore;

interface Wallet {
  readonly real: MemoryStore;
  readonly store: LedgerStore;
  /** The first answer to each effect: the only one there may ever be. */
  readonly answers: Map<string, string>;
  checked: number;
}

export class Wallets {
  readonly #wallets = new Map<string, Wallet>();

  constructor(plans: readonly WalletPlan[], storeOf: StoreOf, nowMs: number) {
    for (const { walletId, depositMinor } of plans) {
      const real = new MemoryStore();
      const wallet = { real, store: storeOf(real), answers: new Map<string, string>(), checked: 0 };
      this.#wallets.set(walletId, wallet);
      if (depositMinor === null) continue;
      openWallet(wallet.store, { scope: SCOPE, walletId }, CURRENCY, nowMs);
      executeDeposit(wallet.store, { effectId: 'deposit', amountMinor: depositMinor, currency: CURRENCY }, nowMs);
    }
  }

  execute(walletId: string, command: WalletCommand, nowMs: number): WalletOutcome {
    const wallet = this.#of(walletId);
    const [outcome] = executeCommands(wallet.store, { scope: SCOPE, walletId }, [command], nowMs);
    if (outcome === undefined) throw new Error('one outcome per command');
    this.#checkEntries(walletId, wallet);
    const answer = outcome.kind === 'applied' ? String(outcome.version) : outcome.reason;
    const first = wallet.answers.get(command.effectId) ?? answer;
    must(first === answer, 'L6', () => `${command.effectId} was answered ${first}, and now ${answer}`);
    wallet.answers.set(command.effectId, first);
    return outcome;
  }

  /** How the hold of a payment ended; null: there is none, or it is open. */
  resolution(walletId: string, paymentId: string): string | null {
    return this.#of(walletId).real.resolution(paymentId);
  }

  isHeld(walletId: string, paymentId: string): boolean {
    return this.#of(walletId).real.holds.has(paymentId);
  }

  answer(walletId: string, effectId: string): string | undefined {
    return this.#of(walletId).answers.get(effectId);
  }

  /** What left the wallet for a payment and its refunds, net. */
  settledMinor(walletId: string, paymentId: string): number {
    return this.#of(walletId)
      .real.entries.filter((entry) => entry.paymentId === paymentId)
      .flatMap(({ postings }) => postings)
      .reduce((sum, { account, amount }) => (account === 'settled' ? sum + amount : sum), 0);
  }

  /** L1, L2, L3, L5, L6 by replay of everything, and X1. */
  audit(): void {
    for (const [walletId, { real }] of this.#wallets) {
      if (real.wallet() === null) continue;
      const { balances, violations } = verifyLedger(real.stored());
      const [first] = violations;
      must(first === undefined, first?.invariant ?? '', () => `wallet ${walletId}: ${first?.detail}`);
      const { available, held, settled, external } = balances;
      must(available + held + settled === external, 'X1', () => `wallet ${walletId}: ${JSON.stringify(balances)}`);
    }
  }

  #checkEntries(walletId: string, wallet: Wallet): void {
    const { entries } = wallet.real;
    for (; wallet.checked < entries.length; wallet.checked++) {
      const entry = entries[wallet.checked];
      if (entry === undefined) return;
      const sum = entry.postings.reduce((total, { amount }) => total + amount, 0);
      must(sum === 0, 'L1', () => `wallet ${walletId}, entry ${entry.sequence}: postings sum to ${sum}`);
      const { available, held, settled, external } = entry.balances;
      const isNegative = available < 0 || held < 0 || settled < 0;
      must(!isNegative, 'L2', () => `wallet ${walletId}, entry ${entry.sequence}: ${JSON.stringify(entry.balances)}`);
      must(available + held + settled === external, 'X1', () => `wallet ${walletId}, entry ${entry.sequence}`);
    }
  }

  #of(walletId: string): Wallet {
    const wallet = this.#wallets.get(walletId);
    if (wallet === undefined) throw new Error(`no wallet ${walletId}`);
    return wallet;
  }
}
