/**
 * The HTTP application: which check runs before which, and which routes there are. Nothing else: a check is a file in
 * middleware/, an endpoint a file in routes/, an error a row of domain/errors.ts. Called by src/index.ts.
 */
import { OpenAPIHono } from '@hono/zod-openapi';
import type { App, AppEnv } from './context.ts';
import { authentication } from './middleware/authentication.ts';
import { configuration } from './middleware/configuration.ts';
import { requestContext } from './middleware/request-context.ts';
import { problem, problemOfError } from './problem.ts';
import { docs } from './routes/docs.ts';
import { health } from './routes/health.ts';
import { idempotencyKeysGet } from './routes/idempotency-keys-get.ts';
import { openapiGet } from './routes/openapi-get.ts';
import { opsBreakers } from './routes/ops-breakers.ts';
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
openapiGet(app);
docs(app);
// A callback is authenticated by its provider's signature.
providersCallbacks(app);
app.use(authentication);
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
opsBreakers(app);
refuseOtherMethods(app);

/** A path that exists, asked with a method that it does not take: 405 and the methods that it does. */
function refuseOtherMethods(routes: App): void {
  const methods = new Map<string, Set<string>>();
  for (const { method, path } of routes.routes) {
    if (method === 'ALL') continue;
    const taken = methods.get(path) ?? new Set();
    // Hono answers HEAD wherever it answers GET.
    for (const name of method === 'GET' ? ['GET', 'HEAD'] : [method]) taken.add(name);
    methods.set(path, taken);
  }
  for (const [path, taken] of methods) {
    routes.all(path, (c) => problem(c, 'method_not_allowed', { headers: { Allow: [...taken].join(', ') } }));
  }
}
