/**
 * Pure: THE catalogue of event types: kind, source, version and payload schema of each. The documentation, the decoder
 * and the metrics are made from this table. A type is never removed and never changes its meaning. Each has one version,
 * 1.0: before there is a second, decode.ts needs a step that makes it of the first, since what is stored stays as it is.
 */
import { z } from 'zod';
import type { Source } from './envelope.ts';

const amountMinor = z.number().int().positive();
const currency = z.string().length(3);
const paymentId = z.string();
const walletId = z.string();
const timestamp = z.iso.datetime({ precision: 3 });
const empty = z.object({ payment_id: paymentId });
/** `failure_code`: absent in events of older versions. */
const failure = empty.extend({ failure_code: z.string().optional() });

/** How a step at the provider ended, or stands (docs/saga.md). `ABSENT` and `NOT_SENT` are decision 0005. */
export const GATEWAY_STATUSES = [
  'AUTHORIZED',
  'CAPTURED',
  'UNAUTHORIZED',
  'PENDING',
  'UNKNOWN',
  'VOIDED',
  'VOID_FAILED',
  'REFUNDED',
  'REFUND_FAILED',
  'ABSENT',
  'NOT_SENT',
] as const;
export type GatewayStatus = (typeof GATEWAY_STATUSES)[number];

/** What the gateway can be told to do, and what the answer is to. */
export const GATEWAY_OPERATIONS = ['authorize', 'capture', 'unauthorize', 'refund', 'lookup'] as const;
export type GatewayOperation = (typeof GATEWAY_OPERATIONS)[number];

const gatewayCommand = z.object({
  payment_id: paymentId,
  amount: amountMinor,
  currency,
  method: z.enum(['balance', 'credit_card', 'debit_card']),
  service_id: z.string(),
  customer_id: z.string().optional(),
  reference: z.string().optional(),
  /** The provider that holds the money; absent until one does. */
  provider: z.string().optional(),
  provider_reference: z.string().optional(),
  /** The refund that is given or looked up; absent: the one that undoes the payment itself. */
  refund_id: z.string().optional(),
  /** The provider's own id of that refund, once it has told one. */
  refund_reference: z.string().optional(),
  /** A provider call for this command must not begin later than this. */
  not_after: timestamp.optional(),
  /** When an authorization whose reference is not known can have been made: an absence is one of this time. */
  authorized_from: timestamp.optional(),
  authorized_to: timestamp.optional(),
  /** The payment token; only in the message to the gateway, never in a stored event. */
  token: z.string().optional(),
  /** In the message only: an earlier sending of this effect has had no answer, and may have reached a provider. */
  unheard: z.boolean().optional(),
  /** Sandbox: read the last two digits of the amount as an ISO 8583 answer code. */
  amount_codes: z.boolean().optional(),
});

const walletCommand = z.object({
  payment_id: paymentId,
  /** The refund whose money it is. */
  refund_id: z.string().optional(),
  wallet_id: walletId,
  amount: amountMinor,
  currency,
});
const walletFact = walletCommand.extend({ status: z.string(), wallet_version: z.number().int().positive() });
const walletRefusal = walletCommand.extend({ status: z.string(), reason: z.string() });

const paymentFact = z.object({
  payment_id: paymentId,
  wallet_id: walletId,
  service_id: z.string(),
  amount: amountMinor,
  currency,
  method: z.string(),
  status: z.enum(['PENDING', 'COMPLETED', 'FAILED']),
});

/** A person's move on a saga that needed attention. */
const move = z.object({
  payment_id: paymentId,
  /** The reason for which it needed attention. */
  attention: z.string(),
  actor: z.string(),
  reason: z.string(),
});
/** What the person states to be true. */
const resolution = { resolution: z.string(), provider_reference: z.string().optional() };

const notification = z.object({ payment_id: paymentId, status: z.enum(['COMPLETED', 'FAILED']) });
const refundNotification = notification.extend({ refund_id: z.string() });
/** One notification at one endpoint. */
const delivery = z.object({ delivery_id: z.string(), endpoint_id: z.string() });
const refundFact = z.object({
  refund_id: z.string(),
  payment_id: paymentId,
  amount: amountMinor,
  currency,
  status: z.enum(['COMPLETED', 'FAILED']),
});

interface CatalogueRow<Schema extends z.ZodType = z.ZodType> {
  readonly kind: 'fact' | 'command' | 'metric';
  /** Who writes it into the log. */
  readonly source: Source;
  readonly version: string;
  readonly payload: Schema;
  readonly description: string;
}

function row<Schema extends z.ZodType>(
  kind: CatalogueRow['kind'],
  source: Source,
  payload: Schema,
  description: string,
): CatalogueRow<Schema> {
  return { kind, source, version: '1.0', payload, description };
}

export const CATALOGUE = {
  'payment.created': row('fact', 'payment-service', paymentFact, 'The key was claimed and the saga began.'),
  'payment.completed': row('fact', 'payment-service', paymentFact, 'The money moved; terminal.'),
  'payment.failed': row(
    'fact',
    'payment-service',
    paymentFact.extend({ failure_code: z.string(), decline_code: z.string().optional() }),
    'Nothing is held and nothing is in force at a provider; terminal.',
  ),
  'payment.needs_attention': row(
    'fact',
    'payment-service',
    z.object({ payment_id: paymentId, reason: z.string() }),
    'The saga cannot go on by itself: a person retries or resolves it.',
  ),
  'payment.retried': row('fact', 'payment-service', move, 'A person had what failed tried again.'),
  'payment.resolved': row(
    'fact',
    'payment-service',
    move.extend(resolution),
    'A person has stated what is true, and the saga goes on.',
  ),

  'orchestrator.wallet.hold_funds': row(
    'command',
    'payment-service',
    walletCommand.extend({ expires_at: timestamp, open_with: amountMinor.optional() }),
    'Set the amount aside. `open_with` (sandbox only): open the wallet with this balance if it does not exist.',
  ),
  'orchestrator.wallet.debit': row(
    'command',
    'payment-service',
    walletCommand.extend({ not_after: timestamp.optional(), simulate: z.literal('refuse').optional() }),
    "Take the held amount out of the wallet: the pivot. Refused after `not_after`, the payment's deadline. `simulate` (sandbox only) makes the wallet refuse.",
  ),
  'orchestrator.wallet.release_funds': row('command', 'payment-service', walletCommand, 'Give the held amount back.'),

  'wallet.hold_funds': row('fact', 'wallet-service', walletFact, 'HELD.'),
  'wallet.hold_funds_failed': row('fact', 'wallet-service', walletRefusal, 'The hold was refused.'),
  'wallet.debit': row('fact', 'wallet-service', walletFact, 'DEBITED.'),
  'wallet.debit_failed': row('fact', 'wallet-service', walletRefusal, 'The debit was refused.'),
  'wallet.release_funds': row('fact', 'wallet-service', walletFact, 'RELEASED.'),
  'wallet.release_funds_failed': row('fact', 'wallet-service', walletRefusal, 'The release was refused.'),

  'orchestrator.gateway.authorize': row('command', 'payment-service', gatewayCommand, 'Authorize at a provider.'),
  'orchestrator.gateway.capture': row('command', 'payment-service', gatewayCommand, 'Capture what was authorized.'),
  'orchestrator.gateway.unauthorize': row('command', 'payment-service', gatewayCommand, 'Void the authorization.'),
  'orchestrator.gateway.refund': row('command', 'payment-service', gatewayCommand, 'Give captured money back.'),
  'orchestrator.gateway.lookup': row(
    'command',
    'payment-service',
    gatewayCommand,
    'Ask the provider what became of it.',
  ),
  'payment_gateway.routed': row(
    'fact',
    'payment-service',
    z.object({
      payment_id: paymentId,
      /** Absent: every provider of the rule has been passed over. */
      provider: z.string().optional(),
      rule: z.string(),
      candidates: z.array(z.string()),
      passed_over: z.array(z.object({ provider: z.string(), reason: z.string() })),
    }),
    'Which provider the next authorization goes to, by which rule, and why not to those before it.',
  ),
  'payment_gateway.response': row(
    'fact',
    'payment-gateway',
    z.object({
      payment_id: paymentId,
      operation: z.enum(GATEWAY_OPERATIONS),
      gateway_status: z.enum(GATEWAY_STATUSES),
      provider: z.string().optional(),
      provider_reference: z.string().optional(),
      /** The provider's own id of the refund that it speaks of. */
      refund_reference: z.string().optional(),
      decline_code: z.string().optional(),
      /** Why, for people: bounded, and free of anything secret. */
      reason: z.string().optional(),
      retry_after_ms: z.number().int().nonnegative().optional(),
    }),
    'What the provider answered, or that it did not.',
  ),

  'payment.refunded': row(
    'fact',
    'payment-service',
    z.object({
      payment_id: paymentId,
      refund_id: z.string(),
      /** Negative when a success was taken back. */
      amount: z.number().int(),
      refunded_amount: z.number().int().nonnegative(),
    }),
    'A refund of this payment ended: how much of it is given back now.',
  ),

  'refund.created': row(
    'fact',
    'refund-service',
    z.object({
      refund_id: z.string(),
      payment_id: paymentId,
      amount: amountMinor.optional(),
      reason: z.string().optional(),
    }),
    'The key was claimed and the saga began.',
  ),
  'refund.completed': row('fact', 'refund-service', refundFact, 'The money is given back; terminal.'),
  'refund.failed': row(
    'fact',
    'refund-service',
    refundFact.extend({ failure_code: z.string() }),
    'Nothing is given back; terminal.',
  ),
  'refund.needs_attention': row(
    'fact',
    'refund-service',
    z.object({ refund_id: z.string(), payment_id: paymentId, reason: z.string() }),
    'The saga cannot go on by itself: a person retries or resolves it.',
  ),
  'refund.retried': row(
    'fact',
    'refund-service',
    move.extend({ refund_id: z.string() }),
    'A person had what failed tried again.',
  ),
  'refund.resolved': row(
    'fact',
    'refund-service',
    move.extend({ refund_id: z.string(), ...resolution }),
    'A person has stated what is true, and the saga goes on.',
  ),
  'orchestrator.payment.reserve_refund': row(
    'command',
    'refund-service',
    z.object({ refund_id: z.string(), payment_id: paymentId, amount: amountMinor.optional() }),
    "Set the amount aside; a direct call to the payment's object. Without an amount: all that is left.",
  ),
  'payment.refund_reserved': row(
    'fact',
    'payment-service',
    z.object({
      payment_id: paymentId,
      amount: amountMinor,
      currency,
      wallet_id: walletId,
      service_id: z.string(),
      method: z.enum(['balance', 'credit_card', 'debit_card']),
      provider: z.string().optional(),
      provider_reference: z.string().optional(),
    }),
    'RESERVED: no other refund can take this part of the payment.',
  ),
  'orchestrator.payment.settle_refund': row(
    'command',
    'refund-service',
    z.object({ refund_id: z.string(), payment_id: paymentId, settlement: z.enum(['completed', 'released']) }),
    "Tell the payment's object how the refund ended; a direct call.",
  ),
  'payment.refund_settled': row(
    'fact',
    'payment-service',
    z.object({ refund_id: z.string(), payment_id: paymentId, settlement: z.enum(['completed', 'released']) }),
    "The payment's object knows how the refund ended.",
  ),
  'orchestrator.wallet.credit': row('command', 'refund-service', walletCommand, 'Put the refunded amount back.'),
  'wallet.credit': row('fact', 'wallet-service', walletFact, 'CREDITED.'),
  'wallet.credit_failed': row('fact', 'wallet-service', walletRefusal, 'The credit was refused.'),
  'orchestrator.wallet.reverse_credit': row(
    'command',
    'refund-service',
    walletCommand,
    'Take a credit back by a new entry: its refund failed after it had succeeded.',
  ),
  'wallet.reverse_credit': row('fact', 'wallet-service', walletFact, 'REVERSED.'),
  'wallet.reverse_credit_failed': row('fact', 'wallet-service', walletRefusal, 'The money is gone.'),

  'orchestrator.notify.refund_success': row('command', 'refund-service', refundNotification, 'Tell that it completed.'),
  'orchestrator.notify.refund_failure': row('command', 'refund-service', refundNotification, 'Tell that it failed.'),
  'metrics.refund.success': row('metric', 'refund-service', empty, 'Counted once per completed refund.'),
  'metrics.refund.failure': row('metric', 'refund-service', failure, 'Counted once per failed refund, by its failure.'),
  'metrics.wallet.credit_failure': row('metric', 'refund-service', empty, 'Counted once per refused credit.'),
  'orchestrator.notify.payment_success': row('command', 'payment-service', notification, 'Tell that it completed.'),
  'orchestrator.notify.payment_failure': row('command', 'payment-service', notification, 'Tell that it failed.'),
  'orchestrator.notify.webhook_endpoint_disabled': row(
    'command',
    'notification-service',
    z.object({ endpoint_id: z.string(), reason: z.enum(['gone', 'failing']) }),
    'Tell that deliveries to an endpoint have stopped.',
  ),
  'notification.delivered': row(
    'fact',
    'notification-service',
    delivery,
    'A receiver answered 2xx. In the history of the delivery, not in the log of a payment (docs/webhooks.md).',
  ),
  'notification.failed': row(
    'fact',
    'notification-service',
    delivery,
    'The last attempt failed, or the receiver is gone. In the history of the delivery.',
  ),
  'metrics.notification.delivered': row(
    'metric',
    'notification-service',
    delivery,
    'Counted once per delivery, as a total of its endpoint; no message of its own.',
  ),
  'metrics.notification.failed': row(
    'metric',
    'notification-service',
    delivery,
    'Counted once per delivery that was given up, in the same way.',
  ),
  'metrics.payment.success': row('metric', 'payment-service', empty, 'Counted once per completed payment.'),
  'metrics.payment.failure': row(
    'metric',
    'payment-service',
    failure,
    'Counted once per failed payment, by its failure.',
  ),
  'metrics.wallet.hold_funds_failure': row('metric', 'payment-service', empty, 'Counted once per refused hold.'),
  'metrics.wallet.debit_failure': row('metric', 'payment-service', empty, 'Counted once per refused debit.'),
  'metrics.gateway.unauthorized': row('metric', 'payment-service', empty, 'Counted once per decline.'),
  'metrics.gateway.unknown': row('metric', 'payment-service', empty, 'Counted once per unknown outcome.'),
} as const satisfies Record<string, CatalogueRow>;

export type EventType = keyof typeof CATALOGUE;
export type EventPayload<Type extends EventType> = z.infer<(typeof CATALOGUE)[Type]['payload']>;

export function isEventType(type: string): type is EventType {
  return Object.hasOwn(CATALOGUE, type);
}
