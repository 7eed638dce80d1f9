/**
 * `npm run bench`: what a payment costs in time, as ratios to a floor in the same process and run: a bare Worker with a new
 * object that commits one row. First each by itself; then at each concurrency, in rounds, so that the machine's noise falls on all alike: the
 * floor, the runtime's own share of a payment (sketch.ts), POST /payments answered at once, and payments followed to COMPLETED (`Prefer: wait`),
 * over many wallets and over one. `--json FILE` writes the numbers; `--growth N` makes N payments more and measures a thousand of them now and
 * then, with `--rounds 0` nothing else. Loopback only.
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { readCommandLine, refuse, wholeNumber } from '../scripts/command-line.ts';
import { anyFreePort, startLocalWorker } from '../scripts/local-worker.ts';
import type { PaymentView } from '../src/domain/payment.ts';
import { writeBenchConfig } from './config.ts';
import { type Load, type LoadLength, type Measured, measure, median, quantile } from './load.ts';
import { paymentLoad } from './payment-load.ts';
import { growthLine, resultTable } from './table.ts';

export const SERIES = ['floor', 'sketch', 'post', 'completed', 'completed_hot'] as const;
export type Series = (typeof SERIES)[number];
export interface Row extends Measured {
  readonly series: Series;
  /** `alone`: one at a time, with nothing under way but itself; its rate is that of waiting for quiet, and says nothing. */
  readonly concurrency: number | 'alone';
}

export interface Grown extends Measured {
  /** That there were, the measured thousand included. */
  readonly payments: number;
}

const CONCURRENCIES = [1, 16, 64] as const;
/**
 * Of one series in one round. The runtime takes an object out of memory when nobody has called it for ten seconds, which is work (its file is
 * written, synced and closed): from then on a series pays for its own objects, and for no other's.
 */
const LENGTH = { leadSeconds: 12, seconds: 12 } as const;
/** Of each of two series, in turns: so many requests, each so long after what was begun before it has ended. */
const ALONE = { requests: 40, quietMs: 1_500 } as const;
const WALLETS = 20;
const ROUNDS_DEFAULT = 3;
const WARM_UP_REQUESTS = 300;
/** The queues' consumers have the rest to do after a POST is answered. */
const DRAIN_TIMEOUT_MS = 120_000;
const GROWTH_WINDOW = 1_000;

const USAGE = `npm run bench -- [--rounds N] [--growth N] [--json FILE]

  --rounds  absent: ${ROUNDS_DEFAULT}
  --growth  payments more, of which a thousand are measured now and then: a multiple of ${GROWTH_WINDOW}
  --json    where to write the numbers`;

const { values } = readCommandLine(USAGE, {
  json: { type: 'string' },
  growth: { type: 'string' },
  rounds: { type: 'string' },
});
const rounds = wholeNumber(USAGE, '--rounds', values.rounds, { otherwise: ROUNDS_DEFAULT });
const growthOf = wholeNumber(USAGE, '--growth', values.growth, { otherwise: 0 });
if (growthOf % GROWTH_WINDOW !== 0) refuse(`--growth ${growthOf}: a multiple of ${GROWTH_WINDOW}.`, USAGE);
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort());

const worker = await startLocalWorker(await anyFreePort(), interrupted.signal, {
  config: writeBenchConfig(),
});
try {
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}`;
  console.log(`${machine}; ${rounds} rounds, ${WALLETS} wallets\n`);
  await run('completed', 16, { requests: WARM_UP_REQUESTS });
  await run('floor', 16, { requests: WARM_UP_REQUESTS });
  const rows = rounds === 0 ? [] : [...(await alone()), ...(await atEachConcurrency())];
  if (rows.length > 0) console.log(resultTable(rows));
  const growth = await grow(growthOf);
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify({ machine, rounds, wallets: WALLETS, rows, growth }, null, 2)}\n`);
  }
} finally {
  await worker.stop();
}

/** The medians of the rounds. */
async function atEachConcurrency(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const concurrency of CONCURRENCIES) {
    const measured: { series: Series; result: Measured }[] = [];
    for (let round = 0; round < rounds; round += 1) {
      for (const series of SERIES) measured.push({ series, result: await run(series, concurrency, LENGTH) });
    }
    for (const series of SERIES) {
      const of = measured.filter((entry) => entry.series === series).map((entry) => entry.result);
      rows.push({
        series,
        concurrency,
        perSecond: median(of.map(({ perSecond }) => perSecond)),
        p50Ms: median(of.map(({ p50Ms }) => p50Ms)),
        p99Ms: median(of.map(({ p99Ms }) => p99Ms)),
      });
    }
  }
  return rows;
}

/** What a client waits for on a machine that has time: POSTs and the floor in turns, each when all before it has ended. */
async function alone(): Promise<Row[]> {
  const measured = (['floor', 'post'] as const).map((series) => {
    const ids: string[] = [];
    return { series, ids, load: loadOf(series, 1, { requests: ALONE.requests }, ids), timesMs: [] as number[] };
  });
  for (let n = 0; n < ALONE.requests; n += 1) {
    for (const { load, ids, timesMs } of measured) {
      const { headers, body } = load.request(n);
      await sleep(ALONE.quietMs, undefined, { signal: interrupted.signal });
      const begunAtMs = performance.now();
      const response = await fetch(load.url, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body,
        signal: interrupted.signal,
      });
      const text = await response.text();
      timesMs.push(performance.now() - begunAtMs);
      if (response.status !== load.expectStatus || !load.isGood(text)) throw new Error(`${response.status} ${text}`);
      await drained(ids.splice(0));
    }
  }
  return measured.map(({ series, timesMs }) => {
    const sorted = timesMs.toSorted((a, b) => a - b);
    const [p50Ms, p99Ms] = [quantile(sorted, 0.5), quantile(sorted, 0.99)];
    return { series, concurrency: 'alone', perSecond: Number.NaN, p50Ms, p99Ms };
  });
}

/** One load of a series. After POSTs that were answered at once, waits until what they began has ended. */
async function run(series: Series, concurrency: number, length: LoadLength): Promise<Measured> {
  const ids: string[] = [];
  const result = await measure(loadOf(series, concurrency, length, ids));
  if (series === 'post') await drained(ids);
  return result;
}

function loadOf(series: Series, concurrency: number, length: LoadLength, ids: string[]): Load {
  const { origin } = worker;
  if (series === 'floor') {
    const request = () => ({ headers: {}, body: '{}' });
    return { url: `${origin}/floor`, concurrency, length, request, expectStatus: 201, isGood: () => true };
  }
  if (series === 'sketch') {
    const request = (n: number) => ({ headers: {}, body: JSON.stringify({ wallet_id: `sketch-${n % WALLETS}` }) });
    return { url: `${origin}/sketch`, concurrency, length, request, expectStatus: 201, isGood: () => true };
  }
  const walletOf = (n: number) => (series === 'completed_hot' ? 'bench-hot' : `bench-${n % WALLETS}`);
  return paymentLoad(origin, { concurrency, length, walletOf, waits: series !== 'post', ids });
}

async function drained(ids: readonly string[]): Promise<void> {
  const deadlineMs = Date.now() + DRAIN_TIMEOUT_MS;
  for (const id of ids) {
    for (;;) {
      const response = await fetch(`${worker.origin}/payments/${id}`, { signal: interrupted.signal });
      const payment = (await response.json()) as PaymentView;
      if (payment.status === 'COMPLETED') break;
      const isLate = Date.now() > deadlineMs;
      if (isLate || payment.status !== 'PENDING')
        throw new Error(
          `not COMPLETED${isLate ? ` ${DRAIN_TIMEOUT_MS / 1_000} s on` : ''}: ${JSON.stringify(payment)}`,
        );
      await sleep(20);
    }
  }
}

/** `payments` one after the other; the first thousand, the thousand before each of 2, 5, 10, 20, 50 … thousand, and the last. */
async function grow(payments: number): Promise<Grown[]> {
  const grown: Grown[] = [];
  for (let done = GROWTH_WINDOW; done <= payments; done += GROWTH_WINDOW) {
    interrupted.signal.throwIfAborted();
    const measured = { payments: done, ...(await run('completed', 16, { requests: GROWTH_WINDOW })) };
    if (done !== payments && !/^[125]0+$/.test(String(done))) continue;
    grown.push(measured);
    // Each as it comes: a long run that is cut off has told what it saw.
    console.log(growthLine(measured, grown[0] ?? measured));
  }
  return grown;
}
