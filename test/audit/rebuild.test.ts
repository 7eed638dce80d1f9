/** The record, lost whole, and rebuilt from the objects; and who rebuilds. */
import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, test } from 'vitest';
import { walletObjectName } from '../../src/domain/ids.ts';
import { atRest, buildWorld, post, WALLETS, type World, walkFindings } from './world.ts';

const TABLES = ['payments', 'refunds', 'events', 'metric_counters', 'wallets'] as const;
const SCOPE = { merchant: 'default', mode: 'sandbox' } as const;
const WHO = { actor: 'jane', reason: 'the database was lost' };

let world: World;

beforeAll(async () => {
  world = await buildWorld();
}, 120_000);

async function record(): Promise<Record<string, unknown[]>> {
  const rows = await Promise.all(
    TABLES.map(async (table) => [table, (await env.DB.prepare(`SELECT * FROM ${table}`).all()).results] as const),
  );
  return Object.fromEntries(rows);
}

async function loseRecord(): Promise<void> {
  await env.DB.batch(TABLES.map((table) => env.DB.prepare(`DELETE FROM ${table}`)));
}

const sagas = () => [...world.payments, ...world.refunds];
const wallets = () => WALLETS.map((id) => env.WALLET.idFromName(walletObjectName(SCOPE, id)).toString());

async function rebuilt(): Promise<unknown> {
  const response = await post('/ops/rebuild', { sagas: sagas(), wallets: wallets(), ...WHO });
  return response.json();
}

describe('the record', () => {
  test('that was lost whole is rebuilt as it was, counters with it', async () => {
    const before = await record();
    expect(Object.values(before).every((rows) => rows.length > 0)).toBe(true);
    await loseRecord();
    expect(await rebuilt()).toMatchObject({ sagas: sagas().length, wallets: WALLETS.length, empty: [] });
    expect(await record()).toEqual(before);
    expect(await walkFindings()).toEqual([]);
  });

  test('that is whole stays as it is, however often it is rebuilt', async () => {
    const before = await record();
    await rebuilt();
    await rebuilt();
    expect(await record()).toEqual(before);
  });

  test('that has lost some rows gets them back, and nothing is counted twice', async () => {
    const before = await record();
    await env.DB.batch([
      env.DB.prepare('DELETE FROM payments WHERE id = ?').bind(world.payments[0]),
      env.DB.prepare('DELETE FROM refunds'),
      env.DB.prepare("DELETE FROM wallets WHERE id = 'wal-two'"),
    ]);
    expect((await walkFindings()).length).toBeGreaterThan(0);
    await rebuilt();
    expect(await record()).toEqual(before);
  });

  test('is rebuilt while the queue brings the same', async () => {
    const before = await record();
    await loseRecord();
    await Promise.all([rebuilt(), rebuilt()]);
    await atRest(sagas());
    expect(await record()).toEqual(before);
  });
});

describe('a rebuild', () => {
  test('names the objects that hold nothing, and rebuilds the others', async () => {
    const nobody = `pay_${'1'.repeat(43)}`;
    const [payment = ''] = world.payments;
    const unopened = env.WALLET.idFromName('default|sandbox|never-opened').toString();
    const body = { sagas: [nobody, payment], wallets: [unopened, '0'.repeat(64)], ...WHO };
    expect(await (await post('/ops/rebuild', body)).json()).toEqual({
      object: 'rebuild',
      sagas: 1,
      runs: expect.any(Number),
      wallets: 0,
      empty: [nobody, unopened, '0'.repeat(64)],
    });
  });

  test('is in the audit log, and without actor, reason or ids there is none', async () => {
    const logged = async () =>
      env.DB.prepare('SELECT actor, action, subject, reason FROM audit_log ORDER BY id DESC').all();
    const [payment = ''] = world.payments;
    await post('/ops/rebuild', { sagas: [payment], ...WHO });
    const subject = `1 sagas, 0 wallets, from ${payment}`;
    expect((await logged()).results[0]).toEqual({ ...WHO, action: 'record.rebuild', subject });
    const before = (await logged()).results.length;
    for (const body of [
      { ...WHO },
      { sagas: [], ...WHO },
      { sagas: [payment] },
      { sagas: [payment], actor: 'jane' },
      { sagas: ['pay_\ud800'], ...WHO },
      { wallets: ['no hex'], ...WHO },
    ]) {
      expect((await post('/ops/rebuild', body)).status).toBe(400);
    }
    expect((await post('/ops/rebuild', { sagas: Array(51).fill(payment), ...WHO })).status).toBe(400);
    expect((await logged()).results).toHaveLength(before);
  });
});
