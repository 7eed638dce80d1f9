/**
 * Pure: proves that a stored ledger is what its entries say: replays them from nothing and compares the result with what
 * is stored (L1, L2, L3, L5, L6). It takes rows one by one, and what it keeps between two of them is one small state, so a
 * ledger of any length is audited in pages; rows that belong together it looks up from each other. It must never trust what
 * it checks: everything is computed again, and what cannot even be read is a violation like any other. What no replay can
 * see: docs/ledger.md, "Audit". Called by `audit/wallet.ts`, page by page, and by tests over whole ledgers.
 */
import { canonicalJson, sha256Hex } from '../canonical.ts';
import { HOLDS_SNAPSHOT_ENTRIES } from '../limits.ts';
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

/** How a stored row finds the others that it must agree with. */
export interface LedgerLookup {
  entry(sequence: number): LedgerEntry | null;
  effect(effectId: string): StoredEffect | null;
  resolution(paymentId: string): Resolution | null;
}

/** A set of rows as a number that does not depend on their order: two sets are the same when both members are. */
export interface Tally {
  readonly count: number;
  readonly sum: number;
}

/** All that is carried from one page of an audit to the next; JSON. */
export interface LedgerAuditState {
  readonly version: number;
  readonly hash: string;
  readonly createdAtMs: number;
  readonly balances: Balances;
  /** Ends of holds, as the entries tell them, and as they are stored besides. */
  readonly ended: Tally;
  readonly stored: Tally;
  /** The last effect and the last resolution that were taken, in the order of their ids; null: all were. */
  readonly afterEffect: string | null;
  readonly afterResolution: string | null;
}

/** One broken entry can spoil all that follow it; more than this tells nothing new. */
export const VIOLATIONS_MAX = 20;
/** Twelve hex digits: a sum of two stays a safe integer. */
const TALLY_DIGITS = 12;
const TALLY_MODULUS = 16 ** TALLY_DIGITS;
const EMPTY_TALLY: Tally = { count: 0, sum: 0 };

const NOT_BEGUN: LedgerAuditState = {
  version: 0,
  hash: '',
  createdAtMs: 0,
  balances: ZERO_BALANCES,
  ended: EMPTY_TALLY,
  stored: EMPTY_TALLY,
  afterEffect: '',
  afterResolution: '',
};

/** The state before the first row. */
export function beginAudit(wallet: WalletIdentity): LedgerAuditState {
  return { ...NOT_BEGUN, hash: genesisHash(wallet), createdAtMs: wallet.createdAtMs };
}

/** Audits a ledger in one go. */
export function verifyLedger(stored: StoredLedger): Verification {
  const entries = new Map<number, LedgerEntry>();
  const effects = new Map<string, StoredEffect>();
  const audit = new LedgerAudit({
    entry: (sequence) => entries.get(sequence) ?? null,
    effect: (effectId) => effects.get(effectId) ?? null,
    resolution: (paymentId) => stored.resolutions.get(paymentId) ?? null,
  });
  audit.guard('L5', () => audit.resume(beginAudit(stored.wallet)));
  audit.guard('L6', () => {
    for (const effect of stored.effects) effects.set(effect.effectId, effect);
  });
  audit.guard('L5', () => {
    for (const entry of stored.entries) {
      entries.set(entry.sequence, entry);
      audit.takeEntry(entry);
    }
  });
  for (const effect of effects.values()) audit.guard('L6', () => audit.takeEffect(effect));
  audit.guard('L5', () => {
    for (const [paymentId, resolution] of stored.resolutions) audit.takeResolution(paymentId, resolution);
    audit.finish(stored.openHolds);
  });
  return { balances: audit.state.balances, version: audit.state.version, violations: audit.violations };
}

/**
 * For each entry, in order: gapless sequence, chain, hash, time (L5) → postings sum to zero (L1) → balances from the
 * postings (L2, L5) → the hold that it opens or resolves (L3) → its effect, which asked for such an entry (L6). For each
 * effect: hash, applied or refused and not both, its entry (L6). At the end: how holds ended, and which are open (L3, L5).
 */
export class LedgerAudit {
  readonly violations: Violation[] = [];
  readonly #lookup: LedgerLookup;
  #state: LedgerAuditState = NOT_BEGUN;
  readonly #holds = new Map<string, OpenHold>();
  /** Payments whose holds have ended in this page. */
  readonly #ended = new Set<string>();

  constructor(lookup: LedgerLookup) {
    this.#lookup = lookup;
  }

  get state(): LedgerAuditState {
    return this.#state;
  }

  /** Goes on from `state`; the open holds are those of the last snapshot, which was verified, and what came since. */
  resume(state: LedgerAuditState): void {
    this.#state = state;
    const snapshotSequence = state.version - (state.version % HOLDS_SNAPSHOT_ENTRIES);
    for (let sequence = Math.max(1, snapshotSequence); sequence <= state.version; sequence++) {
      const entry = this.#lookup.entry(sequence);
      if (entry === null) continue;
      if (sequence === snapshotSequence)
        for (const hold of entry.openHolds ?? []) this.#holds.set(hold.paymentId, hold);
      else foldHolds(this.#holds, entry);
    }
  }

  /** What is stored may be no JSON, infinite or of another type: an audit that throws would report nothing. */
  guard(invariant: Violation['invariant'], check: () => void): void {
    try {
      check();
    } catch (error) {
      const name = error instanceof Error ? error.name : 'unknown';
      this.#expect(false, invariant, null, `unreadable after entry ${this.#state.version}: ${name}`);
    }
  }

  takeEntry(entry: LedgerEntry): void {
    const { sequence } = entry;
    const before = this.#state;
    this.#expect(sequence === before.version + 1, 'L5', sequence, 'gap in sequence');
    this.#expect(entry.previousHash === before.hash, 'L5', sequence, 'chain');
    this.#expect(entry.hash === entryHash(entry), 'L5', sequence, 'hash');
    this.#expect(entry.createdAtMs >= before.createdAtMs, 'L5', sequence, 'time runs backwards');
    const sum = entry.postings.reduce((total, { amount }) => total + amount, 0);
    this.#expect(sum === 0, 'L1', sequence, `postings sum to ${sum}`);
    const balances = postTo(before.balances, entry.postings);
    this.#expect(balances !== null, 'L2', sequence, 'a balance out of range');
    this.#expect(isSame(balances, entry.balances), 'L5', sequence, 'balances');
    this.#takeHold(entry);
    this.#findEffect(entry);
    const { hash, createdAtMs } = entry;
    this.#state = { ...this.#state, version: sequence, hash, createdAtMs, balances: entry.balances };
  }

  takeEffect(effect: StoredEffect): void {
    const { effectId, version } = effect;
    this.#expect(effect.hash === effectHash(effect), 'L6', null, `hash of effect ${effectId}`);
    this.#expect((version === null) !== (effect.refusal === null), 'L6', null, `effect ${effectId}`);
    const hasEntry = version === null || this.#lookup.entry(version)?.effectId === effectId;
    this.#expect(hasEntry || this.#foundDone(effect), 'L6', version, `effect ${effectId} has no entry`);
    this.#state = { ...this.#state, afterEffect: effectId };
  }

  takeResolution(paymentId: string, resolution: Resolution): void {
    const stored = tallied(this.#state.stored, paymentId, resolution);
    this.#state = { ...this.#state, stored, afterResolution: paymentId };
  }

  /** No effects, or no resolutions, come after those that were taken. */
  endOf(rows: 'afterEffect' | 'afterResolution'): void {
    this.#state = { ...this.#state, [rows]: null };
  }

  /** What is stored besides the entries must be what they amount to. */
  finish(openHolds: OpenHolds): void {
    this.#expect(isSame([...openHolds.values()], [...this.#holds.values()]), 'L5', null, 'open holds');
    this.#expect(isSame(this.#state.ended, this.#state.stored), 'L5', null, 'resolutions');
    for (const paymentId of this.#holds.keys()) {
      const isOpen = this.#lookup.resolution(paymentId) === null;
      this.#expect(isOpen, 'L3', null, `the hold of ${paymentId} is open and resolved`);
    }
  }

  #takeHold(entry: LedgerEntry): void {
    const { sequence, paymentId } = entry;
    const resolution = resolutionBy(entry.type);
    const open = paymentId === null ? undefined : this.#holds.get(paymentId);
    if (entry.type === 'hold') {
      const isFirst = paymentId !== null && open === undefined && !this.#ended.has(paymentId);
      this.#expect(isFirst, 'L3', sequence, 'a second hold of one payment');
      this.#expect(entry.expiresAtMs !== null, 'L3', sequence, 'a hold without an end');
    }
    if (resolution !== null && paymentId !== null) this.#end(paymentId, resolution);
    const held = entry.postings.find(({ account }) => account === 'held')?.amount ?? 0;
    if (resolution !== null) this.#expect(held === -(open?.amountMinor ?? 0), 'L3', sequence, 'no such open hold');
    else this.#expect(held === 0 || entry.type === 'hold', 'L3', sequence, 'held money moved by no hold');
    foldHolds(this.#holds, entry);
    const snapshot = isSnapshot(sequence) ? [...this.#holds.values()] : null;
    this.#expect(isSame(entry.openHolds, snapshot), 'L5', sequence, 'snapshot of the open holds');
  }

  /** A wallet goes on while it is audited: what was resolved behind the place that the pages have come to is fetched. */
  #end(paymentId: string, resolution: Resolution): void {
    this.#ended.add(paymentId);
    this.#state = { ...this.#state, ended: tallied(this.#state.ended, paymentId, resolution) };
    const { afterResolution } = this.#state;
    if (afterResolution !== null && paymentId > afterResolution) return;
    const late = this.#lookup.resolution(paymentId);
    if (late !== null) this.#state = { ...this.#state, stored: tallied(this.#state.stored, paymentId, late) };
  }

  /** Every entry has its effect, but the expiries: time has no effect id. */
  #findEffect({ sequence, type, effectId, paymentId }: LedgerEntry): void {
    if (type === 'expire') return;
    const effect = this.#lookup.effect(effectId);
    const asked = effect === null ? null : contentOf(effect);
    const isIts = effect?.version === sequence && asked?.type === type && asked.paymentId === paymentId;
    this.#expect(isIts, 'L6', sequence, `no effect ${effectId}`);
  }

  /** The one applied effect with no entry: a release that found its hold expired. */
  #foundDone(effect: StoredEffect): boolean {
    const { type, paymentId } = contentOf(effect);
    if (type !== 'release' || paymentId === null || effect.version === null) return false;
    return this.#lookup.resolution(paymentId) === 'expired' && effect.version <= this.#state.version;
  }

  #expect(holds: boolean, invariant: Violation['invariant'], sequence: number | null, detail: string): void {
    if (!holds && this.violations.length < VIOLATIONS_MAX) this.violations.push({ invariant, sequence, detail });
  }
}

function contentOf({ content }: StoredEffect): {
  readonly type: string | undefined;
  readonly paymentId: string | null;
} {
  const { type, paymentId } = JSON.parse(content) as { type?: string; paymentId?: string };
  return { type, paymentId: paymentId ?? null };
}

function tallied({ count, sum }: Tally, paymentId: string, resolution: Resolution): Tally {
  const digits = sha256Hex(canonicalJson([paymentId, resolution])).slice(0, TALLY_DIGITS);
  return { count: count + 1, sum: (sum + Number.parseInt(digits, 16)) % TALLY_MODULUS };
}

function isSame(left: unknown, right: unknown): boolean {
  return canonicalJson(left) === canonicalJson(right);
}
