/**
 * The Worker's entry: what the platform calls, and nothing else. `fetch` is HTTP (src/http), `queue` the consumers
 * (queues/), `scheduled` the jobs of src/scheduled.ts; the Durable Object classes are exported for the bindings in wrangler.toml.
 */
import { consumeBatch } from '../queues/index.ts';
import { app } from './http/app.ts';
import { runScheduled } from './scheduled.ts';

export { ApiKey } from '../durable-objects/api-key/api-key.ts';
export { PaymentSaga } from '../durable-objects/payment-saga/payment-saga.ts';
export { ProviderHealth } from '../durable-objects/provider-health/provider-health.ts';
export { Reconciliation } from '../durable-objects/reconciliation/reconciliation.ts';
export { RefundSaga } from '../durable-objects/refund-saga/refund-saga.ts';
export { SandboxProvider } from '../durable-objects/sandbox-provider/sandbox-provider.ts';
export { Wallet } from '../durable-objects/wallet/wallet.ts';
export { WebhookEndpoint } from '../durable-objects/webhook-endpoint/webhook-endpoint.ts';

export default {
  fetch: app.fetch,
  queue: consumeBatch,
  scheduled: async (controller, env) => {
    await runScheduled(env, controller.cron, controller.scheduledTime);
  },
} satisfies ExportedHandler<Env>;
