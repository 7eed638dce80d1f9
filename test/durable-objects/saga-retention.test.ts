/** The end of a saga's object: when it is emptied, what is left, and what everyone who still asks it is answered. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type Grave, type Head, SAGA_KEY } from '../../durable-objects/saga/store.ts';
import { rebuild } from '../../src/auditor/rebuild.ts';
import { auditSagaOf } from '../../src/auditor/sagas.ts';
import { DAY_MS, RETENTION_MS } from '../../src/domain/limits.ts';
import { liveRequest } from '../../src/domain/live.ts';
import type { RecordMessage } from '../../src/domain/messages.ts';
import type { PaymentView } from '../../src/domain/payment.ts';
import type { RefundView } from '../../src/domain/refund.ts';
import type { SagaRpc } from '../../src/domain/saga-rpc.ts';
import { asCalls, paymentSagaStub, sagaStub } from '../../src/stubs.ts';
import { atRest, post, walkFindings } from '../audit/world.ts';
import { loseMessages } from '../support/losses.ts';
import { call, createPayment, freshKey, json, openWallet, postPayment, terminal, until } from '../support/payments.ts';
import { expired, inside, moveClockTo, objectOf, refundOf } from '../support/retention.ts';
import { asTables, editCommits, failWrites, withRecord } from '../support/saga-storage.ts';

const SCOPE = { merchant: 'default', mode: 'sandbox' } as const;
const OTHER = { merchant: 'other', mode: 'sandbox' } as const;
const MOVE = { action: 'retry', actor: 'jane', reason: 'test' } as const;

afterEach(() => {
  vi.useRealTimers();
  loseMessages(null);
});

async function ended(body: Record<string, unknown> = {}, key = freshKey()): Promise<PaymentView> {
  await openWallet('kept', 0);
  const { id } = await createPayment({ wallet_id: 'kept-1', ...body }, key);
  const payment = await terminal(id);
  await atRest([id]);
  return payment;
}

const rpcOf = (id: string) => {
  const stub = sagaStub(env, id);
  if (stub === null) throw new Error(id);
  return stub;
};
const statusOf = async (path: string, init?: RequestInit) => {
  const response = await call(path, init);
  const text = await response.text();
  return [response.status, response.status < 400 ? text : (JSON.parse(text) as { code: string }).code] as const;
};

describe('an object past its retention', () => {
  test('is one value, with no alarm, and smaller', async () => {
    const { id } = await ended();
    const before = await inside(id);
    expect(before.held).toEqual({ commits: 4 });
    await expired([id]);
    const after = await inside(id);
    expect(after).toMatchObject({ held: { tombstone: true }, alarmAtMs: null });
    expect(after.bytes).toBeLessThan(before.bytes);
  });

  test('is not emptied a moment too early', async () => {
    const { id, completed_at: completedAt } = await ended();
    const { alarmAtMs } = await inside(id);
    expect(alarmAtMs).toBe(Date.parse(completedAt ?? '') + RETENTION_MS);
    moveClockTo((alarmAtMs ?? 0) - 1);
    await runDurableObjectAlarm(objectOf(id));
    expect((await inside(id)).held).toEqual({ commits: 4 });
    moveClockTo(alarmAtMs ?? 0);
    await runDurableObjectAlarm(objectOf(id));
    expect((await inside(id)).held).toEqual({ tombstone: true });
  });

  test('is whole when its emptying fails in the middle, and emptied by the next alarm', async () => {
    const { id } = await ended();
    await runInDurableObject(objectOf(id), (_, { storage: { kv } }) => {
      const { commits } = kv.get<Head>(SAGA_KEY) ?? { commits: [] };
      kv.put('page 0', commits.slice(0, 3));
      kv.put(SAGA_KEY, { pages: [commits[2]?.sequenceLast], commits: commits.slice(3) });
    });
    await evictDurableObject(objectOf(id));
    // Its page is removed first, and must come back.
    const heal = await runInDurableObject(objectOf(id), (_, { storage }) =>
      failWrites(storage, (_key, value) => value !== undefined && 'tombstone' in (value as Grave)),
    );
    moveClockTo(Date.now() + RETENTION_MS + DAY_MS);
    await runDurableObjectAlarm(objectOf(id));
    const failed = await inside(id);
    expect(failed.held).toEqual({ commits: 1, pages: 1 });
    expect(failed.alarmAtMs).toBeGreaterThan(Date.now());
    heal();
    await runDurableObjectAlarm(objectOf(id));
    expect((await inside(id)).held).toEqual({ tombstone: true });
  });

  test('of an older version, with its tables, is emptied the same', async () => {
    const { id } = await ended();
    await runInDurableObject(objectOf(id), (_, { storage }) => {
      asTables(storage);
      storage.sql.exec('CREATE TABLE tombstones (entity_id TEXT NOT NULL PRIMARY KEY, expired_at_ms INTEGER NOT NULL)');
    });
    await evictDurableObject(objectOf(id));
    await expired([id]);
    expect((await inside(id)).held).toEqual({ tombstone: true });
    expect((await rpcOf(id).storedCommits(0)).tombstone?.remains).not.toBeNull();
  });

  test('of an older version, whose tombstone is a table, answers the same', async () => {
    const { id } = await ended();
    await expired([id]);
    const before = await rpcOf(id).storedCommits(0);
    await runInDurableObject(objectOf(id), (_, { storage }) => asTables(storage));
    await evictDurableObject(objectOf(id));
    expect((await inside(id)).held).toEqual({ tables: ['tombstones'] });
    expect(await rpcOf(id).storedCommits(0)).toEqual(before);
    expect(before.tombstone?.entityId).toBe(id);
    expect((await call(`/payments/${id}`)).status).toBe(200);
  });
});

describe('an object is kept past its time', () => {
  test('while a refund has its amount reserved, looked at daily, and 30 days more after that has ended', async () => {
    const { id } = await ended({ wallet_id: 'kept-2' });
    await paymentSagaStub(env, id)?.reserveRefund(SCOPE, 'ref_somebody', 100);
    await atRest([id]);
    moveClockTo(Date.now() + RETENTION_MS + DAY_MS);
    await runDurableObjectAlarm(objectOf(id));
    const held = await inside(id);
    expect(held.held).toHaveProperty('commits');
    expect(held.alarmAtMs).toBe(Date.now() + DAY_MS);
    await paymentSagaStub(env, id)?.settleRefund('ref_somebody', 'completed');
    vi.useRealTimers();
    await atRest([id]);
    moveClockTo(Date.now() + RETENTION_MS + 2 * DAY_MS);
    await runDurableObjectAlarm(objectOf(id));
    // The refund ended a day past the first retention.
    expect((await inside(id)).held).toHaveProperty('commits');
    moveClockTo(Date.now() + RETENTION_MS);
    await runDurableObjectAlarm(objectOf(id));
    expect((await inside(id)).held).toEqual({ tombstone: true });
  });

  test('while the record has not acknowledged its events', async () => {
    let lost = 0;
    loseMessages(({ queue, body }) => {
      if (queue !== 'payment-events') return false;
      if ((body as RecordMessage).kind === 'publication') lost += 1;
      return true;
    });
    const { id } = await createPayment({ wallet_id: 'kept-3' });
    await terminal(id);
    await until(
      async () => lost,
      (count) => count > 0,
    );
    moveClockTo(Date.now() + RETENTION_MS + DAY_MS);
    await runDurableObjectAlarm(objectOf(id));
    expect((await inside(id)).held).toEqual({ commits: 4 });
  });

  test('while a person is needed, however long that takes', async () => {
    loseMessages(() => true);
    const { id } = await createPayment({ wallet_id: 'kept-4', token: 'pm_sim_lost' });
    await runInDurableObject(objectOf(id), (_, { storage: { kv } }) => {
      editCommits(kv, (commit) =>
        withRecord(commit, ({ saga, ...record }) => ({
          ...record,
          saga: { ...(saga as object), state: 'needs_attention', pending: [] },
          publishDueAtMs: null,
        })),
      );
    });
    await evictDurableObject(objectOf(id));
    moveClockTo(Date.now() + 400 * DAY_MS);
    await runDurableObjectAlarm(objectOf(id));
    expect((await inside(id)).held).toHaveProperty('commits');
  });
});

describe('a tombstone answers', () => {
  test('everything that comes late, without a change', async () => {
    const key = freshKey();
    const { id, wallet_id: walletId } = await ended({ wallet_id: 'kept-5' }, key);
    const { id: refundId } = await refundOf(id, { amount: 10 });
    // The refund first: the last that it does is to settle with the payment, which then has that to publish.
    await atRest([refundId, id]);
    const refund = await json<RefundView>(`/refunds/${refundId}`);
    const events = await json<{ data: unknown[] }>(`/payments/${id}/events`);
    const body = await json<PaymentView>(`/payments/${id}`);
    await expired([id, refund.id]);
    const payment = rpcOf(id);

    // The key, and its reader.
    const reused = await postPayment({ wallet_id: walletId }, key);
    expect([reused.status, (await reused.json<{ code: string }>()).code]).toEqual([409, 'idempotency_key_expired']);
    expect(await json(`/idempotency-keys/${key}?route=/payments`)).toMatchObject({ status: 'expired' });
    // The public reads: what the record has.
    expect(await json(`/payments/${id}`)).toEqual(body);
    expect(await json(`/payments/${id}/events`)).toEqual(events);
    const { data, next_cursor: next } = await json<{ data: unknown[]; next_cursor: string }>(
      `/payments/${id}/events?after=2&limit=2`,
    );
    expect([data, next]).toEqual([events.data.slice(2, 4), expect.any(String)]);
    expect(await json(`/refunds/${refund.id}`)).toEqual(refund);
    const list = await json<{ data: PaymentView[] }>(`/payments?wallet_id=${walletId}`);
    expect(list.data).toEqual([body]);
    expect(await payment.read(OTHER)).toEqual({ kind: 'not_found' });
    // Messages of every kind.
    const outcome = { effect_id: 'late', fact: { event_type: 'wallet.release_funds', payload: {} } };
    expect(await payment.deliver([outcome as never])).toEqual({ kind: 'delivered' });
    expect(await payment.commandDied('late')).toEqual({ kind: 'delivered' });
    expect(await payment.awaits('late')).toBe(false);
    await payment.acknowledge({ effectIds: ['late'], events: { first: 1, last: 99 } });
    await paymentSagaStub(env, id)?.settleRefund(refund.id, 'released');
    expect(await payment.redrive(SCOPE, [{ kind: 'effect', effectId: 'late' }])).toMatchObject({
      state: 'expired',
      outcomes: ['no_longer_awaited'],
    });
    expect(await payment.standing(SCOPE, { kind: 'publication' })).toMatchObject({ state: 'expired', awaits: false });
    // The sweeper, a person, a new refund, the rebuild, reconciliation's second look.
    expect(await payment.poke(0)).toEqual({ kind: 'expired' });
    expect(await payment.inspect(SCOPE)).toEqual({ kind: 'not_found' });
    expect(await payment.judgeMove(SCOPE, MOVE as never)).toEqual({ kind: 'not_found' });
    expect(await statusOf(`/ops/sagas/${id}`)).toEqual([404, 'not_found']);
    const refused = await post('/refunds', { payment_id: id }, { 'idempotency-key': freshKey('refund') });
    expect(refused.status).toBe(404);
    expect(await rebuild(env, [id], [])).toMatchObject({ sagas: 0, empty: [id] });
    expect(await payment.readRow()).toEqual({ kind: 'not_found' });
    // Live timelines: there is nothing to follow.
    expect(await statusOf(`/payments/${id}/events`, { headers: { accept: 'text/event-stream' } })).toEqual([
      410,
      'record_archived',
    ]);
    const head = { method: 'HEAD', headers: { accept: 'text/event-stream' } };
    expect((await call(`/payments/${id}/events`, head)).status).toBe(410);
    const stub = asCalls<SagaRpc>(objectOf(id) as never);
    expect((await stub.fetch(liveRequest({ scope: OTHER, afterSequence: 0 }))).status).toBe(404);
    // And nothing of all that has changed it.
    expect(await inside(id)).toMatchObject({ held: { tombstone: true }, alarmAtMs: null });
    expect(await json(`/payments/${id}`)).toEqual(body);
    expect(await walkFindings()).toEqual([]);
  });

  test('a stream that was left open with its end', async () => {
    const { id } = await ended({ wallet_id: 'kept-6' });
    await runInDurableObject(objectOf(id), (_, state) => {
      // As one whose closing handshake never came.
      const { 1: server } = new WebSocketPair();
      state.acceptWebSocket(server);
      server.serializeAttachment(0);
    });
    moveClockTo(Date.now() + RETENTION_MS + DAY_MS);
    await runDurableObjectAlarm(objectOf(id));
    expect((await inside(id)).held).toEqual({ tombstone: true });
  });

  test('the auditor with proofs: an edited row, an edited event and a lost run of the record are found', async () => {
    const { id } = await ended({ wallet_id: 'kept-7' });
    await expired([id]);
    const whats = async () => (await auditSagaOf(env, id)).findings.map(({ what }) => what);
    expect(await whats()).toEqual([]);
    const group = `payment_${id}`;
    const edits = [
      [
        'UPDATE payments SET status = ? WHERE id = ?',
        ['FAILED', id],
        ['COMPLETED', id],
        'the row is not what its tombstone proves',
      ],
      [
        `UPDATE events SET events = json_set(events, '$[0].payload.amount', ?) WHERE group_id = ? AND sequence_first = 1`,
        [1, group],
        [1230, group],
        'the log is not what its tombstone proves',
      ],
      [
        'UPDATE events SET group_id = ? WHERE group_id = ? AND sequence_first = 1',
        ['payment_x', group],
        [group, 'payment_x'],
        'the log is not what its tombstone proves',
      ],
    ] as const;
    for (const [statement, edit, back, what] of edits) {
      await env.DB.prepare(statement)
        .bind(...edit)
        .run();
      expect(await whats()).toEqual([what]);
      await env.DB.prepare(statement)
        .bind(...back)
        .run();
      expect(await whats()).toEqual([]);
    }
    await env.DB.prepare('DELETE FROM payments WHERE id = ?').bind(id).run();
    expect(await whats()).toEqual(['the record has no row of it']);
  });
});

test('a saga whose alarm was lost is emptied when the archiver asks for it, and one that is not due is not', async () => {
  const { id } = await ended({ wallet_id: 'kept-8' });
  const before = await rpcOf(id).retire();
  expect(before).toEqual({ kind: 'kept', dueAtMs: expect.any(Number) });
  expect(before.kind === 'kept' && before.dueAtMs).toBeGreaterThan(Date.now() + RETENTION_MS - DAY_MS);
  await runInDurableObject(objectOf(id), (_, { storage }) => storage.deleteAlarm());
  moveClockTo(Date.now() + RETENTION_MS + DAY_MS);
  expect(await rpcOf(id).retire()).toMatchObject({ kind: 'retired', tombstone: { entityId: id } });
  await until(
    () => inside(id),
    ({ alarmAtMs }) => alarmAtMs === null,
  );
  expect(await rpcOf(id).retire()).toMatchObject({ kind: 'retired' });
});
