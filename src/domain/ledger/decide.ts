/**
 * Pure: whether a wallet does what it is told. One snapshot and one command in, one decision out; nothing is changed
 * here. The checks stand in order of precedence (docs/ledger.md): effect known → wallet exists →
 * not frozen → currency → hold's state → funds → limits. Called by `execute.ts`, which carries the decision out.
 */
import { canonicalJson, sha256Hex } from '../canonical.ts';
import { InvariantError, type WalletRefusal } from '../errors.ts';
import { WALLET_OPEN_HOLDS_MAX } from '../limits.ts';
import { isAmountMinor } from '../money.ts';
import type { Deposit, WalletCommand } from '../wallet-rpc.ts';
import { type Balances, type EntryDraft, type OpenHold, type Posting, postTo, type Resolution } from './entry.ts';

/** What an effect id stands for, for ever (L6). */
export interface StoredEffect {
  readonly effectId: string;
  /** Canonical JSON of what was asked. */
  readonly content: string;
  /** The wallet's version after it; null when it was refused. */
  readonly version: number | null;
  /** Why it was refused; null when it was applied. */
  readonly refusal: WalletRefusal | null;
  readonly decidedAtMs: number;
  /** Over all of the above: an edited row shows. */
  readonly hash: string;
}

/** All that a decision may depend on. */
export interface Snapshot {
  /** What is stored under the command's effect id. */
  readonly effect: StoredEffect | null;
  /** Null: it has not been opened. */
  readonly wallet: { readonly currency: string; readonly frozen: boolean } | null;
  readonly balances: Balances;
  /** The open hold of the command's payment. */
  readonly hold: OpenHold | null;
  /** How the hold of the command's payment ended. */
  readonly resolution: Resolution | null;
  readonly openHoldsCount: number;
  readonly nowMs: number;
  /** It is as large as it may be: holds and deposits are refused, so that the rest has room. */
  readonly isFull: boolean;
}

export type Decision =
  /** The same content under a known id: the outcome is the stored one. */
  | { readonly kind: 'replayed'; readonly effect: StoredEffect }
  /** Other content under a known id: refused, and nothing is stored over what the id stands for. */
  | { readonly kind: 'conflict'; readonly effect: StoredEffect }
  | { readonly kind: 'refused'; readonly reason: WalletRefusal }
  | { readonly kind: 'applied'; readonly draft: EntryDraft }
  /** Done already, by the hold's expiry: applied, with no entry. */
  | { readonly kind: 'applied_before' };

type Judgement = Exclude<Decision, { kind: 'replayed' | 'conflict' }>;
type Command<Type extends WalletCommand['type']> = Extract<WalletCommand, { type: Type }>;

/** What a command asks for, as text: two commands under one effect id are the same when this is. */
export function contentOf(request: WalletCommand | Deposit): string {
  const { effectId: _, ...content } = request;
  return canonicalJson('type' in content ? content : { ...content, type: 'deposit' });
}

/** SHA-256 over the canonical JSON of the rest of the row. */
export function effectHash({ effectId, content, version, refusal, decidedAtMs }: Omit<StoredEffect, 'hash'>): string {
  return sha256Hex(canonicalJson({ effectId, content, version, refusal, decidedAtMs }));
}

/**
 * Decides a saga's command. A release gives back the whole hold, whatever smaller amount it names.
 * @throws InvariantError for an amount that is none: callers validate first.
 */
export function decide(snapshot: Snapshot, command: WalletCommand): Decision {
  return knownEffect(snapshot, command) ?? refusedByWallet(snapshot, command) ?? judge(snapshot, command);
}

/** Decides a deposit: the same checks, where they apply. @throws InvariantError for an amount that is none. */
export function decideDeposit(snapshot: Snapshot, deposit: Deposit): Decision {
  return (
    knownEffect(snapshot, deposit) ??
    refusedByWallet(snapshot, deposit) ??
    (snapshot.isFull ? refused('wallet_full') : null) ??
    within(snapshot, {
      type: 'deposit',
      effectId: deposit.effectId,
      paymentId: null,
      reference: deposit.reference ?? null,
      expiresAtMs: null,
      postings: [
        { account: 'external', amount: -deposit.amountMinor },
        { account: 'available', amount: deposit.amountMinor },
      ],
    })
  );
}

/** The entry that gives an expired hold back. There is nothing to decide: the time has passed. */
export function expiryDraft(hold: OpenHold): EntryDraft {
  return {
    type: 'expire',
    effectId: `wallet.hold_expired.${hold.paymentId}`,
    paymentId: hold.paymentId,
    reference: null,
    expiresAtMs: null,
    postings: returned(hold.amountMinor),
  };
}

function knownEffect({ effect }: Snapshot, request: WalletCommand | Deposit): Decision | null {
  if (!isAmountMinor(request.amountMinor)) throw new InvariantError('amount_minor', { effectId: request.effectId });
  if (effect === null) return null;
  return { kind: effect.content === contentOf(request) ? 'replayed' : 'conflict', effect };
}

function refusedByWallet({ wallet }: Snapshot, request: WalletCommand | Deposit): Decision | null {
  if (wallet === null) return refused('wallet_not_found');
  if (wallet.frozen && begins(request)) return refused('wallet_frozen');
  return wallet.currency === request.currency ? null : refused('currency_mismatch');
}

/**
 * A hold or a deposit: all that a frozen wallet and a full one refuse. Were what ends refused too, a freeze would leave sagas to a
 * person (decision 0084).
 */
export function begins(request: WalletCommand | Deposit): boolean {
  return !('type' in request) || request.type === 'hold';
}

function judge(snapshot: Snapshot, command: WalletCommand): Judgement {
  switch (command.type) {
    case 'hold':
      return judgeHold(snapshot, command);
    case 'debit':
      return judgeDebit(snapshot, command);
    case 'release':
      return judgeRelease(snapshot, command);
    case 'credit':
      return judgeCredit(snapshot, command);
    case 'reverse':
      return judgeReverse(snapshot, command);
  }
}

/** One hold per payment, ever; the funds check is against `available`, which holds have already left (P13). */
function judgeHold(snapshot: Snapshot, command: Command<'hold'>): Judgement {
  if (snapshot.hold !== null || snapshot.resolution !== null) return refused('hold_exists');
  if (command.amountMinor > snapshot.balances.available) return refused('insufficient_funds');
  if (snapshot.openHoldsCount >= WALLET_OPEN_HOLDS_MAX) return refused('holds_limit_exceeded');
  if (snapshot.isFull) return refused('wallet_full');
  const postings: Posting[] = [
    { account: 'available', amount: -command.amountMinor },
    { account: 'held', amount: command.amountMinor },
  ];
  return applied({ ...draftOf(command, postings), expiresAtMs: command.expiresAtMs });
}

/** The whole hold leaves `held`: what is debited to `settled`, the rest back to `available`, in one entry. */
function judgeDebit({ hold, resolution, nowMs }: Snapshot, command: Command<'debit'>): Judgement {
  if (hold === null) return refused(resolution === null ? 'hold_not_found' : 'hold_resolved');
  if (command.amountMinor > hold.amountMinor) return refused('amount_exceeds_hold');
  if (command.notAfterMs !== undefined && nowMs > command.notAfterMs) return refused('deadline_exceeded');
  if (command.simulate === 'refuse') return refused('simulated_refusal');
  const restMinor = hold.amountMinor - command.amountMinor;
  const postings: Posting[] = [
    { account: 'held', amount: -hold.amountMinor },
    { account: 'settled', amount: command.amountMinor },
  ];
  if (restMinor > 0) postings.push({ account: 'available', amount: restMinor });
  return applied(draftOf(command, postings));
}

function judgeRelease({ hold, resolution }: Snapshot, command: Command<'release'>): Judgement {
  if (resolution === 'expired') return { kind: 'applied_before' };
  if (hold === null) return refused(resolution === null ? 'hold_not_found' : 'hold_resolved');
  if (command.amountMinor > hold.amountMinor) return refused('amount_exceeds_hold');
  return applied(draftOf(command, returned(hold.amountMinor)));
}

/** Which payment the money left by is the payment's own business: it limits its refunds (S10). */
function judgeCredit(snapshot: Snapshot, command: Command<'credit'>): Judgement {
  if (command.amountMinor > snapshot.balances.settled) return refused('insufficient_funds');
  return within(
    snapshot,
    draftOf(command, [
      { account: 'settled', amount: -command.amountMinor },
      { account: 'available', amount: command.amountMinor },
    ]),
  );
}

/** A credit taken back, as far as the money is still there; what is held is not. */
function judgeReverse(snapshot: Snapshot, command: Command<'reverse'>): Judgement {
  if (command.amountMinor > snapshot.balances.available) return refused('insufficient_funds');
  return within(
    snapshot,
    draftOf(command, [
      { account: 'available', amount: -command.amountMinor },
      { account: 'settled', amount: command.amountMinor },
    ]),
  );
}

/** Applied, unless a balance would pass AMOUNT_MINOR_MAX. */
function within({ balances }: Snapshot, draft: EntryDraft): Judgement {
  return postTo(balances, draft.postings) === null ? refused('balance_limit_exceeded') : applied(draft);
}

function returned(amountMinor: number): readonly Posting[] {
  return [
    { account: 'held', amount: -amountMinor },
    { account: 'available', amount: amountMinor },
  ];
}

function draftOf(command: WalletCommand, postings: readonly Posting[]): EntryDraft {
  const { type, effectId, paymentId } = command;
  return { type, effectId, paymentId, reference: null, expiresAtMs: null, postings };
}

function applied(draft: EntryDraft): Judgement {
  return { kind: 'applied', draft };
}

function refused(reason: WalletRefusal): Judgement {
  return { kind: 'refused', reason };
}
