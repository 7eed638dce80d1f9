/** What cannot be sent: said when the client is made, or as a HoldfastError, and never to the network. */
import { describe, expect, test } from 'vitest';
import { Holdfast, HoldfastError } from '../../client/src/index.ts';

const PAYMENT = { wallet_id: 'w', service_id: 's', amount: 1, currency: 'USD', method: 'balance' } as const;

describe('a client is not made', () => {
  test.each([
    'nonsense',
    '',
    '/payments',
    'ftp://holdfast.test',
    'https://me:secret@holdfast.test',
    'https://x.test?a=1',
  ])('of the address %j', (baseUrl) => {
    expect(() => new Holdfast({ baseUrl })).toThrow(TypeError);
  });

  test.each(['hf_live_€', 'hf_live_1\nX-Other: 1', 'hf live'])('of the key %j, which is not repeated', (apiKey) => {
    const make = () => new Holdfast({ baseUrl: 'https://holdfast.test', apiKey });
    expect(make).toThrow(new TypeError('apiKey is not visible ASCII'));
  });
});

test('a client is made of a key as a file has it, and what is sent is the key', async () => {
  const seen: (string | null)[] = [];
  const holdfast = new Holdfast({
    baseUrl: 'https://holdfast.test/',
    apiKey: 'hf_live_1\n',
    fetch: async ({ headers }) => {
      seen.push(headers.get('authorization'));
      return Response.json({});
    },
  });
  await holdfast.payments.get('pay_1');
  expect(seen).toEqual(['Bearer hf_live_1']);
});

describe('a call that cannot be sent', () => {
  const sent: Request[] = [];
  const holdfast = new Holdfast({
    baseUrl: 'https://holdfast.test/',
    fetch: async (request) => {
      sent.push(request);
      return Response.json({});
    },
  });

  async function failureOf(call: Promise<unknown>): Promise<HoldfastError> {
    const thrown = await call.catch((error: unknown) => error);
    if (!(thrown instanceof HoldfastError)) throw new Error(`not a HoldfastError: ${String(thrown)}`);
    return thrown;
  }

  test('for its idempotency key says so, and is not to be sent again', async () => {
    const idempotencyKey = 'order\n7';
    const error = await failureOf(holdfast.payments.create(PAYMENT, { idempotencyKey }));
    expect(error.failure).toEqual({ kind: 'not_sent', attempts: 0, idempotencyKey });
    expect(error.cause).toBeInstanceOf(TypeError);
    expect(error.retryable).toBe(false);
    expect(sent).toEqual([]);
  });

  test('for its path, or for what is no JSON, says so', async () => {
    expect((await failureOf(holdfast.payments.get('\ud800'))).failure).toEqual({ kind: 'not_sent', attempts: 0 });
    const circular = { ...PAYMENT, metadata: {} as Record<string, string> };
    Object.assign(circular.metadata, { circular });
    expect((await failureOf(holdfast.payments.create(circular))).failure.kind).toBe('not_sent');
    expect(sent).toEqual([]);
  });

  test('for the path of its timeline says so', async () => {
    const error = await failureOf(holdfast.payments.events('\ud800').next());
    expect(error.failure).toEqual({ kind: 'not_sent', attempts: 0 });
    expect(sent).toEqual([]);
  });
});
