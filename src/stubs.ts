/**
 * From an id to the object that owns it, for consumers, objects, the cron and, by way of http/objects.ts, the routes: an id that
 * the namespace did not mint leads nowhere, with no stub made and no storage touched. A stub that threw is broken: take a fresh one.
 */
import { hexFromPublicId, type Scope, walletObjectName } from './domain/ids.ts';
import type { RedriveRpc } from './domain/redrive-rpc.ts';
import type { PaymentSagaRpc, RefundSagaRpc, SagaRpc } from './domain/saga-rpc.ts';
import type { WalletRpc } from './domain/wallet-rpc.ts';
import { WEBHOOK_ENDPOINT_ID_PATTERN, webhookEndpointObjectName } from './domain/webhook.ts';
import type { WebhookEndpointRpc } from './domain/webhook-rpc.ts';

/** A contract as seen through a stub: every method answers a promise. */
export type Calls<Rpc> = {
  [Method in keyof Rpc]: Rpc[Method] extends (...input: infer Input) => infer Output
    ? (...input: Input) => Promise<Awaited<Output>>
    : never;
};

/** The platform's stub type turns our result unions into `never` where they hold `unknown`; the contract is the type. */
export function asCalls<Rpc>(stub: unknown): Calls<Rpc> {
  return stub as Calls<Rpc>;
}

/** The object id inside a payment id, or null for one that is malformed or of another namespace. */
export function paymentObjectId(env: Env, paymentId: string): DurableObjectId | null {
  return objectId(env.PAYMENT_SAGA, hexFromPublicId('pay_', paymentId));
}

/** The same inside a refund id. */
export function refundObjectId(env: Env, refundId: string): DurableObjectId | null {
  return objectId(env.REFUND_SAGA, hexFromPublicId('ref_', refundId));
}

/** A fresh stub of the payment's object, or null for an id that leads nowhere. */
export function paymentSagaStub(env: Env, paymentId: string): Calls<PaymentSagaRpc> | null {
  const id = paymentObjectId(env, paymentId);
  return id === null ? null : asCalls<PaymentSagaRpc>(env.PAYMENT_SAGA.get(id));
}

/** The same of a refund's. */
export function refundSagaStub(env: Env, refundId: string): Calls<RefundSagaRpc> | null {
  const id = refundObjectId(env, refundId);
  return id === null ? null : asCalls<RefundSagaRpc>(env.REFUND_SAGA.get(id));
}

/** A fresh stub of the saga's object that an entity id of either kind leads to, or null. */
export function sagaStub(env: Env, entityId: string): Calls<SagaRpc> | null {
  return refundSagaStub(env, entityId) ?? paymentSagaStub(env, entityId);
}

function objectId(namespace: Env['PAYMENT_SAGA'] | Env['REFUND_SAGA'], hex: string | null): DurableObjectId | null {
  if (hex === null) return null;
  try {
    return namespace.idFromString(hex);
  } catch {
    // The only thing it throws for: the digits are not an id of this namespace.
    return null;
  }
}

/** A fresh stub of a wallet's object. One that was never opened holds nothing. */
export function walletStub(env: Env, scope: Scope, walletId: string): Calls<WalletRpc> {
  return asCalls<WalletRpc>(env.WALLET.getByName(walletObjectName(scope, walletId)));
}

/** A fresh stub of a webhook endpoint's object, or null for what is no id of one. Another merchant's leads to an empty one. */
export function webhookEndpointStub(env: Env, scope: Scope, endpointId: string): Calls<WebhookEndpointRpc> | null {
  if (!WEBHOOK_ENDPOINT_ID_PATTERN.test(endpointId)) return null;
  return asCalls<WebhookEndpointRpc>(env.WEBHOOK_ENDPOINT.getByName(webhookEndpointObjectName(scope, endpointId)));
}

/** A fresh stub of whoever sends the messages of a log, by the entity that the log is of; null where it leads nowhere. */
export function ownerStub(env: Env, scope: Scope, entityId: string): Calls<RedriveRpc> | null {
  return sagaStub(env, entityId) ?? webhookEndpointStub(env, scope, entityId);
}
