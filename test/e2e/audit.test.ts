/**
 * What an operator runs: the audit and the rebuild as processes, over a Worker on this machine. The record is lost between
 * them, by the command of docs/runbook.md.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  anyFreePort,
  type LocalWorker,
  ROOT,
  startLocalWorker,
  WRANGLER,
  WRANGLER_ENV,
} from '../../scripts/local-worker.ts';

const BODY = '{ "wallet_id": "wal-1", "service_id": "abc", "amount": 1230, "currency": "USD", "method": "balance" }';
const PAYMENTS = 5;

/** A cold start of a busy machine, and five payments. */
const START_TIMEOUT_MS = 90_000;

let worker: LocalWorker | undefined;

beforeAll(async () => {
  worker = await startLocalWorker(8098, new AbortController().signal, { isQuiet: true });
  const post = (path: string, key: string, body: string) =>
    fetch(`${running().origin}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key, prefer: 'wait=20' },
      body,
    });
  let last = '';
  for (let n = 0; n < PAYMENTS; n++) {
    const response = await post('/payments', `audit-${n}`, BODY);
    expect(response.status).toBe(201);
    last = ((await response.json()) as { id: string }).id;
  }
  // Each of the two leaves an object that holds nothing.
  expect((await fetch(`${worker.origin}/idempotency-keys/never-used`)).status).toBe(404);
  const more = JSON.stringify({ payment_id: last, amount: 1_231 });
  expect((await post('/refunds', 'audit-refused', more)).status).toBe(422);
}, START_TIMEOUT_MS);

afterAll(() => worker?.stop());

function running(): LocalWorker {
  if (worker === undefined) throw new Error('the Worker did not start');
  return worker;
}

async function run(file: string, ...args: string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [file, ...args],
      { cwd: ROOT, env: { ...process.env, ...WRANGLER_ENV } },
      (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code), output: out + err }),
    );
  });
}

const script = (name: string, ...args: string[]) =>
  run(join(ROOT, 'scripts', name), '--url', running().origin, ...args);
const EMPTY = 'scripts/empty-record.sql';
const objects = () => ['--objects', `local:${running().stateDirectory}`];

test('the audit finds nothing, then that the record is lost; the rebuild brings it back', async () => {
  await expect.poll(async () => (await script('audit.ts', ...objects())).code, { timeout: 30_000 }).toBe(0);
  const sound = await script('audit.ts', ...objects());
  expect(sound.output).toMatch(new RegExp(`^  sagas      sagas ${PAYMENTS},.* empty 2$`, 'm'));
  expect(sound.output).toContain('found 0');

  expect(readFileSync(join(ROOT, 'docs/runbook.md'), 'utf8')).toContain(`--local --file ${EMPTY}`);
  const emptied = await run(
    WRANGLER,
    'd1',
    'execute',
    'DB',
    '--local',
    '--persist-to',
    running().stateDirectory,
    '--file',
    join(ROOT, EMPTY),
  );
  expect(emptied.code, emptied.output).toBe(0);
  const lost = await script('audit.ts', ...objects());
  expect(lost.code).toBe(1);
  expect(lost.output).toContain('the record has no row of it');

  const rebuilt = await script('rebuild.ts', ...objects(), '--actor', 'jane', '--reason', 'test');
  expect(rebuilt).toMatchObject({ code: 0, output: expect.stringContaining(`rebuilt: ${PAYMENTS} sagas`) });
  const again = await script('audit.ts', ...objects());
  expect(again.code, again.output).toBe(0);
  expect(again.output).toContain(`payments   payments ${PAYMENTS},`);
});

test('without what they need neither runs', async () => {
  expect((await script('rebuild.ts', ...objects())).code).toBe(1);
  expect((await script('audit.ts', '--objects', 'nowhere')).code).toBe(2);
});

test('a folder that is no state is refused before anything is asked, and so is an instance that does not answer, by its name', async () => {
  const nowhere = join(running().stateDirectory, 'no-such-folder');
  const noState = await script('audit.ts', '--objects', `local:${nowhere}`);
  expect(noState.code).toBe(2);
  expect(noState.output.trim()).toBe(`${nowhere} is no state of wrangler dev: it has no folder v3`);

  const port = await anyFreePort();
  const nobody = await run(join(ROOT, 'scripts/audit.ts'), '--url', `http://localhost:${port}`);
  expect(nobody.code).toBe(2);
  expect(nobody.output).toMatch(new RegExp(`^http://localhost:${port} cannot be reached: .*ECONNREFUSED`));
});
