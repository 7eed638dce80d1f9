/**
 * One HTTP exchange with a provider, told as a value: what came back, or how it broke off. The base of every adapter.
 * It knows no provider and reads no meaning into a status, except for the answers that are the same everywhere and say
 * that there is no answer (`noAnswer`).
 */
import { parseJsonBytes, readBounded } from './bounded-body.ts';
import { ANSWER_BYTES_MAX, RETRY_AFTER_DEFAULT_MS, RETRY_AFTER_MAX_MS } from './limits.ts';
import type { NoAnswer } from './provider.ts';

export type Exchange =
  /** `body` is null where it is not JSON, or larger than was asked for. */
  | { readonly kind: 'answered'; readonly status: number; readonly headers: Headers; readonly body: unknown }
  /** Not heard in time: it may have arrived. */
  | { readonly kind: 'timeout' }
  /** The connection broke, before or after the request was through: it may have arrived. */
  | { readonly kind: 'cut'; readonly detail: string }
  /** Provably never handed over. */
  | { readonly kind: 'not_connected'; readonly detail: string };

/** Anything that fetches: a provider's host through the global `fetch`, or a Durable Object's stub. */
export interface Fetcher {
  fetch(request: Request): Promise<Response>;
}

/** Sends `request` and reads the answer, at most `bytesMax` of it, all within `timeoutMs`. Never throws for what the network does. */
export async function exchange(
  fetcher: Fetcher,
  request: Request,
  timeoutMs: number,
  bytesMax = ANSWER_BYTES_MAX,
): Promise<Exchange> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await within(fetcher.fetch(new Request(request, { signal })), signal);
    const body = await within(readJson(response, bytesMax), signal);
    return { kind: 'answered', status: response.status, headers: response.headers, body };
  } catch (error) {
    if (signal.aborted) return { kind: 'timeout' };
    const detail = error instanceof Error ? error.message.slice(0, 200) : 'unknown error';
    return neverSent(error, detail) ? { kind: 'not_connected', detail } : { kind: 'cut', detail };
  }
}

/** A fetcher that does not mind the signal must not hold us: the clock decides. */
async function within<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/**
 * Only what can be proven counts: the runtime refuses a call to an overloaded object before it is delivered
 * (https://developers.cloudflare.com/durable-objects/best-practices/error-handling/), and a runtime that connects by itself says of a
 * host that does not resolve, or accepts no connection, that it was never written to. Every other break is `cut`. A deployed Worker does
 * not connect by itself: Cloudflare's edge does, and it answers where it could not (`noAnswer`).
 */
function neverSent(error: unknown, detail: string): boolean {
  const overloaded = typeof error === 'object' && error !== null && 'overloaded' in error && error.overloaded === true;
  return overloaded || /\b(ECONNREFUSED|ENOTFOUND|connection refused|DNS lookup failed)\b/i.test(detail);
}

async function readJson(response: Response, bytesMax: number): Promise<unknown> {
  const bytes = await readBounded(response.body, bytesMax);
  return (bytes === null ? null : parseJsonBytes(bytes)) ?? null;
}

/**
 * The meaning of an exchange that has the same one for every provider, or null where the adapter must read the body.
 * Rows, in order:
 *   not connected → not_sent · timeout, cut → unknown · 401, 403 → misconfigured · 429 → throttled ·
 *   5xx → unknown · a body that is no JSON object → unknown.
 * Among the 5xx are the edge's own, 521 for a refused connection or 530 for a host without an address. They read like `not_connected`,
 * and prove nothing: they tell how the edge's last try ended, and it may have sent the request in the one before
 * (docs/decisions/0090-what-the-edge-answers.md).
 * An adapter that knows better of some status (a 503 that says "not processed") looks before it asks here.
 */
export function noAnswer(result: Exchange): NoAnswer | null {
  switch (result.kind) {
    case 'not_connected':
      return { kind: 'not_sent', reason: 'not_connected' };
    case 'timeout':
      return { kind: 'unknown', reason: 'timeout' };
    case 'cut':
      return { kind: 'unknown', reason: 'connection_cut' };
    case 'answered':
      break;
  }
  const { status } = result;
  if (status === 401 || status === 403) return { kind: 'misconfigured', reason: `http_${status}` };
  if (status === 429) return { kind: 'throttled', retryAfterMs: retryAfterMs(result.headers) };
  if (status >= 500) return { kind: 'unknown', reason: `http_${status}` };
  if (typeof result.body !== 'object' || result.body === null) return { kind: 'unknown', reason: 'answer_unreadable' };
  return null;
}

/** `Retry-After` in milliseconds: only its form in seconds is read (RFC 9110 section 10.2.3); bounded both ways. */
export function retryAfterMs(headers: Headers): number {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  if (!Number.isFinite(seconds) || seconds < 0) return RETRY_AFTER_DEFAULT_MS;
  return Math.min(seconds * 1_000, RETRY_AFTER_MAX_MS);
}
