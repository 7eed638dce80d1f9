/**
 * Reconciliations on the wire: the report, and what it found. Made from the plan and the progress that the record has.
 */
import { z } from '@hono/zod-openapi';
import { toTimestamp } from '../../domain/events/envelope.ts';
import { DIFFERENCE_CLASSES, type DifferenceClass, type Side } from '../../domain/reconciliation/difference.ts';
import { isComplete, RECONCILIATION_ID_PATTERN } from '../../domain/reconciliation/plan.ts';
import type { Finding, StoredReconciliation } from '../../read-model/reconciliations.ts';
import { listOf, timestamp } from './common.ts';

const CLASSES = Object.keys(DIFFERENCE_CLASSES) as [DifferenceClass, ...DifferenceClass[]];
/** A difference, or a payment or refund that waits for a person. */
export const findingClass = z.enum([...CLASSES, 'needs_attention']).openapi('FindingClass', {
  description: Object.entries(DIFFERENCE_CLASSES)
    .map(([name, says]) => `\`${name}\`: ${says}`)
    .concat('`needs_attention`: no difference; a payment or refund that waits for a person.')
    .join(' '),
});

const minor = z.number().int().openapi({ type: 'integer', format: 'int64', description: 'Minor units.' });

const sideSchema = z
  .object({
    state: z
      .string()
      .openapi({ description: 'A status, a state at the provider, a side of the ledger, or `nothing`.' }),
    amount: minor.nullable(),
    currency: z.string().nullable(),
  })
  .openapi('FindingSide');

export const findingSchema = z
  .object({
    object: z.literal('finding'),
    class: findingClass,
    payment_id: z.string().nullable(),
    subject: z.string().openapi({ description: "A provider's reference, a refund, or a side of the ledger." }),
    merchant: z.string().nullable(),
    provider: z.string().nullable(),
    expected: sideSchema.nullable().openapi({ description: 'Our side.' }),
    found: sideSchema.nullable().openapi({ description: 'The other side.' }),
    money_in_doubt: minor,
    currency: z.string(),
    confirmed: z
      .boolean()
      .openapi({ description: 'False: the provider, or an owner of ours, did not answer when it was asked again.' }),
  })
  .openapi('Finding');

const findingListSchema = listOf(findingSchema).openapi('FindingList');

const bookSchema = z.object({
  provider: z.string(),
  coverage: z.enum(['charges_and_refunds', 'charges', 'none']).openapi({
    description: '`charges`: refunds are known by their sum only. `none`: the books are not available.',
  }),
  reason: z.string().nullable().openapi({ description: 'Why they are not available, or not to their end.' }),
  lines: z.number().int(),
});

export const reconciliationSchema = z
  .object({
    id: z.string(),
    object: z.literal('reconciliation'),
    status: z.enum(['running', 'finished', 'failed']),
    trigger: z.enum(['operator', 'nightly']),
    actor: z.string().nullable(),
    reason: z.string().nullable(),
    from: timestamp,
    to: timestamp,
    provider: z.string().nullable().openapi({ description: 'null: all of them.' }),
    complete: z.boolean().openapi({
      description: 'Finished, and everything was compared. False: an absence of differences says nothing of the rest.',
    }),
    books: z.array(bookSchema),
    payments: z.object({
      compared: z.number().int(),
      in_flight: z.number().int().openapi({ description: 'Not at rest yet: neither compared nor a difference.' }),
      incomplete: z.number().int().openapi({ description: 'Of those compared: in part only.' }),
      needs_attention: z.number().int().openapi({ description: 'Payments and refunds.' }),
    }),
    differences: z.number().int(),
    differences_left_out: z.number().int().openapi({ description: 'Counted, and not kept: there were too many.' }),
    by_class: z.record(z.string(), z.number().int()),
    money_in_doubt: z.array(z.object({ currency: z.string(), differences: z.number().int(), amount: minor })),
    failure: z.string().nullable(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .openapi('Reconciliation');

export const reconciliationListSchema = listOf(reconciliationSchema).openapi('ReconciliationList');
export const reconciliationReportSchema = z
  .object({ ...reconciliationSchema.shape, findings: findingListSchema })
  .openapi('ReconciliationReport');

export const reconciliationParams = z.object({
  id: z
    .string()
    .max(64)
    .openapi({ pattern: RECONCILIATION_ID_PATTERN.source, example: `rec_${'0'.repeat(32)}` }),
});

export function reconciliationView(stored: StoredReconciliation): z.infer<typeof reconciliationSchema> {
  const { status, plan, progress, updatedAtMs } = stored;
  return {
    id: plan.id,
    object: 'reconciliation',
    status,
    trigger: plan.trigger,
    actor: plan.actor,
    reason: plan.reason,
    from: toTimestamp(plan.window.fromMs),
    to: toTimestamp(plan.window.toMs),
    provider: plan.provider,
    complete: status === 'finished' && isComplete(progress),
    books: progress.books.map(({ provider, coverage, reason, lines }) => ({ provider, coverage, reason, lines })),
    payments: {
      compared: progress.counts.compared,
      in_flight: progress.counts.inFlight,
      incomplete: progress.counts.incomplete,
      needs_attention: progress.counts.attention,
    },
    differences: progress.differences,
    differences_left_out: progress.leftOut,
    by_class: { ...progress.byClass },
    money_in_doubt: progress.inDoubt.map(({ currency, differences, inDoubtMinor: amount }) => ({
      currency,
      differences,
      amount,
    })),
    failure: progress.failure,
    created_at: toTimestamp(plan.createdAtMs),
    updated_at: toTimestamp(updatedAtMs),
  };
}

export function findingView(finding: Finding): z.infer<typeof findingSchema> {
  const { paymentId, merchant, currency } = finding;
  const base = { object: 'finding' as const, payment_id: paymentId, merchant, currency };
  if (finding.kind === 'attention') {
    const rest = { provider: null, expected: null, found: null, confirmed: true };
    return {
      ...base,
      ...rest,
      class: 'needs_attention',
      subject: finding.entityId,
      money_in_doubt: finding.amountMinor,
    };
  }
  return {
    ...base,
    class: finding.class,
    subject: finding.subject,
    provider: finding.provider,
    expected: sideView(finding.expected),
    found: sideView(finding.found),
    money_in_doubt: finding.inDoubtMinor,
    confirmed: finding.confirmed,
  };
}

function sideView({ state, amountMinor: amount, currency }: Side): z.infer<typeof sideSchema> {
  return { state, amount, currency };
}
