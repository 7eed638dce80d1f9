import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { fingerprint } from '../../src/domain/idempotency.ts';
import { sagaObjectName } from '../../src/domain/ids.ts';
import { RETENTION_MS, WAITERS_MAX } from '../../src/domain/limits.ts';
import type { PaymentRequest } from '../../src/domain/payment.ts';
import type { CreatePayment, ReadEventsResult } from '../../src/domain/saga-rpc.ts';
import { loseMessages } from '../support/losses.ts';
import { freshKey, until } from '../support/payments.ts';
import { commitsIn, editCommits, heldIn } from '../support/saga-storage.ts';

const SCOPE = { merchant: 'default', mode: 'sandbox' } as const;
const REQUEST: PaymentRequest = {
  wallet_id: 'object-wallet',
  service_id: 'svc-1',
  amount: 500,
  currency: 'USD',
  method: 'balance',
};

function input(key: string, request = REQUEST, waitMs = 0): CreatePayment {
  return {
    scope: SCOPE,
    idempotencyKey: key,
    fingerprint: fingerprint(request),
    request,
    amountCodes: false,
    trace: { traceId: 'a'.repeat(32), traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` },
    waitMs,
  };
}

/** The object of a key, as test functions need it and, `rpc`, by its contract: the stub's type loses unions with `unknown`. */
function sagaOf(key: string) {
  return env.PAYMENT_SAGA.getByName(sagaObjectName(SCOPE, '/payments', key));
}

function rpc(saga: ReturnType<typeof sagaOf>): {
  readEvents(...page: [typeof SCOPE, number, number]): Promise<ReadEventsResult>;
} {
  return saga as never;
}

async function completed(key: string) {
  const saga = sagaOf(key);
  const result = await saga.create(input(key, REQUEST, 20_000));
  if (result.kind !== 'created' || !result.terminal) throw new Error(JSON.stringify(result));
  return { saga, ...result };
}

/** What the object holds, and its alarm. */
function inside(saga: ReturnType<typeof sagaOf>) {
  return runInDurableObject(saga, async (_, state) => ({
    held: heldIn(state.storage),
    alarmAtMs: await state.storage.getAlarm(),
  }));
}

afterEach(() => {
  loseMessages(null);
  vi.useRealTimers();
});

describe('an object that was only read', () => {
  test('has written nothing, not even a table', async () => {
    const saga = sagaOf(freshKey());
    expect(await saga.read(SCOPE)).toEqual({ kind: 'not_found' });
    expect(await saga.readEvents(SCOPE, 0, 10)).toEqual({ kind: 'not_found' });
    expect(await saga.describeKey()).toEqual({ kind: 'unused' });
    expect(await saga.deliver([])).toEqual({ kind: 'unknown_saga' });
    expect(await saga.commandDied('x')).toEqual({ kind: 'unknown_saga' });
    await saga.acknowledge({ effectIds: ['x'] });
    expect(await inside(saga)).toEqual({ held: {}, alarmAtMs: null });
  });
});

test('what an object keeps to itself is not reached by RPC: it is the instance’s own, and on no prototype', async () => {
  const found = await runInDurableObject(sagaOf(freshKey()), (instance) => {
    const prototypes: object[] = [];
    for (let at: object | null = Object.getPrototypeOf(instance); at !== null; at = Object.getPrototypeOf(at))
      prototypes.push(at);
    return { own: Object.hasOwn(instance, 'host'), shared: prototypes.some((at) => Object.hasOwn(at, 'host')) };
  });
  expect(found).toEqual({ own: true, shared: false });
});

describe('the claim of a key', () => {
  test('is the first commit of the saga: the alarm is armed with it', async () => {
    loseMessages(() => true);
    const key = freshKey();
    const saga = sagaOf(key);
    const before = Date.now();
    expect(await saga.create(input(key))).toMatchObject({ kind: 'created', terminal: false });
    expect((await inside(saga)).alarmAtMs).toBeGreaterThan(before);
  });

  test('says whether it has waited as it was asked to: not where as many wait as may', async () => {
    loseMessages(() => true);
    const key = freshKey();
    const saga = sagaOf(key);
    expect(await saga.create(input(key, REQUEST, 0))).toMatchObject({ kind: 'created', waited: true });
    const answers = await runInDurableObject(saga, async (instance) => {
      const waiting = Array.from({ length: WAITERS_MAX }, () => instance.create(input(key, REQUEST, 300)));
      const oneMore = await instance.create(input(key, REQUEST, 300));
      return [oneMore, ...(await Promise.all(waiting))].map((answer) => 'waited' in answer && answer.waited);
    });
    expect(answers).toEqual([false, ...Array.from({ length: WAITERS_MAX }, () => true)]);
  });

  test('answers the payment again for the same body, and the names of what differs for another', async () => {
    const key = freshKey();
    const { saga, body } = await completed(key);
    expect(await saga.create(input(key))).toMatchObject({ kind: 'replayed', body, terminal: true });
    expect(await saga.create(input(key, { ...REQUEST, amount: 501, reference: 'r' }))).toEqual({
      kind: 'key_reused',
      fields: ['/amount', '/reference'],
    });
  });

  test('survives an eviction, with the same bytes', async () => {
    const key = freshKey();
    const { saga, body } = await completed(key);
    await evictDurableObject(saga);
    expect(await saga.create(input(key))).toMatchObject({ kind: 'replayed', body });
  });

  test('is one per merchant and mode: another scope finds nothing in the object', async () => {
    const { saga } = await completed(freshKey());
    expect(await saga.read({ merchant: 'other', mode: 'sandbox' })).toEqual({ kind: 'not_found' });
    expect(await saga.read({ merchant: 'default', mode: 'live' })).toEqual({ kind: 'not_found' });
    expect(await saga.readEvents({ merchant: 'other', mode: 'sandbox' }, 0, 10)).toEqual({ kind: 'not_found' });
  });
});

test('who asks whether a command is still awaited is remembered, evicted or not: "not sent" of another delivery is no proof', async () => {
  loseMessages(() => true);
  const key = freshKey();
  const saga = sagaOf(key);
  const created = await saga.create(input(key, { ...REQUEST, method: 'credit_card', token: 'pm_card_visa' }));
  if (created.kind !== 'created') throw new Error(created.kind);
  const effectId = `orchestrator.gateway.authorize.${created.entityId}.1`;
  expect(await saga.awaits(effectId)).toBe(true);
  await evictDurableObject(saga);
  const payload = {
    payment_id: created.entityId,
    operation: 'authorize',
    gateway_status: 'NOT_SENT',
    provider: 'acme',
  } as const;
  await saga.deliver([{ effect_id: effectId, fact: { event_type: 'payment_gateway.response', payload } }]);
  const log = await rpc(saga).readEvents(SCOPE, 0, 100);
  const routed =
    log.kind === 'found' ? log.events.filter(({ event_type: type }) => type === 'payment_gateway.routed') : [];
  expect(routed.length).toBe(1);
  expect(await saga.awaits(effectId)).toBe(true);
});

describe('the log', () => {
  test('is read in pages that neither miss nor repeat an event', async () => {
    const { saga } = await completed(freshKey());
    const whole = await rpc(saga).readEvents(SCOPE, 0, 100);
    if (whole.kind !== 'found') throw new Error('not found');
    expect(whole.more).toBe(false);
    const paged: string[] = [];
    for (let after = 0, more = true; more; ) {
      const page = await rpc(saga).readEvents(SCOPE, after, 3);
      if (page.kind !== 'found') throw new Error('not found');
      paged.push(...page.events.map((event) => event.event_id));
      after = page.events.at(-1)?.metadata.sequence ?? after;
      more = page.more;
    }
    expect(paged).toEqual(whole.events.map((event) => event.event_id));
  });

  test('does not hold the payment token, and neither does the public view', async () => {
    const key = freshKey();
    const saga = sagaOf(key);
    const token = 'pm_sim_slow_1';
    const result = await saga.create(input(key, { ...REQUEST, token }, 20_000));
    const events = await saga.readEvents(SCOPE, 0, 100);
    expect(JSON.stringify(events)).not.toContain(token);
    expect(JSON.stringify(result)).not.toContain(token);
  });
});

describe('a payment at rest', () => {
  test('has stored its commits as one value, and its alarm is the one of its retention', async () => {
    const key = freshKey();
    const { saga } = await completed(key);
    const alarmAtMs = await until(
      async () => (await inside(saga)).alarmAtMs ?? 0,
      (atMs) => atMs > Date.now() + RETENTION_MS / 2,
    );
    expect(alarmAtMs).toBeLessThanOrEqual(Date.now() + RETENTION_MS);
    // created, held, authorized, debited: one commit each.
    expect((await inside(saga)).held).toEqual({ commits: 4 });
  });

  test('is not written again by an acknowledgement that comes twice', async () => {
    const { saga } = await completed(freshKey());
    await until(
      async () => (await inside(saga)).alarmAtMs ?? 0,
      (atMs) => atMs > Date.now() + RETENTION_MS / 2,
    );
    const before = await stored(saga);
    await saga.acknowledge({ effectIds: ['x'], events: { first: 1, last: 10 } });
    expect(await stored(saga)).toEqual(before);
  });

  test('is a tombstone after its retention: the key stays used, and is never charged again', async () => {
    const key = freshKey();
    const { saga } = await completed(key);
    await until(
      async () => (await inside(saga)).alarmAtMs ?? 0,
      (atMs) => atMs > Date.now() + RETENTION_MS / 2,
    );
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + RETENTION_MS + 1 });
    expect(await runDurableObjectAlarm(saga)).toBe(true);
    expect(await saga.create(input(key))).toEqual({ kind: 'key_expired' });
    expect(await saga.read(SCOPE)).toEqual({ kind: 'expired' });
    expect(await saga.describeKey()).toEqual({ kind: 'expired' });
    await evictDurableObject(saga);
    expect(await saga.create(input(key))).toEqual({ kind: 'key_expired' });
    expect((await inside(saga)).alarmAtMs).toBeNull();
  });
});

describe('the alarm', () => {
  test('that fires early arms the next one', async () => {
    loseMessages(() => true);
    const key = freshKey();
    const saga = sagaOf(key);
    await saga.create(input(key));
    await runDurableObjectAlarm(saga);
    // While the next one rings there is none.
    await expect.poll(async () => (await inside(saga)).alarmAtMs).not.toBeNull();
  });

  test('that fails is set again: a saga is never left without one', async () => {
    loseMessages(() => true);
    const key = freshKey();
    const saga = sagaOf(key);
    await saga.create(input(key));
    await runInDurableObject(saga, (_, state) => {
      editCommits(state.storage.kv, (commit) => ({
        ...commit,
        record: commit.record.replace('"mode":"sandbox"', '"mode":"live"'),
      }));
    });
    await evictDurableObject(saga);
    await runDurableObjectAlarm(saga);
    expect((await inside(saga)).alarmAtMs).toBeGreaterThan(Date.now());
  });
});

function stored(saga: ReturnType<typeof sagaOf>) {
  return runInDurableObject(saga, (_, state) => commitsIn(state.storage.kv));
}
