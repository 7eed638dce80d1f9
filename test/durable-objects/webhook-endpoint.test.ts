/**
 * The object of one endpoint: what survives an eviction or a crash, what it writes, how much it does at once, and how it
 * tells that it is disabled. Receivers are real ones, on loopback.
 */
import { abortAllDurableObjects, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { SCHEMA } from '../../durable-objects/webhook-endpoint/schema.ts';
import { WebhookEndpointStore } from '../../durable-objects/webhook-endpoint/store.ts';
import type { Envelope } from '../../src/domain/events/envelope.ts';
import type { Scope } from '../../src/domain/ids.ts';
import {
  DAY_MS,
  MINUTE_MS,
  WEBHOOK_IN_FLIGHT_MAX,
  WEBHOOK_PENDING_MAX,
  WEBHOOK_RETENTION_MS,
  WEBHOOK_SECRET_OVERLAP_MS,
} from '../../src/domain/limits.ts';
import { deliveryKey, webhookEndpointId, webhookEndpointObjectName } from '../../src/domain/webhook.ts';
import { type DeliveryView, type Notification, newDelivery, resent } from '../../src/domain/webhook-delivery.ts';
import { WEBHOOK_POLICIES } from '../../src/domain/webhook-policy.ts';
import type { DeliveriesResult, WebhookEndpointRpc } from '../../src/domain/webhook-rpc.ts';
import { enterEndpoint } from '../../src/read-model/webhook-endpoints.ts';
import { asCalls, type Calls } from '../../src/stubs.ts';
import { kindOf, loseFirst, loseMessages } from '../support/losses.ts';
import { until } from '../support/payments.ts';
import { Receiver, type Reply, verified, waitForHanging } from '../support/receiver.ts';

const SCOPE: Scope = { merchant: 'object-level', mode: 'sandbox' };
const POLICY = WEBHOOK_POLICIES.sandbox;
let last = 0n;

afterEach(() => {
  loseMessages(null);
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function stubOf(id: string, scope = SCOPE) {
  return env.WEBHOOK_ENDPOINT.getByName(webhookEndpointObjectName(scope, id));
}

/** The object by its contract, on a fresh stub each time: one that was aborted is broken. */
function rpc(id: string, scope = SCOPE): Calls<WebhookEndpointRpc> {
  return asCalls<WebhookEndpointRpc>(stubOf(id, scope));
}

async function made(url: string): Promise<{ id: string; secret: string }> {
  last += 1n;
  const id = webhookEndpointId(last);
  const result = await rpc(id).create({ id, scope: SCOPE, url, events: null, description: null });
  if (result.kind === 'not_found') throw new Error('not made');
  return { id, secret: result.secret };
}

function notification(name: string, atMs = Date.now()): Notification {
  return { key: deliveryKey(name, atMs), eventType: 'payment.completed', body: JSON.stringify({ name }) };
}

async function accept(id: string, ...names: readonly string[]): Promise<void> {
  const atMs = Date.now();
  expect(await rpc(id).accept(names.map((name) => notification(name, atMs)))).toEqual({ kind: 'accepted' });
}

async function deliveries(id: string): Promise<readonly DeliveryView[]> {
  const result: DeliveriesResult = await rpc(id).readDeliveries(null, 100);
  return result.kind === 'found' ? result.deliveries : [];
}

async function delivered(id: string, count = 1): Promise<readonly DeliveryView[]> {
  return until(
    () => deliveries(id),
    (all) => all.filter(({ status }) => status === 'delivered').length === count,
  );
}

const alarmOf = (id: string): Promise<number | null> =>
  runInDurableObject(stubOf(id), (_object, state) => state.storage.getAlarm());
const failing = (times: number, reply: Reply = { status: 500 }): Reply[] => [...Array<Reply>(times).fill(reply), {}];

describe('an object that was never created', () => {
  test("is what another merchant's or mode's id leads to: it answers not_found, and writes nothing", async () => {
    const { id } = await made(new Receiver().url);
    await accept(id, 'a');
    const [delivery] = await delivered(id);
    const key = deliveryKey('a', Date.parse(delivery?.created_at ?? ''));
    for (const scope of [{ ...SCOPE, merchant: 'another' }, { ...SCOPE, mode: 'live' } as const]) {
      const foreign = rpc(id, scope);
      expect(await foreign.read()).toEqual({ kind: 'not_found' });
      expect(await foreign.rotateSecret()).toEqual({ kind: 'not_found' });
      expect(await foreign.enable()).toEqual({ kind: 'not_found' });
      expect(await foreign.readDeliveries(null, 10)).toEqual({ kind: 'not_found' });
      expect(await foreign.resend(key)).toEqual({ kind: 'not_found' });
      expect(await foreign.accept([notification('b')])).toEqual({ kind: 'not_found' });
      expect(await foreign.destroy()).toEqual({ kind: 'not_found' });
      await foreign.acknowledgeNotice('x');
      const tables = await runInDurableObject(stubOf(id, scope), (_object, state) =>
        state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'").toArray(),
      );
      expect(tables).toEqual([]);
    }
    expect((await rpc(id).read()).kind).toBe('found');
  });
});

describe('between attempts', () => {
  test('an eviction after each loses nothing, repeats nothing and keeps the schedule', async () => {
    const receiver = await new Receiver().answer(...failing(4));
    const { id, secret } = await made(receiver.url);
    await accept(id, 'a');
    for (let attempts = 1; attempts <= 4; attempts += 1) {
      await until(
        () => deliveries(id),
        ([delivery]) => (delivery?.attempt_count ?? 0) >= attempts,
      );
      await evictDurableObject(stubOf(id));
    }
    const [delivery] = await delivered(id);
    expect(delivery?.attempts.map(({ http_status }) => http_status)).toEqual([500, 500, 500, 500, 200]);
    const heard = await receiver.received();
    expect(heard).toHaveLength(5);
    for (const each of heard) expect(verified(secret, each)).toEqual({ name: 'a' });
  });

  test('a crash in the middle of an attempt loses nothing: it is made again, under the same id', async () => {
    const receiver = await new Receiver().answer({ does: 'hang' }, {});
    const { id } = await made(receiver.url);
    await accept(id, 'a', 'b');
    await receiver.heard(1);
    await abortAllDurableObjects();
    await delivered(id, 2);
    // Long before any person would notice: the watchdog was armed before the attempt.
    const ids = (await receiver.received()).map(({ headers }) => headers['webhook-id']);
    expect(new Set(ids).size).toBe(2);
    expect(ids.length).toBeGreaterThanOrEqual(3);
  });

  test('an alarm that fails is set again: nothing pending is ever without one', async () => {
    const { id } = await made((await new Receiver().answer({ status: 500 })).url);
    await accept(id, 'a');
    await until(
      () => deliveries(id),
      ([delivery]) => delivery?.attempt_count === 1,
    );
    await runInDurableObject(stubOf(id), (_object, state) => {
      state.storage.sql.exec("UPDATE deliveries SET history = 'not JSON', due_at_ms = 0");
    });
    await runDurableObjectAlarm(stubOf(id));
    expect(await alarmOf(id)).toBeGreaterThan(Date.now());
    expect(await alarmOf(id)).toBeLessThanOrEqual(Date.now() + MINUTE_MS);
  });
});

describe('attempts', () => {
  test('of one endpoint are at most five at once; what falls due meanwhile has to wait for a slot', async () => {
    waitForHanging();
    const receiver = await new Receiver().answer({ does: 'hang' });
    const { id } = await made(receiver.url);
    await accept(id, ...Array.from({ length: 8 }, (_each, index) => `n-${index}`));
    await receiver.heard(WEBHOOK_IN_FLIGHT_MAX);
    // What another endpoint takes in after that is delivered: by then a sixth would have been heard.
    const other = await made(new Receiver().url);
    await accept(other.id, 'after');
    await delivered(other.id);
    expect(await receiver.received()).toHaveLength(WEBHOOK_IN_FLIGHT_MAX);
    await receiver.answerHanging();
    await receiver.heard(8);
    await receiver.answerHanging();
    await delivered(id, 8);
  });

  test('of what comes in, and of retries, begin while another still waits for its answer', async () => {
    waitForHanging();
    const receiver = await new Receiver().answer({ does: 'hang' }, { status: 500 }, {});
    const { id } = await made(receiver.url);
    await accept(id, 'hanging');
    await receiver.heard(1);
    await accept(id, 'after');
    // Failed, tried again and delivered, while the first is under way.
    const [after, hanging] = await delivered(id);
    expect(after).toMatchObject({ status: 'delivered', attempts: [{ http_status: 500 }, { http_status: 200 }] });
    expect(hanging).toMatchObject({ status: 'pending', attempt_count: 0 });
    await receiver.answerHanging();
    await delivered(id, 2);
    expect(await receiver.received()).toHaveLength(3);
  });

  test('are not made at a URL that may not be called any more', async () => {
    const receiver = new Receiver();
    const { id } = await made(receiver.url);
    await runInDurableObject(stubOf(id), (_object, state) => {
      state.storage.sql.exec("UPDATE endpoint SET state = json_set(state, '$.url', 'http://10.0.0.1/')");
    });
    await evictDurableObject(stubOf(id));
    await accept(id, 'a');
    const [delivery] = await until(
      () => deliveries(id),
      ([each]) => (each?.attempt_count ?? 0) > 0,
    );
    expect(delivery?.attempts[0]).toMatchObject({ http_status: null, error: 'url_refused' });
  });
});

describe('a notification', () => {
  test('that comes again is the same delivery, before and after an eviction', async () => {
    const receiver = new Receiver();
    const { id } = await made(receiver.url);
    const twice = notification('a');
    await rpc(id).accept([twice, twice]);
    await delivered(id);
    await evictDurableObject(stubOf(id));
    await rpc(id).accept([twice]);
    await accept(id, 'b');
    await delivered(id, 2);
    expect(await receiver.received()).toHaveLength(2);
  });

  test('that there is no room for has failed, is listed, and can be sent again by hand', async () => {
    const receiver = new Receiver();
    const { id } = await made(receiver.url);
    await runInDurableObject(stubOf(id), (_object, state) => {
      // Far in the future: pending, and never due.
      state.storage.sql.exec(
        `INSERT INTO deliveries
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
         SELECT i, 'full', 'payment.completed', 'pending', 9e15, '{}', '' FROM n`,
        WEBHOOK_PENDING_MAX - 1,
      );
    });
    await accept(id, 'fits');
    await receiver.heard(1);
    await until(
      async () => (await rpc(id).readDeliveries(null, 1)) as DeliveriesResult,
      (page) => page.kind === 'found' && page.deliveries[0]?.status === 'delivered',
    );
    const atMs = Date.now() + 10;
    await rpc(id).accept([notification('fits-too', atMs), notification('one-more', atMs + 1)]);
    const page = await until(
      async () => (await rpc(id).readDeliveries(null, 3)) as DeliveriesResult,
      (each) => each.kind === 'found' && each.deliveries[1]?.status === 'delivered',
    );
    if (page.kind === 'not_found') throw new Error('not found');
    expect(page.deliveries.map(({ status, attempt_count }) => [status, attempt_count])).toEqual([
      ['failed', 0],
      ['delivered', 1],
      ['delivered', 1],
    ]);
    expect((await rpc(id).resend(deliveryKey('one-more', atMs + 1))).kind).toBe('resent');
    await receiver.heard(3);
  });
});

describe('a disabled endpoint', () => {
  /** An endpoint whose deliveries have each one attempt left, so that its failing need not be waited for. */
  async function failingEndpoint(names: readonly string[]): Promise<{ id: string; secret: string }> {
    const endpoint = await made((await new Receiver().answer({ status: 503 })).url);
    const { id } = endpoint;
    await enterEndpoint(env.DB, { id, scope: SCOPE, events: null }, Date.now());
    await runInDurableObject(stubOf(id), async (_object, state) => {
      const store = new WebhookEndpointStore(state.storage.sql);
      for (const name of names) {
        const delivery = resent(newDelivery(notification(name), Date.now()), Date.now());
        store.add({ ...delivery, history: { ...delivery.history, tries: POLICY.retryScheduleMs.length } });
      }
      await state.storage.setAlarm(Date.now());
    });
    return endpoint;
  }

  test('is one to which three deliveries in a row have failed; it tells until it is heard, and once', async () => {
    const { lost } = loseFirst(2, (kind) => kind === 'orchestrator.notify.webhook_endpoint_disabled');
    const other = new Receiver();
    const watching = await made(other.url);
    await enterEndpoint(env.DB, { id: watching.id, scope: SCOPE, events: ['webhook_endpoint.disabled'] }, Date.now());
    const { id } = await failingEndpoint(['a', 'b', 'c']);
    const [heard] = await other.heard(1);
    expect(lost.get('orchestrator.notify.webhook_endpoint_disabled')).toBe(2);
    expect(heard && verified(watching.secret, heard)).toMatchObject({
      type: 'webhook_endpoint.disabled',
      data: { id, object: 'webhook_endpoint', status: 'disabled', disabled_reason: 'failing' },
    });
    // Taken over: it is not told again, whatever the alarm does.
    await until(
      () => runInDurableObject(stubOf(id), (_object, state) => new WebhookEndpointStore(state.storage.sql).load()),
      (state) => state?.notice === null,
    );
    await runDurableObjectAlarm(stubOf(id));
    expect(await other.received()).toHaveLength(1);
    expect(await rpc(id).accept([notification('d')])).toEqual({ kind: 'disabled' });
  });

  test('whose notice died sends it again when it is redriven, until it is taken over', async () => {
    const effects: string[] = [];
    loseMessages((delivery) => {
      const isNotice = kindOf(delivery) === 'orchestrator.notify.webhook_endpoint_disabled';
      if (isNotice) effects.push((delivery.body as Envelope).metadata.message_deduplication_id);
      return isNotice;
    });
    const { id } = await failingEndpoint(['a', 'b', 'c']);
    const effectId = await until(
      async () => effects[0] ?? '',
      (found) => found !== '',
    );
    // Nothing but the redrive can send it now.
    await runInDurableObject(stubOf(id), (_object, state) => state.storage.deleteAlarm());
    loseMessages(null);
    const notice = { kind: 'effect', effectId } as const;
    expect(await rpc(id).standing(SCOPE, notice)).toEqual({ kind: 'known', state: 'disabled', awaits: true });
    expect(await rpc(id).redrive(SCOPE, [{ kind: 'effect', effectId: 'another' }, notice])).toEqual({
      kind: 'redriven',
      state: 'disabled',
      outcomes: ['no_longer_awaited', 'sent_again'],
    });
    await until(
      () => rpc(id).standing(SCOPE, notice),
      (standing) => standing.kind === 'known' && !standing.awaits,
    );
    expect(await rpc(id).redrive(SCOPE, [notice])).toMatchObject({ outcomes: ['no_longer_awaited'] });
    const nobody = webhookEndpointId(2n ** 100n);
    expect(await rpc(nobody).redrive(SCOPE, [notice])).toEqual({ kind: 'unknown_owner' });
    expect(await rpc(nobody).standing(SCOPE, notice)).toEqual({ kind: 'unknown_owner' });
  });

  test('keeps what is pending, through an eviction, and goes on with it when it is enabled', async () => {
    // Asked to wait: a tenth of a second later it would race with the other.
    const wait = { status: 503, headers: { 'retry-after': '86400' } };
    const receiver = await new Receiver().answer(wait, { status: 410 }, {});
    const { id } = await made(receiver.url);
    await accept(id, 'pending');
    await until(
      () => deliveries(id),
      ([delivery]) => delivery?.attempt_count === 1,
    );
    await accept(id, 'gone');
    await until(
      () => rpc(id).read(),
      (result) => result.kind === 'found' && result.endpoint.status === 'disabled',
    );
    await evictDurableObject(stubOf(id));
    await runDurableObjectAlarm(stubOf(id));
    expect(await receiver.received()).toHaveLength(2);
    expect((await deliveries(id)).map(({ status, next_attempt_at }) => [status, next_attempt_at])).toEqual([
      ['failed', null],
      ['pending', null],
    ]);
    await rpc(id).enable();
    expect(await delivered(id)).toHaveLength(2);
    expect(await receiver.received()).toHaveLength(3);
  });
});

describe('a rotated secret', () => {
  test('stops signing after a day, and the endpoint shows no secret when it is read', async () => {
    const receiver = new Receiver();
    const first = await made(receiver.url);
    const second = await rpc(first.id).rotateSecret();
    if (second.kind === 'not_found') throw new Error('not found');
    await evictDurableObject(stubOf(first.id));
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + WEBHOOK_SECRET_OVERLAP_MS });
    await accept(first.id, 'a');
    await runDurableObjectAlarm(stubOf(first.id));
    const [heard] = await receiver.heard(1);
    if (heard === undefined) throw new Error('nothing heard');
    expect(heard.headers['webhook-signature']?.split(' ')).toHaveLength(1);
    expect(verified(second.secret, heard)).toEqual({ name: 'a' });
    expect(() => verified(first.secret, heard)).toThrow('No matching signature');
    expect(JSON.stringify(await rpc(first.id).read())).not.toContain('whsec_');
  });
});

describe('storage', () => {
  test('takes 2 rows when a delivery comes and 2 when it ends, besides the alarm', async () => {
    const rows: number[] = [];
    await runInDurableObject(stubOf('rows'), (_object, state) => {
      const counting = {
        exec: (query: string, ...values: unknown[]) => {
          const cursor = state.storage.sql.exec(query, ...values);
          rows.push(cursor.rowsWritten);
          return cursor;
        },
      } as unknown as SqlStorage;
      for (const statement of SCHEMA) state.storage.sql.exec(statement);
      const store = new WebhookEndpointStore(counting);
      const delivery = newDelivery(notification('a'), 1);
      expect(store.add(delivery)).toBe(true);
      store.update({ ...delivery, status: 'delivered', dueAtMs: null });
      store.save({} as never);
      expect(store.add(delivery)).toBe(false);
    });
    expect(rows).toEqual([2, 1, 1, 0]);
  });

  test('forgets a delivery after thirty days, and one that is pending only where the endpoint is disabled', async () => {
    const receiver = new Receiver();
    const { id } = await made(receiver.url);
    await accept(id, 'old');
    await delivered(id);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + WEBHOOK_RETENTION_MS - DAY_MS });
    await accept(id, 'young');
    await runDurableObjectAlarm(stubOf(id));
    await delivered(id, 2);
    vi.setSystemTime(Date.now() + 2 * DAY_MS);
    await runDurableObjectAlarm(stubOf(id));
    expect(await deliveries(id)).toHaveLength(1);
    // For the next to end.
    expect(await alarmOf(id)).toBeGreaterThan(Date.now() + WEBHOOK_RETENTION_MS - 3 * DAY_MS);
  });

  test('is empty after the endpoint is destroyed, also when its receiver answers later', async () => {
    const receiver = await new Receiver().answer({ does: 'hang' });
    const { id } = await made(receiver.url);
    await accept(id, 'a');
    await receiver.heard(1);
    expect((await rpc(id).destroy()).kind).toBe('found');
    expect(await rpc(id).accept([notification('b')])).toEqual({ kind: 'not_found' });
    const left = () =>
      runInDurableObject(stubOf(id), async (_object, state) => ({
        tables: state.storage.sql
          .exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'")
          .toArray(),
        alarm: await state.storage.getAlarm(),
      }));
    // The attempt that was under way ends at its timeout; what it finds is nothing, and it writes nothing.
    const endMs = Date.now() + POLICY.timeoutMs + 500;
    await until(left, () => Date.now() > endMs);
    expect((await left()).tables).toEqual([]);
    expect(await rpc(id).read()).toEqual({ kind: 'not_found' });
  });
});
