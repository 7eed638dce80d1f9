/**
 * What the operations console is shown with, in its tests and screenshots: a Worker of its own with real payments that
 * completed, failed, were undone, got stuck and were refunded, and dead letters of some of them.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { anyFreePort, type LocalWorker, startLocalWorker } from '../local-worker.ts';

export interface ConsoleWorld {
  readonly worker: LocalWorker;
  /** Ids of payments by what became of them. `stuck`: its void fails until a person is asked, half a minute from now. */
  readonly payments: Readonly<Record<keyof typeof TOKENS, string>>;
  readonly refundId: string;
  /** Of the completed payment and the one that was undone. */
  readonly letters: readonly string[];
}

const TOKENS = {
  completed: undefined,
  declined: 'pm_card_visa_chargeDeclinedInsufficientFunds',
  undone: 'pm_sim_void_fail_1',
  retried: 'pm_sim_flaky_2',
  stuck: 'pm_sim_void_fail_99',
} as const;
/** More than one page of the console. */
const MANY = 26;
const LETTERS = 4;
const DATABASE = '/cdn-cgi/local/explorer/api/d1/database/00000000-0000-0000-0000-000000000000/raw';
const READY_TIMEOUT_MS = 30_000;

export async function startConsoleWorld(signal: AbortSignal): Promise<ConsoleWorld> {
  const worker = await startLocalWorker(await anyFreePort(), signal, { isQuiet: true });
  try {
    const entries = Object.entries(TOKENS).map(
      async ([name, token]) => [name, await pay(worker, name, token)] as const,
    );
    const payments = Object.fromEntries(await Promise.all(entries)) as Record<keyof typeof TOKENS, string>;
    await Promise.all(
      Array.from({ length: MANY }, (_, at) => pay(worker, `many-${at}`, undefined, { wallet_id: 'wal-many' })),
    );
    await until(async () => (await statusOf(worker, payments.completed)) === 'COMPLETED');
    await until(async () => (await statusOf(worker, payments.declined)) === 'FAILED');
    const { id: refundId } = await post<{ id: string }>(worker, '/refunds', {
      payment_id: payments.completed,
      amount: 230,
    });
    const letters = Array.from({ length: LETTERS }, (_, at) => `letter-${at + 1}`);
    for (const id of letters) await die(worker, id, payments.completed);
    await until(async () => (await record(worker)) >= MANY);
    return { worker, payments, refundId, letters };
  } catch (error) {
    await worker.stop();
    throw error;
  }
}

export async function pay(worker: LocalWorker, key: string, token?: string, more: object = {}): Promise<string> {
  const body = { wallet_id: 'wal-1234', service_id: 'abc-1234', amount: 1230, currency: 'USD', method: 'balance' };
  const asked = { ...body, reference: `order-${key}`, ...(token !== undefined && { token }), ...more };
  return (await post<{ id: string }>(worker, '/payments', asked, key)).id;
}

export async function get<Body>(worker: LocalWorker, path: string): Promise<Body> {
  const response = await fetch(`${worker.origin}${path}`);
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Body;
}

export async function statusOf(worker: LocalWorker, id: string): Promise<string> {
  return (await get<{ status: string }>(worker, `/payments/${id}`)).status;
}

/** Waits until it holds. @throws when it does not in time. */
export async function until(holds: () => Promise<boolean>, timeoutMs = READY_TIMEOUT_MS): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > deadlineMs) throw new Error('waited for too long');
    await sleep(50);
  }
}

async function record(worker: LocalWorker): Promise<number> {
  const page = await get<{ data: unknown[] }>(worker, '/payments?wallet_id=wal-many&limit=100');
  return page.data.length;
}

async function post<Body>(worker: LocalWorker, path: string, body: object, key: string = path): Promise<Body> {
  const headers = { 'content-type': 'application/json', 'idempotency-key': key };
  const response = await fetch(`${worker.origin}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Body;
}

/** A letter as the consumer of dead letters stores one: nothing that a client can send makes a message of ours die. */
async function die(worker: LocalWorker, id: string, paymentId: string): Promise<void> {
  const type = 'orchestrator.wallet.debit';
  const effectId = `${type}.${paymentId}`;
  const body = JSON.stringify({ event_type: type, payload: { payment_id: paymentId, amount: 1230 } });
  const sql = `INSERT INTO dead_letters (id, queue, reason, message_type, group_id, effect_id, body, died_at_ms, merchant, mode)
    VALUES (?, 'wallet-commands', 'its attempts are spent', ?, ?, ?, ?, CAST(? AS INTEGER), 'default', 'sandbox')`;
  const params = [id, type, `payment_${paymentId}`, effectId, body, String(Date.now())];
  const response = await fetch(`${worker.origin}${DATABASE}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ sql, params }),
  });
  if (!response.ok) throw new Error(`dead letter: ${response.status} ${await response.text()}`);
}
