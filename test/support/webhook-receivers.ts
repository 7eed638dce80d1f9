/**
 * Receivers of webhooks for a test run: one server on loopback, in Node (vitest's `globalSetup`). Each path is a receiver of
 * its own, which writes down what it hears and answers by its script; tests in the Workers runtime steer it over HTTP
 * (`receiver.ts`).
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestProject } from 'vitest/node';
import type { Received, Reply } from './receiver.ts';

declare module 'vitest' {
  interface ProvidedContext {
    receiversUrl: string;
  }
}

interface Desk {
  readonly received: Received[];
  /** Taken one by one, the last for ever. */
  replies: Reply[];
  /** What was never answered, until somebody has it answered. */
  readonly hanging: ServerResponse[];
}

export default async function setup(project: TestProject): Promise<() => void> {
  const server = await startReceivers();
  project.provide('receiversUrl', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return () => {
    // Receivers that never answer are part of the tests: nobody waits for them.
    server.closeAllConnections();
    server.close();
  };
}

async function startReceivers(): Promise<Server> {
  const desks = new Map<string, Desk>();
  const deskOf = (name: string): Desk => {
    const desk = desks.get(name) ?? { received: [], replies: [{ status: 200 }], hanging: [] };
    desks.set(name, desk);
    return desk;
  };
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      const [, kind, name = ''] = (request.url ?? '').split('/');
      const desk = deskOf(name);
      if (kind === 'hooks') receive(desk, request, body, response);
      else steer(desk, request, body, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function receive(desk: Desk, { method = '', headers }: IncomingMessage, body: string, response: ServerResponse): void {
  desk.received.push({ atMs: Date.now(), method, headers: headers as Record<string, string>, body });
  const [reply = { status: 200 }, ...rest] = desk.replies;
  if (rest.length > 0) desk.replies = rest;
  switch (reply.does) {
    case 'hang':
      desk.hanging.push(response);
      return;
    case 'cut':
      response.socket?.destroy();
      return;
    case 'flood':
      flood(reply, response);
      return;
    case 'stall':
      response.writeHead(reply.status ?? 200, reply.headers).write(reply.body ?? 'o');
      return;
    default:
      response.writeHead(reply.status ?? 200, reply.headers).end(reply.body ?? 'ok');
  }
}

/** A body without end. */
function flood({ status = 200, headers = { 'content-type': 'text/plain' } }: Reply, response: ServerResponse): void {
  response.writeHead(status, headers);
  const more = (): void => {
    while (response.write('x'.repeat(65_536)));
  };
  response.on('drain', more);
  more();
}

function steer(desk: Desk, request: IncomingMessage, body: string, response: ServerResponse): void {
  if (request.method === 'POST') desk.replies = JSON.parse(body) as Reply[];
  if (request.method === 'DELETE') for (const hung of desk.hanging.splice(0)) hung.end('ok');
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(desk.received));
}
