/**
 * `npm run bench:observability`: what telling of payments costs them. Two Workers, as `wrangler dev` runs them: one samples no trace, the
 * other as live mode does by default (0.1), logs what is sampled, and exports it to a collector here. In turns, so that the
 * machine's noise falls on both alike; the ratio is of the medians of the rounds. Loopback only.
 */
import { createServer } from 'node:http';
import { cpus } from 'node:os';
import { readCommandLine, wholeNumber } from '../scripts/command-line.ts';
import { anyFreePort, startLocalWorker } from '../scripts/local-worker.ts';
import { TRACES_RATIO_DEFAULT } from '../src/config-tracing.ts';
import { measure, median } from './load.ts';
import { paymentLoad } from './payment-load.ts';

const ROUNDS_DEFAULT = 7;
const REQUESTS = 400;
const CONCURRENCY = 16;
const WALLETS = 20;

const USAGE = `npm run bench:observability -- [--rounds N]   (absent: ${ROUNDS_DEFAULT})`;
const { values } = readCommandLine(USAGE, { rounds: { type: 'string' } });
const rounds = wholeNumber(USAGE, '--rounds', values.rounds, { otherwise: ROUNDS_DEFAULT, min: 1 });
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort());

let exports = 0;
const collector = createServer((request, response) => {
  exports += 1;
  request.resume().on('end', () => response.end('{}'));
});
const collectorPort = await anyFreePort();
collector.listen(collectorPort, '127.0.0.1');

const SANDBOX = { MODE: 'sandbox', AUTH: 'open', RATE_LIMITS: 'off' };
const DEFAULT = {
  ...SANDBOX,
  OTEL_TRACES_SAMPLER_ARG: String(TRACES_RATIO_DEFAULT.live),
  OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collectorPort}`,
};
const start = async (vars: Readonly<Record<string, string>>) =>
  startLocalWorker(await anyFreePort(), interrupted.signal, { vars });
const untold = await start({ ...SANDBOX, OTEL_TRACES_SAMPLER_ARG: '0' });
const told = await start(DEFAULT);
try {
  const rate = async ({ origin }: { readonly origin: string }, requests = REQUESTS): Promise<number> => {
    const walletOf = (n: number) => `bench-${n % WALLETS}`;
    const load = paymentLoad(origin, { concurrency: CONCURRENCY, length: { requests }, walletOf, waits: true });
    return (await measure(load)).perSecond;
  };
  await rate(untold, REQUESTS / 4);
  await rate(told, REQUESTS / 4);
  const rates: { untold: number; told: number }[] = [];
  for (let round = 0; round < rounds; round += 1) rates.push({ untold: await rate(untold), told: await rate(told) });
  const [without, withIt] = [median(rates.map((of) => of.untold)), median(rates.map((of) => of.told))];
  console.log(`${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}`);
  console.log(`${rounds} rounds of ${REQUESTS} payments to COMPLETED, ${CONCURRENCY} at a time, ${exports} exports`);
  console.log(
    `nothing sampled ${without.toFixed(0)}/s, by default ${withIt.toFixed(0)}/s: ${(withIt / without).toFixed(3)}`,
  );
} finally {
  await Promise.all([untold.stop(), told.stop()]);
  collector.close();
}
