/**
 * Pure: the envelope that every event travels and is stored in. A public contract (docs/events.md): fields are added,
 * never changed or removed; unknown fields are ignored by readers.
 */
import { z } from 'zod';
import { InvariantError } from '../errors.ts';

export const SOURCES = [
  'payment-service',
  'refund-service',
  'wallet-service',
  'payment-gateway',
  'notification-service',
] as const;
export type Source = (typeof SOURCES)[number];

/** W3C Trace Context, version 00 (https://www.w3.org/TR/trace-context/#traceparent-header). */
export const TRACEPARENT_PATTERN = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/;

export const metadataSchema = z.object({
  source: z.enum(SOURCES),
  /** Whose it is, and in which mode: a consumer finds the owner's objects by them. */
  merchant: z.string(),
  mode: z.enum(['sandbox', 'live']),
  trace_id: z.string().regex(/^[0-9a-f]{32}$/),
  traceparent: z.string().regex(TRACEPARENT_PATTERN),
  idempotency_key: z.string().optional(),
  /** One log per group: `payment_pay_…`, `refund_ref_…`. */
  message_group_id: z.string(),
  /** `{event_type}.{entity_id}`, with `.{n}` where the same can rightly happen more than once. */
  message_deduplication_id: z.string(),
  /** Gapless from 1 within the group (S9). */
  sequence: z.number().int().positive(),
});

export const envelopeSchema = z.object({
  event_id: z.uuid(),
  event_type: z.string(),
  event_version: z.string(),
  timestamp: z.iso.datetime({ precision: 3 }),
  payload: z.record(z.string(), z.unknown()),
  metadata: metadataSchema,
});

export type Envelope = z.infer<typeof envelopeSchema>;

/** A time of ours (milliseconds since the epoch) as the public JSON has it: RFC 3339, UTC, milliseconds. */
export function toTimestamp(atMs: number): string {
  return new Date(atMs).toISOString();
}

/** What the name of a log begins with, by what the id of its entity begins with. */
const LOG_PREFIXES: ReadonlyMap<string, string> = new Map([
  ['pay_', 'payment_'],
  ['ref_', 'refund_'],
  ['we_', 'endpoint_'],
]);

function logPrefixOf(entityId: string): string | undefined {
  return LOG_PREFIXES.get(entityId.slice(0, entityId.indexOf('_') + 1));
}

/** Whether a log can be of what has this id. */
export function hasLog(entityId: string): boolean {
  return logPrefixOf(entityId) !== undefined;
}

/** The log of an entity: `pay_…` → `payment_pay_…`. @throws InvariantError for an id that no log is named by. */
export function groupIdOf(entityId: string): string {
  const prefix = logPrefixOf(entityId);
  if (prefix === undefined) throw new InvariantError('entity_has_a_log', { entity_id: entityId });
  return prefix + entityId;
}

/** The entity that a log is of: `payment_pay_…` → `pay_…`. */
export function entityOf(groupId: string): string {
  return groupId.slice(groupId.indexOf('_') + 1);
}
