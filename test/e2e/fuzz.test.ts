// The API against its own document: requests drawn from it, every answer judged by it. And that the judge can find fault: with
// documents that are not true, and with servers that are not right. `npm run fuzz -- --requests 100000` is the long form.
import { createServer, type RequestListener, type Server } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type OpenApiDocument, operationsOf } from '../../scripts/fuzz/document.ts';
import { FUZZED_VARS, fuzz, type Violation } from '../../scripts/fuzz/run.ts';
import { type LocalWorker, startLocalWorker } from '../../scripts/local-worker.ts';

const REQUESTS = 5_000;
const CANARY_REQUESTS = 150;
/** A busy machine of two cores answers 25 requests in a second, an idle one ten times as many. */
const TIMEOUT_MS = 900_000;
const PORT = 8188;
const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);
/** The same requests every time: whether a few hundred random ones hit on a fault would be a matter of luck. */
const CANARY_SEED = 12;

let worker: LocalWorker;
let document: OpenApiDocument;

beforeAll(async () => {
  worker = await startLocalWorker(PORT, new AbortController().signal, { vars: FUZZED_VARS, isQuiet: true });
  document = (await (await fetch(`${worker.origin}/openapi.json`)).json()) as OpenApiDocument;
}, 120_000);
afterAll(() => worker.stop());

describe('the API', () => {
  it(
    `answers ${REQUESTS} requests as its document says, none with 5xx`,
    async () => {
      const report = await fuzz({ origin: worker.origin, document, requests: REQUESTS, seed });
      expect(report.violations, `seed ${seed}`).toEqual([]);
      expect(report.sent).toBe(REQUESTS);

      // Refusals alone prove little: what a client can do by itself was done, and asked for in vain.
      for (const { id, path } of operationsOf(document)) {
        const statuses = [...(report.answers.get(id)?.keys() ?? [])];
        expect(statuses.length, `${id}, seed ${seed}`).toBeGreaterThan(0);
        // Needs a provider's signature, what only an operator meets, or a delivery to an endpoint that is still there.
        if (/^\/(providers|ops|webhook-deliveries)\//.test(path)) continue;
        expect(statuses, `${id}, seed ${seed}`).toContainEqual(expect.toSatisfy((status) => status < 300));
      }
      expect([...(report.answers.get('outside the document')?.keys() ?? [])].sort()).toEqual([404, 405]);
    },
    TIMEOUT_MS,
  );
});

/** A copy of the document with these paths, changed; what may be changed has no type that would allow it. */
function untrue(paths: readonly string[], change: (copy: Record<string, never>) => void): OpenApiDocument {
  const copy = structuredClone({
    ...document,
    paths: Object.fromEntries(Object.entries(document.paths).filter(([path]) => paths.includes(path))),
  });
  change(copy as unknown as Record<string, never>);
  return copy;
}

async function found(origin: string, against: OpenApiDocument): Promise<readonly Violation[]> {
  return (await fuzz({ origin, document: against, requests: CANARY_REQUESTS, seed: CANARY_SEED })).violations;
}

describe('a document that is not true is found out', () => {
  const PAYMENTS = ['/payments', '/payments/{id}'];
  // biome-ignore lint/suspicious/noExplicitAny: a document that is made untrue is no document any more.
  const cases: [string, string, string[], (copy: any) => void][] = [
    [
      'a status is missing',
      'status_documented',
      PAYMENTS,
      (copy) => delete copy.paths['/payments/{id}'].get.responses[404],
    ],
    [
      'a member is promised',
      'body_conforms',
      PAYMENTS,
      (copy) => copy.components.schemas.Payment.required.push('mood'),
    ],
    [
      'a member is left out',
      'body_conforms',
      PAYMENTS,
      (copy) => delete copy.components.schemas.Payment.properties.saga_state,
    ],
    [
      'a member has another type',
      'body_conforms',
      ['/health'],
      (copy) => (copy.components.schemas.Health.properties.status = { type: 'integer' }),
    ],
    [
      'a code is left out',
      'code_documented',
      PAYMENTS,
      (copy) =>
        delete copy.paths['/payments'].post.responses[400].content['application/problem+json'].examples
          .validation_failed,
    ],
    [
      'a header is promised',
      'header_present',
      ['/health'],
      (copy) =>
        (copy.paths['/health'].get.responses[200].headers['X-Mood'] = { required: true, schema: { type: 'string' } }),
    ],
    [
      'a header has another form',
      'header_conforms',
      ['/health'],
      (copy) =>
        (copy.paths['/health'].get.responses[200].headers['Request-Id'].schema = { type: 'string', maxLength: 1 }),
    ],
    [
      'the content type is another',
      'content_type_documented',
      ['/docs'],
      (copy) => (copy.paths['/docs'].get.responses[200].content = { 'text/plain': { schema: {} } }),
    ],
    [
      'what is accepted is called invalid',
      'invalid_body_refused',
      PAYMENTS,
      (copy) => (copy.components.schemas.PaymentRequest.required = ['mood']),
    ],
  ];

  it.each(cases)(
    'where %s: %s',
    async (_case, rule, paths, change) => {
      const violations = await found(worker.origin, untrue(paths, change));
      expect(violations.map((one) => one.rule)).toContain(rule);
    },
    TIMEOUT_MS,
  );

  it(
    'by a request that is made small, and told as a command that sends it',
    async () => {
      const change = cases[0]?.[3];
      const [violation] = await found(
        worker.origin,
        untrue(['/payments/{id}'], (copy) => change?.(copy)),
      );
      expect(violation?.curl).toMatch(
        /^curl -X GET --path-as-is -i 'http:\/\/localhost:[0-9]+\/payments\/[^ ]{1,60}'$/,
      );
    },
    TIMEOUT_MS,
  );
});

describe('a server that is not right is found out', () => {
  let server: Server | null = null;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });

  function serve(listener: RequestListener): Promise<string> {
    const started = createServer(listener);
    server = started;
    return new Promise((resolve) => {
      started.listen(0, '127.0.0.1', () => {
        const address = started.address();
        resolve(`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`);
      });
    });
  }
  const deposits = (): OpenApiDocument => untrue(['/wallets/{id}/deposits'], () => undefined);

  it('when it answers 500', async () => {
    const origin = await serve((_request, response) => response.writeHead(500).end());
    expect((await found(origin, deposits())).map((one) => one.rule)).toContain('no_5xx');
  });

  it('when it hangs up', async () => {
    const origin = await serve((request) => request.socket.destroy());
    expect((await found(origin, deposits())).map((one) => one.rule)).toContain('is_answered');
  });

  it('when it takes whatever it is sent, and the same key twice', async () => {
    let entries = 0;
    const origin = await serve((_request, response) => {
      entries += 1;
      response.writeHead(201, { 'content-type': 'application/json', 'request-id': crypto.randomUUID() });
      response.end(JSON.stringify({ object: 'ledger_entry', sequence: entries }));
    });
    const rules = (await found(origin, deposits())).map((one) => one.rule);
    expect(rules).toEqual(expect.arrayContaining(['header_present', 'outside_refused']));

    const lenient = untrue(['/wallets/{id}/deposits'], (copy: Record<string, never>) => {
      const { post } = Object(copy.paths)['/wallets/{id}/deposits'];
      post.responses[201] = { content: { 'application/json': { schema: {} } } };
    });
    expect((await found(origin, lenient)).map((one) => one.rule)).toEqual(
      expect.arrayContaining(['invalid_body_refused', 'replay_is_the_same', 'other_body_refused']),
    );
  });

  it('and a stream that never ends is left', async () => {
    const origin = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'request-id': crypto.randomUUID() });
      response.write('data: 1\n\n');
    });
    const streaming = untrue(['/health'], (copy: Record<string, never>) => {
      // No header is promised: a violation would be made small, by streams that are each waited for.
      Object(copy.paths)['/health'].get.responses[200] = { content: { 'text/event-stream': { schema: {} } } };
    });
    // Sixteen requests without a violation: one would be made small, with a stream to wait for at each try.
    const { sent, violations } = await fuzz({ origin, document: streaming, requests: 16, seed: CANARY_SEED });
    expect(violations).toEqual([]);
    expect(sent).toBe(16);
  });
});
