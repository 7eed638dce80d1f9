/**
 * Reads one saga as its object has it stored and as the record (D1) has it, and hands both to the pure audit. The record is
 * read first: everything in it came from the object, so an object that goes on meanwhile is only ever ahead. Changes
 * nothing. Called by the walk.
 */
import type { Finding } from '../domain/audit/finding.ts';
import { auditSaga, auditTombstone, type RecordedSaga, type SagaAudit } from '../domain/audit/saga.ts';
import { groupIdOf } from '../domain/events/envelope.ts';
import { SAGA_COMMITS_MAX, STORED_COMMITS_MAX } from '../domain/limits.ts';
import { PAYMENT_KIND } from '../domain/payment-view.ts';
import { REFUND_KIND } from '../domain/refund-view.ts';
import type { StoredCommit } from '../domain/saga/seal.ts';
import type { SagaRpc, StoredCommits } from '../domain/saga-rpc.ts';
import { recordedSaga, type SagaTable } from '../read-model/audit.ts';
import { type Calls, sagaStub } from '../stubs.ts';

/** A saga's object, as far as the auditor asks it. */
export type SagaSource = Pick<Calls<SagaRpc>, 'storedCommits'>;

export interface SagaReport extends SagaAudit {
  /** Its retention has ended: the record is compared with what its tombstone proves. */
  readonly isExpired: boolean;
  /** Neither its object nor the record holds anything: a key that was only asked about, or whose request was refused. */
  readonly isEmpty: boolean;
}

const NOTHING: SagaReport = { findings: [], commits: 0, events: 0, unsealed: 0, isExpired: false, isEmpty: false };

/** Which table has the row of an id; null for what is no id of a saga. */
export function tableOf(id: string): SagaTable | null {
  if (id.startsWith('pay_')) return 'payments';
  return id.startsWith('ref_') ? 'refunds' : null;
}

/**
 * Audits the saga behind an id. What is found is looked at a second time, and reported only if it is found again: between
 * the two reads a saga may have moved.
 */
export async function auditSagaOf(env: Env, id: string): Promise<SagaReport> {
  const table = tableOf(id);
  const isOurs = table !== null && sagaStub(env, id) !== null;
  if (!isOurs) return { ...NOTHING, findings: [{ where: id, rule: 'S9', what: 'leads to no object of ours' }] };
  const look = async (): Promise<SagaReport> => {
    const saga = sagaStub(env, id);
    return saga === null ? NOTHING : lookAtSaga(env.DB, saga, id);
  };
  const first = await look();
  if (first.findings.length === 0) return first;
  const second = await look();
  const found = new Set(first.findings.map(textOf));
  return { ...second, findings: second.findings.filter((finding) => found.has(textOf(finding))) };
}

/** One look. */
export async function lookAtSaga(db: D1Database, saga: SagaSource, id: string): Promise<SagaReport> {
  const isPayment = tableOf(id) === 'payments';
  const recorded = await recordedSaga(db, isPayment ? 'payments' : 'refunds', id, groupIdOf(id));
  const { commits, tombstone, isWhole } = await allCommits(saga);
  if (tombstone !== null) {
    return { ...NOTHING, findings: auditTombstone(id, tombstone, recorded, Date.now()), isExpired: true };
  }
  if (commits.length === 0 && recorded.row === null && recorded.runs.length === 0) return { ...NOTHING, isEmpty: true };
  const report = { ...NOTHING, ...audited(isPayment, id, commits, recorded) };
  const problem =
    commits.length === 0 ? 'its object holds no saga' : isWhole ? null : 'has more commits than are audited';
  if (problem === null) return report;
  return { ...report, findings: [{ where: id, rule: 'S9', what: problem }, ...report.findings] };
}

function audited(isPayment: boolean, id: string, commits: readonly StoredCommit[], recorded: RecordedSaga): SagaAudit {
  return isPayment ? auditSaga(PAYMENT_KIND, id, commits, recorded) : auditSaga(REFUND_KIND, id, commits, recorded);
}

async function allCommits(saga: SagaSource) {
  const commits: StoredCommit[] = [];
  let page: StoredCommits;
  do {
    // From below the first sequence there may be: a row that was moved there is found, too.
    page = await saga.storedCommits(commits.at(-1)?.sequenceLast ?? Number.MIN_SAFE_INTEGER);
    commits.push(...page.commits);
  } while (page.commits.length === STORED_COMMITS_MAX && commits.length < SAGA_COMMITS_MAX);
  const isWhole = page.commits.length < STORED_COMMITS_MAX;
  return { commits, tombstone: commits.length === 0 ? page.tombstone : null, isWhole };
}

function textOf({ rule, what }: Finding): string {
  return `${rule} ${what}`;
}
