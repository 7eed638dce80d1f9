/**
 * One measured load: so many requests over so many connections, by autocannon, each as soon as the one before it is
 * answered. Gives the rate and every answer's time; an answer that is not the expected one fails the run.
 */
import autocannon from 'autocannon';

export interface Load {
  readonly url: string;
  readonly concurrency: number;
  readonly requests: number;
  /** The body and headers of the n-th request. */
  readonly request: (n: number) => { readonly headers: Record<string, string>; readonly body: string };
  readonly expectStatus: number;
  /** Looks at each answer's body; whether it is as it must be. */
  readonly isGood: (body: string) => boolean;
}

export interface Measured {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** No load here takes longer; a Worker that hangs must not hang the benchmark. */
const LOAD_TIMEOUT_SECONDS = 600;

export async function measure(load: Load): Promise<Measured> {
  const timesMs: number[] = [];
  const wrong: string[] = [];
  let sent = 0;
  const startedAtMs = performance.now();
  // autocannon ends at a tick of its own, a second long: the load ended with its last answer.
  let endedAtMs = startedAtMs;
  const result = await autocannon({
    url: load.url,
    connections: load.concurrency,
    amount: load.requests,
    timeout: LOAD_TIMEOUT_SECONDS,
    requests: [
      {
        method: 'POST',
        setupRequest: (request) => {
          sent += 1;
          const { headers, body } = load.request(sent);
          return { ...request, headers: { ...headers, 'content-type': 'application/json' }, body };
        },
        onResponse: (status, body) => {
          if (status !== load.expectStatus || !load.isGood(body)) wrong.push(`${status} ${body}`.slice(0, 300));
        },
      },
    ],
    setupClient: (client) => {
      client.on('response', (_status, _bytes, timeMs) => {
        timesMs.push(timeMs);
        endedAtMs = performance.now();
      });
    },
  });
  const seconds = (endedAtMs - startedAtMs) / 1_000;
  if (wrong.length > 0 || result.errors > 0 || timesMs.length < load.requests) {
    throw new Error(`${load.url}: ${result.errors} errors, ${wrong.length} wrong answers; the first: ${wrong[0]}`);
  }
  const sorted = timesMs.toSorted((a, b) => a - b);
  return { perSecond: load.requests / seconds, p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99) };
}

/** Of numbers in order; NaN for none. */
export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}
