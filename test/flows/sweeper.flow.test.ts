/**
 * The sweeper over real objects, queues and D1: what no alarm will ever wake gets to its end, what the record has lost is
 * published again, and nobody starves. The cron's time is the test's: an hour from now, everything has stood still.
 */
import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { publicIdFromHex } from '../../src/domain/ids.ts';
import { ALARM_RINGING_MS, HOUR_MS, MINUTE_MS } from '../../src/domain/limits.ts';
import type { SagaRpc } from '../../src/domain/saga-rpc.ts';
import { SWEEP_SAGAS_MAX } from '../../src/domain/sweep-policy.ts';
import { sweep } from '../../src/recovery/sweep.ts';
import { loseAll, loseMessages } from '../support/losses.ts';
import {
  call,
  chargeOf,
  createPayment,
  entries,
  freshKey,
  json,
  openWallet,
  terminal,
  until,
} from '../support/payments.ts';
import { alarmAtMsOf, inState, recorded, saga, sagaObject, strand, stuckPayment } from '../support/stuck.ts';

const inAnHour = () => Date.now() + HOUR_MS;
let wallets = 0;
async function freshWallet(): Promise<string> {
  wallets += 1;
  await openWallet(`sweep-${wallets}`, 5_000);
  return `sweep-${wallets}`;
}

beforeEach(async () => {
  await env.DB.batch([env.DB.prepare('DELETE FROM payments'), env.DB.prepare('DELETE FROM refunds')]);
});
afterEach(() => loseMessages(null));

describe('a payment whose alarm is lost', () => {
  test('stays where it is without the sweeper, and with it gets to its end', async () => {
    const walletId = await freshWallet();
    const id = await stuckPayment(walletId);
    // The canary: it should have been woken two seconds ago.
    expect(await saga(id)).toMatchObject({ saga_state: 'holding_funds' });
    expect(await sweep(env, Date.now())).toMatchObject({ examined: 0 });

    const report = await sweep(env, inAnHour());
    expect(report).toMatchObject({ examined: 1, poked: 1, moved: 1, wallets_asked: 1, truncated: false });
    expect(report.findings).toEqual([{ kind: 'alarm_lost', id, state: 'holding_funds' }]);
    expect((await terminal(id)).status).toBe('COMPLETED');
    expect((await entries(walletId)).map(({ type }) => type)).toEqual(['deposit', 'hold', 'debit']);
    expect(await chargeOf(id)).toMatchObject({ status: 'authorized', calls: { authorize: 1 } });
    await recorded(id, 'completed');
    expect((await sweep(env, inAnHour() + HOUR_MS)).findings).toEqual([]);
  });

  test('is swept side by side with a refund of which the same is true', async () => {
    const walletId = await freshWallet();
    const { id: paymentId } = await createPayment({ wallet_id: walletId, amount: 500 });
    await terminal(paymentId);
    const { isAllLost } = loseAll('orchestrator.gateway.refund');
    const created = await call('/refunds', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': freshKey('refund') },
      body: JSON.stringify({ payment_id: paymentId }),
    });
    const { id } = await created.json<{ id: string }>();
    await recorded(id, 'refunding');
    await strand(id, isAllLost);
    expect(await saga(id)).toMatchObject({ saga_state: 'refunding' });
    expect((await sweep(env, inAnHour())).findings).toEqual([{ kind: 'alarm_lost', id, state: 'refunding' }]);
    await inState(id, 'completed');
    expect((await entries(walletId)).map(({ type }) => type)).toEqual(['deposit', 'hold', 'debit', 'credit']);
  });
});

describe('what is as it should be', () => {
  test('is not called lost while its alarm rings: the storage names none just before its handler runs', async () => {
    const id = await stuckPayment(await freshWallet());
    const alarmAtMs = await alarmAtMsOf(id);
    const ofAllThatTheRecordHas = Number.MAX_SAFE_INTEGER;
    const pokedAt = async (nowMs: number) => {
      vi.useFakeTimers({ toFake: ['Date'], now: nowMs });
      try {
        return await (sagaObject(id) as unknown as SagaRpc).poke(ofAllThatTheRecordHas);
      } finally {
        vi.useRealTimers();
      }
    };
    expect(await pokedAt(alarmAtMs + 10)).toMatchObject({ armed: true, moved: false });
    expect(await pokedAt(alarmAtMs + ALARM_RINGING_MS)).toMatchObject({ armed: false });
  });

  test('is left to its own alarm: one that waits for its next look-up is not stuck', async () => {
    const { id } = await createPayment({ wallet_id: await freshWallet(), token: 'pm_sim_lost' });
    await recorded(id, 'authorization_unknown');
    const sweptAtMs = () =>
      env.DB.prepare('SELECT swept_at_ms FROM payments WHERE id = ?').bind(id).first<number>('swept_at_ms');
    await sweep(env, Date.now() + MINUTE_MS);
    expect(await sweptAtMs()).toBe(0);
    const row = await env.DB.prepare('SELECT updated_at_ms, next_check_at FROM payments WHERE id = ?').bind(id).first();
    expect(row?.next_check_at).toEqual(expect.any(String));
    const report = await sweep(env, inAnHour());
    // It was asked, and said that nothing is wrong.
    expect(await sweptAtMs()).toBeGreaterThan(0);
    expect(report.findings.filter((finding) => finding.id === id)).toEqual([]);
  });
});

describe('a record that has lost what it acknowledged', () => {
  test('is told all of it again', async () => {
    const { id } = await createPayment({ wallet_id: await freshWallet() });
    await terminal(id);
    await recorded(id, 'completed');
    const group = `payment_${id}`;
    const logged = () =>
      env.DB.prepare('SELECT * FROM events WHERE group_id = ? ORDER BY sequence_first').bind(group).all();
    const { results: before } = await logged();
    // As after a restore from a backup: the row as it was, and an empty log. First it must have been acknowledged.
    await until(
      () => json<{ record: { publish_due_at: string | null } }>(`/ops/sagas/${id}`),
      ({ record }) => record.publish_due_at === null,
    );
    await env.DB.batch([
      env.DB.prepare(
        `UPDATE payments SET status = 'PENDING', sequence = 1, body = json_set(body, '$.saga_state', 'authorizing')
         WHERE id = ?`,
      ).bind(id),
      env.DB.prepare('DELETE FROM events WHERE group_id = ?').bind(group),
    ]);
    const report = await sweep(env, inAnHour());
    expect(report.findings).toContainEqual({ kind: 'record_behind', id, state: 'completed' });
    await recorded(id, 'completed');
    expect((await logged()).results).toEqual(before);
  });
});

describe('one run', () => {
  /** Rows whose objects have nothing: however often they are swept, they stay as they are. */
  async function hopeless(count: number): Promise<void> {
    const ids = Array.from({ length: count }, (_, index) => ({
      id: publicIdFromHex('pay_', env.PAYMENT_SAGA.idFromName(`hopeless-${index}`).toString()),
    }));
    await env.DB.prepare(
      `INSERT INTO payments (id, merchant, mode, wallet_id, service_id, method, status, created_at_ms, updated_at_ms, sequence, body)
       SELECT value ->> '$.id', 'default', 'sandbox', 'none', 's', 'balance', 'PENDING', 1, 1, 1, '{"saga_state":"debiting"}'
       FROM json_each(?)`,
    )
      .bind(JSON.stringify(ids))
      .run();
  }

  test('is bounded, and the hopeless starve nobody: the next goes on with whoever has waited longest', async () => {
    await hopeless(SWEEP_SAGAS_MAX + 30);
    const id = await stuckPayment(await freshWallet());
    const first = await sweep(env, inAnHour());
    expect(first).toMatchObject({ examined: SWEEP_SAGAS_MAX, truncated: true });
    expect(first.counts.object_empty).toBe(SWEEP_SAGAS_MAX);
    expect(first.findings).toHaveLength(50);
    expect(await saga(id)).toMatchObject({ saga_state: 'holding_funds' });

    const second = await sweep(env, inAnHour() + MINUTE_MS);
    expect(second.counts.object_empty).toBe(30);
    expect(second.findings).toContainEqual({ kind: 'alarm_lost', id, state: 'holding_funds' });
    expect(second.truncated).toBe(false);
    expect((await terminal(id)).status).toBe('COMPLETED');
    // They come up again once they have waited as long as anyone.
    expect((await sweep(env, inAnHour() + 2 * MINUTE_MS)).counts.object_empty).toBe(0);
    expect((await sweep(env, inAnHour() + 20 * MINUTE_MS)).counts.object_empty).toBe(SWEEP_SAGAS_MAX);
  });

  test('reports holds of payments that have ended, and holds past their time', async () => {
    const walletId = await freshWallet();
    const id = await stuckPayment(walletId);
    const wrong = await createPayment({ wallet_id: walletId, token: 'pm_sim_lost' });
    await recorded(wrong.id, 'authorization_unknown');
    // As if it had ended without its hold; no later word of it may set this right.
    await env.DB.prepare(`UPDATE payments SET status = 'FAILED', updated_at_ms = 1, sequence = 1000 WHERE id = ?`)
      .bind(wrong.id)
      .run();
    const hold = { payment_id: 'pay_x', amount: 1, expires_at: new Date(Date.now() - HOUR_MS).toISOString() };
    const readWith = (name: string) => ({
      read: async () => {
        const result = await env.WALLET.getByName(name).read();
        if (result.kind === 'found') result.wallet.holds.push(hold);
        return result;
      },
    });
    const testEnv = { ...env, WALLET: { getByName: readWith } } as unknown as Env;
    const { findings } = await sweep(testEnv, inAnHour());
    expect(findings).toContainEqual({ kind: 'hold_of_ended', id: wrong.id, wallet_id: walletId });
    expect(findings).toContainEqual({ kind: 'hold_overdue', id: 'pay_x', wallet_id: walletId });
    expect(findings.filter((finding) => finding.id === id && finding.kind.startsWith('hold'))).toEqual([]);
  });

  test('goes on where an object throws, and its report is kept for operators', async () => {
    const id = await stuckPayment(await freshWallet());
    const other = await stuckPayment(await freshWallet());
    const get = (objectId: DurableObjectId) => {
      const stub = env.PAYMENT_SAGA.get(objectId);
      const isAway = publicIdFromHex('pay_', objectId.toString()) === id;
      return isAway ? { poke: () => Promise.reject(new Error('away')) } : stub;
    };
    const idFromString = (hex: string) => env.PAYMENT_SAGA.idFromString(hex);
    const testEnv = { ...env, PAYMENT_SAGA: { get, idFromString } } as unknown as Env;
    const report = await sweep(testEnv, inAnHour());
    expect(report.counts.failed).toBe(1);
    expect(report.findings).toContainEqual({ kind: 'failed', id });
    expect(report.findings).toContainEqual({ kind: 'alarm_lost', id: other, state: 'holding_funds' });
    expect((await terminal(other)).status).toBe('COMPLETED');
    const { data } = await json<{ data: Record<string, unknown>[] }>('/ops/sweeps?limit=1');
    expect(data[0]).toMatchObject({ object: 'sweep', ...report });
    await sweep(env, inAnHour() + 20 * MINUTE_MS);
    expect((await terminal(id)).status).toBe('COMPLETED');
  });
});
