/** Sagas that stand still, for tests of what sets them going: a clock that is moved in one object, and an alarm that is lost. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { SagaStore } from '../../durable-objects/saga/store.ts';
import { walletObjectName } from '../../src/domain/ids.ts';
import { ALARM_RINGING_MS } from '../../src/domain/limits.ts';
import type { SagaRecord } from '../../src/domain/saga/record.ts';
import { paymentObjectId, refundObjectId } from '../../src/stubs.ts';
import { loseAll, loseMessages } from './losses.ts';
import { call, createPayment, json, until } from './payments.ts';

/** What `GET /ops/sagas/{id}` answers, as far as these tests look. */
export interface Saga {
  id: string;
  status: string;
  saga_state: string;
  attention: { reason: string; moves: { retry: boolean; resolve: string[] } } | null;
  pending: { command: string; effect_id: string | null; attempts: number; due_at: string }[];
  given_up: { command: string; effect_id: string }[];
  in_force: Record<string, unknown>;
}

export interface Move {
  repeated: boolean;
  ledger_effect: { status: string; entries: { type: string; payment_id: string }[] };
  saga: Saga;
}

export function sagaObject(id: string): DurableObjectStub {
  const refundId = refundObjectId(env, id);
  if (refundId !== null) return env.REFUND_SAGA.get(refundId) as unknown as DurableObjectStub;
  const paymentId = paymentObjectId(env, id);
  if (paymentId === null) throw new Error(`no object of ${id}`);
  return env.PAYMENT_SAGA.get(paymentId) as unknown as DurableObjectStub;
}

export const saga = (id: string): Promise<Saga> => json<Saga>(`/ops/sagas/${id}`);

/** The saga once it is in that state. */
export async function inState(id: string, state: string): Promise<Saga> {
  return until(
    () => saga(id),
    (found) => found.saga_state === state,
  );
}

/** As if `ms` had passed for this saga alone, and its alarm had rung then: all of its times are moved back. */
export async function pass(id: string, ms: number): Promise<void> {
  const begunAtMs = () => runInDurableObject(sagaObject(id), (_instance, state) => createdAtMsOf(recordOf(state)));
  const wantedMs = (await begunAtMs()) - ms;
  // An outcome that comes just then is committed over it, from memory: then once more.
  await until(
    async () => {
      await runInDurableObject(sagaObject(id), (_instance, state) => {
        const record = recordOf(state);
        if (createdAtMsOf(record) === wantedMs) return;
        new SagaStore<SagaRecord>(state.storage).replace(movedBack(record, ms) as SagaRecord);
      });
      await evictDurableObject(sagaObject(id));
      return begunAtMs();
    },
    (atMs) => atMs === wantedMs,
  );
  await runDurableObjectAlarm(sagaObject(id));
}

function recordOf(state: DurableObjectState): SagaRecord {
  const record = new SagaStore<SagaRecord>(state.storage).load();
  if (record === null || record === 'expired') throw new Error('no record');
  return record;
}

/** When its alarm was set to ring, by its record. */
export function alarmAtMsOf(id: string): Promise<number> {
  return runInDurableObject(sagaObject(id), (_instance, state) => recordOf(state).alarmAtMs);
}

function createdAtMsOf(record: SagaRecord): number {
  return (record.saga.data as { createdAtMs: number }).createdAtMs;
}

function movedBack(value: unknown, ms: number): unknown {
  if (Array.isArray(value)) return value.map((item) => movedBack(item, ms));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => {
      const isTime = /(At|Since|After)Ms$/.test(name) && typeof member === 'number' && member > 0;
      return [name, isTime ? member - ms : movedBack(member, ms)];
    }),
  );
}

/**
 * Loses the alarm, the one loss that an object cannot mend by itself, and then stops losing messages, once nothing of the
 * saga is on its way any more and its time is past: nothing will ever wake it.
 */
export async function strand(id: string, isAllLost: (entityId: string, sent: number) => boolean): Promise<void> {
  let seen = -1;
  // An alarm that is just ringing sets the next one: once more than once nothing has come of it, none is set.
  await until(
    async () => {
      await runInDurableObject(sagaObject(id), (_instance, state) => state.storage.deleteAlarm());
      const before = seen;
      seen = (await saga(id)).pending[0]?.attempts ?? 0;
      return { before, seen };
    },
    ({ before }) => before === seen && isAllLost(id, seen),
  );
  loseMessages(null);
  // And it should have been woken long ago: no alarm of it is ringing.
  await until(
    () => saga(id),
    ({ pending: [next] }) => next !== undefined && Date.parse(next.due_at) < Date.now() - 2 * ALARM_RINGING_MS,
  );
}

/** A wallet in dollars refuses whatever a saga asks for, until it is mended: its row names another currency. */
export async function spoil(walletId: string): Promise<void> {
  await setCurrency(walletId, 'EUR');
}

export async function mend(walletId: string): Promise<void> {
  await setCurrency(walletId, 'USD');
}

async function setCurrency(walletId: string, currency: string): Promise<void> {
  const wallet = env.WALLET.getByName(walletObjectName({ merchant: 'default', mode: 'sandbox' }, walletId));
  await runInDurableObject(wallet, (_instance, state) => {
    const { rowsWritten } = state.storage.sql.exec('UPDATE wallet SET currency = ?', currency);
    if (rowsWritten === 0) throw new Error(`no wallet ${walletId}`);
  });
  await evictDurableObject(wallet);
}

export const BY = { actor: 'jane', reason: 'ticket-7' };

export function post(path: string, body: unknown): Promise<Response> {
  return call(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
}

async function moved(response: Response): Promise<Move> {
  if (response.status !== 200) throw new Error(`move: ${response.status} ${await response.text()}`);
  return response.json<Move>();
}

export const retry = async (id: string): Promise<Move> => moved(await post(`/ops/sagas/${id}/retry`, BY));

export const resolve = async (id: string, resolution: string, more: Record<string, string> = {}): Promise<Move> =>
  moved(await post(`/ops/sagas/${id}/resolve`, { ...BY, resolution, ...more }));

/** The row of the record, once it says that state. */
export async function recorded(id: string, state: string) {
  const table = id.startsWith('ref_') ? 'refunds' : 'payments';
  return until(
    () =>
      env.DB.prepare(`SELECT status, saga_state, attention FROM ${table} WHERE id = ?`)
        .bind(id)
        .first<{ status: string; saga_state: string; attention: string | null }>(),
    (row) => row?.saga_state === state,
  );
}

/** A payment whose first command is lost and whose alarm is lost: nothing will ever wake it. */
export async function stuckPayment(walletId: string): Promise<string> {
  const { isAllLost } = loseAll('orchestrator.wallet.hold_funds');
  const { id } = await createPayment({ wallet_id: walletId });
  await recorded(id, 'holding_funds');
  await strand(id, isAllLost);
  return id;
}
