/**
 * Pure: what the archive keeps of one payment, as a line of NDJSON: the rows, the refunds, the whole timelines and what was
 * notified, with the tombstones of their objects, which prove them. What may be archived is decided here too. Called by the
 * archiver, by the auditor, and by `npm run archive`.
 */
import { z } from 'zod';
import { countEvents, type EventRow } from '../audit/counters.ts';
import { type Finding, Findings } from '../audit/finding.ts';
import { groupIdOf } from '../events/envelope.ts';
import { isOfItsEvents } from '../saga/publication.ts';
import { logHashOf, rowHashOf, type Tombstone } from '../saga/tombstone.ts';

const runSchema = z.object({
  first: z.number().int(),
  last: z.number().int(),
  created_at_ms: z.number().int(),
  events: z.array(z.record(z.string(), z.unknown())).min(1),
});

const sagaRowSchema = z.looseObject({
  id: z.string(),
  merchant: z.string(),
  mode: z.enum(['sandbox', 'live']),
  status: z.string(),
  created_at_ms: z.number().int(),
  updated_at_ms: z.number().int(),
  body: z.string(),
});

const tombstoneSchema = z.object({
  entityId: z.string(),
  expiredAtMs: z.number(),
  remains: z
    .object({
      merchant: z.string(),
      mode: z.enum(['sandbox', 'live']),
      status: z.string(),
      createdAtMs: z.number(),
      sequence: z.number(),
      seal: z.string().nullable(),
      logHash: z.string(),
      rowHash: z.string(),
    })
    .nullable(),
});

export const sagaSchema = z.object({ row: sagaRowSchema, runs: z.array(runSchema), tombstone: tombstoneSchema });

export const dossierSchema = z.object({
  format: z.literal(1),
  payment: sagaSchema,
  refunds: z.array(sagaSchema),
  /** Rows of `notifications`, of the payment and of its refunds. */
  notifications: z.array(z.looseObject({ id: z.string() })),
});

export type ArchivedSaga = z.infer<typeof sagaSchema>;
export type Dossier = z.infer<typeof dossierSchema>;
export type SagaRow = z.infer<typeof sagaRowSchema>;

/** All sagas of a dossier, the payment first. */
export function sagasOf({ payment, refunds }: Pick<Dossier, 'payment' | 'refunds'>): readonly ArchivedSaga[] {
  return [payment, ...refunds];
}

/**
 * Whether the record has of a saga what its tombstone proves: its row as it was at the end, and its log, whole. One of an older
 * version proves nothing, and is taken as it is. @param tombstone of its object; the one in a dossier may have been edited too.
 */
export function checkSaga({ row, runs }: ArchivedSaga, tombstone: Tombstone): readonly Finding[] {
  const found = new Findings(row.id);
  found.expect(tombstone.entityId === row.id, 'seal', 'its tombstone is of another saga');
  const { remains } = tombstone;
  if (remains === null) return found.all;
  found.guard('seal', 'the row', () => {
    found.expect(rowHashOf(row) === remains.rowHash, 'seal', 'the row is not what its tombstone proves');
  });
  const events = runs.flatMap((run) => run.events);
  found.guard('seal', 'the log', () => {
    found.expect(logHashOf(events) === remains.logHash, 'seal', 'the log is not what its tombstone proves');
    for (const { first, last, created_at_ms: createdAtMs, events: own } of runs) {
      const isIts = isOfItsEvents({ first, last, createdAtMs }, own);
      found.expect(isIts, 'seal', `the run from ${first} is not what its events say`);
    }
  });
  return found.all;
}

/** By what the runs of these sagas moved each counter and sum, as the auditor counts them (decision 0062). */
export function countsOfRuns(dossiers: readonly Dossier[]): Readonly<Record<string, number>> {
  const rows = dossiers.flatMap(sagasOf).flatMap(({ row, runs }) =>
    runs.map(
      ({ first, last, events }): EventRow => ({
        groupId: groupIdOf(row.id),
        first,
        last,
        events: JSON.stringify(events),
        ownerCreatedAtMs: row.created_at_ms,
      }),
    ),
  );
  return countEvents({}, rows).counts;
}
