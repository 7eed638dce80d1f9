/**
 * The phases that compare, a page a step: our payments made in the window; then what the books have besides; then the refunds
 * made in the window of payments that were not. Each payment is compared once, with everything that is known of it.
 */
import { RECONCILIATION_PAGE_SIZE } from '../../src/domain/limits.ts';
import { type PaymentRecord, paymentRecord } from '../../src/domain/reconciliation/books.ts';
import type { ReconciliationPlan } from '../../src/domain/reconciliation/plan.ts';
import type { Comparison } from '../../src/domain/reconciliation/reconcile.ts';
import type { PagePosition } from '../../src/read-model/pages.ts';
import {
  type PaymentsPosition,
  paymentsById,
  paymentsMade,
  paymentsRefunded,
} from '../../src/read-model/reconciled-rows.ts';
import { providersFor } from './books.ts';
import { gather } from './lists.ts';
import { readOwners, secondLook } from './second-look.ts';
import type { ReconciliationStore, Run } from './store.ts';

export interface ComparedPage {
  readonly comparison: Comparison;
  /** Payments, and lines that name none, that need not be compared again. */
  readonly keys: readonly string[];
  /** Where the phase goes on; null: it has ended. */
  readonly cursor: string | null;
}

export async function comparePage(env: Env, store: ReconciliationStore, run: Run): Promise<ComparedPage> {
  switch (run.progress.phase) {
    case 'payments':
      return await comparePayments(env, store, run);
    case 'lines':
      return await compareLines(env, store, run);
    default:
      return await compareRefunded(env, store, run);
  }
}

async function comparePayments(env: Env, store: ReconciliationStore, run: Run): Promise<ComparedPage> {
  const { plan, progress } = run;
  const position = readCursor<PaymentsPosition>(progress.cursor);
  const page = await paymentsMade(env.DB, plan.mode, plan.window, position, RECONCILIATION_PAGE_SIZE);
  const payments = page.rows.map(paymentRecord).filter((payment) => isAskedFor(payment, plan));
  return {
    ...(await compare(env, store, run, payments, idsOf(payments))),
    cursor: page.next && JSON.stringify(page.next),
  };
}

/** Payments that only the books led to: made outside the window, or not in the record; then their owner is asked. */
async function compareLines(env: Env, store: ReconciliationStore, run: Run): Promise<ComparedPage> {
  const { plan, progress } = run;
  const keys = store.keysLeft(readCursor<string>(progress.cursor) ?? '', plan.window, RECONCILIATION_PAGE_SIZE);
  const known = (await paymentsById(env.DB, plan.mode, keys)).map(paymentRecord);
  const recorded = new Set(idsOf(known));
  const owned = await readOwners(
    env,
    keys.filter((key) => key.startsWith('pay_') && !recorded.has(key)),
  );
  const last = keys.at(-1);
  return {
    ...(await compare(env, store, run, [...known, ...owned.payments.values()], keys)),
    cursor: last === undefined || keys.length < RECONCILIATION_PAGE_SIZE ? null : JSON.stringify(last),
  };
}

async function compareRefunded(env: Env, store: ReconciliationStore, run: Run): Promise<ComparedPage> {
  const { plan, progress } = run;
  const position = readCursor<PagePosition>(progress.cursor);
  const page = await paymentsRefunded(env.DB, plan.mode, plan.window, position, RECONCILIATION_PAGE_SIZE);
  const rows = await paymentsById(env.DB, plan.mode, store.uncompared(page.paymentIds));
  const payments = rows.map(paymentRecord).filter((payment) => isAskedFor(payment, plan));
  return {
    ...(await compare(env, store, run, payments, idsOf(payments))),
    cursor: page.next && JSON.stringify(page.next),
  };
}

async function compare(
  env: Env,
  store: ReconciliationStore,
  { plan, progress }: Run,
  payments: readonly PaymentRecord[],
  keys: readonly string[],
): Promise<Omit<ComparedPage, 'cursor'>> {
  const gathered = await gather(env, plan.mode, payments, store.linesOf(keys));
  const coverage = new Map(progress.books.map((read) => [read.provider, read.coverage]));
  const scope = { window: plan.window, coverage };
  return { comparison: await secondLook(env, plan, providersFor(env, plan), gathered, scope), keys };
}

/** Where one provider was asked for, payments that went to no provider are still of interest: it may know of them. */
function isAskedFor({ provider }: PaymentRecord, plan: ReconciliationPlan): boolean {
  return plan.provider === null || provider === null || provider === plan.provider;
}

function idsOf(payments: readonly PaymentRecord[]): string[] {
  return payments.map(({ id }) => id);
}

/** A cursor never leaves the object that made it. */
function readCursor<Position>(cursor: string | null): Position | null {
  return cursor === null ? null : (JSON.parse(cursor) as Position);
}
