/**
 * Begins reconciliations: enters the report, then wakes its object. If it ends in between, the report stands still, and the
 * cron wakes the object with the plan that the report has. Called by the operators' route and by the cron.
 */
import { readConfig } from './config.ts';
import { InvariantError } from './domain/errors.ts';
import {
  MINUTE_MS,
  RECONCILIATION_RETENTION_MS,
  RECONCILIATIONS_FORGOTTEN_MAX,
  RECONCILIATIONS_RUNNING_MAX,
} from './domain/limits.ts';
import { nightlyPlan, type ReconciliationPlan, type ReconciliationRpc } from './domain/reconciliation/plan.ts';
import { enterReconciliation, forgetOldReconciliation, stillReconciliations } from './read-model/reconciliations.ts';
import { asCalls } from './stubs.ts';
import { logLine } from './telemetry/log.ts';

/** A step takes seconds, and waits for a provider or the record for minutes at most before it says so. */
const STILL_MS = 10 * MINUTE_MS;

/** False where as many are running as may be. */
export async function beginReconciliation(env: Env, plan: ReconciliationPlan): Promise<boolean> {
  const isEntered = await enterReconciliation(env.DB, plan, RECONCILIATIONS_RUNNING_MAX);
  if (isEntered) await wake(env, plan);
  return isEntered;
}

/** The night's reconciliation, once however often the cron fires; and forgets reports that are old enough. */
export async function beginNightly(env: Env, scheduledAtMs: number): Promise<void> {
  const mode = modeOf(env);
  for (let forgotten = 0; forgotten < RECONCILIATIONS_FORGOTTEN_MAX; forgotten++) {
    if (!(await forgetOldReconciliation(env.DB, mode, scheduledAtMs - RECONCILIATION_RETENTION_MS))) break;
  }
  const plan = nightlyPlan(mode, scheduledAtMs);
  const isBegun = await beginReconciliation(env, plan);
  logLine('reconciliation.nightly', { entity_id: plan.id, mode, status: isBegun ? 'begun' : 'not_begun' });
}

/** Wakes those that have not moved for a while: begun again, one that runs only goes on. */
export async function wakeReconciliations(env: Env, nowMs: number): Promise<void> {
  const mode = modeOf(env);
  const plans = await stillReconciliations(env.DB, mode, nowMs - STILL_MS, RECONCILIATIONS_RUNNING_MAX);
  await Promise.all(plans.map((plan) => wake(env, plan)));
}

/** @throws InvariantError where the deployment is misconfigured: nothing can be compared then. */
function modeOf(env: Env): ReconciliationPlan['mode'] {
  const config = readConfig(env);
  if (!config.ok) throw new InvariantError('configured', { problems: config.problems.join(' ') });
  return config.config.mode;
}

async function wake(env: Env, plan: ReconciliationPlan): Promise<void> {
  await asCalls<ReconciliationRpc>(env.RECONCILIATION.getByName(plan.id)).begin(plan);
}
