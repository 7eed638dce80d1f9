/**
 * The HTTP protocol of the sandbox providers, as both of its sides see it: the adapter (`sandbox.ts`) and the simulated
 * provider (`durable-objects/sandbox-provider/`). Bodies are JSON; docs/sandbox.md describes it for people.
 *
 *   POST /charges                   authorize; `Idempotency-Key` is the charge's key
 *   POST /charges/{id or key}/capture | /void | /refunds
 *   GET  /charges?key=  ·  GET /refunds?key=
 *
 * Its books are read beside it, by RPC: they are the whole truth, with no token's faults before them.
 */
import { z } from 'zod';

/** The first is the one that `pm_sim_primary_…` tokens mean. */
export const SANDBOX_PROVIDERS = ['acme', 'borealis'] as const;
export type SandboxProviderName = (typeof SANDBOX_PROVIDERS)[number];

export const IDEMPOTENCY_HEADER = 'Idempotency-Key';
export const SIGNATURE_HEADER = 'Sandbox-Signature';

/** Not secrets: they guard play money, and only in sandbox mode. They exist so that the checks are real. */
export const sandboxApiKey = (provider: string): string => `sk_sandbox_${provider}`;
export const sandboxSigningSecret = (provider: string): string => `whsec_sandbox_${provider}`;

const amountMinor = z.number().int().positive();

export const metadataSchema = z.object({ payment_id: z.string().max(64), effect_id: z.string().max(128) });

export const chargeRequestSchema = z.object({
  amount: amountMinor,
  currency: z.string().length(3),
  method: z.enum(['balance', 'credit_card', 'debit_card']),
  token: z.string().max(128).optional(),
  amount_codes: z.boolean().optional(),
  metadata: metadataSchema,
});
export type ChargeRequestBody = z.infer<typeof chargeRequestSchema>;

export const refundRequestSchema = z.object({ amount: amountMinor, metadata: metadataSchema });
export type RefundRequestBody = z.infer<typeof refundRequestSchema>;

export const CHARGE_STATUSES = ['pending', 'authorized', 'captured', 'declined', 'voided', 'refunded'] as const;
export const REFUND_STATUSES = ['pending', 'refunded', 'failed'] as const;

export const chargeBodySchema = z.object({
  object: z.literal('charge'),
  id: z.string().min(1),
  status: z.enum(CHARGE_STATUSES),
  amount: amountMinor,
  currency: z.string(),
  decline_code: z.string().optional(),
  metadata: metadataSchema,
});
export type ChargeBody = z.infer<typeof chargeBodySchema>;

export const refundBodySchema = z.object({
  object: z.literal('refund'),
  id: z.string().min(1),
  charge: z.string(),
  status: z.enum(REFUND_STATUSES),
  amount: amountMinor,
  metadata: metadataSchema,
});
export type RefundBody = z.infer<typeof refundBodySchema>;

export const errorBodySchema = z.object({
  error: z.object({
    code: z.string().max(64),
    decline_code: z.string().max(64).optional(),
    charge: z.string().optional(),
  }),
});
export type ErrorBody = z.infer<typeof errorBodySchema>;

export const callbackBodySchema = z.discriminatedUnion('type', [
  z.object({ id: z.string(), type: z.literal('charge.updated'), created_at_ms: z.number(), data: chargeBodySchema }),
  z.object({ id: z.string(), type: z.literal('refund.updated'), created_at_ms: z.number(), data: refundBodySchema }),
]);
export type CallbackBody = z.infer<typeof callbackBodySchema>;

/** What a statement needs of a page of the books (`durable-objects/sandbox-provider/books.ts`), in the order of their keys. */
export interface SandboxBooksPage {
  readonly charges: readonly {
    readonly key: string;
    readonly id: string;
    readonly paymentId: string;
    readonly amountMinor: number;
    readonly currency: string;
    readonly status: 'turned_away' | 'pending' | 'authorized' | 'captured' | 'declined' | 'voided';
    readonly refundedMinor: number;
    readonly createdAtMs: number;
  }[];
  readonly refunds: readonly {
    readonly key: string;
    readonly chargeKey: string;
    readonly amountMinor: number;
    readonly status: 'pending' | 'refunded' | 'failed';
    readonly createdAtMs: number;
  }[];
  readonly more: boolean;
}

export interface SandboxBooksRpc {
  books(page: {
    readonly afterCharge?: string;
    readonly afterRefund?: string;
    readonly limit?: number;
  }): SandboxBooksPage;
}
