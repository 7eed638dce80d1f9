/**
 * Pure: the part of Mercado Pago's payments API (v1) that the adapter speaks: amounts as decimals, and the few members of
 * its objects that are read. Everything else that it sends is ignored.
 */
import { z } from 'zod';
import { currencyExponent, formatMinor, isAmountMinor, isCurrency } from '../../domain/money.ts';

export const MERCADO_PAGO_BASE_URL = 'https://api.mercadopago.com';
export const MERCADO_PAGO_SIGNATURE_HEADER = 'x-signature';
export const MERCADO_PAGO_REQUEST_ID_HEADER = 'x-request-id';

/** Sent as numbers and, in places, as text. */
const id = z.union([z.number().int().positive(), z.string().regex(/^\d{1,20}$/)]).transform(String);

export const paymentSchema = z.object({
  id,
  status: z.enum([
    'pending',
    'approved',
    'authorized',
    'in_process',
    'in_mediation',
    'rejected',
    'cancelled',
    'refunded',
    'charged_back',
  ]),
  status_detail: z.string().nullish(),
  transaction_amount: z.number(),
  currency_id: z.string().length(3),
  external_reference: z.string().nullish(),
  date_last_updated: z.string().nullish(),
  metadata: z.record(z.string(), z.unknown()).nullish(),
});
export type MercadoPagoPayment = z.infer<typeof paymentSchema>;

export const refundSchema = z.object({
  id,
  amount: z.number(),
  // The reference spells it `canceled` of a refund, and `cancelled` of a payment.
  status: z
    .enum(['approved', 'in_process', 'rejected', 'cancelled', 'canceled'])
    .transform((status) => (status === 'canceled' ? 'cancelled' : status)),
});
export type MercadoPagoRefund = z.infer<typeof refundSchema>;

export const refundsSchema = z.array(refundSchema);

export const searchSchema = z.object({
  paging: z.object({ total: z.number().int() }),
  results: z.array(z.object({ id, external_reference: z.string().nullish() })),
});

/** A page of a search by time, with what a statement needs of each payment. */
export const statementSchema = z.object({
  paging: z.object({ total: z.number().int() }),
  results: z.array(
    paymentSchema.extend({
      date_created: z.iso.datetime({ offset: true }),
      transaction_amount_refunded: z.number().nonnegative().nullish(),
    }),
  ),
});

export const errorSchema = z.object({
  cause: z
    .union([z.array(z.object({ code: z.coerce.number().int() })), z.object({ code: z.coerce.number().int() })])
    .nullish()
    .transform((cause) => [cause ?? []].flat()),
});

/** A JSON number is a double, and holds any decimal of 15 digits exactly as written; not every one of 16. */
const DECIMAL_MINOR_MAX = 999_999_999_999_999;

/** Minor units as the JSON number that Mercado Pago wants, or null where it would not be exact. No arithmetic on it, anywhere. */
export function toDecimal(amountMinor: number, currency: string): number | null {
  return amountMinor <= DECIMAL_MINOR_MAX ? Number(formatMinor(amountMinor, currency)) : null;
}

/** Whether the decimal that a provider speaks of is our amount. */
export function isSameAmount(decimal: number, amountMinor: number, currency: string): boolean {
  return decimal === toDecimal(amountMinor, currency);
}

/** The minor units that a decimal stands for, by its digits, or null where they cannot be told exactly. No arithmetic on it. */
export function fromDecimal(decimal: number, currency: string): number | null {
  const [, whole, fraction = ''] = /^(\d{1,15})(?:\.(\d{1,3}))?$/.exec(String(decimal)) ?? [];
  if (whole === undefined || !isCurrency(currency)) return null;
  const exponent = currencyExponent(currency);
  if (fraction.length > exponent) return null;
  const amountMinor = Number(whole + fraction.padEnd(exponent, '0'));
  return isAmountMinor(amountMinor) || amountMinor === 0 ? amountMinor : null;
}
