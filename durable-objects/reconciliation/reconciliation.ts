/**
 * One reconciliation: works through the books, our payments and the ledgers a page an alarm, writes what it finds to its
 * report (D1) page by page, and is empty when the report is finished. It changes nothing but the report: every call that it
 * makes is a read. Begun by an operator's request or the nightly cron; woken by the cron if it stands still.
 */
import { DurableObject } from 'cloudflare:workers';
import { InvariantError } from '../../src/domain/errors.ts';
import {
  MINUTE_MS,
  RECONCILIATION_ATTEMPTS_MAX,
  RECONCILIATION_DIFFERENCES_MAX,
  RECONCILIATION_FINDINGS_PER_STEP_MAX,
  RECONCILIATION_STEPS_MAX,
  SECOND_MS,
} from '../../src/domain/limits.ts';
import { countByClass, moneyInDoubt } from '../../src/domain/reconciliation/difference.ts';
import {
  advanced,
  BEGUN,
  counted,
  isComplete,
  type ReconciliationPlan,
  type ReconciliationProgress,
  type ReconciliationRpc,
} from '../../src/domain/reconciliation/plan.ts';
import { backoffMs } from '../../src/domain/retry.ts';
import { differencesOf, type Finding, reportStep } from '../../src/read-model/reconciliations.ts';
import { errorText, logLine } from '../../src/telemetry/log.ts';
import { readBooksPage } from './books.ts';
import { type ComparedPage, comparePage } from './compare.ts';
import { ReconciliationStore, type Run } from './store.ts';

/** Whatever happens to a step, the object is woken again after this. */
const WATCHDOG_MS = MINUTE_MS;
const RETRY = { firstMs: SECOND_MS, maxMs: 5 * MINUTE_MS };

export class Reconciliation extends DurableObject<Env> implements ReconciliationRpc {
  readonly #store: ReconciliationStore;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = new ReconciliationStore(ctx.storage.sql);
  }

  async begin(plan: ReconciliationPlan): Promise<void> {
    if (this.#store.load() === null) this.#store.begin({ plan, progress: BEGUN });
    if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.setAlarm(Date.now());
  }

  /** One step. Its watchdog is set first, since the platform gives an alarm up after six failures. */
  override async alarm(): Promise<void> {
    const run = this.#store.load();
    if (run === null) return;
    await this.ctx.storage.setAlarm(Date.now() + WATCHDOG_MS);
    try {
      const waitMs = await this.#step(run);
      if (waitMs === null) await this.ctx.storage.deleteAll();
      else await this.ctx.storage.setAlarm(Date.now() + waitMs);
    } catch (error) {
      await this.#failed(run, error);
    }
  }

  /** How long until the next step; null after the last. */
  async #step({ plan, progress }: Run): Promise<number | null> {
    if (progress.steps >= RECONCILIATION_STEPS_MAX) throw new InvariantError('reconciliation_steps', { id: plan.id });
    switch (progress.phase) {
      case 'books': {
        const step = await readBooksPage(this.env, { plan, progress });
        await reportStep(this.env.DB, plan.id, { status: 'running', progress: step.progress }, [], Date.now());
        this.ctx.storage.transactionSync(() => {
          this.#store.putLines(step.lines);
          this.#store.save(step.progress);
        });
        return step.waitMs;
      }
      case 'payments':
      case 'lines':
      case 'refunds': {
        const page = await comparePage(this.env, this.#store, { plan, progress });
        await this.#keep(plan, progress, page);
        return 0;
      }
      case 'finished':
        await this.#finish(plan, progress);
        return null;
    }
  }

  /** Report first: were this to end in between, the same page is compared again, and reported as the same findings. */
  async #keep(plan: ReconciliationPlan, progress: ReconciliationProgress, page: ComparedPage): Promise<void> {
    const { comparison, keys, cursor } = page;
    const room = RECONCILIATION_DIFFERENCES_MAX - (progress.differences - progress.leftOut);
    const kept = comparison.differences.slice(0, Math.min(room, RECONCILIATION_FINDINGS_PER_STEP_MAX));
    const listed = comparison.attention.slice(
      0,
      Math.max(RECONCILIATION_DIFFERENCES_MAX - progress.counts.attention, 0),
    );
    const findings: Finding[] = [
      ...kept.map((difference): Finding => ({ kind: 'difference', ...difference })),
      ...listed.map((attention): Finding => ({ kind: 'attention', ...attention })),
    ];
    const next = advanced(counted(progress, comparison, kept.length), cursor);
    await reportStep(this.env.DB, plan.id, { status: 'running', progress: next }, findings, Date.now());
    this.ctx.storage.transactionSync(() => {
      this.#store.markCompared(keys);
      this.#store.save(next);
    });
  }

  async #finish(plan: ReconciliationPlan, progress: ReconciliationProgress): Promise<void> {
    const differences = await differencesOf(this.env.DB, plan.id);
    const done = { ...progress, byClass: countByClass(differences), inDoubt: moneyInDoubt(differences) };
    await reportStep(this.env.DB, plan.id, { status: 'finished', progress: done }, [], Date.now());
    const complete = isComplete(done);
    logLine('reconciliation.finished', {
      entity_id: plan.id,
      mode: plan.mode,
      count: progress.differences,
      complete,
      ...((progress.differences > 0 || !complete) && { alert: true }),
    });
  }

  async #failed({ plan, progress }: Run, error: unknown): Promise<void> {
    const attempts = progress.attempts + 1;
    // One that has gone astray goes no better the next time.
    const isGivenUp = attempts >= RECONCILIATION_ATTEMPTS_MAX || progress.steps >= RECONCILIATION_STEPS_MAX;
    const failure = errorText(error);
    logLine('reconciliation.step_failed', {
      entity_id: plan.id,
      attempts,
      error: failure,
      ...(isGivenUp && { alert: true }),
    });
    if (!isGivenUp) {
      this.#store.save({ ...progress, attempts });
      await this.ctx.storage.setAlarm(Date.now() + backoffMs(RETRY, attempts, Math.random()));
      return;
    }
    // If this cannot be written either, the watchdog comes again.
    await reportStep(this.env.DB, plan.id, { status: 'failed', progress: { ...progress, failure } }, [], Date.now());
    await this.ctx.storage.deleteAll();
  }
}
