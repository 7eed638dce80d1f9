/**
 * What a payment, a compensated one and a refund cost, by the meter, against what the platform's own edge was asked for meanwhile
 * (support/platform-count.ts). One at a time, so that all that happens is one's own.
 */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { type Head, SAGA_KEY } from '../../durable-objects/saga/store.ts';
import { priceOf, usdText } from '../../src/domain/cost/prices.ts';
import { costSeries } from '../../src/domain/cost/series.ts';
import { RESOURCES, type Resource, type Spent, spentSince, sumOfSpent } from '../../src/domain/cost/spent.ts';
import type { CostView } from '../../src/domain/cost/view.ts';
import { CALLBACK } from '../../src/domain/cost/work.ts';
import { RETENTION_MS } from '../../src/domain/limits.ts';
import type { PaymentView } from '../../src/domain/payment.ts';
import type { Outcome } from '../../src/domain/saga/outcome.ts';
import { isAtRest, type SagaRecord } from '../../src/domain/saga/record.ts';
import { costSchema } from '../../src/http/schemas/cost.ts';
import { keepCallback, noteCallback } from '../../src/read-model/provider-callbacks.ts';
import { paymentObjectId, refundObjectId } from '../../src/stubs.ts';
import { call, createPayment, freshKey, json, postPayment, terminal, until } from '../support/payments.ts';
import { type PlatformCount, PlatformCounter } from '../support/platform-count.ts';

const counter = new PlatformCounter();
const WALLET = 'wal-cost';

beforeAll(async () => {
  await counter.install();
  // The wallet is opened and listed, and the provider's breakers are asked: what the first payment pays for all.
  for (let n = 0; n < 2; n += 1) await atRest((await terminal((await createPayment({ wallet_id: WALLET })).id)).id);
});

function stubOf(id: string) {
  const refund = refundObjectId(env, id);
  if (refund !== null) return env.REFUND_SAGA.get(refund);
  const payment = paymentObjectId(env, id);
  if (payment === null) throw new Error(`no object of ours: ${id}`);
  return env.PAYMENT_SAGA.get(payment);
}

/** The record as it is stored, once nothing is left to do. */
async function atRest(id: string): Promise<SagaRecord> {
  return until(
    () =>
      runInDurableObject(stubOf(id), (_saga, state) =>
        counter.aside(() => {
          const newest = state.storage.kv.get<Head>(SAGA_KEY)?.commits.at(-1);
          return JSON.parse(newest?.record ?? 'null') as SagaRecord;
        }),
      ),
    isAtRest,
  );
}

/** What was counted at the edge, in the meter's words. */
function asSpent(count: PlatformCount, requests: number): Spent {
  return sumOfSpent({
    worker_requests: requests + count.batches,
    object_requests: count.calls,
    object_rows_written: count.rowsWritten + count.alarmWrites,
    object_rows_read: count.rowsRead,
    d1_rows_written: count.d1RowsWritten,
    d1_rows_read: count.d1RowsRead,
    // A write each, and a read and a delete: nothing was delivered twice, and all of it is small.
    queue_operations: count.sends + 2 * count.deliveries,
  });
}

async function costOf(id: string): Promise<CostView> {
  const path = id.startsWith('pay_') ? 'payments' : 'refunds';
  return (await json<{ cost: CostView }>(`/${path}/${id}?include=cost`)).cost;
}

/** All but the wall time, which nothing but the objects' own clocks can tell, and which is at least a millisecond a call. */
function withoutTime({ object_ms: ms = 0, ...rest }: Spent): Spent {
  expect(ms).toBeGreaterThanOrEqual(rest.object_requests ?? 0);
  return rest;
}

/** The totals of the record, by resource. */
async function totals(): Promise<Spent> {
  const { results } = await env.DB.prepare(`SELECT sums FROM metric_counters WHERE series = 'runs'`).all<{
    sums: string;
  }>();
  const sums = JSON.parse(results[0]?.sums ?? '{}') as Record<string, number>;
  return Object.fromEntries(RESOURCES.map((resource) => [resource, sums[costSeries(resource)] ?? 0]));
}

/** What the record's counters are told of an end is foretold: to the unit, but for what batches share, and for reads. */
const FORETOLD = ['object_requests', 'object_rows_written', 'queue_operations'] as const;
const SHARED = ['worker_requests', 'd1_rows_written'] as const;

describe('the cost that a saga counts', () => {
  it.each([
    ['completed', undefined, 'COMPLETED'],
    ['declined', 'pm_card_visa_chargeDeclinedInsufficientFunds', 'FAILED'],
    ['compensated', 'pm_sim_debit_fail', 'FAILED'],
  ])('is what the platform was asked for: a payment, %s', async (_name, token, status) => {
    const before = await totals();
    counter.begin();
    const payment = await terminal((await createPayment({ wallet_id: WALLET, ...(token && { token }) })).id);
    expect(payment.status).toBe(status);
    const record = await atRest(payment.id);
    const count = counter.end();
    expect(withoutTime(record.cost ?? {})).toEqual(asSpent(count, 1));

    const { spent, to_come: toCome, usd_per_million: usd } = await costOf(payment.id);
    expect(spent.object_rows_written).toBe(record.cost?.object_rows_written);
    expect(usd).toBe(usdText(priceOf(sumOfSpent(spent, toCome)) * 1_000_000n, 4));

    const told = spentSince(before, await totals());
    expect(told).toEqual(record.billed);
    // Foretold as for one that is recorded by itself; a batch of several shares rows and invocations.
    for (const resource of FORETOLD) expect({ [resource]: told[resource] }).toEqual({ [resource]: due(resource) });
    for (const resource of SHARED) expect(Math.abs((told[resource] ?? 0) - due(resource))).toBeLessThanOrEqual(2);

    function due(resource: Resource): number {
      return sumOfSpent(record.cost, toCome)[resource] ?? 0;
    }
  });

  it('is what the platform was asked for: a refund, with what it makes its payment spend', async () => {
    const payment = await terminal((await createPayment({ wallet_id: WALLET })).id);
    const before = (await atRest(payment.id)).cost ?? {};
    counter.begin();
    const response = await call('/refunds', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': freshKey('refund') },
      body: JSON.stringify({ payment_id: payment.id }),
    });
    const { id } = await response.json<{ id: string }>();
    const refund = await atRest(id);
    const after = (await atRest(payment.id)).cost ?? {};
    const count = counter.end();
    expect(refund.saga.state).toBe('completed');
    expect(withoutTime(sumOfSpent(refund.cost, spentSince(before, after)))).toEqual(asSpent(count, 1));
    expect((await costOf(id)).spent.object_requests).toBe(refund.cost?.object_requests);
  });

  it('has its part of a callback, as D1 counts it', async () => {
    const payment = await terminal((await createPayment({ wallet_id: WALLET })).id);
    await atRest(payment.id);
    const outcome = { effect_id: 'none', fact: { event_type: 'wallet.debit', payload: {} } } as unknown as Outcome;
    const callback = { provider: 'acme', eventId: freshKey('event'), entityId: payment.id, outcome };
    counter.begin();
    await keepCallback(env.DB, callback, 1, 2);
    await noteCallback(env.DB, callback, 'delivered', 3);
    const { d1RowsWritten, d1RowsRead } = counter.end();
    expect(CALLBACK).toEqual({ worker_requests: 1, d1_rows_written: d1RowsWritten, d1_rows_read: d1RowsRead });
  });

  it('is not what a client reads, nor an operator', async () => {
    const payment = await terminal((await createPayment({ wallet_id: WALLET })).id);
    const { cost } = await atRest(payment.id);
    await json(`/payments/${payment.id}`);
    await json(`/payments/${payment.id}/events`);
    const { spent } = await costOf(payment.id);
    expect(spent.object_requests).toBe(cost?.object_requests);
    expect(spent.worker_requests).toBe(cost?.worker_requests);
  });

  it('outlives the object', async () => {
    const payment = await terminal((await createPayment({ wallet_id: WALLET })).id);
    const { cost } = await atRest(payment.id);
    await evictDurableObject(stubOf(payment.id));
    const { object_rows_read: _rows, ...spent } = (await costOf(payment.id)).spent;
    const { object_rows_read: _read, ...stored } = cost ?? {};
    expect(spent).toMatchObject(stored);
  });

  it('has what it will cost to forget the saga', async () => {
    const payment = await terminal((await createPayment({ wallet_id: WALLET })).id);
    await atRest(payment.id);
    const { to_come: toCome } = await costOf(payment.id);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + RETENTION_MS + 1 });
    counter.begin();
    expect(await runDurableObjectAlarm(stubOf(payment.id))).toBe(true);
    const { rowsWritten, alarmWrites, calls } = counter.end();
    vi.useRealTimers();
    expect({ rowsWritten, calls }).toEqual({ rowsWritten: toCome.object_rows_written, calls: 1 });
    // The test's own: it takes the alarm off before it rings it.
    expect(alarmWrites).toBe(1);
    // What is left of it is in the record, and that does not know what it has cost.
    expect(await json(`/payments/${payment.id}?include=cost`)).not.toHaveProperty('cost');
  });

  it('is in no body that was not asked for it', async () => {
    const key = freshKey();
    const payment = await terminal((await createPayment({ wallet_id: WALLET }, key)).id);
    const plain = await (await call(`/payments/${payment.id}`)).text();
    const { cost, ...shown } = await json<PaymentView & { cost: CostView }>(`/payments/${payment.id}?include=cost`);
    expect(JSON.stringify(shown)).toBe(plain);
    expect(costSchema.safeParse(cost).error).toBeUndefined();
    const replayed = await postPayment({ wallet_id: WALLET }, key);
    expect(await replayed.text()).toBe(plain);
  });
});
