// Reading payments, timelines and keys: from their owners, always current; ids that are not ours touch no storage.
import { evictDurableObject, listDurableObjectIds } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import type { Envelope } from '../../src/domain/events/envelope.ts';
import { publicIdFromHex } from '../../src/domain/ids.ts';
import type { PaymentView } from '../../src/domain/payment.ts';
import { eventSchema } from '../../src/http/schemas/event.ts';
import { paymentSchema } from '../../src/http/schemas/payment.ts';
import {
  endedPayment,
  expireKey,
  freshKey,
  jsonOf,
  pay,
  paymentIdOfKey,
  problemOf,
  runningPayment,
  sagaStub,
  send,
} from './client.ts';

interface List<Item> {
  object: 'list';
  data: Item[];
  next_cursor: string | null;
}

interface Key {
  status: string;
  payment_id?: string;
  payment_status?: string;
  created_at?: string;
  expires_at?: string | null;
}

describe('GET /payments/{id}', () => {
  it('shows the payment as its owner has it, before and after its end', async () => {
    const key = freshKey();
    const created = await jsonOf<PaymentView>(await pay(key, runningPayment()), 202);
    const running = await jsonOf<PaymentView>(await send(`/payments/${created.id}`), 200);
    expect(running).toMatchObject({ id: created.id, status: 'PENDING', created_at: created.created_at });

    const other = freshKey();
    await endedPayment(other);
    await evictDurableObject(sagaStub(other));
    const ended = await jsonOf<PaymentView>(await send(`/payments/${paymentIdOfKey(other)}`), 200);
    expect(ended).toMatchObject({ status: 'FAILED', failure: { code: 'currency_mismatch' } });
    expect(paymentSchema.strict().safeParse(ended).error).toBeUndefined();
  });

  const foreign = publicIdFromHex('pay_', env.WALLET.newUniqueId().toString());
  const wallet = publicIdFromHex('pay_', env.WALLET.idFromName('default|sandbox|wal-1234').toString());
  const altered = `${foreign.slice(0, -1)}${foreign.endsWith('1') ? '2' : '1'}`;

  it.each([
    ['no id at all', 'abc'],
    ['a wallet id', 'wal-1234'],
    ['an id of another kind', foreign.replace('pay_', 'ref_')],
    ['an id of another namespace', foreign],
    ['a named id of another namespace', wallet],
    ['an id that nobody minted', altered],
    ['too large a number', `pay_${'z'.repeat(43)}`],
    ['too short an id', foreign.slice(0, -1)],
    ['another alphabet', `pay_${'-'.repeat(43)}`],
    ['a path', '..%2F..%2Fhealth'],
    ['markup', '%3Cscript%3E'],
  ])('answers 404 for %s, and touches no storage', async (_case, id) => {
    const before = await listDurableObjectIds(env.PAYMENT_SAGA);
    await problemOf(await send(`/payments/${id}`), 404, 'not_found');
    await problemOf(await send(`/payments/${id}/events`), 404, 'not_found');
    expect(await listDurableObjectIds(env.PAYMENT_SAGA)).toHaveLength(before.length);
  });

  it('answers 404 for an id of the namespace under which nothing was created', async () => {
    await problemOf(await send(`/payments/${paymentIdOfKey(freshKey())}`), 404, 'not_found');
  });

  it("shows no merchant another's payment, nor one mode the other's", async () => {
    const key = freshKey();
    await pay(key, runningPayment());
    const other = { merchant: 'other', mode: 'sandbox' } as const;
    expect(await sagaStub(key).read(other)).toEqual({ kind: 'not_found' });
    expect(await sagaStub(key).read({ merchant: 'default', mode: 'live' })).toEqual({ kind: 'not_found' });
    expect((await sagaStub(key).readEvents(other, 0, 10)).kind).toBe('not_found');
  });
});

describe('GET /payments/{id}/events', () => {
  it('lists the timeline, oldest first, in pages without gap or repetition', async () => {
    const key = freshKey();
    await endedPayment(key);
    const path = `/payments/${paymentIdOfKey(key)}/events`;
    const whole = await jsonOf<List<Envelope>>(await send(path), 200);
    expect(whole.next_cursor).toBeNull();
    expect(whole.data[0]?.event_type).toBe('payment.created');
    expect(whole.data.map((event) => event.metadata.sequence)).toEqual(whole.data.map((_event, index) => index + 1));
    for (const event of whole.data) expect(eventSchema.strict().safeParse(event).error).toBeUndefined();

    const paged: Envelope[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: List<Envelope> = await jsonOf(await send(`${path}?limit=2${cursor && `&cursor=${cursor}`}`), 200);
      expect(page.data.length).toBeLessThanOrEqual(2);
      paged.push(...page.data);
      cursor = page.next_cursor;
    }
    // More may have been appended in between: a log only grows.
    expect(paged.slice(0, whole.data.length)).toEqual(whole.data);
  });

  it('after a sequence lists only what came later', async () => {
    const key = freshKey();
    await pay(key, runningPayment());
    const page = await jsonOf<List<Envelope>>(await send(`/payments/${paymentIdOfKey(key)}/events?after=1`), 200);
    expect(page.data[0]?.metadata.sequence).toBe(2);
  });

  it('never shows the payment token', async () => {
    const key = freshKey();
    await pay(key, runningPayment());
    const text = await (await send(`/payments/${paymentIdOfKey(key)}/events`)).text();
    expect(text).not.toContain('pm_sim_lost');
  });

  it.each([
    ['limit=0', 'validation_failed'],
    ['limit=1001', 'validation_failed'],
    ['after=-1', 'validation_failed'],
    ['after=1.5', 'validation_failed'],
    ['since=1', 'validation_failed'],
    ['cursor=abc', 'invalid_cursor'],
    ['after=1&cursor=abc', 'validation_failed'],
  ])('refuses %s: %s', async (query, code) => {
    const key = freshKey();
    await pay(key, runningPayment());
    await problemOf(await send(`/payments/${paymentIdOfKey(key)}/events?${query}`), 400, code);
  });

  it("refuses another payment's cursor", async () => {
    const [first, second] = [freshKey(), freshKey()];
    await pay(first, runningPayment());
    await pay(second, runningPayment());
    const path = (key: string) => `/payments/${paymentIdOfKey(key)}/events?limit=1`;
    const { next_cursor: cursor } = await jsonOf<List<Envelope>>(await send(path(first)), 200);
    expect(cursor).not.toBeNull();
    await problemOf(await send(`${path(second)}&cursor=${cursor}`), 400, 'invalid_cursor');
  });
});

describe('GET /idempotency-keys/{key}', () => {
  const describeKey = (key: string, query = '?route=/payments') =>
    send(`/idempotency-keys/${encodeURIComponent(key)}${query}`);

  it('says in_progress while the payment runs, completed after its end', async () => {
    const key = freshKey();
    await pay(key, runningPayment());
    const running = await jsonOf<Key>(await describeKey(key), 200);
    expect(running).toMatchObject({ status: 'in_progress', payment_status: 'PENDING', expires_at: null });
    expect(running.payment_id).toBe(paymentIdOfKey(key));

    const other = freshKey();
    await endedPayment(other);
    const ended = await jsonOf<Key>(await describeKey(other, ''), 200);
    expect(ended).toMatchObject({ status: 'completed', payment_status: 'FAILED' });
    const days = (Date.parse(ended.expires_at ?? '') - Date.now()) / 86_400_000;
    expect(days).toBeCloseTo(30, 1);
  });

  it('says expired when only the tombstone is left', async () => {
    const key = freshKey();
    await endedPayment(key);
    await expireKey(key);
    expect(await jsonOf<Key>(await describeKey(key), 200)).toMatchObject({ status: 'expired' });
  });

  it('answers 404 for a key that was never used, and sends no money', async () => {
    const key = freshKey();
    await problemOf(await describeKey(key), 404, 'idempotency_key_not_found');
    const first = await pay(key, runningPayment());
    expect(first.headers.get('idempotency-status')).toBe('created');
  });

  it('takes any key that the header takes', async () => {
    const key = `a/b?c#d%41"{}|\\^~${freshKey()}`;
    await pay(key, runningPayment());
    expect(await jsonOf<Key>(await describeKey(key), 200)).toMatchObject({ payment_id: paymentIdOfKey(key) });
  });

  it('is asked for a key that is a dot segment in quotes', async () => {
    expect((await pay('..', runningPayment())).status).toBe(202);
    expect(await jsonOf<Key>(await send('/idempotency-keys/%22..%22'), 200)).toMatchObject({
      payment_id: paymentIdOfKey('..'),
    });
  });

  it.each([
    ['a b', '', 'idempotency_key_invalid'],
    ['x'.repeat(256), '', 'idempotency_key_invalid'],
    ['4242424242424242', '', 'pan_in_request'],
    ['k', '?route=/wallets', 'validation_failed'],
    ['k', '?way=/payments', 'validation_failed'],
  ])('refuses %s%s: %s', async (key, query, code) => {
    await problemOf(await describeKey(key, query), 400, code);
  });
});
