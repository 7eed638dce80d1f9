/** Gateway commands for the gateway's tests, as a saga would have issued them, and a provider for them. */

import { env } from 'cloudflare:workers';
import type { EventPayload, GatewayOperation } from '../../src/domain/events/catalogue.ts';
import { publicIdFromHex } from '../../src/domain/ids.ts';
import type { Outcome } from '../../src/domain/saga/outcome.ts';
import type { Provider, ProviderAnswer } from '../../src/gateway/provider.ts';
import type { GatewayCommand } from '../../src/gateway/requests.ts';

export const NOW_MS = Date.parse('2026-11-24T12:00:00.000Z');

/** A payment id that no other test uses. */
export function newPaymentId(): string {
  return publicIdFromHex('pay_', env.PAYMENT_SAGA.newUniqueId().toString());
}

export function command(
  operation: GatewayOperation,
  payload: Partial<EventPayload<'orchestrator.gateway.authorize'>> = {},
): GatewayCommand {
  const paymentId = payload.payment_id ?? newPaymentId();
  return {
    event_id: crypto.randomUUID(),
    event_type: `orchestrator.gateway.${operation}`,
    event_version: '1.0',
    timestamp: new Date(NOW_MS).toISOString(),
    payload: {
      payment_id: paymentId,
      amount: 1_230,
      currency: 'USD',
      method: 'balance',
      service_id: 'svc-1',
      ...payload,
    },
    metadata: {
      source: 'payment-service',
      merchant: 'default',
      mode: 'sandbox',
      trace_id: '0af7651916cd43dd8448eb211c80319c',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      message_group_id: `payment_${paymentId}`,
      message_deduplication_id: `orchestrator.gateway.${operation}.${paymentId}`,
      sequence: 3,
    },
  };
}

export type GatewayResponse = EventPayload<'payment_gateway.response'>;

/** The fact inside an outcome of the gateway. */
export function responseOf(outcome: Outcome): GatewayResponse {
  return outcome.fact.payload as GatewayResponse;
}

interface Call {
  readonly operation: string;
  readonly key: string;
}

/** A provider that answers everything the same. */
export function saying(name: string, answer: ProviderAnswer): Provider & { readonly calls: Call[] } {
  const calls: Call[] = [];
  const say = (operation: string) => async (request: { key?: string; chargeKey?: string }) => {
    calls.push({ operation, key: request.key ?? request.chargeKey ?? '' });
    return answer as never;
  };
  return {
    name,
    calls,
    capabilities: { statement: 'none' },
    authorize: say('authorize'),
    capture: say('capture'),
    void: say('void'),
    refund: say('refund'),
    lookup: say('lookup'),
    statement: async () => ({ kind: 'page', lines: [], next: null }),
    parseCallback: async () => ({ kind: 'ignored', reason: 'test' }),
  };
}
