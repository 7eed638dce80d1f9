/**
 * Pure: what a wallet's ledger is made of: accounts, postings, immutable entries and the hash chain over them.
 *
 * Signs: a posting on `available`, `held` or `settled` is the change of that balance. `external` is shown as the total
 * that came in from outside, so its posting is the change with the sign turned: a deposit of 100 posts available +100,
 * external −100, and raises `external` to 100. Postings therefore sum to zero (L1), and so does
 * available + held + settled − external (X1).
 */
import { canonicalJson, sha256Hex } from '../canonical.ts';
import type { Scope } from '../ids.ts';
import { HOLDS_SNAPSHOT_ENTRIES } from '../limits.ts';
import { addMinor } from '../money.ts';
import type { EntryType } from '../wallet-rpc.ts';

export type Account = 'available' | 'held' | 'settled' | 'external';
/** Minor units; never negative. */
export type Balances = Readonly<Record<Account, number>>;

export const ZERO_BALANCES: Balances = { available: 0, held: 0, settled: 0, external: 0 };

export interface Posting {
  readonly account: Account;
  /** Minor units, signed as the head of this file says. */
  readonly amount: number;
}

/** What never changes of a wallet; the chain begins with its hash. */
export interface WalletIdentity {
  readonly scope: Scope;
  readonly walletId: string;
  readonly currency: string;
  readonly createdAtMs: number;
}

export interface OpenHold {
  readonly paymentId: string;
  readonly amountMinor: number;
  readonly expiresAtMs: number;
}

/** Keyed by payment id, oldest first: what is held, and for whom. */
export type OpenHolds = ReadonlyMap<string, OpenHold>;

/** How a hold ended: once, and for good (L3). */
export type Resolution = 'debited' | 'released' | 'expired';

/** What an entry says, before it has its place in the ledger. */
export interface EntryDraft {
  readonly type: EntryType;
  readonly effectId: string;
  readonly paymentId: string | null;
  readonly reference: string | null;
  /** Of the hold that the entry opens; null in all other entries. */
  readonly expiresAtMs: number | null;
  readonly postings: readonly Posting[];
}

export interface LedgerEntry extends EntryDraft {
  /** Gapless from 1; the wallet's `version`. */
  readonly sequence: number;
  /** After the entry: the newest entry is the wallet's balance, there is no other record of it. */
  readonly balances: Balances;
  /** Never before the entry that precedes it, nor before the wallet, whatever the clock did. */
  readonly createdAtMs: number;
  /** All open holds after the entry, in every HOLDS_SNAPSHOT_ENTRIES-th entry; null in the others. */
  readonly openHolds: readonly OpenHold[] | null;
  readonly previousHash: string;
  readonly hash: string;
}

const RESOLUTIONS: Readonly<Partial<Record<EntryType, Resolution>>> = {
  debit: 'debited',
  release: 'released',
  expire: 'expired',
};

/** How an entry of this type ends its payment's hold; null when it does not. */
export function resolutionBy(type: EntryType): Resolution | null {
  return RESOLUTIONS[type] ?? null;
}

/** The balances after `postings`, or null where one of them would leave the range 0 … AMOUNT_MINOR_MAX (L2). */
export function postTo(before: Balances, postings: readonly Posting[]): Balances | null {
  const after = { ...before };
  for (const { account, amount } of postings) {
    const balance = addMinor(after[account], account === 'external' ? -amount : amount);
    if (balance === null) return null;
    after[account] = balance;
  }
  return after;
}

/** Brings the open holds from before `entry` to after it. Changes `holds`: it can be long, and is the caller's own. */
export function foldHolds(
  holds: Map<string, OpenHold>,
  entry: Pick<LedgerEntry, 'type' | 'paymentId' | 'expiresAtMs' | 'postings'>,
): void {
  if (entry.paymentId === null) return;
  if (entry.type === 'hold' && entry.expiresAtMs !== null) {
    const amountMinor = entry.postings.find(({ account }) => account === 'held')?.amount ?? 0;
    holds.set(entry.paymentId, { paymentId: entry.paymentId, amountMinor, expiresAtMs: entry.expiresAtMs });
  }
  if (resolutionBy(entry.type) !== null) holds.delete(entry.paymentId);
}

/** Whether the entry with this sequence writes out the open holds. */
export function isSnapshot(sequence: number): boolean {
  return sequence % HOLDS_SNAPSHOT_ENTRIES === 0;
}

/** What the first entry's `previousHash` is: the chain stands on the wallet's identity. */
export function genesisHash({ scope, walletId, currency, createdAtMs }: WalletIdentity): string {
  return sha256Hex(canonicalJson({ merchant: scope.merchant, mode: scope.mode, walletId, currency, createdAtMs }));
}

/** SHA-256 over the canonical JSON of everything else in the entry, the previous entry's hash with it. */
export function entryHash(entry: Omit<LedgerEntry, 'hash'> & { readonly hash?: string }): string {
  const { hash: _, ...covered } = entry;
  return sha256Hex(canonicalJson(covered));
}
