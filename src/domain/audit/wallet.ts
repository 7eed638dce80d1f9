/**
 * Pure: one page of the audit of a wallet: takes so many of its rows, and says where to go on. New entries come first in
 * every page, so that what is compared at the end is one moment of the wallet, however long the pages took.
 * Called by the Wallet object over its own storage.
 */
import type { StoredEffect } from '../ledger/decide.ts';
import type { Balances, LedgerEntry, OpenHolds, Resolution } from '../ledger/entry.ts';
import type { StoredWallet } from '../ledger/execute.ts';
import { beginAudit, LedgerAudit, type LedgerAuditState, type LedgerLookup, type Violation } from '../ledger/replay.ts';
import { AUDIT_WALLET_ROWS_MAX } from '../limits.ts';

/** What a wallet has stored: pages in the order of their keys, after the key given. */
export interface StoredWalletRows {
  wallet(): StoredWallet | null;
  entries(sequence: number, limit: number): readonly LedgerEntry[];
  effects(effectId: string, limit: number): readonly StoredEffect[];
  resolutions(paymentId: string, limit: number): readonly (readonly [paymentId: string, resolution: Resolution])[];
  effect(effectId: string): StoredEffect | null;
  resolution(paymentId: string): Resolution | null;
  openHolds(): OpenHolds;
}

export interface WalletAuditPage {
  /** Null: the object holds none, or nothing that can be read. */
  readonly wallet: StoredWallet | null;
  readonly balances: Balances;
  readonly rows: number;
  readonly violations: readonly Violation[];
  /** Where the next page goes on; null on the last. */
  readonly next: LedgerAuditState | null;
}

/** At most `rowsMax` rows, after `state`: null for the first page. What cannot be read ends the audit. */
export function auditWallet(
  stored: StoredWalletRows,
  state: LedgerAuditState | null,
  rowsMax = AUDIT_WALLET_ROWS_MAX,
): WalletAuditPage {
  const page = new Page(stored, rowsMax);
  page.audit.guard('L5', () => page.run(state));
  const { audit, wallet, rows, isLast } = page;
  const next = isLast || wallet === null ? null : audit.state;
  return { wallet, balances: audit.state.balances, rows, violations: audit.violations, next };
}

class Page {
  readonly audit: LedgerAudit;
  wallet: StoredWallet | null = null;
  rows = 0;
  isLast = true;
  readonly #stored: StoredWalletRows;
  readonly #rowsMax: number;

  constructor(stored: StoredWalletRows, rowsMax: number) {
    this.#stored = stored;
    this.#rowsMax = rowsMax;
    this.audit = new LedgerAudit(lookupIn(stored));
  }

  run(state: LedgerAuditState | null): void {
    this.wallet = this.#stored.wallet();
    if (this.wallet === null) return;
    this.audit.resume(state ?? beginAudit(this.wallet));
    if (this.#takeEntries() && this.#takeEffects() && this.#takeResolutions()) {
      this.audit.finish(this.#stored.openHolds());
      return;
    }
    this.isLast = false;
  }

  /** True when none is left. */
  #takeEntries(): boolean {
    const limit = this.#left();
    // From below the first sequence there may be: a row that was moved there is found, too.
    const version = this.audit.state.version === 0 ? Number.MIN_SAFE_INTEGER : this.audit.state.version;
    const entries = this.#stored.entries(version, limit);
    for (const entry of entries) this.audit.takeEntry(entry);
    return this.#took(entries.length, limit);
  }

  #takeEffects(): boolean {
    const { afterEffect } = this.audit.state;
    if (afterEffect === null) return true;
    const limit = this.#left();
    const effects = this.#stored.effects(afterEffect, limit);
    for (const effect of effects) this.audit.takeEffect(effect);
    const isEnd = this.#took(effects.length, limit);
    if (isEnd) this.audit.endOf('afterEffect');
    return isEnd;
  }

  #takeResolutions(): boolean {
    const { afterResolution } = this.audit.state;
    if (afterResolution === null) return true;
    const limit = this.#left();
    const resolutions = this.#stored.resolutions(afterResolution, limit);
    for (const [paymentId, resolution] of resolutions) this.audit.takeResolution(paymentId, resolution);
    const isEnd = this.#took(resolutions.length, limit);
    if (isEnd) this.audit.endOf('afterResolution');
    return isEnd;
  }

  #left(): number {
    return this.#rowsMax - this.rows;
  }

  #took(count: number, limit: number): boolean {
    this.rows += count;
    return count < limit;
  }
}

function lookupIn(stored: StoredWalletRows): LedgerLookup {
  return {
    entry(sequence) {
      const [entry] = stored.entries(sequence - 1, 1);
      return entry?.sequence === sequence ? entry : null;
    },
    effect: (effectId) => stored.effect(effectId),
    resolution: (paymentId) => stored.resolution(paymentId),
  };
}
