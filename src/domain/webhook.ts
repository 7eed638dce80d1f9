/**
 * Pure: outbound webhooks: which public event tells which notification, the ids of endpoints and deliveries, an endpoint's
 * stored state and what it looks like in public. The rules of delivering are in webhook-delivery.ts.
 */
import { sha256Hex } from './canonical.ts';
import type { EventType } from './events/catalogue.ts';
import { type Envelope, toTimestamp } from './events/envelope.ts';
import { base62, type Scope } from './ids.ts';
import { WEBHOOK_SECRET_OVERLAP_MS, WEBHOOK_SECRETS_MAX } from './limits.ts';

/** Types that an endpoint can ask for. A public contract: added to, never changed or removed. */
export const WEBHOOK_EVENT_TYPES = [
  'payment.completed',
  'payment.failed',
  'refund.completed',
  'refund.failed',
  'webhook_endpoint.disabled',
] as const;
export type WebhookEventType = (typeof WEBHOOK_EVENT_TYPES)[number];

export type NotifyType = Extract<EventType, `orchestrator.notify.${string}`>;
type RefundNotifyType = 'orchestrator.notify.refund_success' | 'orchestrator.notify.refund_failure';

/** Which public event tells what a command asks to be told. */
export const WEBHOOK_EVENT_OF: Readonly<Record<NotifyType | RefundNotifyType, WebhookEventType>> = {
  'orchestrator.notify.payment_success': 'payment.completed',
  'orchestrator.notify.payment_failure': 'payment.failed',
  'orchestrator.notify.refund_success': 'refund.completed',
  'orchestrator.notify.refund_failure': 'refund.failed',
  'orchestrator.notify.webhook_endpoint_disabled': 'webhook_endpoint.disabled',
};

/** Series of `metric_counters`, named like every metric of the catalogue. */
export const WEBHOOK_SERIES = {
  delivered: 'metrics.notification.delivered',
  failed: 'metrics.notification.failed',
} as const satisfies Record<string, EventType>;

// ── Ids ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** 22 base62 digits hold 128 bits. */
const ENDPOINT_DIGITS = 22;
export const WEBHOOK_ENDPOINT_ID_PATTERN = /^we_[0-9A-Za-z]{22}$/;
const DELIVERY_ID_PATTERN = /^wd_([0-9A-Za-z]{22})_([0-9]{1,15})_([0-9a-f]{16})$/;
const HASH_LENGTH = 16;

/** @param random 128 bits of chance: the caller's, since this module has none. */
export function webhookEndpointId(random: bigint): string {
  return `we_${base62(BigInt.asUintN(128, random)).slice(-ENDPOINT_DIGITS)}`;
}

/** The name of the object that owns an endpoint: another merchant's id, or another mode's, leads to an empty object. */
export function webhookEndpointObjectName(scope: Scope, endpointId: string): string {
  return `${scope.merchant}|${scope.mode}|${endpointId}`;
}

/** A delivery within its endpoint: when what it tells happened, and which notification it is. */
export interface DeliveryKey {
  readonly createdAtMs: number;
  /** Of the notify command's effect id. */
  readonly hash: string;
}

/** The same notification has the same key, however often its command arrives: that is the deduplication. */
export function deliveryKey(effectId: string, createdAtMs: number): DeliveryKey {
  return { createdAtMs, hash: sha256Hex(effectId).slice(0, HASH_LENGTH) };
}

/** The public id, which is the `webhook-id` too: one per notification and endpoint, and it leads to its endpoint. */
export function deliveryId(endpointId: string, { createdAtMs, hash }: DeliveryKey): string {
  return `wd_${endpointId.slice('we_'.length)}_${createdAtMs}_${hash}`;
}

/** The parts of a delivery's id, or null for what is none. */
export function parseDeliveryId(id: string): { readonly endpointId: string; readonly key: DeliveryKey } | null {
  const [, digits, createdAtMs, hash] = DELIVERY_ID_PATTERN.exec(id) ?? [];
  if (digits === undefined || hash === undefined) return null;
  return { endpointId: `we_${digits}`, key: { createdAtMs: Number(createdAtMs), hash } };
}

/** The bytes that are sent: `data` is the entity's public JSON as text, put in as it is. */
export function webhookBody(type: WebhookEventType, timestamp: string, data: string): string {
  return `{"type":"${type}","timestamp":"${timestamp}","data":${data}}`;
}

// ── The endpoint ─────────────────────────────────────────────────────────────────────────────────────────────────────

export interface WebhookSecret {
  /** `whsec_` and base64. */
  readonly secret: string;
  /** Until when it signs; null for the current one. */
  readonly expiresAtMs: number | null;
}

/** Why an endpoint is disabled: its receiver answered 410, or deliveries to it kept failing. */
export type DisabledReason = 'gone' | 'failing';

/** What an endpoint's object stores of it, as one JSON value. */
export interface WebhookEndpointState {
  readonly format: 1;
  readonly id: string;
  readonly scope: Scope;
  readonly url: string;
  /** null: all types, also those to come. */
  readonly events: readonly WebhookEventType[] | null;
  readonly description: string | null;
  /** The current one first. */
  readonly secrets: readonly WebhookSecret[];
  readonly disabled: { readonly reason: DisabledReason; readonly atMs: number } | null;
  /** Deliveries that failed in the end since the last success or enabling. */
  readonly failedInARow: number;
  /** Deliveries that have ever been delivered, and that were given up: absolute, so that reporting them is idempotent. */
  readonly totals: DeliveryTotals;
  /** How often it has been disabled: numbers the notices. */
  readonly notices: number;
  /** The command that tells of the disabling, until it is taken over; sent again when due. */
  readonly notice: { readonly event: Envelope; readonly attempts: number; readonly dueAtMs: number } | null;
  readonly createdAtMs: number;
}

export interface DeliveryTotals {
  readonly delivered: number;
  readonly failed: number;
}

/** The public JSON of an endpoint. */
export interface WebhookEndpointView {
  id: string;
  object: 'webhook_endpoint';
  url: string;
  events: WebhookEventType[] | null;
  description?: string;
  status: 'enabled' | 'disabled';
  disabled_reason?: DisabledReason;
  disabled_at?: string;
  created_at: string;
}

export function webhookEndpointView(state: WebhookEndpointState): WebhookEndpointView {
  return {
    id: state.id,
    object: 'webhook_endpoint',
    url: state.url,
    events: state.events === null ? null : [...state.events],
    ...(state.description !== null && { description: state.description }),
    status: state.disabled === null ? 'enabled' : 'disabled',
    ...(state.disabled !== null && {
      disabled_reason: state.disabled.reason,
      disabled_at: toTimestamp(state.disabled.atMs),
    }),
    created_at: toTimestamp(state.createdAtMs),
  };
}

/** The public JSON of an endpoint as its disabling left it: it may be enabled again by the time that is told. */
export function asDisabled(
  { created_at, ...view }: WebhookEndpointView,
  reason: DisabledReason,
  timestamp: string,
): WebhookEndpointView {
  return { ...view, status: 'disabled', disabled_reason: reason, disabled_at: timestamp, created_at };
}

/** Secrets that sign at `nowMs`, the current one first. */
export function signingSecrets(secrets: readonly WebhookSecret[], nowMs: number): string[] {
  return secrets.filter(({ expiresAtMs }) => expiresAtMs === null || expiresAtMs > nowMs).map(({ secret }) => secret);
}

/** The secrets after a rotation: the one that was current signs for WEBHOOK_SECRET_OVERLAP_MS more. */
export function rotatedSecrets(secrets: readonly WebhookSecret[], fresh: string, nowMs: number): WebhookSecret[] {
  const before = secrets
    .filter(({ expiresAtMs }) => expiresAtMs === null || expiresAtMs > nowMs)
    .map(({ secret, expiresAtMs }) => ({ secret, expiresAtMs: expiresAtMs ?? nowMs + WEBHOOK_SECRET_OVERLAP_MS }));
  return [{ secret: fresh, expiresAtMs: null }, ...before].slice(0, WEBHOOK_SECRETS_MAX);
}
