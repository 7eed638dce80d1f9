/**
 * Pure: what one run of the sweeper found, counted and, up to a bound, named. Filled by the sweeper; shown to operators as it
 * is stored.
 */
import type { PokeResult } from './saga-rpc.ts';
import { OUTBOX_STALE_MS, SWEEP_FINDINGS_MAX } from './sweep-policy.ts';

/**
 * `alarm_lost`: nothing would ever have woken it · `record_behind`: it has ended, and the record does not know ·
 * `outbox_stale`: events wait too long to be recorded · `object_empty`: the record knows a saga that its object does not ·
 * `hold_overdue`: a hold past its expiry · `hold_of_ended`: a hold of a payment that has ended · `failed`: its object threw.
 */
export const FINDINGS = [
  'alarm_lost',
  'record_behind',
  'outbox_stale',
  'object_empty',
  'hold_overdue',
  'hold_of_ended',
  'failed',
] as const;
export type FindingKind = (typeof FINDINGS)[number];

export interface Finding {
  readonly kind: FindingKind;
  /** The payment or refund. */
  readonly id: string;
  readonly state?: string;
  readonly wallet_id?: string;
  readonly age_ms?: number;
}

export interface SweepReport {
  /** Rows of the record that had stood still too long. */
  examined: number;
  /** Of their objects, how many answered. */
  poked: number;
  /** Of those, how many had something to do and did it. */
  moved: number;
  wallets_asked: number;
  /** There may be more than one run looks at: the next goes on with whoever has waited longest. */
  truncated: boolean;
  readonly counts: Record<FindingKind, number>;
  /** At most SWEEP_FINDINGS_MAX, in the order in which they were found. */
  readonly findings: Finding[];
}

export function emptyReport(): SweepReport {
  const counts = Object.fromEntries(FINDINGS.map((kind) => [kind, 0])) as Record<FindingKind, number>;
  return { examined: 0, poked: 0, moved: 0, wallets_asked: 0, truncated: false, counts, findings: [] };
}

export function note(report: SweepReport, finding: Finding): void {
  report.counts[finding.kind] += 1;
  if (report.findings.length < SWEEP_FINDINGS_MAX) report.findings.push(finding);
}

/** What an object's answer tells. */
export function notePoke(report: SweepReport, id: string, result: PokeResult): void {
  report.poked += 1;
  if (result.kind === 'unknown_saga') note(report, { kind: 'object_empty', id });
  if (result.kind !== 'poked') return;
  const { state, outboxAgeMs } = result;
  if (result.moved) report.moved += 1;
  if (!result.armed) note(report, { kind: 'alarm_lost', id, state });
  if (result.terminal) note(report, { kind: 'record_behind', id, state });
  if (outboxAgeMs !== null && outboxAgeMs > OUTBOX_STALE_MS) {
    note(report, { kind: 'outbox_stale', id, state, age_ms: outboxAgeMs });
  }
}

/** The longest that events have waited to be recorded, in ms, by any of these reports; 0: none of them found that they wait. */
export function longestOutboxAgeMs(reports: readonly SweepReport[]): number {
  const agesMs = reports.flatMap(({ counts, findings }) => [
    // Of what is counted and not named only this is known.
    counts.outbox_stale > 0 ? OUTBOX_STALE_MS : 0,
    ...findings.map(({ kind, age_ms: ageMs = 0 }) => (kind === 'outbox_stale' ? ageMs : 0)),
  ]);
  return Math.max(0, ...agesMs);
}
