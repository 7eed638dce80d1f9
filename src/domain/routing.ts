/**
 * Pure: which provider a payment is taken to. Rules by currency, method and merchant name providers in order; a provider
 * is passed over only when it is proven that it has not charged. One authorization command names one provider, fixed in
 * the command, so that a message delivered twice can never reach two (docs/decisions/0012-routing.md). Capture, void,
 * refund and look-up are not routed: they go to the provider that holds the money.
 */
import type { PaymentMethod } from './payment.ts';

export interface RouteRule {
  readonly name: string;
  /** Every condition that is given must hold; none: the rule takes everything. */
  readonly currencies?: readonly string[];
  readonly methods?: readonly PaymentMethod[];
  readonly merchants?: readonly string[];
  /** In order of preference. */
  readonly providers: readonly string[];
}

export interface RouteRequest {
  readonly merchant: string;
  readonly currency: string;
  readonly method: PaymentMethod;
}

/** Why a provider was passed over: the reason of a call that provably charged nothing. */
export interface PassedOver {
  readonly provider: string;
  readonly reason: string;
  /** Present: it can never take the payment, and this is what it would decline it with. */
  readonly declineCode?: string;
}

/**
 * What a payment is declined with where the providers of its route are not set up here. Unlike what a provider says of itself, it is true of
 * this moment only: an earlier sending may have come while the provider still was.
 */
export const NOT_CONFIGURED = 'provider_not_configured';

/** A decision with its reasons: recorded as `payment_gateway.routed`. */
export interface RouteDecision {
  /** Null: every provider of the rule has been passed over. */
  readonly provider: string | null;
  readonly rule: string;
  readonly candidates: readonly string[];
  readonly passedOver: readonly PassedOver[];
}

/** Currencies of the countries where Mercado Pago acquires (https://www.mercadopago.com/developers/en/docs). */
const MERCADO_PAGO_CURRENCIES = ['ARS', 'BRL', 'CLP', 'COP', 'MXN', 'PEN', 'UYU'];

/** The first rule that holds is taken; the last of each mode takes everything. */
export const ROUTE_RULES: Readonly<Record<'sandbox' | 'live', readonly RouteRule[]>> = {
  sandbox: [{ name: 'sandbox', providers: ['acme', 'borealis'] }],
  live: [
    { name: 'latin-america', currencies: MERCADO_PAGO_CURRENCIES, providers: ['mercado-pago', 'stripe'] },
    { name: 'everything', providers: ['stripe'] },
  ],
};

/**
 * The decision for one authorization. The same request and `passedOver` give the same decision, whatever the state of
 * the providers: an open breaker is learnt from the call that it refuses, which provably charged nothing.
 */
export function route(
  rules: readonly RouteRule[],
  request: RouteRequest,
  passedOver: readonly PassedOver[] = [],
): RouteDecision {
  const rule = rules.find((candidate) => holds(candidate, request));
  if (rule === undefined) return { provider: null, rule: 'none', candidates: [], passedOver };
  const refused = new Set(passedOver.map(({ provider }) => provider));
  const provider = rule.providers.find((name) => !refused.has(name)) ?? null;
  return { provider, rule: rule.name, candidates: rule.providers, passedOver };
}

function holds(rule: RouteRule, { currency, method, merchant }: RouteRequest): boolean {
  return (
    (rule.currencies?.includes(currency) ?? true) &&
    (rule.methods?.includes(method) ?? true) &&
    (rule.merchants?.includes(merchant) ?? true)
  );
}
