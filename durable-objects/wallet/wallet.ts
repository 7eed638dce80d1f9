/**
 * The owner of one wallet: the only thing that changes its balances. Every call is one storage transaction with no await
 * in it: all of its entries, effects and the alarm, or, when a bug is met, none. It makes no decision of its own: the
 * ledger does (src/domain/ledger). Called by the wallet-commands consumer (execute) and by HTTP (the rest).
 */
import { DurableObject } from 'cloudflare:workers';
import { auditWallet, type WalletAuditPage } from '../../src/domain/audit/wallet.ts';
import { apportioned, sumOfSpent } from '../../src/domain/cost/spent.ts';
import { OBJECT_CALL } from '../../src/domain/cost/work.ts';
import { InvariantError } from '../../src/domain/errors.ts';
import type { Scope } from '../../src/domain/ids.ts';
import {
  earliestExpiryAtMs,
  executeCommands,
  executeDeposit,
  expireDue,
  openWallet,
} from '../../src/domain/ledger/execute.ts';
import type { LedgerAuditState } from '../../src/domain/ledger/replay.ts';
import { HOUR_MS, LEDGER_PAYMENTS_MAX, LEDGER_SCAN_MAX, MINUTE_MS, PAGE_LIMIT_MAX } from '../../src/domain/limits.ts';
import type { WalletOpened, WalletRow } from '../../src/domain/messages.ts';
import type {
  Deposit,
  DepositResult,
  OpenWalletResult,
  PaymentEntriesQuery,
  PaymentEntriesResult,
  ReadEntriesResult,
  ReadWalletResult,
  WalletCommand,
  WalletOutcome,
  WalletRpc,
  WalletView,
} from '../../src/domain/wallet-rpc.ts';
import { errorText, logLine } from '../../src/telemetry/log.ts';
import { StorageMeter } from '../storage-meter.ts';
import { WalletStore } from './store.ts';
import { balanceAfter, entryView, ledgerLine, walletRow, walletView } from './view.ts';

/** If an alarm ever fails, it comes again after this, whatever the platform's own retries do. */
const WATCHDOG_MS = MINUTE_MS;
/** How long a wallet waits for the directory to have it before it tells of itself again: as long as it has existed, within these. */
const LISTING_WAIT_MS = { min: MINUTE_MS, max: HOUR_MS } as const;

export class Wallet extends DurableObject<Env> implements WalletRpc {
  readonly #store: WalletStore;
  readonly #meter: StorageMeter;
  /** The directory was told of this wallet in this life of the object; whether it has heard, `listed` says. */
  #announced = false;
  /** That it is full was said in this life of the object. */
  #saidFull = false;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#meter = new StorageMeter(ctx.storage);
    this.#store = new WalletStore(this.#meter.sql);
  }

  /**
   * Carries out a saga's commands in order. A refusal concerns its own command; a thrown InvariantError undoes the whole
   * call, so that the caller can send its commands one by one and find the one that is a bug.
   */
  execute(scope: Scope, walletId: string, commands: readonly WalletCommand[]): readonly WalletOutcome[] {
    // What was spent since the last call was not for these.
    this.#meter.take();
    const outcomes = this.#commit((nowMs) => executeCommands(this.#store, { scope, walletId }, commands, nowMs));
    const full = outcomes.findIndex((outcome) => outcome.kind === 'refused' && outcome.reason === 'wallet_full');
    if (full >= 0) this.#sayFull(commands[full]?.paymentId);
    const shares = apportioned(sumOfSpent(this.#meter.take(), OBJECT_CALL), outcomes.length);
    return outcomes.map((outcome, index) => ({ ...outcome, spent: shares[index] ?? {} }));
  }

  /** Opens the wallet, or answers it as it is. */
  open(scope: Scope, walletId: string, currency: string): OpenWalletResult {
    const kind = this.#commit((nowMs) => openWallet(this.#store, { scope, walletId }, currency, nowMs));
    const wallet = this.#requireView();
    return kind === 'currency_conflict' ? { kind, currency: wallet.currency } : { kind, wallet };
  }

  /** Balances, open holds and version as of one entry. */
  read(): ReadWalletResult {
    const wallet = this.#view();
    return wallet === null ? { kind: 'not_found' } : { kind: 'found', wallet };
  }

  /** Puts money in, once per effect id. Refusals are stored, except those of a wallet which does not exist, or is full. */
  deposit(deposit: Deposit): DepositResult {
    const decision = this.#commit((nowMs) => executeDeposit(this.#store, deposit, nowMs));
    if (decision.kind === 'refused' && decision.reason === 'wallet_full') this.#sayFull();
    return 'entry' in decision ? { kind: decision.kind, entry: entryView(decision.entry) } : decision;
  }

  /** An operator's word: whether holds and deposits are refused from now on. No entry: no money moves. Said again, nothing is written. */
  setFrozen(frozen: boolean): ReadWalletResult {
    const wallet = this.#store.wallet();
    if (wallet !== null && wallet.frozen !== frozen) this.#commit(() => this.#store.setFrozen(frozen));
    return this.read();
  }

  /** The directory (D1) has this wallet. The alarm stands for what is left to wait for. */
  acknowledgeListing(): void {
    if (this.#store.wallet() === null || this.#store.isListed()) return;
    this.#commit(() => {
      this.#store.setListed();
      if (earliestExpiryAtMs(this.#store.openHolds()) === null) this.ctx.waitUntil(this.#meter.deleteAlarm());
    });
  }

  /** The row of the directory that this wallet amounts to; null where none was opened. */
  directoryRow(): WalletRow | null {
    const wallet = this.#store.wallet();
    return wallet === null ? null : walletRow(wallet);
  }

  /**
   * One page of the audit of this wallet, by what is stored and nothing that is in memory: its rows are looked up from each
   * other, so the code goes to the rows (decision 0055). Changes nothing.
   */
  audit(state: LedgerAuditState | null): WalletAuditPage {
    return auditWallet(new WalletStore(this.ctx.storage.sql), state);
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
   * What the ledger has of some payments. Entries have no index by payment, which every entry would pay for: the spans of
   * time lead to them.
   * @throws InvariantError for more payments than one question may name.
   */
  readPaymentEntries({ paymentIds, spans }: PaymentEntriesQuery): PaymentEntriesResult {
    if (paymentIds.length > LEDGER_PAYMENTS_MAX) throw new InvariantError('ledger_payments_max');
    if (this.#store.wallet() === null) return { kind: 'not_found' };
    const ranges = spans.map(({ fromMs, toMs }) => ({
      after: this.#store.lastSequenceAt(fromMs - 1),
      last: this.#store.lastSequenceAt(toMs),
    }));
    const scanned = ranges.reduce((sum, { after, last }) => sum + last - after, 0);
    if (scanned > LEDGER_SCAN_MAX) return { kind: 'too_many' };
    const holds = this.#store.openHolds();
    return {
      kind: 'found',
      entries: ranges.flatMap((range) => this.#store.entriesOf(paymentIds, range)).map(ledgerLine),
      holds: paymentIds.flatMap((paymentId) => {
        const hold = holds.get(paymentId);
        return hold === undefined ? [] : { paymentId, amountMinor: hold.amountMinor };
      }),
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
      this.#announced = false;
      this.#announce();
    } catch (error) {
      this.ctx.waitUntil(this.#meter.setAlarm(Date.now() + WATCHDOG_MS));
      logLine('wallet.alarm_failed', { error: errorText(error), alert: true });
    }
  }

  /** The one place where storage changes. What a rolled-back call left in memory is forgotten with it. */
  #commit<T>(change: (nowMs: number) => T): T {
    try {
      const result = this.ctx.storage.transactionSync(() => {
        const nowMs = Date.now();
        const changed = change(nowMs);
        this.#arm(nowMs);
        return changed;
      });
      this.#announce();
      return result;
    } catch (error) {
      this.#store.forget();
      throw error;
    }
  }

  /** For a person: it takes no payments any more. Named by one that it refused: its own name is the client's, and in no line. */
  #sayFull(paymentId?: string): void {
    if (this.#saidFull) return;
    this.#saidFull = true;
    const { merchant, mode } = this.#store.wallet()?.scope ?? {};
    const version = this.#store.head()?.sequence ?? 0;
    logLine('wallet.full', { merchant, mode, payment_id: paymentId, wallet_version: version, alert: true });
  }

  /** Sets the alarm when what is waited for comes before the one that is set: two rows, and seldom. */
  #arm(nowMs: number): void {
    const dues = [earliestExpiryAtMs(this.#store.openHolds()), this.#listingDueAtMs(nowMs)];
    const wantedAtMs = dues.reduce((left, right) => (left === null || (right !== null && right < left) ? right : left));
    const armedAtMs = this.#store.alarmAtMs();
    const isArmed = armedAtMs !== null && armedAtMs > nowMs && armedAtMs <= (wantedAtMs ?? 0);
    if (wantedAtMs === null || isArmed) return;
    this.#store.setAlarmAtMs(wantedAtMs);
    this.ctx.waitUntil(this.#meter.setAlarm(wantedAtMs));
  }

  #listingDueAtMs(nowMs: number): number | null {
    const wallet = this.#store.wallet();
    if (wallet === null || this.#store.isListed()) return null;
    return nowMs + Math.min(Math.max(nowMs - wallet.createdAtMs, LISTING_WAIT_MS.min), LISTING_WAIT_MS.max);
  }

  /** Tells the directory of a wallet that it is not known to have. A loss costs nothing: the alarm tells of it again. */
  #announce(): void {
    const wallet = this.#store.wallet();
    if (wallet === null || this.#announced || this.#store.isListed()) return;
    this.#announced = true;
    const message: WalletOpened = { kind: 'wallet_opened', wallet: walletRow(wallet) };
    const sent = this.env.PAYMENT_EVENTS.send(message).catch((error: unknown) => {
      logLine('queue.send_failed', { message_type: message.kind, error: errorText(error) });
    });
    this.ctx.waitUntil(sent);
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
