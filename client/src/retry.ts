/**
 * Pure: whether a request is sent again, and after how long. Bounded in attempts and in each wait; the wait has full jitter, so that clients that
 * failed together do not come again together; `Retry-After` is the least that is waited, and the jitter comes on top of it.
 */
export interface RetryPolicy {
  /** All of them, the first too; 1: never again. */
  readonly attemptsMax: number;
  /** Of the first wait's upper end, which doubles each time. */
  readonly firstMs: number;
  /** No wait of ours is longer, and no `Retry-After` that is waited for: of one beyond it the error says it. */
  readonly waitMaxMs: number;
}

export const RETRY_DEFAULT: RetryPolicy = { attemptsMax: 5, firstMs: 250, waitMaxMs: 10_000 };

/** How one attempt ended, if not well. */
export type Fault =
  /** Nothing came back: it may have been carried out. */
  | { readonly kind: 'no_answer' }
  /** 5xx of something in between: likewise. */
  | { readonly kind: 'bad_gateway'; readonly retryAfterMs: number | null }
  | {
      readonly kind: 'problem';
      readonly status: number;
      readonly retryable: boolean;
      readonly retryAfterMs: number | null;
    };

/**
 * How long to wait before the next attempt; null: there is none. Checks, in order: attempts are left → sending again does no harm →
 * it may come out otherwise → the service does not ask for more patience than there is.
 * @param attempt the one that ended, from 1. @param canResend whether a second sending does nothing that the first has done.
 * @param random from 0 to 1, the caller's.
 */
export function waitBeforeNext(
  policy: RetryPolicy,
  attempt: number,
  fault: Fault,
  canResend: boolean,
  random: number,
): number | null {
  if (attempt >= policy.attemptsMax) return null;
  // 429 is refused before anything is done, so that even what cannot be repeated can be sent again.
  const isUntouched = fault.kind === 'problem' && fault.status === 429;
  if (!canResend && !isUntouched) return null;
  if (fault.kind === 'problem' && !fault.retryable) return null;
  const least = fault.kind === 'no_answer' ? 0 : (fault.retryAfterMs ?? 0);
  if (least > policy.waitMaxMs) return null;
  const upper = Math.min(policy.waitMaxMs, policy.firstMs * 2 ** (attempt - 1));
  return least + Math.floor(random * upper);
}

/** RFC 9110, section 10.2.3: seconds, or a date. null: absent, or neither. */
export function retryAfterMs(header: string | null, nowMs: number): number | null {
  if (header === null) return null;
  if (/^[0-9]{1,9}$/.test(header.trim())) return Number(header) * 1_000;
  const atMs = Date.parse(header);
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs);
}
