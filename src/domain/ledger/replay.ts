/**
 * Pure: proves that a stored ledger is what its entries say: replays them from nothing and compares the result with what
 * is stored (L1, L2, L3, L5, L6). Reads entries one by one, so that a ledger of any length can be streamed through it.
 * It must never trust what it checks: everything is computed again. Called by the tests, and by the auditor.
 */
import { canonicalJson } from '../canonical.ts';
import { effectHash, type StoredEffect } from './decide.ts';
import {
  type Balances,
  entryHash,
  foldHolds,
  genesisHash,
  isSnapshot,
  type LedgerEntry,
  type OpenHold,
  type OpenHolds,
  postTo,
  type Resolution,
  resolutionBy,
  type WalletIdentity,
  ZERO_BALANCES,
} from './entry.ts';

export interface StoredLedger {
  readonly wallet: WalletIdentity;
  /** Oldest first. */
  readonly entries: Iterable<LedgerEntry>;
  readonly effects: Iterable<StoredEffect>;
  readonly openHolds: OpenHolds;
  readonly resolutions: ReadonlyMap<string, Resolution>;
}

export interface Violation {
  readonly invariant: 'L1' | 'L2' | 'L3' | 'L5' | 'L6';
  /** Of the entry; null where it is not about one. */
  readonly sequence: number | null;
  readonly detail: string;
}

export interface Verification {
  readonly balances: Balances;
  readonly version: number;
  /** Empty: the ledger is sound. At most VIOLATIONS_MAX. */
  readonly violations: readonly Violation[];
}

/** One broken entry can spoil all that follow it; more than this tells nothing new. */
export const VIOLATIONS_MAX = 20;

/**
 * Replays the entries. For each, in order: gapless sequence, chain, hash, time (L5) → postings sum to zero (L1) → balances
 * from the postings (L2, L5) → the hold that it opens or resolves (L3) → its effect (L6). Then what is stored besides the
 * entries: open holds and resolutions (L5), effects (L6).
 */
export function verifyLedger(stored: StoredLedger): Verification {
  const replay = new Replay(stored);
  for (const entry of stored.entries) replay.take(entry);
  replay.compare(stored);
  return { balances: replay.balances, version: replay.version, violations: replay.violations };
}

class Replay {
  balances: Balances = ZERO_BALANCES;
  version = 0;
  readonly violations: Violation[] = [];
  readonly #holds = new Map<string, OpenHold>();
  readonly #resolutions = new Map<string, Resolution>();
  /** Applied effects that no entry has claimed yet. */
  readonly #effects = new Map<string, StoredEffect>();
  #hash: string;
  #createdAtMs: number;

  constructor({ wallet, effects }: StoredLedger) {
    this.#hash = genesisHash(wallet);
    this.#createdAtMs = wallet.createdAtMs;
    for (const effect of effects) {
      this.#expect(effect.hash === effectHash(effect), 'L6', null, `hash of effect ${effect.effectId}`);
      this.#expect((effect.version === null) !== (effect.refusal === null), 'L6', null, `effect ${effect.effectId}`);
      if (effect.version !== null) this.#effects.set(effect.effectId, effect);
    }
  }

  take(entry: LedgerEntry): void {
    const { sequence } = entry;
    this.#expect(sequence === this.version + 1, 'L5', sequence, 'gap in sequence');
    this.#expect(entry.previousHash === this.#hash, 'L5', sequence, 'chain');
    this.#expect(entry.hash === entryHash(entry), 'L5', sequence, 'hash');
    this.#expect(entry.createdAtMs >= this.#createdAtMs, 'L5', sequence, 'time runs backwards');
    const sum = entry.postings.reduce((total, { amount }) => total + amount, 0);
    this.#expect(sum === 0, 'L1', sequence, `postings sum to ${sum}`);
    const balances = postTo(this.balances, entry.postings);
    this.#expect(balances !== null, 'L2', sequence, 'a balance out of range');
    this.#expect(isSame(balances, entry.balances), 'L5', sequence, 'balances');
    this.#takeHold(entry);
    this.#takeEffect(entry);
    this.balances = entry.balances;
    this.version = sequence;
    this.#hash = entry.hash;
    this.#createdAtMs = entry.createdAtMs;
  }

  /** What is stored besides the entries must be what they amount to. */
  compare({ openHolds, resolutions }: StoredLedger): void {
    this.#expect(isSame([...openHolds.values()], [...this.#holds.values()]), 'L5', null, 'open holds');
    this.#expect(isSame(sorted(resolutions), sorted(this.#resolutions)), 'L5', null, 'resolutions');
    for (const effect of this.#effects.values()) {
      this.#expect(this.#foundDone(effect), 'L6', effect.version, `effect ${effect.effectId} has no entry`);
    }
  }

  #takeHold(entry: LedgerEntry): void {
    const { sequence, paymentId } = entry;
    const resolution = resolutionBy(entry.type);
    const open = paymentId === null ? undefined : this.#holds.get(paymentId);
    if (entry.type === 'hold') {
      const isFirst = paymentId !== null && open === undefined && !this.#resolutions.has(paymentId);
      this.#expect(isFirst && entry.expiresAtMs !== null, 'L3', sequence, 'a second hold of one payment');
    }
    if (resolution !== null && paymentId !== null) this.#resolutions.set(paymentId, resolution);
    const held = entry.postings.find(({ account }) => account === 'held')?.amount ?? 0;
    if (resolution !== null) this.#expect(held === -(open?.amountMinor ?? 0), 'L3', sequence, 'no such open hold');
    else this.#expect(held === 0 || entry.type === 'hold', 'L3', sequence, 'held money moved by no hold');
    foldHolds(this.#holds, entry);
    const snapshot = isSnapshot(sequence) ? [...this.#holds.values()] : null;
    this.#expect(isSame(entry.openHolds, snapshot), 'L5', sequence, 'snapshot of the open holds');
  }

  /** Every entry has its effect, but the expiries: time has no effect id. */
  #takeEffect({ sequence, type, effectId }: LedgerEntry): void {
    if (type === 'expire') return;
    this.#expect(this.#effects.get(effectId)?.version === sequence, 'L6', sequence, `no effect ${effectId}`);
    this.#effects.delete(effectId);
  }

  /** The one applied effect with no entry: a release that found its hold expired. */
  #foundDone({ content, version }: StoredEffect): boolean {
    const { type, paymentId } = JSON.parse(content) as { type?: string; paymentId?: string };
    if (type !== 'release' || paymentId === undefined || version === null) return false;
    return this.#resolutions.get(paymentId) === 'expired' && version <= this.version;
  }

  #expect(holds: boolean, invariant: Violation['invariant'], sequence: number | null, detail: string): void {
    if (!holds && this.violations.length < VIOLATIONS_MAX) this.violations.push({ invariant, sequence, detail });
  }
}

function isSame(left: unknown, right: unknown): boolean {
  return canonicalJson(left) === canonicalJson(right);
}

function sorted(resolutions: ReadonlyMap<string, Resolution>): readonly (readonly string[])[] {
  return [...resolutions].sort(([left], [right]) => (left < right ? -1 : 1));
}
