/**
 * Pure: a wallet and its entries as the public sees them: the same members in the same order every time, times as
 * RFC 3339. Called by the Wallet object.
 */
import { toTimestamp } from '../../src/domain/events/envelope.ts';
import { type LedgerEntry, type OpenHolds, ZERO_BALANCES } from '../../src/domain/ledger/entry.ts';
import type { StoredWallet } from '../../src/domain/ledger/execute.ts';
import { WALLET_HOLDS_LISTED_MAX } from '../../src/domain/limits.ts';
import type { WalletRow } from '../../src/domain/messages.ts';
import type { LedgerLine } from '../../src/domain/reconciliation/books.ts';
import type { BalanceAt, EntryView, WalletView } from '../../src/domain/wallet-rpc.ts';

export function walletView(wallet: StoredWallet, head: LedgerEntry | null, holds: OpenHolds): WalletView {
  const { available, held, settled, external, version } = balanceAfter(head);
  const listed = [...holds.values()].slice(0, WALLET_HOLDS_LISTED_MAX);
  return {
    id: wallet.walletId,
    object: 'wallet',
    currency: wallet.currency,
    available,
    held,
    settled,
    external,
    version,
    frozen: wallet.frozen,
    holds: listed.map(({ paymentId, amountMinor, expiresAtMs }) => ({
      payment_id: paymentId,
      amount: amountMinor,
      expires_at: toTimestamp(expiresAtMs),
    })),
    holds_total: holds.size,
    created_at: toTimestamp(wallet.createdAtMs),
  };
}

/** The row of the directory (D1). */
export function walletRow({ walletId, scope, currency, createdAtMs }: StoredWallet): WalletRow {
  return { id: walletId, merchant: scope.merchant, mode: scope.mode, currency, created_at_ms: createdAtMs };
}

/** The balances after `entry`; zeros and version 0 before the first one. */
export function balanceAfter(entry: LedgerEntry | null): BalanceAt {
  const { available, held, settled, external } = entry?.balances ?? ZERO_BALANCES;
  return { available, held, settled, external, version: entry?.sequence ?? 0 };
}

export function entryView(entry: LedgerEntry): EntryView {
  return {
    object: 'ledger_entry',
    sequence: entry.sequence,
    type: entry.type,
    effect_id: entry.effectId,
    ...(entry.paymentId !== null && { payment_id: entry.paymentId }),
    ...(entry.reference !== null && { reference: entry.reference }),
    postings: entry.postings.map(({ account, amount }) => ({ account, amount })),
    balances: { ...entry.balances },
    created_at: toTimestamp(entry.createdAtMs),
    hash: entry.hash,
    previous_hash: entry.previousHash,
  };
}

/** An entry as reconciliation compares it. */
export function ledgerLine({ paymentId, type, postings }: LedgerEntry): LedgerLine {
  const settledMinor = postings.reduce((sum, { account, amount }) => sum + (account === 'settled' ? amount : 0), 0);
  return { paymentId: paymentId ?? '', type, settledMinor };
}
