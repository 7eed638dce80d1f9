/**
 * What a call can fail with: one error class over a tagged union, so that `switch (error.failure.kind)` and, of a problem,
 * `failure.problem.code` tell everything apart, and the compiler says what is forgotten. A payment that is FAILED is no error: it is a payment.
 */
import type { Problem } from './generated.ts';

/** Of all: `attempts` were made; `idempotencyKey` is what to send again with, for an operation that has one. */
interface Sent {
  readonly attempts: number;
  readonly idempotencyKey?: string;
}

export type HoldfastFailure =
  /** The service refused, or could not: `problem.code` says why. */
  | (Sent & { readonly kind: 'problem'; readonly problem: Problem; readonly retryAfterMs?: number })
  /** No answer came, or none that is ours (`bad_gateway`: a 5xx of something in between; `not_ours`: a page of something in between, or the address is another's). Whether the request was carried out is not known: send it again with the same key. */
  | (Sent & {
      readonly kind: 'no_answer';
      readonly reason: 'network' | 'timeout' | 'bad_gateway' | 'not_ours';
      readonly status?: number;
    })
  /** It was waited for, and has not ended in time. Nothing is wrong with it. */
  | (Sent & { readonly kind: 'not_ended'; readonly id: string; readonly waitedMs: number })
  /** No request could be made of what was given (an idempotency key that no header can carry, a body that is no JSON): nothing was sent; `cause` says why. */
  | (Sent & { readonly kind: 'not_sent' })
  /** The caller's signal. */
  | (Sent & { readonly kind: 'aborted' });

export class HoldfastError extends Error {
  override readonly name = 'HoldfastError';
  readonly failure: HoldfastFailure;

  constructor(failure: HoldfastFailure, cause?: unknown) {
    super(messageOf(failure), cause === undefined ? undefined : { cause });
    this.failure = failure;
  }

  /** Of a problem; undefined for any other failure. */
  get code(): Problem['code'] | undefined {
    return this.failure.kind === 'problem' ? this.failure.problem.code : undefined;
  }

  /** May the same be sent again, with the same key? */
  get retryable(): boolean {
    const { failure } = this;
    if (failure.kind === 'problem') return failure.problem.retryable;
    return failure.kind !== 'aborted' && failure.kind !== 'not_sent';
  }
}

export function isHoldfastError(error: unknown): error is HoldfastError {
  return error instanceof HoldfastError;
}

function messageOf(failure: HoldfastFailure): string {
  const tries = `${failure.attempts} ${failure.attempts === 1 ? 'attempt' : 'attempts'}`;
  switch (failure.kind) {
    case 'problem':
      return `${failure.problem.status} ${failure.problem.code}: ${failure.problem.detail} (request ${failure.problem.request_id})`;
    case 'no_answer':
      return `no answer after ${tries} (${failure.status ?? failure.reason}); whether it was carried out is not known`;
    case 'not_ended':
      return `${failure.id} has not ended within ${failure.waitedMs} ms`;
    case 'not_sent':
      return 'no request can be made of what was given; nothing was sent';
    case 'aborted':
      return `aborted after ${tries}`;
  }
}
