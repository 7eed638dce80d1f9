/**
 * Pure: the contracts between the Worker's parts: what HTTP and the queue consumers may ask of the objects, and what the
 * objects answer. Every method returns a result; only bugs throw. The objects implement these interfaces, callers reach
 * them through typed stubs.
 */
import type { WalletAuditPage } from './audit/wallet.ts';
import type { Spent } from './cost/spent.ts';
import type { WalletRefusal } from './errors.ts';
import type { Envelope } from './events/envelope.ts';
import type { Scope } from './ids.ts';
import type { LedgerAuditState } from './ledger/replay.ts';
import type { PaymentRow, Publication, RefundRow, WalletRow } from './messages.ts';
import type { PaymentMethod, PaymentRequest } from './payment.ts';
import type { HoldLine, LedgerLine } from './reconciliation/books.ts';
import type { RefundRequest } from './refund.ts';
import type { MoveVerdict } from './saga/operator.ts';
import type { Outcome } from './saga/outcome.ts';
import type { StoredCommit } from './saga/seal.ts';
import type { OperatorMove } from './saga/table.ts';
import type { Tombstone } from './saga/tombstone.ts';

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
  /** `expired`: it was this scope's, and only the record may still have it. */
  | { readonly kind: 'not_found' | 'expired' };

export type ReadEventsResult =
  | { readonly kind: 'found'; readonly events: readonly Envelope[]; readonly more: boolean; readonly terminal: boolean }
  | { readonly kind: 'not_found' | 'expired' };

/** What the record should say by now, as the owner has it. An entity that has expired is known to the record only. */
export type ReadRowResult =
  | { readonly kind: 'found'; readonly payment?: PaymentRow | undefined; readonly refund?: RefundRow | undefined }
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

/** What a saga has cost up to now, and what it will for certain. */
export type ReadCostResult =
  | { readonly kind: 'found'; readonly body: string; readonly spent: Spent; readonly toCome: Spent }
  | { readonly kind: 'not_found' | 'expired' };

/** What a consumer took over durably and a saga need not send again. */
export interface Acknowledgement {
  readonly effectIds: readonly string[];
  /** A run of events, first to last sequence, that the record now holds. */
  readonly events?: { readonly first: number; readonly last: number };
  /** What that, and this call, has cost. */
  readonly spent?: Spent;
}

/** `unknown_saga`: this object has never begun one. */
export type Delivered = { readonly kind: 'delivered' | 'unknown_saga' };

/** What a dead letter carried: a command's effect, or runs of the saga's events for the record. */
export type Redrivable = { readonly kind: 'effect'; readonly effectId: string } | { readonly kind: 'publication' };

/**
 * Where the owner of what a letter carried stands now. `state`: a saga's state, or `expired` past its retention; of a
 * webhook endpoint, whether it is enabled.
 */
export type Standing =
  | { readonly kind: 'known'; readonly state: string; readonly awaits: boolean }
  /** This object has never begun what the letter speaks of, or it is another merchant's. */
  | { readonly kind: 'unknown_owner' };

/** One outcome per item, in the same order. `no_longer_awaited`: nothing was sent, since nothing is left to do. */
export type RedriveResult =
  | { readonly kind: 'redriven'; readonly state: string; readonly outcomes: readonly RedriveOutcome[] }
  | { readonly kind: 'unknown_owner' };

export const REDRIVE_OUTCOMES = ['sent_again', 'no_longer_awaited'] as const;
export type RedriveOutcome = (typeof REDRIVE_OUTCOMES)[number];

/** What the owner of messages that died answers to: a saga's object, or a webhook endpoint's. */
export interface RedriveRpc {
  /** Whether it still waits for what a dead letter carried, and how it stands. */
  standing(scope: Scope, item: Redrivable): Standing;
  /** Sends again, now, whatever of this it still waits for, as it would itself; any number of times. */
  redrive(scope: Scope, items: readonly Redrivable[]): RedriveResult;
}
/** `body`: the JSON of `GET /ops/sagas/{id}`. */
export type InspectResult =
  | { readonly kind: 'found'; readonly body: string; readonly sequence: number }
  | { readonly kind: 'not_found' };

export type JudgeResult = { readonly kind: MoveVerdict | 'not_found' };

export type MoveResult =
  /** `settled`: terminal, and no wallet command is without its outcome: the ledger has what the move comes to. */
  | { readonly kind: 'moved' | 'repeated'; readonly entity: string; readonly settled: boolean }
  | { readonly kind: 'not_found' | 'not_in_attention' | 'not_possible' };

/** What the sweeper found of one saga. */
export type PokeResult =
  | {
      readonly kind: 'poked';
      readonly state: string;
      readonly terminal: boolean;
      /** Something should have been done by now. */
      readonly due: boolean;
      /** An alarm was set that may still be on its way. */
      readonly armed: boolean;
      /** It has gone on, or has sent what was due. */
      readonly moved: boolean;
      /** How long the oldest event that the record should have, and is not known to have, has waited; null: it has all. */
      readonly outboxAgeMs: number | null;
    }
  | { readonly kind: 'expired' | 'unknown_saga' };

/** What every saga's object answers to. */
export interface SagaRpc extends RedriveRpc {
  /** `asOfSequence`: as it stood when that event of its log was committed, whatever has happened since (decision 0083). */
  read(scope: Scope, asOfSequence?: number): ReadSagaResult;
  readEvents(scope: Scope, afterSequence: number, limit: number): ReadEventsResult;
  /** The entity, and its cost: for operators. */
  readCost(scope: Scope): ReadCostResult;
  describeKey(): DescribeKeyResult;
  /** For our own checks, whoever's entity it is: never answered to a client. */
  readRow(): ReadRowResult;
  /** Outcomes in any order, any number of times. */
  deliver(outcomes: readonly Outcome[]): Delivered;
  /** Whether the saga still waits for this effect's outcome; if so, it now reckons with one more call for it. */
  awaits(effectId: string): boolean;
  /** A command's message became a dead letter. */
  commandDied(effectId: string, spent?: Spent): Delivered;
  acknowledge(acknowledgement: Acknowledgement): void;
  /** The live timeline, as a WebSocket: `liveRequest` (live.ts). */
  fetch(request: Request): Response;
  /** At most STORED_COMMITS_MAX commits after `afterSequence`, oldest first, as they are stored. */
  storedCommits(afterSequence: number): StoredCommits;
  /** What the record is to hold of this saga, run by run; null for an object that holds none, or no more. */
  publication(afterSequence: number): PublicationPage | null;
  /** What is left of it after its retention, for the archiver; one that is late to expire does so now. */
  retire(): RetireResult;
  /** `seenSequence`: of its row in the record, 0 where there is none. */
  poke(seenSequence: number): Promise<PokeResult>;
  inspect(scope: Scope): InspectResult;
  judgeMove(scope: Scope, move: OperatorMove): JudgeResult;
  makeMove(scope: Scope, move: OperatorMove, waitMs: number): Promise<MoveResult>;
}

export interface StoredCommits {
  readonly commits: readonly StoredCommit[];
  /** What is left where its retention has ended; null: it has not. */
  readonly tombstone: Tombstone | null;
}

export type RetireResult =
  | { readonly kind: 'retired'; readonly tombstone: Tombstone }
  /** It is needed still; it may be asked again then. */
  | { readonly kind: 'kept'; readonly dueAtMs: number }
  | { readonly kind: 'unknown_saga' };

export interface PublicationPage {
  /** Its closed runs after `afterSequence`, of at most STORED_COMMITS_MAX commits, with the row as it stands. */
  readonly publication: Publication;
  /** Where the next page goes on; null on the last. */
  readonly afterSequence: number | null;
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
  | {
      readonly kind:
        | 'payment_not_found'
        | 'payment_not_refundable'
        | 'refund_amount_exceeds_refundable'
        | 'refunds_limit_exceeded';
    };

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
