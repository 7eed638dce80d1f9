/**
 * Audits the wallets of the directory (D1), in its order: each by its own object, over its own rows, page by page; what the
 * directory says of it; and, over all of them, X1. Changes nothing. Called by the walk.
 */
import { type Finding, Findings } from '../domain/audit/finding.ts';
import { addBalances, auditTotals, type TotalsByCurrency } from '../domain/audit/totals.ts';
import type { WalletAuditPage } from '../domain/audit/wallet.ts';
import { canonicalJson } from '../domain/canonical.ts';
import type { LedgerAuditState } from '../domain/ledger/replay.ts';
import { AUDIT_OBJECTS_MAX } from '../domain/limits.ts';
import type { WalletRow } from '../domain/messages.ts';
import { walletsAfter, walletsFrom } from '../read-model/wallets.ts';
import { walletStub } from '../stubs.ts';
import type { PositionOf } from './position.ts';

export interface WalletsPage {
  readonly wallets: number;
  readonly rows: number;
  readonly findings: readonly Finding[];
  readonly totals: TotalsByCurrency;
  /** Null: all wallets are done. */
  readonly next: PositionOf<'wallets'> | null;
}

/** At most AUDIT_OBJECTS_MAX calls to wallets. */
export async function auditWallets(env: Env, position: PositionOf<'wallets'>): Promise<WalletsPage> {
  const { begun } = position;
  const listed = await (begun === null
    ? walletsAfter(env.DB, position.after, AUDIT_OBJECTS_MAX)
    : walletsFrom(env.DB, begun.wallet, AUDIT_OBJECTS_MAX));
  const findings: Finding[] = [];
  let { after, totals } = position;
  let [wallets, rows, calls] = [0, 0, 0];
  for (const row of listed) {
    const wallet = { merchant: row.merchant, mode: row.mode, id: row.id };
    let state = begun !== null && canonicalJson(begun.wallet) === canonicalJson(wallet) ? begun.state : null;
    do {
      const page = await auditPage(env, row, state);
      calls += 1;
      rows += page.rows;
      findings.push(...findingsOf(row, page));
      state = page.next;
      if (page.wallet !== null && state === null) totals = addBalances(totals, page.wallet.currency, page.balances);
    } while (state !== null && calls < AUDIT_OBJECTS_MAX);
    if (state !== null) {
      const begun = { wallet, state };
      return { wallets, rows, findings, totals, next: { part: 'wallets', after, begun, totals } };
    }
    wallets += 1;
    after = wallet;
    if (calls >= AUDIT_OBJECTS_MAX) break;
  }
  if (calls >= AUDIT_OBJECTS_MAX)
    return { wallets, rows, findings, totals, next: { part: 'wallets', after, begun: null, totals } };
  return { wallets, rows, findings: [...findings, ...auditTotals(totals)], totals, next: null };
}

/** One page of a wallet, from a fresh stub. */
export async function auditPage(env: Env, row: WalletRow, state: LedgerAuditState | null): Promise<WalletAuditPage> {
  return walletStub(env, row, row.id).audit(state);
}

/** What a page of a wallet's audit found, and whether the wallet is the one that the directory lists. */
export function findingsOf(row: WalletRow, { wallet, violations }: WalletAuditPage): readonly Finding[] {
  const where = `wallet ${row.merchant}/${row.mode}/${row.id}`;
  const found = new Findings(where);
  if (wallet === null) {
    found.expect(violations.length > 0, 'L5', 'is listed, and its object holds none');
  } else {
    const { scope, walletId, currency, createdAtMs } = wallet;
    const isIt = walletId === row.id && scope.merchant === row.merchant && scope.mode === row.mode;
    found.expect(isIt, 'L5', 'holds another wallet than the one that is listed');
    found.expect(currency === row.currency, 'L5', `is in ${currency}, and listed in ${row.currency}`);
    found.expect(createdAtMs === row.created_at_ms, 'L5', 'was opened at another time than is listed');
  }
  const violated = violations.map(({ invariant, sequence, detail }) => ({
    where: sequence === null ? where : `${where}, entry ${sequence}`,
    rule: invariant,
    what: detail,
  }));
  return [...found.all, ...violated];
}
