/**
 * Pure: proves that a stored ledger is what its entries say: replays them from nothing and compares the result with what
 * is stored (L1, L2, L3, L5, L6). Reads effects and entries one by one; what it keeps of them is the open holds, how each
 * hold ended, and a line for each applied effect. It must never trust what it checks: everything is computed again, and
 * what cannot even be read is a violation like any other. What no replay can see: docs/ledger.md, "Audit".
 * Called by the tests.
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

/** What is kept of an applied effect until its entry claims it. */
interface Claim {
  readonly version: number;
  readonly type: string | undefined;
  readonly paymentId: string | null;
}

/** One broken entry can spoil all that follow it; more than this tells nothing new. */
export const VIOLATIONS_MAX = 20;

/**
 * Takes the effects, in any order: hash, applied or refused and not both (L6). Then replays the entries. For each, in
 * order: gapless sequence, chain, hash, time (L5) → postings sum to zero (L1) → balances from the postings (L2, L5) → the
 * hold that it opens or resolves (L3) → its effect, which asked for such an entry (L6). Then what is stored besides them:
 * open holds and resolutions (L5), effects that no entry has claimed (L6).
 */
export function verifyLedger(stored: StoredLedger): Verification {
  const replay = new Replay();
  replay.guard('L5', () => replay.begin(stored.wallet));
  replay.guard('L6', () => {
    for (const effect of stored.effects) replay.takeEffect(effect);
  });
  replay.guard('L5', () => {
    for (const entry of stored.entries) replay.take(entry);
  });
  replay.guard('L5', () => replay.compare(stored));
  return { balances: replay.balances, version: replay.version, violations: replay.violations };
}

class Replay {
  balances: Balances = ZERO_BALANCES;
  version = 0;
  readonly violations: Violation[] = [];
  readonly #holds = new Map<string, OpenHold>();
  readonly #resolutions = new Map<string, Resolution>();
  /** Applied effects that no entry has claimed yet, by effect id. */
  readonly #claims = new Map<string, Claim>();
  #hash = '';
  #createdAtMs = 0;

  /** What is stored may be no JSON, infinite or of another type: an audit that throws would report nothing. */
  guard(invariant: Violation['invariant'], check: () => void): void {
    try {
      check();
    } catch (error) {
      const name = error instanceof Error ? error.name : 'unknown';
      this.#expect(false, invariant, null, `unreadable after entry ${this.version}: ${name}`);
    }
  }

  begin(wallet: WalletIdentity): void {
    this.#hash = genesisHash(wallet);
    this.#createdAtMs = wallet.createdAtMs;
  }

  takeEffect(effect: StoredEffect): void {
    const { effectId, version } = effect;
    this.#expect(effect.hash === effectHash(effect), 'L6', null, `hash of effect ${effectId}`);
    this.#expect((version === null) !== (effect.refusal === null), 'L6', null, `effect ${effectId}`);
    if (version === null) return;
    const { type, paymentId } = JSON.parse(effect.content) as { type?: string; paymentId?: string };
    this.#claims.set(effectId, { version, type, paymentId: paymentId ?? null });
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
    this.#claim(entry);
    this.balances = entry.balances;
    this.version = sequence;
    this.#hash = entry.hash;
    this.#createdAtMs = entry.createdAtMs;
  }

  /** What is stored besides the entries must be what they amount to. */
  compare({ openHolds, resolutions }: StoredLedger): void {
    this.#expect(isSame([...openHolds.values()], [...this.#holds.values()]), 'L5', null, 'open holds');
    this.#expect(isSame(sorted(resolutions), sorted(this.#resolutions)), 'L5', null, 'resolutions');
    for (const [effectId, claim] of this.#claims) {
      this.#expect(this.#foundDone(claim), 'L6', claim.version, `effect ${effectId} has no entry`);
    }
  }

  #takeHold(entry: LedgerEntry): void {
    const { sequence, paymentId } = entry;
    const resolution = resolutionBy(entry.type);
    const open = paymentId === null ? undefined : this.#holds.get(paymentId);
    if (entry.type === 'hold') {
      const isFirst = paymentId !== null && open === undefined && !this.#resolutions.has(paymentId);
      this.#expect(isFirst, 'L3', sequence, 'a second hold of one payment');
      this.#expect(entry.expiresAtMs !== null, 'L3', sequence, 'a hold without an end');
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
  #claim({ sequence, type, effectId, paymentId }: LedgerEntry): void {
    if (type === 'expire') return;
    const claim = this.#claims.get(effectId);
    const asked = claim?.version === sequence && claim.type === type && claim.paymentId === paymentId;
    this.#expect(asked, 'L6', sequence, `no effect ${effectId}`);
    this.#claims.delete(effectId);
  }

  /** The one applied effect with no entry: a release that found its hold expired. */
  #foundDone({ type, paymentId, version }: Claim): boolean {
    if (type !== 'release' || paymentId === null) return false;
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
