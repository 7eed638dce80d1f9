/**
 * Pure: carries decisions out on a ledger's store: expiries that are due first, then each command in turn. It never
 * awaits, so that the object can run it inside one storage transaction; if it throws, the caller rolls back.
 * Called by the Wallet object over SQLite, and by the property tests over memory.
 */
import { InvariantError, type WalletRefusal } from '../errors.ts';
import { differingFields } from '../idempotency.ts';
import type { Scope } from '../ids.ts';
import { WALLET_COMMANDS_MAX } from '../limits.ts';
import { isCurrency } from '../money.ts';
import type { Deposit, WalletCommand, WalletOutcome } from '../wallet-rpc.ts';
import {
  begins,
  contentOf,
  type Decision,
  decide,
  decideDeposit,
  effectHash,
  expiryDraft,
  type Snapshot,
  type StoredEffect,
} from './decide.ts';
import {
  type EntryDraft,
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

export interface StoredWallet extends WalletIdentity {
  readonly frozen: boolean;
}

/** What a ledger is kept in. Reads see every write made before them. */
export interface LedgerStore {
  wallet(): StoredWallet | null;
  /** The newest entry: the balances and the version. */
  head(): LedgerEntry | null;
  /** The entry of that sequence, 1 to the head's. */
  entry(sequence: number): LedgerEntry;
  openHolds(): OpenHolds;
  effect(effectId: string): StoredEffect | null;
  resolution(paymentId: string): Resolution | null;
  /** Whether it has WALLET_SIZE_BYTES_MAX or more. What is written is never taken away: once full, it stays so. */
  isFull(): boolean;
  openWallet(wallet: StoredWallet): void;
  /** Also brings the open holds up to date. */
  appendEntry(entry: LedgerEntry): void;
  appendEffect(effect: StoredEffect): void;
  appendResolution(paymentId: string, resolution: Resolution): void;
}

/** A deposit's result, with the entry as the ledger has it. */
export type DepositDecision =
  | { readonly kind: 'deposited' | 'replayed'; readonly entry: LedgerEntry }
  | { readonly kind: 'key_reused'; readonly fields: readonly string[] }
  | { readonly kind: 'refused'; readonly reason: WalletRefusal };

/** The effect id of the deposit that the sandbox opens a wallet with. */
const SANDBOX_OPENING_EFFECT_ID = 'sandbox-opening';

/**
 * Carries out at most WALLET_COMMANDS_MAX commands, in order; one outcome for each, in the same order.
 * @throws InvariantError for too many commands, an amount that is none, or the name of another wallet.
 */
export function executeCommands(
  store: LedgerStore,
  owner: { readonly scope: Scope; readonly walletId: string },
  commands: readonly WalletCommand[],
  nowMs: number,
): readonly WalletOutcome[] {
  if (commands.length > WALLET_COMMANDS_MAX) throw new InvariantError('wallet_commands_max', { n: commands.length });
  assertOwner(store, owner);
  expireDue(store, nowMs);
  return commands.map((command) => {
    openForSandbox(store, owner, command, nowMs);
    return executeCommand(store, command, nowMs);
  });
}

/**
 * Opens the wallet, unless it is open.
 * @throws InvariantError for a currency that is none, or the name of another wallet.
 */
export function openWallet(
  store: LedgerStore,
  owner: { readonly scope: Scope; readonly walletId: string },
  currency: string,
  nowMs: number,
): 'opened' | 'exists' | 'currency_conflict' {
  assertOwner(store, owner);
  if (!isCurrency(currency)) throw new InvariantError('currency_known', { currency });
  const wallet = store.wallet();
  if (wallet !== null) return wallet.currency === currency ? 'exists' : 'currency_conflict';
  const { merchant, mode } = owner.scope;
  store.openWallet({
    scope: { merchant, mode },
    walletId: owner.walletId,
    currency,
    createdAtMs: nowMs,
    frozen: false,
  });
  return 'opened';
}

/**
 * Puts money in, once per effect id. A refusal is stored like any other, except those of a wallet which is full (`settle`) or does not exist:
 * a deposit's id is a client's idempotency key, and what is refused before there is anything to keep it in leaves the
 * key free (docs/idempotency.md).
 * @throws InvariantError for an amount that is none.
 */
export function executeDeposit(store: LedgerStore, deposit: Deposit, nowMs: number): DepositDecision {
  expireDue(store, nowMs);
  const decision = decideDeposit(snapshotFor(store, deposit.effectId, null, nowMs), deposit);
  if (decision.kind === 'conflict') return keyReused(decision.effect, deposit);
  if (decision.kind === 'refused' && decision.reason === 'wallet_not_found') return decision;
  const outcome = outcomeOf(settle(store, deposit, decision, nowMs));
  if (outcome.kind === 'refused') return { kind: 'refused', reason: outcome.reason };
  return { kind: decision.kind === 'replayed' ? 'replayed' : 'deposited', entry: store.entry(outcome.version) };
}

/** Gives back every hold whose time has passed, in the order of their times. */
export function expireDue(store: LedgerStore, nowMs: number): void {
  const due = [...store.openHolds().values()].filter((hold) => hold.expiresAtMs <= nowMs);
  due.sort((left, right) => left.expiresAtMs - right.expiresAtMs);
  for (const hold of due) append(store, expiryDraft(hold), nowMs);
}

/** When the next hold expires; null when none is open. */
export function earliestExpiryAtMs(holds: OpenHolds): number | null {
  let earliestAtMs: number | null = null;
  for (const { expiresAtMs } of holds.values()) {
    if (earliestAtMs === null || expiresAtMs < earliestAtMs) earliestAtMs = expiresAtMs;
  }
  return earliestAtMs;
}

function executeCommand(store: LedgerStore, command: WalletCommand, nowMs: number): WalletOutcome {
  const { effectId } = command;
  const decision = decide(snapshotFor(store, effectId, command.paymentId, nowMs), command);
  if (decision.kind === 'conflict') return { effectId, kind: 'refused', reason: 'effect_id_conflict' };
  return outcomeOf(settle(store, command, decision, nowMs));
}

/** @throws InvariantError for a row that says neither or both: a saga told the wrong one would undo what was done. */
function outcomeOf({ effectId, version, refusal }: StoredEffect): WalletOutcome {
  if (version !== null && refusal === null) return { effectId, kind: 'applied', version };
  if (version === null && refusal !== null) return { effectId, kind: 'refused', reason: refusal };
  throw new InvariantError('L6', { effectId });
}

/** Sandbox: the first hold that names a wallet opens it, through a deposit like any other. */
function openForSandbox(
  store: LedgerStore,
  owner: { readonly scope: Scope; readonly walletId: string },
  command: WalletCommand,
  nowMs: number,
): void {
  if (command.type !== 'hold' || command.openWithMinor === undefined) return;
  if (store.wallet() !== null || store.effect(command.effectId) !== null) return;
  openWallet(store, owner, command.currency, nowMs);
  const { currency, openWithMinor: amountMinor } = command;
  executeDeposit(store, { effectId: SANDBOX_OPENING_EFFECT_ID, amountMinor, currency }, nowMs);
}

/** Stores what a decision means, and answers the effect as it is stored, or would be. */
function settle(
  store: LedgerStore,
  request: WalletCommand | Deposit,
  decision: Exclude<Decision, { kind: 'conflict' }>,
  nowMs: number,
): StoredEffect {
  if (decision.kind === 'replayed') return decision.effect;
  if (decision.kind === 'applied') append(store, decision.draft, nowMs);
  const isRefused = decision.kind === 'refused';
  const unsealed = {
    effectId: request.effectId,
    content: contentOf(request),
    version: isRefused ? null : (store.head()?.sequence ?? 0),
    refusal: isRefused ? decision.reason : null,
    decidedAtMs: nowMs,
  };
  const effect = { ...unsealed, hash: effectHash(unsealed) };
  // A full wallet refuses every hold and deposit that it does not know: it need not keep, in the room that is left, which.
  if (!(isRefused && begins(request) && store.isFull())) store.appendEffect(effect);
  return effect;
}

/** Gives a draft its place in the ledger. @throws InvariantError when it would break L2 or has no wallet to be in. */
function append(store: LedgerStore, draft: EntryDraft, nowMs: number): void {
  const wallet = store.wallet();
  const head = store.head();
  const balances = postTo(head?.balances ?? ZERO_BALANCES, draft.postings);
  if (wallet === null || balances === null) throw new InvariantError('L2', { effectId: draft.effectId });
  const sequence = (head?.sequence ?? 0) + 1;
  const unsealed = {
    ...draft,
    sequence,
    balances,
    createdAtMs: Math.max(nowMs, head?.createdAtMs ?? wallet.createdAtMs),
    openHolds: isSnapshot(sequence) ? holdsAfter(store.openHolds(), draft) : null,
    previousHash: head?.hash ?? genesisHash(wallet),
  };
  store.appendEntry({ ...unsealed, hash: entryHash(unsealed) });
  const resolution = resolutionBy(draft.type);
  if (resolution !== null && draft.paymentId !== null) store.appendResolution(draft.paymentId, resolution);
}

function holdsAfter(holds: OpenHolds, draft: EntryDraft): readonly OpenHold[] {
  const after = new Map(holds);
  foldHolds(after, draft);
  return [...after.values()];
}

function snapshotFor(store: LedgerStore, effectId: string, paymentId: string | null, nowMs: number): Snapshot {
  const holds = store.openHolds();
  const hold = paymentId === null ? null : (holds.get(paymentId) ?? null);
  return {
    effect: store.effect(effectId),
    wallet: store.wallet(),
    balances: store.head()?.balances ?? ZERO_BALANCES,
    hold,
    resolution: paymentId === null || hold !== null ? null : store.resolution(paymentId),
    openHoldsCount: holds.size,
    nowMs,
    isFull: store.isFull(),
  };
}

function keyReused(effect: StoredEffect, deposit: Deposit): DepositDecision {
  const stored = JSON.parse(effect.content) as Record<string, unknown>;
  // An id that a saga's command has taken: no client's key makes such an id, so there are no fields to name.
  if (stored.type !== 'deposit') return { kind: 'refused', reason: 'effect_id_conflict' };
  return { kind: 'key_reused', fields: differingFields(publicFields(stored), publicFields({ ...deposit })) };
}

/** A deposit's content under the names that the client sent. */
function publicFields({ amountMinor, currency, reference }: Record<string, unknown>): Record<string, unknown> {
  return { amount: amountMinor, currency, reference };
}

function assertOwner(store: LedgerStore, owner: { readonly scope: Scope; readonly walletId: string }): void {
  const wallet = store.wallet();
  if (wallet === null) return;
  const isOwner =
    wallet.walletId === owner.walletId &&
    wallet.scope.merchant === owner.scope.merchant &&
    wallet.scope.mode === owner.scope.mode;
  if (!isOwner) throw new InvariantError('wallet_owner', { walletId: owner.walletId });
}
