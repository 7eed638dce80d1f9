/**
 * Pure: the contracts between the Worker's parts: what HTTP and the queue consumers may ask of the objects, and what the
 * objects answer. Every method returns a result; only bugs throw. The objects implement these interfaces, callers reach
 * them through typed stubs.
 */
import type { WalletRefusal } from './errors.ts';
import type { Envelope } from './events/envelope.ts';
import type { Scope } from './ids.ts';
import type { PaymentMethod, PaymentRequest } from './payment.ts';
import type { RefundRequest } from './refund.ts';
import type { Outcome } from './saga/outcome.ts';

// ── PaymentSaga ──────────────────────────────────────────────────────────────────────────────────────────────────────

export interface Trace {
  readonly traceId: string;
  readonly traceparent: string;
}

export interface CreatePayment {
  readonly scope: Scope;
  readonly idempotencyKey: string;
  /** Of the validated body with defaults applied. */
  readonly fingerprint: string;
  readonly request: PaymentRequest;
  readonly amountCodes: boolean;
  readonly trace: Trace;
  /** How long the answer may be held for a terminal state; 0: answer at once. */
  readonly waitMs: number;
}

/** What came of a request that claims a key. */
export type CreateResult =
  /** `body`: the payment or refund as JSON text, the same bytes on every replay of a terminal one. */
  | {
      readonly kind: 'created' | 'replayed';
      readonly entityId: string;
      readonly body: string;
      readonly terminal: boolean;
    }
  /** Another body under the key: JSON pointers of the members that differ. */
  | { readonly kind: 'key_reused'; readonly fields: readonly string[] }
  /** The record has expired; only a tombstone is left. */
  | { readonly kind: 'key_expired' };

export type ReadSagaResult =
  | { readonly kind: 'found'; readonly body: string; readonly terminal: boolean }
  | { readonly kind: 'not_found' };

export type ReadEventsResult =
  | { readonly kind: 'found'; readonly events: readonly Envelope[]; readonly more: boolean; readonly terminal: boolean }
  | { readonly kind: 'not_found' };

export type DescribeKeyResult =
  | {
      readonly kind: 'used';
      readonly entityId: string;
      readonly status: string;
      readonly createdAtMs: number;
      /** When the record expires; null while the payment is not terminal. */
      readonly expiresAtMs: number | null;
    }
  | { readonly kind: 'expired' }
  | { readonly kind: 'unused' };

/** What a consumer took over durably and a saga need not send again. */
export interface Acknowledgement {
  readonly effectIds: readonly string[];
  /** A run of events, first to last sequence, that the record now holds. */
  readonly events?: { readonly first: number; readonly last: number };
}

/** `unknown_saga`: this object has never begun one. */
export type Delivered = { readonly kind: 'delivered' | 'unknown_saga' };

/** What every saga's object answers to. */
export interface SagaRpc {
  read(scope: Scope): ReadSagaResult;
  readEvents(scope: Scope, afterSequence: number, limit: number): ReadEventsResult;
  describeKey(): DescribeKeyResult;
  /** Outcomes in any order, any number of times. */
  deliver(outcomes: readonly Outcome[]): Delivered;
  /** Whether the saga still waits for this effect's outcome. */
  awaits(effectId: string): boolean;
  /** A command's message became a dead letter. */
  commandDied(effectId: string): Delivered;
  acknowledge(acknowledgement: Acknowledgement): void;
}

/** What a refund of its payment may count on, or why there can be none. */
export type RefundReservation =
  | {
      readonly kind: 'reserved';
      readonly amountMinor: number;
      readonly currency: string;
      readonly walletId: string;
      readonly serviceId: string;
      readonly method: PaymentMethod;
      readonly provider: string | null;
      readonly providerReference: string | null;
    }
  | { readonly kind: 'payment_not_found' | 'payment_not_refundable' | 'refund_amount_exceeds_refundable' };

export type RefundSettlement = 'completed' | 'released';

export interface PaymentSagaRpc extends SagaRpc {
  create(input: CreatePayment): Promise<CreateResult>;
  reserveRefund(scope: Scope, refundId: string, amountMinor: number | null): RefundReservation;
  settleRefund(refundId: string, settlement: RefundSettlement): void;
}

// ── RefundSaga ───────────────────────────────────────────────────────────────────────────────────────────────────────

export interface CreateRefund {
  readonly scope: Scope;
  readonly idempotencyKey: string;
  readonly fingerprint: string;
  readonly request: RefundRequest;
  readonly trace: Trace;
  readonly waitMs: number;
}

/** A refusal leaves nothing behind: the key is free. */
export type CreateRefundResult = CreateResult | Exclude<RefundReservation, { kind: 'reserved' }>;

export interface RefundSagaRpc extends SagaRpc {
  create(input: CreateRefund): Promise<CreateRefundResult>;
}

// ── Wallet ───────────────────────────────────────────────────────────────────────────────────────────────────────────

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
  /** `simulate` (sandbox): be refused, as a rule of its own at the precedence of the hold's state. */
  | (WalletCommandBase & { readonly type: 'debit'; readonly simulate?: 'refuse' })
  | (WalletCommandBase & { readonly type: 'release' })
  /** A refund's money coming back: settled → available. */
  | (WalletCommandBase & { readonly type: 'credit' })
  /** A credit whose refund failed after all, taken back by a new entry: available → settled. */
  | (WalletCommandBase & { readonly type: 'reverse' });

export type WalletOutcome =
  /** `version`: the wallet's after the entry. */
  | { readonly effectId: string; readonly kind: 'applied'; readonly version: number }
  | { readonly effectId: string; readonly kind: 'refused'; readonly reason: WalletRefusal };

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

export interface Deposit {
  /** Made from the idempotency key: the same key deposits once. */
  readonly effectId: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly reference?: string;
}

export type DepositResult =
  /** `replayed`: the entry of an earlier deposit under the same key. `wallet` is as it is now. */
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

export interface WalletRpc {
  /** At most WALLET_COMMANDS_MAX, taken in order; one outcome per command, in the same order. */
  execute(scope: Scope, walletId: string, commands: readonly WalletCommand[]): readonly WalletOutcome[];
  open(scope: Scope, walletId: string, currency: string): OpenWalletResult;
  read(): { readonly kind: 'found'; readonly wallet: WalletView } | { readonly kind: 'not_found' };
  deposit(deposit: Deposit): DepositResult;
  /** Entries with a sequence below `beforeSequence` (null: from the newest) and, with `atMs`, made until then. */
  readEntries(page: { beforeSequence: number | null; limit: number; atMs: number | null }): ReadEntriesResult;
}
