/** A reconciliation's object through what can happen to it: crashes, books that are away, plans that nobody woke, many nights. */
import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { RECONCILIATIONS_FORGOTTEN_MAX } from '../../src/domain/limits.ts';
import type { PaymentView } from '../../src/domain/payment.ts';
import {
  AT_REST_MS,
  newReconciliationId,
  nightlyId,
  nightlyPlan,
  type ReconciliationPlan,
  windowOf,
} from '../../src/domain/reconciliation/plan.ts';
import type { PaymentEntriesResult } from '../../src/domain/wallet-rpc.ts';
import { enterReconciliation, listFindings } from '../../src/read-model/reconciliations.ts';
import { beginNightly, beginReconciliation, wakeReconciliations } from '../../src/reconciliations.ts';
import { JOBS, runScheduled } from '../../src/scheduled.ts';
import wranglerToml from '../../wrangler.toml?raw';
import { createPayment, openWallet, provider, terminal, until } from '../support/payments.ts';
import { atRest, ended } from '../support/reconciliation.ts';

const WALLET = 'object-1';
const DAY_MS = 86_400_000;

function planOf(more: Partial<ReconciliationPlan> = {}): ReconciliationPlan {
  const nowMs = Date.now();
  return {
    id: newReconciliationId(crypto.randomUUID()),
    mode: 'sandbox',
    trigger: 'operator',
    actor: 'jane',
    reason: 'test',
    window: windowOf(nowMs - DAY_MS, nowMs, 'sandbox', nowMs),
    provider: null,
    createdAtMs: nowMs,
    ...more,
  };
}

/** Ends the object where it stands, whatever it is doing: what is not stored is gone. */
async function kill(id: string): Promise<void> {
  try {
    await runInDurableObject(env.RECONCILIATION.getByName(id), (_instance, state) => state.abort('killed by the test'));
  } catch {
    // What it was killed with comes back as the call's error.
  }
}

async function paid(count: number): Promise<PaymentView[]> {
  const made = await Promise.all(
    Array.from({ length: count }, () => createPayment({ wallet_id: WALLET, amount: 1_000 })),
  );
  const payments: PaymentView[] = [];
  for (const { id } of made) payments.push(await terminal(id));
  const recorded = () =>
    env.DB.prepare(
      `SELECT COUNT(*) AS n FROM payments WHERE status = 'COMPLETED' AND id IN (SELECT value FROM json_each(?))`,
    )
      .bind(JSON.stringify(made.map(({ id }) => id)))
      .first<{ n: number }>();
  await until(recorded, (row) => row?.n === count);
  return payments;
}

/** What the log says of the end of one, begun by this and awaited. */
async function endLogged(plan: ReconciliationPlan): Promise<Record<string, unknown>> {
  const print = vi.spyOn(console, 'log');
  try {
    await beginReconciliation(env, plan);
    const isEnd = (line: string) => line.includes('"reconciliation.finished"') && line.includes(plan.id);
    const lines = await until(
      async () => print.mock.calls.map(([line]) => String(line)).filter(isEnd),
      (found) => found.length > 0,
      90_000,
    );
    return JSON.parse(lines[0] ?? '') as Record<string, unknown>;
  } finally {
    print.mockRestore();
  }
}

let payments: PaymentView[] = [];

beforeAll(async () => {
  await openWallet(WALLET, 1_000_000);
  payments = await paid(12);
  await atRest(new Date().toISOString(), AT_REST_MS.sandbox);
  await runInDurableObject(provider('acme'), (_instance, { storage }) => {
    storage.sql.exec('DELETE FROM charges WHERE payment_id = ?', payments[0]?.id ?? '');
  });
}, 60_000);

describe('a reconciliation', () => {
  test('that is begun any number of times runs once', async () => {
    const plan = planOf();
    expect(await beginReconciliation(env, plan)).toBe(true);
    const stub = env.RECONCILIATION.getByName(plan.id);
    await Promise.all([stub.begin(plan), stub.begin(plan), stub.begin(plan)]);
    const report = await ended(plan.id);
    expect(report).toMatchObject({ status: 'finished', differences: 1, payments: { compared: 12 } });
  });

  test('survives its object being killed at any step, and counts nothing twice', async () => {
    const plan = planOf();
    await beginReconciliation(env, plan);
    const steps = async () => {
      const row = await env.DB.prepare('SELECT status, progress FROM reconciliations WHERE id = ?')
        .bind(plan.id)
        .first<{ status: string; progress: string }>();
      return { status: row?.status, steps: (JSON.parse(row?.progress ?? '{}') as { steps: number }).steps };
    };
    let killed = 0;
    for (let at = 0; killed < 6; ) {
      const now = await until(steps, (seen) => seen.status !== 'running' || seen.steps > at);
      if (now.status !== 'running') break;
      at = now.steps;
      await kill(plan.id);
      killed += 1;
      // Its watchdog, which would ring in a minute.
      await runDurableObjectAlarm(env.RECONCILIATION.getByName(plan.id));
    }
    expect(killed).toBeGreaterThan(1);
    const report = await ended(plan.id);
    expect(report).toMatchObject({ status: 'finished', complete: true, differences: 1, payments: { compared: 12 } });
    const { items } = await listFindings(env.DB, plan.id, undefined, null, 100);
    expect(items).toMatchObject([{ class: 'missing_at_provider', paymentId: payments[0]?.id, confirmed: true }]);
  });

  test('of a provider that is not there says so, and calls nothing missing', async () => {
    const plan = planOf({ provider: 'acme2' });
    await beginReconciliation(env, plan);
    expect(await ended(plan.id)).toMatchObject({
      status: 'finished',
      complete: false,
      books: [{ provider: 'acme2', coverage: 'none', reason: 'provider_not_configured' }],
    });
  });

  test('alerts where it could not compare everything as where something differs, and nowhere else', async () => {
    const nowMs = Date.now();
    const empty = windowOf(nowMs - 400 * DAY_MS, nowMs - 399 * DAY_MS, 'sandbox', nowMs);
    expect(await endLogged(planOf({ window: empty }))).not.toHaveProperty('alert');
    const unread = await endLogged(planOf({ window: empty, provider: 'acme2' }));
    expect(unread).toMatchObject({ count: 0, complete: false, alert: true });
    expect(await endLogged(planOf())).toMatchObject({ count: 1, complete: true, alert: true });
  });

  test('whose books do not answer says so, and calls nothing missing', { timeout: 90_000 }, async () => {
    const books = (sql: string) =>
      runInDurableObject(provider('acme'), (_instance, { storage }) => storage.sql.exec(sql).toArray());
    await books('ALTER TABLE refunds RENAME TO refunds_away');
    const plan = planOf();
    await beginReconciliation(env, plan);
    const report = await ended(plan.id);
    await books('ALTER TABLE refunds_away RENAME TO refunds');
    expect(report).toMatchObject({
      status: 'finished',
      complete: false,
      differences: 0,
      payments: { compared: 12, incomplete: 12 },
      books: [
        { provider: 'acme', coverage: 'none', reason: expect.stringContaining('no such table') },
        { provider: 'borealis', coverage: 'charges_and_refunds', reason: null },
      ],
    });
  });

  test('whose report cannot be written tries again, and reports then', async () => {
    const rename = (from: string, to: string) => env.DB.prepare(`ALTER TABLE ${from} RENAME TO ${to}`).run();
    await rename('reconciliation_findings', 'findings_away');
    const plan = planOf();
    await beginReconciliation(env, plan);
    const attempts = () =>
      runInDurableObject(env.RECONCILIATION.getByName(plan.id), (_instance, { storage }) => {
        const { progress } = storage.sql.exec<{ progress: string }>('SELECT progress FROM run').one();
        return (JSON.parse(progress) as { attempts: number }).attempts;
      });
    await until(attempts, (count) => count >= 1);
    await rename('findings_away', 'reconciliation_findings');
    expect(await ended(plan.id)).toMatchObject({ status: 'finished', differences: 1, payments: { compared: 12 } });
  });

  test('that was entered and never woken is woken by the cron, once it has stood still for ten minutes', async () => {
    const plan = planOf({ createdAtMs: Date.now() - 11 * 60_000 });
    await enterReconciliation(env.DB, plan, 4);
    const young = planOf();
    await enterReconciliation(env.DB, young, 4);
    await wakeReconciliations(env, Date.now());
    expect((await ended(plan.id)).status).toBe('finished');
    const still = await env.DB.prepare('SELECT status FROM reconciliations WHERE id = ?').bind(young.id).first();
    expect(still).toEqual({ status: 'running' });
    await env.DB.prepare('DELETE FROM reconciliations WHERE id = ?').bind(young.id).run();
  });
});

describe('the cron', () => {
  test('begins one reconciliation a night, however often it fires', async () => {
    const nightMs = Date.now();
    await Promise.all([
      beginNightly(env, nightMs),
      beginNightly(env, nightMs),
      runScheduled(env, '17 3 * * *', nightMs),
    ]);
    const report = await ended(nightlyId(nightMs));
    expect(report).toMatchObject({
      trigger: 'nightly',
      status: 'finished',
      differences: 1,
      payments: { compared: 12 },
    });
    const count = await env.DB.prepare(`SELECT COUNT(*) AS n FROM reconciliations WHERE plan LIKE '%nightly%'`).first();
    expect(count).toEqual({ n: 1 });
  });

  test('forgets a report that is old enough, with its findings, and no other', async () => {
    const old = { ...nightlyPlan('sandbox', Date.now() - 401 * DAY_MS), id: newReconciliationId(crypto.randomUUID()) };
    await enterReconciliation(env.DB, old, 9);
    const finding = env.DB.prepare(
      `INSERT INTO reconciliation_findings SELECT ?, payment_id, class, subject, currency, in_doubt_minor, body
       FROM reconciliation_findings LIMIT 1`,
    );
    await finding.bind(old.id).run();
    const count = async () => {
      const rows = (table: string, column: string) =>
        env.DB.prepare(`SELECT COUNT(*) AS n FROM ${table} WHERE ${column} = ?`).bind(old.id).first<{ n: number }>();
      const all = await env.DB.prepare('SELECT COUNT(*) AS n FROM reconciliations').first<{ n: number }>();
      return [
        (await rows('reconciliations', 'id'))?.n,
        (await rows('reconciliation_findings', 'reconciliation_id'))?.n,
        all?.n,
      ];
    };
    const [, , before] = await count();
    await beginNightly(env, Date.now());
    // One forgotten, one begun.
    expect(await count()).toEqual([0, 0, before]);
  });

  test('forgets so many old reports a night, and what is left with the next', async () => {
    const insert = env.DB.prepare(
      `INSERT INTO reconciliations (id, mode, status, plan, progress, created_at_ms, updated_at_ms)
       VALUES (?, 'sandbox', 'finished', '{}', '{}', ?, 1)`,
    );
    await env.DB.batch(
      Array.from({ length: RECONCILIATIONS_FORGOTTEN_MAX + 1 }, (_, n) => insert.bind(`old ${n}`, n + 1)),
    );
    const left = async () =>
      (await env.DB.prepare(`SELECT id FROM reconciliations WHERE id LIKE 'old %'`).all()).results.map(({ id }) => id);
    await beginNightly(env, Date.now());
    expect(await left()).toEqual([`old ${RECONCILIATIONS_FORGOTTEN_MAX}`]);
    await beginNightly(env, Date.now());
    expect(await left()).toEqual([]);
  });

  test('runs every job of an expression, though one of them fails', async () => {
    const ran: string[] = [];
    const job = (name: string, error?: Error) => async () => {
      ran.push(name);
      if (error !== undefined) throw error;
    };
    await runScheduled(env, 'x', 0, { first: job('first', new Error('away')), second: job('second') });
    expect(ran).toEqual(['first', 'second']);
  });

  test('has jobs for every trigger of the configuration, and knows no other', async () => {
    const [, list = ''] = /^crons = (\[.*\])$/m.exec(wranglerToml) ?? [];
    const crons: string[] = JSON.parse(list);
    expect(Object.keys(JOBS).sort()).toEqual(crons.sort());
    const refused = async () => await runScheduled(env, '1 1 1 1 1', 0);
    await expect(refused()).rejects.toThrow('cron_has_jobs');
  });
});

describe("a wallet's entries of some payments", () => {
  const ask = async (paymentIds: string[], fromMs: number, toMs: number): Promise<PaymentEntriesResult> =>
    await env.WALLET.getByName(`default|sandbox|${WALLET}`).readPaymentEntries({
      paymentIds,
      spans: [{ fromMs, toMs }],
    });

  test('are those of the span that name them', async () => {
    const [first, second] = payments;
    const ids = [first?.id ?? '', second?.id ?? ''];
    const result = await ask(ids, 0, Date.now());
    const types =
      result.kind === 'found' ? result.entries.map(({ paymentId, type }) => `${ids.indexOf(paymentId)} ${type}`) : [];
    expect(types.sort()).toEqual(['0 debit', '0 hold', '1 debit', '1 hold']);
    expect(await ask(ids, 0, 1)).toEqual({ kind: 'found', entries: [], holds: [] });
  });

  test('are not read where that would take too many', async () => {
    const spans = Array.from({ length: 1_000 }, () => ({ fromMs: 0, toMs: Date.now() }));
    const stub = env.WALLET.getByName(`default|sandbox|${WALLET}`);
    expect(await stub.readPaymentEntries({ paymentIds: ['x'], spans })).toEqual({ kind: 'too_many' });
  });

  test('are none of a wallet that was never opened, and nothing is stored by asking', async () => {
    const stub = env.WALLET.getByName('default|sandbox|nobody');
    expect(await stub.readPaymentEntries({ paymentIds: ['x'], spans: [] })).toEqual({ kind: 'not_found' });
    const tables = await runInDurableObject(stub, (_instance, { storage }) =>
      storage.sql.exec('SELECT name FROM sqlite_master').toArray(),
    );
    expect(tables).toEqual([]);
  });
});
