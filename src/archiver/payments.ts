/**
 * Archives payments, each with its refunds and their timelines, once their objects are empty: searches the record for those whose
 * time has come, asks the owners, plans an object of the archive, writes it and reads it back. A plan that a run left behind is
 * ended first, so that a crash at any point leads to the same object. Deletes nothing: that is src/archiver/trim.ts. Called by the cron.
 */
import { askedNotBeforeMs, searchedUntilMs } from '../domain/archive/candidates.ts';
import { checkSaga, countsOfRuns, type Dossier, sagasOf } from '../domain/archive/dossier.ts';
import { objectKeyOf } from '../domain/archive/manifest.ts';
import { InvariantError } from '../domain/errors.ts';
import { toTimestamp } from '../domain/events/envelope.ts';
import type { Scope } from '../domain/ids.ts';
import { ARCHIVE_OWNERS_MAX, ARCHIVE_PAYMENTS_MAX, ARCHIVE_STEPS_MAX, ARCHIVE_WAIT_MS } from '../domain/limits.ts';
import type { Tombstone } from '../domain/saga/tombstone.ts';
import {
  afterMark,
  archivedStatements,
  dueWaiting,
  type Found,
  nextOwner,
  ownersOf,
  readDossiers,
  refundsOfPayments,
  searchedStatements,
} from '../read-model/archived-payments.ts';
import { type Archive, oldestArchive, planStatement, storedStatement } from '../read-model/archives.ts';
import { sagaStub } from '../stubs.ts';
import { errorText, logLine } from '../telemetry/log.ts';
import { shelve } from './shelf.ts';

/** Owners that this run may still ask. */
interface Budget {
  left: number;
}

/** Objects that were written. @throws what D1, R2 and broken plans throw; what is planned is gone on with next time. */
export async function archivePayments(env: Env, nowMs: number): Promise<number> {
  const budget = { left: ARCHIVE_OWNERS_MAX };
  let stored = 0;
  for (let step = 0; step < ARCHIVE_STEPS_MAX && budget.left > 0; step++) {
    const leftBehind = await oldestArchive(env.DB, 'payments', 'planned');
    const dossiers =
      leftBehind === null ? await search(env, nowMs, budget) : await dossiersOfPlan(env, leftBehind, budget);
    if (dossiers === null) break;
    if (dossiers.length === 0) continue;
    const planned = leftBehind ?? (await oldestArchive(env.DB, 'payments', 'planned'));
    if (planned === null) throw new InvariantError('archive_planned');
    await store(env, planned, dossiers, nowMs);
    stored += 1;
  }
  return stored;
}

/** One look for payments to archive: those that are, planned by now, which may be none; null: there is nothing to look at. */
async function search(env: Env, nowMs: number, budget: Budget): Promise<Dossier[] | null> {
  const untilMs = searchedUntilMs(nowMs);
  const waiting = await dueWaiting(env.DB, nowMs, ARCHIVE_PAYMENTS_MAX);
  const [first] = waiting;
  const owner = first ?? (await nextOwner(env.DB, untilMs));
  if (owner === null) return null;
  const scope: Scope = { merchant: owner.merchant, mode: owner.mode };
  // An object of the archive is one owner's.
  const found =
    waiting.length > 0
      ? waiting.filter(({ merchant, mode }) => merchant === scope.merchant && mode === scope.mode)
      : await afterMark(env.DB, scope, untilMs, ARCHIVE_PAYMENTS_MAX);
  const looked = await look(env, scope, found, nowMs, budget);
  const dossiers = await provenDossiers(env, scope, looked.ready);
  const provenIds = new Set(dossiers.map(({ payment }) => payment.row.id));
  const wait = [
    ...looked.waiting,
    ...looked.ready.flatMap(({ id }) => (provenIds.has(id) ? [] : [{ id, dueAtMs: nowMs + ARCHIVE_WAIT_MS }])),
  ];
  const last = waiting.length > 0 ? null : (looked.seen.at(-1) ?? null);
  await env.DB.batch([
    ...searchedStatements(env.DB, last, wait, [...provenIds]),
    ...(dossiers.length > 0 ? [planStatement(env.DB, planOf(scope, dossiers), nowMs)] : []),
  ]);
  return looked.seen.length > 0 ? dossiers : null;
}

interface Ready {
  readonly id: string;
  readonly tombstones: ReadonlyMap<string, Tombstone>;
}

interface Looked {
  /** As many of the found as the budget lasted for, in order. */
  readonly seen: readonly Found[];
  readonly ready: readonly Ready[];
  readonly waiting: readonly { readonly id: string; readonly dueAtMs: number }[];
}

/** Asks the owners of those whose time may have come. */
async function look(env: Env, scope: Scope, found: readonly Found[], nowMs: number, budget: Budget): Promise<Looked> {
  const refunds = await refundsOfPayments(
    env.DB,
    scope,
    found.map(({ id }) => id),
  );
  const seen: Found[] = [];
  const ready: Ready[] = [];
  const waiting: { id: string; dueAtMs: number }[] = [];
  for (const payment of found) {
    const sagas = [payment, ...(refunds.get(payment.id) ?? [])];
    const dueAtMs = askedNotBeforeMs(sagas, nowMs);
    if (dueAtMs <= nowMs && sagas.length > budget.left && budget.left < ARCHIVE_OWNERS_MAX) break;
    seen.push(payment);
    if (dueAtMs > nowMs) {
      waiting.push({ id: payment.id, dueAtMs });
      continue;
    }
    budget.left -= sagas.length;
    const answer = await askOwners(
      env,
      sagas.map(({ id }) => id),
      nowMs,
    );
    if ('dueAtMs' in answer) waiting.push({ id: payment.id, dueAtMs: answer.dueAtMs });
    else ready.push({ id: payment.id, tombstones: answer.tombstones });
  }
  return { seen, ready, waiting };
}

/** The tombstones of all of these sagas, or when to ask again. One that is away, or lost, keeps its payment in the record. */
async function askOwners(
  env: Env,
  ids: readonly string[],
  nowMs: number,
): Promise<{ readonly tombstones: ReadonlyMap<string, Tombstone> } | { readonly dueAtMs: number }> {
  const tombstones = new Map<string, Tombstone>();
  for (const id of ids) {
    try {
      const answer = await sagaStub(env, id)?.retire();
      if (answer?.kind === 'kept') return { dueAtMs: answer.dueAtMs };
      if (answer?.kind !== 'retired') {
        refuse(id, 'its object holds nothing');
        return { dueAtMs: nowMs + ARCHIVE_WAIT_MS };
      }
      tombstones.set(id, answer.tombstone);
    } catch (error) {
      logLine('archive.owner_failed', { entity_id: id, error: errorText(error) });
      return { dueAtMs: nowMs + ARCHIVE_WAIT_MS };
    }
  }
  return { tombstones };
}

/** Those whose rows and timelines are what their tombstones prove. What is not stays in the record, for a person to see. */
async function provenDossiers(env: Env, scope: Scope, ready: readonly Ready[]): Promise<Dossier[]> {
  if (ready.length === 0) return [];
  const tombstones = new Map(ready.flatMap((one) => [...one.tombstones]));
  const dossiers = await readDossiers(
    env.DB,
    scope,
    ready.map(({ id }) => id),
    tombstones,
  );
  return dossiers.filter((dossier) => {
    const findings = sagasOf(dossier).flatMap((saga) => checkSaga(saga, saga.tombstone));
    for (const { where, what } of findings) refuse(where, what);
    return findings.length === 0;
  });
}

function refuse(entityId: string, reason: string): void {
  logLine('archive.refused', { entity_id: entityId, reason, alert: true });
}

function planOf(scope: Scope, dossiers: readonly Dossier[]) {
  const keys = dossiers.map(({ payment }) => payment.row.id);
  const [first] = dossiers;
  return {
    kind: 'payments' as const,
    objectKey: objectKeyOf('payments', scope, first?.payment.row.created_at_ms ?? 0, keys),
    keys,
    newestAtMs: Math.max(...dossiers.flatMap(sagasOf).map(({ row }) => row.updated_at_ms)),
  };
}

/** What a plan named that a run left behind, asked and read again. @throws InvariantError where some of it is no more what it was. */
async function dossiersOfPlan(env: Env, { keys, objectKey }: Archive, budget: Budget): Promise<Dossier[]> {
  const ids = keys.map(String);
  const [owner] = await ownersOf(env.DB, ids);
  if (owner === undefined) throw new InvariantError('archive_plan_whole', { object_key: objectKey, found: 0 });
  const refunds = await refundsOfPayments(env.DB, owner, ids);
  const ready: Ready[] = [];
  for (const id of ids) {
    const sagaIds = [id, ...(refunds.get(id) ?? []).map((refund) => refund.id)];
    budget.left -= sagaIds.length;
    const asked = await askOwners(env, sagaIds, 0);
    if ('tombstones' in asked) ready.push({ id, tombstones: asked.tombstones });
  }
  const dossiers = await provenDossiers(env, owner, ready);
  if (dossiers.length !== ids.length) {
    throw new InvariantError('archive_plan_whole', { object_key: objectKey, found: dossiers.length });
  }
  return dossiers;
}

async function store(env: Env, archive: Archive, dossiers: readonly Dossier[], nowMs: number): Promise<void> {
  const { objectKey, keys, newestAtMs } = archive;
  const sagas = dossiers.flatMap(sagasOf);
  const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
  const manifest = await shelve(
    env.ARCHIVE,
    {
      format: 1,
      object_key: objectKey,
      kind: 'payments',
      rows: {
        lines: dossiers.length,
        payments: dossiers.length,
        refunds: sagas.length - dossiers.length,
        runs: sum(sagas.map(({ runs }) => runs.length)),
        events: sum(sagas.flatMap(({ runs }) => runs.map(({ events }) => events.length))),
        notifications: sum(dossiers.map(({ notifications }) => notifications.length)),
      },
      first_key: String(keys.at(0)),
      last_key: String(keys.at(-1)),
      newest_at: toTimestamp(newestAtMs),
    },
    dossiers,
  );
  await env.DB.batch([
    storedStatement(env.DB, archive, 'stored', manifest, countsOfRuns(dossiers), nowMs),
    ...archivedStatements(env.DB, archive.id, dossiers),
  ]);
  logLine('archive.stored', { job: 'payments', entity_id: objectKey, count: dossiers.length });
}
