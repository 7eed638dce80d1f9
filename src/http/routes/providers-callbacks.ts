/**
 * POST /providers/{name}/callbacks: what a provider tells us by itself. Its signature, over the raw bytes, is the
 * authentication, and is checked before anything is parsed or stored. Stored once, told to its saga, answered; one that
 * matches no saga is kept, tried again by the cron, and answered so that the provider sends it again.
 */
import { createRoute, z } from '@hono/zod-openapi';
import { type CallbackIntake, readCallback } from '../../gateway/callbacks.ts';
import { deliverCallback } from '../../gateway/deliver-callback.ts';
import { keepCallback } from '../../read-model/provider-callbacks.ts';
import { errorText, logLine } from '../../telemetry/log.ts';
import type { App, AppContext } from '../context.ts';
import { callbackRateLimit } from '../middleware/rate-limit.ts';
import { jsonResponse, problemResponses } from '../openapi.ts';
import { problem } from '../problem.ts';

const receiptSchema = z
  .object({
    object: z.literal('callback_receipt'),
    status: z.enum(['delivered', 'ignored']).openapi({ description: '`ignored`: genuine, and about nothing of ours.' }),
  })
  .openapi('CallbackReceipt');

const route = createRoute({
  method: 'post',
  path: '/providers/{name}/callbacks',
  operationId: 'receiveProviderCallback',
  summary: 'Receive a callback of a payment provider, in its own format and signed its own way',
  tags: ['providers'],
  // One that is refused is sent again by its provider; and without any, the saga's own look-ups find the same.
  middleware: [callbackRateLimit] as const,
  request: {
    params: z.object({
      name: z
        .string()
        .max(64)
        .openapi({ param: { name: 'name', in: 'path' }, example: 'acme' }),
    }),
  },
  responses: {
    200: jsonResponse('Taken in; a redelivery is answered the same.', receiptSchema),
    ...problemResponses(
      'callback_malformed',
      'callback_signature_invalid',
      'not_found',
      'callback_unmatched',
      'payload_too_large',
    ),
  },
});

export function providersCallbacks(app: App): void {
  app.openapi(route, async (c) => {
    const nowMs = Date.now();
    const intake = await readCallback(c.env, c.get('config'), c.req.valid('param').name, c.req.raw, nowMs);
    if (intake.kind === 'accepted' || intake.kind === 'ignored') c.set('isSigned', true);
    if (intake.kind !== 'accepted') return refuse(c, intake);
    c.set('entityId', intake.entityId);
    const kept = await keepCallback(c.env.DB, intake, intake.occurredAtMs, nowMs);
    if (kept === 'delivered') return c.json({ object: 'callback_receipt' as const, status: 'delivered' as const }, 200);
    const status = await tell(c, intake, nowMs);
    if (status === 'unmatched') return problem(c, 'callback_unmatched');
    return c.json({ object: 'callback_receipt' as const, status: 'delivered' as const }, 200);
  });
}

/** A saga that cannot be told now is told by the cron: the callback is stored, and that is what is acknowledged. */
async function tell(c: AppContext, callback: Extract<CallbackIntake, { kind: 'accepted' }>, nowMs: number) {
  try {
    return await deliverCallback(c.env, callback, nowMs);
  } catch (error) {
    logLine('callback.tell_failed', { payment_id: callback.entityId, error: errorText(error) });
    return 'kept';
  }
}

function refuse(c: AppContext, intake: Exclude<CallbackIntake, { kind: 'accepted' }>) {
  if (intake.kind === 'unknown_provider') return problem(c, 'not_found');
  logLine(`callback.${intake.kind}`, { provider: intake.provider, reason: intake.reason });
  if (intake.kind === 'ignored')
    return c.json({ object: 'callback_receipt' as const, status: 'ignored' as const }, 200);
  switch (intake.reason) {
    case 'too_large':
      return problem(c, 'payload_too_large');
    case 'malformed':
      return problem(c, 'callback_malformed');
    case 'signature_missing':
    case 'signature_mismatch':
    case 'timestamp_out_of_window':
      return problem(c, 'callback_signature_invalid');
  }
}
