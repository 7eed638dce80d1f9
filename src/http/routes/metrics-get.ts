/**
 * GET /metrics: what Prometheus scrapes, of the whole deployment: counters and histograms as the record has them, and gauges as
 * things stand. Nothing is cached. A part that fails, or takes too long, is left out and named: a scrape that fails altogether
 * tells less than one that says what it lacks. Families: src/domain/metrics/families.ts.
 */
import { createRoute, z } from '@hono/zod-openapi';
import { SCRAPE_PART_TIMEOUT_MS, SCRAPE_ROWS_MAX } from '../../domain/limits.ts';
import { CONTENT_TYPE, exposition, type Sample, samplesOfCounts } from '../../domain/metrics/exposition.ts';
import type { FamilyId, Labels } from '../../domain/metrics/families.ts';
import type { BreakerView } from '../../domain/provider-health.ts';
import { FINDINGS } from '../../domain/sweep-report.ts';
import { readCounters } from '../../read-model/audit.ts';
import { lastFinishedReconciliation, recordGauges, sagaGauges } from '../../read-model/metrics.ts';
import { lastSweep } from '../../read-model/sweeps.ts';
import { errorText, logLine } from '../../telemetry/log.ts';
import { readBreakers } from '../breakers.ts';
import type { App, AppContext } from '../context.ts';
import { CODES_OF_READS, EVERY_ANSWER, problemResponses } from '../openapi.ts';
import { noQuery } from '../schemas/common.ts';
import { needs } from '../security.ts';

type Part = (c: AppContext, nowMs: number) => Promise<readonly Sample[]>;

const route = createRoute({
  method: 'get',
  path: '/metrics',
  operationId: 'getMetrics',
  summary: 'Metrics of the whole deployment, for Prometheus',
  description:
    'Text format 0.0.4. Every merchant and mode together: it tells of no merchant, and belongs to operators.',
  tags: ['ops'],
  security: needs('ops', 'platform'),
  request: { query: noQuery },
  responses: {
    200: {
      description: 'The families, each with its help and type.',
      headers: EVERY_ANSWER,
      content: {
        'text/plain': { schema: z.string().openapi({ example: 'holdfast_payments_total{status="completed"} 7' }) },
      },
    },
    ...problemResponses(...CODES_OF_READS, 'validation_failed'),
  },
});

export function metricsGet(app: App): void {
  app.openapi(route, async (c) => {
    const nowMs = Date.now();
    const samples = await Promise.all(Object.entries(PARTS).map(([name, part]) => samplesOfPart(c, nowMs, name, part)));
    return c.text(exposition(samples.flat()), 200, { 'content-type': CONTENT_TYPE });
  });
}

const PARTS: Readonly<Record<string, Part>> = { counters, sagas, sweeps, reconciliation, record, breakers };

async function samplesOfPart(c: AppContext, nowMs: number, name: string, part: Part): Promise<readonly Sample[]> {
  try {
    return [...(await inTime(part(c, nowMs))), sample('errors', { part: name }, 0)];
  } catch (error) {
    logLine('metrics.part_failed', { operation: name, error: errorText(error) });
    return [sample('errors', { part: name }, 1)];
  }
}

/** @throws when it takes longer than SCRAPE_PART_TIMEOUT_MS; what was asked is not waited for. */
async function inTime<Result>(asked: Promise<Result>): Promise<Result> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('took too long')), SCRAPE_PART_TIMEOUT_MS);
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}

function sample(family: FamilyId, labels: Labels, value: number | string): Sample {
  return { family, labels, value };
}

async function counters(c: AppContext): Promise<Sample[]> {
  return samplesOfCounts(await readCounters(c.env.DB));
}

async function sagas(c: AppContext, nowMs: number): Promise<Sample[]> {
  const { unfinished, attention } = await sagaGauges(c.env.DB, nowMs, SCRAPE_ROWS_MAX);
  const samples: Sample[] = attention.map(({ kind, reason, count }) => sample('attention', { kind, reason }, count));
  for (const kind of ['payment', 'refund'] as const) {
    const rows = unfinished.filter((each) => each.kind === kind);
    const states = Map.groupBy(rows, ({ state }) => state);
    for (const [state, group] of states) {
      samples.push(sample('unfinished', { kind, state }, sum(group.map(({ count }) => count))));
      samples.push(sample('stuck', { kind, state }, sum(group.map(({ stuck }) => stuck))));
    }
    const oldestMs = Math.min(nowMs, ...rows.map(({ oldestCreatedAtMs }) => oldestCreatedAtMs));
    samples.push(sample('oldest', { kind }, seconds(nowMs - oldestMs)));
    const isFull = (count: number): boolean => count >= SCRAPE_ROWS_MAX;
    const needing = attention.filter((each) => each.kind === kind);
    const isTruncated = [rows, needing].some((group) => isFull(sum(group.map(({ count }) => count))));
    samples.push(sample('truncated', { kind }, isTruncated ? 1 : 0));
  }
  const currencies = Map.groupBy(unfinished, ({ currency }) => currency);
  for (const [currency, group] of currencies) {
    if (currency === null) continue;
    const amountMinor = group.reduce((total, row) => total + row.amountMinor, 0n);
    samples.push(sample('limbo', { currency }, String(amountMinor)));
  }
  return samples;
}

async function sweeps(c: AppContext, nowMs: number): Promise<Sample[]> {
  const last = await lastSweep(c.env.DB);
  if (last === null) return [];
  const { counts } = last.report;
  return [
    sample('outboxAge', {}, seconds(last.outboxAgeMs)),
    sample('sweepAge', {}, seconds(nowMs - last.finishedAtMs)),
    ...FINDINGS.map((finding) => sample('sweepFindings', { finding }, counts[finding] ?? 0)),
  ];
}

async function reconciliation(c: AppContext, nowMs: number): Promise<Sample[]> {
  const { mode } = c.get('config');
  const last = await lastFinishedReconciliation(c.env.DB, mode);
  if (last === null) return [];
  return [
    sample('reconciliationAge', {}, seconds(nowMs - last.createdAtMs)),
    sample('reconciliationDifferences', {}, last.differences),
    sample('reconciliationIncomplete', {}, last.complete ? 0 : 1),
  ];
}

async function record(c: AppContext, nowMs: number): Promise<Sample[]> {
  const { sizeBytes, plannedAtMs } = await recordGauges(c.env.DB);
  return [
    sample('recordSize', {}, sizeBytes),
    sample('archivePlanned', {}, plannedAtMs === null ? 0 : seconds(nowMs - plannedAtMs)),
  ];
}

const BREAKER_STATES: readonly BreakerView['state'][] = ['closed', 'open', 'half_open', 'forced_open', 'forced_closed'];

async function breakers(c: AppContext): Promise<Sample[]> {
  return (await readBreakers(c)).flatMap(({ provider, views }) =>
    views.flatMap(({ operation, state: current }) =>
      BREAKER_STATES.map((state) => sample('breakers', { provider, operation, state }, state === current ? 1 : 0)),
    ),
  );
}

function seconds(ms: number): number {
  return Math.max(0, ms) / 1_000;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
