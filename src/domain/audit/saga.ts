/**
 * Pure: the audit of one saga: its stored commits against their seals and themselves, and what the record (D1) has of it
 * against them. The object's rows and the record's are read by somebody else, as they are stored, and nothing in them is
 * believed: a row that cannot be read is a finding like any other. Called by the auditor (src/auditor/sagas.ts).
 */
import { canonicalJson } from '../canonical.ts';
import { InvariantError } from '../errors.ts';
import { type Envelope, envelopeSchema } from '../events/envelope.ts';
import { RECORD_ROW_RETENTION_MS } from '../limits.ts';
import type { PaymentRow, RefundRow } from '../messages.ts';
import { isOfItsEvents, type Run, runsOf } from '../saga/publication.ts';
import type { SagaData, SagaKind, SagaRecord } from '../saga/record.ts';
import { SEALED_FORMAT, type StoredCommit, sealOf } from '../saga/seal.ts';
import type { Saga } from '../saga/table.ts';
import { logHashOf, type OwnRow, rowHashOf, type Tombstone } from '../saga/tombstone.ts';
import { type Finding, Findings } from './finding.ts';

/** A run as the record has it. */
export interface RecordedRun {
  readonly first: number;
  readonly last: number;
  readonly createdAtMs: number;
  /** JSON text. */
  readonly events: string;
}

/** What the record has of one saga. */
export interface RecordedSaga {
  /** Null: it has no row of it. `archive_id`: which object of the archive has it. */
  readonly row: ((PaymentRow | RefundRow) & { readonly archive_id?: number | null }) | null;
  /** How that object stands, if it lists this saga's payment; absent or null: there is none, or it does not. */
  readonly archiveStatus?: string | null;
  readonly runs: readonly RecordedRun[];
}

export interface SagaAudit {
  readonly findings: readonly Finding[];
  readonly commits: number;
  readonly events: number;
  /** Commits from before there were seals: an edit of one may go unseen. */
  readonly unsealed: number;
}

/** A commit whose parts could be read. */
interface ReadCommit {
  readonly sequenceLast: number;
  readonly closes: boolean;
  readonly events: readonly Envelope[];
  readonly record: SagaRecord;
}

type AnyKind<State extends string, Data extends SagaData, Name extends string> = SagaKind<State, Data, Name, OwnRow>;

/**
 * Checks, for each commit: its seal, its shape, a gapless sequence (S9), that record and events are of this saga and one
 * moment. Then, of the record: every run is one that the object closed, event by event; no run is missing that the object
 * knows to be recorded; the row is what the saga amounted to at its sequence, and not older than the newest run there.
 * @param commits all of them, oldest first.
 */
export function auditSaga<State extends string, Data extends SagaData, Name extends string>(
  kind: AnyKind<State, Data, Name>,
  entityId: string,
  commits: readonly StoredCommit[],
  recorded: RecordedSaga,
): SagaAudit {
  const findings = new Findings(entityId);
  const read = readCommits(kind, entityId, commits, findings);
  // What the record has can only be compared with a log that can be read.
  if (read.length === commits.length) {
    compareRuns(read, recorded.runs, findings);
    compareRow(kind, read, recorded, findings);
  }
  return {
    findings: findings.all,
    commits: commits.length,
    events: read.reduce((sum, { events }) => sum + events.length, 0),
    unsealed: commits.filter(({ seal }) => seal === null).length,
  };
}

/**
 * Checks what the record has of a saga of which a tombstone is left: that it is whose it says, that the row is the one that the
 * object held, and that all runs together are its whole log, or gone where the archive that it names was trimmed. A row may be missing
 * only when its time in the record is over.
 */
export function auditTombstone(
  entityId: string,
  { entityId: owner, remains }: Tombstone,
  { row, runs, archiveStatus = null }: RecordedSaga,
  nowMs: number,
): readonly Finding[] {
  const findings = new Findings(entityId);
  findings.expect(owner === entityId, 'S9', 'its tombstone is of another saga');
  if (remains === null) return findings.all;
  if (row === null) {
    findings.expect(nowMs > remains.createdAtMs + RECORD_ROW_RETENTION_MS, 'S9', 'the record has no row of it');
    return findings.all;
  }
  findings.guard('seal', 'the row', () => {
    findings.expect(rowHashOf(row) === remains.rowHash, 'seal', 'the row is not what its tombstone proves');
  });
  const isNamed = row.archive_id != null;
  findings.expect(isNamed === (archiveStatus !== null), 'archive', 'the row names an archive that does not have it');
  if (archiveStatus === 'logs_trimmed' || archiveStatus === 'trimmed') {
    findings.expect(runs.length === 0, 'archive', 'the record has runs of a timeline that was trimmed');
    return findings.all;
  }
  findings.guard('seal', 'a run', () => {
    const read = runs.map((run) => ({ run, events: JSON.parse(run.events) as readonly Envelope[] }));
    const log = read.flatMap(({ events }) => events);
    findings.expect(logHashOf(log) === remains.logHash, 'seal', 'the log is not what its tombstone proves');
    for (const { run, events } of read) {
      findings.expect(isOfItsEvents(run, events), 'seal', `the run from ${run.first} is not what its events say`);
    }
  });
  return findings.all;
}

function readCommits<State extends string, Data extends SagaData, Name extends string>(
  kind: AnyKind<State, Data, Name>,
  entityId: string,
  commits: readonly StoredCommit[],
  findings: Findings,
): ReadCommit[] {
  const read: ReadCommit[] = [];
  let previous: StoredCommit | null = null;
  for (const commit of commits) {
    const sequenceBefore: number = previous?.sequenceLast ?? 0;
    checkSeal(previous, commit, findings);
    findings.guard('S9', `commit ${commit.sequenceLast}`, () => {
      const one = readCommit(commit);
      checkSequence(one, sequenceBefore, findings);
      const { data } = one.record.saga as Saga<State, Data, Name>;
      const { groupId, entityId: owner } = kind.table.group(data);
      const isIts = owner === entityId && one.events.every(({ metadata }) => metadata.message_group_id === groupId);
      findings.expect(isIts, 'S9', `commit ${commit.sequenceLast} is of another saga`);
      read.push(one);
    });
    previous = commit;
  }
  return read;
}

/** A commit of format 2 has a seal, and one that follows a sealed one is of format 2. */
function checkSeal(previous: StoredCommit | null, commit: StoredCommit, findings: Findings): void {
  const { sequenceLast, seal } = commit;
  if (seal !== null) {
    findings.expect(seal === sealOf(previous?.seal ?? null, commit), 'seal', `commit ${sequenceLast} was edited`);
    return;
  }
  const isOld = (previous === null || previous.seal === null) && formatOf(commit) < SEALED_FORMAT;
  findings.expect(isOld, 'seal', `commit ${sequenceLast} has lost its seal`);
}

function formatOf({ record }: StoredCommit): number {
  try {
    return (JSON.parse(record) as SagaRecord).format;
  } catch {
    // Not JSON: no row that was written as it is; its shape is a finding of its own.
    return SEALED_FORMAT;
  }
}

/** @throws what is no commit. */
function readCommit({ sequenceLast, closes, events, record }: StoredCommit): ReadCommit {
  return {
    sequenceLast,
    closes: closes === 1,
    events: envelopeSchema.array().min(1).parse(JSON.parse(events)),
    record: JSON.parse(record) as SagaRecord,
  };
}

function checkSequence({ sequenceLast, events, record }: ReadCommit, before: number, findings: Findings): void {
  for (const [index, { metadata }] of events.entries()) {
    const wanted = before + 1 + index;
    findings.expect(metadata.sequence === wanted, 'S9', `event ${metadata.sequence} where ${wanted} should be`);
  }
  findings.expect(
    sequenceLast === before + events.length,
    'S9',
    `commit ${sequenceLast} ends elsewhere than its events`,
  );
  const isIts = record.saga.sequence === sequenceLast;
  findings.expect(isIts, 'S9', `commit ${sequenceLast} holds the saga as of ${record.saga.sequence}`);
}

function compareRuns(commits: readonly ReadCommit[], recorded: readonly RecordedRun[], findings: Findings): void {
  const closed = new Map(runsOf(commits).map((run) => [run.first, run]));
  for (const run of recorded) {
    const own = closed.get(run.first);
    findings.expect(own !== undefined, 'S9', `the record has a run from ${run.first} that the object has not closed`);
    if (own !== undefined) findings.guard('S9', `run ${run.first}`, () => compareRun(own, run, findings));
  }
  const newest = commits.at(-1)?.record;
  if (newest === undefined) return;
  const isAllRecorded = newest.publishDueAtMs === null;
  const there = new Set(recorded.map(({ first }) => first));
  for (const { first, last } of closed.values()) {
    const isDue = isAllRecorded || last <= newest.recordedSequence;
    findings.expect(there.has(first) || !isDue, 'S9', `the record lacks the run ${first} to ${last}`);
  }
}

function compareRun(own: Run, recorded: RecordedRun, findings: Findings): void {
  const { first, last } = own;
  findings.expect(
    recorded.last === last,
    'S9',
    `the run from ${first} ends at ${recorded.last} in the record, not ${last}`,
  );
  const endedAtMs = Date.parse(own.events.at(-1)?.timestamp ?? '');
  findings.expect(recorded.createdAtMs === endedAtMs, 'S9', `the run from ${first} has another time in the record`);
  const events = JSON.parse(recorded.events) as readonly unknown[];
  findings.expect(events.length === own.events.length, 'S9', `the run from ${first} has another length in the record`);
  for (const [index, event] of own.events.entries()) {
    const isSame = canonicalJson(events[index] ?? null) === canonicalJson(event);
    findings.expect(isSame, 'S9', `event ${event.metadata.sequence} differs in the record`);
  }
}

function compareRow<State extends string, Data extends SagaData, Name extends string>(
  kind: AnyKind<State, Data, Name>,
  commits: readonly ReadCommit[],
  { row, runs }: RecordedSaga,
  findings: Findings,
): void {
  if (row === null) {
    const isDue = runs.length > 0 || commits.at(-1)?.record.publishDueAtMs === null;
    findings.expect(!isDue, 'S9', 'the record has no row of it');
    return;
  }
  findings.expect(row.archive_id == null, 'archive', 'the row names an archive, and its object is not empty');
  const commit = commits.find(({ sequenceLast }) => sequenceLast === row.sequence);
  findings.expect(commit !== undefined, 'S9', `the row is of sequence ${row.sequence}, which no commit ends with`);
  if (commit === undefined) return;
  const newest = Math.max(0, ...runs.map(({ last }) => last));
  findings.expect(
    row.sequence >= newest,
    'S9',
    `the row is of sequence ${row.sequence}, and the record has run ${newest}`,
  );
  const saga = commit.record.saga as Saga<State, Data, Name>;
  findings.guard('S9', 'the row', () => {
    const { payment, refund } = kind.row(saga);
    const own = payment ?? refund;
    if (own === undefined) throw new InvariantError('saga_has_a_row', { entity_id: kind.view(saga).id });
    const isAsked = saga.pending.some(({ name, event }) => name === 'lookup' && event !== null);
    const differing = Object.entries(own).filter(([name, value]) => {
      const stored: unknown = Object.entries(row).find(([column]) => column === name)?.[1];
      if (name !== 'body') return stored !== value;
      return comparable(String(stored), isAsked) !== comparable(String(value), isAsked);
    });
    for (const [name] of differing) findings.expect(false, 'S9', `${name} in the row is not what the saga amounts to`);
  });
}

/** Sending a look-up again moves its next time with no new sequence: while one is out, that member may be of either. */
function comparable(body: string, isAsked: boolean): string {
  const { next_check_at: nextCheckAt, ...view } = JSON.parse(body) as Record<string, unknown>;
  return canonicalJson(isAsked ? view : { ...view, nextCheckAt });
}
