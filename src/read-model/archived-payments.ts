/**
 * What the archiver reads and deletes of payments in the record (D1): the search, the whole of some payments, and the deletes. Typed
 * SQL; each call bounded by the ids that it is given.
 */
import type { ArchivedSaga, Dossier, SagaRow } from '../domain/archive/dossier.ts';
import { sagasOf } from '../domain/archive/dossier.ts';
import { groupIdOf } from '../domain/events/envelope.ts';
import type { Scope } from '../domain/ids.ts';
import type { Tombstone } from '../domain/saga/tombstone.ts';
import type { RunRow } from './record-publications.ts';

/** A payment or refund as the search sees it. */
export interface Found {
  readonly id: string;
  /** Its own, for a payment. */
  readonly payment_id: string;
  readonly merchant: string;
  readonly mode: Scope['mode'];
  readonly status: string;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
}

const FOUND = 'id, id AS payment_id, merchant, mode, status, created_at_ms, updated_at_ms';

/** Payments that were to be looked at again by now, the longest due first; one that the record lost is no more to wait for. */
export async function dueWaiting(db: D1Database, nowMs: number, limit: number): Promise<Found[]> {
  const [, due] = await db.batch<Found>([
    db.prepare(
      `DELETE FROM archive_waiting
       WHERE NOT EXISTS (SELECT 1 FROM payments WHERE payments.id = archive_waiting.id AND archive_id IS NULL)`,
    ),
    db
      .prepare(
        `SELECT ${FOUND} FROM (SELECT id AS waiting_id, due_at_ms FROM archive_waiting WHERE due_at_ms <= ?
           ORDER BY due_at_ms LIMIT ?) JOIN payments ON payments.id = waiting_id ORDER BY due_at_ms, id`,
      )
      .bind(nowMs, limit),
  ]);
  return due?.results ?? [];
}

/** Has a payment that the search passed before the record had it (again) looked at: nothing else would lead to it. */
export async function awaitPassed(db: D1Database, id: string, nowMs: number): Promise<void> {
  await db
    .prepare(
      `INSERT INTO archive_waiting (id, due_at_ms)
       SELECT payments.id, ?2 FROM payments
       JOIN archive_marks AS mark ON mark.merchant = payments.merchant AND mark.mode = payments.mode
       WHERE payments.id = ?1 AND payments.archive_id IS NULL
         AND (payments.created_at_ms, payments.id) <= (mark.created_at_ms, mark.id)
       ON CONFLICT (id) DO NOTHING`,
    )
    .bind(id, nowMs)
    .run();
}

/** One owner of payments that the search has not come to yet, made before `untilMs`; null: none has any. */
export async function nextOwner(db: D1Database, untilMs: number): Promise<Scope | null> {
  return db
    .prepare(
      `WITH RECURSIVE owners (merchant, mode) AS (
         SELECT * FROM (SELECT merchant, mode FROM payments ORDER BY merchant, mode LIMIT 1)
         UNION ALL
         SELECT (SELECT merchant FROM payments WHERE (merchant, mode) > (owners.merchant, owners.mode)
                 ORDER BY merchant, mode LIMIT 1),
                (SELECT mode FROM payments WHERE (merchant, mode) > (owners.merchant, owners.mode)
                 ORDER BY merchant, mode LIMIT 1)
         FROM owners WHERE owners.merchant IS NOT NULL
       )
       SELECT owners.merchant, owners.mode FROM owners
       LEFT JOIN archive_marks AS mark ON mark.merchant = owners.merchant AND mark.mode = owners.mode
       WHERE owners.merchant IS NOT NULL AND EXISTS (
         SELECT 1 FROM payments WHERE payments.merchant = owners.merchant AND payments.mode = owners.mode
           AND (payments.created_at_ms, payments.id) > (COALESCE(mark.created_at_ms, 0), COALESCE(mark.id, ''))
           AND payments.created_at_ms < ? AND payments.archive_id IS NULL
       ) LIMIT 1`,
    )
    .bind(untilMs)
    .first<Scope>();
}

/** The next payments of an owner after its mark, made before `untilMs`, oldest first. */
export async function afterMark(
  db: D1Database,
  { merchant, mode }: Scope,
  untilMs: number,
  limit: number,
): Promise<Found[]> {
  const mark = await db
    .prepare('SELECT created_at_ms, id FROM archive_marks WHERE merchant = ? AND mode = ?')
    .bind(merchant, mode)
    .first<{ created_at_ms: number; id: string }>();
  const { results } = await db
    .prepare(
      `SELECT ${FOUND} FROM payments WHERE merchant = ? AND mode = ? AND (created_at_ms, id) > (?, ?)
         AND created_at_ms < ? AND archive_id IS NULL ORDER BY created_at_ms, id LIMIT ?`,
    )
    .bind(merchant, mode, mark?.created_at_ms ?? 0, mark?.id ?? '', untilMs, limit)
    .all<Found>();
  return results;
}

/** All refunds of these payments, by payment. The plus: in an index's own order SQLite would read every refund that there is. */
export async function refundsOfPayments(
  db: D1Database,
  { merchant, mode }: Scope,
  paymentIds: readonly string[],
): Promise<ReadonlyMap<string, readonly Found[]>> {
  const { results } = await db
    .prepare(
      `SELECT id, payment_id, merchant, mode, status, created_at_ms, updated_at_ms FROM refunds
       WHERE merchant = ? AND mode = ? AND payment_id IN (SELECT value FROM json_each(?)) ORDER BY +created_at_ms, id`,
    )
    .bind(merchant, mode, JSON.stringify(paymentIds))
    .all<Found>();
  return Map.groupBy(results, (refund) => refund.payment_id);
}

/** Whose these payments are, each owner once. */
export async function ownersOf(db: D1Database, ids: readonly string[]): Promise<Scope[]> {
  const { results } = await db
    .prepare('SELECT DISTINCT merchant, mode FROM payments WHERE id IN (SELECT value FROM json_each(?))')
    .bind(JSON.stringify(ids))
    .all<Scope>();
  return results;
}

/** The mark after what was looked at, those that must wait, and those that need not any more. */
export function searchedStatements(
  db: D1Database,
  last: Found | null,
  waiting: readonly { readonly id: string; readonly dueAtMs: number }[],
  settledIds: readonly string[],
): D1PreparedStatement[] {
  const mark = db.prepare(
    `INSERT INTO archive_marks (merchant, mode, created_at_ms, id) VALUES (?, ?, ?, ?)
     ON CONFLICT (merchant, mode) DO UPDATE SET created_at_ms = excluded.created_at_ms, id = excluded.id`,
  );
  const wait = db.prepare(
    `INSERT INTO archive_waiting (id, due_at_ms) SELECT value ->> '$.id', value ->> '$.dueAtMs' FROM json_each(?)
     WHERE true ON CONFLICT (id) DO UPDATE SET due_at_ms = excluded.due_at_ms`,
  );
  const settle = db.prepare('DELETE FROM archive_waiting WHERE id IN (SELECT value FROM json_each(?))');
  return [
    ...(last === null ? [] : [mark.bind(last.merchant, last.mode, last.created_at_ms, last.id)]),
    wait.bind(JSON.stringify(waiting)),
    settle.bind(JSON.stringify(settledIds)),
  ];
}

/** What the record adds to a row for itself, or can make of the rest of it. */
const NOT_ARCHIVED = new Set(['saga_state', 'next_check_at', 'swept_at_ms', 'archive_id']);

function bare(row: Record<string, unknown>): SagaRow {
  return Object.fromEntries(Object.entries(row).filter(([name]) => !NOT_ARCHIVED.has(name))) as unknown as SagaRow;
}

/**
 * All that the record has of these payments, as of one moment, in their order; one that it does not have is left out.
 * @param tombstones of each of their sagas.
 */
export async function readDossiers(
  db: D1Database,
  { merchant, mode }: Scope,
  paymentIds: readonly string[],
  tombstones: ReadonlyMap<string, Tombstone>,
): Promise<Dossier[]> {
  const ids = JSON.stringify(paymentIds);
  const groups = JSON.stringify([...tombstones.keys()].map(groupIdOf));
  const [payments, refunds, runs, notifications] = await db.batch<Record<string, unknown>>([
    db.prepare('SELECT * FROM payments WHERE id IN (SELECT value FROM json_each(?))').bind(ids),
    db
      .prepare(
        `SELECT * FROM refunds WHERE merchant = ? AND mode = ? AND payment_id IN (SELECT value FROM json_each(?))
         ORDER BY +created_at_ms, id`,
      )
      .bind(merchant, mode, ids),
    db
      .prepare(
        `SELECT group_id, sequence_first AS first, sequence_last AS last, created_at_ms, events FROM events
         WHERE group_id IN (SELECT value FROM json_each(?)) ORDER BY group_id, sequence_first`,
      )
      .bind(groups),
    // A notification's key is its command's: the type, the entity, and a number where it can be told more than once. CROSS JOIN,
    // and no ORDER BY: else SQLite reads the whole table in the order of its key, once for each pair of the other two.
    db
      .prepare(
        `SELECT notifications.* FROM json_each(?1) AS owner CROSS JOIN json_each(?2) AS type CROSS JOIN notifications
         WHERE notifications.id >= type.value || '.' || owner.value AND notifications.id < type.value || '.' || owner.value || '/'`,
      )
      .bind(JSON.stringify([...tombstones.keys()]), JSON.stringify(NOTIFICATION_TYPES)),
  ]);
  const runsOf = Map.groupBy((runs?.results ?? []) as unknown as RunRow[], (run) => run.group_id);
  const told = (notifications?.results ?? []).toSorted((one, other) => (String(one.id) < String(other.id) ? -1 : 1));
  const toldOf = Map.groupBy(told, (row) => String(row.group_id));
  const sagaOf = (row: Record<string, unknown>): ArchivedSaga[] => {
    const tombstone = tombstones.get(String(row.id));
    if (tombstone === undefined) return [];
    const own = runsOf.get(groupIdOf(String(row.id))) ?? [];
    return [
      {
        row: bare(row),
        runs: own.map(({ group_id: _, events, ...run }) => ({ ...run, events: JSON.parse(events) })),
        tombstone: { ...tombstone },
      },
    ];
  };
  const refundsOf = Map.groupBy(refunds?.results ?? [], (row) => String(row.payment_id));
  const byId = new Map((payments?.results ?? []).map((row) => [String(row.id), row]));
  return paymentIds.flatMap((id) => {
    const row = byId.get(id);
    const [payment] = row === undefined ? [] : sagaOf(row);
    if (payment === undefined) return [];
    const own = refundsOf.get(id) ?? [];
    const sagas = { payment, refunds: own.flatMap(sagaOf) };
    // A refund that nobody has asked for its tombstone has come to the record since.
    if (sagas.refunds.length < own.length) return [];
    const ownTold = sagasOf(sagas).flatMap((saga) => toldOf.get(groupIdOf(saga.row.id)) ?? []);
    return [{ format: 1, ...sagas, notifications: ownTold as Dossier['notifications'] }];
  });
}

const NOTIFICATION_TYPES = [
  'orchestrator.notify.payment_success',
  'orchestrator.notify.payment_failure',
  'orchestrator.notify.refund_success',
  'orchestrator.notify.refund_failure',
];

/** Which object of the archive has these payments and refunds. */
export function archivedStatements(
  db: D1Database,
  archiveId: number,
  dossiers: readonly Dossier[],
): D1PreparedStatement[] {
  const idsOf = (rows: readonly ArchivedSaga[]) => JSON.stringify(rows.map(({ row }) => row.id));
  const update = (table: string, ids: string) =>
    db.prepare(`UPDATE ${table} SET archive_id = ? WHERE id IN (SELECT value FROM json_each(?))`).bind(archiveId, ids);
  return [
    update('payments', idsOf(dossiers.map(({ payment }) => payment))),
    update('refunds', idsOf(dossiers.flatMap(({ refunds }) => refunds))),
  ];
}

/** Deletes exactly the runs and notifications that are in these dossiers, while the archive stands as it should. */
export function trimLogsStatements(
  db: D1Database,
  archiveId: number,
  dossiers: readonly Dossier[],
): D1PreparedStatement[] {
  const runs = dossiers
    .flatMap(sagasOf)
    .flatMap(({ row, runs: own }) => own.map(({ first }) => [groupIdOf(row.id), first]));
  const told = dossiers.flatMap(({ notifications }) => notifications.map(({ id }) => id));
  const stands = `EXISTS (SELECT 1 FROM archives WHERE id = ? AND status = 'stored')`;
  return [
    db
      .prepare(
        `DELETE FROM events WHERE ${stands} AND (group_id, sequence_first) IN
           (SELECT value ->> '$[0]', value ->> '$[1]' FROM json_each(?))`,
      )
      .bind(archiveId, JSON.stringify(runs)),
    db
      .prepare(`DELETE FROM notifications WHERE ${stands} AND id IN (SELECT value FROM json_each(?))`)
      .bind(archiveId, JSON.stringify(told)),
  ];
}

/** Deletes exactly the rows that are in these dossiers, and that are this archive's. */
export function trimRowsStatements(
  db: D1Database,
  archiveId: number,
  dossiers: readonly Dossier[],
): D1PreparedStatement[] {
  const remove = (table: string, sagas: readonly ArchivedSaga[]) =>
    db
      .prepare(`DELETE FROM ${table} WHERE archive_id = ? AND id IN (SELECT value FROM json_each(?))`)
      .bind(archiveId, JSON.stringify(sagas.map(({ row }) => row.id)));
  return [
    remove(
      'refunds',
      dossiers.flatMap(({ refunds }) => refunds),
    ),
    remove(
      'payments',
      dossiers.map(({ payment }) => payment),
    ),
  ];
}
