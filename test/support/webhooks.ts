/** What tests of webhooks do as a merchant would: make endpoints, read their deliveries, clear up. */
import { env } from 'cloudflare:workers';
import { type WebhookEndpointView, type WebhookEventType, webhookEndpointId } from '../../src/domain/webhook.ts';
import type { DeliveryView } from '../../src/domain/webhook-delivery.ts';
import { enterEndpoint, strikeEndpoint } from '../../src/read-model/webhook-endpoints.ts';
import { call, json } from './payments.ts';

export type Endpoint = WebhookEndpointView & { readonly secret: string };

export async function post(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
  if (body === undefined) return call(path, { method: 'POST', headers });
  return call(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}

export async function makeEndpoint(request: Record<string, unknown>): Promise<Endpoint> {
  const response = await post('/webhook-endpoints', request);
  if (response.status !== 201) throw new Error(`POST /webhook-endpoints: ${response.status} ${await response.text()}`);
  return response.json<Endpoint>();
}

/** The newest page of an endpoint's deliveries. */
export async function deliveriesOf(id: string): Promise<DeliveryView[]> {
  return (await json<{ data: DeliveryView[] }>(`/webhook-endpoints/${id}/deliveries`)).data;
}

const SCOPE = { merchant: 'default', mode: 'sandbox' } as const;
const SOMEBODY = webhookEndpointId(1n);

/** Somebody to tell: listed in the directory, and takes whatever it is told. `events`: what it asks for; null: all. */
export async function tellSomebody(events: readonly WebhookEventType[] | null = null): Promise<void> {
  await enterEndpoint(env.DB, { id: SOMEBODY, scope: SCOPE, events }, Date.now());
}

export async function tellNobody(): Promise<void> {
  await strikeEndpoint(env.DB, SCOPE, SOMEBODY);
}

/** All of the merchant's: the tests of one file share one. */
export async function deleteEndpoints(): Promise<void> {
  const { data } = await json<{ data: WebhookEndpointView[] }>('/webhook-endpoints');
  await Promise.all(data.map(({ id }) => call(`/webhook-endpoints/${id}`, { method: 'DELETE' })));
}
