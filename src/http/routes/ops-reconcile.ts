/**
 * POST /ops/reconcile: an operator has our record, the wallets' ledgers and the providers' books compared. It is in the audit
 * log before it begins; it changes nothing, and runs on by itself: the answer says where its report is.
 */
import { createRoute, z } from '@hono/zod-openapi';
import { toTimestamp } from '../../domain/events/envelope.ts';
import { DAY_MS, RECONCILIATION_WINDOW_MAX_MS, RECORD_ROW_RETENTION_MS } from '../../domain/limits.ts';
import { BEGUN, newReconciliationId, type ReconciliationPlan, windowOf } from '../../domain/reconciliation/plan.ts';
import { providersOf } from '../../gateway/registry.ts';
import { beginReconciliation } from '../../reconciliations.ts';
import { audit } from '../audit.ts';
import type { App } from '../context.ts';
import { jsonBody } from '../middleware/json-body.ts';
import { CODES_OF_WRITES, jsonResponse, problemResponses, RESPONSE_HEADERS } from '../openapi.ts';
import { problem } from '../problem.ts';
import { instant, noQuery, operatorFields } from '../schemas/common.ts';
import { reconciliationSchema, reconciliationView } from '../schemas/reconciliation.ts';
import { needs } from '../security.ts';

const bodySchema = z
  .strictObject({
    ...operatorFields,
    from: instant
      .optional()
      .openapi({ description: 'Inclusive; of when payments were made. Absent: a day before `to`.' }),
    to: instant.optional().openapi({ description: 'Exclusive. Absent: now.' }),
    provider: z.string().max(64).optional().openapi({ description: 'Absent: all of them.', example: 'acme' }),
  })
  .openapi('ReconciliationRequest');

const route = createRoute({
  method: 'post',
  path: '/ops/reconcile',
  operationId: 'reconcile',
  summary: "Compare payments and refunds with the wallets' ledgers and the providers' books",
  tags: ['ops'],
  security: needs('ops', 'platform'),
  middleware: [jsonBody] as const,
  request: { query: noQuery, body: { required: true, content: { 'application/json': { schema: bodySchema } } } },
  responses: {
    202: jsonResponse('It runs; its report is at `Location`.', reconciliationSchema, {
      Location: RESPONSE_HEADERS.location,
    }),
    ...problemResponses(...CODES_OF_WRITES, 'not_found'),
  },
});

export function opsReconcile(app: App): void {
  app.openapi(route, async (c) => {
    const { actor, reason, from, to, provider } = c.req.valid('json');
    const config = c.get('config');
    const nowMs = Date.now();
    const toMs = to === undefined ? nowMs : Date.parse(to);
    const fromMs = from === undefined ? toMs - DAY_MS : Date.parse(from);
    if (fromMs >= toMs) return invalid('/from', 'Must be before `to`.');
    // Before that the record has no payments any more, and each line of a provider's books would be a difference.
    if (fromMs < nowMs - RECORD_ROW_RETENTION_MS) return invalid('/from', 'Must be at most 400 days ago.');
    if (toMs - fromMs > RECONCILIATION_WINDOW_MAX_MS) return invalid('/from', 'Must be at most 31 days before `to`.');
    if (provider !== undefined && !providersOf(c.env, config).has(provider)) return problem(c, 'not_found');
    const plan: ReconciliationPlan = {
      id: newReconciliationId(crypto.randomUUID()),
      mode: config.mode,
      trigger: 'operator',
      actor,
      reason,
      window: windowOf(fromMs, toMs, config.mode, nowMs),
      provider: provider ?? null,
      createdAtMs: nowMs,
    };
    const subject = `${plan.id} ${toTimestamp(fromMs)} ${toTimestamp(toMs)} ${provider ?? 'all'}`;
    await audit(c, { actor, action: 'reconciliation.begin', subject, reason });
    if (!(await beginReconciliation(c.env, plan))) return problem(c, 'overloaded');
    const view = reconciliationView({ status: 'running', plan, progress: BEGUN, updatedAtMs: nowMs });
    return c.json(view, 202, { Location: `/ops/reconciliations/${plan.id}` });

    function invalid(pointer: string, message: string) {
      return problem(c, 'validation_failed', { errors: [{ in: 'body', pointer, message }] });
    }
  });
}
