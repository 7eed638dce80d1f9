/** What a script says of a command line that it does not take: a sentence, never a stack, and nothing is begun. */
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { ROOT } from '../../scripts/local-worker.ts';

const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
const SCRIPTS = [
  'scripts/advisories.ts',
  'scripts/audit.ts',
  'scripts/bundle.ts',
  'scripts/chaos.ts',
  'scripts/cost.ts',
  'scripts/demo.ts',
  'scripts/fuzz.ts',
  'scripts/mutate.ts',
  'scripts/rebuild.ts',
  'scripts/screenshots.ts',
  'scripts/webhook-receiver.ts',
  'bench/observability.ts',
  'bench/run.ts',
  'test/simulation/simulate.ts',
];

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function run(file: string, args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [file, ...args],
      { cwd: ROOT, env: { ...process.env, WEBHOOK_SECRET: '', ...env }, timeout: 60_000 },
      (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
}

test.each(SCRIPTS)('%s shows its usage for --help, and refuses an option that it does not know', async (file) => {
  const help = await run(file, ['--help']);
  expect(help).toMatchObject({ code: 0, err: '', out: expect.stringMatching(/npm run /) });
  const unknown = await run(file, ['--no-such-option', '1']);
  expect(unknown).toMatchObject({ code: 2, out: '' });
  expect(unknown.err).toMatch(/^Unknown option '--no-such-option'\.\n\n/);
  expect(unknown.err).not.toContain('    at ');
});

test.each([
  ['scripts/chaos.ts', ['--kills', 'many'], '--kills many: a whole number from 1 on.'],
  ['scripts/cost.ts', ['--payments', '0'], '--payments 0: a whole number from 1 on.'],
  ['scripts/demo.ts', ['more'], "Unexpected argument 'more'."],
  ['scripts/fuzz.ts', ['--url', 'https://holdfast.example'], '--url https://holdfast.example: this machine only'],
  ['scripts/fuzz.ts', ['--url', 'notaurl'], '--url notaurl: this machine only'],
  ['bench/run.ts', ['--growth', '1500'], '--growth 1500: a multiple of 1000.'],
  ['test/simulation/simulate.ts', ['--sagas', '1.5'], '--sagas 1.5: a whole number from 1 on.'],
  ['scripts/webhook-receiver.ts', ['--port', '70000'], '--port 70000: a whole number from 1 to 65535.'],
])('%s %j is refused with a sentence', async (file, args, said) => {
  const { code, err } = await run(file, args);
  expect(code).toBe(2);
  expect(err).toContain(said);
  expect(err).not.toContain('    at ');
});

test('the receiver of webhooks says what is wrong with its secret or its port, and not the secret', async () => {
  const none = await run('scripts/webhook-receiver.ts', []);
  expect(none).toMatchObject({ code: 2, err: expect.stringContaining('WEBHOOK_SECRET is not set.') });
  const wrong = await run('scripts/webhook-receiver.ts', [], { WEBHOOK_SECRET: 'not a secret' });
  expect(wrong).toMatchObject({ code: 2, err: expect.stringContaining('WEBHOOK_SECRET is no secret of a webhook') });
  expect(wrong.err).not.toMatch(/not a secret| {4}at /);

  const other = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
  const port = String((other.address() as AddressInfo).port);
  const taken = await run('scripts/webhook-receiver.ts', ['--port', port], { WEBHOOK_SECRET: SECRET });
  other.close();
  expect(taken).toMatchObject({ code: 1, err: expect.stringMatching(`^Port ${port} cannot be had: .*EADDRINUSE`) });
  expect(taken.err).not.toContain('    at ');
});

test.each([
  [['--env', 'foo'], '--env foo is no environment: sandbox or live'],
  [[], '--env is needed: sandbox or live'],
  [['--dry-run', '--set', 'FOO'], '--dry-run sets no secret and asks nobody: it takes no --set and no --url'],
  [['--env', 'live', '--url', 'notaurl'], '--url notaurl is no https://… address'],
])('a deploy %j is refused with what is wrong with it', async (args, said) => {
  const { code, err } = await run('scripts/deploy.ts', args);
  expect(code).toBe(1);
  expect(err.split('\n')[0]).toBe(said);
});

test('a file that is no archive is named', async () => {
  const { code, err } = await run('scripts/archive.ts', ['verify', 'README.md']);
  expect(code).toBe(2);
  expect(err).toMatch(/^README\.md cannot be read as an object of the archive: /);
});
