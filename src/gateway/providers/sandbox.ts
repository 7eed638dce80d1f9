/**
 * Adapter to a sandbox provider: its protocol over `stub.fetch`, read into `ProviderAnswer`. The tables `AUTHORIZED` …
 * `REFUSED` below are the whole outcome mapping; test/gateway/sandbox-mapping.test.ts goes through it row by row.
 * It must never read a status without its body, nor take an unreadable answer for a no.
 */
import type { Calls } from '../../stubs.ts';
import { errorText } from '../../telemetry/log.ts';
import { parseJsonBytes } from '../bounded-body.ts';
import { type Exchange, exchange, type Fetcher, noAnswer } from '../exchange.ts';
import { PROVIDER_TIMEOUT_MS } from '../limits.ts';
import type {
  AuthorizeAnswer,
  AuthorizeRequest,
  CallbackResult,
  CaptureAnswer,
  ChargeRequest,
  LookupAnswer,
  LookupRequest,
  NoAnswer,
  Provider,
  ProviderAnswer,
  ProviderCapabilities,
  RawCallback,
  RefundAnswer,
  StatementAnswer,
  StatementRequest,
  VoidAnswer,
} from '../provider.ts';
import { checkSignature } from '../signature.ts';
import {
  type CallbackBody,
  type ChargeBody,
  type ChargeRequestBody,
  callbackBodySchema,
  chargeBodySchema,
  errorBodySchema,
  IDEMPOTENCY_HEADER,
  type RefundBody,
  refundBodySchema,
  type SandboxBooksRpc,
  type SandboxProviderName,
  SIGNATURE_HEADER,
  sandboxApiKey,
  sandboxSigningSecret,
} from './sandbox-protocol.ts';
import { BOOKS_PAGE_SIZE, booksCursor, statementPage } from './sandbox-statement.ts';

/** The provider's object: its HTTP door, and its books beside it. */
export type SandboxHost = Fetcher & Calls<SandboxBooksRpc>;

/** A host that cannot exist (RFC 2606): the stub decides where the request goes. */
const ORIGIN = 'https://sandbox.invalid';

export class SandboxAdapter implements Provider {
  readonly capabilities: ProviderCapabilities = { statement: 'charges_and_refunds' };
  readonly name: SandboxProviderName;
  readonly #fetcher: () => SandboxHost;
  readonly #timeoutMs: number;
  readonly #traceparent: string | undefined;

  /** @param fetcher a fresh stub for each call: one that threw is broken. */
  constructor(
    name: SandboxProviderName,
    fetcher: () => SandboxHost,
    timeoutMs: number = PROVIDER_TIMEOUT_MS.sandbox,
    traceparent?: string,
  ) {
    this.name = name;
    this.#fetcher = fetcher;
    this.#timeoutMs = timeoutMs;
    this.#traceparent = traceparent;
  }

  traced(traceparent: string): SandboxAdapter {
    return new SandboxAdapter(this.name, this.#fetcher, this.#timeoutMs, traceparent);
  }

  async authorize(request: AuthorizeRequest): Promise<AuthorizeAnswer> {
    const body: ChargeRequestBody = {
      amount: request.amountMinor,
      currency: request.currency,
      method: request.method,
      ...(request.token !== undefined && { token: request.token }),
      ...(request.amountCodes === true && { amount_codes: true }),
      metadata: { payment_id: request.paymentId, effect_id: request.effectId },
    };
    return authorizeAnswer(await this.#post('/charges', request.key, body));
  }

  async capture(request: ChargeRequest): Promise<CaptureAnswer> {
    return captureAnswer(await this.#post(`${chargePath(request)}/capture`, request.key, {}));
  }

  async void(request: ChargeRequest): Promise<VoidAnswer> {
    return voidAnswer(await this.#post(`${chargePath(request)}/void`, request.key, {}));
  }

  async refund(request: ChargeRequest): Promise<RefundAnswer> {
    const metadata = { payment_id: request.paymentId, effect_id: request.effectId };
    const body = { amount: request.amountMinor, metadata };
    return refundAnswer(await this.#post(`${chargePath(request)}/refunds`, request.key, body));
  }

  async lookup(request: LookupRequest): Promise<LookupAnswer> {
    const path =
      request.refundKey === undefined
        ? `/charges?key=${encodeURIComponent(request.chargeKey)}`
        : `/refunds?key=${encodeURIComponent(request.refundKey)}`;
    return lookupAnswer(await this.#exchange(new Request(ORIGIN + path)));
  }

  async statement(request: StatementRequest): Promise<StatementAnswer> {
    try {
      const page = await this.#fetcher().books({ ...booksCursor(request.cursor), limit: BOOKS_PAGE_SIZE });
      return statementPage(this.name, request, page);
    } catch (error) {
      return { kind: 'unknown', reason: errorText(error) };
    }
  }

  async parseCallback(callback: RawCallback, nowMs: number): Promise<CallbackResult> {
    const header = callback.headers.get(SIGNATURE_HEADER);
    const check = await checkSignature(header, callback.body, sandboxSigningSecret(this.name), nowMs);
    return check === 'valid' ? readCallback(callback.body) : { kind: 'rejected', reason: check };
  }

  #post(path: string, key: string, body: unknown): Promise<Exchange> {
    const headers = { [IDEMPOTENCY_HEADER]: key, 'content-type': 'application/json' };
    return this.#exchange(new Request(ORIGIN + path, { method: 'POST', headers, body: JSON.stringify(body) }));
  }

  #exchange(request: Request): Promise<Exchange> {
    request.headers.set('authorization', `Bearer ${sandboxApiKey(this.name)}`);
    if (this.#traceparent !== undefined) request.headers.set('traceparent', this.#traceparent);
    return exchange(this.#fetcher(), request, this.#timeoutMs);
  }
}

function chargePath(request: ChargeRequest): string {
  return `/charges/${encodeURIComponent(request.chargeReference ?? request.chargeKey)}`;
}

// ── What an exchange means ───────────────────────────────────────────────────────────────────────────────────────────
// Rows of every operation, in order: 503 that says `not_processed` → not_sent · those of `noAnswer` · 2xx by the body's
// status · 402, 404, 409, 4xx by the body's error code · anything else → unknown.

type Read<Answer> = (charge: ChargeBody) => Answer | null;

export function authorizeAnswer(result: Exchange): AuthorizeAnswer {
  return answer<AuthorizeAnswer>(result, {
    ok: (body) => onCharge(body, chargeApproved),
    error: (status, code, declineCode, reference) => {
      if (status === 402 && code === 'card_declined' && declineCode !== undefined) {
        return { kind: 'declined', declineCode, ...(reference !== undefined && { reference }) };
      }
      return status === 400 || status === 422 ? { kind: 'refused', code } : null;
    },
  });
}

export function captureAnswer(result: Exchange): CaptureAnswer {
  return answer<CaptureAnswer>(result, {
    ok: (body) =>
      onCharge(body, ({ status, id }) => (status === 'captured' ? { kind: 'captured', reference: id } : null)),
    error: refusedOrAbsent,
  });
}

export function voidAnswer(result: Exchange): VoidAnswer {
  return answer<VoidAnswer>(result, {
    ok: (body) => onCharge(body, ({ status, id }) => (status === 'voided' ? { kind: 'voided', reference: id } : null)),
    error: refusedOrAbsent,
  });
}

export function refundAnswer(result: Exchange): RefundAnswer {
  return answer<RefundAnswer>(result, { ok: onRefund, error: refusedOrAbsent });
}

export function lookupAnswer(result: Exchange): LookupAnswer {
  return answer<LookupAnswer>(result, {
    ok: (body) => onCharge(body, chargeFound) ?? onRefund(body),
    // Absence is said by the provider's own code; a 404 of anything else on the way proves nothing.
    error: (status, code) => (status === 404 && code === 'not_found' ? { kind: 'absent' } : null),
  });
}

interface Reading<Answer> {
  readonly ok: (body: unknown) => Answer | null;
  readonly error: (status: number, code: string, declineCode?: string, reference?: string) => Answer | null;
}

function answer<Answer extends ProviderAnswer>(result: Exchange, reading: Reading<Answer>): Answer | NoAnswer {
  const error = result.kind === 'answered' ? errorBodySchema.safeParse(result.body).data?.error : undefined;
  if (result.kind === 'answered' && result.status === 503 && error?.code === 'not_processed') {
    return { kind: 'not_sent', reason: 'provider_unavailable' };
  }
  const none = noAnswer(result);
  if (none !== null || result.kind !== 'answered') return none ?? { kind: 'unknown', reason: 'no_answer' };
  const { status, body } = result;
  const unread: NoAnswer = { kind: 'unknown', reason: error === undefined ? `http_${status}` : error.code };
  if (status >= 200 && status < 300) return reading.ok(body) ?? unread;
  if (error === undefined) return unread;
  return reading.error(status, error.code, error.decline_code, error.charge) ?? unread;
}

function onCharge<Answer>(body: unknown, read: Read<Answer>): Answer | null {
  const charge = chargeBodySchema.safeParse(body);
  return charge.success ? read(charge.data) : null;
}

function onRefund(body: unknown): RefundAnswer | null {
  const refund = refundBodySchema.safeParse(body);
  return refund.success ? refundStanding(refund.data) : null;
}

/** A charge's standing as the answer to an authorization: a voided or refunded one was approved, once. */
function chargeApproved({ id, status, decline_code: declineCode }: ChargeBody): AuthorizeAnswer | null {
  switch (status) {
    case 'authorized':
      return { kind: 'approved', reference: id, captured: false };
    case 'captured':
      return { kind: 'approved', reference: id, captured: true };
    case 'pending':
      return { kind: 'pending', reference: id };
    case 'declined':
      return { kind: 'declined', declineCode: declineCode ?? 'generic_decline', reference: id };
    case 'voided':
    case 'refunded':
      return null;
  }
}

function chargeFound(charge: ChargeBody): LookupAnswer | null {
  if (charge.status === 'voided') return { kind: 'voided', reference: charge.id };
  if (charge.status === 'refunded') return { kind: 'refunded', reference: charge.id };
  return chargeApproved(charge);
}

function refundStanding({ id, status }: RefundBody): RefundAnswer {
  switch (status) {
    case 'refunded':
      return { kind: 'refunded', reference: id };
    case 'pending':
      return { kind: 'pending', reference: id };
    case 'failed':
      return { kind: 'refused', code: 'refund_failed', reference: id };
  }
}

/** 409 is not among them: our key under another body says nothing of what the first one did. */
function refusedOrAbsent(status: number, code: string): Extract<ProviderAnswer, { kind: 'refused' | 'absent' }> | null {
  if (status === 404 && code === 'not_found') return { kind: 'absent' };
  return status === 400 || status === 422 ? { kind: 'refused', code } : null;
}

function readCallback(bytes: Uint8Array): CallbackResult {
  const body = callbackBodySchema.safeParse(parseJsonBytes(bytes));
  return body.success ? callbackResult(body.data) : { kind: 'rejected', reason: 'malformed' };
}

/** What a genuine callback says, by its body alone. */
export function callbackResult({ id, type, created_at_ms: occurredAtMs, data }: CallbackBody): CallbackResult {
  const { payment_id: paymentId, effect_id: effectId } = data.metadata;
  const operation = type === 'charge.updated' ? 'authorize' : 'refund';
  const standing = data.object === 'charge' ? chargeApproved(data) : refundStanding(data);
  if (standing === null) return { kind: 'ignored', reason: `charge_${data.status}` };
  return {
    kind: 'event',
    event: { id, occurredAtMs, paymentId, effectId, operation, answer: standing },
  };
}
