// Regressions of what carries payments: consumers, dead letters, breakers, counters, stubs. Each test is a fault that another
// system had (README.md), against the real queues, objects and D1.
import { abortAllDurableObjects, createMessageBatch, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { describe, expect, test } from 'vitest';
import { consumeBatch } from '../../queues/index.ts';
import { consumeWalletCommands } from '../../queues/wallet-commands.ts';
import { callObject } from '../../src/http/objects.ts';
import { deliver, freshPaymentId, message, overloaded, Recorder } from '../queues/messages.ts';
import { call, chargeOf, createPayment, openWallet, terminal, until, wallet } from '../support/payments.ts';

declare global {
  interface ImportMeta {
    /** Vite's: every matching file; see https://vite.dev/guide/features#glob-import. */
    glob(pattern: string, options: { query: '?raw'; import: 'default'; eager: true }): Record<string, string>;
  }
}

const sources = import.meta.glob('../../{src,durable-objects,queues}/**/*.ts', {
  query: '?raw',
  import: 'default',
  eager: true,
});

async function letters(where: string, value: string): Promise<{ queue: string; reason: string }[]> {
  const found = await env.DB.prepare(`SELECT queue, reason FROM dead_letters WHERE ${where} = ?`).bind(value).all();
  return found.results as { queue: string; reason: string }[];
}

describe('a dead-letter queue that nobody reads', () => {
  test.each([
    ['wallet-commands', env.WALLET_COMMANDS],
    ['gateway-commands', env.GATEWAY_COMMANDS],
    ['notifications', env.NOTIFICATIONS],
    ['payment-events', env.PAYMENT_EVENTS],
  ])('what %s cannot read is in D1, with its reason', async (queue, producer) => {
    const marker = crypto.randomUUID();
    await producer.send({ nobody: marker });
    const body = JSON.stringify({ nobody: marker });
    const [letter] = await until(
      () => letters('body', body),
      (found) => found.length > 0,
    );
    expect(letter).toMatchObject({ queue, reason: expect.stringMatching(/.+/) });
  });

  test.each(['wallet-commands-dlq', 'gateway-commands-dlq', 'notifications-dlq', 'payment-events-dlq', 'dead-letters'])(
    'what arrives in %s is in D1',
    async (queue) => {
      const id = crypto.randomUUID();
      const letter = { id, timestamp: new Date(), attempts: 1, body: { nobody: id } };
      await consumeBatch(createMessageBatch(queue, [letter]), env);
      expect(await letters('id', id)).toHaveLength(1);
    },
  );
});

test('untyped payloads: a command whose amount is text moves nothing, and is a dead letter at once', async () => {
  await openWallet('untyped', 1_000);
  const id = freshPaymentId();
  const command = message('orchestrator.wallet.hold_funds', id, {
    wallet_id: 'untyped',
    amount: '10',
    currency: 'USD',
  });
  await env.WALLET_COMMANDS.send(command);
  const [letter] = await until(
    () => letters('effect_id', `orchestrator.wallet.hold_funds.${id}`),
    (found) => found.length > 0,
  );
  // Refused by its schema, before any object sees it: not by luck further on.
  expect(letter?.reason).toMatch(/^malformed: .*amount/);
  expect(await wallet('untyped')).toMatchObject({ available: 1_000, held: 0, version: 1 });
});

test('sleeping inside a consumer: an object that is overloaded is asked later by the queue, and nobody waits here', async () => {
  const [recorder, id] = [new Recorder(), freshPaymentId()];
  recorder.breakSaga(id, overloaded);
  const startedAtMs = Date.now();
  const command = message('orchestrator.wallet.hold_funds', id, { wallet_id: 'nobody', amount: 1, currency: 'USD' });
  const settled = await deliver(consumeWalletCommands, 'wallet-commands', [command], recorder.env);
  expect(settled.acked).toEqual([]);
  expect(settled.retried.m1).toBeGreaterThanOrEqual(5);
  // Below the shortest wait that would do an overloaded object any good.
  expect(Date.now() - startedAtMs).toBeLessThan(4_900);
});

test('a breaker with no half-open: when its time is over a few calls try, and their success closes it', async () => {
  const health = env.PROVIDER_HEALTH.getByName('regression');
  const reports = (result: 'success' | 'failure') =>
    Array.from({ length: 20 }, () => ({ operation: 'authorize' as const, result, slow: false }));
  await health.tell(reports('failure'));
  expect((await health.ask({ authorize: 1 })).authorize).toMatchObject({ kind: 'refused' });
  await runInDurableObject(health, (_, { storage }) => {
    const past = Date.now() - 1;
    storage.sql.exec("UPDATE breakers SET state = json_set(state, '$.openUntilMs', ?)", past);
  });
  await abortAllDurableObjects();
  const again = env.PROVIDER_HEALTH.getByName('regression');
  const { authorize } = await again.ask({ authorize: 50 });
  if (authorize?.kind !== 'leased') throw new Error(JSON.stringify(authorize));
  expect(authorize.leases.length).toBeLessThan(50);
  await again.tell(
    authorize.leases.map((leaseId) => ({
      operation: 'authorize' as const,
      result: 'success' as const,
      slow: false,
      leaseId,
    })),
  );
  expect((await again.read()).find(({ operation }) => operation === 'authorize')?.state).toBe('closed');
});

describe('impressive parts that are never wired in, while a fallback does the work', () => {
  function force(provider: string, state: string): Promise<Response> {
    return call(`/ops/breakers/${provider}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ state, actor: 'jane', reason: 'regression' }),
    });
  }

  test('the breakers stand in the way of every call: forced open, no provider hears of a payment', async () => {
    await openWallet('guarded', 5_000);
    for (const name of ['acme', 'borealis']) expect((await force(name, 'open')).status).toBe(200);
    const { id } = await createPayment({ wallet_id: 'guarded' });
    expect(await terminal(id, 50_000)).toMatchObject({ status: 'FAILED', failure: { code: 'gateway_unavailable' } });
    expect(await Promise.all(['acme', 'borealis'].map((name) => chargeOf(id, name)))).toEqual([null, null]);
    for (const name of ['acme', 'borealis']) await force(name, 'automatic');
    const next = await createPayment({ wallet_id: 'guarded' });
    expect((await terminal(next.id)).status).toBe('COMPLETED');
  });
});

test('counters in object memory: what was counted is in D1, once, whatever is sent twice and whoever is evicted', async () => {
  await openWallet('counted', 50_000);
  for (let n = 0; n < 3; n++) {
    await terminal((await createPayment({ wallet_id: 'counted' })).id);
    await abortAllDurableObjects();
  }
  const completed = "SELECT COUNT(*) AS value FROM payments WHERE status = 'COMPLETED'";
  await until(
    async () => Number(await env.DB.prepare(`${completed} AND wallet_id = 'counted'`).first('value')),
    (value) => value === 3,
  );
  // A second publication of the same runs would arrive within the sending-again time of this project.
  await scheduler.wait(1_500);
  // One snapshot: other payments of this file may still be on their way to the record.
  const [rows, counter] = await env.DB.batch<{ value: number }>([
    env.DB.prepare(completed),
    env.DB.prepare("SELECT value FROM metric_counters WHERE series = 'metrics.payment.success'"),
  ]);
  expect(counter?.results).toEqual(rows?.results);
});

test('a stub that is used again after it threw: the second call is made on a fresh one', async () => {
  const stubs: { calls: number }[] = [];
  const answer = await callObject(
    () => {
      const stub = { calls: 0 };
      stubs.push(stub);
      return stub as never;
    },
    async (stub: { calls: number }) => {
      stub.calls += 1;
      if (stubs.length === 1) throw Object.assign(new Error('reset'), { retryable: true });
      return 'answered';
    },
  );
  expect(answer).toBe('answered');
  expect(stubs.map(({ calls }) => calls)).toEqual([1, 1]);
});

test('secrets compared with ===: no line of the Worker compares one so', () => {
  expect(Object.keys(sources).length).toBeGreaterThan(100);
  const secret = String.raw`\b\w*(?:secret|signature|mac|hmac|digest|apiKey)\w*\b`;
  // Against a literal it is a code of ours, not a secret.
  const comparison = new RegExp(
    String.raw`${secret}\s*[!=]==(?!\s*(?:['"\`]|undefined|null))|[!=]==\s*${secret}(?!\()`,
    'i',
  );
  expect(comparison.test('if (given === secret) return true;')).toBe(true);
  const found = Object.entries(sources).flatMap(([file, text]) =>
    text.split('\n').flatMap((line) => (comparison.test(line) ? [`${file}: ${line.trim()}`] : [])),
  );
  expect(found).toEqual([]);
});
