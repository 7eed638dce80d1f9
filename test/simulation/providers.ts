/**
 * The providers of a world, with their own books: the sandbox's desk itself (durable-objects/sandbox-provider), over memory,
 * so that none is kinder than it. Added: an authorization that captures at once, and truths that the invariants compare
 * with: who is in force (S1), and who was really declined (S8).
 */
import { Desk, type Reply } from '../../durable-objects/sandbox-provider/desk.ts';
import type { ChargeRow, RefundRow } from '../../durable-objects/sandbox-provider/schema.ts';
import type { DeskBooks } from '../../durable-objects/sandbox-provider/store.ts';
import type { Exchange } from '../../src/gateway/exchange.ts';
import type { AuthorizeRequest, ChargeRequest, LookupRequest, ProviderAnswer } from '../../src/gateway/provider.ts';
import {
  authorizeAnswer,
  callbackResult,
  captureAnswer,
  lookupAnswer,
  refundAnswer,
  voidAnswer,
} from '../../src/gateway/providers/sandbox.ts';
import { type CallbackBody, SANDBOX_PROVIDERS } from '../../src/gateway/providers/sandbox-protocol.ts';

/** The key that a charge is captured under which the provider captures by itself. */
const AT_ONCE = 'at_once';
const NO_HEADERS = new Headers();
const RETRY_AFTER = new Headers({ 'retry-after': '2' });

export interface Told {
  readonly provider: string;
  readonly body: CallbackBody;
  readonly dueAtMs: number;
}

/** One provider's books, in memory; its callbacks go out as they are announced. */
class Books implements DeskBooks {
  readonly charges = new Map<string, ChargeRow>();
  readonly refunds = new Map<string, RefundRow>();
  readonly #told: (told: Told) => void;

  constructor(told: (told: Told) => void) {
    this.#told = told;
  }

  charge(key: string): ChargeRow | null {
    return this.charges.get(key) ?? null;
  }

  putCharge(row: ChargeRow): void {
    this.charges.set(row.key, row);
  }

  refund(key: string): RefundRow | null {
    return this.refunds.get(key) ?? null;
  }

  putRefund(row: RefundRow): void {
    this.refunds.set(row.key, row);
  }

  addCallback(provider: string, body: string, dueAtMs: number, forged: boolean): void {
    // What somebody else has signed is refused at the door: nothing of it comes in.
    if (!forged) this.#told({ provider, body: JSON.parse(body) as CallbackBody, dueAtMs });
  }
}

export type Call =
  | { readonly operation: 'authorize'; readonly request: AuthorizeRequest }
  | { readonly operation: 'capture' | 'unauthorize' | 'refund'; readonly request: ChargeRequest }
  | { readonly operation: 'lookup'; readonly request: LookupRequest };

export interface Answered {
  readonly answer: ProviderAnswer;
  /** Before it leaves. */
  readonly waitMs: number;
}

export class Provider {
  readonly books: Books;
  readonly #desk: Desk;
  readonly #capturesAtOnce: (paymentId: string) => boolean;

  constructor(name: string, told: (told: Told) => void, capturesAtOnce: (paymentId: string) => boolean) {
    this.books = new Books(told);
    this.#desk = new Desk(name, this.books);
    this.#capturesAtOnce = capturesAtOnce;
  }

  /** One call, booked; what the adapter would read into the answer. */
  take(call: Call, nowMs: number): Answered {
    switch (call.operation) {
      case 'authorize':
        return read(authorizeAnswer, this.#authorize(call.request, nowMs));
      case 'capture':
        return read(captureAnswer, this.#desk.capture(chargeOf(call.request), call.request.key, nowMs));
      case 'unauthorize':
        return read(voidAnswer, this.#desk.void(chargeOf(call.request), call.request.key, nowMs));
      case 'refund':
        return this.#refund(call.request, nowMs);
      case 'lookup': {
        const { refundKey, chargeKey } = call.request;
        const isRefund = refundKey !== undefined;
        return read(
          lookupAnswer,
          isRefund ? this.#desk.findRefund(refundKey, nowMs) : this.#desk.findCharge(chargeKey, nowMs),
        );
      }
    }
  }

  /** The charge as it stands by now; null: none was ever taken. */
  charge(key: string, nowMs: number): ChargeRow | null {
    const row = this.books.charge(key);
    return row === null || row.status === 'turned_away' ? null : this.#desk.settledCharge(row, nowMs);
  }

  refundOf(key: string, nowMs: number): RefundRow | null {
    const row = this.books.refund(key);
    const charge = row === null ? null : this.books.charge(row.charge_key);
    return row === null || charge === null ? row : this.#desk.settleRefund(row, charge, nowMs);
  }

  #authorize({ key, ...request }: AuthorizeRequest, nowMs: number): Reply {
    const reply = this.#desk.authorize(
      key,
      {
        amount: request.amountMinor,
        currency: request.currency,
        method: request.method,
        ...(request.token !== undefined && { token: request.token }),
        metadata: { payment_id: request.paymentId, effect_id: request.effectId },
      },
      nowMs,
    );
    const row = this.books.charge(key);
    if (row === null || !this.#capturesAtOnce(request.paymentId)) return reply;
    if (row.status === 'authorized') this.books.putCharge({ ...row, status: 'captured', capture_key: AT_ONCE });
    const { body } = reply;
    const isApproved = 'object' in body && body.object === 'charge' && body.status === 'authorized';
    // The first answer is the answer to its key for ever.
    return isApproved ? { ...reply, body: { ...body, status: 'captured' } } : reply;
  }

  /** As `gateway.ts` does: a refund that is pending is looked up, since its key answers the same for ever. */
  #refund(request: ChargeRequest, nowMs: number): Answered {
    const body = {
      amount: request.amountMinor,
      metadata: { payment_id: request.paymentId, effect_id: request.effectId },
    };
    const asked = read(refundAnswer, this.#desk.refund(chargeOf(request), request.key, body, nowMs));
    if (asked.answer.kind !== 'pending') return asked;
    const found = read(lookupAnswer, this.#desk.findRefund(request.key, nowMs));
    return found.answer.kind === 'refunded' || found.answer.kind === 'refused' ? found : asked;
  }
}

export class Providers {
  readonly byName: ReadonlyMap<string, Provider>;

  constructor(told: (told: Told) => void, capturesAtOnce: (paymentId: string) => boolean) {
    this.byName = new Map(SANDBOX_PROVIDERS.map((name) => [name, new Provider(name, told, capturesAtOnce)]));
  }

  of(name: string): Provider {
    const provider = this.byName.get(name);
    if (provider === undefined) throw new Error(`no provider ${name}`);
    return provider;
  }

  /** Every charge of a payment, at whichever provider, as it stands by now. */
  chargesOf(paymentId: string, nowMs: number): readonly { readonly provider: string; readonly row: ChargeRow }[] {
    return [...this.byName].flatMap(([name, provider]) =>
      [...provider.books.charges.values()]
        .filter((row) => row.payment_id === paymentId)
        .flatMap(({ key }) => {
          const row = provider.charge(key, nowMs);
          return row === null ? [] : [{ provider: name, row }];
        }),
    );
  }
}

/** Money is set aside or taken, and not all of it given back. */
export function isInForce({ status, refunded_minor: refundedMinor, amount_minor: amountMinor }: ChargeRow): boolean {
  return (status === 'authorized' || status === 'captured') && refundedMinor < amountMinor;
}

/** An answer that comes from nobody's books. */
export function failed(
  kind: 'timeout' | 'http_500' | 'http_503' | 'http_429',
  operation: Call['operation'],
): ProviderAnswer {
  return READERS[operation](exchangeOf(kind));
}

function exchangeOf(kind: 'timeout' | 'http_500' | 'http_503' | 'http_429'): Exchange {
  const answered = (status: number, code: string, headers = NO_HEADERS): Exchange => {
    return { kind: 'answered', status, headers, body: { error: { code } } };
  };
  switch (kind) {
    case 'timeout':
      return { kind: 'timeout' };
    case 'http_500':
      return answered(500, 'processing_error');
    case 'http_503':
      return answered(503, 'not_processed');
    case 'http_429':
      return answered(429, 'rate_limited', RETRY_AFTER);
  }
}

const READERS: Readonly<Record<Call['operation'], (exchange: Exchange) => ProviderAnswer>> = {
  authorize: authorizeAnswer,
  capture: captureAnswer,
  unauthorize: voidAnswer,
  refund: refundAnswer,
  lookup: lookupAnswer,
};

function read(reader: (exchange: Exchange) => ProviderAnswer, reply: Reply): Answered {
  const headers =
    reply.retryAfterSeconds === undefined
      ? NO_HEADERS
      : new Headers({ 'retry-after': String(reply.retryAfterSeconds) });
  const answer = reader({ kind: 'answered', status: reply.status, headers, body: reply.body });
  return { answer, waitMs: reply.waitMs ?? 0 };
}

function chargeOf({ chargeReference, chargeKey }: ChargeRequest): string {
  return chargeReference ?? chargeKey;
}

/** What a callback says, as its adapter reads it; null: nothing for a saga. */
export function callbackOf(body: CallbackBody) {
  const result = callbackResult(body);
  return result.kind === 'event' ? result.event : null;
}
