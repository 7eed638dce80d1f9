/**
 * `npm run demo`: starts a Worker of its own, shows three payments and a replay over plain HTTP as a client would see
 * them, checks each ending, and stops. Exit code 0 means that everything came out as it must. It ends only what it has
 * started, also on Ctrl-C.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Envelope } from '../src/domain/events/envelope.ts';
import type { PaymentView } from '../src/domain/payment.ts';
import type { EntryView, WalletView } from '../src/domain/rpc.ts';
import { bold, dim, green, red, say, timelineLine, walletTable } from './demo-output.ts';
import { DEFAULT_PORT, type LocalWorker, startLocalWorker } from './local-worker.ts';

/** Every story here ends within a second; a busy machine gets more. */
const TERMINAL_TIMEOUT_MS = 20_000;
const REQUEST_TIMEOUT_MS = 10_000;
const POLL_MS = 20;

/** The specification's request, to the letter; the other stories add a token and have keys of their own. */
const WALLET_ID = 'wal-1234';
const BODY = `{ "wallet_id": "${WALLET_ID}", "service_id": "abc-1234", "amount": 1230, "currency": "USD", "method": "balance" }`;
const withToken = (token: string): string => BODY.replace(' }', `, "token": "${token}" }`);

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => interrupted.abort(new Error(`interrupted by ${signal}`)));
}

let worker: LocalWorker | null = null;
try {
  say(bold('Holdfast: one Worker on this machine, with a new and empty state'));
  const startedAtMs = Date.now();
  worker = await startLocalWorker(DEFAULT_PORT, interrupted.signal);
  const seconds = ((Date.now() - startedAtMs) / 1_000).toFixed(1);
  const whyOther = worker.port === DEFAULT_PORT ? '' : ` (port ${DEFAULT_PORT} is taken)`;
  say(`${worker.origin}${whyOther}, wrangler dev with process id ${worker.pid}, ready in ${seconds} s`);
  await tell(worker);
  say();
  say(green('Everything came out as it must.'));
} catch (error) {
  say();
  const reason = error instanceof Error ? error.message : String(error);
  say(
    red(interrupted.signal.aborted ? `Stopped: ${interrupted.signal.reason.message}.` : `The demo failed: ${reason}`),
  );
  if (worker !== null && !interrupted.signal.aborted) say(dim(worker.logTail()));
  process.exitCode = interrupted.signal.aborted ? 130 : 1;
} finally {
  await worker?.stop();
}

async function tell({ origin, port }: LocalWorker): Promise<void> {
  title('1. A payment from a wallet: hold, authorize, debit');
  const paid = await pay(origin, port, '1234', BODY);
  await follow(origin, paid.id);
  expectEqual('status', (await readPayment(origin, paid.id)).status, 'COMPLETED');
  await showWallet(origin, 99_998_770);

  title('2. The gateway declines: the hold is given back');
  const declined = await pay(origin, port, '1235', withToken('pm_card_visa_chargeDeclinedInsufficientFunds'));
  await follow(origin, declined.id);
  expectEqual('failure', (await readPayment(origin, declined.id)).failure?.code, 'gateway_declined');

  title('3. The wallet refuses the debit after the gateway has authorized: void and release');
  const undone = await pay(origin, port, '1236', withToken('pm_sim_debit_fail'));
  await follow(origin, undone.id);
  expectEqual('failure', (await readPayment(origin, undone.id)).failure?.code, 'debit_failed');
  await showWallet(origin, 99_998_770);

  title('4. The first request again, twice: same key, same bytes, nothing moves');
  say(dim(curlCommand(port, '1234', BODY)));
  const [first, second] = [await post(origin, '1234', BODY), await post(origin, '1234', BODY)];
  for (const replay of [first, second]) {
    say(
      `  ${replay.status}  Idempotent-Replayed: ${replay.replayed}  ${replay.text.length} bytes, ${JSON.parse(replay.text).status}`,
    );
    expectEqual('Idempotent-Replayed', replay.replayed, 'true');
  }
  expectEqual('the second replay', second.text, first.text);
  expectEqual('payment id', JSON.parse(first.text).id, paid.id);
  const wallet = await read<WalletView>(`${origin}/wallets/${WALLET_ID}`);
  expectEqual('available', wallet.available, 99_998_770);
  say(`  The wallet is as it was: version ${wallet.version}, nothing held.`);
}

function title(text: string): void {
  say();
  say(bold(text));
}

function curlCommand(port: number, key: string, body: string): string {
  return [
    `$ curl --location 'localhost:${port}/payments' \\`,
    `  --header 'x-idempotent-key: ${key}' \\`,
    `  --header 'Content-Type: application/json' \\`,
    `  --data '${body}'`,
  ].join('\n');
}

async function pay(origin: string, port: number, key: string, body: string): Promise<PaymentView> {
  say(dim(curlCommand(port, key, body)));
  const { status, text } = await post(origin, key, body);
  if (status !== 202) throw new Error(`POST /payments answered ${status}: ${text}`);
  const payment = JSON.parse(text) as PaymentView;
  say(`  202 Accepted  ${payment.id}  ${payment.status}`);
  return payment;
}

async function post(
  origin: string,
  key: string,
  body: string,
): Promise<{ status: number; text: string; replayed: string | null }> {
  const response = await fetch(`${origin}/payments`, {
    method: 'POST',
    headers: { 'x-idempotent-key': key, 'Content-Type': 'application/json' },
    body,
    signal: requestSignal(),
  });
  return {
    status: response.status,
    text: await response.text(),
    replayed: response.headers.get('Idempotent-Replayed'),
  };
}

/** Prints the timeline as it grows, until the payment is terminal. */
async function follow(origin: string, paymentId: string): Promise<void> {
  const deadlineMs = Date.now() + TERMINAL_TIMEOUT_MS;
  let after = 0;
  let startedAtMs: number | null = null;
  while (Date.now() < deadlineMs) {
    const { data } = await read<{ data: Envelope[] }>(`${origin}/payments/${paymentId}/events?after=${after}`);
    for (const event of data) {
      startedAtMs ??= Date.parse(event.timestamp);
      say(timelineLine(event, startedAtMs));
      after = event.metadata.sequence;
    }
    if (data.some(({ event_type: type }) => type === 'payment.completed' || type === 'payment.failed')) return;
    await sleep(POLL_MS);
  }
  throw new Error(`${paymentId} was not terminal within ${TERMINAL_TIMEOUT_MS / 1_000} s`);
}

async function showWallet(origin: string, availableMinor: number): Promise<void> {
  const wallet = await read<WalletView>(`${origin}/wallets/${WALLET_ID}`);
  const { data } = await read<{ data: EntryView[] }>(`${origin}/wallets/${WALLET_ID}/entries`);
  say();
  say(walletTable(wallet, data));
  expectEqual('available', wallet.available, availableMinor);
  expectEqual('held', wallet.held, 0);
}

function readPayment(origin: string, paymentId: string): Promise<PaymentView> {
  return read(`${origin}/payments/${paymentId}`);
}

async function read<Body>(url: string): Promise<Body> {
  const response = await fetch(url, { signal: requestSignal() });
  const text = await response.text();
  if (!response.ok) throw new Error(`GET ${new URL(url).pathname} answered ${response.status}: ${text}`);
  return JSON.parse(text) as Body;
}

function requestSignal(): AbortSignal {
  return AbortSignal.any([interrupted.signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]);
}

function expectEqual<Value>(what: string, actual: Value, expected: Value): void {
  if (actual !== expected) {
    throw new Error(`${what} should be ${JSON.stringify(expected)}, is ${JSON.stringify(actual)}`);
  }
}
