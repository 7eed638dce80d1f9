/**
 * The sweeper: asks the record (D1) which sagas have stood still too long, and pokes their objects, which do what their
 * alarm should have done. Bounded in pages and in all; whoever has waited longest is next, so that no hopeless one starves
 * another. It moves no money and decides nothing. Called by the cron.
 */
import { type Scope, walletObjectName } from '../domain/ids.ts';
import { PAGE_LIMIT_MAX } from '../domain/limits.ts';
import {
  HOLD_OVERDUE_MS,
  SWEEP_PAGE_ROWS,
  SWEEP_SAGAS_MAX,
  SWEEP_WALLETS_MAX,
  SWEEPS_KEPT_MAX,
} from '../domain/sweep-policy.ts';
import { emptyReport, note, notePoke, type SweepReport } from '../domain/sweep-report.ts';
import { type EntityKind, endedPayments, noteSwept, type StillSaga, stillSagas } from '../read-model/sagas.ts';
import { keepSweep } from '../read-model/sweeps.ts';
import { sagaStub, walletStub } from '../stubs.ts';
import { errorText, logLine } from '../telemetry/log.ts';

/** One run. `nowMs` is the cron's time; the objects go by their own clocks. @throws what D1 throws. */
export async function sweep(env: Env, nowMs: number): Promise<SweepReport> {
  const startedAtMs = Date.now();
  const report = emptyReport();
  const swept = [
    ...(await sweepKind(env, 'payment', nowMs, report)),
    ...(await sweepKind(env, 'refund', nowMs, report)),
  ];
  await reviewHolds(env, swept, report);
  const finishedAtMs = Date.now();
  await keepSweep(env.DB, { startedAtMs, finishedAtMs, report }, SWEEPS_KEPT_MAX);
  logSweep(report, finishedAtMs - startedAtMs);
  return report;
}

async function sweepKind(env: Env, kind: EntityKind, nowMs: number, report: SweepReport): Promise<StillSaga[]> {
  const swept: StillSaga[] = [];
  while (swept.length < SWEEP_SAGAS_MAX) {
    const page = await stillSagas(env.DB, kind, nowMs, Math.min(SWEEP_PAGE_ROWS, SWEEP_SAGAS_MAX - swept.length));
    if (page.length === 0) return swept;
    const isNoted = await notePage(env, kind, page, nowMs);
    await Promise.all(page.map((saga) => pokeOne(env, saga, report)));
    swept.push(...page);
    // What is not noted would come up again as the next page.
    if (!isNoted) break;
  }
  report.truncated = true;
  return swept;
}

/** Whether the record took the note; one that is full, or takes no writes, must not keep a saga from being poked. */
async function notePage(env: Env, kind: EntityKind, page: readonly StillSaga[], nowMs: number): Promise<boolean> {
  const ids = page.map(({ id }) => id);
  try {
    await noteSwept(env.DB, kind, ids, nowMs);
    return true;
  } catch (error) {
    logLine('sweep.note_failed', { operation: kind, count: ids.length, error: errorText(error), alert: true });
    return false;
  }
}

async function pokeOne(env: Env, { id, sequence }: StillSaga, report: SweepReport): Promise<void> {
  report.examined += 1;
  try {
    const result = await sagaStub(env, id)?.poke(sequence);
    notePoke(report, id, result ?? { kind: 'unknown_saga' });
  } catch (error) {
    // One object that is away must not keep the others from being poked; it comes up again once it has waited.
    note(report, { kind: 'failed', id });
    logLine('sweep.poke_failed', { entity_id: id, error: errorText(error) });
  }
}

/** Asks the wallets of what was swept for holds that should be gone by now. */
async function reviewHolds(env: Env, swept: readonly StillSaga[], report: SweepReport): Promise<void> {
  const wallets = new Map<string, { readonly scope: Scope; readonly walletId: string }>();
  for (const { scope, walletId } of swept) {
    if (walletId !== null) wallets.set(walletObjectName(scope, walletId), { scope, walletId });
  }
  const asked = [...wallets.values()].slice(0, SWEEP_WALLETS_MAX);
  report.wallets_asked = asked.length;
  await Promise.all(asked.map((wallet) => reviewWallet(env, wallet, report)));
}

async function reviewWallet(
  env: Env,
  { scope, walletId }: { readonly scope: Scope; readonly walletId: string },
  report: SweepReport,
): Promise<void> {
  try {
    const result = await walletStub(env, scope, walletId).read();
    const holds = result.kind === 'found' ? result.wallet.holds.slice(0, PAGE_LIMIT_MAX) : [];
    const lateMs = Date.now() - HOLD_OVERDUE_MS;
    const ended = await endedPayments(
      env.DB,
      holds.map((hold) => hold.payment_id),
      lateMs,
    );
    for (const { payment_id: id, expires_at: expiresAt } of holds) {
      if (Date.parse(expiresAt) < lateMs) note(report, { kind: 'hold_overdue', id, wallet_id: walletId });
      else if (ended.has(id)) note(report, { kind: 'hold_of_ended', id, wallet_id: walletId });
    }
  } catch (error) {
    // The same: a wallet that is away is asked again when something of it is swept again.
    logLine('sweep.wallet_failed', { entity_id: walletId, error: errorText(error) });
  }
}

function logSweep({ examined, poked, moved, truncated, counts }: SweepReport, durationMs: number): void {
  logLine('sweep.finished', {
    examined,
    poked,
    moved,
    truncated,
    ...counts,
    duration_ms: durationMs,
    ...(Object.values(counts).some((count) => count > 0) && { alert: true }),
  });
}
