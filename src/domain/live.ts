/**
 * Pure: the inner address of a saga's live timeline: how the Worker asks the saga's object for a stream, and how the
 * object reads what it was asked. Both sides are here, so that they cannot differ. Nothing outside can reach it: the
 * Worker makes the request anew, from what it has checked itself.
 */
import type { Scope } from './ids.ts';

export interface LiveRequest {
  readonly scope: Scope;
  /** Only events with a higher sequence. */
  readonly afterSequence: number;
}

/** On the object's 101: nothing is to come, and the stream closes at once. */
export const LIVE_ENDED_HEADER = 'Holdfast-Live-Ended';
/** The close code of a stream that has told everything (RFC 6455, section 7.4.1: the purpose has been fulfilled). */
export const LIVE_DONE_CODE = 1000;
/** The close code of a stream that was open for long: there is more, for whoever comes again (RFC 6455: going away). */
export const LIVE_AGAIN_CODE = 1001;
/** The close code for a client that speaks where there is nothing to say (RFC 6455: a message violates the policy). */
export const LIVE_REFUSED_CODE = 1008;

export function liveRequest({ scope, afterSequence }: LiveRequest): Request {
  const url = new URL('https://saga/live');
  url.search = new URLSearchParams({ ...scope, after: String(afterSequence) }).toString();
  return new Request(url, { headers: { Upgrade: 'websocket' } });
}

/** What `liveRequest` was made of; null for any other request. */
export function readLiveRequest(request: Request): LiveRequest | null {
  const { pathname, searchParams } = new URL(request.url);
  const mode = searchParams.get('mode');
  const merchant = searchParams.get('merchant');
  const afterSequence = Number(searchParams.get('after') ?? Number.NaN);
  if (pathname !== '/live' || request.headers.get('Upgrade') !== 'websocket') return null;
  if (merchant === null || (mode !== 'sandbox' && mode !== 'live') || !Number.isSafeInteger(afterSequence)) return null;
  return { scope: { merchant, mode }, afterSequence };
}
