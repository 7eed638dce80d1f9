/**
 * Pure: a command as the request that a provider's adapter takes, with the keys that make it idempotent. Names are the only
 * thing that changes here: amounts stay in minor units until an adapter's edge.
 */
import type { GatewayOperation } from '../domain/events/catalogue.ts';
import type { TypedEvent } from '../domain/events/decode.ts';
import { providerKey } from './keys.ts';
import type { AuthorizeRequest, ChargeRequest, LookupRequest, Span } from './provider.ts';

export type GatewayCommand = TypedEvent<`orchestrator.gateway.${GatewayOperation}`>;

export function authorizeRequest(provider: string, { payload, metadata }: GatewayCommand): AuthorizeRequest {
  return {
    paymentId: payload.payment_id,
    key: providerKey(payload.payment_id, 'authorize', provider),
    effectId: metadata.message_deduplication_id,
    amountMinor: payload.amount,
    currency: payload.currency,
    method: payload.method,
    merchant: metadata.merchant,
    serviceId: payload.service_id,
    ...(payload.customer_id !== undefined && { customerId: payload.customer_id }),
    ...(payload.reference !== undefined && { reference: payload.reference }),
    ...(payload.token !== undefined && { token: payload.token }),
    ...(payload.amount_codes === true && { amountCodes: true }),
  };
}

export function chargeRequest(
  provider: string,
  { payload, metadata }: GatewayCommand,
  operation: 'capture' | 'void' | 'refund',
): ChargeRequest {
  return {
    paymentId: payload.payment_id,
    key: providerKey(entityOf(payload, operation), operation, provider),
    effectId: metadata.message_deduplication_id,
    chargeKey: providerKey(payload.payment_id, 'authorize', provider),
    ...(payload.provider_reference !== undefined && { chargeReference: payload.provider_reference }),
    ...madeWithin(payload),
    amountMinor: payload.amount,
    currency: payload.currency,
  };
}

/** A refund of its own has its own key; the one that undoes a captured payment is the payment's. */
function entityOf(payload: GatewayCommand['payload'], operation: 'capture' | 'void' | 'refund'): string {
  return operation === 'refund' ? (payload.refund_id ?? payload.payment_id) : payload.payment_id;
}

export function lookupRequest(provider: string, { payload, metadata }: GatewayCommand): LookupRequest {
  return {
    paymentId: payload.payment_id,
    effectId: metadata.message_deduplication_id,
    chargeKey: providerKey(payload.payment_id, 'authorize', provider),
    ...(payload.provider_reference !== undefined && { chargeReference: payload.provider_reference }),
    ...madeWithin(payload),
    ...(payload.refund_id !== undefined && { refundKey: providerKey(payload.refund_id, 'refund', provider) }),
    ...(payload.refund_reference !== undefined && { refundReference: payload.refund_reference }),
    amountMinor: payload.amount,
    currency: payload.currency,
  };
}

function madeWithin({ authorized_from: from, authorized_to: to }: GatewayCommand['payload']): { madeWithin?: Span } {
  if (from === undefined || to === undefined) return {};
  return { madeWithin: { fromMs: Date.parse(from), toMs: Date.parse(to) } };
}
