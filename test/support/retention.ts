/** What tests of the retention share: a clock that can be moved, and sagas taken past their time by their own alarms. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { expect, vi } from 'vitest';
import { DAY_MS, RETENTION_MS } from '../../src/domain/limits.ts';
import type { RefundView } from '../../src/domain/refund.ts';
import { paymentObjectId, refundObjectId } from '../../src/stubs.ts';
import { atRest, post } from '../audit/world.ts';
import { freshKey, json, until } from './payments.ts';
import { heldIn } from './saga-storage.ts';

/** Sets the clock of this isolate, the objects' and the consumers' too: `Date` only, so that timers go on. */
export function moveClockTo(atMs: number): void {
  vi.useFakeTimers({ toFake: ['Date'], now: atMs });
}

/** The object behind a payment's or refund's id, as test functions need it. */
export function objectOf(id: string) {
  const isRefund = id.startsWith('ref_');
  const objectId = isRefund ? refundObjectId(env, id) : paymentObjectId(env, id);
  if (objectId === null) throw new Error(`${id} leads nowhere`);
  return isRefund ? env.REFUND_SAGA.get(objectId) : env.PAYMENT_SAGA.get(objectId);
}

/** What an object holds, its alarm and its size. */
export function inside(id: string) {
  return runInDurableObject(objectOf(id), async (_, { storage }) => ({
    held: heldIn(storage),
    alarmAtMs: await storage.getAlarm(),
    bytes: storage.sql.databaseSize,
  }));
}

/** Moves the clock past the retention of these, rings their alarms, and has them read what is stored. */
export async function expired(ids: readonly string[]): Promise<void> {
  await atRest(ids);
  moveClockTo(Date.now() + RETENTION_MS + DAY_MS);
  for (const id of ids) {
    expect(await runDurableObjectAlarm(objectOf(id))).toBe(true);
    await evictDurableObject(objectOf(id));
  }
}

export async function refundOf(paymentId: string, body: Record<string, unknown> = {}): Promise<RefundView> {
  const response = await post(
    '/refunds',
    { payment_id: paymentId, ...body },
    { 'idempotency-key': freshKey('refund') },
  );
  const { id } = await response.json<RefundView>();
  return until(
    () => json<RefundView>(`/refunds/${id}`),
    ({ status }) => status !== 'PENDING',
  );
}
