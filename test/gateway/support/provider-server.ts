/**
 * The HTTP side of the simulated providers: a server on loopback whose books are kept per API key, so that tests do not
 * meet, and which can be told to fail on the wire. Runs in Node (`provider-servers.ts` starts it); tests in the Workers
 * runtime steer it over `/_test/{api key}`, by `provider-remote.ts`.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Incoming {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

/** `after`: the provider does what it was asked, and the answer is lost; else it does nothing. */
export type WireFault =
  | { readonly do: 'hang' | 'cut' | 'garbage'; readonly after?: boolean }
  | { readonly do: 'answer'; readonly answer: Answer; readonly after?: boolean };

export interface FaultRule {
  /** Method and path, or the beginning of one: `POST /v1/payment_intents`. */
  readonly on: string;
  readonly fault: WireFault;
  readonly times: number;
}

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly key: string | null;
  readonly body: string;
}

/** One account at the provider: its books and what it heard. */
export interface Account {
  /** What the provider would have its integrators mend: unknown parameters, missing headers. */
  readonly warnings: string[];
  handle(incoming: Incoming): Answer;
  /** What it answers instead of what it has done, or has not: a provider that stores an answer under its key stores this one. */
  answered?(incoming: Incoming, answer: Answer): void;
  /** Whatever else a test may set. */
  set(option: string, value: unknown): void;
  /** What a test may read. */
  books(): unknown;
}

interface Desk {
  readonly account: Account;
  readonly calls: Call[];
  faults: FaultRule[];
}

export async function startProviderServer(
  open: () => Account,
  keyHeader: string,
): Promise<{ url: string; server: Server }> {
  const desks = new Map<string, Desk>();
  const deskOf = (apiKey: string): Desk => {
    const desk = desks.get(apiKey) ?? { account: open(), calls: [], faults: [] };
    desks.set(apiKey, desk);
    return desk;
  };
  const server = createServer((request, response) => {
    void receive(request).then((incoming) => {
      const control = /^\/_test\/(.+)$/.exec(incoming.path)?.[1];
      if (control !== undefined) return steer(deskOf(control), incoming, response);
      const apiKey = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
      if (apiKey === undefined)
        return send(response, { status: 401, body: { error: { type: 'invalid_request_error' } } });
      serve(deskOf(apiKey), incoming, keyHeader, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

async function receive(request: IncomingMessage): Promise<Incoming> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const url = new URL(request.url ?? '/', 'http://localhost');
  return {
    method: request.method ?? 'GET',
    path: url.pathname,
    query: url.searchParams,
    headers: request.headers,
    text: Buffer.concat(chunks).toString('utf8'),
  };
}

function steer(desk: Desk, incoming: Incoming, response: ServerResponse): void {
  if (incoming.method === 'POST') {
    const told = JSON.parse(incoming.text) as { faults?: FaultRule[]; set?: Record<string, unknown> };
    if (told.faults) desk.faults = told.faults;
    for (const [option, value] of Object.entries(told.set ?? {})) desk.account.set(option, value);
  }
  const { account, calls } = desk;
  send(response, { status: 200, body: { calls, warnings: account.warnings, books: account.books() } });
}

function serve(desk: Desk, incoming: Incoming, keyHeader: string, response: ServerResponse): void {
  const { method, path, text, headers } = incoming;
  const key = headers[keyHeader];
  desk.calls.push({ method, path, key: typeof key === 'string' ? key : null, body: text });
  const fault = takeFault(desk, `${method} ${path}`);
  if (fault === undefined) {
    send(response, desk.account.handle(incoming));
    return;
  }
  if (fault.after === true) desk.account.handle(incoming);
  switch (fault.do) {
    case 'hang':
      return;
    case 'cut':
      response.socket?.destroy();
      return;
    case 'garbage':
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end('{"object":"payment_int');
      return;
    case 'answer':
      desk.account.answered?.(incoming, fault.answer);
      send(response, fault.answer);
  }
}

function takeFault(desk: Desk, called: string): WireFault | undefined {
  const rule = desk.faults.find(({ on, times }) => times > 0 && called.startsWith(on));
  if (rule === undefined) return undefined;
  desk.faults = desk.faults.map((each) => (each === rule ? { ...rule, times: rule.times - 1 } : each));
  return rule.fault;
}

function send(response: ServerResponse, { status, body, headers }: Answer): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}
