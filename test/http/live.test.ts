// The live timeline: history first, then each event as it is committed; cut and resumed, it misses nothing and repeats
// nothing; it ends with its payment or refund.
import { abortAllDurableObjects, evictDurableObject, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, describe, expect, it } from 'vitest';
import type { LiveAttachment } from '../../durable-objects/saga/live.ts';
import type { Envelope } from '../../src/domain/events/envelope.ts';
import { LIVE_STREAM_MAX_AGE_MS, LIVE_STREAMS_MAX } from '../../src/domain/limits.ts';
import { liveRequest } from '../../src/domain/live.ts';
import type { PaymentView } from '../../src/domain/payment.ts';
import type { RefundView } from '../../src/domain/refund.ts';
import { app } from '../../src/http/app.ts';
import { kindOf, loseMessages } from '../support/losses.ts';
import {
  endedPayment,
  freshKey,
  jsonOf,
  pay,
  paymentIdOfKey,
  post,
  problemOf,
  requestOf,
  runningPayment,
  SCOPE,
  sagaStub,
  send,
  validPayment,
} from './client.ts';
import { openSocket, openStream, readStream, type SentEvent, sequencesOf } from './live.ts';

afterEach(() => loseMessages(null));

/** Until `loseMessages(null)` no payment ends: its debit is lost, and sent again. */
function holdPayments(): void {
  loseMessages((delivery) => kindOf(delivery) === 'orchestrator.wallet.debit');
}

/** A payment that takes a while: the provider answers pending, and its callback comes later, or never. */
async function slowPayment(token = 'pm_sim_pending'): Promise<{ key: string; path: string }> {
  const key = freshKey();
  const { id } = await jsonOf<PaymentView>(await pay(key, { ...validPayment(), token }), 202);
  return { key, path: `/payments/${id}/events` };
}

/** The log up to the commit that ended the payment. */
async function toldOf(path: string): Promise<Envelope[]> {
  const { data } = await jsonOf<{ data: Envelope[] }>(await send(path), 200);
  return data;
}

function expectGapless(events: readonly SentEvent[]): void {
  expect(events.map(({ id }) => id)).toEqual(events.map((_, index) => index + 1));
  expect(events.map(({ data }) => data.metadata.sequence)).toEqual(events.map(({ id }) => id));
  expect(events.map(({ data }) => data.event_type)).toEqual(events.map(({ event }) => event));
}

describe('a stream of server-sent events', () => {
  it('tells the history, then each event as it is committed, and closes at the end', async () => {
    const { path } = await slowPayment();
    const events = await readStream(await openStream(path));
    expectGapless(events);
    expect(events.map(({ event }) => event)).toContain('payment.completed');
    expect(events.map(({ data }) => data)).toEqual((await toldOf(path)).slice(0, events.length));
  });

  it('cut after any number of events and resumed, misses none and repeats none', async () => {
    const { path: whole } = await slowPayment();
    const length = (await readStream(await openStream(whole))).length;
    const cuts = Array.from({ length }, (_, index) => index);
    await Promise.all(
      cuts.map(async (cutAfter) => {
        const { path } = await slowPayment();
        const before = await readStream(await openStream(path), (events) => events.length >= cutAfter);
        const lastId = before.at(-1)?.id;
        const resumed = await openStream(path, lastId === undefined ? {} : { 'last-event-id': String(lastId) });
        const after = resumed.status === 204 ? [] : await readStream(resumed);
        expectGapless([...before, ...after]);
        expect([...before, ...after].map(({ event }) => event)).toContain('payment.completed');
      }),
    );
  });

  it('of a payment that has ended tells what is left, and then that nothing is: 204', async () => {
    const key = freshKey();
    await endedPayment(key);
    const path = `/payments/${paymentIdOfKey(key)}/events`;
    const events = await readStream(await openStream(path));
    expectGapless(events);
    const last = String(events.length);
    expect((await openStream(path, { 'last-event-id': last })).status).toBe(204);
    expect((await openStream(`${path}?after=${last}`)).status).toBe(204);
    expect(await readStream(await openStream(`${path}?after=${last}`, { 'last-event-id': '2' }))).toEqual(
      events.slice(2),
    );
  });

  it('follows a refund as well', async () => {
    const key = freshKey();
    const headers = { prefer: 'wait=20' };
    const payment = await jsonOf<PaymentView>(await pay(key, validPayment(), headers), 201);
    expect(payment.status).toBe('COMPLETED');
    const body = { payment_id: payment.id, amount: 230 };
    const refund = await jsonOf<RefundView>(await post('/refunds', body, { 'idempotency-key': key }), 202);
    const events = await readStream(await openStream(`/refunds/${refund.id}/events`));
    expectGapless(events);
    expect(events.map(({ event }) => event)).toContain('refund.completed');
  });

  it('is refused where there is none, for a bad id of an event, and with the parameters of pages', async () => {
    const { path } = await slowPayment();
    await problemOf(await openStream('/payments/pay_nothing/events'), 404, 'not_found');
    await problemOf(await openStream(`/payments/${paymentIdOfKey('never-used')}/events`), 404, 'not_found');
    for (const [query, headers, pointer] of [
      ['', { 'last-event-id': 'abc' }, '/Last-Event-ID'],
      ['', { 'last-event-id': '-1' }, '/Last-Event-ID'],
      ['?limit=5', {}, '/limit'],
      ['?cursor=abc', {}, '/cursor'],
    ] as const) {
      const { errors } = await problemOf(await openStream(`${path}${query}`, headers), 400, 'validation_failed');
      expect(errors).toMatchObject([{ pointer }]);
    }
    const foreign = await sagaStub(freshKey()).fetch(
      liveRequest({ scope: { ...SCOPE, merchant: 'another' }, afterSequence: 0 }),
    );
    expect(foreign.status).toBe(404);
  });
});

describe('HEAD of a timeline', () => {
  // Not by the entry: on its way there the runtime makes a GET of what asks for a WebSocket.
  const asked = async (path: string, headers: Record<string, string>) =>
    await app.fetch(requestOf(path, { method: 'HEAD', headers }), env);
  const EVENTS = { accept: 'text/event-stream' };

  it.each([
    ['a stream', EVENTS, 'text/event-stream'],
    ['a WebSocket, which only GET begins', { upgrade: 'websocket' }, 'application/json'],
    ['both', { ...EVENTS, upgrade: 'websocket' }, 'text/event-stream'],
  ])('that asks for %s opens none', async (_case, headers, type) => {
    const key = freshKey();
    await jsonOf(await pay(key, runningPayment()), 202);
    const response = await asked(`/payments/${paymentIdOfKey(key)}/events`, headers);
    expect({ status: response.status, type: response.headers.get('content-type') }).toEqual({ status: 200, type });
    expect(await response.text()).toBe('');
    await runInDurableObject(sagaStub(key), (_saga, state) => expect(state.getWebSockets()).toEqual([]));
  });

  it('is refused where there is none', async () => {
    expect((await asked('/payments/pay_nothing/events', EVENTS)).status).toBe(404);
    expect((await asked(`/payments/${paymentIdOfKey('never-used')}/events`, EVENTS)).status).toBe(404);
  });
});

describe('a WebSocket', () => {
  it('tells the same, through the sleep of its object, and closes with 1000 at the end', async () => {
    const { key, path } = await slowPayment();
    const live = await openSocket(path);
    await evictDurableObject(sagaStub(key));
    expect(await live.closed).toEqual({ code: 1000, reason: 'terminal' });
    const told = live.messages.map((message) => JSON.parse(message) as Envelope);
    expect(told).toEqual((await toldOf(path)).slice(0, told.length));
    expect(told.map(({ event_type }) => event_type)).toContain('payment.completed');

    const again = await openSocket(`${path}?after=${told.length}`);
    expect(await again.closed).toEqual({ code: 1000, reason: 'terminal' });
    expect(again.messages).toEqual([]);
  });

  it('cut off by the crash of its object and resumed, misses nothing and repeats nothing', async () => {
    holdPayments();
    const { path } = await slowPayment();
    const cut = await openSocket(path);
    await expect.poll(() => cut.messages.length, { timeout: 10_000, interval: 5 }).toBeGreaterThan(2);
    await abortAllDurableObjects();
    expect((await cut.closed).code).not.toBe(1000);
    loseMessages(null);
    const resumed = await openSocket(`${path}?after=${sequencesOf(cut.messages).at(-1)}`);
    expect((await resumed.closed).code).toBe(1000);
    const sequences = sequencesOf([...cut.messages, ...resumed.messages]);
    expect(sequences).toEqual(sequences.map((_, index) => index + 1));
  });

  it('that has been open for long is told nothing more, and whoever comes again goes on where it was', async () => {
    holdPayments();
    const { key, path } = await slowPayment('pm_sim_callback_never');
    const [old, young] = await Promise.all([openSocket(path), openSocket(path)]);
    await runInDurableObject(sagaStub(key), (_saga, state) => {
      for (const socket of state.getWebSockets().slice(0, 1)) {
        const { toldTo, openedAtMs } = socket.deserializeAttachment() as LiveAttachment;
        socket.serializeAttachment({ toldTo, openedAtMs: openedAtMs - LIVE_STREAM_MAX_AGE_MS });
      }
    });
    loseMessages(null);
    const ends = await Promise.all([old.closed, young.closed]);
    expect(ends.map(({ code }) => code).sort()).toEqual([1000, 1001]);
    const cut = ends[0].code === 1001 ? old : young;
    const told = sequencesOf(cut.messages);
    const resumed = await openSocket(`${path}?after=${told.at(-1)}`);
    expect((await resumed.closed).code).toBe(1000);
    const sequences = [...told, ...sequencesOf(resumed.messages)];
    expect(sequences).toEqual(sequences.map((_, index) => index + 1));
    expect(resumed.messages.length).toBeGreaterThan(0);
  });

  it('answers ping, and is closed when anything else is said', async () => {
    const key = freshKey();
    await jsonOf(await pay(key, runningPayment()), 202);
    const { socket, messages, closed } = await openSocket(`/payments/${paymentIdOfKey(key)}/events`);
    socket.send('ping');
    await expect.poll(() => messages.includes('pong'), { timeout: 5_000, interval: 10 }).toBe(true);
    socket.send('hello');
    expect((await closed).code).toBe(1008);
  });

  it('of a payment that nobody has is refused, and one too many as well', async () => {
    const key = freshKey();
    await jsonOf(await pay(key, runningPayment()), 202);
    const path = `/payments/${paymentIdOfKey(key)}/events`;
    const upgrade = { headers: { upgrade: 'websocket' } };
    await problemOf(await send('/payments/pay_nothing/events', upgrade), 404, 'not_found');
    const open = await Promise.all(Array.from({ length: LIVE_STREAMS_MAX }, () => openSocket(path)));
    await problemOf(await send(path, upgrade), 503, 'overloaded');
    await problemOf(await openStream(path), 503, 'overloaded');
    for (const { socket } of open) socket.close();
    await expect.poll(async () => (await send(path, upgrade)).status, { timeout: 5_000, interval: 20 }).toBe(101);
  });
});
