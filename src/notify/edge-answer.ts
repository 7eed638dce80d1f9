/**
 * Tells an error page of Cloudflare's edge from an answer of the receiver. A deployed Worker's `fetch` leaves through that edge, which
 * answers in the place of a host that it could not talk to, and does not throw. For the words of an attempt only, where a wrong guess
 * costs nothing: of a payment such a page proves nothing (docs/decisions/0090-what-the-edge-answers.md). Called by `webhook-request.ts`.
 */
import { readBounded } from '../gateway/bounded-body.ts';

/**
 * What each comes down to. A host behind Cloudflare has an edge of its own, whose page means the same: its server did not answer.
 * https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/
 */
const MEANINGS: ReadonlyMap<number, 'connection_failed' | 'timeout'> = new Map([
  /** No answer, or none that could be read: a connection that was cut. */
  [520, 'connection_failed'],
  /** Refused. */
  [521, 'connection_failed'],
  [522, 'timeout'],
  /** No route to it. */
  [523, 'connection_failed'],
  [524, 'timeout'],
  /** No TLS handshake, or a certificate that is not valid. */
  [525, 'connection_failed'],
  [526, 'connection_failed'],
  /** No address, `error code: 1016`, or another 1XXX: https://developers.cloudflare.com/workers/platform/known-issues/ */
  [530, 'connection_failed'],
]);

/** The page is one line, of 16 or 17 bytes. */
const PAGE_BYTES_MAX = 64;

/**
 * What went wrong, or null where the receiver itself has answered. Checks, in order: one of these statuses → `server: cloudflare` and a
 * `cf-ray` → the body is `error code: ` and that status, or a 1XXX for 530. Reads of no other body, and at most PAGE_BYTES_MAX of this one.
 */
export async function edgeErrorOf(response: Response): Promise<'connection_failed' | 'timeout' | null> {
  const { status, headers } = response;
  const meaning = MEANINGS.get(status);
  if (meaning === undefined) return null;
  // Everything that passes through Cloudflare has both: they tell the edge's page from a page of that text, not from the receiver's answers.
  if (headers.get('server')?.toLowerCase() !== 'cloudflare' || !headers.has('cf-ray')) return null;
  const code = /^error code: (\d{3,4})\s*$/.exec(await beginningOf(response))?.[1] ?? '';
  const isOfEdge = status === 530 ? /^1\d{3}$/.test(code) : code === String(status);
  return isOfEdge ? meaning : null;
}

/** Nothing of a body that is larger, or that breaks off: the edge's page does neither. */
async function beginningOf(response: Response): Promise<string> {
  try {
    const bytes = await readBounded(response.body, PAGE_BYTES_MAX);
    return bytes === null ? '' : new TextDecoder().decode(bytes);
  } catch {
    // The status has been heard: what is said of the attempt does not hang on a body that was cut, or not sent in time.
    return '';
  }
}
