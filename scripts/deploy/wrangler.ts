/**
 * Runs wrangler as a child process and reads what it says. It has no terminal, so it never asks; secrets reach it by stdin only,
 * never as arguments, which every process of the machine can read. What it says is shown when it fails.
 */
import { spawn } from 'node:child_process';
import { ROOT, WRANGLER, WRANGLER_ENV } from '../local-worker.ts';
import { DeployError } from './fail.ts';

/** A deploy uploads and waits; anything that takes longer than this hangs. */
const CALL_TIMEOUT_MS = 300_000;
const TOLD_LINES_MAX = 15;

export interface Said {
  readonly code: number;
  readonly stdout: string;
  /** Both streams: errors are on either. */
  readonly all: string;
}

export interface CallOptions {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export type Wrangler = (args: readonly string[], options?: CallOptions) => Promise<Said>;

/** wrangler of node_modules, or the one that WRANGLER_BIN names: a Node script. Ends, with any code, or rejects. */
export const runWrangler: Wrangler = (args, { stdin, env } = {}) => {
  const child = spawn(process.execPath, [process.env.WRANGLER_BIN ?? WRANGLER, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...WRANGLER_ENV, FORCE_COLOR: '0', NO_COLOR: '1', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: CALL_TIMEOUT_MS,
  });
  let stdout = '';
  let all = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    all += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    all += chunk.toString();
  });
  // One that ends before it has read its input says why by its exit code.
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin ?? '');
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? -1, stdout, all }));
  });
};

/** @throws DeployError, with what wrangler said and what to do about it, when it fails. */
export async function mustRun(wrangler: Wrangler, args: readonly string[], options?: CallOptions): Promise<Said> {
  const said = await wrangler(args, options);
  if (said.code !== 0) throw failed(args, said);
  return said;
}

/** What to do about what wrangler says, where it can be told. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [
    /not logged in|not authenticated|CLOUDFLARE_API_TOKEN environment variable/i,
    'Run `npx wrangler login`, or set CLOUDFLARE_API_TOKEN.',
  ],
  [/Authentication error|code: 10000|code: 9109/i, 'The token may not do this: docs/deploy.md lists what it needs.'],
  [/More than one account|mandatory to specify an account/i, 'Set CLOUDFLARE_ACCOUNT_ID to the account that is meant.'],
  [/register a workers\.dev subdomain/i, 'Register a workers.dev subdomain in the dashboard, once per account.'],
  [
    /already (exists|taken|in use)|code: 11009|code: 7502|code: 10004/i,
    'The name is taken. If it is ours, run this again: it will be found.',
  ],
  [/Workers Paid|not enabled|code: 10042/i, 'The account lacks the product: enable it in the dashboard.'],
];

export function failed(args: readonly string[], { all, code }: Said): DeployError {
  const advice = ADVICE.find(([pattern]) => pattern.test(all))?.[1];
  const lines = all.trimEnd().split('\n').slice(-TOLD_LINES_MAX);
  // The arguments hold no secrets.
  const call = `wrangler ${args.join(' ')}`;
  return new DeployError(
    [...lines, `${call} ended with code ${code}.`, ...(advice === undefined ? [] : [advice])].join('\n'),
  );
}
