/**
 * Whether what was deployed is up, and closed: it answers /health, and a request with no key is refused as unauthenticated. A
 * Worker that answers 503 has no configuration; one that answers 200 is open, and that is said loudest.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { DeployError } from './fail.ts';

/** A new address and new secrets take a while to be known everywhere. */
const BOUND_MS = 60_000;
const PAUSE_MS = 1_000;
const REQUEST_TIMEOUT_MS = 10_000;

/** Of a route that every key may read, and nobody without one. */
const CLOSED_PATH = '/payments';

export interface CheckOptions {
  readonly boundMs?: number;
}

/** @throws DeployError when it is not so within the bound; at once when it is open. */
export async function checkDeployed(origin: string, { boundMs = BOUND_MS }: CheckOptions = {}): Promise<void> {
  const endMs = Date.now() + boundMs;
  for (;;) {
    const wrong = await wrongWith(origin);
    if (wrong === null) return;
    if (Date.now() + PAUSE_MS > endMs) throw new DeployError(`${origin} is deployed, and not as it must be: ${wrong}`);
    await sleep(PAUSE_MS);
  }
}

async function wrongWith(origin: string): Promise<string | null> {
  const health = await statusOf(`${origin}/health`);
  if (health !== 200) return `/health answers ${health}`;
  const closed = await statusOf(`${origin}${CLOSED_PATH}`);
  if (closed === 401) return null;
  if (closed === 200) {
    throw new DeployError(`${origin} IS OPEN: ${CLOSED_PATH} answers without a key. Take it down: npx wrangler delete`);
  }
  const hint = closed === 503 ? ': a secret is missing or not valid; `npx wrangler tail` names it' : '';
  return `${CLOSED_PATH} without a key answers ${closed}, not 401${hint}`;
}

async function statusOf(url: string): Promise<number | string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS), redirect: 'manual' });
    await response.body?.cancel();
    return response.status;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
