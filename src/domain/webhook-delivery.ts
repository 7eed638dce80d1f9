/**
 * Pure: the rules of delivering: what an attempt's exchange means, when the next one is, when a delivery has failed and when
 * its endpoint is disabled. The endpoint's object commits what these functions say and makes the attempts.
 */
import { toTimestamp } from './events/envelope.ts';
import { WEBHOOK_ATTEMPTS_KEPT_MAX } from './limits.ts';
import {
  type DeliveryKey,
  type DisabledReason,
  deliveryId,
  type WebhookEndpointState,
  type WebhookEventType,
} from './webhook.ts';
import type { WebhookPolicy } from './webhook-policy.ts';

/** What came of one HTTP exchange with a receiver. */
export type Exchange =
  | { readonly kind: 'answered'; readonly httpStatus: number; readonly retryAfter: string | null }
  /** No answer in time, or none at all; or the URL may not be called (any more). */
  | { readonly kind: 'timeout' | 'connection_failed' | 'url_refused' };

/** The class of what went wrong in an attempt. */
export const ATTEMPT_ERRORS = [
  'http_error',
  'redirect',
  'gone',
  'timeout',
  'connection_failed',
  'url_refused',
] as const;
export type AttemptError = (typeof ATTEMPT_ERRORS)[number];

export interface Attempt {
  readonly atMs: number;
  readonly durationMs: number;
  readonly httpStatus: number | null;
  readonly error: AttemptError | null;
  /** When the next one was to be; null where none follows. */
  readonly nextAtMs: number | null;
}

/** One notification for one endpoint, as it is stored. */
export interface Delivery extends DeliveryKey {
  readonly eventType: WebhookEventType;
  /** The bytes that are sent, the same in every attempt. */
  readonly body: string;
  readonly status: 'pending' | 'delivered' | 'failed';
  /** When the next attempt is due; null where none is. */
  readonly dueAtMs: number | null;
  readonly history: DeliveryHistory;
}

export interface DeliveryHistory {
  /** Attempts of the current run through the schedule: resending begins it anew. */
  readonly tries: number;
  /** All attempts ever made; `attempts` keeps the newest. */
  readonly made: number;
  readonly attempts: readonly Attempt[];
  /** In which of the totals this delivery is counted already: once each, however often it is sent again. */
  readonly counted: { readonly delivered: boolean; readonly failed: boolean };
  /** The span that asked for it: its attempts hang under it. Absent in deliveries from before there were traces. */
  readonly traceparent?: string;
}

export interface Notification {
  readonly key: DeliveryKey;
  readonly eventType: WebhookEventType;
  readonly body: string;
  readonly traceparent?: string;
}

/** A delivery of what has just been taken over, due at once. */
export function newDelivery({ key, eventType, body, traceparent }: Notification, nowMs: number): Delivery {
  const counted = { delivered: false, failed: false };
  const history = { tries: 0, made: 0, attempts: [], counted, ...(traceparent !== undefined && { traceparent }) };
  return { ...key, eventType, body, status: 'pending', dueAtMs: nowMs, history };
}

/** One that there is no room for: failed without an attempt, and listed, so that it can be sent again by hand. */
export function refusedDelivery(notification: Notification): Delivery {
  const delivery = newDelivery(notification, 0);
  const history = { ...delivery.history, counted: { delivered: false, failed: true } };
  return { ...delivery, status: 'failed', dueAtMs: null, history };
}

/** The same delivery, due now, with the whole schedule before it; its id, its bytes and its history stay. */
export function resent(delivery: Delivery, nowMs: number): Delivery {
  return { ...delivery, status: 'pending', dueAtMs: nowMs, history: { ...delivery.history, tries: 0 } };
}

/** What an exchange comes down to. Rows in order: 2xx → delivered · 410 → gone · 3xx → redirect, not followed · else. */
export function errorOf(exchange: Exchange): AttemptError | null {
  if (exchange.kind !== 'answered') return exchange.kind;
  const { httpStatus } = exchange;
  if (httpStatus >= 200 && httpStatus < 300) return null;
  if (httpStatus === 410) return 'gone';
  return httpStatus >= 300 && httpStatus < 400 ? 'redirect' : 'http_error';
}

export interface AttemptContext {
  readonly startedAtMs: number;
  readonly nowMs: number;
  readonly policy: WebhookPolicy;
  /** In [0, 1). */
  readonly random: number;
}

/**
 * The delivery after one attempt. 2xx: delivered. 410: failed, whatever the schedule has left. Anything else: due again after
 * the schedule's next wait, or failed when it has none.
 */
export function afterAttempt(delivery: Delivery, exchange: Exchange, context: AttemptContext): Delivery {
  const error = errorOf(exchange);
  const tries = delivery.history.tries + 1;
  const waitMs = error === null || error === 'gone' ? null : nextWaitMs(tries, exchange, context);
  const dueAtMs = waitMs === null ? null : context.nowMs + waitMs;
  const status = error === null ? 'delivered' : dueAtMs === null ? 'failed' : 'pending';
  const attempt: Attempt = {
    atMs: context.startedAtMs,
    durationMs: Math.max(0, context.nowMs - context.startedAtMs),
    httpStatus: exchange.kind === 'answered' ? exchange.httpStatus : null,
    error,
    nextAtMs: dueAtMs,
  };
  const { history } = delivery;
  return {
    ...delivery,
    status,
    dueAtMs,
    history: {
      ...history,
      tries,
      made: history.made + 1,
      attempts: [...history.attempts, attempt].slice(-WEBHOOK_ATTEMPTS_KEPT_MAX),
      counted: {
        delivered: history.counted.delivered || status === 'delivered',
        failed: history.counted.failed || status === 'failed',
      },
    },
  };
}

/**
 * Milliseconds to the next attempt, or null when the schedule is spent. The jitter shortens a wait by up to a fifth, so that
 * what failed together does not come back together and the whole schedule still ends within its published length. A
 * `Retry-After` is honoured as the least to wait, up to `retryAfterMaxMs`.
 */
function nextWaitMs(tries: number, exchange: Exchange, { policy, nowMs, random }: AttemptContext): number | null {
  const waitMs = policy.retryScheduleMs[tries - 1];
  if (waitMs === undefined) return null;
  const askedMs = exchange.kind === 'answered' ? retryAfterMs(exchange.retryAfter, nowMs) : 0;
  return Math.max(Math.round(waitMs * (0.8 + 0.2 * random)), Math.min(askedMs, policy.retryAfterMaxMs));
}

/** `Retry-After` in milliseconds from now, in either of its forms (RFC 9110 section 10.2.3); 0 for none, or one that is past. */
export function retryAfterMs(header: string | null, nowMs: number): number {
  const text = header?.trim() ?? '';
  const waitMs = /^[0-9]{1,9}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - nowMs;
  return Number.isNaN(waitMs) ? 0 : Math.max(0, waitMs);
}

/**
 * What an attempt does to the endpoint: a delivery that ends is counted, once in each total; a success forgives what failed
 * before; a 410, or `failedInARowMax` deliveries that failed in the end, disables it.
 * @returns the same value when nothing changes.
 */
export function endpointAfter(
  endpoint: WebhookEndpointState,
  before: Delivery,
  after: Delivery,
  { policy, nowMs }: AttemptContext,
): WebhookEndpointState {
  if (after.status === 'pending') return endpoint;
  const counts = (total: 'delivered' | 'failed'): number =>
    after.history.counted[total] && !before.history.counted[total] ? 1 : 0;
  const totals = {
    delivered: endpoint.totals.delivered + counts('delivered'),
    failed: endpoint.totals.failed + counts('failed'),
  };
  const failedInARow = after.status === 'delivered' ? 0 : endpoint.failedInARow + 1;
  const reason = disabledBy(after, failedInARow, policy);
  const disabled = endpoint.disabled ?? (reason === null ? null : { reason, atMs: nowMs });
  return { ...endpoint, totals, failedInARow, disabled };
}

function disabledBy(delivery: Delivery, failedInARow: number, policy: WebhookPolicy): DisabledReason | null {
  if (delivery.history.attempts.at(-1)?.error === 'gone') return 'gone';
  return failedInARow >= policy.failedInARowMax ? 'failing' : null;
}

// ── In public ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The public JSON of a delivery. */
export interface DeliveryView {
  id: string;
  object: 'webhook_delivery';
  endpoint_id: string;
  event_type: WebhookEventType;
  status: Delivery['status'];
  next_attempt_at: string | null;
  /** All that were made; `attempts` lists the newest. */
  attempt_count: number;
  attempts: {
    at: string;
    duration_ms: number;
    http_status: number | null;
    error: AttemptError | null;
    next_attempt_at: string | null;
  }[];
  created_at: string;
}

/** `paused`: the endpoint is disabled, and nothing is due while it is. */
export function deliveryView(endpointId: string, delivery: Delivery, paused: boolean): DeliveryView {
  const time = (atMs: number | null): string | null => (atMs === null ? null : toTimestamp(atMs));
  return {
    id: deliveryId(endpointId, delivery),
    object: 'webhook_delivery',
    endpoint_id: endpointId,
    event_type: delivery.eventType,
    status: delivery.status,
    next_attempt_at: paused ? null : time(delivery.dueAtMs),
    attempt_count: delivery.history.made,
    attempts: delivery.history.attempts.map((attempt) => ({
      at: toTimestamp(attempt.atMs),
      duration_ms: attempt.durationMs,
      http_status: attempt.httpStatus,
      error: attempt.error,
      next_attempt_at: time(attempt.nextAtMs),
    })),
    created_at: toTimestamp(delivery.createdAtMs),
  };
}
