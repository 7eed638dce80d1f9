/**
 * A ledger's store in memory, for tests of the pure core: as strict as the SQL one (no overwriting, no gaps), and it
 * finds the open holds by the same fold. Called by the ledger tests only.
 */
import type { StoredEffect } from '../../../src/domain/ledger/decide.ts';
import { foldHolds, type LedgerEntry, type OpenHold, type Resolution } from '../../../src/domain/ledger/entry.ts';
import type { LedgerStore, StoredWallet } from '../../../src/domain/ledger/execute.ts';
import type { StoredLedger } from '../../../src/domain/ledger/replay.ts';

export class MemoryStore implements LedgerStore {
  readonly entries: LedgerEntry[] = [];
  readonly effects = new Map<string, StoredEffect>();
  readonly resolutions = new Map<string, Resolution>();
  readonly holds = new Map<string, OpenHold>();
  full = false;
  #wallet: StoredWallet | null = null;

  wallet(): StoredWallet | null {
    return this.#wallet;
  }

  head(): LedgerEntry | null {
    return this.entries.at(-1) ?? null;
  }

  entry(sequence: number): LedgerEntry {
    const entry = this.entries[sequence - 1];
    if (entry === undefined) throw new Error(`no entry ${sequence}`);
    return entry;
  }

  openHolds(): ReadonlyMap<string, OpenHold> {
    return this.holds;
  }

  effect(effectId: string): StoredEffect | null {
    return this.effects.get(effectId) ?? null;
  }

  resolution(paymentId: string): Resolution | null {
    return this.resolutions.get(paymentId) ?? null;
  }

  isFull(): boolean {
    return this.full;
  }

  openWallet(wallet: StoredWallet): void {
    if (this.#wallet !== null) throw new Error('UNIQUE constraint failed: wallet');
    this.#wallet = wallet;
  }

  appendEntry(entry: LedgerEntry): void {
    if (entry.sequence !== this.entries.length + 1) throw new Error('UNIQUE constraint failed: entries');
    this.entries.push(entry);
    foldHolds(this.holds, entry);
  }

  appendEffect(effect: StoredEffect): void {
    if (this.effects.has(effect.effectId)) throw new Error('UNIQUE constraint failed: effects');
    this.effects.set(effect.effectId, effect);
  }

  appendResolution(paymentId: string, resolution: Resolution): void {
    if (this.resolutions.has(paymentId)) throw new Error('UNIQUE constraint failed: resolutions');
    this.resolutions.set(paymentId, resolution);
  }

  setFrozen(frozen: boolean): void {
    if (this.#wallet !== null) this.#wallet = { ...this.#wallet, frozen };
  }

  /** For verification. @throws when the wallet was never opened. */
  stored(): StoredLedger {
    const { entries, resolutions } = this;
    if (this.#wallet === null) throw new Error('no wallet');
    return { wallet: this.#wallet, entries, effects: this.effects.values(), openHolds: this.holds, resolutions };
  }
}
