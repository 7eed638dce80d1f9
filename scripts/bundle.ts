/**
 * `npm run bundle`: builds as for a deploy, offline, and prints what it weighs and how long its global scope runs, as wrangler
 * measures both. Fails above the bounds below: what is deployed must stay far from the platform's own limits
 * (https://developers.cloudflare.com/workers/platform/limits/).
 */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { readCommandLine } from './command-line.ts';
import { ROOT, WRANGLER, WRANGLER_ENV } from './local-worker.ts';

/** A megabyte. The platform takes 3 MB of a free plan's Worker, 10 MB of a paid one's. */
const GZIP_BYTES_MAX = 1_000_000;
/** The platform's limit, on its own machines. */
const STARTUP_MS_MAX = 1_000;
/** The least counts: whatever else this machine does only adds to it. */
const STARTUP_RUNS = 2;
const PROFILE = '.tmp/startup.cpuprofile';

readCommandLine('npm run bundle takes no options.', {});

mkdirSync(join(ROOT, '.tmp'), { recursive: true });
await wrangler('deploy', '--dry-run', '--outdir', 'dist');
const bundle = readFileSync(join(ROOT, 'dist/index.js'));
const gzipBytes = gzipSync(bundle).byteLength;
const startupMs = Math.min(...(await startups()));

console.log(`bundle: ${kilobytes(bundle.byteLength)}, gzip ${kilobytes(gzipBytes)} of ${kilobytes(GZIP_BYTES_MAX)}`);
console.log(
  `start-up: ${startupMs.toFixed(1)} ms active on this machine, the least of ${STARTUP_RUNS} runs, of ${STARTUP_MS_MAX} ms`,
);
if (gzipBytes > GZIP_BYTES_MAX || startupMs > STARTUP_MS_MAX) {
  console.error('too much: see what was added to the bundle, or to the top level of a module');
  process.exitCode = 1;
}

async function startups(): Promise<number[]> {
  const runs: number[] = [];
  while (runs.length < STARTUP_RUNS) {
    await wrangler('check', 'startup', '--outfile', PROFILE);
    runs.push(activeMs(JSON.parse(readFileSync(join(ROOT, PROFILE), 'utf8')) as Profile));
  }
  return runs;
}

/** A V8 CPU profile: which node each sample was in, and how long each took. */
interface Profile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: { readonly functionName: string } }[];
  readonly samples: readonly number[];
  /** Microseconds. */
  readonly timeDeltas: readonly number[];
}

/** What was not idle, garbage collection included. @throws for a profile without samples: nothing was measured. */
function activeMs({ nodes, samples, timeDeltas }: Profile): number {
  if (samples.length === 0) throw new Error('the profile has no samples');
  const idle = new Set(nodes.filter(({ callFrame }) => callFrame.functionName === '(idle)').map(({ id }) => id));
  const active = samples.map((node, at) => (idle.has(node) ? 0 : (timeDeltas[at] ?? 0)));
  return active.reduce((sum, each) => sum + each, 0) / 1_000;
}

async function wrangler(...args: readonly string[]): Promise<void> {
  const env = { ...process.env, ...WRANGLER_ENV };
  await promisify(execFile)(process.execPath, [WRANGLER, ...args], { cwd: ROOT, env });
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1_000).toFixed(0)} kB`;
}
