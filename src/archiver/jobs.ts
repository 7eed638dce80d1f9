/**
 * The archiver's jobs, as the cron starts them: each alone, by a lease, so that a run which takes longer than a minute meets no
 * other. A job that throws is logged by the cron, and goes on where it was with the next run.
 */
import { endLease, takeLease } from '../read-model/archives.ts';
import { logLine } from '../telemetry/log.ts';
import { archivePayments } from './payments.ts';
import { archiveRows } from './rows.ts';
import { trimPayments } from './trim.ts';

type Step = (env: Env, nowMs: number) => Promise<number>;

/** By the names that the log gives them. */
export const ARCHIVE_JOBS = {
  archive_payments: alone('archive_payments', archivePayments),
  trim_payments: alone('trim_payments', trimPayments),
  archive_callbacks: alone('archive_callbacks', (env, nowMs) => archiveRows(env, 'provider_callbacks', nowMs)),
  archive_dead_letters: alone('archive_dead_letters', (env, nowMs) => archiveRows(env, 'dead_letters', nowMs)),
};

function alone(job: string, step: Step): Step {
  return async (env, nowMs) => {
    if (!(await takeLease(env.DB, job, nowMs))) return 0;
    try {
      const count = await step(env, nowMs);
      if (count > 0) logLine('archive.finished', { job, count });
      return count;
    } finally {
      await endLease(env.DB, job);
    }
  };
}
