/**
 * The record (D1) of a world, as `src/read-model/record-publications.ts` keeps it: each run once, by its group and first
 * sequence, and the newest row. Knows whether it is the fold of a log (S9).
 */
import type { Publication } from '../../src/domain/messages.ts';
import { must } from './violation.ts';

interface Group {
  readonly runs: Map<number, number>;
  row: { readonly sequence: number; readonly body: string };
}

export class RecordBook {
  readonly #groups = new Map<string, Group>();

  write({ group_id: groupId, payment, refund, runs }: Publication): void {
    const row = payment ?? refund;
    if (row === undefined) throw new Error('a publication has one row');
    const group = this.#groups.get(groupId) ?? { runs: new Map<number, number>(), row };
    this.#groups.set(groupId, group);
    for (const { first, last, events } of runs) {
      must(events.length === last - first + 1, 'S9', () => `${groupId}: run ${first} to ${last} has a gap`);
      const known = group.runs.get(first) ?? last;
      must(known === last, 'S9', () => `${groupId}: run ${first} ended at ${known}, and now at ${last}`);
      group.runs.set(first, last);
    }
    if (row.sequence >= group.row.sequence) group.row = row;
  }

  /** The last sequence up to which the log is there with no gap and nothing twice. */
  recordedUntil(groupId: string): number {
    const runs = this.#groups.get(groupId)?.runs ?? new Map<number, number>();
    let last = 0;
    for (let seen = 0; seen < runs.size; seen++) {
      const next = runs.get(last + 1);
      if (next === undefined) return last;
      last = next;
    }
    return last;
  }

  rowOf(groupId: string): string | undefined {
    return this.#groups.get(groupId)?.row.body;
  }
}
