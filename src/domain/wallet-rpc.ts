/**
 * Pure: what may be asked of a wallet's object, and what it answers. Implemented by Wallet; asked by HTTP, by the consumer of
 * wallet commands and by reconciliation. Every method returns a result; only bugs throw.
 */
import type { WalletAuditPage } from './audit/wallet.ts';
import type { Spent } from './cost/spent.ts';
import type { WalletRefusal } from './errors.ts';
import type { Scope } from './ids.ts';
import type { LedgerAuditState } from './ledger/replay.ts';
import type { WalletRow } from './messages.ts';
import type { HoldLine, LedgerLine } from './reconciliation/books.ts';

interface WalletCommandBase {
  /** One effect id = one effect (L6). */
  readonly effectId: string;
  readonly paymentId: string;
  readonly amountMinor: number;
  readonly currency: string;
}

export type WalletCommand =
  | (WalletCommandBase & {
      readonly type: 'hold';
      readonly expiresAtMs: number;
      /** Sandbox: open a wallet that does not exist with this balance. Absent: it is refused. */
      readonly openWithMinor?: number;
    })
  /** Refused after `notAfterMs`. `simulate` (sandbox): be refused, as a rule of its own at the precedence of the hold's state. */
  | (WalletCommandBase & { readonly type: 'debit'; readonly notAfterMs?: number; readonly simulate?: 'refuse' })
  | (WalletCommandBase & { readonly type: 'release' })
  /** A refund's money coming back: settled → available. */
  | (WalletCommandBase & { readonly type: 'credit' })
  /** A credit whose refund failed after all, taken back by a new entry: available → settled. */
  | (WalletCommandBase & { readonly type: 'reverse' });

export type WalletOutcome =
  /** `version`: the wallet's after the entry. */
  | ({ readonly effectId: string; readonly kind: 'applied'; readonly version: number } & WalletSpent)
  | ({ readonly effectId: string; readonly kind: 'refused'; readonly reason: WalletRefusal } & WalletSpent);

/** The command's share of what the wallet spent on its call. */
interface WalletSpent {
  readonly spent?: Spent;
}

/** The public JSON of a wallet: one snapshot. Amounts in minor units. */
export interface WalletView {
  id: string;
  object: 'wallet';
  currency: string;
  available: number;
  held: number;
  /** What left for services, and what came in from outside: the other sides of the double entry. */
  settled: number;
  external: number;
  /** Grows by one per entry. */
  version: number;
  frozen: boolean;
  /** Open holds, oldest first, at most WALLET_HOLDS_LISTED_MAX; `holds_total` counts all. */
  holds: { payment_id: string; amount: number; expires_at: string }[];
  holds_total: number;
  created_at: string;
}

export const ENTRY_TYPES = [
  'deposit',
  'hold',
  'debit',
  'release',
  'expire',
  'credit',
  'reverse',
  'correction',
] as const;
export type EntryType = (typeof ENTRY_TYPES)[number];

/** The public JSON of a ledger entry: postings sum to zero (L1), balances are those after it. */
export interface EntryView {
  object: 'ledger_entry';
  sequence: number;
  type: EntryType;
  effect_id: string;
  payment_id?: string;
  reference?: string;
  postings: { account: 'available' | 'held' | 'settled' | 'external'; amount: number }[];
  balances: { available: number; held: number; settled: number; external: number };
  created_at: string;
  hash: string;
  previous_hash: string;
}

export type OpenWalletResult =
  | { readonly kind: 'opened' | 'exists'; readonly wallet: WalletView }
  | { readonly kind: 'currency_conflict'; readonly currency: string };

export type ReadWalletResult = { readonly kind: 'found'; readonly wallet: WalletView } | { readonly kind: 'not_found' };

export interface Deposit {
  /** Made from the idempotency key: the same key deposits once. */
  readonly effectId: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly reference?: string;
}

export type DepositResult =
  /** `replayed`: the entry of an earlier deposit under the same key, as it was made. */
  | { readonly kind: 'deposited' | 'replayed'; readonly entry: EntryView }
  | { readonly kind: 'key_reused'; readonly fields: readonly string[] }
  | { readonly kind: 'refused'; readonly reason: WalletRefusal };

export interface BalanceAt {
  available: number;
  held: number;
  settled: number;
  external: number;
  version: number;
}

export type ReadEntriesResult =
  /** Newest first. `balanceAt`: as it stood at `atMs`, when that was asked. */
  | {
      readonly kind: 'found';
      readonly entries: readonly EntryView[];
      readonly more: boolean;
      readonly balanceAt?: BalanceAt;
    }
  | { readonly kind: 'not_found' };

/** Entries that name one of the payments, among those made in the spans of time. */
export interface PaymentEntriesQuery {
  /** At most LEDGER_PAYMENTS_MAX. */
  readonly paymentIds: readonly string[];
  /** Inclusive, in order, none touching another. */
  readonly spans: readonly { readonly fromMs: number; readonly toMs: number }[];
}

export type PaymentEntriesResult =
  | { readonly kind: 'found'; readonly entries: readonly LedgerLine[]; readonly holds: readonly HoldLine[] }
  | { readonly kind: 'not_found' }
  /** More than LEDGER_SCAN_MAX entries stand in the spans: nothing was read. */
  | { readonly kind: 'too_many' };

export interface WalletRpc {
  /** At most WALLET_COMMANDS_MAX, taken in order; one outcome per command, in the same order. */
  execute(scope: Scope, walletId: string, commands: readonly WalletCommand[]): readonly WalletOutcome[];
  open(scope: Scope, walletId: string, currency: string): OpenWalletResult;
  read(): ReadWalletResult;
  /** What a frozen wallet refuses: docs/ledger.md. */
  setFrozen(frozen: boolean): ReadWalletResult;
  deposit(deposit: Deposit): DepositResult;
  /** Entries with a sequence below `beforeSequence` (null: from the newest) and, with `atMs`, made until then. */
  readEntries(page: { beforeSequence: number | null; limit: number; atMs: number | null }): ReadEntriesResult;
  /** The directory has it. */
  acknowledgeListing(): void;
  directoryRow(): WalletRow | null;
  /** One page of its audit, after `state`; null for the first. */
  audit(state: LedgerAuditState | null): WalletAuditPage;
  /** For reconciliation: what the ledger has of these payments, and which of them hold funds. */
  readPaymentEntries(query: PaymentEntriesQuery): PaymentEntriesResult;
}
