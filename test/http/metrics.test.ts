/** GET /metrics: what it says of payments that ended, of those that did not, and of parts that cannot be read. */
import { env } from 'cloudflare:workers';
import { afterEach, describe, expect, test } from 'vitest';
import { MINUTE_MS, SCRAPE_ROWS_MAX } from '../../src/domain/limits.ts';
import { BEGUN, type BooksRead, type ReconciliationProgress } from '../../src/domain/reconciliation/plan.ts';
import { SWEEPS_KEPT_MAX } from '../../src/domain/sweep-policy.ts';
import { emptyReport, note, type SweepReport } from '../../src/domain/sweep-report.ts';
import { app } from '../../src/http/app.ts';
import { lastFinishedReconciliation, sagaGauges } from '../../src/read-model/metrics.ts';
import { recordPublications } from '../../src/read-model/record-publications.ts';
import { noteSwept, stillSagas } from '../../src/read-model/sagas.ts';
import { keepSweep } from '../../src/read-model/sweeps.ts';
import { paymentSagaStub } from '../../src/stubs.ts';
import { createPayment, terminal, until } from '../support/payments.ts';
import { freshKey, pay, requestOf, runningPayment, send } from './client.ts';

type Samples = Readonly<Record<string, number>>;

async function scrape(changes: Partial<Env> = {}): Promise<Samples> {
  const context = { waitUntil: () => {}, passThroughOnException: () => {}, props: {} };
  const response = await app.fetch(
    requestOf('/metrics'),
    { ...env, ...changes },
    context as unknown as ExecutionContext,
  );
  expect(response.status).toBe(200);
  return samplesOf(await response.text());
}

function samplesOf(text: string): Samples {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]),
  );
}

const broken = <Binding>(): Binding =>
  new Proxy(
    {},
    {
      get() {
        throw new Error('out of order');
      },
    },
  ) as Binding;

function staleReport(ageMs: number): SweepReport {
  const report = emptyReport();
  note(report, { kind: 'outbox_stale', id: 'pay_1', age_ms: ageMs });
  return report;
}

/** Objects whose answers never come. */
function silent(): Env['PROVIDER_HEALTH'] {
  return { getByName: () => ({ read: () => new Promise(() => {}) }) } as unknown as Env['PROVIDER_HEALTH'];
}

/** Unfinished payments that no saga writes again, for as long as `act` takes. */
async function withRows(bodies: readonly object[], act: () => Promise<void>): Promise<void> {
  const insert = env.DB.prepare(
    `INSERT INTO payments (id, merchant, mode, wallet_id, service_id, method, status, created_at_ms, updated_at_ms, sequence, body)
     VALUES (?, 'default', 'sandbox', 'w', 's', 'balance', 'PENDING', 1, 1, 1, ?)`,
  );
  const common = { saga_state: 'holding', currency: 'CHF', amount: 1 };
  await env.DB.batch(bodies.map((body, n) => insert.bind(`pay_row${n}`, JSON.stringify({ ...common, ...body }))));
  try {
    await act();
  } finally {
    await env.DB.prepare("DELETE FROM payments WHERE id LIKE 'pay_row%'").run();
  }
}

describe('a scrape', () => {
  test('is Prometheus text', async () => {
    const response = await send('/metrics');
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toMatch(
      /^# HELP holdfast_payments_total .+\n# TYPE holdfast_payments_total counter\n/,
    );
  });

  test('counts a completed payment, its steps, its whole time and the provider, each once', async () => {
    const before = await scrape();
    const { id } = await createPayment({ wallet_id: 'wal-metrics' });
    await terminal(id);
    const recorded = ({ 'holdfast_payments_total{status="completed"}': count = 0 }: Samples) => count === 1;
    const after = await until(scrape, recorded);
    expect(before['holdfast_payments_total{status="completed"}']).toBe(0);
    for (const command of ['wallet.hold_funds', 'gateway.authorize', 'wallet.debit']) {
      expect(after[`holdfast_step_duration_seconds_count{command="${command}"}`]).toBe(1);
      expect(after[`holdfast_step_duration_seconds_bucket{command="${command}",le="+Inf"}`]).toBe(1);
    }
    expect(after['holdfast_end_to_end_duration_seconds_count{kind="payment",status="completed"}']).toBe(1);
    expect(after['holdfast_end_to_end_duration_seconds_sum{kind="payment",status="completed"}']).toBeGreaterThan(0);
    const outcomes = Object.entries(after).filter(([name]) => name.startsWith('holdfast_provider_outcomes_total'));
    expect(outcomes.map(([, count]) => count)).toEqual([1]);
    expect(after.holdfast_measured_runs_total).toBe(1);
  });

  test('counts a failed payment by its failure, once however often its run is recorded', async () => {
    const failed = (failure?: string) =>
      `holdfast_payments_total{status="failed"${failure === undefined ? '' : `,failure="${failure}"`}}`;
    // What a version that knew of no failures has left.
    await env.DB.prepare(
      `INSERT INTO metric_counters (series, value) VALUES ('metrics.payment.failure', 7)
       ON CONFLICT (series) DO UPDATE SET value = value + 7`,
    ).run();
    const before = await scrape();
    expect(before[failed()]).toBe(7);
    expect(before[failed('gateway_declined')]).toBe(0);
    const { id } = await createPayment({ wallet_id: 'wal-metrics', token: 'pm_card_visa_chargeDeclined' });
    await terminal(id);
    const after = await until(scrape, (samples) => samples[failed('gateway_declined')] === 1);
    const page = await paymentSagaStub(env, id)?.publication(0);
    if (page == null) throw new Error('no publication');
    await recordPublications(env.DB, [page.publication, page.publication]);
    const again = await scrape();
    for (const samples of [after, again]) {
      const counted = Object.entries(samples).filter(([name]) =>
        name.startsWith('holdfast_payments_total{status="failed"'),
      );
      expect(counted.filter(([, count]) => count > 0)).toEqual([
        [failed(), 7],
        [failed('gateway_declined'), 1],
      ]);
    }
    const { results } = await env.DB.prepare("SELECT series FROM metric_counters WHERE series LIKE '%fail%'").all();
    expect(results).toEqual([{ series: 'metrics.payment.failure' }]);
  });

  test('sums the money of payments that have not ended by currency, and tells how old the oldest is', async () => {
    for (const amount of [1_230, 70]) expect((await pay(freshKey(), runningPayment({ amount }))).status).toBe(202);
    const inLimbo = (samples: Samples) => samples['holdfast_limbo_amount_minor{currency="USD"}'] === 1_300;
    const samples = await until(scrape, inLimbo);
    expect(samples['holdfast_unfinished_oldest_age_seconds{kind="payment"}']).toBeGreaterThan(0);
    expect(samples['holdfast_scrape_truncated{kind="payment"}']).toBe(0);
  });

  test('adds up money past what a number holds', async () => {
    await withRows(
      [1, 2, 3].map(() => ({ currency: 'JPY', amount: 8_999_999_999_999_999 })),
      async () => {
        const text = await (await send('/metrics')).text();
        expect(text).toContain('holdfast_limbo_amount_minor{currency="JPY"} 26999999999999997\n');
      },
    );
  });

  test('counts as stuck those that have stood still too long, and mean to ask nobody', async () => {
    const later = { next_check_at: '2999-01-01T00:00:00.000Z' };
    const rows = [{ saga_state: 'debiting' }, { saga_state: 'debiting' }, { saga_state: 'debiting', ...later }];
    await withRows(rows, async () => {
      const samples = await scrape();
      expect(samples['holdfast_sagas_stuck{kind="payment",state="debiting"}']).toBe(2);
      expect(samples['holdfast_sagas_unfinished{kind="payment",state="debiting"}']).toBe(3);
    });
  });

  test('reads so many rows of a kind and no more, and says that there are', async () => {
    await withRows(Array(SCRAPE_ROWS_MAX + 1).fill({}), async () => {
      const samples = await scrape();
      const unfinished = Object.entries(samples).filter(([name]) => name.startsWith('holdfast_sagas_unfinished{'));
      expect(unfinished.reduce((sum, [, count]) => sum + count, 0)).toBe(SCRAPE_ROWS_MAX);
      expect(samples['holdfast_scrape_truncated{kind="payment"}']).toBe(1);
      expect(samples['holdfast_scrape_truncated{kind="refund"}']).toBe(0);
    });
  });

  test('counts those that need a person by reason', async () => {
    await withRows([{}, {}], async () => {
      await env.DB.prepare("UPDATE payments SET attention = 'release_refused' WHERE id LIKE 'pay_row%'").run();
      const name = 'holdfast_sagas_needing_attention{kind="payment",reason="release_refused"}';
      expect((await scrape())[name]).toBe(2);
    });
  });

  test('has the dead letters that nobody has seen to', async () => {
    const set = (series: string, value: number) =>
      env.DB.prepare('INSERT INTO metric_counters (series, value) VALUES (?, ?)').bind(series, value);
    await env.DB.batch([
      set('dead_letters.stored', 9),
      set('dead_letters.redriven', 4),
      set('dead_letters.discarded', 2),
    ]);
    const samples = await scrape();
    expect(samples.holdfast_dead_letters).toBe(3);
    expect(samples['holdfast_dead_letters_total{change="stored"}']).toBe(9);
  });

  test('has what the last sweep found', async () => {
    await keepSweep(
      env.DB,
      { startedAtMs: 1, finishedAtMs: Date.now(), report: staleReport(130_000) },
      SWEEPS_KEPT_MAX,
    );
    const samples = await scrape();
    expect(samples.holdfast_outbox_age_seconds).toBe(130);
    expect(samples['holdfast_sweep_findings{finding="outbox_stale"}']).toBe(1);
    expect(samples['holdfast_sweep_findings{finding="failed"}']).toBe(0);
  });

  test('has the size of the record, and how long the oldest object of the archive has been planned', async () => {
    const before = await scrape();
    expect(before.holdfast_archive_planned_age_seconds).toBe(0);
    const plan = (id: number, status: string, plannedAtMs: number) =>
      env.DB.prepare(
        `INSERT INTO archives (id, kind, status, object_key, keys, manifest, newest_at_ms, planned_at_ms, updated_at_ms)
         VALUES (?1, 'payments', ?2, 'metrics-' || ?1, ?3, IIF(?2 = 'planned', NULL, '{}'), 1, ?4, 1)`,
      ).bind(id, status, JSON.stringify(Array(1_000).fill('pay_of_an_object')), plannedAtMs);
    const nowMs = Date.now();
    await env.DB.batch([
      plan(1, 'stored', 1),
      plan(2, 'planned', nowMs - 7_200_000),
      plan(3, 'planned', nowMs - 60_000),
    ]);
    const samples = await scrape();
    await env.DB.prepare("DELETE FROM archives WHERE object_key LIKE 'metrics-%'").run();
    expect(samples.holdfast_archive_planned_age_seconds).toBeGreaterThanOrEqual(7_200);
    expect(samples.holdfast_archive_planned_age_seconds).toBeLessThan(7_260);
    expect(samples.holdfast_record_size_bytes).toBeGreaterThan((before.holdfast_record_size_bytes ?? 0) + 40_000);
  });

  test('has each breaker in one state', async () => {
    await env.PROVIDER_HEALTH.getByName('borealis').force('open', 'refund');
    const samples = await scrape();
    const of = (state: string) =>
      samples[`holdfast_breaker_state{provider="borealis",operation="refund",state="${state}"}`];
    expect([of('forced_open'), of('closed'), of('open')]).toEqual([1, 0, 0]);
    await env.PROVIDER_HEALTH.getByName('borealis').force(null);
  });

  test.each<[string, Partial<Env>, readonly string[]]>([
    ['D1 is out of order', { DB: broken<D1Database>() }, ['counters', 'sagas', 'sweeps', 'reconciliation', 'record']],
    ['the breakers do not answer', { PROVIDER_HEALTH: silent() }, ['breakers']],
    ['the breakers are', { PROVIDER_HEALTH: broken<Env['PROVIDER_HEALTH']>() }, ['breakers']],
  ])('while %s says which parts it lacks, and has the others', async (_what, changes, lacking) => {
    const samples = await scrape(changes);
    for (const part of ['counters', 'sagas', 'sweeps', 'reconciliation', 'record', 'breakers']) {
      expect(samples[`holdfast_scrape_errors{part="${part}"}`], part).toBe(lacking.includes(part) ? 1 : 0);
    }
    expect('holdfast_payments_total{status="completed"}' in samples).toBe(!lacking.includes('counters'));
  });
});

describe('how long events have waited, as a scrape says it', () => {
  const BEGUN_AT_MS = 1_000_000_000;
  /** Keeps the report of a minute's run, which ended two seconds into it. */
  const kept = (minute: number, report: SweepReport) => {
    const startedAtMs = BEGUN_AT_MS + minute * MINUTE_MS;
    return keepSweep(env.DB, { startedAtMs, finishedAtMs: startedAtMs + 2_000, report }, SWEEPS_KEPT_MAX);
  };

  afterEach(async () => {
    await env.DB.prepare('DELETE FROM sweeps').run();
  });

  /** A run by the sweeper's own choice of whom to look at, of one payment that is stuck: whether it was its turn. */
  async function run(minute: number, isStuck: boolean): Promise<boolean> {
    const nowMs = BEGUN_AT_MS + minute * MINUTE_MS;
    const turn = (await stillSagas(env.DB, 'payment', nowMs, 25)).map(({ id }) => id);
    await noteSwept(env.DB, 'payment', turn, nowMs);
    const isFound = isStuck && turn.length > 0;
    await kept(minute, isFound ? staleReport((minute + 7) * MINUTE_MS) : emptyReport());
    return turn.length > 0;
  }

  test('is told in every minute while a group is stuck, though a run looks at it in one of seven', async () => {
    await withRows([{ saga_state: 'debiting' }], async () => {
      const ages: (number | undefined)[] = [];
      const turns: number[] = [];
      for (let minute = 0; minute < 21; minute += 1) {
        if (await run(minute, true)) turns.push(minute);
        ages.push((await scrape()).holdfast_outbox_age_seconds);
      }
      expect(turns).toEqual([0, 7, 14]);
      const told = (minutes: number) => Array<number>(7).fill(minutes * 60);
      expect(ages).toEqual([...told(7), ...told(14), ...told(21)]);
    });
  });

  test('is no longer told eight minutes after it was found, if nothing is found again', async () => {
    await withRows([{ saga_state: 'debiting' }], async () => {
      for (let minute = 0; minute < 8; minute += 1) await run(minute, minute === 0);
      expect((await scrape()).holdfast_outbox_age_seconds).toBe(420);
      await run(8, false);
      expect((await scrape()).holdfast_outbox_age_seconds).toBe(0);
    });
  });

  test('is what it was while the sweeper is silent: another gauge says that it is', async () => {
    await kept(0, staleReport(130_000));
    const samples = await scrape();
    expect(samples.holdfast_outbox_age_seconds).toBe(130);
    expect(samples.holdfast_sweep_age_seconds).toBeGreaterThan(600);
  });

  test('is by as many runs as there may be, if the cron fires twice each minute', async () => {
    await kept(0, staleReport(130_000));
    for (let minute = 1; minute < 8; minute += 1) {
      await kept(minute, emptyReport());
      await kept(minute, emptyReport());
    }
    expect((await scrape()).holdfast_outbox_age_seconds).toBe(130);
  });
});

describe('what a scrape says of reconciliations', () => {
  const HOUR_MS = 3_600_000;
  const read: BooksRead = { provider: 'acme', coverage: 'charges_and_refunds', reason: null, lines: 7 };
  const unread: BooksRead = { provider: 'borealis', coverage: 'none', reason: 'http_401', lines: 0 };
  let made = 0;

  interface Run {
    readonly status?: 'running' | 'finished' | 'failed';
    readonly provider?: string;
    readonly hoursAgo: number;
    readonly progress?: Partial<ReconciliationProgress>;
  }

  function row({ status = 'finished', provider, hoursAgo, progress = {} }: Run): D1PreparedStatement {
    const plan = JSON.stringify({ provider: provider ?? null });
    const createdAtMs = Date.now() - hoursAgo * HOUR_MS;
    return env.DB.prepare(`INSERT INTO reconciliations VALUES (?, 'sandbox', ?, ?, ?, ?, ?)`).bind(
      `rec_${++made}`,
      status,
      plan,
      JSON.stringify({ ...BEGUN, books: [read], ...progress }),
      createdAtMs,
      createdAtMs,
    );
  }

  /** How many hours since, how many differences, and whether it is called incomplete. */
  async function told(...runs: readonly Run[]): Promise<readonly (number | undefined)[]> {
    await env.DB.batch(runs.map(row));
    const samples = await scrape();
    const ageSeconds = samples.holdfast_reconciliation_age_seconds;
    return [
      ageSeconds === undefined ? undefined : Math.floor(ageSeconds / 3_600),
      samples.holdfast_reconciliation_differences,
      samples.holdfast_reconciliation_incomplete,
    ];
  }

  afterEach(async () => {
    await env.DB.prepare('DELETE FROM reconciliations').run();
  });

  const night = { hoursAgo: 7, progress: { differences: 3, books: [read, unread] } };

  test.each<[string, Partial<ReconciliationProgress>, number]>([
    ['that compared everything is complete', {}, 0],
    ['that could not read the books of a provider is not', { books: [read, unread] }, 1],
    ['that read books in part is not', { books: [{ ...read, reason: 'timeout' }] }, 1],
    ['that compared a payment in part is not', { counts: { ...BEGUN.counts, incomplete: 1 } }, 1],
  ])('one %s, though it found no difference', async (_what, progress, incomplete) => {
    expect(await told({ hoursAgo: 1, progress })).toEqual([1, 0, incomplete]);
  });

  test('is of the newest that came to its end', async () => {
    const later = (['running', 'failed'] as const).map((status) => ({ status, hoursAgo: 1 }));
    expect(await told({ hoursAgo: 31 }, night, ...later)).toEqual([7, 3, 1]);
  });

  test('is of all providers: however many of one provider come after, the night is told of', async () => {
    const clean = Array.from({ length: 60 }, () => ({ provider: 'acme', hoursAgo: 1 }));
    expect(await told(night, ...clean)).toEqual([7, 3, 1]);
  });

  test("is of an operator's as well as of a night's, if it is of all providers", async () => {
    expect(await told(night, { hoursAgo: 2 })).toEqual([2, 0, 0]);
  });

  test('is nothing while there were none but of one provider', async () => {
    expect(await told({ provider: 'acme', hoursAgo: 1 })).toEqual([undefined, undefined, undefined]);
  });

  test('is one row, found by its index', async () => {
    const plan: string[] = [];
    const explaining = {
      prepare: (sql: string) => ({
        bind: (...values: unknown[]) => ({
          first: async () => {
            const steps = await env.DB.prepare(`EXPLAIN QUERY PLAN ${sql}`)
              .bind(...values)
              .all<{ detail: string }>();
            plan.push(...steps.results.map(({ detail }) => detail));
            return null;
          },
        }),
      }),
    } as unknown as D1Database;
    await lastFinishedReconciliation(explaining, 'sandbox');
    expect(plan).toEqual(['SEARCH reconciliations USING INDEX reconciliations_of_all (mode=?)']);
  });
});

test('a scrape finds unfinished sagas, and those that need a person, by their indexes', async () => {
  const explaining = {
    prepare: (sql: string) => env.DB.prepare(`EXPLAIN QUERY PLAN ${sql}`),
    batch: async (statements: D1PreparedStatement[]) =>
      (await env.DB.batch<object>(statements)).map((answer) => ({
        ...answer,
        // A step of a plan has no sums.
        results: answer.results.map((step) => ({ ...step, millions: 0, rest: 0 })),
      })),
  } as unknown as D1Database;
  const { unfinished, attention } = await sagaGauges(explaining, Date.now(), SCRAPE_ROWS_MAX);
  const plan = [...unfinished, ...attention].map((row) => (row as unknown as { detail: string }).detail);
  expect(plan.filter((step) => /^SCAN (payments|refunds)$/.test(step))).toEqual([]);
  for (const index of ['payments_by_waiting', 'refunds_by_waiting', 'payments_by_attention', 'refunds_by_attention']) {
    expect(plan.join('\n')).toContain(index);
  }
});
