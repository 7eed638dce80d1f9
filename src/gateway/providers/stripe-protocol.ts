/**
 * Pure: the part of Stripe's API v1 that the adapter speaks: its pinned version, form bodies, amounts in Stripe's own
 * units, and the few members of its objects that are read. Everything else that Stripe sends is ignored.
 */
import { z } from 'zod';
import { currencyExponent, isAmountMinor, isCurrency } from '../../domain/money.ts';

/** Sent with every request, so that an account's default can never change what we read. The `stripe` types' version. */
export const STRIPE_API_VERSION = '2026-10-28.endive';
export const STRIPE_BASE_URL = 'https://api.stripe.com';
export const STRIPE_SIGNATURE_HEADER = 'Stripe-Signature';

const reference = z.string().regex(/^[A-Za-z0-9_]{1,128}$/);
/** Null on a refund of other software's, say (https://docs.stripe.com/api/refunds/object). */
const metadata = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value) => value ?? {});

export const stripeErrorSchema = z.object({
  error: z.object({
    type: z.string().max(64),
    code: z.string().max(64).optional(),
    decline_code: z.string().max(64).optional(),
    payment_intent: z.object({ id: reference }).optional(),
  }),
});
export type StripeError = z.infer<typeof stripeErrorSchema>['error'];

export const paymentIntentSchema = z.object({
  object: z.literal('payment_intent'),
  id: reference,
  amount: z.number().int(),
  /** Of a captured one: what was really taken. */
  amount_received: z.number().int().optional(),
  currency: z.string(),
  /** Seconds. */
  created: z.number().int().optional(),
  status: z.enum([
    'requires_payment_method',
    'requires_confirmation',
    'requires_action',
    'processing',
    'requires_capture',
    'canceled',
    'succeeded',
  ]),
  metadata,
  last_payment_error: z.object({ code: z.string().optional(), decline_code: z.string().optional() }).nullish(),
  /** An object where it was asked for (`expand`). */
  latest_charge: z.union([z.string(), z.object({ amount_refunded: z.number().int() })]).nullish(),
});
export type PaymentIntent = z.infer<typeof paymentIntentSchema>;

export const refundSchema = z.object({
  object: z.literal('refund'),
  id: reference,
  amount: z.number().int(),
  currency: z.string().optional(),
  created: z.number().int().optional(),
  payment_intent: z.string().nullish(),
  /** Null: Stripe has not said yet. */
  status: z.enum(['pending', 'requires_action', 'succeeded', 'failed', 'canceled']).nullable(),
  metadata,
});
export type StripeRefund = z.infer<typeof refundSchema>;

/** A page of a list or of a search; what is in it is read one by one. */
export const pageSchema = z.object({
  object: z.enum(['list', 'search_result']),
  data: z.array(z.unknown()),
  has_more: z.boolean(),
});

export const eventSchema = z.object({
  object: z.literal('event'),
  id: z.string().min(1).max(255),
  type: z.string().max(128),
  created: z.number().int().nonnegative(),
  data: z.object({ object: z.unknown() }),
});

type FormValue = string | number | boolean | readonly string[] | Readonly<Record<string, string>>;
export type FormParams = Readonly<Record<string, FormValue>>;

/** `params` as Stripe takes them: `a=1`, `a[0]=x` for lists, `a[b]=x` for maps. */
export function formBody(params: FormParams): URLSearchParams {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (typeof value === 'object') {
      for (const [key, item] of Object.entries(value)) form.append(`${name}[${key}]`, item);
    } else {
      form.append(name, String(value));
    }
  }
  return form;
}

/**
 * How many decimals Stripe counts in where that is not ISO 4217's exponent: it keeps two for ISK and UGX, always `00`, and
 * none for MGA (https://docs.stripe.com/currencies#special-cases, #zero-decimal). Sent as they are, these amounts would
 * be charged a hundredfold, or for a hundredth.
 */
const STRIPE_EXPONENTS: Readonly<Record<string, number>> = { ISK: 2, UGX: 2, MGA: 0 };

/**
 * Minor units of ISO 4217 as Stripe's, or null where Stripe cannot express the amount: fractions of an MGA, and the third
 * decimal of currencies that have three (https://docs.stripe.com/currencies#three-decimal).
 */
export function toStripeAmount(amountMinor: number, currency: string): number | null {
  const exponent = currencyExponent(currency);
  if (exponent === 3) return amountMinor % 10 === 0 ? amountMinor : null;
  const scale = 10 ** Math.abs((STRIPE_EXPONENTS[currency] ?? exponent) - exponent);
  const amount = (STRIPE_EXPONENTS[currency] ?? exponent) < exponent ? amountMinor / scale : amountMinor * scale;
  return isAmountMinor(amount) ? amount : null;
}

/** Stripe's own amount as minor units of ISO 4217; null where it is none of ours: a part of an ISK, a currency we do not know. */
export function fromStripeAmount(amount: number, currency: string): number | null {
  if (!isCurrency(currency)) return null;
  const exponent = currencyExponent(currency);
  const stripeExponent = STRIPE_EXPONENTS[currency] ?? exponent;
  const scale = 10 ** Math.abs(stripeExponent - exponent);
  const amountMinor = stripeExponent > exponent ? amount / scale : amount * scale;
  return isAmountMinor(amountMinor) || amountMinor === 0 ? amountMinor : null;
}
