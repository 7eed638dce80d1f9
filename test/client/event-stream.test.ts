// The parser of server-sent events: whatever the pieces are that the stream arrives in.
import { describe, expect, test } from 'vitest';
import { EventStreamParser, type ServerSentEvent } from '../../client/src/event-stream.ts';

const STREAM = ': hello\nretry: 1000\n\nid: 1\nevent: payment.created\ndata: {"a":1}\n\nid: 2\ndata: one\ndata:two\n\n';
const EVENTS: ServerSentEvent[] = [
  { id: '1', event: 'payment.created', data: '{"a":1}' },
  { id: '2', event: 'message', data: 'one\ntwo' },
];

function parse(...pieces: string[]): ServerSentEvent[] {
  const parser = new EventStreamParser();
  return pieces.flatMap((piece) => parser.push(piece));
}

describe('a stream', () => {
  test('gives its events, without comments and fields that are not of events', () => {
    expect(parse(STREAM)).toEqual(EVENTS);
  });

  test('may be cut anywhere, whichever line ends it has', () => {
    for (const text of [STREAM, STREAM.replaceAll('\n', '\r\n'), `${STREAM.replaceAll('\n', '\r')}:`]) {
      expect(parse(...text)).toEqual(EVENTS);
      for (let at = 0; at <= text.length; at++) expect(parse(text.slice(0, at), text.slice(at))).toEqual(EVENTS);
    }
  });

  test('may begin with a byte order mark', () => {
    expect(parse('\uFEFF', STREAM)).toEqual(EVENTS);
  });

  test('keeps the last id for events that have none, and takes none with a NUL in it', () => {
    expect(parse('id: 7\ndata: a\n\ndata: b\n\nid: x\0y\ndata: c\n\n').map(({ id }) => id)).toEqual(['7', '7', '7']);
  });

  test('with an event that has no data gives nothing, and does not name the next one by it', () => {
    expect(parse('event: lost\n\ndata: a\n\n')).toEqual([{ id: '', event: 'message', data: 'a' }]);
  });

  test('takes off one space before a value, and takes a field without a colon for one without a value', () => {
    expect(parse('data:  two\ndata\n\n')).toEqual([{ id: '', event: 'message', data: ' two\n' }]);
  });

  test('that ends within an event does not give it', () => {
    expect(parse('data: half')).toEqual([]);
    expect(parse('data: half\n')).toEqual([]);
  });
});
