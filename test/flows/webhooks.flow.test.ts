/**
 * Notifications as a merchant sees them: an endpoint is made over HTTP, payments and refunds end, and a real receiver on
 * loopback hears of it. What arrives is checked with the Standard Webhooks library's own verifier.
 */
import { env } from 'cloudflare:workers';
import { Webhook } from 'standardwebhooks';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { consumeNotifications } from '../../queues/notifications.ts';
import { WEBHOOK_ENDPOINTS_MAX, WEBHOOK_IN_FLIGHT_MAX } from '../../src/domain/limits.ts';
import type { DeliveryView } from '../../src/domain/webhook-delivery.ts';
import { WEBHOOK_POLICIES } from '../../src/domain/webhook-policy.ts';
import { atRest } from '../audit/world.ts';
import { edge } from '../gateway/support/replies.ts';
import { deliver } from '../queues/messages.ts';
import { loseFirst, loseMessages } from '../support/losses.ts';
import { call, createPayment, freshKey, json, postPayment, terminal, until } from '../support/payments.ts';
import { Receiver, verified, waitForHanging } from '../support/receiver.ts';
import { deleteEndpoints, deliveriesOf, type Endpoint, makeEndpoint, post } from '../support/webhooks.ts';

const POLICY = WEBHOOK_POLICIES.sandbox;

/** Whose ends are to be told: whatever is told late is told before the next test makes its endpoints. */
const ended: string[] = [];

afterEach(async () => {
  loseMessages(null);
  vi.restoreAllMocks();
  await atRest(ended.splice(0));
  await deleteEndpoints();
});

/** A payment of a fresh wallet, once it has completed. */
async function paid(body: Record<string, unknown> = {}): Promise<string> {
  const { id } = await createPayment({ wallet_id: freshKey('hook-wallet'), ...body });
  ended.push(id);
  await terminal(id);
  return id;
}

/** The endpoint's deliveries once `holds` is true of them. */
async function deliveries(endpoint: Endpoint, holds: (all: DeliveryView[]) => boolean): Promise<DeliveryView[]> {
  return until(() => deliveriesOf(endpoint.id), holds);
}

const settled = (all: DeliveryView[]): boolean => all.length > 0 && all.every(({ status }) => status !== 'pending');

describe('a payment that ends', () => {
  test('is told to an endpoint made just before, signed by the specification, with the public payment', async () => {
    const receiver = new Receiver();
    const endpoint = await makeEndpoint({ url: receiver.url });
    const id = await paid();
    const [heard] = await receiver.heard(1);
    if (heard === undefined) throw new Error('nothing heard');
    const event = verified(endpoint.secret, heard);
    expect(event).toEqual({
      type: 'payment.completed',
      timestamp: expect.stringMatching(/^\d{4}-.*\.\d{3}Z$/),
      data: await json(`/payments/${id}`),
    });
    expect(heard).toMatchObject({ method: 'POST', headers: { 'content-type': 'application/json' } });
    expect(heard.headers['webhook-timestamp']).toMatch(/^\d{10}$/);
    const [delivery, ...more] = await deliveries(endpoint, settled);
    expect(more).toEqual([]);
    expect(delivery).toMatchObject({
      id: heard.headers['webhook-id'],
      endpoint_id: endpoint.id,
      event_type: 'payment.completed',
      status: 'delivered',
      next_attempt_at: null,
      attempt_count: 1,
      attempts: [{ http_status: 200, error: null, next_attempt_at: null }],
    });
  });

  test('FAILED is payment.failed, with its failure', async () => {
    const receiver = new Receiver();
    const { secret } = await makeEndpoint({ url: receiver.url });
    await paid({ token: 'pm_card_visa_chargeDeclined' });
    const [heard] = await receiver.heard(1);
    expect(heard && verified(secret, heard)).toMatchObject({
      type: 'payment.failed',
      data: { object: 'payment', status: 'FAILED', failure: { code: 'gateway_declined' } },
    });
  });

  test('is told to each endpoint that asks for it, under an id of its own, and to no other', async () => {
    const [all, failures, completions] = [new Receiver(), new Receiver(), new Receiver()];
    await makeEndpoint({ url: all.url });
    const deaf = await makeEndpoint({ url: failures.url, events: ['payment.failed', 'refund.completed'] });
    await makeEndpoint({ url: completions.url, events: ['payment.completed'] });
    await paid();
    const [[one], [other]] = [await all.heard(1), await completions.heard(1)];
    expect(one?.body).toBe(other?.body);
    expect(one?.headers['webhook-id']).not.toBe(other?.headers['webhook-id']);
    // The batch that brought these two was settled with all its calls: what was not for the third never came to it.
    expect(await deliveriesOf(deaf.id)).toEqual([]);
  });

  test('a refund of it is told as refund.completed, with the public refund', async () => {
    const receiver = new Receiver();
    const { secret } = await makeEndpoint({ url: receiver.url, events: ['refund.completed', 'refund.failed'] });
    const payment = await paid();
    const response = await post('/refunds', { payment_id: payment, amount: 30 }, { 'idempotency-key': freshKey() });
    const { id } = await response.json<{ id: string }>();
    ended.push(id);
    const [heard] = await receiver.heard(1);
    expect(heard && verified(secret, heard)).toMatchObject({
      type: 'refund.completed',
      data: { id, object: 'refund', payment_id: payment, status: 'COMPLETED' },
    });
  });
});

describe('what happens after an end does not change what is told of it', () => {
  /** Takes every message of that type away until `act` has ended, so that it comes late; the saga sends it again. */
  async function late<Found>(type: string, act: () => Promise<Found>): Promise<Found> {
    const { lost } = loseFirst(Number.POSITIVE_INFINITY, (kind) => kind === type);
    const found = await act();
    await until(
      async () => lost.get(type) ?? 0,
      (count) => count > 0,
    );
    loseMessages(null);
    return found;
  }

  const refundOf = async (payment: string): Promise<string> => {
    const response = await post('/refunds', { payment_id: payment }, { 'idempotency-key': freshKey() });
    const { id } = await response.json<{ id: string }>();
    ended.push(id);
    return id;
  };

  const refundThat = (id: string, status: string): Promise<{ readonly status: string }> =>
    until(
      () => json<{ readonly status: string }>(`/refunds/${id}`),
      (found) => found.status === status,
    );

  test.each([
    ['balance', {}],
    ['card', { method: 'credit_card' }],
  ])('a refund that completed and then failed (%s): each webhook has the refund of its own type', async (_, body) => {
    const receiver = new Receiver();
    const { secret } = await makeEndpoint({ url: receiver.url, events: ['refund.completed', 'refund.failed'] });
    const id = await late('orchestrator.notify.refund_success', async () => {
      const refund = await refundOf(await paid({ token: 'pm_card_refundFail', ...body }));
      await refundThat(refund, 'FAILED');
      return refund;
    });
    const events = (await receiver.heard(2)).map((heard) => verified(secret, heard));
    const [completed, failed] = events.toSorted((one, other) => one.type.localeCompare(other.type));
    expect(completed).toMatchObject({ type: 'refund.completed', data: { id, status: 'COMPLETED' } });
    expect(completed?.data).not.toHaveProperty('failure');
    expect(completed?.data.completed_at).toBe(completed?.timestamp);
    // That the payment has taken note is of a moment later.
    const data = { ...(await json<object>(`/refunds/${id}`)), updated_at: failed?.timestamp };
    expect(failed).toEqual({ type: 'refund.failed', timestamp: expect.any(String), data });
    expect(data).toMatchObject({ status: 'FAILED', failure: { code: 'refund_failed_after_success' } });
  });

  test('a payment that is refunded since is told as it was paid', async () => {
    const receiver = new Receiver();
    const { secret } = await makeEndpoint({ url: receiver.url, events: ['payment.completed'] });
    const id = await late('orchestrator.notify.payment_success', async () => {
      const payment = await paid({ amount: 500 });
      await refundThat(await refundOf(payment), 'COMPLETED');
      await until(
        () => json<{ refunded_amount: number }>(`/payments/${payment}`),
        (found) => found.refunded_amount === 500,
      );
      return payment;
    });
    const [heard] = await receiver.heard(1);
    const event = heard && verified(secret, heard);
    expect(event).toMatchObject({ data: { id, status: 'COMPLETED', refunded_amount: 0 } });
    expect(event?.data.updated_at).toBe(event?.timestamp);
  });

  test('an endpoint that is enabled again is told as it was disabled', async () => {
    const [gone, watching] = [await new Receiver().answer({ status: 410 }), new Receiver()];
    const watcher = await makeEndpoint({ url: watching.url, events: ['webhook_endpoint.disabled'] });
    const endpoint = await makeEndpoint({ url: gone.url, events: ['payment.completed'] });
    const disabled = await late('orchestrator.notify.webhook_endpoint_disabled', async () => {
      await paid();
      const shown = await until(
        () => json<Endpoint>(`/webhook-endpoints/${endpoint.id}`),
        ({ status }) => status === 'disabled',
      );
      await post(`/webhook-endpoints/${endpoint.id}/enable`);
      return shown;
    });
    const [heard] = await watching.heard(1);
    expect(heard && verified(watcher.secret, heard).data).toEqual(disabled);
  });
});

describe('a notification', () => {
  test('whose command comes any number of times is one delivery, of one request', async () => {
    const receiver = new Receiver();
    const endpoint = await makeEndpoint({ url: receiver.url });
    const id = await paid();
    await receiver.heard(1);
    const { body } = await env.DB.prepare('SELECT body FROM notifications WHERE group_id = ?')
      .bind(`payment_${id}`)
      .first<{ body: string }>()
      .then((row) => row ?? { body: '' });
    const command: { timestamp: string } = JSON.parse(body);
    // Again, twice in a batch, and once with another time on it: the first one's is what counts.
    const later = { ...command, timestamp: '2030-01-01T00:00:00.000Z' };
    const again = await deliver(consumeNotifications, 'notifications', [command, command, later], env);
    expect(again.acked).toEqual(['m1', 'm2', 'm3']);
    const next = await paid();
    const events = (await receiver.heard(2)).map((heard) => verified(endpoint.secret, heard).data.id);
    expect(events).toEqual([id, next]);
    expect(await deliveriesOf(endpoint.id)).toHaveLength(2);
  });

  test('that is lost on its way is sent again by the saga, and delivered', async () => {
    const { lost } = loseFirst(2, (kind) => kind === 'orchestrator.notify.payment_success');
    const receiver = new Receiver();
    await makeEndpoint({ url: receiver.url });
    await paid();
    expect(await receiver.heard(1)).toHaveLength(1);
    expect(lost.get('orchestrator.notify.payment_success')).toBe(2);
  });

  test('is counted in the metrics once, however it is sent: delivered, and failed', async () => {
    const count = async (series: string): Promise<number> =>
      (await env.DB.prepare('SELECT value FROM metric_counters WHERE series = ?')
        .bind(series)
        .first<number>('value')) ?? 0;
    const counts = async () => ({
      delivered: await count('metrics.notification.delivered'),
      failed: await count('metrics.notification.failed'),
    });
    const before = await counts();
    const receiver = await new Receiver().answer({ status: 410 }, { status: 200 });
    // No other: enabled again, it could be told of its own disabling.
    const endpoint = await makeEndpoint({ url: receiver.url, events: ['payment.completed'] });
    await paid();
    const [delivery] = await deliveries(endpoint, settled);
    const failed = { ...before, failed: before.failed + 1 };
    expect(await until(counts, ({ failed: now }) => now > before.failed)).toEqual(failed);
    await post(`/webhook-endpoints/${endpoint.id}/enable`);
    // Given up once and delivered after all: in both totals, once, although it is then sent a third and a fourth time.
    for (const made of [2, 3, 4]) {
      expect((await post(`/webhook-deliveries/${delivery?.id}/resend`)).status).toBe(202);
      await deliveries(endpoint, ([now]) => now?.attempt_count === made && now.status === 'delivered');
    }
    // Deleting tells the record whatever it has not been told: nothing is counted twice for it.
    await call(`/webhook-endpoints/${endpoint.id}`, { method: 'DELETE' });
    expect(await counts()).toEqual({ ...failed, delivered: before.delivered + 1 });
  });
});

describe('a receiver', () => {
  test('that answers 500 nine times and then 200 gets the event once more, in the recorded schedule', async () => {
    const receiver = await new Receiver().answer(...Array.from({ length: 9 }, () => ({ status: 500 })), {});
    const endpoint = await makeEndpoint({ url: receiver.url });
    await paid();
    const [delivery] = await deliveries(endpoint, settled);
    const heard = await receiver.received();
    expect(delivery).toMatchObject({ status: 'delivered', attempt_count: 10 });
    expect(heard).toHaveLength(10);
    // The same event ten times: one id, the same bytes, each with a time and a signature of its own.
    expect(new Set(heard.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(new Set(heard.map(({ body }) => body)).size).toBe(1);
    for (const each of heard) expect(verified(endpoint.secret, each).type).toBe('payment.completed');
    const attempts = delivery?.attempts ?? [];
    const latenessMs: number[] = [];
    expect(attempts.map(({ http_status }) => http_status)).toEqual([...Array(9).fill(500), 200]);
    for (const [index, attempt] of attempts.entries()) {
      const before = attempts[index - 1];
      if (before === undefined) continue;
      const dueAtMs = Date.parse(before.next_attempt_at ?? '');
      const waitMs = POLICY.retryScheduleMs[index - 1] ?? 0;
      const endedAtMs = Date.parse(before.at) + before.duration_ms;
      expect(dueAtMs - endedAtMs).toBeGreaterThanOrEqual(waitMs * 0.8 - 1);
      expect(dueAtMs - endedAtMs).toBeLessThanOrEqual(waitMs + 1);
      // Never before it is due; and the receiver heard of it while it was under way.
      const atMs = Date.parse(attempt.at);
      expect(atMs).toBeGreaterThanOrEqual(dueAtMs);
      expect(heard[index]?.atMs).toBeGreaterThanOrEqual(atMs);
      expect(heard[index]?.atMs).toBeLessThanOrEqual(atMs + attempt.duration_ms);
      latenessMs.push(atMs - dueAtMs);
    }
    // Not so late that only the watchdog can have done it: one of them may be, on a machine that was busy.
    expect(latenessMs).toHaveLength(9);
    expect(latenessMs.sort((one, other) => one - other)[4]).toBeLessThan(POLICY.watchdogMs / 2);
  });

  test.each([
    ['redirects is not followed', { status: 302, headers: { location: '/hooks/elsewhere' } }, 302, 'redirect'],
    ['does not know us', { status: 404 }, 404, 'http_error'],
    ['breaks the connection', { does: 'cut' }, null, 'connection_failed'],
    ['refuses it, as the edge tells', edge(521), null, 'connection_failed'],
    ['never answers is given up at the timeout', { does: 'hang' }, null, 'timeout'],
  ] as const)('that %s: the attempt has failed, and the next one comes', async (_what, reply, status, error) => {
    const receiver = await new Receiver().answer(reply, { status: 204, body: '' });
    const endpoint = await makeEndpoint({ url: receiver.url });
    await paid();
    const [delivery] = await deliveries(endpoint, settled);
    expect(delivery).toMatchObject({
      status: 'delivered',
      attempts: [
        { http_status: status, error },
        { http_status: 204, error: null },
      ],
    });
    if (error === 'timeout') expect(delivery?.attempts[0]?.duration_ms).toBeGreaterThanOrEqual(POLICY.timeoutMs);
  });

  test('that answers with a body without end has answered: nothing of it is read', async () => {
    const receiver = await new Receiver().answer({ does: 'flood' });
    const endpoint = await makeEndpoint({ url: receiver.url });
    await paid();
    expect((await deliveries(endpoint, settled))[0]).toMatchObject({ status: 'delivered', attempt_count: 1 });
  });

  test('that asks to be left alone for a while is, as far as is reasonable', async () => {
    const receiver = await new Receiver().answer(
      { status: 503, headers: { 'retry-after': '1' } },
      { status: 429, headers: { 'retry-after': '86400' } },
      {},
    );
    const endpoint = await makeEndpoint({ url: receiver.url });
    await paid();
    await deliveries(endpoint, settled);
    const times = (await receiver.received()).map(({ atMs }) => atMs);
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(990);
    expect((times[2] ?? 0) - (times[1] ?? 0)).toBeGreaterThanOrEqual(POLICY.retryAfterMaxMs - 10);
    expect((times[2] ?? 0) - (times[1] ?? 0)).toBeLessThan(POLICY.retryAfterMaxMs + 2_000);
  });

  test('that is gone (410) disables its endpoint, which is told to the others, and is enabled again', async () => {
    const [gone, other, indifferent] = [await new Receiver().answer({ status: 410 }), new Receiver(), new Receiver()];
    const watching = await makeEndpoint({ url: other.url, events: ['webhook_endpoint.disabled'] });
    await makeEndpoint({ url: indifferent.url, events: ['payment.failed'] });
    const endpoint = await makeEndpoint({ url: gone.url });
    await paid();
    const [heard] = await other.heard(1);
    const shown = { id: endpoint.id, status: 'disabled', disabled_reason: 'gone', disabled_at: expect.any(String) };
    expect(heard && verified(watching.secret, heard)).toMatchObject({ type: 'webhook_endpoint.disabled', data: shown });
    expect(await json(`/webhook-endpoints/${endpoint.id}`)).toMatchObject(shown);
    expect(heard?.body).not.toContain(endpoint.secret);

    const [delivery] = await deliveriesOf(endpoint.id);
    expect(delivery).toMatchObject({ status: 'failed', attempts: [{ http_status: 410, error: 'gone' }] });
    expect((await post(`/webhook-deliveries/${delivery?.id}/resend`)).status).toBe(409);
    // What happens meanwhile is not for it; the indifferent one shows that the notification has been through.
    await paid({ token: 'pm_card_visa_chargeDeclined' });
    await indifferent.heard(1);
    expect(await deliveriesOf(endpoint.id)).toHaveLength(1);

    await gone.answer({ status: 200 });
    const enabled = await post(`/webhook-endpoints/${endpoint.id}/enable`);
    expect(await enabled.json()).toMatchObject({ id: endpoint.id, status: 'enabled' });
    await paid();
    expect(await gone.heard(2)).toHaveLength(2);
    expect(await other.received()).toHaveLength(1);
  });
});

describe('a receiver that never answers', () => {
  test('does not slow the deliveries to another: not the first, and not those that come behind', async () => {
    waitForHanging();
    const PAYMENTS = 12;
    const [fast, hanging] = [new Receiver(), await new Receiver().answer({ does: 'hang' })];
    const slow = await makeEndpoint({ url: hanging.url });
    await makeEndpoint({ url: fast.url });
    await Promise.all(Array.from({ length: PAYMENTS }, () => paid()));
    expect(await fast.heard(PAYMENTS)).toHaveLength(PAYMENTS);
    // All of that while no attempt at the other has ended: it has what it may have, five at once.
    expect(await hanging.heard(WEBHOOK_IN_FLIGHT_MAX)).toHaveLength(WEBHOOK_IN_FLIGHT_MAX);
    const behind = await deliveries(slow, (all) => all.length === PAYMENTS);
    expect(behind.every((each) => each.status === 'pending' && each.attempt_count === 0)).toBe(true);
    await hanging.answer({});
    await hanging.answerHanging();
    expect((await deliveries(slow, settled)).every(({ status }) => status === 'delivered')).toBe(true);
  });
});

describe('a secret that was rotated', () => {
  test('signs beside the new one: either verifies what is sent, and neither alone is enough for a stranger', async () => {
    const receiver = new Receiver();
    const first = await makeEndpoint({ url: receiver.url });
    const rotated = await post(`/webhook-endpoints/${first.id}/rotate-secret`);
    const second = await rotated.json<Endpoint>();
    expect(second.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(second.secret).not.toBe(first.secret);
    await paid();
    const [heard] = await receiver.heard(1);
    if (heard === undefined) throw new Error('nothing heard');
    expect(heard.headers['webhook-signature']).toMatch(/^v1,[A-Za-z0-9+/]{43}= v1,[A-Za-z0-9+/]{43}=$/);
    for (const { secret } of [first, second]) expect(verified(secret, heard).type).toBe('payment.completed');
    const stranger = `whsec_${btoa('x'.repeat(32))}`;
    expect(() => verified(stranger, heard)).toThrow('No matching signature');
    expect(() => new Webhook(second.secret).verify(`${heard.body} `, heard.headers)).toThrow('No matching signature');
  });
});

describe('resending', () => {
  test('sends the same id and bytes again, also long after it was delivered', async () => {
    const receiver = new Receiver();
    const endpoint = await makeEndpoint({ url: receiver.url });
    await paid();
    const [delivery] = await deliveries(endpoint, settled);
    const response = await post(`/webhook-deliveries/${delivery?.id}/resend`);
    expect(response.status).toBe(202);
    expect(await response.json()).toMatchObject({ id: delivery?.id, status: 'pending' });
    const [first, second] = await receiver.heard(2);
    expect(second?.body).toBe(first?.body);
    expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id']);
    const [now] = await deliveries(endpoint, settled);
    expect(now).toMatchObject({ id: delivery?.id, status: 'delivered', attempt_count: 2 });
  });

  test('a delivery that failed in the end has the whole schedule before it again', async () => {
    const receiver = await new Receiver().answer({ status: 410 }, { status: 500 }, {});
    // Of nothing else: once it is enabled again it may be told that it was disabled.
    const endpoint = await makeEndpoint({ url: receiver.url, events: ['payment.completed'] });
    await paid();
    const [failed] = await deliveries(endpoint, settled);
    expect(failed?.status).toBe('failed');
    await post(`/webhook-endpoints/${endpoint.id}/enable`);
    await post(`/webhook-deliveries/${failed?.id}/resend`);
    const [now] = await deliveries(endpoint, ([each]) => each?.status === 'delivered');
    expect(now?.attempts.map(({ http_status }) => http_status)).toEqual([410, 500, 200]);
  });
});

test('an endpoint that is deleted gets nothing more, also of what was pending', async () => {
  const receiver = await new Receiver().answer({ status: 500 });
  const endpoint = await makeEndpoint({ url: receiver.url });
  const witness = new Receiver();
  await makeEndpoint({ url: witness.url });
  await paid();
  await receiver.heard(1);
  expect((await call(`/webhook-endpoints/${endpoint.id}`, { method: 'DELETE' })).status).toBe(200);
  const heard = (await receiver.received()).length;
  await paid();
  await witness.heard(2);
  expect((await receiver.received()).length).toBeLessThanOrEqual(heard + 1);
  expect((await call(`/webhook-endpoints/${endpoint.id}/deliveries`)).status).toBe(404);
});

test(`a merchant has at most ${WEBHOOK_ENDPOINTS_MAX} endpoints, and all of them are served`, async () => {
  const receivers = Array.from({ length: WEBHOOK_ENDPOINTS_MAX }, () => new Receiver());
  const made = await Promise.all(receivers.map(({ url }) => post('/webhook-endpoints', { url })));
  expect(made.map(({ status }) => status)).toEqual(receivers.map(() => 201));
  const more = await post('/webhook-endpoints', { url: new Receiver().url });
  expect(await more.json()).toMatchObject({ status: 422, code: 'webhook_endpoints_limit_exceeded' });
  await postPayment({ wallet_id: freshKey('hook-wallet') });
  for (const receiver of receivers) await receiver.heard(1);
});
