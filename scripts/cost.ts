/**
 * `npm run cost`: what payments cost at list price, counted by the meter: runs many of each kind on a local Worker, waits until all
 * are at rest, reads each with `?include=cost`, and prints the mean of a million, by resource. `--write` puts the table into
 * docs/cost.md; `--payments N` of each kind. Loopback only.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Spent, spentSince, sumOfSpent } from '../src/domain/cost/spent.ts';
import type { CostView } from '../src/domain/cost/view.ts';
import { readCommandLine, wholeNumber } from './command-line.ts';
import { cpuMsOf } from './cost-cpu.ts';
import { type CostRow, costTables } from './cost-table.ts';
import { anyFreePort, type LocalWorker, startLocalWorker } from './local-worker.ts';

const PAYMENTS_DEFAULT = 320;
const CONCURRENCY = 16;
/** Payments with nobody beside them, for what batches share. */
const ALONE = 6;
const WALLETS = 20;
/** Longer than the record's batches wait (wrangler.toml), and than a notification is on its way. */
const QUIET_MS = 3_000;
const QUIET_TIMEOUT_MS = 120_000;
const PAGE = 'docs/cost.md';
const MARKS = ['<!-- npm run cost: begin -->', '<!-- npm run cost: end -->'] as const;
const DECLINED = 'pm_card_visa_chargeDeclinedInsufficientFunds';
const COMPENSATED = 'pm_sim_debit_fail';

const USAGE = `npm run cost -- [--payments N] [--write]

  --payments  of each kind; absent: ${PAYMENTS_DEFAULT}
  --write     puts the table into ${PAGE}`;

const { values } = readCommandLine(USAGE, { payments: { type: 'string' }, write: { type: 'boolean' } });
const payments = wholeNumber(USAGE, '--payments', values.payments, { otherwise: PAYMENTS_DEFAULT, min: 1 });
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort());

const worker = await startLocalWorker(await anyFreePort(), interrupted.signal);
try {
  const tables = costTables(await measureAll(worker), { payments, concurrency: CONCURRENCY, alone: ALONE });
  console.log(tables);
  if (values.write === true) write(tables);
} finally {
  await worker.stop();
}

async function measureAll({ origin, pid }: LocalWorker): Promise<CostRow[]> {
  // Wallets are opened, breakers asked: what the first payments pay for all.
  await costsOf(origin, await pay(origin, WALLETS * 2));
  const cpuBeforeMs = cpuMsOf(pid);
  const completed = await pay(origin, payments);
  const completedCosts = await costsOf(origin, completed);
  const cpuMs = (cpuMsOf(pid) - cpuBeforeMs) / payments;
  const alone: Spent[] = [];
  for (let n = 0; n < ALONE; n += 1) alone.push(...(await costsOf(origin, await pay(origin, 1))));
  const declined = await costsOf(origin, await pay(origin, payments, DECLINED));
  const compensated = await costsOf(origin, await pay(origin, payments, COMPENSATED));
  const before = sumOfSpent(...completedCosts);
  const refunds = await inTurns(completed, (id) => refund(origin, id));
  const refundCosts = await costsOf(origin, refunds);
  // What a refund makes its payment's object spend is the payment's; here it is the refund's.
  const more = spentSince(before, sumOfSpent(...(await costsOf(origin, completed))));
  const row = (name: string, spent: Spent, count: number, cpu: number | null = null): CostRow => {
    return { name, spent, count, cpuMs: cpu };
  };
  return [
    row('completed', before, payments, cpuMs),
    row('completed, alone', sumOfSpent(...alone), ALONE),
    row('declined', sumOfSpent(...declined), payments),
    row('compensated', sumOfSpent(...compensated), payments),
    row('refund', sumOfSpent(...refundCosts, more), payments),
  ];
}

/** Ids of so many payments, each followed to its end. */
function pay(origin: string, count: number, token?: string): Promise<string[]> {
  const status = token === undefined ? 'COMPLETED' : 'FAILED';
  return inTurns(
    Array.from({ length: count }, (_each, n) => n),
    (n) =>
      post(`${origin}/payments`, status, {
        wallet_id: `cost-${n % WALLETS}`,
        service_id: 'cost',
        amount: 10,
        currency: 'USD',
        method: 'balance',
        ...(token !== undefined && { token }),
      }),
  );
}

function refund(origin: string, paymentId: string): Promise<string> {
  return post(`${origin}/refunds`, 'COMPLETED', { payment_id: paymentId });
}

async function post(url: string, expected: string, body: object): Promise<string> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID(), prefer: 'wait=25' },
    body: JSON.stringify(body),
    signal: interrupted.signal,
  });
  const { id, status } = (await response.json()) as { id: string; status: string };
  if (status !== expected) throw new Error(`POST ${url}: ${response.status}, ${id} is ${status}`);
  return id;
}

/** What each has cost, once none costs any more. */
async function costsOf(origin: string, ids: readonly string[]): Promise<Spent[]> {
  const deadlineMs = Date.now() + QUIET_TIMEOUT_MS;
  for (let last = ''; ; ) {
    await sleep(QUIET_MS);
    const views = await inTurns(ids, (id) => costOf(origin, id));
    const costs = views.map(({ spent, to_come: toCome }) => sumOfSpent(spent, toCome));
    // Looking costs rows that are read: those of no payment.
    const { object_rows_read: _read, ...total } = sumOfSpent(...costs);
    if (JSON.stringify(total) === last) return costs;
    if (Date.now() > deadlineMs) throw new Error(`not at rest ${QUIET_TIMEOUT_MS / 1_000} s on`);
    last = JSON.stringify(total);
  }
}

async function costOf(origin: string, id: string): Promise<CostView> {
  const path = id.startsWith('pay_') ? 'payments' : 'refunds';
  const response = await fetch(`${origin}/${path}/${id}?include=cost`, { signal: interrupted.signal });
  if (!response.ok) throw new Error(`GET ${path}/${id}: ${response.status}`);
  return ((await response.json()) as { cost: CostView }).cost;
}

/** One after the other in as many turns at once as CONCURRENCY; results in order. */
async function inTurns<Item, Result>(items: readonly Item[], of: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  const queue = items.entries();
  const turn = async (): Promise<void> => {
    for (const [index, item] of queue) results[index] = await of(item);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, turn));
  return results;
}

function write(tables: string): void {
  const page = readFileSync(PAGE, 'utf8');
  const [begin, end] = MARKS.map((mark) => page.indexOf(mark));
  if (begin === undefined || end === undefined || begin < 0 || end < begin) throw new Error(`${PAGE}: no marks`);
  writeFileSync(PAGE, `${page.slice(0, begin + MARKS[0].length)}\n\n${tables}\n\n${page.slice(end)}`);
}
