/**
 * One measured load over so many connections, by autocannon, each request as soon as the one before it is answered: so many
 * of them, or for so long. Gives the rate and the answers' times; an answer that is not the expected one fails the run.
 */
import autocannon from 'autocannon';

export interface Load {
  readonly url: string;
  readonly concurrency: number;
  readonly length: LoadLength;
  /** The body and headers of the n-th request. */
  readonly request: (n: number) => { readonly headers: Record<string, string>; readonly body: string };
  readonly expectStatus: number;
  /** Looks at each answer's body; whether it is as it must be. */
  readonly isGood: (body: string) => boolean;
}

/** `leadSeconds`: what is answered in the first of them is not measured. What is under way at the end is cut off. */
export type LoadLength = { readonly requests: number } | { readonly leadSeconds: number; readonly seconds: number };

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
  const { length } = load;
  const leadMs = 'requests' in length ? 0 : length.leadSeconds * 1_000;
  const begunAtMs = performance.now() + leadMs;
  // autocannon ends at a tick of its own, a second long: the load ended with its last answer.
  let endedAtMs = begunAtMs;
  const result = await autocannon({
    url: load.url,
    connections: load.concurrency,
    ...('requests' in length ? { amount: length.requests } : { duration: length.leadSeconds + length.seconds }),
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
        const nowMs = performance.now();
        if (nowMs < begunAtMs) return;
        timesMs.push(timeMs);
        endedAtMs = nowMs;
      });
    },
  });
  const seconds = (endedAtMs - begunAtMs) / 1_000;
  const isShort = timesMs.length < ('requests' in length ? length.requests : 1);
  if (wrong.length > 0 || result.errors > 0 || isShort) {
    throw new Error(`${load.url}: ${result.errors} errors, ${wrong.length} wrong answers; the first: ${wrong[0]}`);
  }
  const sorted = timesMs.toSorted((a, b) => a - b);
  return { perSecond: timesMs.length / seconds, p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99) };
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
