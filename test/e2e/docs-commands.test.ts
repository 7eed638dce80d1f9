/**
 * Every command of README.md and docs/ is run: curls and those of docs/webhooks.md here, against a Worker that `npm run dev` starts; everything else
 * by the test that the table of support/doc-proofs.ts names, or not at all for a reason that stands there. A command that nobody runs fails. Of that
 * Worker's state it is asked, too, that it has it alone.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { anyFreePort, ROOT, WRANGLER_ENV } from '../../scripts/local-worker.ts';
import { commandsOf, type DocCommand, documents } from './support/doc-commands.ts';
import { PROOFS, type Proof, WHOLE_DOCUMENTS } from './support/doc-proofs.ts';

const run = promisify(execFile);
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

const COMMANDS = documents(ROOT).flatMap((file) => commandsOf(ROOT, file));
const isCurl = ({ text }: DocCommand): boolean => text.startsWith('curl ');
const isOfWhole = ({ file }: DocCommand): boolean => file in WHOLE_DOCUMENTS;
/** Sets the environment of the commands after it, and runs nothing. */
const isSetting = ({ text }: DocCommand): boolean => /^(export \w+=|unset \w+$|\w+=\S*$)/.test(text);
const OTHERS = COMMANDS.filter((command) => !isCurl(command) && !isOfWhole(command) && !isSetting(command));
const CURLS = COMMANDS.filter((command) => isCurl(command) && !isOfWhole(command));

const at = ({ file, line, text }: DocCommand): string => `${file}:${line}: ${text.slice(0, 120)}`;
const proofOf = ({ text }: DocCommand): Proof | undefined => PROOFS.find(([pattern]) => pattern.test(text))?.[1];

describe('the table', () => {
  test('has a row for every command that is no curl', () => {
    expect(OTHERS.length).toBeGreaterThan(20);
    expect(OTHERS.filter((command) => proofOf(command) === undefined).map(at)).toEqual([]);
  });

  test('has no row that nothing needs', () => {
    const needed = new Set(OTHERS.map(proofOf));
    expect(PROOFS.filter(([, proof]) => !needed.has(proof)).map(([pattern]) => String(pattern))).toEqual([]);
  });

  test('names tests that are there, and that name what they run', () => {
    for (const [pattern, proof] of PROOFS) {
      if (!('by' in proof)) continue;
      expect(existsSync(join(ROOT, proof.by)), `${pattern}: ${proof.by}`).toBe(true);
      expect(read(proof.by), `${pattern}: ${proof.by}`).toContain(proof.names);
    }
    for (const [document, by] of Object.entries(WHOLE_DOCUMENTS)) {
      expect(read(by)).toContain(document.split('/').at(-1));
      expect(
        COMMANDS.some(({ file }) => file === document),
        document,
      ).toBe(true);
    }
  });

  test('every npm script that a document names is there', () => {
    const scripts = ['package.json', 'client/package.json'].flatMap((file) =>
      Object.keys((JSON.parse(read(file)) as { scripts: Record<string, string> }).scripts),
    );
    const named = COMMANDS.flatMap((command) =>
      [...command.text.matchAll(/npm run (?:--silent )?([\w:-]+)/g)].map(([, name = '']) => ({ name, command })),
    );
    expect(named.filter(({ name }) => !scripts.includes(name)).map(({ command }) => at(command))).toEqual([]);
  });
});

describe('commands are found', () => {
  const FOUND = commandsOf(ROOT, 'test/e2e/fixtures/commands.md').map(({ line, text }) => [line, text]);

  test('in shell blocks, unlabelled and indented ones, and in running text; nowhere else', () => {
    expect(FOUND).toEqual([
      [3, 'npm run inline'],
      [6, 'npm run first'],
      [7, "curl --data '{\n  \"a\": 1 }' localhost:8080/a  --header 'B: c'"],
      [14, 'npx unlabelled --flag'],
      [21, 'npm run indented'],
    ]);
  });
});

describe('against a Worker as `npm run dev` starts it', () => {
  let dev: ChildProcess;
  let collector: Server;
  let folder: string;
  let port: number;
  let paymentId: string;
  const spans: string[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-docs-'));
    port = await anyFreePort();
    collector = createServer((request, response) => {
      spans.push(request.url ?? '');
      request.resume().on('end', () => response.end('{}'));
    });
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
    // The variables are those of docs/observability/traces.md, with another port.
    const [, variables = ''] = /npm run dev -- (--var OTEL.*)/.exec(read('docs/observability/traces.md')) ?? [];
    const args = variables.replace('4318', String((collector.address() as AddressInfo).port)).split(' ');
    dev = spawn(
      process.execPath,
      [
        'scripts/dev.ts',
        '--port',
        String(port),
        '--persist-to',
        folder,
        '--show-interactive-dev-session=false',
        // The system's choice, as for a Worker of scripts/local-worker.ts.
        '--inspector-port',
        '0',
        ...args,
      ],
      {
        cwd: ROOT,
        env: { ...process.env, ...WRANGLER_ENV, WRANGLER_REGISTRY_PATH: join(folder, 'registry') },
        stdio: 'ignore',
      },
    );
    const endMs = Date.now() + 90_000;
    while (!(await isUp())) {
      if (Date.now() > endMs) throw new Error('`npm run dev` did not answer within 90 s');
      await sleep(100);
    }
  }, 120_000);

  afterAll(async () => {
    collector.close();
    await end();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  async function end(): Promise<void> {
    if (dev.exitCode !== null || dev.signalCode !== null) return;
    const ended = new Promise((resolve) => dev.on('exit', resolve));
    dev.kill('SIGTERM');
    await ended;
  }

  async function isUp(): Promise<boolean> {
    try {
      return (await fetch(`http://localhost:${port}/health`)).ok;
    } catch {
      // It does not listen yet.
      return false;
    }
  }

  async function sent({ text }: DocCommand): Promise<number> {
    const local = text.replaceAll('localhost:8080', `localhost:${port}`).replaceAll('pay_…', paymentId);
    const { stdout } = await run('bash', [
      '-euo',
      'pipefail',
      '-c',
      `${local} --silent --show-error --output /dev/null --max-time 20 --write-out '%{http_code}'`,
    ]);
    return Number(stdout);
  }

  test('the request of the README is a payment, and it completes', async () => {
    const first = CURLS.find(({ file }) => file === 'README.md');
    if (first === undefined) throw new Error('README.md has no curl');
    expect(await sent(first)).toBe(202);
    const list = async () =>
      (await (await fetch(`http://localhost:${port}/payments?status=COMPLETED`)).json()) as { data: { id: string }[] };
    await expect.poll(async () => (await list()).data.length, { timeout: 20_000 }).toBe(1);
    paymentId = (await list()).data[0]?.id ?? '';
  });

  // Before the others, which go side by side and freeze its wallet for a while.
  test('every command of webhooks.md works, in one shell, and what it sends verifies', async () => {
    const blocks = [...read('docs/webhooks.md').matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block);
    const script = blocks
      .join('\n')
      .replaceAll('localhost:8080', `localhost:${port}`)
      .replaceAll('9000', String(await anyFreePort()));
    expect(script).toContain('rotate-secret');
    const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', script], { cwd: ROOT, timeout: 60_000 });
    expect(stdout).toMatch(/^verified {2}payment\.completed {2}pay_\w+ {2}COMPLETED$/m);
    expect(stdout).toMatch(/^verified {2}payment\.failed {2}pay_\w+ {2}FAILED$/m);
    expect(stdout).not.toContain('refused');
    expect(stdout.match(/"status":"delivered"/g)).toHaveLength(2);
    expect(stdout).toContain('"deleted":true');
  });

  // 409: the request is as it must be, and the payment is not as it would have to be (nobody needs to attend to it).
  test('every curl is answered 2xx, or 409', async () => {
    expect(CURLS.length).toBeGreaterThan(5);
    const answers = await Promise.all(
      CURLS.map(async (command) => ({ command: at(command), status: await sent(command) })),
    );
    expect(answers.filter(({ status }) => !(status >= 200 && status < 300) && status !== 409)).toEqual([]);
  });

  test('a collector hears of it, as traces.md says', async () => {
    await expect.poll(() => spans.length, { timeout: 20_000 }).toBeGreaterThan(0);
    expect(new Set(spans)).toEqual(new Set(['/v1/traces']));
  });

  test('its state is its own: a second one is refused with what to do, and the first goes on and gives it back', async () => {
    const second = await run(process.execPath, ['scripts/dev.ts', `--persist-to=${folder}`], { cwd: ROOT }).then(
      () => null,
      (error: { code: number; stdout: string; stderr: string }) => error,
    );
    expect(second?.code).toBe(1);
    expect(second?.stderr).toContain(
      `${folder} is in use by process ${dev.pid} on port ${port}; give this one --persist-to DIR`,
    );
    expect(`${second?.stdout}${second?.stderr}`).not.toContain('    at ');
    expect(await isUp()).toBe(true);

    await end();
    expect(existsSync(join(folder, 'dev.lock'))).toBe(false);
  });
});

test('simulate takes the arguments that proof.md gives it', async () => {
  const simulated = OTHERS.filter((command) => command.text.startsWith('npm run simulate'));
  for (const { text } of simulated) {
    const args = text
      .replace('npm run simulate -- ', '')
      .replace('N', '1')
      .replace(/--sagas \d+/, '--sagas 50')
      .split(' ');
    const { stdout } = await run(process.execPath, ['test/simulation/simulate.ts', ...args], { cwd: ROOT }).catch(
      (error: { stdout: string }) => error,
    );
    expect(stdout, text).toMatch(/every invariant holds|violations: 0/);
  }
});
