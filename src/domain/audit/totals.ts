/**
 * Pure: X1: over all wallets of a currency, available + held + settled − external is zero. Sums are BigInt: many wallets
 * together may pass what one may hold; they are compared and shown, and never stored. Called by the auditor.
 */
import type { Account, Balances } from '../ledger/entry.ts';
import { type Finding, Findings } from './finding.ts';

/** Decimal text of minor units, by account. */
export type Totals = Readonly<Record<Account, string>>;
export type TotalsByCurrency = Readonly<Record<string, Totals>>;

const ZERO: Totals = { available: '0', held: '0', settled: '0', external: '0' };

export function addBalances(totals: TotalsByCurrency, currency: string, balances: Balances): TotalsByCurrency {
  const before = totals[currency] ?? ZERO;
  const add = (account: Account): string => String(BigInt(before[account]) + BigInt(balances[account]));
  const after = { available: add('available'), held: add('held'), settled: add('settled'), external: add('external') };
  return { ...totals, [currency]: after };
}

/** A finding for each currency in which money came from nowhere, or went there. */
export function auditTotals(totals: TotalsByCurrency): readonly Finding[] {
  return Object.entries(totals).flatMap(([currency, { available, held, settled, external }]) => {
    const found = new Findings(`all wallets in ${currency}`);
    const rest = BigInt(available) + BigInt(held) + BigInt(settled) - BigInt(external);
    found.expect(rest === 0n, 'X1', `available + held + settled − external is ${rest}`);
    return found.all;
  });
}
