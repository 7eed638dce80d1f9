/**
 * Pure: the envelope that every event travels and is stored in. A public contract (docs/events.md): fields are added,
 * never changed or removed; unknown fields are ignored by readers.
 */
import { z } from 'zod';

export const SOURCES = [
  'payment-service',
  'refund-service',
  'wallet-service',
  'payment-gateway',
  'notification-service',
  'metrics-service',
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

/** The entity that a log is of: `payment_pay_…` → `pay_…`. */
export function entityOf(groupId: string): string {
  return groupId.slice(groupId.indexOf('_') + 1);
}
