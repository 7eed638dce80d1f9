/**
 * P8: a thousand poison messages, and hundreds of dead commands of real sagas. None is lost, each is one letter, or one
 * of its deaths, a redrive is a redrive once. The seed in a test's name, put in place of SEED, repeats its order.
 */
import { createExecutionContext, createMessageBatch, getQueueResult, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterAll, afterEach, expect, test } from 'vitest';
import { consumeBatch } from '../../queues/index.ts';
import type { PaymentView } from '../../src/domain/payment.ts';
import { seededRandom } from '../../src/domain/seeded-random.ts';
import type { EntryView } from '../../src/domain/wallet-rpc.ts';
import { paymentObjectId } from '../../src/stubs.ts';
import { message } from '../queues/messages.ts';
import { balance, discard, letters, type Redrive, redriveAll } from '../support/dead-letters.ts';
import { type Delivery, killMessages, kindOf, loseMessages } from '../support/losses.ts';
import { chargesAt, createPayment, json, openWallet, terminal, until } from '../support/payments.ts';
import { tellSomebody } from '../support/webhooks.ts';

const SEED = Date.now() % 2 ** 31;
const COUNT = 1_000;
/** Dead commands of real sagas; DEAD_COMMANDS=1000 is the long form. */
const COMMANDS = Number(env.DEAD_COMMANDS);
const DELIVERIES = 10;
/** Effects that many messages die of. */
const CAUSES = 100;
const BATCH = 100;
/** Sagas at work at once: few, so that even a busy machine answers within the gateway's budget. */
const WAVE = 25;
const WALLETS = 20;
const AMOUNT = 100;

afterEach(() => {
  killMessages(null);
  loseMessages(null);
});

// X3, whatever the tests have done.
afterAll(async () => {
  const { in: came, present, redriven, discarded, ...counted } = await balance();
  expect(present + redriven + discarded).toBe(came);
  expect(counted).toEqual({ countedRedriven: redriven, countedDiscarded: discarded });
});

function shuffled<Item>(items: readonly Item[], seed: number): Item[] {
  const draw = seededRandom(seed);
  const order = items.map((item) => ({ item, at: draw() }));
  return order.sort((a, b) => a.at - b.at).map(({ item }) => item);
}

/** Full batches, in order; a message that stands in a batch already waits for the next one, as a redelivery does. */
function batches(deliveries: readonly Poison[]): Poison[][] {
  const all: Poison[][] = [];
  let rest = deliveries;
  while (rest.length > 0) {
    const batch = new Map<string, Poison>();
    const left: Poison[] = [];
    for (const each of rest) {
      if (batch.size < BATCH && !batch.has(each.id)) batch.set(each.id, each);
      else left.push(each);
    }
    all.push([...batch.values()]);
    rest = left;
  }
  return all;
}

interface Poison {
  readonly id: string;
  readonly queue: string;
  readonly body: unknown;
}

/** Poison of every kind, each with a body of its own. Nothing of it belongs to a saga that exists. */
function poison(index: number): Poison {
  const nobody = `pay_${String(index).padStart(43, '0')}`;
  const debit = message('orchestrator.wallet.debit', nobody);
  const bodies: readonly (readonly [queue: string, body: unknown])[] = [
    ['wallet-commands', `text ${index}`],
    ['gateway-commands', index],
    ['notifications', [null, index]],
    ['payment-events', { kind: 'publication', group_id: `payment_${index}`, runs: [] }],
    ['wallet-commands', { ...debit, payload: { amount: 'much', index } }],
    ['gateway-commands', { ...debit, payload: { ...debit.payload, index } }],
    ['notifications', { ...debit, event_type: 'orchestrator.notify.pigeon', payload: { index } }],
    ['wallet-commands', { ...debit, event_version: '9.0', payload: { index } }],
    ['payment-events', { event_type: 'payment.created', index }],
    ['wallet-commands', { nested: { token: 'pm_secret', index } }],
  ];
  const [queue, body] = bodies[index % bodies.length] ?? ['wallet-commands', null];
  return { id: `poison-${String(index).padStart(4, '0')}`, queue, body };
}

test(`P8: ${COUNT} poison messages, out of order, each delivered ${DELIVERIES} times: 0 lost, one letter each (seed ${SEED})`, {
  timeout: 180_000,
}, async () => {
  const all = Array.from({ length: COUNT }, (_, index) => poison(index));
  const deliveries = shuffled(
    all.flatMap((each) => Array<Poison>(DELIVERIES).fill(each)),
    SEED,
  );
  let buried = 0;
  loseMessages(({ queue }) => {
    if (queue === 'dead-letters') buried += 1;
    return false;
  });
  for (const [queue, ofQueue] of Map.groupBy(deliveries, (each) => each.queue)) {
    for (const batch of batches(ofQueue)) expect(await acknowledged(queue, batch)).toBe(batch.length);
  }
  await until(
    async () => buried,
    (count) => count >= deliveries.length,
    120_000,
  );
  const stored = await until(
    async () =>
      (await env.DB.prepare(`SELECT id, queue, body FROM dead_letters WHERE id LIKE 'poison-%' ORDER BY id`).all())
        .results,
    (rows) => rows.length >= COUNT,
  );
  const text = (body: unknown) => JSON.stringify(body, (key, value: unknown) => (key === 'token' ? undefined : value));
  const letterIds = new Set(stored.map(({ id }) => id));
  const lost = all.filter(({ id }) => !letterIds.has(id)).length;
  console.info(
    `P8 poison: messages=${COUNT} deliveries=${deliveries.length} letters=${stored.length} lost=${lost} seed=${SEED}`,
  );
  expect(stored).toEqual(all.map(({ id, queue, body }) => ({ id, queue, body: text(body) })));
  expect((await balance()).in).toBe(COUNT);
});

test(`P8: ${COUNT} dead messages of ${CAUSES} effects, out of order, each delivered 3 times: a letter an effect, no death missing (seed ${SEED})`, {
  timeout: 120_000,
}, async () => {
  const before = await balance();
  const all = Array.from({ length: COUNT }, (_, index) => {
    const paymentId = `pay_${String(index % CAUSES).padStart(43, 'c')}`;
    const id = `sent-${index}`;
    const body = message('orchestrator.wallet.debit', paymentId);
    const dead = { kind: 'dead_message', message_id: id, queue: 'wallet-commands', reason: 'a bug', body };
    return { id, queue: 'dead-letters', body: dead };
  });
  const deliveries = shuffled(
    all.flatMap((each) => [each, each, each]),
    SEED,
  );
  for (const batch of batches(deliveries)) expect(await acknowledged('dead-letters', batch)).toBe(batch.length);
  const { results } = await env.DB.prepare(`SELECT death_count FROM dead_letters WHERE id LIKE 'sent-%'`).all<{
    death_count: number;
  }>();
  const deaths = results.map(({ death_count: count }) => count);
  expect(deaths.length).toBe(CAUSES);
  expect(Math.min(...deaths)).toBeGreaterThanOrEqual(COUNT / CAUSES);
  expect(Math.max(...deaths)).toBeLessThanOrEqual((3 * COUNT) / CAUSES);
  expect(await balance()).toEqual({ ...before, in: before.in + CAUSES, present: before.present + CAUSES });
});

test('P8: what nobody can send again is not redriven; it is discarded with a reason, and stays in the record', async () => {
  const present = await letters({ status: 'present' });
  const redrives = await redriveAll(present.map(({ id }) => id));
  expect(new Set(redrives.map(({ result }) => result))).toEqual(new Set(['not_redrivable']));
  for (const { id } of present.slice(0, BATCH)) expect((await discard(id)).status).toBe(200);
  expect(await balance()).toMatchObject({ discarded: Math.min(BATCH, present.length), redriven: 0 });
});

/** Which message of a payment dies. */
const VICTIMS: readonly string[] = [
  'orchestrator.wallet.hold_funds',
  'orchestrator.wallet.debit',
  'orchestrator.wallet.debit',
  'orchestrator.notify.payment_success',
];

/** Drawn by the seed, and by the payment's id alone: a message may come before the answer to its POST. */
function victimOf(paymentId: string): string {
  const mixed = [...paymentId].reduce((sum, character) => Math.imul(sum ^ character.charCodeAt(0), 0x01000193), SEED);
  return VICTIMS[(mixed >>> 8) % VICTIMS.length] ?? '';
}

/**
 * Of every payment the first message of its kind dies of its spent attempts, and what the saga sends after it is lost, until
 * `heal`; `heard` then holds how often each effect came through.
 */
function graveyard() {
  const first = new Map<string, string>();
  const heard = new Map<string, number>();
  let isHealed = false;
  const isVictim = (delivery: Delivery) =>
    !delivery.queue.endsWith('-dlq') && victimOf(entityOf(delivery.body)) === kindOf(delivery);
  killMessages((delivery) => !isHealed && isVictim(delivery));
  loseMessages((delivery) => {
    if (!isVictim(delivery)) return false;
    const entity = entityOf(delivery.body);
    if (isHealed) {
      heard.set(entity, (heard.get(entity) ?? 0) + 1);
      return false;
    }
    if (!first.has(entity)) first.set(entity, delivery.id);
    return first.get(entity) !== delivery.id;
  });
  return {
    heard,
    heal: () => {
      isHealed = true;
    },
  };
}

function entityOf(body: unknown): string {
  const group = (body as { metadata?: { message_group_id?: string } } | null)?.metadata?.message_group_id ?? '';
  return group.slice(group.indexOf('_') + 1);
}

/** Without its alarm nothing but a redrive can move a saga whose command has died. */
async function withoutAlarm(paymentId: string): Promise<void> {
  const id = paymentObjectId(env, paymentId);
  if (id === null) throw new Error('no object');
  await runInDurableObject(env.PAYMENT_SAGA.get(id), (_object, state) => state.storage.deleteAlarm());
}

/** Letters that the platform brought, not a consumer. */
async function spentLetters(): Promise<number> {
  const count = `SELECT COUNT(*) AS n FROM dead_letters WHERE reason = 'its attempts are spent'`;
  return (await env.DB.prepare(count).first<number>('n')) ?? 0;
}

const walletName = (index: number) => `graveyard-${index}`;

/** All entries of a wallet that are of payments, by payment, oldest first. */
async function entriesByPayment(walletId: string): Promise<Map<string, string[]>> {
  const all: EntryView[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: { data: EntryView[]; next_cursor: string | null } = await json(
      `/wallets/${walletId}/entries?limit=100${cursor === '' ? '' : `&cursor=${cursor}`}`,
    );
    all.push(...page.data);
    cursor = page.next_cursor;
  }
  const ofPayments = all.toReversed().filter((entry) => entry.payment_id !== undefined);
  const groups = Map.groupBy(ofPayments, (entry) => entry.payment_id ?? '');
  return new Map([...groups].map(([id, entries]) => [id, entries.map((entry) => entry.type)]));
}

/** By payment, what the provider's own books say: status and calls of authorize of each charge. */
async function chargesByPayment(): Promise<Map<string, string[]>> {
  const groups = Map.groupBy(await chargesAt('acme'), (charge) => charge.paymentId);
  return new Map(
    [...groups].map(([id, charges]) => [id, charges.map((each) => `${each.status} ${each.calls.authorize}`)]),
  );
}

test(`P8: ${COMMANDS} dead commands of real sagas: all are redriven, and a redrive twice is a redrive once (seed ${SEED})`, {
  timeout: 900_000,
}, async () => {
  await tellSomebody();
  const { heard, heal } = graveyard();
  const startedAtMs = Date.now();
  for (let index = 0; index < WALLETS; index++) await openWallet(walletName(index), COMMANDS * AMOUNT);
  const payments: PaymentView[] = [];
  // Wave by wave, each without its alarms once its commands are dead: a thousand sagas that all send again would be the load.
  for (let from = 0; from < COMMANDS; from += WAVE) {
    const wave = Array.from({ length: WAVE }, (_, index) =>
      createPayment({ wallet_id: walletName((from + index) % WALLETS), amount: AMOUNT }),
    );
    payments.push(...(await Promise.all(wave)));
    await until(spentLetters, (stored) => stored >= payments.length, 60_000);
    await Promise.all(payments.slice(from).map(({ id }) => withoutAlarm(id)));
  }
  const paymentIds = new Set(payments.map(({ id }) => id));
  const dead = (await letters({ status: 'present' })).filter(({ entity_id: id }) => paymentIds.has(id ?? ''));
  expect(new Set(dead.map(({ effect_id: id }) => id)).size).toBe(COMMANDS);
  expect(dead.length).toBe(COMMANDS);

  heal();
  const deadAtMs = Date.now();
  const before = await balance();
  // Two operators at once, one from the other end of each page; then a third, when all is done.
  const shuffledDead = shuffled(dead, SEED);
  const ids = shuffledDead.map(({ id }) => id);
  const both: Redrive[] = [];
  for (let from = 0; from < COMMANDS; from += WAVE) {
    const page = ids.slice(from, from + WAVE);
    both.push(...(await Promise.all([redriveAll(page), redriveAll(page.toReversed())])).flat());
    for (const { entity_id: id } of shuffledDead.slice(from, from + WAVE)) {
      expect((await terminal(id ?? '', 60_000)).status).toBe('COMPLETED');
    }
  }
  const endedAtMs = Date.now();
  const third = await redriveAll(ids);

  const results = Map.groupBy(both, (each) => each.id);
  for (const id of ids) expect(resultsOf(results.get(id))).toEqual(['already_redriven', 'redriven']);
  expect(new Set(third.map(({ result }) => result))).toEqual(new Set(['already_redriven']));
  expect(await balance()).toEqual({
    ...before,
    present: before.present - COMMANDS,
    redriven: before.redriven + COMMANDS,
    countedRedriven: before.countedRedriven + COMMANDS,
  });

  // The wallets' ledgers, the provider's books and the notifications: one effect each.
  const ledgers = await Promise.all(Array.from({ length: WALLETS }, (_, index) => entriesByPayment(walletName(index))));
  const moves = new Map(ledgers.flatMap((ledger) => [...ledger]));
  const charges = await chargesByPayment();
  const told = async () => (await env.DB.prepare('SELECT COUNT(*) AS n FROM notifications').first<number>('n')) ?? 0;
  const notifications = await until(told, (rows) => rows >= COMMANDS);
  const sentTwice = [...heard.values()].filter((times) => times > 1).length;
  const effectsTwice =
    [...paymentIds].reduce((sum, id) => sum + repeats(moves.get(id)) + repeats(charges.get(id)), 0) +
    (notifications - COMMANDS);
  const times = `dying=${deadAtMs - startedAtMs}ms redriving=${endedAtMs - deadAtMs}ms`;
  console.info(
    `P8 commands: dead=${COMMANDS} redriven=${ids.length} sent_twice=${sentTwice} effects_twice=${effectsTwice} ${times} seed=${SEED}`,
  );
  for (const id of paymentIds) {
    expect(moves.get(id), id).toEqual(['hold', 'debit']);
    expect(charges.get(id), id).toEqual(['authorized 1']);
  }
  expect(moves.size).toBe(COMMANDS);
  expect(notifications).toBe(COMMANDS);
  expect(heard.size).toBe(COMMANDS);
});

/** How many effects of one payment are there a further time. */
function repeats(effects: readonly string[] = []): number {
  return effects.length - new Set(effects).size;
}

function resultsOf(redrives: readonly Redrive[] | undefined): string[] {
  return (redrives ?? []).map(({ result }) => result).sort();
}

/** How many messages of a batch its consumer acknowledges. */
async function acknowledged(queue: string, messages: readonly Poison[]): Promise<number> {
  const batch = createMessageBatch(
    queue,
    messages.map(({ id, body }) => ({ id, timestamp: new Date(), attempts: 1, body })),
  );
  await consumeBatch(batch, env);
  return (await getQueueResult(batch, createExecutionContext())).explicitAcks.length;
}
