/** Reconciliation as an operator meets it, in the real runtime: what it finds, what it never calls a difference, its report. */
import { runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, test } from 'vitest';
import { DAY_MS } from '../../src/domain/limits.ts';
import type { PaymentView } from '../../src/domain/payment.ts';
import { AT_REST_MS, newReconciliationId } from '../../src/domain/reconciliation/plan.ts';
import { createPayment, json, openWallet, provider, terminal, until } from '../support/payments.ts';
import { atRest, ended, type FindingView, findings, type ReportView, reconciled } from '../support/reconciliation.ts';
import { freshKey, post, problemOf, send } from './client.ts';

const WORD = { actor: 'jane', reason: 'a customer asked' };
const WALLET = 'reconciled';

async function paid(body: Record<string, unknown> = {}): Promise<PaymentView> {
  const { id } = await createPayment({ wallet_id: WALLET, amount: 1_000, ...body });
  return await terminal(id);
}

/** Until the record has it as it is now, at rest. */
async function settled({ id, status }: { id: string; status: string }, table: 'payments' | 'refunds' = 'payments') {
  const read = () =>
    env.DB.prepare(`SELECT status, updated_at_ms AS atMs FROM ${table} WHERE id = ?`)
      .bind(id)
      .first<{ status: string; atMs: number }>();
  await until(read, (row) => row?.status === status);
}

const books = (change: (sql: SqlStorage) => void, at = 'acme') =>
  runInDurableObject(provider(at), (_instance, { storage }) => change(storage.sql));
const of = (all: readonly FindingView[], { id }: { id: string }) =>
  all.filter((each) => each.payment_id === id).map((each) => each.class);

/** The present world with nothing moving in it any more. */
async function reconciledAtRest(body: Record<string, unknown> = {}): Promise<ReportView> {
  await atRest(new Date().toISOString(), AT_REST_MS.sandbox);
  return await reconciled(body);
}

beforeAll(async () => {
  await openWallet(WALLET, 1_000_000);
});

describe('a reconciliation', () => {
  test('of a world that agrees finds nothing, and says what it read', async () => {
    const payments = [await paid(), await paid({ method: 'credit_card', token: 'pm_card_visa', customer_id: 'c' })];
    payments.push(await paid({ token: 'pm_card_visa_chargeDeclined' }), await paid({ token: 'pm_sim_debit_fail' }));
    const response = await post(
      '/refunds',
      { payment_id: payments[0]?.id, amount: 300 },
      { 'idempotency-key': freshKey(), prefer: 'wait=20' },
    );
    const refund = await response.json<{ id: string; status: string }>();
    expect(refund.status).toBe('COMPLETED');
    for (const payment of payments) await settled(payment);
    await settled(refund, 'refunds');
    const report = await reconciledAtRest();
    expect(report).toMatchObject({
      status: 'finished',
      trigger: 'operator',
      complete: true,
      differences: 0,
      payments: { compared: 4, in_flight: 0, incomplete: 0, needs_attention: 0 },
      books: [
        { provider: 'acme', coverage: 'charges_and_refunds', reason: null },
        { provider: 'borealis', coverage: 'charges_and_refunds', reason: null },
      ],
    });
    expect(await findings(report)).toEqual([]);
  });

  test('finds what the books lack, what they have besides, and what the wallet has moved otherwise', async () => {
    const [lost, wrong, refunded, notDebited] = [await paid(), await paid(), await paid(), await paid()];
    const response = await post(
      '/refunds',
      { payment_id: refunded.id, amount: 300 },
      { 'idempotency-key': freshKey(), prefer: 'wait=20' },
    );
    const refund = await response.json<{ id: string; status: string }>();
    for (const payment of [lost, wrong, refunded, notDebited]) await settled(payment);
    await settled(refund, 'refunds');
    await books((sql) => {
      sql.exec('DELETE FROM charges WHERE payment_id = ?', lost.id);
      sql.exec('UPDATE charges SET amount_minor = 990 WHERE payment_id = ?', wrong.id);
      sql.exec('DELETE FROM refunds WHERE key LIKE ?', `${refund.id}%`);
    });
    await runInDurableObject(env.WALLET.getByName(`default|sandbox|${WALLET}`), (_instance, { storage }) => {
      storage.sql.exec(`UPDATE entries SET payment_id = NULL WHERE payment_id = ? AND type = 'debit'`, notDebited.id);
    });
    const report = await reconciledAtRest();
    const found = await findings(report, 1);
    expect(of(found, lost)).toEqual(['missing_at_provider']);
    expect(of(found, wrong)).toEqual(['amount_mismatch']);
    expect(of(found, refunded)).toEqual(['refund_missing_at_provider']);
    expect(of(found, notDebited)).toEqual(['ledger_missing']);
    expect(report).toMatchObject({
      complete: true,
      differences: 4,
      by_class: { missing_at_provider: 1, amount_mismatch: 1, refund_missing_at_provider: 1, ledger_missing: 1 },
      money_in_doubt: [{ currency: 'USD', differences: 4, amount: 1_000 + 10 + 300 + 1_000 }],
    });
    const only = await json<{ findings: { data: FindingView[] } }>(
      `/ops/reconciliations/${report.id}?class=amount_mismatch`,
    );
    expect(only.findings.data.map((each) => each.payment_id)).toEqual([wrong.id]);
    expect(found.every(({ confirmed }) => confirmed)).toBe(true);
  });

  test('looks again before it calls the record a liar: D1 is behind its owner', async () => {
    const behind = await paid();
    await settled(behind);
    const lie = { ...behind, status: 'FAILED', saga_state: 'failed' };
    await env.DB.prepare(`UPDATE payments SET status = 'FAILED', body = ? WHERE id = ?`)
      .bind(JSON.stringify(lie), behind.id)
      .run();
    expect(of(await findings(await reconciledAtRest()), behind)).toEqual([]);
  });

  test('asks the owner of a payment that the record does not have at all', async () => {
    const unrecorded = await paid();
    await settled(unrecorded);
    await env.DB.prepare('DELETE FROM payments WHERE id = ?').bind(unrecorded.id).run();
    expect(of(await findings(await reconciledAtRest()), unrecorded)).toEqual([]);
    await books((sql) => sql.exec('UPDATE charges SET amount_minor = 1 WHERE payment_id = ?', unrecorded.id));
    expect(of(await findings(await reconciledAtRest()), unrecorded)).toEqual(['amount_mismatch']);
  });

  test('asks the provider for a charge that its books do not show in their span of time', async () => {
    const old = await paid();
    await settled(old);
    await books((sql) => sql.exec('UPDATE charges SET created_at_ms = 1 WHERE payment_id = ?', old.id));
    expect(of(await findings(await reconciledAtRest()), old)).toEqual([]);
  });

  test('counts a payment that runs as in flight, not as a difference', async () => {
    const { id } = await createPayment({ wallet_id: WALLET, token: 'pm_sim_lost' });
    await settled({ id, status: 'PENDING' });
    const report = await reconciledAtRest();
    expect(report.payments.in_flight).toBe(1);
    expect(of(await findings(report), { id })).toEqual([]);
  });

  test('lists a payment that needs attention as such', async () => {
    const stuck = await paid();
    await settled(stuck);
    // As the record has it when a saga has given up; a real one takes its provider's refusals half a minute.
    const { completed_at: _at, ...rest } = stuck;
    await env.DB.prepare(`UPDATE payments SET status = 'PENDING', body = ? WHERE id = ?`)
      .bind(JSON.stringify({ ...rest, status: 'PENDING', saga_state: 'needs_attention' }), stuck.id)
      .run();
    const report = await reconciledAtRest();
    expect(of(await findings(report), stuck)).toEqual(['needs_attention']);
    expect(report.payments.needs_attention).toBe(1);
  });

  test('of one provider reads no other books, and finds no fault with payments at the others', async () => {
    const report = await reconciledAtRest({ provider: 'borealis' });
    expect(report).toMatchObject({ status: 'finished', differences: 0, books: [{ provider: 'borealis' }] });
  });

  test('changes nothing: neither the record, nor the ledger, nor the books', async () => {
    // What still runs by itself, and how often it was looked at, may change meanwhile.
    const state = async () => ({
      payments: (await env.DB.prepare(`SELECT * FROM payments WHERE status <> 'PENDING' ORDER BY id`).all()).results,
      refunds: (await env.DB.prepare('SELECT * FROM refunds ORDER BY id').all()).results,
      charges: (await provider('acme').books()).charges.map(({ calls, updatedAtMs, ...charge }) => charge),
      given: (await provider('acme').books()).refunds,
      entries: await json(`/wallets/${WALLET}/entries?limit=100`),
    });
    await atRest(new Date().toISOString(), AT_REST_MS.sandbox);
    const before = await state();
    expect((await reconciled()).differences).toBeGreaterThan(0);
    expect(await state()).toEqual(before);
  });

  test('leaves nothing behind in its object', async () => {
    const report = await reconciledAtRest();
    const read = () =>
      runInDurableObject(env.RECONCILIATION.getByName(report.id), (_instance, { storage }) =>
        storage.sql.exec(`SELECT name FROM sqlite_master WHERE name IN ('lines', 'run')`).toArray(),
      );
    expect(await until(read, (tables) => tables.length === 0, 5_000)).toEqual([]);
  });
});

describe('an operator', () => {
  test('is in the audit log before it begins, with the window', async () => {
    const [from = '', to = ''] = [40, 39].map((days) => new Date(Date.now() - days * DAY_MS).toISOString());
    const window = { from, to };
    const report = await reconciled({ ...WORD, ...window, provider: 'acme' });
    const entry = await env.DB.prepare(`SELECT * FROM audit_log WHERE subject LIKE ?`).bind(`${report.id}%`).first();
    expect(entry).toMatchObject({
      ...WORD,
      action: 'reconciliation.begin',
      subject: `${report.id} ${from} ${to} acme`,
    });
    expect(report).toMatchObject({ ...WORD, ...window, provider: 'acme', payments: { compared: 0 } });
  });

  test.each([
    ['no actor', { reason: 'r' }],
    ['no reason', { actor: 'jane' }],
    ['a window that ends before it begins', { ...WORD, from: '2026-01-02T00:00:00Z', to: '2026-01-01T00:00:00Z' }],
    ['a window of more than 31 days', { ...WORD, from: '2026-01-01T00:00:00Z', to: '2026-02-02T00:00:00Z' }],
    [
      'a window of which the record has no payments any more',
      { ...WORD, from: new Date(1).toISOString(), to: '1970-01-02T00:00:00Z' },
    ],
    ['a field that there is not', { ...WORD, apply: true }],
  ])('who sends %s begins none', async (_name, body) => {
    await problemOf(await post('/ops/reconcile', body), 400, 'validation_failed');
  });

  test('finds no provider that does not exist, and no report that does not', async () => {
    await problemOf(await post('/ops/reconcile', { ...WORD, provider: 'nobody' }), 404, 'not_found');
    await problemOf(await send(`/ops/reconciliations/${newReconciliationId(freshKey())}`), 404, 'not_found');
    await problemOf(await send('/ops/reconciliations/x?class=nonsense'), 400, 'validation_failed');
    await problemOf(await send('/ops/reconciliations?cursor=x'), 400, 'invalid_cursor');
  });

  test('pages through the reports, newest first', async () => {
    const begun = [await reconciled(), await reconciled()].map(({ id }) => id).reverse();
    type Page = { data: ReportView[]; next_cursor: string };
    const first = await json<Page>('/ops/reconciliations?limit=1');
    const second = await json<Page>(`/ops/reconciliations?limit=1&cursor=${first.next_cursor}`);
    expect([first, second].flatMap(({ data }) => data.map(({ id }) => id))).toEqual(begun);
  });

  test('cannot have more running than the service takes', async () => {
    const fill = (n: number) =>
      env.DB.prepare(
        `INSERT INTO reconciliations SELECT ?, mode, 'running', plan, progress, created_at_ms, ? FROM reconciliations LIMIT 1`,
      ).bind(`rec_full_${n}`, Date.now());
    await env.DB.batch([fill(1), fill(2), fill(3), fill(4)]);
    await problemOf(await post('/ops/reconcile', WORD), 503, 'overloaded');
    await env.DB.prepare(`DELETE FROM reconciliations WHERE id LIKE 'rec_full_%'`).run();
    expect((await ended((await reconciled(WORD)).id)).status).toBe('finished');
  });
});
