/**
 * `npm run demo`: starts a Worker of its own, shows three payments, a refund, its signed webhook and a replay over plain
 * HTTP as a client would see them, checks each ending, and stops. Exit code 0 means that everything came out as it must.
 * It ends only what it has started, also on Ctrl-C.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EventType } from '../src/domain/events/catalogue.ts';
import type { Envelope } from '../src/domain/events/envelope.ts';
import type { PaymentView } from '../src/domain/payment.ts';
import type { RefundView } from '../src/domain/refund.ts';
import type { EntryView, WalletView } from '../src/domain/wallet-rpc.ts';
import { readCommandLine } from './command-line.ts';
import { bold, dim, green, paymentLine, red, say, timelineLine, walletTable } from './demo-output.ts';
import { anyFreePort, DEFAULT_PORT, type LocalWorker, ROOT, startLocalWorker } from './local-worker.ts';

/** The last event of a timeline that a story waits for. A refund has ended for its payment too once that is settled. */
const ENDS: ReadonlySet<EventType> = new Set(['payment.completed', 'payment.failed', 'payment.refund_settled']);
/** Every story here ends within a second; a busy machine gets more. */
const TERMINAL_TIMEOUT_MS = 20_000;
const REQUEST_TIMEOUT_MS = 10_000;
const POLL_MS = 20;

/** The specification's request, to the letter; the other stories add a token and have keys of their own. */
const WALLET_ID = 'wal-1234';
const BODY = `{ "wallet_id": "${WALLET_ID}", "service_id": "abc-1234", "amount": 1230, "currency": "USD", "method": "balance" }`;
const withToken = (token: string): string => BODY.replace(' }', `, "token": "${token}" }`);
const refundBody = (paymentId: string): string => `{ "payment_id": "${paymentId}", "amount": 500 }`;

readCommandLine('npm run demo takes no options.', {});

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => interrupted.abort(new Error(`interrupted by ${signal}`)));
}

// Whoever read has gone (`| head`): what was started is ended all the same, and what is written from here on goes nowhere.
process.stdout.on('error', () => interrupted.abort(new Error('nobody reads the output')));

let worker: LocalWorker | null = null;
const receivers: ChildProcess[] = [];
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
  for (const receiver of receivers) receiver.kill();
  await worker?.stop();
}

async function tell({ origin, port }: LocalWorker): Promise<void> {
  title('1. A payment from a wallet: hold, authorize, debit');
  const paid = await create<PaymentView>(origin, port, '/payments', '1234', BODY);
  await follow(origin, `/payments/${paid.id}`);
  const ended = await readText(origin, `/payments/${paid.id}`);
  expectEqual('status', (JSON.parse(ended) as PaymentView).status, 'COMPLETED');
  await showWallet(origin, 99_998_770);

  title('2. The gateway declines: the hold is given back');
  const declined = withToken('pm_card_visa_chargeDeclinedInsufficientFunds');
  await tellFailure(origin, port, '1235', declined, 'gateway_declined');

  title('3. The wallet refuses the debit after the gateway has authorized: void and release');
  await tellFailure(origin, port, '1236', withToken('pm_sim_debit_fail'), 'debit_failed');
  await showWallet(origin, 99_998_770);

  title('4. A part of the first payment is given back: reserve, refund, credit; and the merchant is told');
  const lines = await startReceiver(origin, port);
  const refund = await tellRefund(origin, port, paid.id);
  await tellWebhook(lines, refund);

  title('5. The first request again, twice: same key, same bytes, nothing moves');
  await tellReplays(origin, port, ended);
}

async function tellFailure(origin: string, port: number, key: string, body: string, code: string): Promise<void> {
  const { id } = await create<PaymentView>(origin, port, '/payments', key, body);
  await follow(origin, `/payments/${id}`);
  expectEqual('failure', (await read<PaymentView>(origin, `/payments/${id}`)).failure?.code, code);
}

/** Makes a webhook endpoint and starts a receiver for it, in a process of its own; the lines that it prints. */
async function startReceiver(origin: string, port: number): Promise<AsyncIterator<string>> {
  const receiverPort = await anyFreePort();
  const body = `{ "url": "http://localhost:${receiverPort}/", "events": ["refund.completed"] }`;
  say(
    dim(
      [
        `$ curl 'localhost:${port}/webhook-endpoints' \\`,
        `  --header 'Content-Type: application/json' \\`,
        `  --data '${body}'`,
      ].join('\n'),
    ),
  );
  const { status, text } = await post(origin, '/webhook-endpoints', null, body);
  if (status !== 201) throw new Error(`POST /webhook-endpoints answered ${status}: ${text}`);
  const { id, secret } = JSON.parse(text) as { id: string; secret: string };
  say(`  201 Created  ${id}, with the secret that its deliveries are signed with`);
  const receiver = spawn(
    process.execPath,
    ['scripts/webhook-receiver.ts', '--port', String(receiverPort), '--events', '1'],
    {
      cwd: ROOT,
      env: { ...process.env, WEBHOOK_SECRET: secret },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  receivers.push(receiver);
  const lines = createInterface(receiver.stdout)[Symbol.asyncIterator]();
  say(`  The receiver at the merchant's: ${await nextLine(lines)}`);
  return lines;
}

/** Waits for what the receiver says of the refund's webhook. */
async function tellWebhook(lines: AsyncIterator<string>, refundId: string): Promise<void> {
  const line = await nextLine(lines);
  say();
  say(`  The receiver at the merchant's: ${green(line)}`);
  expectEqual('the webhook', line, `verified  refund.completed  ${refundId}  COMPLETED`);
}

async function nextLine(lines: AsyncIterator<string>): Promise<string> {
  const timedOut = sleep(TERMINAL_TIMEOUT_MS, null, { signal: interrupted.signal, ref: false });
  const line = await Promise.race([lines.next(), timedOut]);
  if (line === null || line.done === true) throw new Error('the receiver said nothing');
  return line.value;
}

/** The refund's id. */
async function tellRefund(origin: string, port: number, paymentId: string): Promise<string> {
  const refund = await create<RefundView>(origin, port, '/refunds', 'refund-1234', refundBody(paymentId));
  await follow(origin, `/refunds/${refund.id}`);
  expectEqual('status', (await read<RefundView>(origin, `/refunds/${refund.id}`)).status, 'COMPLETED');
  await showWallet(origin, 99_999_270);
  const payment = await read<PaymentView>(origin, `/payments/${paymentId}`);
  say();
  say(paymentLine(payment));
  expectEqual('status of the payment', payment.status, 'COMPLETED');
  expectEqual('refunded_amount', payment.refunded_amount, 500);
  return refund.id;
}

/** @param ended the payment's body as it was read when the payment had just ended, before it was refunded. */
async function tellReplays(origin: string, port: number, ended: string): Promise<void> {
  say(dim(curlCommand(port, '/payments', '1234', BODY)));
  for (const replay of [await post(origin, '/payments', '1234', BODY), await post(origin, '/payments', '1234', BODY)]) {
    const { status, refunded_amount: refunded } = JSON.parse(replay.text) as PaymentView;
    say(
      `  ${replay.status}  Idempotent-Replayed: ${replay.replayed}  ${replay.text.length} bytes, ${status}, refunded_amount ${refunded}`,
    );
    expectEqual('Idempotent-Replayed', replay.replayed, 'true');
    expectEqual('the replay', replay.text, ended);
  }
  say('  The bytes are those that the payment ended with, before its refund.');
  const wallet = await read<WalletView>(origin, `/wallets/${WALLET_ID}`);
  expectEqual('available', wallet.available, 99_999_270);
  say(`  The wallet is as it was: version ${wallet.version}, nothing held.`);
}

function title(text: string): void {
  say();
  say(bold(text));
}

function curlCommand(port: number, path: string, key: string, body: string): string {
  return [
    `$ curl --location 'localhost:${port}${path}' \\`,
    `  --header 'x-idempotent-key: ${key}' \\`,
    `  --header 'Content-Type: application/json' \\`,
    `  --data '${body}'`,
  ].join('\n');
}

async function create<View extends PaymentView | RefundView>(
  origin: string,
  port: number,
  path: string,
  key: string,
  body: string,
): Promise<View> {
  say(dim(curlCommand(port, path, key, body)));
  const { status, text } = await post(origin, path, key, body);
  if (status !== 202) throw new Error(`POST ${path} answered ${status}: ${text}`);
  const view = JSON.parse(text) as View;
  say(`  202 Accepted  ${view.id}  ${view.status}`);
  return view;
}

async function post(
  origin: string,
  path: string,
  key: string | null,
  body: string,
): Promise<{ status: number; text: string; replayed: string | null }> {
  const response = await fetch(`${origin}${path}`, {
    method: 'POST',
    headers: { ...(key !== null && { 'x-idempotent-key': key }), 'Content-Type': 'application/json' },
    body,
    signal: requestSignal(),
  });
  return {
    status: response.status,
    text: await response.text(),
    replayed: response.headers.get('Idempotent-Replayed'),
  };
}

/** Prints the timeline of a payment or refund as it grows, until its end. */
async function follow(origin: string, path: string): Promise<void> {
  const deadlineMs = Date.now() + TERMINAL_TIMEOUT_MS;
  let after = 0;
  let startedAtMs: number | null = null;
  while (Date.now() < deadlineMs) {
    const { data } = await read<{ data: Envelope[] }>(origin, `${path}/events?after=${after}`);
    for (const event of data) {
      startedAtMs ??= Date.parse(event.timestamp);
      say(timelineLine(event, startedAtMs));
      after = event.metadata.sequence;
    }
    if (data.some(({ event_type: type }) => ENDS.has(type as EventType))) return;
    await sleep(POLL_MS);
  }
  throw new Error(`${path} had not ended within ${TERMINAL_TIMEOUT_MS / 1_000} s`);
}

async function showWallet(origin: string, availableMinor: number): Promise<void> {
  const wallet = await read<WalletView>(origin, `/wallets/${WALLET_ID}`);
  const { data } = await read<{ data: EntryView[] }>(origin, `/wallets/${WALLET_ID}/entries`);
  say();
  say(walletTable(wallet, data));
  expectEqual('available', wallet.available, availableMinor);
  expectEqual('held', wallet.held, 0);
}

async function read<Body>(origin: string, path: string): Promise<Body> {
  return JSON.parse(await readText(origin, path)) as Body;
}

async function readText(origin: string, path: string): Promise<string> {
  const response = await fetch(`${origin}${path}`, { signal: requestSignal() });
  const text = await response.text();
  if (!response.ok) throw new Error(`GET ${path} answered ${response.status}: ${text}`);
  return text;
}

function requestSignal(): AbortSignal {
  return AbortSignal.any([interrupted.signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]);
}

function expectEqual<Value>(what: string, actual: Value, expected: Value): void {
  if (actual !== expected) {
    throw new Error(`${what} should be ${JSON.stringify(expected)}, is ${JSON.stringify(actual)}`);
  }
}
