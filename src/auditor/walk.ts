/**
 * The auditor's walk over everything that is stored, in pages: wallets, payments, refunds, the event log with its counters,
 * the archive, the operators' log. A page reads a bounded amount and says where the next one begins; it changes nothing.
 * Called by POST /ops/audit, which `npm run audit` calls to the end.
 */
import { compareCounters, countEvents } from '../domain/audit/counters.ts';
import type { Finding } from '../domain/audit/finding.ts';
import { auditOperatorsLog, EMPTY_LOG, type LogHead } from '../domain/audit/operators-log.ts';
import type { TotalsByCurrency } from '../domain/audit/totals.ts';
import { AUDIT_OBJECTS_MAX, AUDIT_RECORD_ROWS_MAX } from '../domain/limits.ts';
import { trimmedCounts } from '../read-model/archives.ts';
import { eventRowsAfter, operatorsLogAfter, readCounters, type SagaTable, sagaIdsAfter } from '../read-model/audit.ts';
import { auditArchive } from './archives.ts';
import { type Position, type PositionOf, START } from './position.ts';
import { auditSagaOf } from './sagas.ts';
import { auditWallets } from './wallets.ts';

export interface AuditPage {
  readonly part: Position['part'] | 'sagas';
  /** How many of each were checked in this page. */
  readonly checked: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
  /** Of all wallets, on the last page of them. */
  readonly totals?: TotalsByCurrency;
  /** The newest row of the operators' log, on the last page: compare it with the one of an earlier audit. */
  readonly head?: LogHead;
  readonly next: Position | null;
}

/** The page that begins at `position`; null: the first. */
export async function auditFrom(env: Env, position: Position | null): Promise<AuditPage> {
  const from = position ?? START;
  switch (from.part) {
    case 'wallets':
      return walletsPage(env, from);
    case 'payments':
    case 'refunds':
      return sagasPage(env, from);
    case 'events':
      return eventsPage(env, from);
    case 'archives':
      return archivesPage(env, from);
    case 'audit_log':
      return operatorsLogPage(env, from);
  }
}

/** The sagas behind these ids alone, whether the record knows of them or not. */
export async function auditSagas(env: Env, ids: readonly string[]): Promise<AuditPage> {
  return { part: 'sagas', ...(await sagasOf(env, 'sagas', ids)), next: null };
}

async function sagasOf(env: Env, name: SagaTable | 'sagas', ids: readonly string[]) {
  const reports = await Promise.all(ids.map((id) => auditSagaOf(env, id)));
  const sum = (count: (report: (typeof reports)[number]) => number): number =>
    reports.reduce((total, report) => total + count(report), 0);
  const empty = sum(({ isEmpty }) => (isEmpty ? 1 : 0));
  return {
    checked: {
      [name]: ids.length - empty,
      commits: sum(({ commits }) => commits),
      events: sum(({ events }) => events),
      unsealed: sum(({ unsealed }) => unsealed),
      expired: sum(({ isExpired }) => (isExpired ? 1 : 0)),
      empty,
    },
    findings: reports.flatMap(({ findings }) => findings),
  };
}

async function walletsPage(env: Env, from: PositionOf<'wallets'>): Promise<AuditPage> {
  const { wallets, rows, findings, totals, next } = await auditWallets(env, from);
  const page = { part: from.part, checked: { wallets, rows }, findings };
  return next === null ? { ...page, totals, next: { part: 'payments', after: '' } } : { ...page, next };
}

async function sagasPage(env: Env, from: PositionOf<'payments' | 'refunds'>): Promise<AuditPage> {
  const ids = await sagaIdsAfter(env.DB, from.part, from.after, AUDIT_OBJECTS_MAX);
  const page = { part: from.part, ...(await sagasOf(env, from.part, ids)) };
  const last = ids.at(-1);
  if (last !== undefined && ids.length === AUDIT_OBJECTS_MAX) return { ...page, next: { ...from, after: last } };
  if (from.part === 'payments') return { ...page, next: { part: 'refunds', after: '' } };
  const before = await readCounters(env.DB);
  const { counts: counted, trimNumber } = await trimmedCounts(env.DB, 0);
  return {
    ...page,
    next: { part: 'events', after: { groupId: '', first: 0 }, counted: { ...counted }, before, trimNumber },
  };
}

async function eventsPage(env: Env, from: PositionOf<'events'>): Promise<AuditPage> {
  const rows = await eventRowsAfter(env.DB, from.after, AUDIT_RECORD_ROWS_MAX);
  const { counts, findings } = countEvents(from.counted, rows);
  const last = rows.at(-1);
  const page = { part: from.part, checked: { runs: rows.length } };
  if (last !== undefined && rows.length === AUDIT_RECORD_ROWS_MAX) {
    const after = { groupId: last.groupId, first: last.first };
    return { ...page, findings, next: { ...from, after, counted: { ...counts } } };
  }
  const after = await readCounters(env.DB);
  const { counts: meanwhile } = await trimmedCounts(env.DB, from.trimNumber);
  return {
    ...page,
    checked: { ...page.checked, counters: Object.keys(after).length },
    findings: [...findings, ...compareCounters(counts, from.before, after, meanwhile)],
    next: { part: 'archives', after: 0 },
  };
}

async function archivesPage(env: Env, from: PositionOf<'archives'>): Promise<AuditPage> {
  const { checked, findings, lastId } = await auditArchive(env, from.after);
  const next = lastId === null ? { part: 'audit_log' as const, head: EMPTY_LOG } : { ...from, after: lastId };
  return { part: from.part, checked, findings, next };
}

async function operatorsLogPage(env: Env, from: PositionOf<'audit_log'>): Promise<AuditPage> {
  // From below the first id there may be: a row that was moved there is found, too.
  const afterId = from.head.id === EMPTY_LOG.id ? Number.MIN_SAFE_INTEGER : from.head.id;
  const rows = await operatorsLogAfter(env.DB, afterId, AUDIT_RECORD_ROWS_MAX);
  const { head, findings, unsealed } = auditOperatorsLog(from.head, rows);
  const page = { part: from.part, checked: { rows: rows.length, unsealed }, findings };
  if (rows.length === AUDIT_RECORD_ROWS_MAX) return { ...page, next: { part: 'audit_log', head } };
  return { ...page, head, next: null };
}
