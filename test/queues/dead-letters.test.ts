import { env } from 'cloudflare:workers';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { consumeDeadLetters } from '../../queues/dead-letters.ts';
import { DEAD_LETTER_SERIES } from '../../src/domain/dead-letter.ts';
import type { Envelope } from '../../src/domain/events/envelope.ts';
import { DAY_MS, DEAD_LETTER_BODY_LENGTH_MAX, HOUR_MS, SECOND_MS } from '../../src/domain/limits.ts';
import type { DeadMessage } from '../../src/domain/messages.ts';
import { discardDeadLetter } from '../../src/read-model/dead-letters.ts';
import { brokenDatabase, bug, deliver, freshPaymentId, message, overloaded, Recorder, transient } from './messages.ts';

/** `max_retries` of the dead-letter queues in wrangler.toml. */
const RETRIES = 100;

afterEach(() => vi.restoreAllMocks());

let lastPrefix = 0;
/** A prefix of message ids that no other test has: a letter is known by its message's id. */
function fresh(): string {
  lastPrefix += 1;
  return `letter-${lastPrefix}-`;
}

async function letters(prefix: string): Promise<Record<string, unknown>[]> {
  const { results } = await env.DB.prepare('SELECT * FROM dead_letters WHERE id LIKE ? ORDER BY id')
    .bind(`${prefix}%`)
    .all();
  return results;
}

/** As a version wrote it that did not say the message's id: the letter is then known by the id of the burying. */
const buried = (body: unknown, queue = 'gateway-commands'): DeadMessage => ({
  kind: 'dead_message',
  queue,
  reason: 'malformed: /amount',
  body,
});

const ofShop = (event: Envelope) => ({ ...event, metadata: { ...event.metadata, merchant: 'shop' } });

describe('a dead letter', () => {
  test.each(['wallet-commands', 'gateway-commands', 'notifications'])(
    'of %s, whose attempts are spent, is stored with where it came from and what it was, and its saga is told',
    async (queue) => {
      const [recorder, idPrefix, id] = [new Recorder(), fresh(), freshPaymentId()];
      const event = message('orchestrator.wallet.debit', id);
      const settled = await deliver(consumeDeadLetters, `${queue}-dlq`, [event], recorder.env, { idPrefix });
      expect(settled).toEqual({ acked: [`${idPrefix}1`], retried: {} });
      const [letter] = await letters(idPrefix);
      expect(letter).toMatchObject({
        id: `${idPrefix}1`,
        queue,
        reason: 'its attempts are spent',
        message_type: 'orchestrator.wallet.debit',
        group_id: `payment_${id}`,
        effect_id: `orchestrator.wallet.debit.${id}`,
      });
      expect(JSON.parse(String(letter?.body))).toEqual(event);
      expect(Number(letter?.died_at_ms)).toBeGreaterThan(Date.UTC(2026, 0));
      expect(recorder.died).toEqual([`orchestrator.wallet.debit.${id}`]);
    },
  );

  test('that a consumer buried is stored with its reason and the queue that it died in, and its saga is told', async () => {
    const [recorder, idPrefix, id] = [new Recorder(), fresh(), freshPaymentId()];
    const event = message('orchestrator.gateway.capture', id);
    await deliver(consumeDeadLetters, 'dead-letters', [buried(event)], recorder.env, { idPrefix });
    const [letter] = await letters(idPrefix);
    expect(letter).toMatchObject({
      queue: 'gateway-commands',
      reason: 'malformed: /amount',
      message_type: 'orchestrator.gateway.capture',
    });
    expect(JSON.parse(String(letter?.body))).toEqual(event);
    expect(recorder.died).toEqual([`orchestrator.gateway.capture.${id}`]);
  });

  test.each<[string, unknown, string]>([
    ['text', 'not an event', '"not an event"'],
    ['a number', 7, '7'],
    ['null', null, 'null'],
    ['nothing', undefined, 'null'],
    ['a list', [1], '[1]'],
    ['an event without its envelope', { event_type: 'wallet.debit' }, '{"event_type":"wallet.debit"}'],
  ])('that nobody can read (%s) is stored all the same, and no saga is told', async (_what, body, text) => {
    const [recorder, idPrefix] = [new Recorder(), fresh()];
    const settled = await deliver(consumeDeadLetters, 'dead-letters', [buried(body)], recorder.env, { idPrefix });
    expect(settled).toEqual({ acked: [`${idPrefix}1`], retried: {} });
    expect(await letters(idPrefix)).toMatchObject([
      { message_type: null, group_id: null, effect_id: null, body: text },
    ]);
    expect(recorder.died).toEqual([]);
  });

  test('of a type that this version does not know keeps its name, so that it can be redriven later', async () => {
    const [recorder, idPrefix, id] = [new Recorder(), fresh(), freshPaymentId()];
    const event = { ...message('orchestrator.wallet.debit', id), event_type: 'orchestrator.wallet.teleport' };
    await deliver(consumeDeadLetters, 'dead-letters', [buried(event)], recorder.env, { idPrefix });
    expect(await letters(idPrefix)).toMatchObject([{ message_type: 'orchestrator.wallet.teleport' }]);
  });

  test('that is delivered again is stored once, as it first was, and its saga is told again', async () => {
    const [recorder, idPrefix, id] = [new Recorder(), fresh(), freshPaymentId()];
    const send = (body: unknown, queue: string) =>
      deliver(consumeDeadLetters, queue, [body], recorder.env, { idPrefix });
    await send(message('orchestrator.wallet.debit', id), 'wallet-commands-dlq');
    const [before] = await letters(idPrefix);
    await scheduler.wait(2);
    await send(message('orchestrator.wallet.release_funds', id), 'notifications-dlq');
    expect(await letters(idPrefix)).toEqual([before]);
    expect(recorder.died.length).toBe(2);
  });

  test('belongs to the merchant and the mode that its event says, and what nobody can read to nobody', async () => {
    const [recorder, idPrefix, id] = [new Recorder(), fresh(), freshPaymentId()];
    const event = message('orchestrator.wallet.debit', id);
    const foreign = { ...event, metadata: { ...event.metadata, merchant: 'shop', mode: 'live' as const } };
    await deliver(consumeDeadLetters, 'wallet-commands-dlq', [foreign, 'unreadable'], recorder.env, { idPrefix });
    expect(await letters(idPrefix)).toMatchObject([
      { merchant: 'shop', mode: 'live', status: 'present', redrive_count: 0, resolution_reason: null },
      { merchant: null, mode: null, status: 'present' },
    ]);
  });

  test('of a publication says whose log it was of; its saga publishes again by itself and is not told', async () => {
    const [recorder, idPrefix, id] = [new Recorder(), fresh(), freshPaymentId()];
    const event = message('payment.created', id);
    const row = { id, merchant: 'shop', mode: 'sandbox', wallet_id: 'w', service_id: 's', method: 'balance' };
    const payment = { ...row, status: 'PENDING', reference: null, created_at_ms: 1, updated_at_ms: 1, sequence: 1 };
    const publication = {
      kind: 'publication',
      group_id: `payment_${id}`,
      payment: { ...payment, body: '{}' },
      runs: [{ first: 1, last: 1, events: [event] }],
    };
    await deliver(consumeDeadLetters, 'payment-events-dlq', [publication], recorder.env, { idPrefix });
    expect(await letters(idPrefix)).toMatchObject([
      {
        queue: 'payment-events',
        message_type: 'publication',
        group_id: `payment_${id}`,
        effect_id: null,
        merchant: 'shop',
        mode: 'sandbox',
      },
    ]);
    expect(recorder.died).toEqual([]);
  });

  test('is one however often its message was buried, in any order, and is counted once', async () => {
    const [recorder, idPrefix] = [new Recorder(), fresh()];
    const counted = () =>
      env.DB.prepare('SELECT value FROM metric_counters WHERE series = ?')
        .bind(DEAD_LETTER_SERIES.stored)
        .first<number>('value');
    const before = (await counted()) ?? 0;
    const dead = ['a', 'b'].map((name) => ({ ...buried(name), message_id: `${idPrefix}${name}` }));
    const again = [...dead, ...dead.toReversed(), ...dead];
    await deliver(consumeDeadLetters, 'dead-letters', again, recorder.env, { idPrefix: fresh() });
    await deliver(consumeDeadLetters, 'dead-letters', again, recorder.env, { idPrefix: fresh() });
    expect((await letters(idPrefix)).map((letter) => letter.id)).toEqual([`${idPrefix}a`, `${idPrefix}b`]);
    expect(await counted()).toBe(before + 2);
  });

  test('that is delivered again after it was resolved stays resolved', async () => {
    const [recorder, idPrefix, id] = [new Recorder(), fresh(), freshPaymentId()];
    const send = () =>
      deliver(consumeDeadLetters, 'wallet-commands-dlq', [message('orchestrator.wallet.debit', id)], recorder.env, {
        idPrefix,
      });
    await send();
    await discardDeadLetter(env.DB, `${idPrefix}1`, { actor: 'jane', reason: 'seen' }, Date.now());
    await send();
    expect(await letters(idPrefix)).toMatchObject([{ status: 'discarded', resolved_by: 'jane' }]);
  });

  describe('of what waits for the same', () => {
    const counted = async () =>
      (await env.DB.prepare('SELECT value FROM metric_counters WHERE series = ?')
        .bind(DEAD_LETTER_SERIES.stored)
        .first<number>('value')) ?? 0;
    /** As a saga publishes once more: the same log, in a message of its own. */
    const publicationOf = (id: string) => ({
      kind: 'publication',
      group_id: `payment_${id}`,
      payment: {
        ...{ id, merchant: 'shop', mode: 'sandbox', wallet_id: 'w', service_id: 's', method: 'balance' },
        ...{ status: 'PENDING', reference: null, created_at_ms: 1, updated_at_ms: 1, sequence: 1, body: '{}' },
      },
      runs: [{ first: 1, last: 1, events: [message('payment.created', id)] }],
    });
    const wallet = (id: string) => ({
      kind: 'wallet_opened',
      wallet: { id, merchant: 'shop', mode: 'sandbox', currency: 'USD', created_at_ms: 1 },
    });

    test.each<[string, string, (id: string) => unknown, number]>([
      ['a command', 'wallet-commands', (id) => message('orchestrator.wallet.debit', id), 8],
      ['a publication', 'payment-events', publicationOf, 0],
      [
        'a publication of a shape that nobody knows',
        'payment-events',
        (id) => ({ ...publicationOf(id), runs: 'x' }),
        0,
      ],
      ['a wallet that was opened', 'payment-events', wallet, 0],
    ])(
      '%s that is sent and dies again and again is one letter, with each death counted',
      async (_what, queue, of, told) => {
        const [recorder, id, before] = [new Recorder(), freshPaymentId(), await counted()];
        const deliverTo = (prefix: string, ...bodies: unknown[]) =>
          deliver(consumeDeadLetters, `${queue}-dlq`, bodies, recorder.env, { idPrefix: prefix });
        const [first, second, third] = [fresh(), fresh(), fresh()];
        await deliverTo(first, of(id));
        const [letter] = await letters(first);
        await deliverTo(second, of(id), of(id));
        await deliverTo(third, of(id), 'unreadable', of(id), of(id));
        expect(await letters(first)).toEqual([
          {
            ...letter,
            death_count: 6,
            last_died_at_ms: expect.any(Number),
            last_message_id: `${third}4`,
          },
        ]);
        expect(letter).toMatchObject({ id: `${first}1`, death_count: 1, last_died_at_ms: null });
        expect([await letters(second), (await letters(third)).map((each) => each.id)]).toEqual([[], [`${third}2`]]);
        expect(await counted()).toBe(before + 2);
        // Delivered again, the first and the last are known.
        await deliverTo(first, of(id));
        await deliver(consumeDeadLetters, `${queue}-dlq`, [of(id)], recorder.env, { ids: [`${third}4`] });
        expect(await letters(first)).toMatchObject([{ death_count: 6 }]);
        expect(recorder.died.length).toBe(told);
      },
    );

    test.each([
      ['another payment', () => message('orchestrator.wallet.debit', freshPaymentId()), 'wallet-commands'],
      ['another queue', (id: string) => message('orchestrator.wallet.debit', id), 'notifications'],
      ['another effect', (id: string) => message('orchestrator.wallet.release_funds', id), 'wallet-commands'],
      ['another merchant', (id: string) => ofShop(message('orchestrator.wallet.debit', id)), 'wallet-commands'],
    ])('%s has a letter of its own', async (_what, other, queue) => {
      const [recorder, id, idPrefix] = [new Recorder(), freshPaymentId(), fresh()];
      const first = message('orchestrator.wallet.debit', id);
      await deliver(consumeDeadLetters, 'wallet-commands-dlq', [first], recorder.env, { idPrefix: `${idPrefix}a` });
      await deliver(consumeDeadLetters, `${queue}-dlq`, [other(id)], recorder.env, { idPrefix: `${idPrefix}b` });
      expect(await letters(idPrefix)).toMatchObject([{ death_count: 1 }, { death_count: 1 }]);
    });

    test('and was resolved: what dies after that is a new letter, what had died before is not', async () => {
      const [recorder, id, idPrefix] = [new Recorder(), freshPaymentId(), fresh()];
      const die = (name: string) =>
        deliver(consumeDeadLetters, 'wallet-commands-dlq', [message('orchestrator.wallet.debit', id)], recorder.env, {
          idPrefix: `${idPrefix}${name}`,
        });
      await die('a');
      await die('b');
      await discardDeadLetter(env.DB, `${idPrefix}a1`, { actor: 'jane', reason: 'seen' }, Date.now());
      await die('a');
      await die('b');
      expect(await letters(idPrefix)).toMatchObject([{ status: 'discarded', death_count: 2 }]);
      await die('c');
      await die('a');
      await die('b');
      expect(await letters(idPrefix)).toMatchObject([
        { id: `${idPrefix}a1`, status: 'discarded', death_count: 2 },
        { id: `${idPrefix}c1`, status: 'present', death_count: 1 },
      ]);
    });

    test('says why it died the last time', async () => {
      const [recorder, id, idPrefix] = [new Recorder(), freshPaymentId(), fresh()];
      const event = message('orchestrator.gateway.capture', id);
      await deliver(consumeDeadLetters, 'gateway-commands-dlq', [event], recorder.env, { idPrefix });
      await deliver(consumeDeadLetters, 'dead-letters', [buried(event)], recorder.env, { idPrefix: fresh() });
      expect(await letters(idPrefix)).toMatchObject([{ reason: 'malformed: /amount', death_count: 2 }]);
    });

    test('keeps no body of a publication, which its saga makes anew; of one that nobody can read it does', async () => {
      const [recorder, idPrefix] = [new Recorder(), fresh()];
      const [whole, broken] = [publicationOf(freshPaymentId()), { ...publicationOf(freshPaymentId()), runs: 'x' }];
      await deliver(consumeDeadLetters, 'payment-events-dlq', [whole, broken], recorder.env, { idPrefix });
      expect((await letters(idPrefix)).map(({ body }) => body)).toEqual(['null', JSON.stringify(broken)]);
    });
  });

  test('of a payment that this namespace did not mint is stored, and nobody is told', async () => {
    const [recorder, idPrefix] = [new Recorder(), fresh()];
    const event = message('orchestrator.wallet.debit', `pay_${'1'.repeat(43)}`);
    const settled = await deliver(consumeDeadLetters, 'wallet-commands-dlq', [event], recorder.env, { idPrefix });
    expect(settled.acked).toEqual([`${idPrefix}1`]);
    expect((await letters(idPrefix)).length).toBe(1);
    expect(recorder.died).toEqual([]);
  });

  test('keeps at most so much of its body', async () => {
    const [recorder, idPrefix] = [new Recorder(), fresh()];
    const body = 'x'.repeat(DEAD_LETTER_BODY_LENGTH_MAX + 1_000);
    await deliver(consumeDeadLetters, 'dead-letters', [body], recorder.env, { idPrefix });
    expect(String((await letters(idPrefix))[0]?.body).length).toBe(DEAD_LETTER_BODY_LENGTH_MAX);
  });
});

describe('a payment token is never stored', () => {
  const TOKEN = 'pm_card_visa_secret';
  const authorize = () => message('orchestrator.gateway.authorize', freshPaymentId(), { token: TOKEN });

  test.each<[string, string, unknown]>([
    ['of a command whose attempts are spent', 'gateway-commands-dlq', authorize()],
    ['of a command that was buried', 'dead-letters', buried(authorize())],
    ['of a command that was buried twice', 'dead-letters', buried(buried(authorize()))],
    ['of a command that nobody can read', 'dead-letters', buried({ payload: { amount: 'x', token: TOKEN } })],
    ['in a list', 'dead-letters', buried([[{ token: TOKEN }]])],
    ['that is no text', 'dead-letters', buried({ token: { value: TOKEN } })],
  ])('%s', async (_what, queue, body) => {
    const idPrefix = fresh();
    await deliver(consumeDeadLetters, queue, [body], new Recorder().env, { idPrefix });
    const stored = await letters(idPrefix);
    expect(stored.length).toBe(1);
    expect(JSON.stringify(stored)).not.toContain(TOKEN);
  });

  test('and nothing else of the message is lost with it', async () => {
    const [idPrefix, event] = [fresh(), authorize()];
    await deliver(consumeDeadLetters, 'gateway-commands-dlq', [event], new Recorder().env, { idPrefix });
    const { token: _token, ...payload } = event.payload;
    const [letter] = await letters(idPrefix);
    expect(JSON.parse(String(letter?.body))).toEqual({ ...event, payload });
  });
});

describe('nothing stands behind the dead letters', () => {
  test('so while D1 takes nothing they are retried, and no saga is told of what is not stored', async () => {
    const recorder = new Recorder({ DB: brokenDatabase() });
    const event = message('orchestrator.wallet.debit', freshPaymentId());
    const settled = await deliver(consumeDeadLetters, 'wallet-commands-dlq', [event, 'unreadable'], recorder.env);
    expect(settled.acked).toEqual([]);
    expect(Object.keys(settled.retried)).toEqual(['m1', 'm2']);
    expect(recorder.died).toEqual([]);
    expect(recorder.dead).toEqual([]);
  });

  test.each([
    ['is away', 'Network connection lost.', 10],
    ['is overloaded', 'D1 DB is overloaded. Too many requests queued.', 60],
  ])(
    'and all the retries together outlast two days in which D1 %s, while the first come soon',
    async (_what, said, soonSeconds) => {
      const recorder = new Recorder({ DB: brokenDatabase(said) });
      vi.spyOn(Math, 'random').mockReturnValue(0.5);
      let waitedSeconds = 0;
      for (let attempts = 1; attempts <= RETRIES; attempts++) {
        const { retried } = await deliver(consumeDeadLetters, 'dead-letters', ['x'], recorder.env, { attempts });
        waitedSeconds += retried.m1 ?? 0;
        if (attempts === 3) expect(waitedSeconds).toBeLessThan(soonSeconds);
      }
      expect(waitedSeconds * SECOND_MS).toBeGreaterThan(40 * HOUR_MS);
      expect(waitedSeconds * SECOND_MS).toBeLessThan(4 * DAY_MS);
    },
  );

  test('and when D1 is back, each is stored once', async () => {
    const idPrefix = fresh();
    const event = message('orchestrator.wallet.debit', freshPaymentId());
    const down = new Recorder({ DB: brokenDatabase() });
    const send = (testEnv: Env) =>
      deliver(consumeDeadLetters, 'wallet-commands-dlq', [event, 'unreadable'], testEnv, { idPrefix });
    expect((await send(down.env)).acked).toEqual([]);
    const up = new Recorder();
    expect((await send(up.env)).acked).toEqual([`${idPrefix}1`, `${idPrefix}2`]);
    expect(await letters(idPrefix)).toHaveLength(2);
    expect(up.died).toHaveLength(1);
  });

  test('and one whose saga cannot be told is retried, stored once, and takes no neighbour with it', async () => {
    const [recorder, idPrefix] = [new Recorder(), fresh()];
    const [broken, busy, other] = [freshPaymentId(), freshPaymentId(), freshPaymentId()];
    recorder.breakSaga(broken, transient);
    recorder.breakSaga(busy, overloaded);
    const bodies = [broken, busy, other].map((id) => message('orchestrator.wallet.debit', id));
    const settled = await deliver(consumeDeadLetters, 'wallet-commands-dlq', bodies, recorder.env, { idPrefix });
    expect(settled.acked).toEqual([`${idPrefix}3`]);
    expect(settled.retried).toEqual({ [`${idPrefix}1`]: 1, [`${idPrefix}2`]: expect.any(Number) });
    expect(settled.retried[`${idPrefix}2`]).toBeGreaterThanOrEqual(5);
    // The neighbour was told once: it was not handled a second time for the others' sake.
    expect(recorder.died).toEqual([`orchestrator.wallet.debit.${other}`]);
    await deliver(consumeDeadLetters, 'wallet-commands-dlq', bodies, new Recorder().env, { idPrefix });
    expect((await letters(idPrefix)).length).toBe(3);
  });

  test('and a saga that breaks on the news makes no further letter of the one that is stored', async () => {
    const [recorder, idPrefix, id] = [new Recorder(), fresh(), freshPaymentId()];
    recorder.breakSaga(id, bug);
    const event = message('orchestrator.wallet.debit', id);
    const settled = await deliver(consumeDeadLetters, 'wallet-commands-dlq', [event], recorder.env, { idPrefix });
    expect(settled).toEqual({ acked: [`${idPrefix}1`], retried: {} });
    expect(recorder.dead).toEqual([]);
    expect((await letters(idPrefix)).length).toBe(1);
  });
});

describe('through the real queues', () => {
  test('a message that no consumer can read becomes one letter, with its reason', { timeout: 30_000 }, async () => {
    const poison = { event_type: 'orchestrator.wallet.debit', marker: 'real-queue' };
    await env.WALLET_COMMANDS.send(poison);
    const found = async () =>
      (await env.DB.prepare(`SELECT * FROM dead_letters WHERE body LIKE '%real-queue%'`).all()).results;
    const endMs = Date.now() + 20_000;
    while ((await found()).length === 0 && Date.now() < endMs) await scheduler.wait(50);
    expect(await found()).toMatchObject([
      {
        queue: 'wallet-commands',
        reason: expect.stringMatching(/^malformed: /),
        message_type: null,
        body: JSON.stringify(poison),
      },
    ]);
  });
});
