/**
 * GET /ops/overview: how things stand, in one answer: payments over the last hour or day, money in limbo, sagas that need
 * somebody, dead letters, breakers, and the last sweep and reconciliation. From the record (D1), but for the breakers.
 */
import { createRoute, z } from '@hono/zod-openapi';
import { ACTIVITY_WINDOWS, slotsOf } from '../../domain/activity.ts';
import { toTimestamp } from '../../domain/events/envelope.ts';
import { OVERVIEW_PAYMENTS_MAX, SCRAPE_ROWS_MAX } from '../../domain/limits.ts';
import { countPresentLetters } from '../../read-model/dead-letters.ts';
import { lastFinishedReconciliation } from '../../read-model/metrics.ts';
import { paymentActivity, unfinishedSagas } from '../../read-model/overview.ts';
import { type LastSweep, lastSweep } from '../../read-model/sweeps.ts';
import { readBreakers } from '../breakers.ts';
import type { App } from '../context.ts';
import { CODES_OF_READS, jsonResponse, problemResponses } from '../openapi.ts';
import { breakersOf } from '../schemas/breaker.ts';
import { overviewSchema } from '../schemas/overview.ts';
import { needs } from '../security.ts';

const querySchema = z.strictObject({
  window: z.enum(ACTIVITY_WINDOWS).default('hour').openapi({ description: 'How far back the activity goes.' }),
});

const route = createRoute({
  method: 'get',
  path: '/ops/overview',
  operationId: 'getOverview',
  summary: 'How things stand, in one answer',
  tags: ['ops'],
  security: needs('ops'),
  request: { query: querySchema },
  responses: {
    200: jsonResponse('The overview.', overviewSchema),
    ...problemResponses(...CODES_OF_READS, 'validation_failed'),
  },
});

export function opsOverview(app: App): void {
  app.openapi(route, async (c) => {
    const { window } = c.req.valid('query');
    const nowMs = Date.now();
    const { DB } = c.env;
    const purview = c.get('purview');
    const [activity, unfinished, letters, breakers, swept, reconciled] = await Promise.all([
      paymentActivity(DB, purview, window, nowMs, OVERVIEW_PAYMENTS_MAX),
      unfinishedSagas(DB, purview, nowMs, SCRAPE_ROWS_MAX),
      countPresentLetters(DB, purview, SCRAPE_ROWS_MAX),
      // What concerns the whole deployment is for platform keys.
      purview.isPlatform ? readBreakers(c) : [],
      purview.isPlatform ? lastSweep(DB) : null,
      purview.isPlatform ? lastFinishedReconciliation(DB, purview.mode) : null,
    ]);
    return c.json(
      {
        object: 'overview' as const,
        at: toTimestamp(nowMs),
        activity: {
          window,
          slots: slotsOf(window, nowMs, activity.counts).map(({ fromMs, ...counts }) => ({
            from: toTimestamp(fromMs),
            ...counts,
          })),
          truncated: activity.truncated,
        },
        limbo: unfinished.limbo.map(({ amountMinor, ...rest }) => ({ ...rest, amount: String(amountMinor) })),
        sagas: unfinished.sagas.map(({ count, ...rest }) => ({ ...rest, unfinished: count })),
        sagas_truncated: unfinished.truncated,
        dead_letters: letters.map(({ queue, count }) => ({ queue, present: count })),
        breakers: breakers.flatMap(({ provider, views }) => breakersOf(provider, views)),
        sweep: sweepView(swept),
        reconciliation:
          reconciled === null
            ? null
            : {
                begun_at: toTimestamp(reconciled.createdAtMs),
                differences: reconciled.differences,
                complete: reconciled.complete,
              },
      },
      200,
    );
  });
}

function sweepView(sweep: LastSweep | null) {
  if (sweep === null) return null;
  return {
    finished_at: toTimestamp(sweep.finishedAtMs),
    outbox_age_ms: sweep.outboxAgeMs,
    findings: { ...sweep.report.counts },
  };
}
