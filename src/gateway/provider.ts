/**
 * The port to an external payment provider: what the gateway asks, and what can come back. An adapter turns its
 * provider's protocol into `ProviderAnswer` and nothing else; which provider is asked, and what an answer means to a
 * saga, is decided above (`gateway.ts`). Nothing a provider does is an exception: an adapter throws for bugs only.
 */
import type { PaymentMethod } from '../domain/payment.ts';
import type { StatementCoverage, StatementLine } from '../domain/reconciliation/books.ts';

/**
 * What one call came to. The HTTP status alone is never the answer (docs/decisions/0010-provider-port.md).
 * The last five say that the call itself has no answer; only `unknown` of them may have taken effect.
 */
export type ProviderAnswer =
  /** `captured`: the money is taken, not only set aside. */
  | { readonly kind: 'approved'; readonly reference: string; readonly captured: boolean }
  | { readonly kind: 'declined'; readonly declineCode: string; readonly reference?: string }
  /** The provider will say later. */
  | { readonly kind: 'pending'; readonly reference?: string }
  | { readonly kind: 'captured'; readonly reference: string }
  | { readonly kind: 'voided'; readonly reference: string }
  | { readonly kind: 'refunded'; readonly reference: string }
  /** The provider understood, and will never do it: void after capture, refund above what is left, our bad request. */
  | { readonly kind: 'refused'; readonly code: string; readonly reference?: string }
  /** The provider knows nothing under this key or reference, as of this moment. */
  | { readonly kind: 'absent' }
  /** It may have taken effect: never read as declined (S8), never tried elsewhere before a look-up has answered. */
  | { readonly kind: 'unknown'; readonly reason: string }
  /** This call provably took no effect. It proves nothing of an earlier call with the same key. */
  | { readonly kind: 'not_sent'; readonly reason: string; readonly retryAfterMs?: number }
  /** Not sent, because we are too fast: no failure of the provider. */
  | { readonly kind: 'throttled'; readonly retryAfterMs: number }
  /** Nothing was sent, by this call or an earlier one: it can never take such a payment, and would decline it with `code`. */
  | { readonly kind: 'unfit'; readonly code: string }
  /** Not sent, and will not be until a person acts: wrong or revoked credentials (401, 403), no such provider. */
  | { readonly kind: 'misconfigured'; readonly reason: string };

/** The answers that say that there is no answer; any call can come to these. */
export type NoAnswer = Extract<ProviderAnswer, { kind: 'unknown' | 'not_sent' | 'throttled' | 'misconfigured' }>;

type Answer<Kind extends ProviderAnswer['kind']> = Extract<ProviderAnswer, { kind: Kind }> | NoAnswer;
export type AuthorizeAnswer = Answer<'approved' | 'declined' | 'pending' | 'refused'>;
export type CaptureAnswer = Answer<'captured' | 'pending' | 'refused' | 'absent'>;
export type VoidAnswer = Answer<'voided' | 'pending' | 'refused' | 'absent'>;
export type RefundAnswer = Answer<'refunded' | 'pending' | 'refused' | 'absent'>;
/** Of a charge: approved, declined, pending, voided, refunded, absent. Of a refund: refunded, pending, refused, absent. */
export type LookupAnswer = Answer<'approved' | 'declined' | 'pending' | 'voided' | 'refunded' | 'refused' | 'absent'>;

/** Which of several answers is the answer. Money in force first; a no counts only once none may still say yes. */
export const MATTERS: readonly LookupAnswer['kind'][] = [
  'approved',
  'pending',
  'unknown',
  'not_sent',
  'throttled',
  'misconfigured',
  'declined',
  'refused',
  'voided',
  'refunded',
  'absent',
];

/** What every call carries. */
interface CallBase {
  readonly paymentId: string;
  /**
   * Sent as the provider's idempotency key: the same on every try of the same operation (`keys.ts`). An adapter leaves it out where the
   * provider repeats a failure under it, and can do the operation only once as it is (decision 0021).
   */
  readonly key: string;
  /** The effect that this call is for. An adapter with callbacks sends it along as metadata, to be echoed in them. */
  readonly effectId: string;
}

export interface AuthorizeRequest extends CallBase {
  readonly amountMinor: number;
  readonly currency: string;
  readonly method: PaymentMethod;
  readonly merchant: string;
  readonly serviceId: string;
  readonly customerId?: string;
  /** The merchant's own reference, for the provider's statement. */
  readonly reference?: string;
  readonly token?: string;
  /** Sandbox: read the last two digits of the amount as an ISO 8583 answer code. */
  readonly amountCodes?: boolean;
}

/** Both inclusive. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** A call about a charge that exists. */
export interface ChargeRequest extends CallBase {
  /** The key that the charge was authorized under: the way to it where no reference was ever heard. */
  readonly chargeKey: string;
  readonly chargeReference?: string;
  /** When it can have been made, by our clock, where the command says so: what a list has nothing of in this time was not. */
  readonly madeWithin?: Span;
  readonly amountMinor: number;
  readonly currency: string;
}

/** What became of the charge under `chargeKey`, or, with `refundKey`, of that refund of it. */
export interface LookupRequest extends Omit<ChargeRequest, 'key'> {
  readonly refundKey?: string;
  /** The provider's own id of that refund, where an answer has told one. */
  readonly refundReference?: string;
}

export interface ProviderCapabilities {
  /** What of its books can be read, for reconciliation; `none`: no statement is ever to be had. */
  readonly statement: StatementCoverage;
}

/** What was charged and given back in a span of time, by the provider's own clock; a page at a time. */
export interface StatementRequest {
  /** Inclusive. */
  readonly fromMs: number;
  /** Exclusive. */
  readonly toMs: number;
  /** `next` of the page before, null for the first. */
  readonly cursor: string | null;
}

/** A line may come twice, in two pages; none is left out that stood in the books before the first page was asked for. */
export type StatementAnswer =
  | { readonly kind: 'page'; readonly lines: readonly StatementLine[]; readonly next: string | null }
  | NoAnswer;

/** A callback as it came: the signature is over these bytes, so nothing may parse them first. */
export interface RawCallback {
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer>;
  readonly url: URL;
}

export type CallbackRejection = 'signature_missing' | 'signature_mismatch' | 'timestamp_out_of_window' | 'malformed';

export type CallbackResult =
  | { readonly kind: 'event'; readonly event: CallbackEvent }
  /** Genuine, and about nothing that a saga waits for. To be acknowledged and dropped. */
  | { readonly kind: 'ignored'; readonly reason: string }
  /** Not genuine, or not readable: nothing of it may be used. */
  | { readonly kind: 'rejected'; readonly reason: CallbackRejection };

export interface CallbackEvent {
  /** The provider's id of this notification: the same on each redelivery. */
  readonly id: string;
  readonly occurredAtMs: number;
  readonly paymentId: string;
  readonly operation: 'authorize' | 'refund';
  /** As sent with the call that took effect, echoed, with or without its number; a callback without it is ignored, and a look-up must do. */
  readonly effectId: string;
  /** What the provider now says. An adapter whose provider says only "something changed" looks it up first. */
  readonly answer: ProviderAnswer;
}

export interface Provider {
  /** As it stands in payments, events and routes: lower-case letters, digits and `-`, at most 12 characters. */
  readonly name: string;
  readonly capabilities: ProviderCapabilities;
  /** Why this provider cannot take the payment at all (currency, method, token), or null; asks nobody. */
  unfit?(request: AuthorizeRequest): string | null;
  /** The same provider, whose requests carry this `traceparent`: its own traces, if it has any, go on from ours. */
  traced?(traceparent: string): Provider;
  authorize(request: AuthorizeRequest): Promise<AuthorizeAnswer>;
  /** All of what was authorized. */
  capture(request: ChargeRequest): Promise<CaptureAnswer>;
  /** Gives up an authorization that was not captured. */
  void(request: ChargeRequest): Promise<VoidAnswer>;
  /** Gives `amountMinor` back. */
  refund(request: ChargeRequest): Promise<RefundAnswer>;
  lookup(request: LookupRequest): Promise<LookupAnswer>;
  /** Its books, for reconciliation. A read: it changes nothing. */
  statement(request: StatementRequest): Promise<StatementAnswer>;
  /** Checks, in order: signature present → signature right → time within the window → body readable. */
  parseCallback(callback: RawCallback, nowMs: number): Promise<CallbackResult>;
}
