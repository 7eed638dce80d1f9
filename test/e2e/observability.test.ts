/**
 * docs/observability as a person uses it: what promtool says of the configuration, the rules, their tests and a real scrape of a
 * real Worker; and every command of logs.md, on the log of that Worker.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { anyFreePort, type LocalWorker, ROOT, startLocalWorker } from '../../scripts/local-worker.ts';
import { FAMILIES } from '../../src/domain/metrics/families.ts';
import { findPromtool, type Promtool } from '../support/promtool.ts';

const FOLDER = join(ROOT, 'docs/observability');
const run = promisify(execFile);
const read = (name: string) => readFile(join(FOLDER, name), 'utf8');

let promtool: Promtool;
let worker: LocalWorker;
let ids: readonly string[];

/** What leaves every kind of trace: completed, declined, undone, unknown and looked up, refunded, refused. */
const TOKENS = [
  undefined,
  'pm_card_visa_chargeDeclinedInsufficientFunds',
  'pm_sim_debit_fail',
  'pm_sim_timeout_after_success',
];

beforeAll(async () => {
  promtool = await findPromtool();
  worker = await startLocalWorker(await anyFreePort(), new AbortController().signal);
  ids = await Promise.all(TOKENS.map(pay));
  await until(async () => (await statusOf(ids[0] ?? '')) === 'COMPLETED');
  await post('/refunds', 'refund-1', { payment_id: ids[0] });
  await post('/payments', 'broken', { wallet_id: 'wal-1' });
  await until(async () => /holdfast_payments_total\{status="completed"\} [1-9]/.test(await scrape()));
  await until(async () => /holdfast_refunds_total\{status="completed"\} 1/.test(await scrape()));
}, 180_000);

afterAll(async () => worker.stop());

async function post(path: string, key: string, body: object): Promise<Response> {
  const headers = { 'content-type': 'application/json', 'idempotency-key': key };
  return fetch(`${worker.origin}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
}

async function pay(token: string | undefined, at: number): Promise<string> {
  const payment = { wallet_id: 'wal-1', service_id: 'svc-1', amount: 1_230, currency: 'USD', method: 'balance' };
  const response = await post('/payments', `payment-${at}`, { ...payment, ...(token !== undefined && { token }) });
  return ((await response.json()) as { id: string }).id;
}

async function statusOf(id: string): Promise<string> {
  return ((await (await fetch(`${worker.origin}/payments/${id}`)).json()) as { status: string }).status;
}

async function scrape(): Promise<string> {
  return (await fetch(`${worker.origin}/metrics`)).text();
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + 60_000;
  while (!(await holds())) {
    if (Date.now() > deadlineMs) throw new Error('it did not come to be so in a minute');
    await sleep(100);
  }
}

/** Runs a command with `input`, and gives its whole output and its exit code. */
async function piped(
  command: string,
  args: readonly string[],
  input: string,
): Promise<{ code: number; output: string }> {
  const child = spawn(command, args, { cwd: ROOT });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  child.stdin.end(input);
  const code = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exit) => resolve(exit ?? -1));
  });
  return { code, output };
}

describe('promtool', () => {
  const CHECKS = [
    ['check', 'config', 'prometheus.yml'],
    ['check', 'rules', 'alerts.yml'],
    ['test', 'rules', 'alerts.test.yml'],
  ] as const;

  for (const [verb, noun, file] of CHECKS) {
    test(`${verb} ${noun} ${file} finds nothing`, async ({ skip }) => {
      if (promtool.path === null) return skip(promtool.reason);
      const { stdout } = await run(promtool.path, [verb, noun, join(FOLDER, file)]);
      expect(stdout).toContain('SUCCESS');
    });
  }

  test('check metrics finds nothing in a real scrape', async ({ skip }) => {
    if (promtool.path === null) return skip(promtool.reason);
    expect(await piped(promtool.path, ['check', 'metrics'], await scrape())).toEqual({ code: 0, output: '' });
  });
});

test('a scrape has only families of the table, each with its type', async () => {
  const types = [...(await scrape()).matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name, type]) => `${name} ${type}`);
  const families = Object.values(FAMILIES).map(({ name, type }) => `${name} ${type}`);
  expect(types.filter((each) => !families.includes(each))).toEqual([]);
});

test('every command of logs.md answers something, on the log of a Worker', async ({ skip }) => {
  try {
    await run('jq', ['--version']);
  } catch {
    return skip('jq is not installed here');
  }
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-logs-'));
  try {
    const log = await readFile(worker.logFile, 'utf8');
    // As `wrangler tail --format json` tells it: an event per invocation, with what it logged.
    const tailed = log
      .split('\n')
      .map((line) => JSON.stringify({ outcome: 'ok', logs: [{ level: 'log', message: [line] }] }));
    await writeFile(join(folder, 'tail.json'), tailed.join('\n'));
    const traceId = /"trace_id":"([0-9a-f]{32})"/.exec(log)?.[1] ?? '';
    const blocks = [...(await read('logs.md')).matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block);
    expect(blocks.length).toBeGreaterThan(8);
    for (const [at, block] of blocks.entries()) {
      const script = block
        .replace('npx wrangler tail --format json', 'cat tail.json')
        .replace('ID=pay_…', `ID=${ids[0]}`)
        .replace('TRACE=…', `TRACE=${traceId}`);
      // stderr is there when it fails: execFile rejects with it.
      const { stdout, stderr } = await run('bash', ['--norc', '-euo', 'pipefail', '-c', script], {
        cwd: folder,
        timeout: 60_000,
      });
      expect(stderr, block).toBe('');
      if (at === 0) expect(await readFile(join(folder, 'holdfast.log'), 'utf8')).toContain('"saga.committed"');
      // No alert, and no API key: nobody asks for one here.
      else if (!/select\(\.alert\)|api_key_id/.test(block)) expect(stdout.trim(), block).not.toBe('');
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
