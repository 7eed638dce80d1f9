// GET /ops/overview: each part of it, of the asking merchant alone.
import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Purview } from '../../src/domain/api-key.ts';
import { publicIdFromHex } from '../../src/domain/ids.ts';
import { HOUR_MS, MINUTE_MS } from '../../src/domain/limits.ts';
import { BEGUN } from '../../src/domain/reconciliation/plan.ts';
import { emptyReport, note } from '../../src/domain/sweep-report.ts';
import { overviewSchema } from '../../src/http/schemas/overview.ts';
import { paymentActivity, unfinishedSagas } from '../../src/read-model/overview.ts';
import { keepSweep } from '../../src/read-model/sweeps.ts';
import { jsonOf, post, problemOf, SCOPE, send } from './client.ts';

interface Overview {
  activity: {
    window: string;
    slots: { from: string; completed: number; failed: number; pending: number }[];
    truncated: boolean;
  };
  limbo: { currency: string; payments: number; amount: string }[];
  sagas: { kind: string; unfinished: number; stuck: number; attention: number }[];
  sagas_truncated: boolean;
  dead_letters: { queue: string; present: number }[];
  breakers: { provider: string; operation: string; state: string }[];
  sweep: { outbox_age_ms: number; findings: Record<string, number> } | null;
  reconciliation: { differences: number; complete: boolean } | null;
}

const overview = async (query = '') => jsonOf<Overview>(await send(`/ops/overview${query}`), 200);
const PURVIEW: Purview = { ...SCOPE, isPlatform: true };
let last = 0;

interface RowFacts {
  readonly ageMs?: number;
  readonly state?: string;
  readonly amount?: number;
  readonly currency?: string;
  readonly attention?: string;
  readonly merchant?: string;
}

/** A row of the record, made and last heard of `ageMs` ago. */
async function payment(status: string, facts: RowFacts = {}): Promise<void> {
  const id = publicIdFromHex('pay_', env.PAYMENT_SAGA.idFromName(`overview ${++last}`).toString());
  const atMs = Date.now() - (facts.ageMs ?? 0);
  const body = {
    saga_state: facts.state ?? 'debiting',
    amount: facts.amount ?? 100,
    currency: facts.currency ?? 'USD',
  };
  await env.DB.prepare(
    `INSERT INTO payments
       (id, merchant, mode, wallet_id, service_id, method, status, created_at_ms, updated_at_ms, sequence, body, attention)
     VALUES (?, ?, 'sandbox', 'w', 's', 'balance', ?, ?, ?, 1, ?, ?)`,
  )
    .bind(id, facts.merchant ?? 'default', status, atMs, atMs, JSON.stringify(body), facts.attention ?? null)
    .run();
}

async function letter(queue: string, merchant: string, status = 'present'): Promise<void> {
  const isPresent = status === 'present';
  await env.DB.prepare(
    `INSERT INTO dead_letters (id, queue, reason, body, died_at_ms, merchant, mode, status, resolved_at_ms, resolved_by, resolution_reason)
     VALUES (?, ?, 'spent', '{}', 1, ?, 'sandbox', ?, ?, ?, ?)`,
  )
    .bind(
      `letter-${++last}`,
      queue,
      merchant,
      status,
      isPresent ? null : 1,
      isPresent ? null : 'x',
      isPresent ? null : 'y',
    )
    .run();
}

describe('an empty record', () => {
  it('has every slot, and nothing in them', async () => {
    const body = await overview();
    expect(overviewSchema.strict().safeParse(body).error).toBeUndefined();
    expect(body.activity).toMatchObject({ window: 'hour', truncated: false });
    expect(body.activity.slots).toHaveLength(60);
    expect(body.limbo).toEqual([]);
    expect(body.sagas).toEqual([
      { kind: 'payment', unfinished: 0, stuck: 0, attention: 0 },
      { kind: 'refund', unfinished: 0, stuck: 0, attention: 0 },
    ]);
    expect(body.dead_letters).toEqual([]);
    expect(body).toMatchObject({ sweep: null, reconciliation: null });
  });
});

describe('a record with payments', () => {
  beforeAll(async () => {
    await payment('COMPLETED');
    await payment('COMPLETED');
    await payment('FAILED', { state: 'failed' });
    await payment('FAILED', { state: 'failed', ageMs: 3 * HOUR_MS });
    await payment('PENDING', { amount: 9_000_000_000_000_000 });
    await payment('PENDING', { amount: 9_000_000_000_000_000, ageMs: MINUTE_MS / 2 });
    await payment('PENDING', { amount: 7, currency: 'CLP', ageMs: 2 * HOUR_MS });
    await payment('PENDING', { state: 'needs_attention', ageMs: 5 * HOUR_MS, attention: 'authorization_unknown' });
    for (const status of ['COMPLETED', 'PENDING']) await payment(status, { merchant: 'another', currency: 'EUR' });
    await payment('PENDING', { merchant: 'another', attention: 'authorization_unknown' });
    await letter('wallet-commands', 'default');
    await letter('wallet-commands', 'default');
    await letter('notifications', 'default');
    await letter('notifications', 'default', 'discarded');
    await letter('gateway-commands', 'another');
  });

  const totalsOf = ({ activity }: Overview) =>
    (['completed', 'failed', 'pending'] as const).map((part) =>
      activity.slots.reduce((sum, slot) => sum + slot[part], 0),
    );

  it("counts the asking merchant's payments of the last hour by minute, those of the last day by hour", async () => {
    const hour = await overview('?window=hour');
    expect(totalsOf(hour)).toEqual([2, 1, 2]);
    const day = await overview('?window=day');
    expect(day.activity.slots).toHaveLength(24);
    expect(totalsOf(day)).toEqual([2, 2, 4]);
    for (const { activity } of [hour, day]) {
      const times = activity.slots.map(({ from }) => Date.parse(from));
      const stepMs = activity.window === 'hour' ? MINUTE_MS : HOUR_MS;
      for (const [at, fromMs] of times.entries()) expect(fromMs).toBe((times[0] ?? 0) + at * stepMs);
    }
  });

  it('adds up money in limbo by currency, exactly, beyond what a number holds', async () => {
    expect((await overview()).limbo).toEqual([
      { currency: 'CLP', payments: 1, amount: '7' },
      { currency: 'USD', payments: 3, amount: '18000000000000100' },
    ]);
  });

  it('counts sagas that stand still, and those that need a person', async () => {
    expect((await overview()).sagas).toEqual([
      { kind: 'payment', unfinished: 4, stuck: 1, attention: 1 },
      { kind: 'refund', unfinished: 0, stuck: 0, attention: 0 },
    ]);
  });

  it('counts dead letters that are present, by queue', async () => {
    expect((await overview()).dead_letters).toEqual([
      { queue: 'notifications', present: 1 },
      { queue: 'wallet-commands', present: 2 },
    ]);
  });

  it('says when there are more rows than it reads, and counts the newest', async () => {
    const nowMs = Date.now();
    const { counts, truncated } = await paymentActivity(env.DB, PURVIEW, 'day', nowMs, 3);
    expect(counts.reduce((sum, { count }) => sum + count, 0)).toBe(3);
    expect(truncated).toBe(true);
    expect((await paymentActivity(env.DB, PURVIEW, 'day', nowMs, 100)).truncated).toBe(false);
    expect((await unfinishedSagas(env.DB, PURVIEW, nowMs, 2)).truncated).toBe(true);
    expect((await unfinishedSagas(env.DB, PURVIEW, nowMs, 100)).truncated).toBe(false);
  });

  it('counts the sagas of every merchant for the platform, and no payments by time', async () => {
    const everyone: Purview = { ...PURVIEW, merchant: null };
    const count = async (purview: Purview) =>
      (await unfinishedSagas(env.DB, purview, Date.now(), 100)).sagas.map((of) => of.count);
    expect((await count(everyone))[0]).toBeGreaterThan((await count(PURVIEW))[0] ?? 0);
    expect(await paymentActivity(env.DB, everyone, 'day', Date.now(), 100)).toEqual({ counts: [], truncated: true });
  });

  it('adds up more than an integer of SQLite holds', async () => {
    const body = JSON.stringify({ saga_state: 'debiting', amount: 9_000_000_000_000_000, currency: 'USD' });
    await env.DB.prepare(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100)
       INSERT INTO payments
         (id, merchant, mode, wallet_id, service_id, method, status, created_at_ms, updated_at_ms, sequence, body)
       SELECT 'rich ' || i, 'rich', 'sandbox', 'w', 's', 'balance', 'PENDING', 1, 1, 1, ? FROM n`,
    )
      .bind(body)
      .run();
    const { limbo } = await unfinishedSagas(env.DB, { ...PURVIEW, merchant: 'rich' }, Date.now(), 2_000);
    expect(limbo).toEqual([{ currency: 'USD', payments: 1_100, amountMinor: 9_900_000_000_000_000_000n }]);
    await env.DB.prepare(`DELETE FROM payments WHERE merchant = 'rich'`).run();
  });

  it('reads its payments through the index of the merchant', async () => {
    const { results } = await env.DB.prepare(
      `EXPLAIN QUERY PLAN SELECT created_at_ms, status FROM payments WHERE merchant = 'a' AND mode = 'b' AND created_at_ms >= 1
       ORDER BY created_at_ms DESC, id DESC LIMIT 1`,
    ).all<{ detail: string }>();
    expect(results.map(({ detail }) => detail)).toEqual([expect.stringContaining('USING INDEX payments_by_created')]);
  });
});

it('shows the breakers, a forced one too', async () => {
  await jsonOf(
    await post('/ops/breakers/acme', { state: 'open', operation: 'refund', actor: 'jane', reason: 'test' }),
    200,
  );
  const { breakers } = await overview();
  expect(breakers).toContainEqual(
    expect.objectContaining({ provider: 'acme', operation: 'refund', state: 'forced_open' }),
  );
  expect(new Set(breakers.map(({ provider }) => provider))).toEqual(new Set(['acme', 'borealis']));
});

it('shows the last sweep and the last reconciliation that came to its end', async () => {
  const stale = emptyReport();
  note(stale, { kind: 'outbox_stale', id: 'pay_1', age_ms: 190_000 });
  // One run looks at some sagas only: the events that the first found waiting wait, though the last did not ask.
  await keepSweep(env.DB, { startedAtMs: 1, finishedAtMs: 2, report: stale }, 9);
  await keepSweep(env.DB, { startedAtMs: 60_001, finishedAtMs: 60_002, report: emptyReport() }, 9);
  const unread = { provider: 'acme', coverage: 'none', reason: 'http_401', lines: 0 };
  const reconciled = (id: string, provider: string | null, progress: object, atMs: number) =>
    env.DB.prepare(
      `INSERT INTO reconciliations (id, mode, status, plan, progress, created_at_ms, updated_at_ms)
       VALUES (?1, 'sandbox', 'finished', ?2, ?3, ?4, ?4)`,
    ).bind(id, JSON.stringify({ provider }), JSON.stringify({ ...BEGUN, ...progress }), atMs);
  await env.DB.batch([
    reconciled('rec_1', null, { differences: 4, books: [unread] }, 1_000),
    // Of one provider: it says nothing of the others.
    reconciled('rec_2', 'acme', {}, 2_000),
  ]);
  expect(await overview()).toMatchObject({
    sweep: { finished_at: '1970-01-01T00:01:00.002Z', outbox_age_ms: 190_000, findings: { outbox_stale: 0 } },
    reconciliation: { begun_at: '1970-01-01T00:00:01.000Z', differences: 4, complete: false },
  });
});

it.each(['?window=week', '?window=', '?since=1'])('refuses %s', async (query) => {
  await problemOf(await send(`/ops/overview${query}`), 400, 'validation_failed');
});
