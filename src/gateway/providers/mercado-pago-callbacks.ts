/**
 * Pure: Mercado Pago's notifications. `x-signature` (`ts=…,v1=…`) is an HMAC-SHA-256 over the payment's id in the address, the
 * request's id and the time, and not over the body: so nothing of the body is used, and what became of the payment is
 * asked for (https://www.mercadopago.com/developers/en/docs/your-integrations/notifications/webhooks).
 */
import { hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { isCurrency } from '../../domain/money.ts';
import { CALLBACK_WINDOW_MS } from '../limits.ts';
import type { CallbackResult, RawCallback } from '../provider.ts';
import type { SignatureCheck } from '../signature.ts';
import { type ExpectedPayment, isExpected, standingOf } from './mercado-pago-mapping.ts';
import {
  MERCADO_PAGO_REQUEST_ID_HEADER,
  MERCADO_PAGO_SIGNATURE_HEADER,
  type MercadoPagoPayment,
} from './mercado-pago-protocol.ts';
import { unknown } from './standing.ts';

/** Times above this are milliseconds: the documentation has shown both. */
const SECONDS_MAX = 100_000_000_000;

/** Checks, in order: a time and a signature are there → the signature is right → the time is within the window. */
export async function checkNotification(
  { headers, url }: Pick<RawCallback, 'headers' | 'url'>,
  secret: string,
  nowMs: number,
): Promise<SignatureCheck> {
  const parts = (headers.get(MERCADO_PAGO_SIGNATURE_HEADER) ?? '').split(',').map((part) => part.trim());
  const ts = parts.find((part) => /^ts=\d{1,16}$/.test(part))?.slice(3);
  const mac = parts.find((part) => /^v1=[0-9a-f]{64}$/.test(part))?.slice(3);
  if (ts === undefined || mac === undefined) return 'signature_missing';
  const manifest = utf8ToBytes(manifestOf(url, headers.get(MERCADO_PAGO_REQUEST_ID_HEADER), ts));
  const hmac = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', utf8ToBytes(secret), hmac, false, ['verify']);
  if (!(await crypto.subtle.verify('HMAC', key, hexToBytes(mac), manifest))) return 'signature_mismatch';
  const signedAtMs = Number(ts) > SECONDS_MAX ? Number(ts) : Number(ts) * 1_000;
  return Math.abs(nowMs - signedAtMs) <= CALLBACK_WINDOW_MS ? 'valid' : 'timestamp_out_of_window';
}

/** What is signed: each pair that is there, in this order; the id in lower case. */
function manifestOf(url: URL, requestId: string | null, ts: string): string {
  const id = url.searchParams.get('data.id')?.toLowerCase();
  return [id && `id:${id};`, requestId && `request-id:${requestId};`, `ts:${ts};`].filter(Boolean).join('');
}

/** The payment that a genuine notification is about; null: it is about something else, or names none. */
export function notifiedPaymentId(url: URL): string | null {
  const id = url.searchParams.get('data.id');
  const type = url.searchParams.get('type') ?? url.searchParams.get('topic');
  return type === 'payment' && id !== null && /^\d{1,20}$/.test(id) ? id : null;
}

/**
 * The payment as it stands now, as what a saga can be told. What we did ourselves is ignored; what is not of the amount and
 * the currency that were asked for is unknown, as an answer would be (decision 0022).
 * @param currency the account's, which stands in where a payment does not echo its own.
 */
export function readPayment(payment: MercadoPagoPayment, currency: string, nowMs: number): CallbackResult {
  const { id, status, external_reference: paymentId, metadata, date_last_updated: updatedAt } = payment;
  const effectId = metadata?.effect_id;
  // Without the echo the saga could not tell this authorization from an earlier one of its own, and would undo it.
  if (paymentId == null || typeof effectId !== 'string') return { kind: 'ignored', reason: 'not_ours' };
  const standing = standingOf(payment);
  if (standing === null || standing.kind === 'voided' || standing.kind === 'refunded') {
    return { kind: 'ignored', reason: `payment_${status}` };
  }
  const answer = isExpected(payment, askedFor(payment, currency)) ? standing : unknown('answer_mismatch');
  // Captured by a later call: what is echoed is the authorization's effect, and the capture has its own.
  if (answer.kind === 'approved' && answer.captured && metadata?.capture === 'later') {
    return { kind: 'ignored', reason: 'captured' };
  }
  const at = Date.parse(updatedAt ?? '');
  return {
    kind: 'event',
    event: {
      // What a state is notified of any number of times is one event; the notification's own id is not signed.
      id: `${id}.${status}.${updatedAt ?? ''}`,
      occurredAtMs: Number.isNaN(at) ? nowMs : at,
      paymentId,
      operation: 'authorize',
      effectId,
      answer,
    },
  };
}

/** What was asked for, as the payment echoes it. One that echoes no amount is older than the echo. */
function askedFor({ metadata }: MercadoPagoPayment, currency: string): ExpectedPayment {
  const { amount_minor: amountMinor, currency: echoed } = metadata ?? {};
  return {
    currency: typeof echoed === 'string' && isCurrency(echoed) ? echoed : currency,
    ...(amountMinor != null && { amountMinor: Number(amountMinor) }),
  };
}
