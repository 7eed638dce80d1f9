/**
 * Where messages travel, and which: the queues, the webhooks, and the live timelines. A queue's commands are told from their
 * names, `orchestrator.{service}.{action}`, as `sendCommands` does (durable-objects/saga/dispatch.ts).
 */
import type { EventType } from '../../src/domain/events/catalogue.ts';
import { WEBHOOK_EVENT_TYPES } from '../../src/domain/webhook.ts';
import { EVENT_TYPES, webhookName } from './schemas.ts';

export type Server = 'http' | 'websocket' | 'queues';

export interface Channel {
  readonly address: string | null;
  readonly description: string;
  readonly servers: readonly Server[];
  /** Names in `components.messages`. */
  readonly messages: readonly string[];
  /** What Holdfast does there. */
  readonly actions: readonly ('send' | 'receive')[];
  readonly parameters?: Readonly<Record<string, { readonly description: string }>>;
}

const ofService = (service: string): EventType[] =>
  EVENT_TYPES.filter((type) => type.startsWith(`orchestrator.${service}.`));

const QUEUES: Readonly<Record<string, { readonly messages: readonly string[]; readonly description: string }>> = {
  'wallet-commands': { messages: ofService('wallet'), description: 'Commands to the wallets, one effect each.' },
  'gateway-commands': {
    messages: ofService('gateway'),
    description:
      'Commands to the payment gateway. Here alone a payload may have `token` and `unheard`: no stored event has.',
  },
  notifications: { messages: ofService('notify'), description: 'What merchants are to be told of.' },
  'payment-events': {
    messages: ['Publication', 'WalletOpened'],
    description: 'What the record (D1) takes in: runs of events with the row that they amount to, and wallets opened.',
  },
};

/** In no log of a payment or refund: the history of a delivery, or of an endpoint. */
const NOT_LOGGED: readonly EventType[] = [
  'orchestrator.notify.webhook_endpoint_disabled',
  'notification.delivered',
  'notification.failed',
  'metrics.notification.delivered',
  'metrics.notification.failed',
];
/** Of the types whose names do not say so: in a refund's log, and in no payment's. */
const OF_REFUNDS = /^(refund\.|metrics\.refund\.|orchestrator\.(payment|notify\.refund)|payment\.refund_|.*credit)/;
/** Both sagas ask the gateway. */
const OF_BOTH: readonly EventType[] = [
  'orchestrator.gateway.refund',
  'orchestrator.gateway.lookup',
  'payment_gateway.response',
  'metrics.gateway.unknown',
];

const LOGGED = EVENT_TYPES.filter((type) => !NOT_LOGGED.includes(type));
// `payment.refunded` is told to the payment, `payment.refund_reserved` to the refund that reserved.
const isOfRefund = (type: EventType): boolean => OF_REFUNDS.test(type);

export const CHANNELS: Readonly<Record<string, Channel>> = {
  ...Object.fromEntries(Object.entries(QUEUES).flatMap(([queue, about]) => queueAndItsDead(queue, about))),
  'dead-letters': {
    address: 'dead-letters',
    description: 'What a consumer buried itself: poison, or what met a bug, with the reason.',
    servers: ['queues'],
    messages: ['DeadMessage'],
    actions: ['send', 'receive'],
  },
  webhooks: {
    address: null,
    description:
      "A merchant's endpoints (`POST /webhook-endpoints`): signed HTTP POSTs, at least once each (docs/webhooks.md).",
    servers: [],
    messages: WEBHOOK_EVENT_TYPES.map(webhookName),
    actions: ['send'],
  },
  'payment-timeline': timeline(
    '/payments/{id}/events',
    'payment',
    LOGGED.filter((type) => !isOfRefund(type)),
  ),
  'refund-timeline': timeline(
    '/refunds/{id}/events',
    'refund',
    LOGGED.filter((type) => isOfRefund(type) || OF_BOTH.includes(type)),
  ),
};

function queueAndItsDead(
  queue: string,
  { messages, description }: { readonly messages: readonly string[]; readonly description: string },
): [string, Channel][] {
  const dead = `${queue}-dlq`;
  const shared = { servers: ['queues' as const], messages };
  return [
    [queue, { ...shared, address: queue, description, actions: ['send', 'receive'] }],
    [
      dead,
      // The platform puts them there.
      { ...shared, address: dead, description: `What spent its attempts in \`${queue}\`.`, actions: ['receive'] },
    ],
  ];
}

function timeline(address: string, noun: string, messages: readonly EventType[]): Channel {
  return {
    address,
    description:
      `The log of one ${noun}, live until its end: server-sent events with \`Accept: text/event-stream\` (the event's name is ` +
      'its type, its id the sequence, resumed with `Last-Event-ID`), or a WebSocket with `Upgrade: websocket` (one JSON text ' +
      'each, resumed with `?after=`; closed with 1000 at the end, and after a quarter of an hour with 1001 when there is more; `ping` is answered with `pong`).',
    servers: ['http', 'websocket'],
    messages,
    actions: ['send'],
    parameters: { id: { description: `The id of the ${noun}.` } },
  };
}
