/**
 * Gathers what the pure comparison takes of a page of payments: our rows, the providers' lines, the wallets' ledgers. Reads
 * only. A wallet or owner that cannot be asked is noted, and stops nobody else's comparison. Called by the later phases.
 */
import { type Scope as Owner, walletObjectName } from '../../src/domain/ids.ts';
import {
  type PaymentRecord,
  type RefundRecord,
  refundRecord,
  type StatementLine,
} from '../../src/domain/reconciliation/books.ts';
import type { Lists } from '../../src/domain/reconciliation/reconcile.ts';
import { ledgerSpans } from '../../src/domain/reconciliation/spans.ts';
import type { PaymentEntriesResult, WalletRpc } from '../../src/domain/wallet-rpc.ts';
import { refundsOf } from '../../src/read-model/reconciled-rows.ts';
import { type Calls, walletStub } from '../../src/stubs.ts';
import { errorText, logLine } from '../../src/telemetry/log.ts';

export interface Gathered {
  readonly lists: Lists;
  readonly ledgerUnread: ReadonlySet<string>;
}

export async function gather(
  env: Env,
  mode: Owner['mode'],
  payments: readonly PaymentRecord[],
  lines: readonly StatementLine[],
): Promise<Gathered> {
  const refunds = await refundsOf(env.DB, mode, payments);
  return await withLedgers(env, mode, payments, refunds.map(refundRecord), lines);
}

/** The lists of these payments and refunds, with what their wallets say now. */
export async function withLedgers(
  env: Env,
  mode: Owner['mode'],
  payments: readonly PaymentRecord[],
  refunds: readonly RefundRecord[],
  lines: readonly StatementLine[],
): Promise<Gathered> {
  const byWallet = new Map<string, { readonly wallet: Calls<WalletRpc>; readonly own: PaymentRecord[] }>();
  for (const payment of payments) {
    const owner = { merchant: payment.merchant, mode };
    const name = walletObjectName(owner, payment.walletId);
    const known = byWallet.get(name);
    if (known === undefined) byWallet.set(name, { wallet: walletStub(env, owner, payment.walletId), own: [payment] });
    else known.own.push(payment);
  }
  const ledgers = await Promise.all(
    [...byWallet.values()].map(async ({ wallet, own }) => ({ own, result: await readLedger(wallet, own, refunds) })),
  );
  const unread = ledgers.filter(({ result }) => result === null).flatMap(({ own }) => own.map(({ id }) => id));
  const found = ledgers.flatMap(({ result }) => (result?.kind === 'found' ? [result] : []));
  return {
    lists: {
      payments,
      refunds,
      lines,
      entries: found.flatMap(({ entries }) => entries),
      holds: found.flatMap(({ holds }) => holds),
    },
    ledgerUnread: new Set(unread),
  };
}

/** null: it could not be read. A wallet that does not exist has no entries, and is read. */
async function readLedger(
  wallet: Calls<WalletRpc>,
  payments: readonly PaymentRecord[],
  refunds: readonly RefundRecord[],
): Promise<Exclude<PaymentEntriesResult, { kind: 'too_many' }> | null> {
  const paymentIds = payments.map(({ id }) => id);
  const own = refunds.filter(({ paymentId }) => paymentIds.includes(paymentId));
  const query = { paymentIds, spans: ledgerSpans(payments, own) };
  try {
    const result = await wallet.readPaymentEntries(query);
    return result.kind === 'too_many' ? null : result;
  } catch (error) {
    logLine('reconciliation.wallet_unread', { count: payments.length, error: errorText(error) });
    return null;
  }
}
