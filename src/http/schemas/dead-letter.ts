/**
 * Dead letters on the wire: the list, one with its body, what a redrive came to, and an operator's word on them.
 */
import { z } from '@hono/zod-openapi';
import { DEAD_LETTER_STATUSES } from '../../domain/dead-letter.ts';
import { entityOf, toTimestamp } from '../../domain/events/envelope.ts';
import { REDRIVE_OUTCOMES } from '../../domain/redrive-rpc.ts';
import type { DeadLetterRow } from '../../read-model/dead-letters.ts';
import { type LetterRedrive, REDRIVE_RESULTS } from '../redrive.ts';
import { instant, listOf, operatorFields, timestamp } from './common.ts';

const outcome = z.enum(REDRIVE_OUTCOMES).openapi({
  description:
    '`sent_again`: its owner still waited for the effect, and has sent it again under the same effect id. ' +
    '`no_longer_awaited`: the effect has its outcome, or its owner went another way; nothing was sent.',
});

const letterFields = {
  id: z.string().openapi({ description: 'The id of the message that died, the first of them.' }),
  object: z.literal('dead_letter'),
  queue: z.string().openapi({ description: 'Where it died.', example: 'wallet-commands' }),
  reason: z.string().openapi({ description: 'Why the last of them died.', example: 'its attempts are spent' }),
  message_type: z
    .string()
    .nullable()
    .openapi({ description: 'null: nobody can read it.', example: 'orchestrator.wallet.debit' }),
  group_id: z.string().nullable(),
  entity_id: z.string().nullable().openapi({ description: 'Whose message it was: a payment, a refund, an endpoint.' }),
  effect_id: z.string().nullable(),
  merchant: z.string().nullable().openapi({ description: 'Whose it is; null: nobody could read it.' }),
  status: z.enum(DEAD_LETTER_STATUSES),
  death_count: z
    .number()
    .int()
    .positive()
    .openapi({
      description:
        'Messages that died of the same while it was present: its owner sends what it waits for again, each time as another ' +
        'message. One that is delivered again after others may count again.',
    }),
  redrive_count: z
    .number()
    .int()
    .nonnegative()
    .openapi({ description: 'Redrives that were tried, those that did not reach the owner included.' }),
  resolution: z
    .object({ at: timestamp, actor: z.string(), reason: z.string(), outcome: outcome.nullable() })
    .nullable()
    .openapi({ description: 'null while it is present.' }),
  died_at: timestamp.openapi({ description: 'When the first of them died.' }),
  last_died_at: timestamp,
};

export const deadLetterSchema = z.object(letterFields).openapi('DeadLetter');
export const deadLetterListSchema = listOf(deadLetterSchema).openapi('DeadLetterList');

export const deadLetterDetailSchema = z
  .object({
    ...letterFields,
    body: z.unknown().openapi({
      description:
        'The first message without its secrets; text where it was too long and is cut; null for a `publication`, which its ' +
        'owner makes anew.',
    }),
    owner: z
      .object({
        awaits: z.boolean().nullable().openapi({ description: 'Whether it still waits for what this letter carried.' }),
        state: z
          .string()
          .nullable()
          .openapi({ description: "A saga's state, or `expired`; `enabled` or `disabled`.", example: 'debiting' }),
      })
      .nullable()
      .openapi({ description: 'How its owner stands now. null: it has none. null inside: it could not be asked.' }),
  })
  .openapi('DeadLetterDetail');

export const deadLetterRedriveSchema = z
  .object({
    id: z.string(),
    object: z.literal('dead_letter_redrive'),
    result: z.enum(REDRIVE_RESULTS).openapi({
      description:
        '`redriven` by this request; `already_redriven` or `discarded` before it. The others change nothing: ' +
        '`owner_unreachable` may be tried again, `not_redrivable` can only be discarded.',
    }),
    outcome: outcome.nullable(),
    owner_state: z.string().nullable().openapi({ description: 'Of who was asked, afterwards.', example: 'debiting' }),
  })
  .openapi('DeadLetterRedrive');

export const deadLetterRedriveListSchema = listOf(deadLetterRedriveSchema).openapi('DeadLetterRedriveList');

/** What letters can be chosen by; in a query or in a body. */
export const deadLetterFilterFields = {
  queue: z.string().min(1).max(64).optional().openapi({ example: 'wallet-commands' }),
  message_type: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .openapi({ description: 'An event type, `publication` or `wallet_opened`.', example: 'orchestrator.wallet.debit' }),
  entity_id: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .openapi({ description: 'The id of a payment, a refund or a webhook endpoint.' }),
  died_from: instant.optional().openapi({ description: 'Of `died_at`; inclusive.' }),
  died_to: instant.optional().openapi({ description: 'Of `died_at`; exclusive.' }),
};

export const operatorSchema = z.strictObject(operatorFields).openapi('OperatorWord');

/** A path segment that could be a message's id. */
export const deadLetterParams = z.object({ id: z.string().min(1).max(64) });

export function deadLetterView(row: DeadLetterRow): z.infer<typeof deadLetterSchema> {
  const { resolved_at_ms: atMs, resolved_by: actor, resolution_reason: reason } = row;
  return {
    id: row.id,
    object: 'dead_letter',
    queue: row.queue,
    reason: row.reason,
    message_type: row.message_type,
    group_id: row.group_id,
    entity_id: row.group_id === null ? null : entityOf(row.group_id),
    effect_id: row.effect_id,
    merchant: row.merchant,
    status: row.status,
    death_count: row.death_count,
    redrive_count: row.redrive_count,
    resolution:
      atMs === null || actor === null || reason === null
        ? null
        : { at: toTimestamp(atMs), actor, reason, outcome: row.outcome },
    died_at: toTimestamp(row.at_ms),
    last_died_at: toTimestamp(row.last_died_at_ms),
  };
}

export function deadLetterRedriveView(redrive: LetterRedrive): z.infer<typeof deadLetterRedriveSchema> {
  const { id, result, outcome: came, state } = redrive;
  return { id, object: 'dead_letter_redrive', result, outcome: came, owner_state: state };
}
