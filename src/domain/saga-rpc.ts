/**
 * Pure: what may be asked of a saga's object, and what it answers. Implemented by PaymentSaga and RefundSaga; asked by HTTP, by
 * the queue consumers, by each other, and by the sweeper, the archiver and the audit. Every method returns a result; only bugs throw.
 */
import type { Spent } from './cost/spent.ts';
import type { Envelope } from './events/envelope.ts';
import type { Scope } from './ids.ts';
import type { PaymentRow, Publication, RefundRow } from './messages.ts';
import type { PaymentRequest } from './payment.ts';
import type { RedriveRpc } from './redrive-rpc.ts';
import type { RefundedPayment, RefundRequest } from './refund.ts';
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
      /** Held for as long as was asked, or until it was terminal. False: as many waited as may (WAITERS_MAX). */
      readonly waited: boolean;
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
  | ({ readonly kind: 'reserved' } & RefundedPayment)
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
