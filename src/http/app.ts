/**
 * The HTTP application: which check runs before which, and which routes there are. Nothing else: a check is a file in
 * middleware/, an endpoint a file in routes/, an error a row of domain/errors.ts. Called by src/index.ts.
 */
import { OpenAPIHono } from '@hono/zod-openapi';
import type { App, AppEnv } from './context.ts';
import { authentication } from './middleware/authentication.ts';
import { authorization } from './middleware/authorization.ts';
import { cardNumberInUrl } from './middleware/card-number-in-url.ts';
import { configuration } from './middleware/configuration.ts';
import { addressRateLimit, keyRateLimit } from './middleware/rate-limit.ts';
import { requestContext } from './middleware/request-context.ts';
import { problem, problemOfError } from './problem.ts';
import { consolePages } from './routes/console.ts';
import { docs } from './routes/docs.ts';
import { health } from './routes/health.ts';
import { idempotencyKeysGet } from './routes/idempotency-keys-get.ts';
import { metricsGet } from './routes/metrics-get.ts';
import { openapiGet } from './routes/openapi-get.ts';
import { opsApiKeysCreate } from './routes/ops-api-keys-create.ts';
import { opsApiKeysGet } from './routes/ops-api-keys-get.ts';
import { opsApiKeysList } from './routes/ops-api-keys-list.ts';
import { opsApiKeysRevoke } from './routes/ops-api-keys-revoke.ts';
import { opsApiKeysRotate } from './routes/ops-api-keys-rotate.ts';
import { opsAudit } from './routes/ops-audit.ts';
import { opsBreakers } from './routes/ops-breakers.ts';
import { opsDeadLettersDiscard } from './routes/ops-dead-letters-discard.ts';
import { opsDeadLettersGet } from './routes/ops-dead-letters-get.ts';
import { opsDeadLettersList } from './routes/ops-dead-letters-list.ts';
import { opsDeadLettersRedrive } from './routes/ops-dead-letters-redrive.ts';
import { opsDeadLettersRedriveMany } from './routes/ops-dead-letters-redrive-many.ts';
import { opsOverview } from './routes/ops-overview.ts';
import { opsRebuild } from './routes/ops-rebuild.ts';
import { opsReconcile } from './routes/ops-reconcile.ts';
import { opsReconciliationsGet } from './routes/ops-reconciliations-get.ts';
import { opsReconciliationsList } from './routes/ops-reconciliations-list.ts';
import { opsSagasGet } from './routes/ops-sagas-get.ts';
import { opsSagasList } from './routes/ops-sagas-list.ts';
import { opsSagasResolve } from './routes/ops-sagas-resolve.ts';
import { opsSagasRetry } from './routes/ops-sagas-retry.ts';
import { opsSweepsList } from './routes/ops-sweeps-list.ts';
import { opsWalletsFreeze } from './routes/ops-wallets-freeze.ts';
import { paymentsCreate } from './routes/payments-create.ts';
import { paymentsGet } from './routes/payments-get.ts';
import { paymentsList } from './routes/payments-list.ts';
import { providersCallbacks } from './routes/providers-callbacks.ts';
import { refundsCreate } from './routes/refunds-create.ts';
import { refundsGet } from './routes/refunds-get.ts';
import { refundsList } from './routes/refunds-list.ts';
import { paymentsEvents, refundsEvents } from './routes/saga-events.ts';
import { walletsCreate } from './routes/wallets-create.ts';
import { walletsDeposit } from './routes/wallets-deposit.ts';
import { walletsEntries } from './routes/wallets-entries.ts';
import { walletsGet } from './routes/wallets-get.ts';
import { walletsList } from './routes/wallets-list.ts';
import { webhookDeliveriesResend } from './routes/webhook-deliveries-resend.ts';
import { webhookEndpointsCreate } from './routes/webhook-endpoints-create.ts';
import { webhookEndpointsDelete } from './routes/webhook-endpoints-delete.ts';
import { webhookEndpointsDeliveries } from './routes/webhook-endpoints-deliveries.ts';
import { webhookEndpointsEnable } from './routes/webhook-endpoints-enable.ts';
import { webhookEndpointsGet } from './routes/webhook-endpoints-get.ts';
import { webhookEndpointsList } from './routes/webhook-endpoints-list.ts';
import { webhookEndpointsRotateSecret } from './routes/webhook-endpoints-rotate-secret.ts';
import { answerValidation } from './validation.ts';

export const app: App = new OpenAPIHono<AppEnv>({ defaultHook: answerValidation });

app.onError((error, c) => problemOfError(c, error));
app.notFound((c) => problem(c, 'not_found'));

// A route answers only to what stands above it: the order of these lines is the order of the checks.
app.use(requestContext);
health(app);
app.use(configuration);
// A callback is authenticated by its provider's signature, and limited by itself.
providersCallbacks(app);
app.use(addressRateLimit);
openapiGet(app);
docs(app);
consolePages(app);
app.use(authentication);
app.use(keyRateLimit);
app.use(authorization(app));
app.use(cardNumberInUrl);
paymentsCreate(app);
paymentsList(app);
paymentsGet(app);
paymentsEvents(app);
refundsCreate(app);
refundsList(app);
refundsGet(app);
refundsEvents(app);
idempotencyKeysGet(app);
walletsCreate(app);
walletsList(app);
walletsGet(app);
walletsDeposit(app);
walletsEntries(app);
webhookEndpointsCreate(app);
webhookEndpointsList(app);
webhookEndpointsGet(app);
webhookEndpointsDelete(app);
webhookEndpointsRotateSecret(app);
webhookEndpointsEnable(app);
webhookEndpointsDeliveries(app);
webhookDeliveriesResend(app);
opsApiKeysCreate(app);
opsApiKeysList(app);
opsApiKeysGet(app);
opsApiKeysRotate(app);
opsApiKeysRevoke(app);
opsOverview(app);
opsBreakers(app);
opsDeadLettersList(app);
opsDeadLettersRedriveMany(app);
// At once: `/ops/dead-letters/{id}` would take `redrive` for an id.
refuseOtherMethods(app, '/ops/dead-letters/redrive');
opsDeadLettersGet(app);
opsDeadLettersRedrive(app);
opsDeadLettersDiscard(app);
opsAudit(app);
opsRebuild(app);
opsReconcile(app);
opsReconciliationsList(app);
opsReconciliationsGet(app);
opsSagasList(app);
opsSagasGet(app);
opsSagasRetry(app);
opsSagasResolve(app);
opsSweepsList(app);
opsWalletsFreeze(app);
metricsGet(app);
refuseOtherMethods(app);

/** A path that exists, asked with a method that it does not take: 405 and the methods that it does. */
function refuseOtherMethods(routes: App, only?: string): void {
  const methods = new Map<string, Set<string>>();
  for (const { method, path } of routes.routes) {
    if (method === 'ALL' || (only !== undefined && path !== only)) continue;
    const taken = methods.get(path) ?? new Set();
    // Hono answers HEAD wherever it answers GET.
    for (const name of method === 'GET' ? ['GET', 'HEAD'] : [method]) taken.add(name);
    methods.set(path, taken);
  }
  for (const [path, taken] of methods) {
    routes.all(path, (c) => problem(c, 'method_not_allowed', { headers: { Allow: [...taken].join(', ') } }));
  }
}
