/**
 * Pure: the vars and secrets of the real providers. A provider is configured whole or not at all, and live mode without one
 * is a problem: it would take payments that nobody can charge. Part of `config.ts`, which is the only caller.
 */
import { z } from 'zod';
import { isCurrency } from './domain/money.ts';

/** The configured real providers, secrets included: never logged. */
export interface ProvidersConfig {
  readonly stripe?: { readonly secretKey: string; readonly webhookSecret: string };
  readonly mercadoPago?: { readonly accessToken: string; readonly webhookSecret: string; readonly currency: string };
}

/** The forms tell a secret from its neighbour: keys that were swapped are a problem at the start, not at the first charge. */
export const providerVarsSchema = z.object({
  /** Secret, or restricted with write access to PaymentIntents and Refunds: https://docs.stripe.com/keys */
  STRIPE_SECRET_KEY: z
    .string()
    .regex(/^[rs]k_\w{8,}$/)
    .optional(),
  /** Secret; of the webhook endpoint `/providers/stripe/callbacks`. */
  STRIPE_WEBHOOK_SECRET: z
    .string()
    .regex(/^whsec_\S{8,}$/)
    .optional(),
  /** Secret; of the application: https://www.mercadopago.com/developers/en/docs/your-integrations/credentials */
  MERCADO_PAGO_ACCESS_TOKEN: z
    .string()
    .regex(/^(APP_USR|TEST)-\S{8,}$/)
    .optional(),
  /** Secret; of the notifications to `/providers/mercado-pago/callbacks`. */
  MERCADO_PAGO_WEBHOOK_SECRET: z.string().min(8).optional(),
  /** The account's currency: the API takes none, and charges every number in this one (decision 0022). */
  MERCADO_PAGO_CURRENCY: z.string().refine(isCurrency).optional(),
});
export type ProviderVars = z.infer<typeof providerVarsSchema>;

/** The providers, or the names of what is missing: of a provider that is begun, else the first name of each. */
export function providersConfigOf(vars: ProviderVars): ProvidersConfig | { readonly missing: readonly string[] } {
  const {
    STRIPE_SECRET_KEY: secretKey,
    STRIPE_WEBHOOK_SECRET: stripeWebhookSecret,
    MERCADO_PAGO_ACCESS_TOKEN: accessToken,
    MERCADO_PAGO_WEBHOOK_SECRET: mercadoPagoWebhookSecret,
    MERCADO_PAGO_CURRENCY: currency,
  } = vars;
  const isStripe = secretKey !== undefined && stripeWebhookSecret !== undefined;
  const isMercadoPago = accessToken !== undefined && mercadoPagoWebhookSecret !== undefined && currency !== undefined;
  const missing = NAMES.flatMap((names) => {
    const unset = names.filter((name) => vars[name] === undefined);
    return unset.length === names.length ? [] : unset;
  });
  if (missing.length > 0) return { missing };
  if (!isStripe && !isMercadoPago) return { missing: NAMES.map(([first]) => first) };
  return {
    ...(isStripe && { stripe: { secretKey, webhookSecret: stripeWebhookSecret } }),
    ...(isMercadoPago && { mercadoPago: { accessToken, webhookSecret: mercadoPagoWebhookSecret, currency } }),
  };
}

/** What each provider needs, whole. */
const NAMES = [
  ['STRIPE_SECRET_KEY', 'STRIPE_WEBHOOK_SECRET'],
  ['MERCADO_PAGO_ACCESS_TOKEN', 'MERCADO_PAGO_WEBHOOK_SECRET', 'MERCADO_PAGO_CURRENCY'],
] as const satisfies readonly (readonly (keyof ProviderVars)[])[];
