/**
 * A small receiver of webhooks for this machine: `WEBHOOK_SECRET=whsec_… npm run webhook-receiver`. Verifies each delivery
 * with the Standard Webhooks library, prints one line per event, and answers 204; what does not verify gets 401. Options:
 * `--port 9000`, and `--events 1` to end after so many. Loopback only. An example of what a merchant writes, too.
 */
import { createServer, type IncomingMessage } from 'node:http';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { messageOf, readCommandLine, refuse, wholeNumber } from './command-line.ts';

interface WebhookEvent {
  readonly type: string;
  readonly timestamp: string;
  readonly data: { readonly id: string; readonly status?: string };
}

/** Bodies of ours are a few kilobytes; a stranger's are not read to their end. */
const BODY_BYTES_MAX = 64 * 1024;

const PORT_DEFAULT = 9_000;
const USAGE = `WEBHOOK_SECRET=whsec_… npm run webhook-receiver -- [--port N] [--events N]

  WEBHOOK_SECRET  what POST /webhook-endpoints answered as \`secret\`
  --port          absent: ${PORT_DEFAULT}
  --events        ends after so many; absent: by Ctrl-C`;

const { values } = readCommandLine(USAGE, { port: { type: 'string' }, events: { type: 'string' } });
const port = wholeNumber(USAGE, '--port', values.port, { otherwise: PORT_DEFAULT, min: 1, max: 65_535 });
const events = wholeNumber(USAGE, '--events', values.events, { otherwise: Number.POSITIVE_INFINITY, min: 1 });
const webhook = readSecret(process.env.WEBHOOK_SECRET ?? '');
// By id: an event can come more than once, and is to be taken once.
const seen = new Set<string>();

const server = createServer((request, response) => {
  void receive(request).then((status) => {
    response.writeHead(status).end();
    if (seen.size >= events) server.close();
  });
});
server.once('error', (error) => {
  console.error(`Port ${port} cannot be had: ${error.message}`);
  process.exitCode = 1;
});
server.listen(port, '127.0.0.1', () => console.log(`listening on http://localhost:${port}/`));

function readSecret(secret: string): Webhook {
  if (secret === '') refuse('WEBHOOK_SECRET is not set.', USAGE);
  try {
    return new Webhook(secret);
  } catch (error) {
    // Which says what is wrong with its text, and not the text.
    return refuse(`WEBHOOK_SECRET is no secret of a webhook endpoint: ${messageOf(error)}`, USAGE);
  }
}

async function receive(request: IncomingMessage): Promise<number> {
  const body = await bodyOf(request);
  if (body === null) return 413;
  const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
  try {
    // The bytes as they came: parsed and written again, they would be others, and would not verify.
    const event = webhook.verify(body, headers) as WebhookEvent;
    const id = headers['webhook-id'] ?? '';
    console.log(`${seen.has(id) ? 'again' : 'verified'}  ${event.type}  ${event.data.id}  ${event.data.status ?? ''}`);
    seen.add(id);
    return 204;
  } catch (error) {
    if (!(error instanceof WebhookVerificationError)) throw error;
    console.log(`refused  ${error.message}`);
    return 401;
  }
}

async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > BODY_BYTES_MAX) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
