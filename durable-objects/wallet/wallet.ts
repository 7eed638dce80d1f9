/**
 * The owner of one wallet: the only thing that changes its balances. Every call is one storage transaction with no await
 * in it: all of its entries, effects and the alarm, or, when a bug is met, none. It makes no decision of its own: the
 * ledger does (src/domain/ledger). Called by the wallet-commands consumer (execute) and by HTTP (the rest).
 */
import { DurableObject } from 'cloudflare:workers';
import { InvariantError } from '../../src/domain/errors.ts';
import type { Scope } from '../../src/domain/ids.ts';
import {
  earliestExpiryAtMs,
  executeCommands,
  executeDeposit,
  expireDue,
  openWallet,
} from '../../src/domain/ledger/execute.ts';
import { MINUTE_MS, PAGE_LIMIT_MAX } from '../../src/domain/limits.ts';
import type {
  Deposit,
  DepositResult,
  OpenWalletResult,
  ReadEntriesResult,
  WalletCommand,
  WalletOutcome,
  WalletRpc,
  WalletView,
} from '../../src/domain/rpc.ts';
import { errorText, logLine } from '../../src/telemetry/log.ts';
import { WalletStore } from './store.ts';
import { balanceAfter, entryView, walletView } from './view.ts';

/** If an alarm ever fails, it comes again after this, whatever the platform's own retries do. */
const WATCHDOG_MS = MINUTE_MS;

export class Wallet extends DurableObject<Env> implements WalletRpc {
  readonly #store: WalletStore;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new WalletStore(ctx.storage.sql);
  }

  /**
   * Carries out a saga's commands in order. A refusal concerns its own command; a thrown InvariantError undoes the whole
   * call, so that the caller can send its commands one by one and find the one that is a bug.
   */
  execute(scope: Scope, walletId: string, commands: readonly WalletCommand[]): readonly WalletOutcome[] {
    return this.#commit((nowMs) => executeCommands(this.#store, { scope, walletId }, commands, nowMs));
  }

  /** Opens the wallet, or answers it as it is. */
  open(scope: Scope, walletId: string, currency: string): OpenWalletResult {
    const kind = this.#commit((nowMs) => openWallet(this.#store, { scope, walletId }, currency, nowMs));
    const wallet = this.#requireView();
    return kind === 'currency_conflict' ? { kind, currency: wallet.currency } : { kind, wallet };
  }

  /** Balances, open holds and version as of one entry. */
  read(): { readonly kind: 'found'; readonly wallet: WalletView } | { readonly kind: 'not_found' } {
    const wallet = this.#view();
    return wallet === null ? { kind: 'not_found' } : { kind: 'found', wallet };
  }

  /** Puts money in, once per effect id. Refusals are stored, except that of a wallet which does not exist. */
  deposit(deposit: Deposit): DepositResult {
    const decision = this.#commit((nowMs) => executeDeposit(this.#store, deposit, nowMs));
    return 'entry' in decision ? { kind: decision.kind, entry: entryView(decision.entry) } : decision;
  }

  /** One page of the ledger, newest first; a limit outside 1 … PAGE_LIMIT_MAX is brought into it. */
  readEntries(page: { beforeSequence: number | null; limit: number; atMs: number | null }): ReadEntriesResult {
    if (this.#store.wallet() === null) return { kind: 'not_found' };
    const newest = page.atMs === null ? (this.#store.head()?.sequence ?? 0) : this.#store.lastSequenceAt(page.atMs);
    const last = Math.min(newest, (page.beforeSequence ?? Number.POSITIVE_INFINITY) - 1);
    const limit = Math.min(Math.max(page.limit, 1), PAGE_LIMIT_MAX);
    const first = Math.max(1, last - limit + 1);
    const entries = last < first ? [] : this.#store.entries(first - 1, last - first + 1);
    return {
      kind: 'found',
      entries: entries.reverse().map(entryView),
      more: first > 1,
      ...(page.atMs !== null && { balanceAt: balanceAfter(newest === 0 ? null : this.#store.entry(newest)) }),
    };
  }

  /**
   * Gives expired holds back. Were it to fail, it is set again: the platform gives an alarm up after six failures. Late
   * or lost, it changes nothing else: the next command expires what is due before it looks at anything.
   */
  override alarm(): void {
    try {
      this.#commit((nowMs) => {
        // It has rung, whatever the clock says, now or once it is set back: it must not pass for one that is still to come.
        if (this.#store.alarmAtMs() !== null) this.#store.setAlarmAtMs(null);
        expireDue(this.#store, nowMs);
      });
    } catch (error) {
      this.ctx.waitUntil(this.ctx.storage.setAlarm(Date.now() + WATCHDOG_MS));
      logLine('wallet.alarm_failed', { error: errorText(error), alert: true });
    }
  }

  /** The one place where storage changes. What a rolled-back call left in memory is forgotten with it. */
  #commit<T>(change: (nowMs: number) => T): T {
    try {
      return this.ctx.storage.transactionSync(() => {
        const nowMs = Date.now();
        const result = change(nowMs);
        this.#arm(nowMs);
        return result;
      });
    } catch (error) {
      this.#store.forget();
      throw error;
    }
  }

  /** Sets the alarm when the earliest expiry comes before the one that is set: two rows, and seldom. */
  #arm(nowMs: number): void {
    const wantedAtMs = earliestExpiryAtMs(this.#store.openHolds());
    const armedAtMs = this.#store.alarmAtMs();
    const isArmed = armedAtMs !== null && armedAtMs > nowMs && armedAtMs <= (wantedAtMs ?? 0);
    if (wantedAtMs === null || isArmed) return;
    this.#store.setAlarmAtMs(wantedAtMs);
    this.ctx.waitUntil(this.ctx.storage.setAlarm(wantedAtMs));
  }

  #view(): WalletView | null {
    const wallet = this.#store.wallet();
    return wallet === null ? null : walletView(wallet, this.#store.head(), this.#store.openHolds());
  }

  #requireView(): WalletView {
    const wallet = this.#view();
    if (wallet === null) throw new InvariantError('wallet_present');
    return wallet;
  }
}
