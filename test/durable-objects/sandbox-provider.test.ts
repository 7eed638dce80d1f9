/** A sandbox provider by its own protocol: its door, its books, and the callbacks that it sends. */
import { evictDurableObject, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { sendDueCallbacks } from '../../durable-objects/sandbox-provider/callbacks.ts';
import { Desk } from '../../durable-objects/sandbox-provider/desk.ts';
import { BookStore } from '../../durable-objects/sandbox-provider/store.ts';
import { readConfig } from '../../src/config.ts';
import { type CallbackIntake, readCallback } from '../../src/gateway/callbacks.ts';
import { sandboxApiKey } from '../../src/gateway/providers/sandbox-protocol.ts';
import { newPaymentId } from '../gateway/commands.ts';
import { until } from '../support/payments.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

const stub = (name: string) => env.SANDBOX_PROVIDER.getByName(name);

function post(name: string, path: string, key: string | null, body: unknown, apiKey = sandboxApiKey(name)) {
  return stub(name).fetch(`https://sandbox.invalid${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}`, ...(key !== null && { 'Idempotency-Key': key }) },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

const chargeRequest = (paymentId: string, more: object = {}) => ({
  amount: 1_230,
  currency: 'USD',
  method: 'balance',
  metadata: { payment_id: paymentId, effect_id: `orchestrator.gateway.authorize.${paymentId}` },
  ...more,
});

async function codeOf(response: Response): Promise<string> {
  const { error } = await response.json<{ error?: { code: string } }>();
  return `${response.status} ${error?.code ?? ''}`;
}

describe('the door', () => {
  it('answers what the protocol says to what is not of it', async () => {
    const good = chargeRequest('pay_1');
    expect(await codeOf(await post('acme', '/charges', 'k', good, 'sk_wrong'))).toBe('401 unauthenticated');
    expect(await codeOf(await post('acme', '/charges', 'k', good, sandboxApiKey('borealis')))).toBe(
      '401 unauthenticated',
    );
    expect(await codeOf(await post('acme', '/charges', null, good))).toBe('400 idempotency_key_invalid');
    expect(await codeOf(await post('acme', '/charges', 'k'.repeat(65), good))).toBe('400 idempotency_key_invalid');
    expect(await codeOf(await post('acme', '/charges', 'k', 'no json'))).toBe('400 invalid_request');
    expect(await codeOf(await post('acme', '/charges', 'k', { ...good, amount: 12.3 }))).toBe('400 invalid_request');
    expect(await codeOf(await post('acme', '/charges/ch_none/void', 'k', {}))).toBe('404 not_found');
    expect(await codeOf(await post('acme', '/charges/ch_none/explode', 'k', {}))).toBe('404 no_such_route');
    expect(await codeOf(await post('acme', '/payouts', 'k', {}))).toBe('404 no_such_route');
    expect((await stub('acme').books()).charges).toEqual([]);
  });
});

describe('a key', () => {
  it('answers the same for ever, also after an eviction, and books one charge', async () => {
    const request = chargeRequest(newPaymentId());
    const first = await (await post('p-same', '/charges', 'k-1', request)).text();
    expect(await (await post('p-same', '/charges', 'k-1', request)).text()).toBe(first);
    await evictDurableObject(stub('p-same'));
    expect(await (await post('p-same', '/charges', 'k-1', request)).text()).toBe(first);
    const { charges } = await stub('p-same').books();
    expect(charges).toMatchObject([{ key: 'k-1', status: 'authorized', calls: { authorize: 3 } }]);
  });

  it.each([{ amount: 1_231 }, { currency: 'EUR' }, { method: 'debit_card' }, { token: 'pm_card_visa' }])(
    'is refused with another body: %j',
    async (more) => {
      const paymentId = newPaymentId();
      await post('p-other', '/charges', paymentId, chargeRequest(paymentId));
      const again = await post('p-other', '/charges', paymentId, chargeRequest(paymentId, more));
      expect(await codeOf(again)).toBe('409 idempotency_key_reused');
      const charge = (await stub('p-other').books()).charges.find((entry) => entry.key === paymentId);
      expect(charge).toMatchObject({ amountMinor: 1_230, currency: 'USD', calls: { authorize: 2 } });
    },
  );

  it('speaks of the call that was taken, not of one that was turned away before it', async () => {
    const request = (effectId: string) => ({
      ...chargeRequest('pay_1', { token: 'pm_sim_flaky_1' }),
      metadata: { payment_id: 'pay_1', effect_id: effectId },
    });
    const effectOf = async (response: Response) => {
      const body = await response.json<{ metadata?: { effect_id: string } }>();
      return body.metadata?.effect_id;
    };
    expect(await effectOf(await post('p-effect', '/charges', 'k', request('e.1')))).toBeUndefined();
    expect(await effectOf(await post('p-effect', '/charges', 'k', request('e.2')))).toBe('e.2');
    expect(await effectOf(await post('p-effect', '/charges', 'k', request('e.3')))).toBe('e.2');
  });

  it('does not bring back a charge that was voided, nor undo a capture', async () => {
    const request = chargeRequest(newPaymentId(), { method: 'credit_card' });
    for (const [key, action] of [
      ['k-1', 'void'],
      ['k-2', 'capture'],
    ] as const) {
      const first = await (await post('p-ended', '/charges', key, request)).text();
      await post('p-ended', `/charges/${key}/${action}`, `${key}-end`, {});
      expect(await (await post('p-ended', '/charges', key, request)).text()).toBe(first);
    }
    expect((await stub('p-ended').books()).charges).toMatchObject([{ status: 'voided' }, { status: 'captured' }]);
  });

  it('of a refund is refused with another amount', async () => {
    const paymentId = newPaymentId();
    await post('p-refund', '/charges', paymentId, chargeRequest(paymentId));
    const metadata = { payment_id: paymentId, effect_id: 'e' };
    const refund = (amount: number, key: string) =>
      post('p-refund', `/charges/${paymentId}/refunds`, key, { amount, metadata });
    expect((await refund(100, 'r-1')).status).toBe(200);
    expect(await codeOf(await refund(101, 'r-1'))).toBe('409 idempotency_key_reused');
    expect((await stub('p-refund').books()).charges[0]).toMatchObject({ refundedMinor: 100 });
  });

  it('that comes a hundred times at once is one charge', async () => {
    const request = chargeRequest(newPaymentId());
    const all = await Promise.all(Array.from({ length: 100 }, () => post('p-race', '/charges', 'k', request)));
    const bodies = await Promise.all(all.map((response) => response.text()));
    expect(new Set(bodies).size).toBe(1);
    expect((await stub('p-race').books()).charges).toMatchObject([{ calls: { authorize: 100 } }]);
  });
});

describe('a charge', () => {
  const act = async (name: string, id: string, action: string, key: string) =>
    codeOf(await post(name, `/charges/${id}/${action}`, key, {}));

  it('is captured under one key, and never after a void; voided under one key, and never after a capture', async () => {
    await post('p-life', '/charges', 'a', chargeRequest(newPaymentId(), { method: 'credit_card' }));
    expect(await act('p-life', 'ch_a', 'capture', 'c-1')).toBe('200 ');
    expect(await act('p-life', 'ch_a', 'capture', 'c-1')).toBe('200 ');
    expect(await act('p-life', 'ch_a', 'capture', 'c-2')).toBe('422 charge_captured');
    expect(await act('p-life', 'ch_a', 'void', 'v-1')).toBe('422 charge_captured');
    await post('p-life', '/charges', 'b', chargeRequest(newPaymentId(), { method: 'credit_card' }));
    expect(await act('p-life', 'b', 'void', 'v-2')).toBe('200 ');
    expect(await act('p-life', 'b', 'void', 'v-2')).toBe('200 ');
    expect(await act('p-life', 'b', 'void', 'v-3')).toBe('422 charge_voided');
    expect(await act('p-life', 'b', 'capture', 'c-3')).toBe('422 charge_voided');
    await post('p-life', '/charges', 'd', chargeRequest(newPaymentId(), { token: 'pm_card_fraudulent' }));
    expect(await act('p-life', 'd', 'void', 'v-4')).toBe('422 charge_declined');
  });

  it('costs one written row to authorize, and one for any later call', async () => {
    const written = await runInDurableObject(stub('p-rows'), (_object, state) => {
      const cursors: { rowsWritten: number }[] = [];
      const sql = {
        exec: (query: string, ...values: unknown[]) => {
          const cursor = state.storage.sql.exec(query, ...values);
          cursors.push(cursor);
          return cursor;
        },
      };
      const desk = new Desk('p-rows', new BookStore(sql as SqlStorage));
      const rowsOf = (act: () => void) => {
        cursors.length = 0;
        act();
        return cursors.reduce((sum, cursor) => sum + cursor.rowsWritten, 0);
      };
      const request = { ...chargeRequest('pay_1'), method: 'credit_card' as const };
      desk.authorize('first', request, 1);
      return [
        rowsOf(() => desk.authorize('k', request, 1)),
        rowsOf(() => desk.authorize('k', request, 1)),
        rowsOf(() => desk.findCharge('k', 1)),
        rowsOf(() => desk.capture('k', 'c', 1)),
      ];
    });
    expect(written).toEqual([1, 1, 1, 1]);
  });
});

describe('the books', () => {
  it('come in pages that end where the next begins, and a read counts as no call', async () => {
    for (const key of ['a', 'b', 'c']) await post('p-pages', '/charges', key, chargeRequest(newPaymentId()));
    const first = await stub('p-pages').books({ limit: 2 });
    expect(first).toMatchObject({ charges: [{ key: 'a' }, { key: 'b' }], more: true });
    const rest = await stub('p-pages').books({ limit: 2, afterCharge: 'b' });
    expect(rest).toMatchObject({ charges: [{ key: 'c', calls: { authorize: 1, lookup: 0 } }], more: false });
  });

  it('of an object that was only read hold nothing, not even a table', async () => {
    expect(await stub('p-empty').books()).toEqual({ charges: [], refunds: [], callbacks: [], more: false });
    const tables = await runInDurableObject(stub('p-empty'), (_object, state) =>
      state.storage.sql.exec(`SELECT name FROM sqlite_master WHERE name = 'charges'`).toArray(),
    );
    expect(tables).toEqual([]);
  });
});

/** Lets the object send what is due to our own intake instead of over its loopback; what the intake made of each. */
async function sendTo(name: string, afterMs: number): Promise<CallbackIntake[]> {
  const config = readConfig(env);
  if (!config.ok) throw new Error(config.problems.join());
  const taken: CallbackIntake[] = [];
  await runInDurableObject(stub(name), async (_object, state) => {
    await state.storage.deleteAlarm();
    await sendDueCallbacks({
      store: new BookStore(state.storage.sql),
      nowMs: Date.now() + afterMs,
      post: async (request) => {
        const intake = await readCallback(env, config.config, name, request, Date.now());
        taken.push(intake);
        return new Response(null, { status: intake.kind === 'rejected' ? 401 : 200 });
      },
    });
  });
  return taken;
}

const statusesOf = (intakes: readonly CallbackIntake[]) =>
  intakes.map((intake) => {
    if (intake.kind !== 'accepted') return intake.kind;
    const { payload } = intake.outcome.fact;
    return 'gateway_status' in payload ? payload.gateway_status : '';
  });

// Each test drains what it announced; the providers' names are real here, since their secrets are derived from them.
describe('callbacks', () => {
  const announce = async (token: string, name = 'acme') => {
    const paymentId = newPaymentId();
    const response = await post(name, '/charges', paymentId, chargeRequest(paymentId, { token }));
    await response.body?.cancel();
    return paymentId;
  };

  it.each([
    ['pm_card_visa', []],
    ['pm_sim_callback_never', []],
    ['pm_sim_stale_status', []],
    ['pm_sim_pending', ['AUTHORIZED']],
    ['pm_sim_pending_decline', ['UNAUTHORIZED']],
    ['pm_sim_callback_duplicate', ['AUTHORIZED', 'AUTHORIZED']],
    ['pm_sim_callback_out_of_order', ['AUTHORIZED', 'PENDING']],
  ])('of %s tell %j', async (token, expected) => {
    await announce(token);
    const taken = await sendTo('acme', 1_500);
    expect(statusesOf(taken)).toEqual(expected);
    expect(await sendTo('acme', 60_000)).toEqual([]);
  });

  it('of a duplicate have one id; those of two changes, two, the older one last', async () => {
    await announce('pm_sim_callback_duplicate');
    const twice = await sendTo('acme', 1_500);
    expect(new Set(twice.map((intake) => (intake.kind === 'accepted' ? intake.eventId : ''))).size).toBe(1);
    await announce('pm_sim_callback_out_of_order');
    const [newer, older] = await sendTo('acme', 1_500);
    if (newer?.kind !== 'accepted' || older?.kind !== 'accepted') throw new Error('not accepted');
    expect(newer.eventId).not.toBe(older.eventId);
    expect(newer.occurredAtMs).toBeGreaterThan(older.occurredAtMs);
  });

  it('of a bad signature are refused by our intake, tried again a few times, and given up', async () => {
    await announce('pm_sim_callback_bad_signature');
    const tries: string[] = [];
    for (let afterMs = 1_500; afterMs < 60_000; afterMs += 5_000)
      tries.push(...statusesOf(await sendTo('acme', afterMs)));
    expect(tries).toEqual(['rejected', 'rejected', 'rejected', 'rejected']);
    const [last] = (await stub('acme').books()).callbacks;
    expect(last).toMatchObject({ forged: true, done: true, attempts: 4, lastStatus: 401 });
  });

  it('before the response are due at once, and there while the answer still waits', async () => {
    // The answer's second lasts until the callback has been seen, however late the alarm is.
    let isSeen = false;
    const wait = scheduler.wait.bind(scheduler);
    const waits = vi.spyOn(scheduler, 'wait').mockImplementation(async (ms) => {
      do await wait(Math.min(ms, 20));
      while (ms === 1_000 && !isSeen);
    });
    const paymentId = newPaymentId();
    const body = chargeRequest(paymentId, { token: 'pm_sim_callback_before_response' });
    let isAnswered = false;
    const answered = post('acme', '/charges', paymentId, body).then((response) => {
      isAnswered = true;
      return response.status;
    });
    const { charges, callbacks } = await until(
      () => stub('acme').books({ afterCharge: paymentId.slice(0, -1), limit: 1 }),
      (books) => books.callbacks[0]?.attempts === 1,
    );
    expect(isAnswered).toBe(false);
    expect(waits).toHaveBeenCalledWith(1_000);
    expect(charges).toMatchObject([{ paymentId }]);
    expect(JSON.parse(callbacks[0]?.body ?? '')).toMatchObject({ created_at_ms: charges[0]?.createdAtMs });
    isSeen = true;
    expect(await answered).toBe(200);
    await sendTo('acme', 60_000);
  });

  it('go over the loopback to this Worker\u2019s own fetch, by the alarm', async () => {
    await announce('pm_sim_pending', 'borealis');
    const { callbacks } = await until(
      () => stub('borealis').books(),
      (books) => typeof books.callbacks[0]?.lastStatus === 'number',
    );
    // Any HTTP status: somebody answered. 0 is what a delivery that reached nobody is noted as.
    expect(callbacks[0]?.lastStatus).toBeGreaterThanOrEqual(200);
  });

  it('of a charge that was voided meanwhile are not sent', async () => {
    await sendTo('acme', 60_000);
    const paymentId = await announce('pm_sim_pending');
    await post('acme', `/charges/${paymentId}/void`, 'v', {});
    expect(await sendTo('acme', 1_500)).toEqual([]);
  });

  it.each([
    ['pm_card_visa', []],
    ['pm_card_pendingRefund', ['REFUNDED']],
    ['pm_card_refundFail', ['REFUND_FAILED']],
    ['pm_sim_refund_no_callback', []],
  ])('of a refund of %s tell %j', async (token, expected) => {
    await sendTo('acme', 60_000);
    const paymentId = await announce(token);
    const metadata = { payment_id: paymentId, effect_id: `orchestrator.gateway.refund.${paymentId}` };
    await post('acme', `/charges/${paymentId}/refunds`, `r-${paymentId}`.slice(0, 64), { amount: 1_230, metadata });
    expect(statusesOf(await sendTo('acme', 1_500))).toEqual(expected);
  });
});
