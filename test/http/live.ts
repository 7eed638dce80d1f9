/** How the tests listen to a live timeline: server-sent events and WebSockets, as a client reads them. */
import { expect } from 'vitest';
import type { Envelope } from '../../src/domain/events/envelope.ts';
import { send } from './client.ts';

export interface SentEvent {
  readonly id: number;
  readonly event: string;
  readonly data: Envelope;
}

/** Opens a stream of server-sent events. */
export function openStream(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return send(path, { headers: { accept: 'text/event-stream', ...headers } });
}

/** Reads a stream until it ends, or until `enough` of what came; then cuts it off. */
export async function readStream(
  response: Response,
  enough: (events: readonly SentEvent[]) => boolean = () => false,
): Promise<SentEvent[]> {
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (reader === undefined) throw new Error('the stream has no body');
  const events: SentEvent[] = [];
  let rest = '';
  for (;;) {
    if (enough(events)) {
      await reader.cancel();
      return events;
    }
    const { done, value } = await reader.read();
    if (done) return events;
    const blocks = `${rest}${value}`.split('\n\n');
    rest = blocks.pop() ?? '';
    events.push(...blocks.flatMap((block) => parseBlock(block) ?? []));
  }
}

/** One event; null for a comment or a field by itself. */
function parseBlock(block: string): SentEvent | null {
  const fields = new Map(block.split('\n').map((line) => line.split(/: (.*)/s, 2) as [string, string]));
  const data = fields.get('data');
  if (data === undefined) return null;
  return { id: Number(fields.get('id')), event: fields.get('event') ?? '', data: JSON.parse(data) as Envelope };
}

export interface LiveSocket {
  readonly socket: WebSocket;
  readonly messages: string[];
  /** Resolves when the other side has closed it. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

export async function openSocket(path: string): Promise<LiveSocket> {
  const response = await send(path, { headers: { upgrade: 'websocket' } });
  const { webSocket: socket } = response;
  if (response.status !== 101 || socket === null) throw new Error(`no WebSocket: ${response.status}`);
  const messages: string[] = [];
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.addEventListener('close', ({ code, reason }) => resolve({ code, reason }));
    socket.addEventListener('error', () => resolve({ code: 1006, reason: 'error' }));
  });
  socket.addEventListener('message', ({ data }) => messages.push(String(data)));
  socket.accept();
  return { socket, messages, closed };
}

export function sequencesOf(messages: readonly string[]): number[] {
  return messages.map((message) => (JSON.parse(message) as Envelope).metadata.sequence);
}
