import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { consumeNotifications } from '../../queues/notifications.ts';
import { tellNobody, tellSomebody } from '../support/webhooks.ts';
import { brokenDatabase, bug, deliver, freshPaymentId, message, overloaded, Recorder, transient } from './messages.ts';

const QUEUE = 'notifications';
const success = (id: string) => message('orchestrator.notify.payment_success', id);

async function stored(paymentId: string): Promise<Record<string, unknown>[]> {
  const { results } = await env.DB.prepare('SELECT * FROM notifications WHERE group_id = ? ORDER BY id')
    .bind(`payment_${paymentId}`)
    .all();
  return results;
}

beforeEach(() => tellSomebody());
afterEach(tellNobody);

describe('a notification', () => {
  test('for nobody is not stored, and its saga is told', async () => {
    await tellNobody();
    const recorder = new Recorder();
    const [one, other] = [freshPaymentId(), freshPaymentId()];
    const bodies = [success(one), message('orchestrator.notify.payment_failure', other)];
    // The second has somebody: an endpoint that asks for its type alone.
    await tellSomebody(['payment.failed']);
    const settled = await deliver(consumeNotifications, QUEUE, bodies, recorder.env);
    expect(settled).toEqual({ acked: ['m1', 'm2'], retried: {} });
    expect([(await stored(one)).length, (await stored(other)).length]).toEqual([0, 1]);
    expect(recorder.acknowledged.map(({ paymentId }) => paymentId).sort()).toEqual([one, other].sort());
  });

  test.each(['orchestrator.notify.payment_success', 'orchestrator.notify.payment_failure'] as const)(
    '%s is stored as it came, acknowledged, and its saga is told',
    async (type) => {
      const recorder = new Recorder();
      const id = freshPaymentId();
      const event = message(type, id);
      const settled = await deliver(consumeNotifications, QUEUE, [event], recorder.env);
      expect(settled).toEqual({ acked: ['m1'], retried: {} });
      const [row, ...more] = await stored(id);
      expect(more).toEqual([]);
      expect(row).toMatchObject({ id: `${type}.${id}`, event_type: type });
      expect(JSON.parse(String(row?.body))).toEqual(event);
      // Its batch, the rows of it, and the call that tells of it.
      const spent = { worker_requests: 1, object_requests: 1, object_ms: 1, d1_rows_written: 1, queue_operations: 2 };
      expect(recorder.acknowledged).toMatchObject([{ paymentId: id, effectIds: [`${type}.${id}`], spent }]);
    },
  );

  test('that comes twice, in one batch and later, is stored once and as it first came', async () => {
    const id = freshPaymentId();
    const again = { ...success(id), timestamp: '2027-01-01T00:00:00.000Z' };
    await deliver(consumeNotifications, QUEUE, [success(id), success(id)], new Recorder().env);
    const recorder = new Recorder();
    const settled = await deliver(consumeNotifications, QUEUE, [again], recorder.env);
    expect(settled.acked).toEqual(['m1']);
    expect((await stored(id)).map(({ body }) => JSON.parse(String(body)) as unknown)).toEqual([success(id)]);
    // The first acknowledgement may have been lost: the saga is told again.
    expect(recorder.acknowledged.length).toBe(1);
  });

  test('whose saga cannot be told is retried, stored once, and harms no neighbour', async () => {
    const recorder = new Recorder();
    const [broken, busy, other] = [freshPaymentId(), freshPaymentId(), freshPaymentId()];
    recorder.breakSaga(broken, transient);
    recorder.breakSaga(busy, overloaded);
    const bodies = [broken, busy, other].map(success);
    const settled = await deliver(consumeNotifications, QUEUE, bodies, recorder.env);
    expect(settled).toEqual({ acked: ['m3'], retried: { m1: 1, m2: expect.any(Number) } });
    expect(settled.retried.m2).toBeGreaterThanOrEqual(5);
    const later = new Recorder();
    expect((await deliver(consumeNotifications, QUEUE, bodies, later.env)).acked).toEqual(['m1', 'm2', 'm3']);
    for (const id of [broken, busy, other]) expect((await stored(id)).length).toBe(1);
  });

  test('whose saga breaks on the news is dead: a bug is not tried again', async () => {
    const recorder = new Recorder();
    const id = freshPaymentId();
    recorder.breakSaga(id, bug);
    const settled = await deliver(consumeNotifications, QUEUE, [success(id)], recorder.env);
    expect(settled).toEqual({ acked: ['m1'], retried: {} });
    expect(recorder.dead).toMatchObject([{ queue: QUEUE, reason: expect.stringContaining('InvariantError') }]);
  });

  test('is retried while D1 takes nothing, and its saga is not told', async () => {
    const recorder = new Recorder({ DB: brokenDatabase() });
    const settled = await deliver(consumeNotifications, QUEUE, [success(freshPaymentId())], recorder.env);
    expect(settled).toEqual({ acked: [], retried: { m1: 1 } });
    expect(recorder.acknowledged).toEqual([]);
  });

  test('that nobody can read is buried, and its neighbours are stored', async () => {
    const recorder = new Recorder();
    const id = freshPaymentId();
    const poison = { ...success(id), payload: { payment_id: id, status: 'PENDING' } };
    const settled = await deliver(consumeNotifications, QUEUE, [poison, success(id)], recorder.env);
    expect(settled.acked).toEqual(['m1', 'm2']);
    expect(recorder.dead).toMatchObject([{ queue: QUEUE, reason: expect.stringContaining('/status'), body: poison }]);
    expect((await stored(id)).length).toBe(1);
  });
});
