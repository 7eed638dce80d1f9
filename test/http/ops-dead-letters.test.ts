import { createMessageBatch } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { describe, expect, test } from 'vitest';
import { consumeDeadLetters } from '../../queues/dead-letters.ts';
import { DEAD_LETTER_SERIES } from '../../src/domain/dead-letter.ts';
import type { Envelope } from '../../src/domain/events/envelope.ts';
import { DEAD_LETTERS_REDRIVE_MAX } from '../../src/domain/limits.ts';
import { freshPaymentId, message } from '../queues/messages.ts';
import { freshKey, jsonOf, pay, paymentIdOfKey, post, problemOf, runningPayment, send } from './client.ts';

interface Letter {
  id: string;
  status: string;
  queue: string;
  message_type: string | null;
  entity_id: string | null;
  death_count: number;
  redrive_count: number;
  died_at: string;
  last_died_at: string;
  resolution: { actor: string; reason: string; outcome: string | null } | null;
  body?: unknown;
  owner?: { awaits: boolean | null; state: string | null } | null;
}
interface List<Item> {
  data: Item[];
  next_cursor: string | null;
}
interface Redrive {
  id: string;
  result: string;
  outcome: string | null;
  owner_state: string | null;
}

const WORD = { actor: 'jane', reason: 'looked at it' };
const PATH = '/ops/dead-letters';
let last = 0;

/** Stores letters of these bodies as the real consumer does, and answers their ids, oldest first. */
async function dead(queue: string, ...bodies: unknown[]): Promise<string[]> {
  const ids = bodies.map(() => `letter-${String(++last).padStart(5, '0')}`);
  for (const [index, body] of bodies.entries()) {
    const batch = [{ id: ids[index] ?? '', timestamp: new Date(), attempts: 4, body }];
    await consumeDeadLetters(createMessageBatch(`${queue}-dlq`, batch), env);
  }
  return ids;
}

async function oneDead(queue: string, body: unknown): Promise<string> {
  return (await dead(queue, body))[0] ?? '';
}

const ofMerchant = (merchant: string, mode: 'sandbox' | 'live' = 'sandbox', paymentId = freshPaymentId()) => {
  const event = message('orchestrator.wallet.debit', paymentId);
  return { ...event, metadata: { ...event.metadata, merchant, mode } };
};
const mine = () => ofMerchant('default');
/** As many effects of one log, each of which has a letter of its own. */
const effectsOf = (event: unknown, count: number) => {
  const { metadata, ...rest } = event as Envelope;
  const effectId = metadata.message_deduplication_id;
  return Array.from({ length: count }, (_, index) => ({
    ...rest,
    metadata: { ...metadata, message_deduplication_id: index === 0 ? effectId : `${effectId}.${index}` },
  }));
};
const list = async (query = '') => jsonOf<List<Letter>>(await send(`${PATH}?${query}`), 200);
const read = async (id: string) => jsonOf<Letter>(await send(`${PATH}/${id}`), 200);
const discard = (id: string, body: object = WORD) => post(`${PATH}/${id}/discard`, body);
const redrive = (id: string, body: object = WORD) => post(`${PATH}/${id}/redrive`, body);
const redriveMany = (body: object) => post(`${PATH}/redrive`, { ...WORD, ...body });

async function audits(action: string, id: string): Promise<Record<string, unknown>[]> {
  const { results } = await env.DB.prepare('SELECT * FROM audit_log WHERE action = ? AND subject LIKE ?')
    .bind(action, `${id}%`)
    .all();
  return results;
}

/** A payment that waits for its look-up for ever, and the effect that it waits for: its letters have something to redrive. */
async function waiting(): Promise<{ paymentId: string; letterOf: (type: string) => Promise<unknown> }> {
  const key = freshKey();
  await jsonOf(await pay(key, runningPayment()), 202);
  const paymentId = paymentIdOfKey(key);
  return {
    paymentId,
    letterOf: async (type) => {
      const find = async () => {
        const { data } = await jsonOf<List<{ event_type: string }>>(await send(`/payments/${paymentId}/events`), 200);
        return data.findLast((event) => event.event_type === type);
      };
      await expect.poll(find, { timeout: 15_000 }).toBeDefined();
      return find();
    },
  };
}

describe('the list', () => {
  test('is newest first, and says of each what it was and what became of it', async () => {
    const [first, second] = await dead('wallet-commands', mine(), 'unreadable');
    const { data } = await list('limit=2');
    expect(data.map((letter) => letter.id)).toEqual([second, first]);
    expect(data).toMatchObject([
      { object: 'dead_letter', message_type: null, entity_id: null, effect_id: null, status: 'present' },
      {
        queue: 'wallet-commands',
        reason: 'its attempts are spent',
        message_type: 'orchestrator.wallet.debit',
        entity_id: expect.stringMatching(/^pay_/),
        effect_id: expect.stringMatching(/^orchestrator\.wallet\.debit\.pay_/),
        status: 'present',
        death_count: 1,
        redrive_count: 0,
        resolution: null,
        died_at: expect.stringMatching(/Z$/),
        last_died_at: data[1]?.died_at,
      },
    ]);
    expect(data[0]).not.toHaveProperty('body');
  });

  test('is filtered by queue, status, type, entity and time, and pages through all of it', async () => {
    const event = mine();
    const id = event.metadata.message_group_id.slice('payment_'.length);
    const ids = await dead('notifications', ...effectsOf(event, 3));
    const queue = await oneDead('queue-of-its-own', mine());
    expect((await list(`queue=queue-of-its-own`)).data.map((letter) => letter.id)).toEqual([queue]);
    await discard(ids[1] ?? '');
    expect((await list(`entity_id=${id}&status=discarded`)).data.map((letter) => letter.id)).toEqual([ids[1]]);
    expect((await list(`entity_id=${id}&message_type=orchestrator.wallet.debit`)).data).toHaveLength(3);
    expect((await list(`entity_id=${id}&message_type=orchestrator.wallet.credit`)).data).toHaveLength(0);
    expect((await list('entity_id=nobody')).data).toHaveLength(0);
    const paged: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: List<Letter> = await list(`entity_id=${id}&limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`);
      paged.push(...page.data.map((letter) => letter.id));
      cursor = page.next_cursor;
    }
    expect(paged).toEqual(ids.toReversed());
    const { died_at: diedAt } = (await list(`entity_id=${id}&limit=1`)).data[0] as Letter & { died_at: string };
    expect((await list(`entity_id=${id}&died_from=${diedAt}`)).data.length).toBeGreaterThan(0);
    expect((await list(`entity_id=${id}&died_from=2999-01-01T00:00:00Z`)).data).toHaveLength(0);
    expect((await list(`entity_id=${id}&died_to=2000-01-01T00:00:00Z`)).data).toHaveLength(0);
  });

  test('has one line for what dies of the same again and again, where the first is, with how often and when last', async () => {
    const event = mine();
    const [first] = await dead('wallet-commands', event);
    await scheduler.wait(2);
    const [between] = await dead('wallet-commands', mine(), event, event);
    const { data } = await list('limit=2');
    expect(data.map(({ id, death_count: deaths }) => [id, deaths])).toEqual([
      [between, 1],
      [first, 3],
    ]);
    const letter = data[1];
    expect(Date.parse(letter?.last_died_at ?? '')).toBeGreaterThan(Date.parse(letter?.died_at ?? ''));
    expect(await read(first ?? '')).toMatchObject({ death_count: 3, body: event });
  });

  test('takes a cursor for its own filters only, and no filter that it does not know', async () => {
    await dead('wallet-commands', mine(), mine());
    const { next_cursor: cursor } = await list('limit=1');
    await problemOf(await send(`${PATH}?limit=1&status=present&cursor=${cursor}`), 400, 'invalid_cursor');
    await problemOf(await send(`${PATH}?colour=red`), 400, 'validation_failed');
    await problemOf(await send(`${PATH}?status=lost`), 400, 'validation_failed');
    await problemOf(await send(`${PATH}?limit=101`), 400, 'validation_failed');
  });
});

describe("another merchant's letters", () => {
  test.each([
    ['of another merchant', ofMerchant('shop')],
    ['of the other mode', ofMerchant('default', 'live')],
  ])('%s are not listed, and are not found by their ids', async (_what, body) => {
    const id = await oneDead('wallet-commands', body);
    expect((await list('limit=100')).data.map((letter) => letter.id)).not.toContain(id);
    await problemOf(await send(`${PATH}/${id}`), 404, 'not_found');
    await problemOf(await discard(id), 404, 'not_found');
    await problemOf(await redrive(id), 404, 'not_found');
    const { data } = await jsonOf<List<Redrive>>(await redriveMany({ ids: [id] }), 200);
    expect(data).toMatchObject([{ id, result: 'not_found' }]);
    const row = await env.DB.prepare('SELECT status, redrive_count FROM dead_letters WHERE id = ?').bind(id).first();
    expect(row).toEqual({ status: 'present', redrive_count: 0 });
    expect(await audits('dead_letter.redrive', id)).toEqual([]);
  });
});

describe('a letter that is inspected', () => {
  test('shows its body without the payment token, and that its saga waits for what it carried', async () => {
    const { paymentId, letterOf } = await waiting();
    const event = (await letterOf('orchestrator.gateway.lookup')) as { payload: object };
    const id = await oneDead('gateway-commands', { ...event, payload: { ...event.payload, token: 'pm_secret' } });
    const letter = await read(id);
    expect(letter).toMatchObject({ id, entity_id: paymentId, status: 'present', body: event });
    expect(JSON.stringify(letter)).not.toContain('pm_secret');
    expect(letter.owner).toMatchObject({ state: expect.any(String), awaits: expect.any(Boolean) });
  });

  test('whose saga has the outcome says that nothing waits for it', async () => {
    const { letterOf } = await waiting();
    await letterOf('wallet.hold_funds');
    const id = await oneDead('wallet-commands', await letterOf('orchestrator.wallet.hold_funds'));
    expect((await read(id)).owner).toMatchObject({ awaits: false });
  });

  test.each<[string, unknown, unknown]>([
    ['that nobody can read', 'text', 'text'],
    ['of a payment that was never begun', mine(), expect.anything()],
  ])('%s has no owner', async (_what, body, shown) => {
    expect(await read(await oneDead('wallet-commands', body))).toMatchObject({ owner: null, body: shown });
  });

  test('that was cut is shown as text', async () => {
    const id = await oneDead('wallet-commands', { long: 'x'.repeat(200_000) });
    expect((await read(id)).body).toMatch(/^\{"long":"x+$/);
  });

  test('is not found by an id that is none', async () => {
    await problemOf(await send(`${PATH}/nobody`), 404, 'not_found');
    await problemOf(await send(`${PATH}/${'x'.repeat(65)}`), 404, 'not_found');
  });
});

describe('a letter that is discarded', () => {
  test('keeps who did it and why, in the audit log first; again it is answered as it stands', async () => {
    const id = await oneDead('wallet-commands', 'poison');
    const word = { actor: 'jane', reason: 'from a test system' };
    expect(await jsonOf<Letter>(await discard(id, word), 200)).toMatchObject({
      id,
      status: 'discarded',
      resolution: { ...word, outcome: null },
    });
    expect(await jsonOf<Letter>(await discard(id, { actor: 'joe', reason: 'again' }), 200)).toMatchObject({
      resolution: word,
    });
    expect(await audits('dead_letter.discard', id)).toMatchObject([{ ...word, subject: `${id} unreadable` }]);
    const problem = await problemOf(await redrive(id), 409, 'dead_letter_resolved');
    expect(problem.detail).toBe('The dead letter has been discarded.');
  });

  test.each([{}, { actor: 'jane' }, { reason: 'r' }, { ...WORD, extra: 1 }, { actor: '', reason: '' }])(
    'is not by who says %o',
    async (body) => {
      const id = await oneDead('wallet-commands', 'poison');
      await problemOf(await discard(id, body), 400, 'validation_failed');
      await problemOf(await redrive(id, body), 400, 'validation_failed');
      expect((await read(id)).status).toBe('present');
    },
  );
});

describe('a letter that is redriven', () => {
  test('of a saga that has its outcome is redriven with nothing to do, once, whoever presses', async () => {
    const { letterOf } = await waiting();
    await letterOf('wallet.hold_funds');
    const id = await oneDead('wallet-commands', await letterOf('orchestrator.wallet.hold_funds'));
    const [a, b] = await Promise.all([redrive(id), redrive(id, { actor: 'joe', reason: 'me too' })]);
    const both = [await jsonOf<Redrive>(a, 200), await jsonOf<Redrive>(b, 200)];
    expect(both.map((each) => each.result).sort()).toEqual(['already_redriven', 'redriven']);
    expect(both.map((each) => each.outcome)).toEqual(['no_longer_awaited', 'no_longer_awaited']);
    expect(await jsonOf<Redrive>(await redrive(id), 200)).toMatchObject({ result: 'already_redriven' });
    const counted = await env.DB.prepare('SELECT value FROM metric_counters WHERE series = ?')
      .bind(DEAD_LETTER_SERIES.redriven)
      .first('value');
    expect(counted).toBe(1);
    const problem = await problemOf(await discard(id), 409, 'dead_letter_resolved');
    expect(problem.detail).toBe('The dead letter has been redriven.');
    expect((await audits('dead_letter.redrive', id)).length).toBeGreaterThan(0);
  });

  test.each<[string, unknown]>([
    ['that nobody can read', 'text'],
    ['of a payment that was never begun', mine()],
    ['of an id that leads nowhere', ofMerchant('default', 'sandbox', `pay_${'1'.repeat(43)}`)],
  ])('%s is not: it can only be discarded', async (_what, body) => {
    const id = await oneDead('wallet-commands', body);
    await problemOf(await redrive(id), 409, 'dead_letter_not_redrivable');
    expect(await read(id)).toMatchObject({ status: 'present' });
    expect((await discard(id)).status).toBe(200);
  });
});

describe('many letters that are redriven', () => {
  test('by their ids are answered each for itself, in the order asked', async () => {
    const { letterOf } = await waiting();
    await letterOf('wallet.hold_funds');
    const hold = await letterOf('orchestrator.wallet.hold_funds');
    const [effect, other] = effectsOf(hold, 2);
    const [one, poison, two] = await dead('wallet-commands', effect, 'poison', other);
    const gone = await oneDead('notifications', hold);
    await discard(gone);
    const ids = ['nobody', two, poison, gone, one, one];
    const { data, next_cursor: next } = await jsonOf<List<Redrive>>(await redriveMany({ ids }), 200);
    expect(data.map(({ id, result }) => [id, result])).toEqual([
      ['nobody', 'not_found'],
      [two, 'redriven'],
      [poison, 'not_redrivable'],
      [gone, 'discarded'],
      [one, 'redriven'],
    ]);
    expect(next).toBeNull();
  });

  test('by a filter are the present ones that fit, page by page', async () => {
    const { paymentId, letterOf } = await waiting();
    await letterOf('wallet.hold_funds');
    const hold = await letterOf('orchestrator.wallet.hold_funds');
    const ids = await dead('wallet-commands', ...effectsOf(hold, 3));
    const other = await oneDead('wallet-commands', mine());
    await discard(ids[0] ?? '');
    const body = { filter: { entity_id: paymentId, queue: 'wallet-commands' }, limit: 1 };
    const first = await jsonOf<List<Redrive>>(await redriveMany(body), 200);
    expect(first.data).toMatchObject([{ id: ids[2], result: 'redriven', outcome: 'no_longer_awaited' }]);
    const second = await jsonOf<List<Redrive>>(await redriveMany({ ...body, cursor: first.next_cursor }), 200);
    expect(second.data).toMatchObject([{ id: ids[1], result: 'redriven' }]);
    expect(second.next_cursor).toBeNull();
    const third = await jsonOf<List<Redrive>>(await redriveMany(body), 200);
    expect(third.data).toEqual([]);
    expect((await read(other)).status).toBe('present');
  });

  test.each<[string, object]>([
    ['by neither', {}],
    ['by both', { ids: ['a'], filter: {} }],
    ['by no id', { ids: [] }],
    ['by too many ids', { ids: Array.from({ length: DEAD_LETTERS_REDRIVE_MAX + 1 }, (_, index) => `id-${index}`) }],
    ['by ids with a limit', { ids: ['a'], limit: 1 }],
    ['above the limit', { filter: {}, limit: DEAD_LETTERS_REDRIVE_MAX + 1 }],
    ['by a status', { filter: { status: 'redriven' } }],
  ])('%s are refused', async (_what, body) => {
    await problemOf(await redriveMany(body), 400, 'validation_failed');
  });

  test('with a cursor of another filter are refused', async () => {
    await dead('wallet-commands', 'a', 'b');
    const { next_cursor: cursor } = await jsonOf<List<Redrive>>(await redriveMany({ filter: {}, limit: 1 }), 200);
    expect(cursor).not.toBeNull();
    await problemOf(await redriveMany({ filter: { queue: 'x' }, cursor }), 400, 'invalid_cursor');
  });
});

test('what came in is what is present, redriven and discarded (X3), after all of these', async () => {
  const { results } = await env.DB.prepare('SELECT status, COUNT(*) AS n FROM dead_letters GROUP BY status').all<{
    status: string;
    n: number;
  }>();
  const rows = Object.fromEntries(results.map(({ status, n }) => [status, n]));
  const counters = await env.DB.prepare(
    `SELECT series, value FROM metric_counters WHERE series LIKE 'dead_letters.%'`,
  ).all<{
    series: string;
    value: number;
  }>();
  const counted = Object.fromEntries(counters.results.map(({ series, value }) => [series, value]));
  expect(rows.redriven).toBe(counted[DEAD_LETTER_SERIES.redriven]);
  expect(rows.discarded).toBe(counted[DEAD_LETTER_SERIES.discarded]);
  expect((rows.present ?? 0) + (rows.redriven ?? 0) + (rows.discarded ?? 0)).toBe(counted[DEAD_LETTER_SERIES.stored]);
  expect(rows.redriven).toBeGreaterThan(3);
  expect(rows.discarded).toBeGreaterThan(3);
});
