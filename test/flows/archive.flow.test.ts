/**
 * The record grows old: payments are archived, their timelines deleted, then their rows; callbacks and dead letters with them. With the
 * real D1, an R2 that is simulated, objects emptied by their own alarms, and a clock that is moved.
 */
import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import emptyRecord from '../../scripts/empty-record.sql?raw';
import { ARCHIVE_JOBS } from '../../src/archiver/jobs.ts';
import { archivePayments } from '../../src/archiver/payments.ts';
import { archiveRows } from '../../src/archiver/rows.ts';
import { dossiersOf, readShelved } from '../../src/archiver/shelf.ts';
import { trimPayments } from '../../src/archiver/trim.ts';
import { rebuild } from '../../src/auditor/rebuild.ts';
import { auditFrom } from '../../src/auditor/walk.ts';
import type { Manifest } from '../../src/domain/archive/manifest.ts';
import { manifestKeyOf } from '../../src/domain/archive/manifest.ts';
import { fingerprint } from '../../src/domain/idempotency.ts';
import { type Scope, sagaObjectName } from '../../src/domain/ids.ts';
import {
  ARCHIVE_LEASE_MS,
  DAY_MS,
  RECORD_LOG_RETENTION_MS,
  RECORD_ROW_RETENTION_MS,
  RETENTION_MS,
} from '../../src/domain/limits.ts';
import type { PaymentRequest } from '../../src/domain/payment.ts';
import { archivesAfter } from '../../src/read-model/archives.ts';
import { runScheduled } from '../../src/scheduled.ts';
import { paymentObjectId, paymentSagaStub } from '../../src/stubs.ts';
import { atRest, walkFindings } from '../audit/world.ts';
import { call, createPayment, freshKey, json, openWallet, terminal, until } from '../support/payments.ts';
import { expired, inside, moveClockTo, refundOf } from '../support/retention.ts';

const SCOPE: Scope = { merchant: 'default', mode: 'sandbox' };
const TABLES = ['payments', 'refunds', 'events', 'notifications', 'provider_callbacks', 'dead_letters'] as const;

beforeEach(async () => {
  await openWallet('old', 1_000_000);
});

afterEach(async () => {
  vi.useRealTimers();
  // What a test leaves must not be archived with the next one's: all of the record goes, and what is left in objects is nobody's.
  const tables = [
    ...TABLES,
    'set_aside',
    'set_aside_events',
    'archives',
    'archive_marks',
    'archive_waiting',
    'archive_leases',
    'metric_counters',
  ];
  await env.DB.batch(tables.map((table) => env.DB.prepare(`DELETE FROM ${table}`)));
  const { objects } = await env.ARCHIVE.list();
  await env.ARCHIVE.delete(objects.map(({ key }) => key));
});

/** Until the record has taken all that was sent to it so far: what is sent again for safety would come after what is deleted. */
async function drained(): Promise<void> {
  const wallet = { id: `drain-${freshKey()}`, ...SCOPE, currency: 'USD', created_at_ms: 1 };
  await env.PAYMENT_EVENTS.send({ kind: 'wallet_opened', wallet });
  const row = () => env.DB.prepare('SELECT id FROM wallets WHERE id = ?').bind(wallet.id).first();
  await until(row, (found) => found !== null);
  await env.DB.prepare('DELETE FROM wallets WHERE id = ?').bind(wallet.id).run();
}

/** Payments that have ended, with what they have been given back of, and nothing more to do. */
async function endedPayments(bodies: readonly Record<string, unknown>[]): Promise<string[]> {
  const ids = await Promise.all(bodies.map(async (body) => (await createPayment({ wallet_id: 'old', ...body })).id));
  for (const id of ids) await terminal(id);
  await atRest(ids);
  await drained();
  return ids;
}

async function rowsOf(table: (typeof TABLES)[number], order = '1, 2'): Promise<Record<string, unknown>[]> {
  return (await env.DB.prepare(`SELECT * FROM ${table} ORDER BY ${order}`).all()).results;
}

async function record(): Promise<Record<string, unknown[]>> {
  const entries = await Promise.all(TABLES.map(async (table) => [table, await rowsOf(table)] as const));
  return Object.fromEntries(entries);
}

const counters = async () =>
  (await env.DB.prepare('SELECT series, value, sums FROM metric_counters ORDER BY series').all()).results;
/** What payments have cost is in no archive: a rebuilt record counts it anew (docs/cost.md). */
const withoutCosts = (rows: readonly Record<string, unknown>[]) =>
  rows.map(({ sums, ...row }) => {
    const all = Object.entries(JSON.parse(String(sums)) ?? {});
    return { ...row, sums: Object.fromEntries(all.filter(([name]) => !name.startsWith('cost|'))) };
  });
const archives = () => archivesAfter(env.DB, 0, 1_000);
const stored = async () => (await env.ARCHIVE.list()).objects.map(({ key }) => key).sort();
const codeOf = async (path: string) => {
  const response = await call(path);
  const { code } = await response.json<{ code?: string }>();
  return [response.status, code];
};

describe('payments', () => {
  test('are archived when their objects are empty, then lose their timelines, then their rows; no audit minds', async () => {
    const [paid, declined] = await endedPayments([{ amount: 500 }, { token: 'pm_card_visa_chargeDeclinedLostCard' }]);
    if (paid === undefined || declined === undefined) throw new Error('no payments');
    const refund = await refundOf(paid, { amount: 200 });
    await atRest([refund.id, paid]);
    await drained();
    const view = await json(`/payments/${paid}`);
    const before = await record();
    const countersBefore = await counters();
    expect(await archivePayments(env, Date.now())).toBe(0);

    await expired([refund.id, paid, declined]);
    expect(await archivePayments(env, Date.now())).toBe(1);
    expect(await walkFindings()).toEqual([]);
    const [archive] = await archives();
    if (archive?.manifest == null) throw new Error('not stored');
    expect(archive.status).toBe('stored');
    expect(archive.keys).toEqual(expect.arrayContaining([paid, declined]));
    expect(archive.manifest.rows).toEqual({
      lines: 2,
      payments: 2,
      refunds: 1,
      runs: before.events?.length,
      events: expect.any(Number),
      notifications: before.notifications?.length,
    });
    expect(archive.objectKey).toMatch(/^payments\/sandbox\/default\/\d{4}-\d\d-\d\d\/[0-9a-f]{32}\.ndjson\.gz$/);
    expect(await stored()).toEqual([manifestKeyOf(archive.objectKey), archive.objectKey]);
    const beside = await env.ARCHIVE.get(manifestKeyOf(archive.objectKey));
    expect(await beside?.json<Manifest>()).toEqual(archive.manifest);
    // Nothing is deleted yet, and nothing is archived twice.
    const marked = await record();
    expect(marked.events).toEqual(before.events);
    expect(marked.payments).toEqual(before.payments?.map((row) => ({ ...(row as object), archive_id: archive.id })));
    expect(await archivePayments(env, Date.now())).toBe(0);
    expect(await trimPayments(env, Date.now())).toBe(0);

    // The whole of it is in there.
    const dossiers = await dossiersOf(env.ARCHIVE, archive);
    const archived = dossiers.find(({ payment }) => payment.row.id === paid);
    expect(JSON.parse(archived?.payment.row.body ?? '{}')).toEqual(view);
    expect(archived?.refunds.map(({ row }) => row.id)).toEqual([refund.id]);
    const events = dossiers
      .flatMap((one) => [one.payment, ...one.refunds])
      .flatMap(({ row, runs }) => runs.map((run) => [row.id, run.first, run.events]));
    for (const row of before.events as { group_id: string; sequence_first: number; events: string }[]) {
      const id = row.group_id.slice(row.group_id.indexOf('_') + 1);
      expect(events).toContainEqual([id, row.sequence_first, JSON.parse(row.events)]);
    }

    moveClockTo(archive.newestAtMs + RECORD_LOG_RETENTION_MS);
    expect(await trimPayments(env, Date.now())).toBe(0);
    moveClockTo(archive.newestAtMs + RECORD_LOG_RETENTION_MS + 1);
    expect(await trimPayments(env, Date.now())).toBe(1);
    expect(await record()).toMatchObject({ events: [], notifications: [], payments: marked.payments });
    expect(await counters()).toEqual(countersBefore);
    expect(await walkFindings()).toEqual([]);
    expect(await json(`/payments/${paid}`)).toEqual(view);
    expect(await codeOf(`/payments/${paid}/events`)).toEqual([410, 'record_archived']);

    moveClockTo(archive.newestAtMs + RECORD_ROW_RETENTION_MS + 1);
    expect(await trimPayments(env, Date.now())).toBe(1);
    expect(await record()).toMatchObject({ events: [], notifications: [], payments: [], refunds: [] });
    expect(await walkFindings()).toEqual([]);
    expect(await codeOf(`/payments/${paid}`)).toEqual([410, 'record_archived']);
    expect(await codeOf(`/refunds/${refund.id}`)).toEqual([410, 'record_archived']);
    expect(await json<{ data: unknown[] }>('/payments?wallet_id=old')).toMatchObject({ data: [] });
    expect(await trimPayments(env, Date.now())).toBe(0);
    // A rebuild finds tombstones, and brings nothing back and counts nothing again.
    expect(await rebuild(env, [paid, declined, refund.id], [])).toMatchObject({ sagas: 0, runs: 0 });
    expect(await counters()).toEqual(countersBefore);
    expect(await walkFindings()).toEqual([]);
    expect((await dossiersOf(env.ARCHIVE, archive)).length).toBe(2);
  });

  test('of two owners are in an object each, of hostile names too', async () => {
    const other = { merchant: 'a/../b ü', mode: 'sandbox' } as const;
    const [id] = await endedPayments([{}]);
    const theirs = await paymentOf(other);
    await expired([id ?? '', theirs]);
    expect(await archivePayments(env, Date.now())).toBe(2);
    const folders = (await archives()).map(({ objectKey, keys }) => [objectKey.split('/')[2], keys]);
    expect(folders.sort()).toEqual([
      ['a%2F..%2Fb%20%C3%BC', [theirs]],
      ['default', [id]],
    ]);
  });

  test('are asked for once each: what the search was told is what is written', async () => {
    const ids = await endedPayments([{}, { amount: 2 }]);
    await expired(ids);
    const asked: string[] = [];
    const counting = {
      ...env,
      PAYMENT_SAGA: {
        idFromString: (hex: string) => env.PAYMENT_SAGA.idFromString(hex),
        get: (id: DurableObjectId) => {
          asked.push(id.toString());
          return env.PAYMENT_SAGA.get(id);
        },
      },
    } as unknown as Env;
    expect(await archivePayments(counting, Date.now())).toBe(1);
    expect(await archives()).toMatchObject([{ status: 'stored', keys: expect.arrayContaining(ids) }]);
    expect(asked.sort()).toEqual(ids.map((id) => String(paymentObjectId(env, id))).sort());
  });

  test('wait for a refund that is under way, and for one that has ended since', async () => {
    const [id = ''] = await endedPayments([{}]);
    await paymentSagaStub(env, id)?.reserveRefund(SCOPE, 'ref_somebody', 100);
    await atRest([id]);
    moveClockTo(Date.now() + RETENTION_MS + DAY_MS);
    expect(await archivePayments(env, Date.now())).toBe(0);
    const waiting = async () => (await env.DB.prepare('SELECT id, due_at_ms FROM archive_waiting').all()).results;
    expect(await waiting()).toEqual([{ id, due_at_ms: expect.any(Number) }]);
    // The search has passed it, and does not come to it again until it is due.
    expect(await archivePayments(env, Date.now())).toBe(0);
    await paymentSagaStub(env, id)?.settleRefund('ref_somebody', 'completed');
    vi.useRealTimers();
    await atRest([id]);
    await drained();
    moveClockTo(Date.now() + 2 * RETENTION_MS + 4 * DAY_MS);
    // Its alarm was lost: the archiver's question is what empties it.
    expect(await archivePayments(env, Date.now())).toBe(1);
    expect(await waiting()).toEqual([]);
    expect((await inside(id)).held).toEqual({ tombstone: true });
    expect(await walkFindings()).toEqual([]);
  });

  test('that the search has passed, and that were lost and rebuilt since, are archived when their time comes', async () => {
    const [id = ''] = await endedPayments([{}]);
    await paymentSagaStub(env, id)?.reserveRefund(SCOPE, 'ref_somebody', 100);
    await atRest([id]);
    moveClockTo(Date.now() + RETENTION_MS + DAY_MS);
    expect(await archivePayments(env, Date.now())).toBe(0);
    await env.DB.batch([env.DB.prepare('DELETE FROM payments'), env.DB.prepare('DELETE FROM events')]);
    // What the record has lost is waited for no more.
    moveClockTo(Date.now() + 2 * DAY_MS);
    expect(await archivePayments(env, Date.now())).toBe(0);
    expect(await rebuild(env, [id], [])).toMatchObject({ sagas: 1 });
    await paymentSagaStub(env, id)?.settleRefund('ref_somebody', 'released');
    moveClockTo(Date.now() + 2 * DAY_MS);
    expect(await archivePayments(env, Date.now())).toBe(1);
    expect(await archives()).toMatchObject([{ status: 'stored', keys: [id] }]);
  });

  test('that have not ended are never archived', async () => {
    const [id = ''] = await endedPayments([{}]);
    // As one that ended a moment ago, and of which the record has not heard: were it asked, it would be empty.
    await env.DB.prepare(`UPDATE payments SET status = 'PENDING' WHERE id = ?`).bind(id).run();
    moveClockTo(Date.now() + RECORD_ROW_RETENTION_MS + DAY_MS);
    expect(await archivePayments(env, Date.now())).toBe(0);
    expect(await rowsOf('payments')).toMatchObject([{ id, archive_id: null }]);
  });

  test('that are not what their tombstones prove stay in the record, and the others go', async () => {
    const [edited = '', whole = ''] = await endedPayments([{}, { amount: 7 }]);
    await expired([edited, whole]);
    await env.DB.prepare(`UPDATE payments SET reference = 'x' WHERE id = ?`).bind(edited).run();
    expect(await archivePayments(env, Date.now())).toBe(1);
    expect(await archives()).toMatchObject([{ keys: [whole] }]);
    expect((await walkFindings()).map(({ where }) => where)).toEqual([edited]);
    // Mended, it goes with the next night.
    await env.DB.prepare('UPDATE payments SET reference = NULL WHERE id = ?').bind(edited).run();
    moveClockTo(Date.now() + 2 * DAY_MS);
    expect(await archivePayments(env, Date.now())).toBe(1);
    expect((await archives()).map(({ keys }) => keys)).toEqual([[whole], [edited]]);
  });

  test('are not deleted when their object is not what it was, and the auditor finds it', async () => {
    const ids = await endedPayments([{}]);
    await expired(ids);
    await archivePayments(env, Date.now());
    const [archive] = await archives();
    if (archive === undefined) throw new Error('no archive');
    const bytes = new Uint8Array((await (await env.ARCHIVE.get(archive.objectKey))?.arrayBuffer()) ?? []);
    const flipped = bytes.map((byte, index) => (index === 20 ? byte ^ 1 : byte));
    moveClockTo(archive.newestAtMs + RECORD_LOG_RETENTION_MS + 1);
    const before = await record();
    for (const damage of [
      () => env.ARCHIVE.put(archive.objectKey, flipped),
      () => env.ARCHIVE.put(archive.objectKey, bytes.slice(1)),
      () => env.ARCHIVE.delete(archive.objectKey),
    ]) {
      await damage();
      await expect(trimPayments(env, Date.now())).rejects.toThrow('archive_object');
      expect(await record()).toEqual(before);
      expect(await walkFindings()).toMatchObject([{ rule: 'archive', where: `archive ${archive.objectKey}` }]);
    }
    await env.ARCHIVE.put(archive.objectKey, bytes);
    expect(await trimPayments(env, Date.now())).toBe(1);
    expect(await walkFindings()).toEqual([]);
  });

  test('are entered as their manifest says, which lies beside them: the auditor finds what differs', async () => {
    await expired(await endedPayments([{}]));
    await archivePayments(env, Date.now());
    const [archive] = await archives();
    if (archive?.manifest == null) throw new Error('not stored');
    const where = `archive ${archive.objectKey}`;
    // A time that was moved has the timelines deleted too soon, another name leads nobody to the object.
    for (const [column, to] of [
      ['newest_at_ms', archive.newestAtMs - DAY_MS],
      ['object_key', `${archive.objectKey}x`],
      ['kind', 'dead_letters'],
    ] as const) {
      const set = env.DB.prepare(`UPDATE archives SET ${column} = ?`);
      const before = await env.DB.prepare(`SELECT ${column} AS was FROM archives`).first<string | number>('was');
      await set.bind(to).run();
      const what = 'is entered otherwise than its manifest says';
      expect(await walkFindings()).toMatchObject([{ rule: 'archive', what }]);
      await set.bind(before).run();
    }
    const beside = manifestKeyOf(archive.objectKey);
    for (const damage of [
      () => env.ARCHIVE.put(beside, JSON.stringify({ ...archive.manifest, bytes: 1 })),
      () => env.ARCHIVE.delete(beside),
    ]) {
      await damage();
      expect(await walkFindings()).toEqual([
        { where, rule: 'archive', what: 'has another manifest beside it, or none' },
      ]);
    }
    await env.ARCHIVE.put(beside, JSON.stringify(archive.manifest));
    expect(await walkFindings()).toEqual([]);
  });

  test('are not taken as written when R2 does not give back what it took', async () => {
    const ids = await endedPayments([{}]);
    await expired(ids);
    const forgetful = {
      put: (key: string, bytes: Uint8Array, options: R2PutOptions) => env.ARCHIVE.put(key, bytes, options),
      get: async (key: string) => {
        await env.ARCHIVE.put(key, 'something else');
        return env.ARCHIVE.get(key);
      },
    } as unknown as R2Bucket;
    await expect(archivePayments({ ...env, ARCHIVE: forgetful } as Env, Date.now())).rejects.toThrow('archive_object');
    expect(await archives()).toMatchObject([{ status: 'planned', manifest: null }]);
    expect(await rowsOf('payments')).toMatchObject([{ archive_id: null }]);
    expect(await archivePayments(env, Date.now())).toBe(1);
    expect(await archives()).toMatchObject([{ status: 'stored', keys: ids }]);
  });

  test('that are trimmed while the auditor reads are no finding', async () => {
    const ids = await endedPayments([{}, { amount: 5 }]);
    await expired(ids);
    await archivePayments(env, Date.now());
    let position = (await auditFrom(env, { part: 'refunds', after: '' })).next;
    const [archive] = await archives();
    moveClockTo((archive?.newestAtMs ?? 0) + RECORD_LOG_RETENTION_MS + 1);
    expect(await trimPayments(env, Date.now())).toBe(1);
    // Counted before the log was read, so neither in the log nor in what was archived until then.
    while (position !== null) {
      const page = await auditFrom(env, position);
      expect(page.findings).toEqual([]);
      position = page.next;
    }
    // One that was not counted is missed all the same.
    await env.DB.prepare(`UPDATE metric_counters SET value = value + 1 WHERE series = 'metrics.payment.success'`).run();
    expect((await walkFindings()).map(({ where }) => where)).toEqual(['counter metrics.payment.success']);
  });
});

describe('a record that is emptied and rebuilt', () => {
  /** What `wrangler d1 execute --file` does. */
  async function emptied(sql = emptyRecord): Promise<void> {
    const statements = sql
      .replaceAll(/^--.*$/gm, '')
      .split(';')
      .filter((statement) => statement.trim() !== '');
    await env.DB.batch(statements.map((statement) => env.DB.prepare(statement)));
  }

  test('keeps what the archive stands for, counters with it', async () => {
    const [trimmed = '', refunded = ''] = await endedPayments([{ amount: 3 }, { amount: 40 }]);
    const refund = await refundOf(refunded, { amount: 4 });
    await atRest([refund.id, refunded]);
    await drained();
    const view = await json(`/payments/${refunded}`);
    const told = async (groupId: string, type: string) => {
      const id = `orchestrator.notify.${type}.${groupId.slice(groupId.indexOf('_') + 1)}`;
      await env.DB.prepare(`INSERT INTO notifications VALUES (?, ?, ?, '{}', 1)`).bind(id, type, groupId).run();
    };
    await told(`payment_${trimmed}`, 'payment_success');
    await told(`refund_${refund.id}`, 'refund_success');
    await expired([trimmed, refund.id, refunded]);
    await archivePayments(env, Date.now());
    vi.useRealTimers();
    const [live = ''] = await endedPayments([{ amount: 6 }]);
    await told(`payment_${live}`, 'payment_success');
    const before = await counters();
    await emptied();
    expect(await rebuild(env, [trimmed, refund.id, refunded, live], [])).toMatchObject({ sagas: 1 });
    expect(withoutCosts(await counters())).toEqual(withoutCosts(before));
    expect((await rowsOf('payments')).map(({ id }) => id)).toEqual([trimmed, refunded, live].sort());
    // What was notified of archived ones is in the archive, and nothing would delete it here any more.
    expect((await rowsOf('notifications')).map(({ group_id: groupId }) => groupId)).toEqual([`payment_${live}`]);
    expect(await json(`/payments/${refunded}`)).toEqual(view);
    expect(await walkFindings()).toEqual([]);
    // And the archiver goes on as if nothing had been.
    await expired([live]);
    expect(await archivePayments(env, Date.now())).toBe(1);
    expect((await archives()).map(({ keys }) => keys.length)).toEqual([2, 1]);
    expect(await walkFindings()).toEqual([]);
  });

  /** As it does of what is old enough to end any day. */
  const OF_OLD_ONES = emptyRecord.replaceAll('- 27 * 86400', '+ 86400');
  const aside = async () =>
    (await env.DB.prepare('SELECT id FROM set_aside UNION ALL SELECT group_id FROM set_aside_events').all()).results;

  test('has what came to its end before it was handed over, and nothing is left aside', async () => {
    const [ended = '', live = ''] = await endedPayments([{ amount: 30 }, { amount: 40 }]);
    const refund = await refundOf(ended, { amount: 4 });
    await atRest([refund.id, ended]);
    await drained();
    const before = await record();
    const countersBefore = await counters();
    await emptied(OF_OLD_ONES);
    expect(await rowsOf('payments')).toEqual([]);
    await expired([refund.id, ended]);
    expect(await rebuild(env, [ended, refund.id, live], [])).toMatchObject({ sagas: 3, empty: [] });
    expect(await record()).toEqual(before);
    expect(withoutCosts(await counters())).toEqual(withoutCosts(countersBefore));
    expect(await walkFindings()).toEqual([]);
    expect(await aside()).toEqual([]);
    expect(await rebuild(env, [ended], [])).toMatchObject({ sagas: 0, empty: [ended] });
  });

  test('emptied twice keeps what it had the first time, and takes back nothing that a tombstone does not prove', async () => {
    const [whole = '', edited = ''] = await endedPayments([{ amount: 30 }, { amount: 40 }]);
    const before = await rowsOf('payments');
    await env.DB.prepare(`UPDATE payments SET reference = 'x' WHERE id = ?`).bind(edited).run();
    await emptied(OF_OLD_ONES);
    await expired([whole, edited]);
    await emptied(OF_OLD_ONES);
    expect(await rebuild(env, [whole, edited], [])).toMatchObject({ sagas: 1, empty: [edited] });
    expect(await rowsOf('payments')).toEqual(before.filter(({ id }) => id === whole));
    expect(await aside()).toContainEqual({ id: edited });
  });

  test('is not emptied while something old is not archived', async () => {
    const ids = await endedPayments([{}]);
    await env.DB.prepare('UPDATE payments SET updated_at_ms = 0').run();
    await expect(emptied()).rejects.toThrow('malformed JSON');
    expect(await rowsOf('payments')).toMatchObject([{ id: ids[0] }]);
    await env.DB.prepare(`UPDATE payments SET updated_at_ms = ?, archive_id = 1`).bind(Date.now()).run();
    await env.DB.prepare(
      `INSERT INTO archives (kind, status, object_key, keys, newest_at_ms, planned_at_ms, updated_at_ms)
       VALUES ('payments', 'planned', 'k', '[]', 0, 0, 0)`,
    ).run();
    await expect(emptied()).rejects.toThrow('malformed JSON');
  });
});

describe('whatever ends the archiver in the middle', () => {
  test('the next run writes the same one object, and nothing is lost', async () => {
    const ids = await endedPayments([{ amount: 3 }, { amount: 4 }]);
    await expired(ids);
    const nowMs = Date.now();
    const before = await record();
    await archivePayments(env, nowMs);
    const whole = await archives();
    const keys = await stored();
    const moments = await crashAt(Number.POSITIVE_INFINITY, resetArchive, (faulty) => archivePayments(faulty, nowMs));
    expect(moments).toBeGreaterThan(12);
    for (let moment = 1; moment <= moments; moment++) {
      await crashAt(moment, resetArchive, (faulty) => archivePayments(faulty, nowMs));
      await archivePayments(env, nowMs);
      expect(await stored()).toEqual(keys);
      expect((await archives()).map(({ id: _, ...archive }) => archive)).toEqual(
        whole.map(({ id: _, ...archive }) => archive),
      );
      expect((await record()).events).toEqual(before.events);
    }
  }, 120_000);

  test('the trimming deletes all of an object or nothing of it, and only once it was read back', async () => {
    const ids = await endedPayments([{ amount: 3 }]);
    await expired(ids);
    await archivePayments(env, Date.now());
    const kept = await record();
    const [archive] = await archives();
    const nowMs = (archive?.newestAtMs ?? 0) + RECORD_LOG_RETENTION_MS + 1;
    const reset = async () => {
      await restore('events', kept.events as Record<string, unknown>[]);
      await restore('notifications', kept.notifications as Record<string, unknown>[]);
      await env.DB.prepare(`UPDATE archives SET status = 'stored', trim_number = NULL`).run();
    };
    const moments = await crashAt(Number.POSITIVE_INFINITY, reset, (faulty) => trimPayments(faulty, nowMs));
    // The object read back, and the deletion.
    expect(moments).toBeGreaterThanOrEqual(4);
    for (let moment = 1; moment <= moments; moment++) {
      await crashAt(moment, reset, (faulty) => trimPayments(faulty, nowMs));
      const { events } = await record();
      expect([0, kept.events?.length]).toContain(events?.length);
      expect((await archives())[0]?.status).toBe(events?.length === 0 ? 'logs_trimmed' : 'stored');
      await trimPayments(env, nowMs);
      expect((await record()).events).toEqual([]);
      expect((await archives())[0]?.status).toBe('logs_trimmed');
    }
  }, 120_000);

  test('callbacks and dead letters are in the archive or in the record at every moment', async () => {
    await keepLetters(3);
    const letters = await rowsOf('dead_letters');
    const nowMs = RECORD_LOG_RETENTION_MS + 10_000;
    const reset = async () => {
      await resetArchive();
      await restore('dead_letters', letters);
    };
    const moments = await crashAt(Number.POSITIVE_INFINITY, reset, (faulty) =>
      archiveRows(faulty, 'dead_letters', nowMs),
    );
    // Two written, one of them read back, and the deletion.
    expect(moments).toBeGreaterThanOrEqual(8);
    const keys = await stored();
    expect(keys.length).toBe(2);
    for (let moment = 1; moment <= moments; moment++) {
      await crashAt(moment, reset, (faulty) => archiveRows(faulty, 'dead_letters', nowMs));
      await archiveRows(env, 'dead_letters', nowMs);
      expect(await stored()).toEqual(keys);
      expect((await rowsOf('dead_letters')).map(({ id }) => id)).toEqual(['present', 'young']);
      const [archive] = await archives();
      expect(await readShelved(env.ARCHIVE, archive?.manifest as Manifest)).toEqual(
        letters.filter(({ id }) => String(id).startsWith('letter')),
      );
    }
    expect(await walkFindings()).toEqual([]);
  }, 120_000);

  /** Of the archive's own tables and objects, nothing is left. */
  async function resetArchive(): Promise<void> {
    const { objects } = await env.ARCHIVE.list();
    await env.ARCHIVE.delete(objects.map(({ key }) => key));
    await env.DB.batch([
      env.DB.prepare('DELETE FROM archives'),
      env.DB.prepare('DELETE FROM archive_marks'),
      env.DB.prepare('DELETE FROM archive_waiting'),
      env.DB.prepare('UPDATE payments SET archive_id = NULL'),
    ]);
  }
});

describe('rows that stand by themselves', () => {
  test('are archived and deleted once they are settled and old; others stay', async () => {
    const insert = env.DB.prepare(
      `INSERT INTO provider_callbacks (provider, event_id, entity_id, outcome, status, attempts, occurred_at_ms, received_at_ms)
       VALUES ('acme', ?, 'pay_x', '{}', ?, 1, 5, ?)`,
    );
    const nowMs = RECORD_LOG_RETENTION_MS + 1_000;
    await env.DB.batch([
      insert.bind('old "1"', 'delivered', 5),
      insert.bind('old-2', 'abandoned', 6),
      insert.bind('open', 'unmatched', 5),
      insert.bind('young', 'delivered', 1_000),
      ...Array.from({ length: 200 }, (_, n) => insert.bind(`many-${n}`, 'delivered', 7)),
    ]);
    const old = (await rowsOf('provider_callbacks')).filter(({ received_at_ms: atMs, status }) => {
      return Number(atMs) < 1_000 && status !== 'unmatched';
    });
    expect(await archiveRows(env, 'provider_callbacks', nowMs)).toBe(3);
    expect((await rowsOf('provider_callbacks')).map(({ event_id: id }) => id)).toEqual(['open', 'young']);
    const written = await Promise.all(
      (await archives()).map(({ manifest }) => readShelved(env.ARCHIVE, manifest as Manifest)),
    );
    expect(written.flat()).toHaveLength(202);
    expect(written.flat()).toEqual(expect.arrayContaining(old));
    expect(await archiveRows(env, 'provider_callbacks', nowMs)).toBe(0);
    expect(await walkFindings()).toEqual([]);
  });
});

describe('the cron', () => {
  test('runs every job by its name, each alone, and one that ended without a word for no longer than its lease', async () => {
    expect(Object.keys(ARCHIVE_JOBS)).toEqual([
      'archive_payments',
      'trim_payments',
      'archive_callbacks',
      'archive_dead_letters',
    ]);
    await keepLetters(1);
    const nowMs = RECORD_LOG_RETENTION_MS + 10_000;
    await env.DB.prepare(`INSERT INTO archive_leases VALUES ('archive_dead_letters', ?)`)
      .bind(nowMs + ARCHIVE_LEASE_MS)
      .run();
    await runScheduled(env, '* 1-4 * * *', nowMs);
    expect(await archives()).toEqual([]);
    await runScheduled(env, '* 1-4 * * *', nowMs + ARCHIVE_LEASE_MS);
    expect(await archives()).toMatchObject([{ kind: 'dead_letters', status: 'trimmed' }]);
    const leases = await env.DB.prepare('SELECT until_ms FROM archive_leases').all<{ until_ms: number }>();
    expect(leases.results.map(({ until_ms: untilMs }) => untilMs)).toEqual([0, 0, 0, 0]);
  });
});

/** Settled letters, one that nobody has looked at, and one that was settled lately. */
async function keepLetters(settled: number): Promise<void> {
  const insert = env.DB.prepare(
    `INSERT INTO dead_letters (id, queue, reason, body, died_at_ms, status, outcome, resolved_at_ms, resolved_by, resolution_reason)
     VALUES (?1, 'q', 'r', '{}', 1, ?2, CASE ?2 WHEN 'redriven' THEN 'sent_again' END, ?3, CASE WHEN ?3 IS NOT NULL THEN 'jane' END,
             CASE WHEN ?3 IS NOT NULL THEN 'because' END)`,
  );
  await env.DB.batch([
    ...Array.from({ length: settled }, (_, n) => insert.bind(`letter-${n}`, n % 2 === 0 ? 'redriven' : 'discarded', 5)),
    insert.bind('present', 'present', null),
    insert.bind('young', 'discarded', RECORD_LOG_RETENTION_MS),
  ]);
}

async function restore(table: 'events' | 'notifications' | 'dead_letters', rows: readonly Record<string, unknown>[]) {
  for (const row of rows) {
    const names = Object.keys(row);
    await env.DB.prepare(
      `INSERT OR IGNORE INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`,
    )
      .bind(...Object.values(row))
      .run();
  }
}

/**
 * Runs with everything reset, on an environment that ends at its `last`th moment: each call of D1 or R2 has two, just before it and just
 * after. Answers how many moments there were.
 */
async function crashAt(
  last: number,
  reset: () => Promise<void>,
  run: (faulty: Env) => Promise<unknown>,
): Promise<number> {
  await reset();
  let moments = 0;
  const moment = () => {
    moments += 1;
    if (moments === last) throw new Error('crash');
  };
  const counted = async <Result>(call: () => Promise<Result>): Promise<Result> => {
    moment();
    const result = await call();
    moment();
    return result;
  };
  const faulty = {
    ...env,
    DB: {
      batch: (statements: D1PreparedStatement[]) => counted(() => env.DB.batch(statements)),
      prepare: (sql: string) => env.DB.prepare(sql),
    } as D1Database,
    ARCHIVE: {
      put: (key: string, bytes: Uint8Array, options: R2PutOptions) =>
        counted(() => env.ARCHIVE.put(key, bytes, options)),
      get: (key: string) => counted(() => env.ARCHIVE.get(key)),
    } as unknown as R2Bucket,
    PAYMENT_SAGA: env.PAYMENT_SAGA,
    REFUND_SAGA: env.REFUND_SAGA,
  } as Env;
  try {
    await run(faulty);
    expect(last).toBe(Number.POSITIVE_INFINITY);
  } catch (error) {
    if (!(error instanceof Error && error.message === 'crash')) throw error;
  }
  return moments;
}

/** A payment of another merchant, made as its own Worker would. */
async function paymentOf(scope: Scope): Promise<string> {
  const request: PaymentRequest = {
    wallet_id: 'old',
    service_id: 's',
    amount: 5,
    currency: 'USD',
    method: 'balance',
  };
  const key = freshKey();
  const result = await env.PAYMENT_SAGA.getByName(sagaObjectName(scope, '/payments', key)).create({
    scope,
    idempotencyKey: key,
    fingerprint: fingerprint(request),
    request,
    amountCodes: false,
    trace: { traceId: 'a'.repeat(32), traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` },
    waitMs: 20_000,
  });
  if (result.kind !== 'created' || !result.terminal) throw new Error(JSON.stringify(result));
  await atRest([result.entityId]);
  await drained();
  return result.entityId;
}
