/**
 * What the cron triggers of wrangler.toml start, by their expression. The jobs of one expression run side by side, and one
 * that fails stops no other: it is logged, and comes again with the next run. Called by src/index.ts.
 */
import { ARCHIVE_JOBS } from './archiver/jobs.ts';
import { InvariantError } from './domain/errors.ts';
import { retryCallbacks } from './gateway/deliver-callback.ts';
import { beginNightly, wakeReconciliations } from './reconciliations.ts';
import { sweep } from './recovery/sweep.ts';
import { errorText, logLine } from './telemetry/log.ts';

type Job = (env: Env, nowMs: number) => Promise<unknown>;

/** By expression, as in wrangler.toml, and by the name that the log gives them. */
export const JOBS: Readonly<Record<string, Readonly<Record<string, Job>>>> = {
  '* * * * *': { retry_callbacks: retryCallbacks, wake_reconciliations: wakeReconciliations, sweep },
  '17 3 * * *': { nightly_reconciliation: beginNightly },
  '* 1-4 * * *': ARCHIVE_JOBS,
};

/** @throws InvariantError for an expression with no jobs: a trigger that nobody listens to. */
export async function runScheduled(
  env: Env,
  cron: string,
  nowMs: number,
  jobs: Readonly<Record<string, Job>> | undefined = JOBS[cron],
): Promise<void> {
  if (jobs === undefined) throw new InvariantError('cron_has_jobs', { cron });
  await Promise.all(Object.entries(jobs).map(([name, job]) => runJob(name, job, env, nowMs)));
}

async function runJob(name: string, job: Job, env: Env, nowMs: number): Promise<void> {
  try {
    await job(env, nowMs);
  } catch (error) {
    logLine('cron.failed', { operation: name, error: errorText(error), alert: true });
  }
}
