/**
 * Tells a stored callback to its saga, and notes what came of it. Called by the route when a callback comes in, and by the
 * cron for those that found no saga then; telling it twice changes nothing.
 */
import { CALLBACK } from '../domain/cost/work.ts';
import { DAY_MS, MINUTE_MS } from '../domain/limits.ts';
import {
  type CallbackStatus,
  noteCallback,
  type StoredCallback,
  type UndeliveredCallback,
  undeliveredCallbacks,
} from '../read-model/provider-callbacks.ts';
import { sagaStub } from '../stubs.ts';
import { errorText, logLine } from '../telemetry/log.ts';

/** A callback that has matched nothing, or failed, for so long always will: it is abandoned, with an alert. */
const UNDELIVERED_MAX_MS = DAY_MS;
/** Left to the route that is just taking it in; and between two tries. */
const SETTLING_MS = MINUTE_MS;
/** Tried in one run of the cron. */
const RETRIED_MAX = 200;

/** `unmatched`: no saga of ours has that id. What the saga's object throws is the caller's: nothing is noted then. */
export async function deliverCallback(
  env: Env,
  callback: StoredCallback,
  nowMs: number,
): Promise<'delivered' | 'unmatched'> {
  const told = await sagaStub(env, callback.entityId)?.deliver([{ ...callback.outcome, spent: CALLBACK }]);
  const status = told?.kind === 'delivered' ? 'delivered' : 'unmatched';
  await noteCallback(env.DB, callback, status, nowMs);
  return status;
}

/** Tries those again that no saga has heard yet, in turn; gives up on what none has heard for a day, and says so. */
export async function retryCallbacks(env: Env, nowMs: number): Promise<void> {
  const callbacks = await undeliveredCallbacks(env.DB, nowMs - SETTLING_MS, RETRIED_MAX);
  for (const callback of callbacks) {
    const status = await retryOne(env, callback, nowMs);
    logLine('callback.retried', {
      provider: callback.provider,
      payment_id: callback.entityId,
      status,
      ...(status === 'abandoned' && { alert: true }),
    });
  }
}

async function retryOne(env: Env, callback: UndeliveredCallback, nowMs: number): Promise<CallbackStatus> {
  const status = await tried(env, callback, nowMs);
  if (status === 'delivered' || nowMs - callback.receivedAtMs < UNDELIVERED_MAX_MS) return status;
  await noteCallback(env.DB, callback, 'abandoned', nowMs);
  return 'abandoned';
}

/** One object that is away must not keep the others from hearing theirs: it is noted as tried, and has its turn again. */
async function tried(env: Env, callback: UndeliveredCallback, nowMs: number): Promise<CallbackStatus> {
  try {
    return await deliverCallback(env, callback, nowMs);
  } catch (error) {
    logLine('callback.retry_failed', { payment_id: callback.entityId, error: errorText(error) });
    await noteCallback(env.DB, callback, callback.status, nowMs);
    return callback.status;
  }
}
