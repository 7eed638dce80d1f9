/**
 * Pure: what may be asked of an endpoint's object, and what it answers. Implemented by WebhookEndpoint, asked by HTTP and by
 * the notifications consumer. An object is named by merchant, mode and id: what another's id leads to is an object that
 * was never created, which answers `not_found`.
 */
import type { Scope } from './ids.ts';
import type { RedriveRpc } from './redrive-rpc.ts';
import type { DeliveryKey, WebhookEndpointView, WebhookEventType } from './webhook.ts';
import type { DeliveryView, Notification } from './webhook-delivery.ts';

export interface CreateWebhookEndpoint {
  readonly id: string;
  readonly scope: Scope;
  readonly url: string;
  readonly events: readonly WebhookEventType[] | null;
  readonly description: string | null;
}

type NotFound = { readonly kind: 'not_found' };
export type EndpointResult = { readonly kind: 'found'; readonly endpoint: WebhookEndpointView } | NotFound;
/** `secret` is answered here and nowhere else. */
export type SecretResult =
  | { readonly kind: 'found'; readonly endpoint: WebhookEndpointView; readonly secret: string }
  | NotFound;
export type DeliveriesResult =
  | {
      readonly kind: 'found';
      readonly deliveries: readonly DeliveryView[];
      /** Where the next page begins; null on the last. */
      readonly next: DeliveryKey | null;
    }
  | NotFound;
export type ResendResult =
  | { readonly kind: 'resent'; readonly delivery: DeliveryView }
  | { readonly kind: 'disabled' }
  | NotFound;

export interface WebhookEndpointRpc extends RedriveRpc {
  /** The same id again: the endpoint as it is. */
  create(input: CreateWebhookEndpoint): Promise<SecretResult>;
  read(): EndpointResult;
  /** Forgets everything, what is pending included. */
  destroy(): Promise<EndpointResult>;
  rotateSecret(): SecretResult;
  /** Goes on with what is pending; what came while it was disabled was not taken. */
  enable(): EndpointResult;
  /** Takes notifications over, durably and each once. Nothing is delivered before it answers. */
  accept(notifications: readonly Notification[]): { readonly kind: 'accepted' | 'disabled' | 'not_found' };
  /** At most `limit`, newest first, older than `before`. */
  readDeliveries(before: DeliveryKey | null, limit: number): DeliveriesResult;
  resend(key: DeliveryKey): ResendResult;
  /** The notice of its disabling is taken over. */
  acknowledgeNotice(effectId: string): void;
}
