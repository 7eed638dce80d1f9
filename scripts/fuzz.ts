/**
 * `npm run fuzz -- [--requests N] [--seed N] [--url http://localhost:8080]`: fuzzes a Worker from its own OpenAPI document, prints what every
 * operation answered, and each violation once, as small as it could be made, as a curl command. Exit code 0 means none.
 * Without a URL it starts a Worker with a new state, and ends it. Loopback only.
 */
import { readCommandLine, refuse, wholeNumber } from './command-line.ts';
import { bold, dim, green, red, say } from './demo-output.ts';
import type { OpenApiDocument } from './fuzz/document.ts';
import type { FuzzReport } from './fuzz/run.ts';
import { DEFAULT_PORT, type LocalWorker, startLocalWorker } from './local-worker.ts';

const LOOPBACK: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];

const REQUESTS_DEFAULT = 5_000;
const USAGE = `npm run fuzz -- [--requests N] [--seed N] [--url http://localhost:${DEFAULT_PORT}]

  --requests  absent: ${REQUESTS_DEFAULT}
  --seed      repeats a run; absent: by the clock
  --url       of a Worker that runs on this machine; absent: one is started, and ended`;

const { values } = readCommandLine(USAGE, {
  requests: { type: 'string' },
  seed: { type: 'string' },
  url: { type: 'string' },
});
const requests = wholeNumber(USAGE, '--requests', values.requests, { otherwise: REQUESTS_DEFAULT });
const seed = wholeNumber(USAGE, '--seed', values.seed, { otherwise: Date.now() % 2 ** 31 });
if (values.url !== undefined && !LOOPBACK.includes(URL.parse(values.url)?.hostname ?? '')) {
  refuse(`--url ${values.url}: this machine only; a fuzzer moves money and breaks what it can.`, USAGE);
}

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => interrupted.abort(new Error(`interrupted by ${signal}`)));
}

// It takes a second to load; a word about the command line comes before.
const { FUZZED_VARS, fuzz } = await import('./fuzz/run.ts');
let worker: LocalWorker | null = null;
try {
  worker =
    values.url === undefined
      ? await startLocalWorker(DEFAULT_PORT, interrupted.signal, { vars: FUZZED_VARS, isQuiet: true })
      : null;
  const origin = worker?.origin ?? new URL(values.url ?? '').origin;
  say(bold(`fuzz: ${requests} requests, seed ${seed}, ${origin}`));
  const startedAtMs = Date.now();
  const document = (await (await fetch(`${origin}/openapi.json`)).json()) as OpenApiDocument;
  const onProgress = (sent: number): void => say(dim(`  ${sent} sent`));
  const report = await fuzz({ origin, document, requests, seed, signal: interrupted.signal, onProgress });
  tell(report, (Date.now() - startedAtMs) / 1_000);
  if (report.violations.length > 0) process.exitCode = 1;
  interrupted.signal.throwIfAborted();
} catch (error) {
  if (!interrupted.signal.aborted) throw error;
  say(red(`Stopped: ${interrupted.signal.reason.message}.`));
  process.exitCode = 130;
} finally {
  await worker?.stop();
}

function tell({ sent, answers, violations }: FuzzReport, seconds: number): void {
  say();
  for (const [operation, counts] of [...answers].sort(([a], [b]) => a.localeCompare(b))) {
    const byStatus = [...counts].sort(([a], [b]) => a - b).map(([status, count]) => `${status} × ${count}`);
    say(`  ${operation.padEnd(26)} ${byStatus.join('  ')}`);
  }
  for (const { rule, operation, detail, curl, answer } of violations) {
    say();
    say(red(`${operation}: ${rule}: ${detail}`));
    say(`  ${curl}`);
    say(dim(`  ${answer}`));
  }
  const serverErrors = [...answers.values()]
    .flatMap((counts) => [...counts])
    .reduce((sum, [status, count]) => (status >= 500 ? sum + count : sum), 0);
  const result = `${sent} requests, seed ${seed}, ${serverErrors} answers of 5xx, ${violations.length} violations, ${seconds.toFixed(1)} s`;
  say();
  say(violations.length === 0 ? green(result) : red(result));
}
