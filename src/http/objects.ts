/**
 * How HTTP reaches the objects: typed stubs and one rule for a stub that threw. Never imports an object's code
 * (docs/architecture.md, rule 6); called by the routes.
 */
import { apiKeyObjectName } from '../domain/api-key.ts';
import type { ApiKeyRpc } from '../domain/api-key-record.ts';
import { InvariantError, isOverloaded, isRetryable } from '../domain/errors.ts';
import { type Scope, sagaObjectName } from '../domain/ids.ts';
import type { PaymentSagaRpc, RefundSagaRpc, SagaRpc } from '../domain/saga-rpc.ts';
import type { WalletRpc } from '../domain/wallet-rpc.ts';
import { webhookEndpointObjectName } from '../domain/webhook.ts';
import type { WebhookEndpointRpc } from '../domain/webhook-rpc.ts';
import { asCalls, type Calls, paymentSagaStub, refundSagaStub, sagaStub, walletStub } from '../stubs.ts';

/** The route part of the names of payment sagas: a key is the client's own per route. */
export const PAYMENTS_ROUTE = '/payments';
export const REFUNDS_ROUTE = '/refunds';

/** Makes a fresh stub of one object. A stub that threw is broken and is never used again. */
export type Reach<Rpc> = () => Calls<Rpc>;

/** The saga that owns an idempotency key: the key is the address. */
export function sagaOfKey(env: Env, scope: Scope, key: string): Reach<PaymentSagaRpc> {
  const name = sagaObjectName(scope, PAYMENTS_ROUTE, key);
  return () => asCalls<PaymentSagaRpc>(env.PAYMENT_SAGA.getByName(name));
}

/** The saga behind a payment id, or null for an id that the namespace never minted. */
export function sagaOfPayment(env: Env, paymentId: string): Reach<PaymentSagaRpc> | null {
  return reachOf(() => paymentSagaStub(env, paymentId));
}

/** The saga that owns the idempotency key of a refund. */
export function refundOfKey(env: Env, scope: Scope, key: string): Reach<RefundSagaRpc> {
  const name = sagaObjectName(scope, REFUNDS_ROUTE, key);
  return () => asCalls<RefundSagaRpc>(env.REFUND_SAGA.getByName(name));
}

/** The saga behind a refund id, or null for an id that the namespace never minted. */
export function sagaOfRefund(env: Env, refundId: string): Reach<RefundSagaRpc> | null {
  return reachOf(() => refundSagaStub(env, refundId));
}

/** The saga behind an id of either kind, or null for an id that neither namespace ever minted. */
export function sagaOfEntity(env: Env, entityId: string): Reach<SagaRpc> | null {
  return reachOf(() => sagaStub(env, entityId));
}

function reachOf<Rpc>(stub: () => Calls<Rpc> | null): Reach<Rpc> | null {
  if (stub() === null) return null;
  return () => {
    const fresh = stub();
    if (fresh === null) throw new InvariantError('an_id_leads_where_it_led');
    return fresh;
  };
}

export function walletOf(env: Env, scope: Scope, walletId: string): Reach<WalletRpc> {
  return () => walletStub(env, scope, walletId);
}

/** The object of a webhook endpoint. Another merchant's or mode's id leads to one that was never created. */
export function webhookEndpointOf(env: Env, scope: Scope, endpointId: string): Reach<WebhookEndpointRpc> {
  const name = webhookEndpointObjectName(scope, endpointId);
  return () => asCalls<WebhookEndpointRpc>(env.WEBHOOK_ENDPOINT.getByName(name));
}

/** The object of an API key: one that was never made leads to an object that knows nothing. */
export function apiKeyOf(env: Env, mode: Scope['mode'], id: string): Reach<ApiKeyRpc> {
  const name = apiKeyObjectName(mode, id);
  return () => asCalls<ApiKeyRpc>(env.API_KEY.getByName(name));
}

/**
 * Calls an object, once more on a fresh stub when the runtime says that may help. Only for calls that are idempotent:
 * all that HTTP makes are, by key, effect id or being reads. Overload is never answered with another call.
 * @throws what the second call, or a call that is not to be repeated, threw.
 */
export async function callObject<Rpc, Result>(
  reach: Reach<Rpc>,
  call: (stub: Calls<Rpc>) => Promise<Result>,
): Promise<Result> {
  try {
    return await call(reach());
  } catch (error) {
    if (isOverloaded(error) || !isRetryable(error)) throw error;
    return await call(reach());
  }
}
