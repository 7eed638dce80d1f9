/** The auditor over real objects and a real D1: while everything moves, over old rows, in small pages, and what it refuses. */
import { evictDurableObject, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, describe, expect, test } from 'vitest';
import { SagaStore } from '../../durable-objects/saga/store.ts';
import { auditFrom } from '../../src/auditor/walk.ts';
import { EMPTY_LOG } from '../../src/domain/audit/operators-log.ts';
import { publicIdFromHex, sagaObjectName, walletObjectName } from '../../src/domain/ids.ts';
import type { PaymentView } from '../../src/domain/payment.ts';
import { seededRandom } from '../../src/domain/seeded-random.ts';
import { appendAudits } from '../../src/read-model/audit-log.ts';
import { paymentObjectId } from '../../src/stubs.ts';
import { loseMessages } from '../support/losses.ts';
import { call, createPayment, freshKey, json, openWallet, terminal, until } from '../support/payments.ts';
import { asTables, editCommits, withRecord } from '../support/saga-storage.ts';
import { atRest, post, walked, walkFindings } from './world.ts';

const SEED = Number(env.HOLDFAST_SEED ?? Date.now() % 2 ** 31);
const PAYMENTS = 12;
const SCOPE = { merchant: 'default', mode: 'sandbox' } as const;

afterEach(() => loseMessages(null));

function sagaOf(paymentId: string) {
  const id = paymentObjectId(env, paymentId);
  if (id === null) throw new Error(`${paymentId} leads nowhere`);
  return env.PAYMENT_SAGA.get(id);
}

const edited = (paymentId: string, edit: Parameters<typeof editCommits>[1]) =>
  runInDurableObject(sagaOf(paymentId), (_, { storage: { kv } }) => editCommits(kv, edit));

const audited = async (...ids: string[]) =>
  (await (await post('/ops/audit', { ids })).json()) as Awaited<ReturnType<typeof walked>>[number];

describe('an audit', () => {
  test(`of random payments finds nothing while they move, messages are lost, and after (seed ${SEED})`, async () => {
    const random = seededRandom(SEED);
    await openWallet('live-1', 1_000_000);
    await openWallet('live-2', 500);
    loseMessages(() => random() < 0.1);
    const ids: string[] = [];
    for (let n = 0; n < PAYMENTS; n++) {
      const token = `pm_sim_seed_${Math.floor(random() * 10_000)}`;
      const wallet = random() < 0.8 ? 'live-1' : 'live-2';
      ids.push((await createPayment({ wallet_id: wallet, amount: 10 + n, token })).id);
      if (n % 3 === 0) expect(await walkFindings()).toEqual([]);
    }
    // Every few moments, until all of them have ended.
    await until(
      async () => {
        expect(await walkFindings()).toEqual([]);
        const views = await Promise.all(ids.map((id) => json<PaymentView>(`/payments/${id}`)));
        return views.filter(({ status }) => status === 'PENDING').length;
      },
      (pending) => pending === 0,
      90_000,
    );
    loseMessages(null);
    await atRest(ids);
    const pages = await walked();
    expect(pages.flatMap(({ findings }) => findings)).toEqual([]);
    expect(pages.find(({ part }) => part === 'payments')?.checked).toMatchObject({ payments: PAYMENTS, unsealed: 0 });
  }, 180_000);

  test('finds a payment that the record has lost, by its id, and a counter that it moved', async () => {
    const sumsBefore = await env.DB.prepare("SELECT sums FROM metric_counters WHERE series = 'runs'").first<string>(
      'sums',
    );
    const { id } = await createPayment({ wallet_id: 'lost' });
    await terminal(id);
    await atRest([id]);
    const rows = await env.DB.prepare('SELECT * FROM events WHERE group_id = ?').bind(`payment_${id}`).all();
    await env.DB.batch([
      env.DB.prepare('DELETE FROM payments WHERE id = ?').bind(id),
      env.DB.prepare('DELETE FROM events WHERE group_id = ?').bind(`payment_${id}`),
    ]);
    expect(rows.results.length).toBeGreaterThan(0);
    const found = (await walkFindings()).map(({ where }) => where);
    expect(found).toEqual(expect.arrayContaining(['counter metrics.payment.success', 'counter runs']));
    expect(found.filter((where) => !where.startsWith('counter '))).toEqual([]);
    const { findings } = await audited(id);
    expect(findings.map(({ what }) => what)).toContain('the record has no row of it');
    await env.DB.batch([
      env.DB.prepare(
        "UPDATE metric_counters SET value = value - 1 WHERE series IN ('metrics.payment.success', 'runs')",
      ),
      env.DB.prepare("UPDATE metric_counters SET sums = ? WHERE series = 'runs'").bind(sumsBefore),
    ]);
    await post('/ops/rebuild', { sagas: [id], actor: 'jane', reason: 'test' });
    expect(await walkFindings()).toEqual([]);
  });

  test('of an id that is none of ours says so', async () => {
    const { findings } = await audited(`pay_${'1'.repeat(43)}`, `ref_${'1'.repeat(43)}`);
    expect(findings.map(({ what }) => what)).toEqual(Array(2).fill('leads to no object of ours'));
  });

  test('of a key that was only asked about, or whose refund was refused, counts an empty object and finds nothing', async () => {
    const idOf = (prefix: 'pay_' | 'ref_', namespace: Env['PAYMENT_SAGA'] | Env['REFUND_SAGA'], key: string) => {
      const route = prefix === 'pay_' ? '/payments' : '/refunds';
      return publicIdFromHex(prefix, namespace.idFromName(sagaObjectName(SCOPE, route, key)).toString());
    };
    const payment = await createPayment({ wallet_id: 'empty' });
    await terminal(payment.id);
    await atRest([payment.id]);
    expect((await call('/idempotency-keys/asked-about')).status).toBe(404);
    const body = { payment_id: payment.id, amount: payment.amount + 1 };
    expect((await post('/refunds', body, { 'idempotency-key': 'refused' })).status).toBe(422);
    const asked = idOf('pay_', env.PAYMENT_SAGA, 'asked-about');
    const refused = idOf('ref_', env.REFUND_SAGA, 'refused');

    const { checked, findings } = await audited(payment.id, asked, refused);
    expect(findings).toEqual([]);
    expect(checked).toMatchObject({ sagas: 1, empty: 2 });

    // What the record has of it, a row or a run, is of a saga that its object has lost.
    const rename = (from: string, to: string) => [
      env.DB.prepare('UPDATE payments SET id = ? WHERE id = ?').bind(to, from),
      env.DB.prepare('UPDATE events SET group_id = ? WHERE group_id = ?').bind(`payment_${to}`, `payment_${from}`),
    ];
    const [row, runs] = rename(payment.id, asked);
    const [rowBack, runsBack] = rename(asked, payment.id);
    for (const [edit, back] of [
      [row, rowBack],
      [runs, runsBack],
    ]) {
      await edit?.run();
      const lost = await audited(asked);
      expect(lost.findings.map(({ what }) => what)).toContain('its object holds no saga');
      expect(lost.checked).toMatchObject({ sagas: 1, empty: 0 });
      await back?.run();
    }
  });

  test('takes no cursor that is not its own, and not a cursor and ids', async () => {
    expect((await post('/ops/audit', { cursor: 'bm8' })).status).toBe(400);
    expect((await post('/ops/audit', { cursor: 'bm8', ids: ['pay_1'] })).status).toBe(400);
    expect((await post('/ops/audit', { ids: Array(51).fill(`pay_${'1'.repeat(43)}`) })).status).toBe(400);
    expect((await post('/ops/audit', { ids: ['pay_1'] })).status).toBe(400);
  });
});

describe('commits from before the seals', () => {
  /** Makes an object what an older version would have left: rows of format 1, in a table without the column. */
  async function aged(id: string): Promise<void> {
    await runInDurableObject(sagaOf(id), (_, { storage }) => {
      asTables(storage);
      storage.sql.exec('ALTER TABLE commits DROP COLUMN seal');
      storage.sql.exec(`UPDATE commits SET record = json_set(record, '$.format', 1)`);
    });
    await evictDurableObject(sagaOf(id));
  }

  test('are read and audited, and counted as unsealed', async () => {
    const { id } = await createPayment({ wallet_id: 'old' });
    await terminal(id);
    await atRest([id]);
    await aged(id);
    const { findings, checked } = await audited(id);
    expect(findings).toEqual([]);
    expect(checked).toMatchObject({ sagas: 1 });
    expect(checked.unsealed).toBe(checked.commits);
  });

  test('are followed by sealed ones, and an edit of those is found', async () => {
    const { id } = await createPayment({ wallet_id: 'old-2', amount: 300 });
    await terminal(id);
    await atRest([id]);
    await aged(id);
    // The store of an object that wakes with the old table.
    await runInDurableObject(sagaOf(id), (_, { storage }) => {
      const store = new SagaStore(storage);
      const record = store.load();
      if (record === null || record === 'expired') throw new Error('no record');
      const { events } = JSON.parse(JSON.stringify({ events: store.commitsAfter(0).at(-1)?.events.slice(-1) })) as {
        events: Parameters<typeof store.append>[0]['events'];
      };
      const sequence = record.saga.sequence + 1;
      const next = events.map((event) => ({ ...event, metadata: { ...event.metadata, sequence } }));
      store.append({ events: next, closes: false }, { ...record, saga: { ...record.saga, sequence } });
      store.replace({ ...record, saga: { ...record.saga, sequence }, publishAttempts: 7 });
    });
    await evictDurableObject(sagaOf(id));
    const sealed = await audited(id);
    expect(sealed.findings).toEqual([]);
    expect(sealed.checked.unsealed).toBe((sealed.checked.commits ?? 0) - 1);
    await edited(id, (commit) =>
      commit.seal === null ? commit : withRecord(commit, (record) => ({ ...record, publishAttempts: 8 })),
    );
    expect((await audited(id)).findings.map(({ rule }) => rule)).toEqual(['seal']);
  });

  test('are not what a sealed one becomes by losing its seal', async () => {
    const { id } = await createPayment({ wallet_id: 'stripped' });
    await terminal(id);
    await atRest([id]);
    await edited(id, (commit) => ({ ...commit, seal: null }));
    expect((await audited(id)).findings.map(({ what }) => what)).toContainEqual(
      expect.stringMatching(/lost its seal$/),
    );
  });
});

describe("the operators' log", () => {
  const entry = (n: number) => ({ actor: 'jane', action: 'test.append', subject: `n ${n}`, reason: 'test' });
  const log = () => auditFrom(env, { part: 'audit_log', head: EMPTY_LOG });

  test('takes many at once, each after another, in one chain', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, n) => appendAudits(env.DB, SCOPE, [entry(n)], Date.now())));
    const { results } = await env.DB.prepare("SELECT subject FROM audit_log WHERE action = 'test.append'").all();
    expect(new Set(results.map(({ subject }) => subject)).size).toBe(20);
    const { findings, head } = await log();
    expect(findings).toEqual([]);
    expect(head?.id).toBe(await env.DB.prepare('SELECT count(*) AS n FROM audit_log').first('n'));
  });

  test('finds a row that was taken out of the middle', async () => {
    const row = await env.DB.prepare('SELECT * FROM audit_log ORDER BY id DESC LIMIT 1 OFFSET 1').first();
    await env.DB.prepare('DELETE FROM audit_log WHERE id = ?')
      .bind(row?.id ?? 0)
      .run();
    expect((await log()).findings.map(({ what }) => what)).toEqual([
      `follows ${Number(row?.id) - 1}`,
      'does not stand on the row before it',
    ]);
    const columns = Object.keys(row ?? {});
    await env.DB.prepare(`INSERT INTO audit_log (${columns.join()}) VALUES (${columns.map(() => '?').join()})`)
      .bind(...Object.values(row ?? {}))
      .run();
    expect((await log()).findings).toEqual([]);
  });

  test('goes on after rows from before the chain, which are counted', async () => {
    await env.DB.prepare('DELETE FROM audit_log').run();
    const old = `INSERT INTO audit_log (at_ms, merchant, mode, actor, action, subject, reason) VALUES (1, 'm', 'live', 'a', 'b', 'c', 'd')`;
    await env.DB.batch([env.DB.prepare(old), env.DB.prepare(old)]);
    await appendAudits(env.DB, SCOPE, [entry(1)], Date.now());
    await appendAudits(env.DB, SCOPE, [entry(2)], Date.now());
    expect(await log()).toMatchObject({ findings: [], checked: { rows: 4, unsealed: 2 }, head: { id: 4 } });
    await env.DB.prepare('UPDATE audit_log SET hash = NULL, previous_hash = NULL WHERE id = 4').run();
    expect((await log()).findings.length).toBeGreaterThan(0);
  });
});

describe('a wallet of several pages', () => {
  test('is audited while it goes on, and found sound; its last entry edited is found', async () => {
    const id = 'long';
    await openWallet(id, 1_000_000);
    const stub = env.WALLET.getByName(walletObjectName(SCOPE, id));
    let n = 0;
    const pay = async (times: number) => {
      for (let i = 0; i < times; i++) {
        n += 1;
        const base = { paymentId: `pay_${freshKey()}`, amountMinor: 5, currency: 'USD' };
        const hold = { ...base, type: 'hold' as const, effectId: `hold.${n}`, expiresAtMs: Date.now() + 60_000_000 };
        await stub.execute(SCOPE, id, [hold, { ...base, type: 'debit', effectId: `debit.${n}` }]);
      }
    };
    await pay(400);
    const walk = async () => {
      const violations: unknown[] = [];
      let pages = 0;
      let state: Awaited<ReturnType<typeof stub.audit>>['next'] = null;
      do {
        const page: Awaited<ReturnType<typeof stub.audit>> = await stub.audit(state);
        violations.push(...page.violations);
        state = page.next;
        pages += 1;
        if (state !== null) await pay(10);
      } while (state !== null && pages < 30);
      return { pages, violations };
    };
    const { pages, violations } = await walk();
    expect(violations).toEqual([]);
    expect(pages).toBeGreaterThan(3);
    await runInDurableObject(stub, (_, { storage: { sql } }) =>
      sql.exec(
        "UPDATE resolutions SET resolution = 'released' WHERE payment_id = (SELECT max(payment_id) FROM resolutions)",
      ),
    );
    expect((await walk()).violations).not.toEqual([]);
  });
});
