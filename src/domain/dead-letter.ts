/**
 * Pure: dead letters: what can be read of a message that died, whose it is, what it waits for, and what may become of it. A letter is
 * present until a person has it redriven or discards it, and never leaves the record (X3: in = redriven + discarded + present).
 */
import { z } from 'zod';
import { envelopeSchema } from './events/envelope.ts';
import type { Scope } from './ids.ts';
import { publicationSchema, type RecordMessage } from './messages.ts';
import type { Redrivable } from './redrive-rpc.ts';

export const DEAD_LETTER_STATUSES = ['present', 'redriven', 'discarded'] as const;
export type DeadLetterStatus = (typeof DEAD_LETTER_STATUSES)[number];

/** Series of `metric_counters`, each moved in the transaction that it counts. */
export const DEAD_LETTER_SERIES = {
  stored: 'dead_letters.stored',
  redriven: 'dead_letters.redriven',
  discarded: 'dead_letters.discarded',
} as const;

const PUBLICATION = 'publication' satisfies RecordMessage['kind'];

/** What a message says of itself; all null for one that nobody can read. */
export interface MessageIdentity {
  readonly message_type: string | null;
  readonly group_id: string | null;
  readonly effect_id: string | null;
  readonly merchant: string | null;
  readonly mode: Scope['mode'] | null;
}

const UNREADABLE: MessageIdentity = {
  message_type: null,
  group_id: null,
  effect_id: null,
  merchant: null,
  mode: null,
};

const ownerSchema = z.object({ merchant: z.string(), mode: z.enum(['sandbox', 'live']) });

/** Of what the record takes in, only what says whose it is. */
const recordMessageOwnerSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal(PUBLICATION),
    group_id: z.string(),
    payment: ownerSchema.optional(),
    refund: ownerSchema.optional(),
  }),
  z.object({ kind: z.literal('wallet_opened'), wallet: ownerSchema.extend({ id: z.string() }) }),
]);

/**
 * Read by the envelope alone, and of a message to the record by its owner alone: an event of an unknown type, or what this version
 * knows in another shape, still says whose it is.
 */
export function identityOf(body: unknown): MessageIdentity {
  const event = envelopeSchema.safeParse(body);
  if (event.success) {
    const { event_type: type, metadata } = event.data;
    return {
      message_type: type,
      group_id: metadata.message_group_id,
      effect_id: metadata.message_deduplication_id,
      merchant: metadata.merchant,
      mode: metadata.mode,
    };
  }
  const { data: message } = recordMessageOwnerSchema.safeParse(body);
  const owner = message?.kind === PUBLICATION ? (message.payment ?? message.refund) : message?.wallet;
  if (message === undefined || owner === undefined) return UNREADABLE;
  return {
    message_type: message.kind,
    // A wallet has no log; it tells of itself again by its own alarm.
    group_id: message.kind === PUBLICATION ? message.group_id : null,
    effect_id: null,
    merchant: owner.merchant,
    mode: owner.mode,
  };
}

/**
 * What a message waits for, as a key: an effect of a log, or that a log or a wallet is recorded. Who sent it sends it until it has that,
 * each time as another message: what dies of it in one queue is one letter. null: nobody sends it again.
 */
export function waitsForOf(queue: string, body: unknown): string | null {
  const { message_type: type, group_id: groupId, effect_id: effectId, merchant, mode } = identityOf(body);
  if (type === null) return null;
  const { data: message } = recordMessageOwnerSchema.safeParse(body);
  const walletId = message?.kind === 'wallet_opened' ? message.wallet.id : null;
  return JSON.stringify([queue, merchant, mode, groupId, effectId ?? type, ...(walletId === null ? [] : [walletId])]);
}

/** Whether a letter needs no body: its owner publishes anew, and what it had to say is its own log. */
export function isMadeAnew(body: unknown): boolean {
  return publicationSchema.safeParse(body).success;
}

/** What its owner can be asked to send again; null for a letter that can only be discarded. */
export function redrivableOf(letter: Pick<MessageIdentity, 'message_type' | 'effect_id'>): Redrivable | null {
  if (letter.effect_id !== null) return { kind: 'effect', effectId: letter.effect_id };
  return letter.message_type === PUBLICATION ? { kind: 'publication' } : null;
}
