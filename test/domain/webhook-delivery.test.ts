import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CATALOGUE } from '../../src/domain/events/catalogue.ts';
import {
  DAY_MS,
  HOUR_MS,
  WEBHOOK_ATTEMPTS_KEPT_MAX,
  WEBHOOK_SECRET_OVERLAP_MS,
  WEBHOOK_SECRETS_MAX,
} from '../../src/domain/limits.ts';
import {
  deliveryId,
  deliveryKey,
  parseDeliveryId,
  rotatedSecrets,
  signingSecrets,
  WEBHOOK_ENDPOINT_ID_PATTERN,
  WEBHOOK_EVENT_OF,
  WEBHOOK_SERIES,
  type WebhookEndpointState,
  webhookBody,
  webhookEndpointId,
  webhookEndpointObjectName,
  webhookEndpointView,
} from '../../src/domain/webhook.ts';
import {
  afterAttempt,
  type Delivery,
  deliveryView,
  type Exchange,
  endpointAfter,
  errorOf,
  newDelivery,
  refusedDelivery,
  resent,
  retryAfterMs,
} from '../../src/domain/webhook-delivery.ts';
import { WEBHOOK_POLICIES } from '../../src/domain/webhook-policy.ts';

const AT_MS = Date.UTC(2026, 0, 1);
const ENDPOINT_ID = webhookEndpointId(7n);
const SCOPE = { merchant: 'm', mode: 'live' } as const;
const NOTIFICATION = { key: deliveryKey('effect', AT_MS), eventType: 'payment.completed', body: '{}' } as const;
const answered = (httpStatus: number, retryAfter: string | null = null): Exchange => ({
  kind: 'answered',
  httpStatus,
  retryAfter,
});

/** A delivery, the clock of its attempts, and the endpoint beside it. */
class Course {
  delivery: Delivery = newDelivery(NOTIFICATION, AT_MS);
  endpoint: WebhookEndpointState = endpointState();
  nowMs = AT_MS;
  readonly #policy = WEBHOOK_POLICIES.live;

  attempt(exchange: Exchange, random = 1): this {
    const context = { startedAtMs: this.nowMs, nowMs: this.nowMs + 50, policy: this.#policy, random };
    const after = afterAttempt(this.delivery, exchange, context);
    this.endpoint = endpointAfter(this.endpoint, this.delivery, after, context);
    this.delivery = after;
    this.nowMs = after.dueAtMs ?? this.nowMs;
    return this;
  }

  untilItEnds(exchange: Exchange): this {
    while (this.delivery.status === 'pending') this.attempt(exchange);
    return this;
  }

  another(): this {
    this.delivery = newDelivery(NOTIFICATION, this.nowMs);
    return this;
  }
}

function endpointState(changes: Partial<WebhookEndpointState> = {}): WebhookEndpointState {
  return {
    format: 1,
    id: ENDPOINT_ID,
    scope: SCOPE,
    url: 'https://shop.io/',
    events: null,
    description: null,
    secrets: [{ secret: 'whsec_a', expiresAtMs: null }],
    disabled: null,
    failedInARow: 0,
    totals: { delivered: 0, failed: 0 },
    notices: 0,
    notice: null,
    createdAtMs: AT_MS,
    ...changes,
  };
}

describe('an exchange', () => {
  test.each([
    [answered(200), null],
    [answered(204), null],
    [answered(299), null],
    [answered(199), 'http_error'],
    [answered(300), 'redirect'],
    [answered(304), 'redirect'],
    [answered(399), 'redirect'],
    [answered(400), 'http_error'],
    [answered(409), 'http_error'],
    [answered(410), 'gone'],
    [answered(429), 'http_error'],
    [answered(500), 'http_error'],
    [{ kind: 'timeout' }, 'timeout'],
    [{ kind: 'connection_failed' }, 'connection_failed'],
    [{ kind: 'url_refused' }, 'url_refused'],
  ] as const)('%j is %s', (exchange, error) => {
    expect(errorOf(exchange)).toBe(error);
  });
});

describe('the schedule', () => {
  test('of live mode is 11 attempts in at most 24 hours, each wait at least as long as the one before', () => {
    const { retryScheduleMs } = WEBHOOK_POLICIES.live;
    expect(retryScheduleMs).toHaveLength(10);
    const wholeMs = retryScheduleMs.reduce((sum, waitMs) => sum + waitMs, 0);
    expect(wholeMs).toBeLessThanOrEqual(DAY_MS);
    expect(wholeMs).toBeGreaterThan(DAY_MS - HOUR_MS);
    expect([...retryScheduleMs].sort((one, other) => one - other)).toEqual(retryScheduleMs);
    expect(WEBHOOK_POLICIES.sandbox.retryScheduleMs).toHaveLength(retryScheduleMs.length);
  });

  test('is gone through by a receiver that always fails, and then the delivery has failed', () => {
    const { delivery } = new Course().untilItEnds(answered(500));
    expect(delivery).toMatchObject({ status: 'failed', dueAtMs: null });
    const waits = delivery.history.attempts.map(({ nextAtMs, atMs, durationMs }) =>
      nextAtMs === null ? null : nextAtMs - atMs - durationMs,
    );
    expect(waits).toEqual([...WEBHOOK_POLICIES.live.retryScheduleMs, null]);
  });

  test.each([
    [0, 0.8],
    [0.5, 0.9],
    [1, 1],
  ])('with chance %d waits %d of its times', (random, share) => {
    const { delivery } = new Course().attempt({ kind: 'timeout' }, random);
    expect((delivery.dueAtMs ?? 0) - AT_MS - 50).toBe(5_000 * share);
  });

  test.each([
    [answered(503, '60'), 60_000],
    [answered(429, '1'), 5_000],
    [answered(503, '86400'), HOUR_MS],
    [answered(503, new Date(AT_MS + 120_050).toUTCString()), 120_000],
    [answered(503, 'soon'), 5_000],
    [answered(503, '-60'), 5_000],
  ])('after %j waits %i ms: Retry-After is the least, within reason', (exchange, waitMs) => {
    const { delivery } = new Course().attempt(exchange);
    // An HTTP date has whole seconds.
    expect(Math.abs((delivery.dueAtMs ?? 0) - AT_MS - 50 - waitMs)).toBeLessThan(1_000);
  });

  test('begins anew for a delivery that is sent again; the history stays, the oldest attempts go', () => {
    const course = new Course().untilItEnds(answered(500));
    for (let times = 0; times < 4; times += 1) {
      course.delivery = resent(course.delivery, course.nowMs);
      expect(course.delivery).toMatchObject({ status: 'pending', dueAtMs: course.nowMs });
      course.untilItEnds(answered(500));
    }
    expect(course.delivery.history).toMatchObject({ made: 55, tries: 11 });
    expect(course.delivery.history.attempts).toHaveLength(WEBHOOK_ATTEMPTS_KEPT_MAX);
    expect(course.endpoint.totals).toEqual({ delivered: 0, failed: 1 });
  });

  test('never ends a delivery before it is delivered, gone or spent, whatever comes in which order', () => {
    const exchanges = fc.array(fc.constantFrom(200, 302, 404, 410, 429, 500, 503), { maxLength: 15 });
    fc.assert(
      fc.property(exchanges, fc.double({ min: 0, max: 0.99, noNaN: true }), (statuses, random) => {
        const course = new Course();
        for (const status of statuses) {
          if (course.delivery.status !== 'pending') break;
          course.attempt(answered(status), random);
        }
        const { status, dueAtMs, history } = course.delivery;
        expect(dueAtMs !== null).toBe(status === 'pending');
        const last = history.attempts.at(-1)?.httpStatus;
        if (status === 'delivered') expect(last).toBe(200);
        if (status === 'failed') expect(last === 410 || history.tries === 11).toBe(true);
        expect(course.endpoint.totals.delivered + course.endpoint.totals.failed).toBe(status === 'pending' ? 0 : 1);
      }),
    );
  });
});

describe('Retry-After', () => {
  test.each([
    [null, 0],
    ['', 0],
    ['0', 0],
    ['120', 120_000],
    [' 7 ', 7_000],
    ['1.5', 0],
    ['1e3', 0],
    ['99999999999', 0],
    ['Thu, 01 Jan 2026 00:01:00 GMT', 60_000],
    ['Wed, 31 Dec 2025 23:59:00 GMT', 0],
  ])('%j is %i ms from now', (header, waitMs) => {
    expect(retryAfterMs(header, AT_MS)).toBe(waitMs);
  });
});

describe('an endpoint', () => {
  test('is disabled by a 410, and the delivery has failed at once', () => {
    const { endpoint, delivery } = new Course().attempt(answered(410));
    expect(delivery).toMatchObject({ status: 'failed', dueAtMs: null });
    expect(endpoint.disabled).toEqual({ reason: 'gone', atMs: AT_MS + 50 });
    expect(endpoint.totals).toEqual({ delivered: 0, failed: 1 });
  });

  test('is disabled when ten deliveries in a row have failed in the end, and not by nine', () => {
    const course = new Course();
    for (let failed = 1; failed <= 9; failed += 1) course.untilItEnds({ kind: 'timeout' }).another();
    expect(course.endpoint).toMatchObject({ disabled: null, failedInARow: 9, totals: { failed: 9 } });
    course.untilItEnds({ kind: 'timeout' });
    expect(course.endpoint.disabled?.reason).toBe('failing');
  });

  test('is forgiven by one success; attempts that are not the last count for nothing', () => {
    const course = new Course();
    for (let failed = 1; failed <= 9; failed += 1) course.untilItEnds(answered(500)).another();
    course.attempt(answered(500)).attempt(answered(200));
    expect(course.endpoint).toMatchObject({ failedInARow: 0, totals: { delivered: 1, failed: 9 } });
    course.another();
    const before = course.endpoint;
    course.attempt(answered(500));
    expect(course.endpoint).toBe(before);
  });

  test('that is disabled already keeps its reason and time', () => {
    const disabled = { reason: 'gone', atMs: 1 } as const;
    const course = new Course();
    course.endpoint = endpointState({ disabled, failedInARow: 20 });
    expect(course.untilItEnds(answered(500)).endpoint.disabled).toEqual(disabled);
  });

  test('counts a delivery once in each total, however often it is sent again', () => {
    const course = new Course();
    for (const status of [200, 410, 200, 410]) {
      course.attempt(answered(status));
      course.delivery = resent(course.delivery, course.nowMs);
    }
    expect(course.endpoint.totals).toEqual({ delivered: 1, failed: 1 });
  });

  test('in public that is enabled has neither a reason nor a time of being disabled', () => {
    expect(webhookEndpointView(endpointState({ events: ['refund.failed'] }))).toEqual({
      id: ENDPOINT_ID,
      object: 'webhook_endpoint',
      url: 'https://shop.io/',
      events: ['refund.failed'],
      status: 'enabled',
      created_at: '2026-01-01T00:00:00.000Z',
    });
  });

  test('is told each event by its public name, and counted by a metric of the catalogue', () => {
    expect(WEBHOOK_EVENT_OF).toEqual({
      'orchestrator.notify.payment_success': 'payment.completed',
      'orchestrator.notify.payment_failure': 'payment.failed',
      'orchestrator.notify.refund_success': 'refund.completed',
      'orchestrator.notify.refund_failure': 'refund.failed',
      'orchestrator.notify.webhook_endpoint_disabled': 'webhook_endpoint.disabled',
    });
    expect(Object.values(WEBHOOK_SERIES).map((series) => CATALOGUE[series].kind)).toEqual(['metric', 'metric']);
  });

  test('in public shows no secret', () => {
    const view = webhookEndpointView(
      endpointState({ disabled: { reason: 'failing', atMs: AT_MS }, description: 'Shop' }),
    );
    expect(view).toEqual({
      id: ENDPOINT_ID,
      object: 'webhook_endpoint',
      url: 'https://shop.io/',
      events: null,
      description: 'Shop',
      status: 'disabled',
      disabled_reason: 'failing',
      disabled_at: '2026-01-01T00:00:00.000Z',
      created_at: '2026-01-01T00:00:00.000Z',
    });
    expect(JSON.stringify(view)).not.toContain('whsec_');
  });
});

describe('secrets', () => {
  test('rotated: the old one signs for a day beside the new one, which comes first', () => {
    const secrets = rotatedSecrets([{ secret: 'old', expiresAtMs: null }], 'new', AT_MS);
    expect(signingSecrets(secrets, AT_MS + WEBHOOK_SECRET_OVERLAP_MS - 1)).toEqual(['new', 'old']);
    expect(signingSecrets(secrets, AT_MS + WEBHOOK_SECRET_OVERLAP_MS)).toEqual(['new']);
    expect(WEBHOOK_SECRET_OVERLAP_MS).toBe(DAY_MS);
  });

  test('rotated again keep their own ends, and are never more than the limit', () => {
    let secrets = rotatedSecrets([{ secret: '0', expiresAtMs: null }], '1', AT_MS);
    secrets = rotatedSecrets(secrets, '2', AT_MS + HOUR_MS);
    expect(signingSecrets(secrets, AT_MS + DAY_MS)).toEqual(['2', '1']);
    for (const next of ['3', '4', '5']) secrets = rotatedSecrets(secrets, next, AT_MS + HOUR_MS);
    expect(secrets).toHaveLength(WEBHOOK_SECRETS_MAX);
    expect(signingSecrets(secrets, AT_MS + HOUR_MS)).toEqual(['5', '4', '3', '2']);
    // What has ended is not kept, nor what ends at this moment.
    const [, ending] = secrets;
    expect(rotatedSecrets(secrets, '6', ending?.expiresAtMs ?? 0).map(({ secret }) => secret)).toEqual(['6', '5']);
    expect(rotatedSecrets(secrets, '6', AT_MS + 3 * DAY_MS)).toHaveLength(2);
  });
});

describe('ids', () => {
  test('of endpoints have one length, and lead to an object of their merchant and mode alone', () => {
    for (const random of [0n, 1n, 2n ** 128n - 1n])
      expect(webhookEndpointId(random)).toMatch(WEBHOOK_ENDPOINT_ID_PATTERN);
    expect(webhookEndpointId(2n ** 128n)).toBe(webhookEndpointId(0n));
    const names = [SCOPE, { ...SCOPE, mode: 'sandbox' as const }, { ...SCOPE, merchant: 'n' }].map((scope) =>
      webhookEndpointObjectName(scope, ENDPOINT_ID),
    );
    expect(new Set(names).size).toBe(3);
  });

  test.each([`x${ENDPOINT_ID}`, `${ENDPOINT_ID}0`, 'we_', ''])('%j is no endpoint', (id) => {
    expect(id).not.toMatch(WEBHOOK_ENDPOINT_ID_PATTERN);
  });

  test('of deliveries are the same for the same notification, and lead back to their parts', () => {
    const key = deliveryKey('orchestrator.notify.payment_success.pay_1', AT_MS);
    const id = deliveryId(ENDPOINT_ID, key);
    expect(id).toMatch(/^wd_[0-9A-Za-z]{22}_1767225600000_[0-9a-f]{16}$/);
    // The specification's signed content has dots between its parts: an id must have none.
    expect(id).not.toContain('.');
    expect(parseDeliveryId(id)).toEqual({ endpointId: ENDPOINT_ID, key });
    expect(deliveryKey('orchestrator.notify.payment_failure.pay_1', AT_MS)).not.toEqual(key);
  });

  test.each([
    '',
    'wd_',
    'we_0000000000000000000007',
    `wd_${'0'.repeat(22)}`,
    `wd_${'0'.repeat(22)}_x_${'0'.repeat(16)}`,
    `x${deliveryId(ENDPOINT_ID, NOTIFICATION.key)}`,
    `${deliveryId(ENDPOINT_ID, NOTIFICATION.key)}0`,
  ])('%j is no delivery', (id) => {
    expect(parseDeliveryId(id)).toBeNull();
  });
});

test('a delivery that there was no room for has failed without an attempt, and can be sent again', () => {
  const delivery = refusedDelivery(NOTIFICATION);
  expect(deliveryView(ENDPOINT_ID, delivery, false)).toMatchObject({
    status: 'failed',
    attempts: [],
    next_attempt_at: null,
  });
  expect(resent(delivery, AT_MS)).toMatchObject({ status: 'pending', dueAtMs: AT_MS });
  expect(delivery.history.counted).toEqual({ delivered: false, failed: true });
  expect(newDelivery(NOTIFICATION, AT_MS).history.counted).toEqual({ delivered: false, failed: false });
});

test('a delivery in public lists its attempts, newest last, and when the next one is', () => {
  const { delivery } = new Course().attempt(answered(503)).attempt({ kind: 'timeout' });
  expect(deliveryView(ENDPOINT_ID, delivery, false)).toEqual({
    id: deliveryId(ENDPOINT_ID, NOTIFICATION.key),
    object: 'webhook_delivery',
    endpoint_id: ENDPOINT_ID,
    event_type: 'payment.completed',
    status: 'pending',
    next_attempt_at: '2026-01-01T00:00:35.100Z',
    attempt_count: 2,
    attempts: [
      {
        at: '2026-01-01T00:00:00.000Z',
        duration_ms: 50,
        http_status: 503,
        error: 'http_error',
        next_attempt_at: '2026-01-01T00:00:05.050Z',
      },
      {
        at: '2026-01-01T00:00:05.050Z',
        duration_ms: 50,
        http_status: null,
        error: 'timeout',
        next_attempt_at: '2026-01-01T00:00:35.100Z',
      },
    ],
    created_at: '2026-01-01T00:00:00.000Z',
  });
  const clockSetBack = { startedAtMs: AT_MS, nowMs: AT_MS - 1, policy: WEBHOOK_POLICIES.live, random: 1 };
  const backwards = afterAttempt(newDelivery(NOTIFICATION, AT_MS), answered(200), clockSetBack);
  expect(backwards.history.attempts[0]?.durationMs).toBe(0);
});

test('what is pending at a disabled endpoint has no next attempt', () => {
  expect(deliveryView(ENDPOINT_ID, newDelivery(NOTIFICATION, AT_MS), true)).toMatchObject({
    status: 'pending',
    next_attempt_at: null,
  });
});

test("a webhook's body has type, timestamp and data, and the data's bytes as they are", () => {
  const data = '{"b":1,"a":"\\u00e9"}';
  const body = webhookBody('payment.completed', '2026-01-01T00:00:00.000Z', data);
  expect(body).toContain(`"data":${data}}`);
  expect(JSON.parse(body)).toEqual({
    type: 'payment.completed',
    timestamp: '2026-01-01T00:00:00.000Z',
    data: { a: 'é', b: 1 },
  });
});
