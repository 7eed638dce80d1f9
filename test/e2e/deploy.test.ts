/**
 * `npm run deploy` as a process, against an account of its own behind a stand-in for wrangler (support/stand-in-wrangler.ts), and a
 * server that answers as the Worker of that account would: first run, second run, runs that break off, and what is refused.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config.ts';
import type { Account } from './support/stand-in-wrangler.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const KEY = { API_KEY_SECRET: 'planted-secret-of-32-characters-or-so' };
const STRIPE = {
  ...KEY,
  STRIPE_SECRET_KEY: 'sk_live_planted12345',
  STRIPE_WEBHOOK_SECRET: 'whsec_planted67890',
};
const QUEUES = ['wallet-commands', 'gateway-commands', 'notifications', 'payment-events'];
const ALL_QUEUES = [...QUEUES, ...QUEUES.map((name) => `${name}-dlq`), 'dead-letters'];
/** Where CI keeps none: the stand-in starts some hundred times. */
const OWN_COMPILE_CACHE = mkdtempSync(join(tmpdir(), 'holdfast-compiled-'));

let server: Server;
let folder: string;
let file: string;

const read = (): Account => JSON.parse(readFileSync(file, 'utf8')) as Account;
const calls = (): string[] =>
  readFileSync(`${file}.calls`, 'utf8')
    .split('\n')
    .filter((call) => call !== '');
const change = (changes: Partial<Account>): void => writeFileSync(file, JSON.stringify({ ...read(), ...changes }));

beforeAll(async () => {
  // The Worker of the account: closed or not as it was deployed, without configuration until it has its secrets.
  server = createServer((request, response) => {
    const worker = Object.values(read().workers)[0];
    const config = worker && parseConfig({ ...worker.vars, ...worker.secrets });
    response.statusCode = config === undefined ? 404 : request.url === '/health' ? 200 : config.ok ? 401 : 503;
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  rmSync(OWN_COMPILE_CACHE, { recursive: true, force: true });
  await new Promise((resolve) => server.close(resolve));
});

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-deploy-'));
  file = join(folder, 'account.json');
  const account: Account = {
    loggedIn: true,
    accounts: [{ id: 'a1', name: 'The account' }],
    databases: { other: 'id-of-another' },
    applied: {},
    queues: {},
    buckets: [],
    workers: {},
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  };
  writeFileSync(file, JSON.stringify(account));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number;
  readonly output: string;
  /** The calls that change something. */
  readonly changes: readonly string[];
  /** Since Ctrl-C; NaN where there was none. */
  readonly lingeredMs: number;
}

/** @param interruptAt Ctrl-C when it has begun the step that is told so. */
async function deploy(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  interruptAt?: string,
): Promise<Ended> {
  writeFileSync(`${file}.calls`, '');
  let interruptedAtMs = Number.NaN;
  const ended = await new Promise<{ code: number; output: string }>((resolve) => {
    const child = execFile(
      process.execPath,
      ['scripts/deploy.ts', ...args],
      {
        cwd: ROOT,
        env: {
          PATH: process.env.PATH ?? '',
          WRANGLER_BIN: join(ROOT, 'test/e2e/support/stand-in-wrangler.ts'),
          STAND_IN_ACCOUNT: file,
          NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? OWN_COMPILE_CACHE,
          ...env,
        },
      },
      (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code ?? -1), output: `${stdout}${stderr}` }),
    );
    let said = '';
    child.stdout?.on('data', (chunk: string) => {
      said += chunk;
      // In the plan it is indented.
      if (interruptAt !== undefined && said.includes(`\n${interruptAt}`)) {
        interruptedAtMs = Date.now();
        child.kill('SIGINT');
      }
    });
  });
  const changes = calls().filter(
    (call) => !/^(whoami|d1 list|d1 migrations list|queues info|r2 bucket info|secret list)/.test(call),
  );
  return { ...ended, changes, lingeredMs: Date.now() - interruptedAtMs };
}

const kinds = (changes: readonly string[]): string[] => [
  ...new Set(changes.map((call) => call.split(' ').slice(0, 2).join(' ').replace(/ --.*/, ''))),
];

describe('npm run deploy', () => {
  test('makes everything once, says so first, shows no secret, and only deploys when it is run again', async () => {
    const first = await deploy(['--env', 'live'], STRIPE);
    expect(first.code, first.output).toBe(0);
    expect(kinds(first.changes)).toEqual([
      'd1 create',
      'queues create',
      'r2 bucket',
      'd1 migrations',
      'deploy',
      'secret bulk',
    ]);
    const { databases, queues, workers, applied } = read();
    expect(Object.keys(databases)).toEqual(['other', 'holdfast']);
    expect(Object.keys(queues).sort()).toEqual([...ALL_QUEUES].sort());
    expect(new Set(Object.values(queues))).toEqual(new Set(['holdfast']));
    expect(applied[databases.holdfast ?? '']?.length).toBeGreaterThan(5);
    expect(workers.holdfast).toMatchObject({
      vars: { MODE: 'live', AUTH: 'required' },
      secrets: STRIPE,
      deployments: 1,
    });
    // What it will do stands before anything that it does, and no secret anywhere: not in what is said, not in an argument.
    expect(first.output.indexOf('  create   queue dead-letters')).toBeLessThan(
      first.output.indexOf('\ncreate   D1 database'),
    );
    expect(first.output).toContain('Deployed, up and closed.');
    const secrets = Object.values(workers.holdfast?.secrets ?? {});
    expect(secrets).toHaveLength(3);
    for (const secret of secrets) expect(`${first.output}${calls().join()}`).not.toContain(secret);

    const second = await deploy(['--env', 'live']);
    expect(second.code, second.output).toBe(0);
    expect(kinds(second.changes)).toEqual(['deploy']);
    expect(second.output).not.toContain('create');
    expect(read().workers.holdfast).toMatchObject({ secrets: workers.holdfast?.secrets, deployments: 2 });
  });

  test('broken off again and again it says so each time, and the next run does the rest, once', async () => {
    const made: string[] = [];
    for (const failsAt of ['queues create notifications', 'd1 migrations apply', 'secret bulk']) {
      change({ failsAt });
      const broken = await deploy(['--env', 'live'], STRIPE);
      expect(broken.code, failsAt).toBe(1);
      expect(broken.output).toContain('connection reset');
      expect(broken.output).not.toContain('    at ');
      // Nothing twice.
      expect(broken.changes.filter((call) => made.includes(call))).toEqual([]);
      expect(
        broken.changes.some((call) => call.startsWith(failsAt)),
        failsAt,
      ).toBe(true);
      made.push(...broken.changes.filter((call) => call.includes('create') && !call.startsWith(failsAt)));
    }
    const { failsAt: _, ...account } = read();
    writeFileSync(file, JSON.stringify(account));
    const resumed = await deploy(['--env', 'live'], STRIPE);
    expect(resumed.code, resumed.output).toBe(0);
    expect(resumed.changes.filter((call) => made.includes(call))).toEqual([]);
    expect(read().workers.holdfast?.secrets).toEqual(STRIPE);
  });

  test('interrupted while it waits it says so and ends at once, and the next run does the rest; the sandbox is apart and closed', async () => {
    const { url } = read();
    // Nobody answers there, so the check waits for a minute.
    change({ url: 'http://127.0.0.1:9' });
    const { code, output, lingeredMs } = await deploy(['--env', 'sandbox'], KEY, 'check ');
    expect({ code, output }).toEqual({ code: 1, output: expect.stringMatching(/\nInterrupted\.\n$/) });
    expect(lingeredMs).toBeLessThan(10_000);
    change({ url });
    expect(await deploy(['--env', 'sandbox'])).toMatchObject({ code: 0, changes: [expect.stringMatching(/^deploy/)] });

    // As live would be beside it, in one account.
    const { databases, queues, workers } = read();
    expect(Object.keys(databases)).toEqual(['other', 'holdfast-sandbox']);
    expect(Object.keys(queues).every((name) => name.startsWith('sandbox-'))).toBe(true);
    expect(workers['holdfast-sandbox']?.vars).toEqual({ MODE: 'sandbox', AUTH: 'required' });
    expect(Object.keys(workers['holdfast-sandbox']?.secrets ?? {})).toEqual(['API_KEY_SECRET']);
  });

  test('refuses an open or half configuration, before it asks the account for anything', async () => {
    const text = readFileSync(join(ROOT, 'wrangler.toml'), 'utf8');
    const open = join(folder, 'open.toml');
    writeFileSync(open, text.replace('AUTH = "required"', 'AUTH = "open"'));
    for (const environment of ['live', 'sandbox']) {
      const { code, output } = await deploy(['--env', environment, '--config', open]);
      expect({ code, output }).toMatchObject({ code: 1, output: expect.stringContaining('AUTH = "open"') });
      expect(calls()).toEqual([]);
    }
    expect(await deploy(['--env', 'production'])).toMatchObject({
      code: 1,
      output: expect.stringContaining('--env sandbox|live'),
    });
  });

  test('says what is wrong with the login, the account, a name or the secrets, and changes nothing', async () => {
    const cases: [Partial<Account>, Record<string, string>, string][] = [
      [{ loggedIn: false }, STRIPE, 'npx wrangler login'],
      [
        {
          loggedIn: true,
          accounts: [
            { id: 'a1', name: 'One' },
            { id: 'a2', name: 'Two' },
          ],
        },
        STRIPE,
        'CLOUDFLARE_ACCOUNT_ID to one of',
      ],
      [
        { accounts: [{ id: 'a1', name: 'One' }], queues: { 'wallet-commands': 'a-shop' } },
        STRIPE,
        'a-shop consumes it',
      ],
      [{ queues: {} }, KEY, 'Missing: STRIPE_SECRET_KEY'],
    ];
    for (const [changes, env, said] of cases) {
      change(changes);
      const ended = await deploy(['--env', 'live'], env);
      expect(ended).toMatchObject({ code: 1, output: expect.stringContaining(said), changes: [] });
    }
  });
});

test('the real wrangler, with no login, is understood', async () => {
  const real = {
    WRANGLER_BIN: join(ROOT, 'node_modules/wrangler/bin/wrangler.js'),
    HOME: folder,
    XDG_CONFIG_HOME: folder,
  };
  const { code, output } = await deploy(['--env', 'sandbox'], { ...real, ...KEY });
  expect({ code, output }).toMatchObject({ code: 1, output: expect.stringContaining('Not logged in. Run') });
});

describe('npm run deploy -- --dry-run', () => {
  test('plans both environments and has wrangler build each, with no account', async () => {
    // The real wrangler: it neither asks for a login nor for the network.
    const { code, output } = await deploy(['--dry-run'], {
      WRANGLER_BIN: join(ROOT, 'node_modules/wrangler/bin/wrangler.js'),
    });
    expect(code, output).toBe(0);
    expect(output.match(/^ {2}built {4}.*gzip/gm)).toHaveLength(2);
    expect(output).toContain('create   queue sandbox-dead-letters');
    expect(calls()).toEqual([]);
  });

  test('fails on a configuration that does not build', async () => {
    const text = readFileSync(join(ROOT, 'wrangler.toml'), 'utf8');
    const broken = join(folder, 'broken.toml');
    writeFileSync(broken, text.replace('class_name = "Wallet"', 'class_name = "Purse"'));
    const wrangler = { WRANGLER_BIN: join(ROOT, 'node_modules/wrangler/bin/wrangler.js') };
    const { code, output } = await deploy(['--dry-run', '--env', 'live', '--config', broken], wrangler);
    expect({ code, output }).toMatchObject({ code: 1, output: expect.stringContaining('Purse') });
    writeFileSync(broken, 'name = ');
    expect((await deploy(['--dry-run', '--config', broken])).code).toBe(1);
  });
});
