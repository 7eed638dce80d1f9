import { env } from 'cloudflare:workers';
import { describe, expect, test } from 'vitest';
import { consumeDeadLetters } from '../../queues/dead-letters.ts';
import { DEAD_LETTER_BODY_LENGTH_MAX } from '../../src/domain/limits.ts';
import type { DeadMessage } from '../../src/domain/messages.ts';
import { brokenDatabase, bug, deliver, freshPaymentId, message, overloaded, Recorder, transient } from './messages.ts';

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

const buried = (body: unknown, queue = 'gateway-commands'): DeadMessage => ({
  kind: 'dead_message',
  queue,
  reason: 'malformed: /amount',
  body,
});

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
  const id = freshPaymentId();
  const authorize = message('orchestrator.gateway.authorize', id, { token: TOKEN });

  test.each<[string, string, unknown]>([
    ['of a command whose attempts are spent', 'gateway-commands-dlq', authorize],
    ['of a command that was buried', 'dead-letters', buried(authorize)],
    ['of a command that was buried twice', 'dead-letters', buried(buried(authorize))],
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
    const idPrefix = fresh();
    await deliver(consumeDeadLetters, 'gateway-commands-dlq', [authorize], new Recorder().env, { idPrefix });
    const { token: _token, ...payload } = authorize.payload;
    const [letter] = await letters(idPrefix);
    expect(JSON.parse(String(letter?.body))).toEqual({ ...authorize, payload });
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
