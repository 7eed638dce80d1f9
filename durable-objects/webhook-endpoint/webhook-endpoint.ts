/**
 * The owner of one webhook endpoint: its secrets, its state and its pending deliveries, which its own alarm makes. One
 * object per endpoint, so that a receiver that never answers holds up nobody else's. What an attempt means is decided in
 * src/domain/webhook-delivery.ts. Called by HTTP, and by the notifications consumer, which never waits for a delivery.
 */
import { DurableObject } from 'cloudflare:workers';
import type { Scope } from '../../src/domain/ids.ts';
import { HOUR_MS, WEBHOOK_PENDING_MAX, WEBHOOK_RETENTION_MS, WEBHOOK_SECRET_BYTES } from '../../src/domain/limits.ts';
import type { Redrivable, RedriveResult, Standing } from '../../src/domain/redrive-rpc.ts';
import { backoffMs } from '../../src/domain/retry.ts';
import {
  type DeliveryKey,
  type DeliveryTotals,
  deliveryId,
  parseDeliveryId,
  rotatedSecrets,
  signingSecrets,
  type WebhookEndpointState,
  webhookEndpointView,
} from '../../src/domain/webhook.ts';
import {
  afterAttempt,
  type Delivery,
  deliveryView,
  type Exchange,
  endpointAfter,
  errorOf,
  type Notification,
  newDelivery,
  refusedDelivery,
  resent,
} from '../../src/domain/webhook-delivery.ts';
import { WEBHOOK_POLICIES, type WebhookPolicy } from '../../src/domain/webhook-policy.ts';
import type {
  CreateWebhookEndpoint,
  DeliveriesResult,
  EndpointResult,
  ResendResult,
  SecretResult,
  WebhookEndpointRpc,
} from '../../src/domain/webhook-rpc.ts';
import { postWebhook } from '../../src/notify/webhook-request.ts';
import { reportTotals } from '../../src/read-model/webhook-endpoints.ts';
import { errorText, logLine } from '../../src/telemetry/log.ts';
import { openTracer } from '../../src/telemetry/tracer.ts';
import { DeliveryRun } from './delivery-run.ts';
import { withNotice } from './notice.ts';
import { WebhookEndpointStore } from './store.ts';

const NOT_FOUND = { kind: 'not_found' } as const;
const NOTHING: DeliveryTotals = { delivered: 0, failed: 0 };

export class WebhookEndpoint extends DurableObject<Env> implements WebhookEndpointRpc {
  readonly #store = new WebhookEndpointStore(this.ctx.storage.sql);
  readonly #run = new DeliveryRun({
    next: (limit) => this.#next(limit),
    attempt: (name) => this.#attempt(name),
  });
  /** As stored; `undefined`: not read yet in this life of the object. */
  #state: WebhookEndpointState | null | undefined;
  /** How many deliveries are pending; null: not counted yet. */
  #pending: number | null = null;
  /** The totals that the record is known to have; null: not known. */
  #reported: DeliveryTotals | null = null;

  async create(input: CreateWebhookEndpoint): Promise<SecretResult> {
    const state: WebhookEndpointState = this.#load() ?? {
      format: 1,
      ...input,
      secrets: [{ secret: freshSecret(), expiresAtMs: null }],
      disabled: null,
      failedInARow: 0,
      totals: { delivered: 0, failed: 0 },
      notices: 0,
      notice: null,
      createdAtMs: Date.now(),
    };
    if (this.#state === null) this.#store.create(state);
    this.#state = state;
    return this.#withSecret(state);
  }

  read(): EndpointResult {
    const state = this.#load();
    return state === null ? NOT_FOUND : { kind: 'found', endpoint: webhookEndpointView(state) };
  }

  async destroy(): Promise<EndpointResult> {
    const result = this.read();
    if (result.kind === 'not_found') return result;
    // What it has delivered stays counted when it is gone; while that cannot be told, neither can it go.
    while (!this.#isReported()) await this.#report();
    this.#state = null;
    await this.ctx.storage.deleteAlarm();
    await this.ctx.storage.deleteAll();
    return result;
  }

  rotateSecret(): SecretResult {
    const state = this.#load();
    if (state === null) return NOT_FOUND;
    return this.#withSecret(
      this.#save({ ...state, secrets: rotatedSecrets(state.secrets, freshSecret(), Date.now()) }),
    );
  }

  enable(): EndpointResult {
    const state = this.#load();
    if (state === null) return NOT_FOUND;
    if (state.disabled !== null) {
      this.#save({ ...state, disabled: null, failedInARow: 0 });
      this.#wake();
    }
    return this.read();
  }

  accept(notifications: readonly Notification[]): { readonly kind: 'accepted' | 'disabled' | 'not_found' } {
    const state = this.#load();
    if (state === null) return NOT_FOUND;
    if (state.disabled !== null) return { kind: 'disabled' };
    const nowMs = Date.now();
    this.#pending ??= this.#store.countPending();
    let refused = 0;
    for (const notification of notifications) {
      const fits = this.#pending < WEBHOOK_PENDING_MAX;
      const delivery = fits ? newDelivery(notification, nowMs) : refusedDelivery(notification);
      if (!this.#store.add(delivery)) continue;
      if (fits) this.#pending += 1;
      else refused += 1;
    }
    if (refused > 0) {
      this.#save({ ...state, totals: { ...state.totals, failed: state.totals.failed + refused } });
      logLine('webhook.backlog_full', { endpoint_id: state.id, count: refused, alert: true });
    }
    this.#wake();
    return { kind: 'accepted' };
  }

  readDeliveries(before: DeliveryKey | null, limit: number): DeliveriesResult {
    const state = this.#load();
    if (state === null) return NOT_FOUND;
    // One more than asked tells whether another page follows.
    const found = this.#store.list(before, limit + 1);
    const page = found.slice(0, limit);
    const last = page.at(-1);
    const deliveries = page.map((delivery) => deliveryView(state.id, delivery, state.disabled !== null));
    const more = found.length > limit && last !== undefined;
    return {
      kind: 'found',
      deliveries,
      next: more ? { createdAtMs: last.createdAtMs, hash: last.hash } : null,
    };
  }

  resend(key: DeliveryKey): ResendResult {
    const state = this.#load();
    const before = state === null ? null : this.#store.find(key);
    if (state === null || before === null) return NOT_FOUND;
    if (state.disabled !== null) return { kind: 'disabled' };
    const delivery = resent(before, Date.now());
    this.#update(before, delivery);
    this.#wake();
    return { kind: 'resent', delivery: deliveryView(state.id, delivery, false) };
  }

  acknowledgeNotice(effectId: string): void {
    const state = this.#load();
    if (state?.notice?.event.metadata.message_deduplication_id === effectId) this.#save({ ...state, notice: null });
  }

  standing(_scope: Scope, item: Redrivable): Standing {
    const state = this.#load();
    if (state === null) return { kind: 'unknown_owner' };
    return { kind: 'known', state: webhookEndpointView(state).status, awaits: awaitsNotice(state, item) };
  }

  /** The only message of an endpoint is the notice of its disabling; its alarm sends that again as well. */
  redrive(_scope: Scope, items: readonly Redrivable[]): RedriveResult {
    const state = this.#load();
    if (state === null) return { kind: 'unknown_owner' };
    const outcomes = items.map((item) => (awaitsNotice(state, item) ? 'sent_again' : 'no_longer_awaited'));
    if (outcomes.includes('sent_again')) this.#sendNotice(state);
    return { kind: 'redriven', state: webhookEndpointView(state).status, outcomes };
  }

  /**
   * Makes what is due happen and arms the next alarm. The watchdog is armed first: were this to fail in any way, the object is
   * woken again, since the platform gives an alarm up after six failures.
   */
  override async alarm(): Promise<void> {
    const woken = this.#load();
    if (woken === null) return;
    this.ctx.waitUntil(this.ctx.storage.setAlarm(Date.now() + policyOf(woken).watchdogMs));
    try {
      await this.#run.run();
      await this.#tryReport();
      const state = this.#load();
      if (state === null) return;
      if (state.notice !== null && state.notice.dueAtMs <= Date.now()) this.#sendNotice(state);
      this.#prune(state);
      this.#arm();
    } catch (error) {
      logLine('webhook.alarm_failed', { endpoint_id: woken.id, error: errorText(error), alert: true });
    }
  }

  // ── Deliveries ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #next(limit: number): { readonly name: string; readonly dueAtMs: number }[] {
    const state = this.#load();
    if (state === null || state.disabled !== null) return [];
    return this.#store.dueNext(limit).map((due) => ({ name: deliveryId(state.id, due), dueAtMs: due.dueAtMs }));
  }

  async #attempt(id: string): Promise<void> {
    const state = this.#load();
    const key = parseDeliveryId(id)?.key;
    const delivery = state === null || key === undefined ? null : this.#store.find(key);
    if (state === null || delivery === null) return;
    const startedAtMs = Date.now();
    const tracer = openTracer(this.env);
    const span = tracer.begin('webhook attempt', 'client', delivery.history.traceparent ?? '', {
      'http.request.method': 'POST',
      'holdfast.event_type': delivery.eventType,
      'holdfast.endpoint_id': state.id,
      'holdfast.delivery_id': id,
      'holdfast.attempts': delivery.history.made + 1,
    });
    const exchange = await postWebhook(
      {
        url: state.url,
        mode: state.scope.mode,
        id,
        body: delivery.body,
        secrets: signingSecrets(state.secrets, startedAtMs),
        timeoutMs: policyOf(state).timeoutMs,
      },
      startedAtMs,
    );
    this.#settle(delivery, exchange, startedAtMs);
    const error = errorOf(exchange);
    const httpStatus = exchange.kind === 'answered' ? exchange.httpStatus : undefined;
    span.end({ 'http.response.status_code': httpStatus, 'error.type': error ?? undefined }, error !== null);
    const exported = tracer.flush();
    if (exported !== null) this.ctx.waitUntil(exported);
  }

  /**
   * Stores what came of an attempt, with what it does to the endpoint, in one commit. Both are read again: the endpoint may
   * have been deleted, or the delivery sent again by hand, while the receiver took its time.
   */
  #settle(key: DeliveryKey, exchange: Exchange, startedAtMs: number): void {
    const state = this.#load();
    const before = state === null ? null : this.#store.find(key);
    if (state === null || before === null) return;
    const context = { startedAtMs, nowMs: Date.now(), policy: policyOf(state), random: Math.random() };
    const after = afterAttempt(before, exchange, context);
    const next = endpointAfter(state, before, after, context);
    this.#update(before, after);
    if (next.disabled !== null && state.disabled === null) this.#sendNotice(withNotice(next, context.nowMs));
    else if (next !== state) this.#save(next);
    const attempt = after.history.attempts.at(-1);
    logLine(FACTS[after.status], {
      endpoint_id: state.id,
      delivery_id: deliveryId(state.id, after),
      merchant: state.scope.merchant,
      event_type: after.eventType,
      attempts: after.history.made,
      http_status: attempt?.httpStatus,
      code: attempt?.error,
      duration_ms: attempt?.durationMs,
    });
  }

  #update(before: Delivery, after: Delivery): void {
    this.#store.update(after);
    if (this.#pending === null) return;
    this.#pending += Number(after.status === 'pending') - Number(before.status === 'pending');
  }

  #prune(state: WebhookEndpointState): void {
    const before = Date.now() - WEBHOOK_RETENTION_MS;
    const oldestAtMs = this.#store.oldestAtMs();
    if (oldestAtMs === null || oldestAtMs >= before) return;
    this.#store.prune(before, state.disabled !== null);
    this.#pending = null;
  }

  // ── The endpoint ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Hands the notice of the disabling to the notifications, and keeps it until they have it. */
  #sendNotice(state: WebhookEndpointState): void {
    const { notice } = state;
    if (notice === null) return;
    const attempts = notice.attempts + 1;
    const dueAtMs = Date.now() + backoffMs(policyOf(state).resend, attempts, Math.random());
    this.#save({ ...state, notice: { ...notice, attempts, dueAtMs } });
    this.ctx.waitUntil(
      this.env.NOTIFICATIONS.send(notice.event).catch((error: unknown) => {
        // It may have been enqueued all the same: either way the alarm sends it again, and it is taken over once.
        logLine('queue.send_failed', { message_type: notice.event.event_type, error: errorText(error) });
      }),
    );
  }

  /** Tells the record how many deliveries have ended. */
  async #report(): Promise<void> {
    const state = this.#load();
    if (state === null || this.#isReported()) return;
    await reportTotals(this.env.DB, state.scope, state.id, state.totals);
    this.#reported = state.totals;
  }

  /** The same; while the record cannot be told, deliveries go on, and the alarm tells it later. */
  async #tryReport(): Promise<void> {
    try {
      await this.#report();
    } catch (error) {
      logLine('webhook.report_failed', { endpoint_id: this.#load()?.id, error: errorText(error) });
    }
  }

  #isReported(): boolean {
    const totals = this.#load()?.totals ?? NOTHING;
    const reported = this.#reported ?? NOTHING;
    return totals.delivered === reported.delivered && totals.failed === reported.failed;
  }

  /** Attempts may begin now: the run that is under way takes them, or the alarm begins one. */
  #wake(): void {
    if (this.#run.active) this.#run.wake();
    else this.ctx.waitUntil(this.ctx.storage.setAlarm(Date.now()));
  }

  /** The alarm for whatever comes first: a delivery, the notice, a report that failed, the end of a delivery's retention. */
  #arm(): void {
    const state = this.#load();
    if (state === null) return;
    const nowMs = Date.now();
    const oldestAtMs = this.#store.oldestAtMs();
    const dues = [
      this.#next(1)[0]?.dueAtMs,
      state.notice?.dueAtMs,
      this.#isReported() ? undefined : nowMs + policyOf(state).resend.firstMs,
      oldestAtMs === null ? undefined : Math.max(oldestAtMs + WEBHOOK_RETENTION_MS, nowMs + HOUR_MS),
    ].filter((dueAtMs) => dueAtMs !== undefined);
    const { storage } = this.ctx;
    this.ctx.waitUntil(dues.length === 0 ? storage.deleteAlarm() : storage.setAlarm(Math.min(...dues)));
  }

  #withSecret(state: WebhookEndpointState): SecretResult {
    const [secret] = signingSecrets(state.secrets, Date.now());
    return secret === undefined ? NOT_FOUND : { kind: 'found', endpoint: webhookEndpointView(state), secret };
  }

  #load(): WebhookEndpointState | null {
    if (this.#state === undefined) this.#state = this.#store.load();
    return this.#state;
  }

  #save(state: WebhookEndpointState): WebhookEndpointState {
    this.#store.save(state);
    this.#state = state;
    return state;
  }
}

/** Whether the notice that a dead letter carried is still to be taken over. */
function awaitsNotice({ notice }: WebhookEndpointState, item: Redrivable): boolean {
  return item.kind === 'effect' && notice?.event.metadata.message_deduplication_id === item.effectId;
}

/** The facts of the catalogue that a delivery's end is; and what an attempt that is not the last is called. */
const FACTS = {
  delivered: 'notification.delivered',
  failed: 'notification.failed',
  pending: 'notification.attempted',
} as const;

function policyOf(state: WebhookEndpointState): WebhookPolicy {
  return WEBHOOK_POLICIES[state.scope.mode];
}

function freshSecret(): string {
  return `whsec_${btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(WEBHOOK_SECRET_BYTES))))}`;
}
