/**
 * Pure: reads server-sent events out of text as it arrives
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation). Written out here since
 * EventSource can send no `Authorization`. Used by the client, and by the operations console.
 */

export interface ServerSentEvent {
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/** Takes pieces of the stream, cut anywhere, and answers the events that each of them completes. */
export class EventStreamParser {
  #rest = '';
  #id = '';
  #event = '';
  #data: string[] = [];
  #begun = false;
  #retryMs: number | null = null;

  /** How long the stream asks to wait before coming again; null while it has not said. */
  get retryMs(): number | null {
    return this.#retryMs;
  }

  push(text: string): ServerSentEvent[] {
    this.#rest += text;
    if (!this.#begun && this.#rest !== '') {
      this.#begun = true;
      this.#rest = this.#rest.replace(/^\uFEFF/, '');
    }
    const events: ServerSentEvent[] = [];
    // A CR at the end may be half of a CRLF: it waits for what follows.
    for (let end = this.#rest.match(/\r\n|\n|\r(?!$)/); end !== null; end = this.#rest.match(/\r\n|\n|\r(?!$)/)) {
      const at = end.index ?? 0;
      const event = this.#line(this.#rest.slice(0, at));
      this.#rest = this.#rest.slice(at + end[0].length);
      if (event !== null) events.push(event);
    }
    return events;
  }

  #line(line: string): ServerSentEvent | null {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    if (colon === 0) return null;
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') this.#data.push(value);
    if (field === 'event') this.#event = value;
    if (field === 'retry' && /^[0-9]{1,9}$/.test(value)) this.#retryMs = Number(value);
    if (field === 'id' && !value.includes('\0')) this.#id = value;
    return null;
  }

  #dispatch(): ServerSentEvent | null {
    const event = { id: this.#id, event: this.#event === '' ? 'message' : this.#event, data: this.#data.join('\n') };
    const isEmpty = this.#data.length === 0;
    this.#event = '';
    this.#data = [];
    return isEmpty ? null : event;
  }
}
