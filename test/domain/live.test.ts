/** The inner address of a live timeline: what one side writes the other reads, and nothing else. */
import { describe, expect, test } from 'vitest';
import {
  LIVE_DONE_CODE,
  LIVE_ENDED_HEADER,
  LIVE_REFUSED_CODE,
  liveRequest,
  readLiveRequest,
} from '../../src/domain/live.ts';

const ASKED = 'https://saga/live?merchant=m&mode=sandbox&after=3';
const read = (url: string, headers: Record<string, string> = { Upgrade: 'websocket' }) =>
  readLiveRequest(new Request(url, { headers }));

describe('the request for a live timeline', () => {
  test('names the scope and the sequence, and asks for a WebSocket', () => {
    const request = liveRequest({ scope: { merchant: 'm', mode: 'sandbox' }, afterSequence: 3 });
    expect(request.url).toBe(ASKED);
    expect(request.method).toBe('GET');
    expect([...request.headers]).toEqual([['upgrade', 'websocket']]);
  });

  test.each([
    { scope: { merchant: 'm', mode: 'sandbox' }, afterSequence: 0 },
    { scope: { merchant: 'a&mode=live b', mode: 'live' }, afterSequence: Number.MAX_SAFE_INTEGER },
    { scope: { merchant: '', mode: 'live' }, afterSequence: -1 },
  ] as const)('is read as what it was made of: %j', (asked) => {
    expect(readLiveRequest(liveRequest(asked))).toStrictEqual(asked);
  });

  test('is read from its parts alone', () => {
    expect(read(ASKED)).toStrictEqual({ scope: { merchant: 'm', mode: 'sandbox' }, afterSequence: 3 });
  });

  test.each([
    ['another path', 'https://saga/lives?merchant=m&mode=sandbox&after=3'],
    ['a path below it', 'https://saga/live/x?merchant=m&mode=sandbox&after=3'],
    ['no merchant', 'https://saga/live?mode=sandbox&after=3'],
    ['no mode', 'https://saga/live?merchant=m&after=3'],
    ['a mode that there is not', 'https://saga/live?merchant=m&mode=test&after=3'],
    ['no sequence', 'https://saga/live?merchant=m&mode=sandbox'],
    ['a sequence that is no number', 'https://saga/live?merchant=m&mode=sandbox&after=x'],
    ['a part of a sequence', 'https://saga/live?merchant=m&mode=sandbox&after=1.5'],
    ['a sequence past what is exact', 'https://saga/live?merchant=m&mode=sandbox&after=9007199254740992'],
  ])('is not one with %s', (_what, url) => {
    expect(read(url)).toBeNull();
  });

  test('is not one that asks for no WebSocket, or for something else', () => {
    expect(read(ASKED, {})).toBeNull();
    expect(read(ASKED, { Upgrade: 'h2c' })).toBeNull();
  });
});

test('what is said on a stream is what the specification of WebSockets has for it', () => {
  expect([LIVE_DONE_CODE, LIVE_REFUSED_CODE]).toEqual([1_000, 1_008]);
  expect(LIVE_ENDED_HEADER).toBe('Holdfast-Live-Ended');
});
