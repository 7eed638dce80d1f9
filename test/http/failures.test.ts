// What the objects and D1 throw, and what the client sees of it: a code, never a reason.
import { env } from 'cloudflare:workers';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { InvariantError } from '../../src/domain/errors.ts';
import { app } from '../../src/http/app.ts';
import { freshKey, problemOf, requestOf, validPayment } from './client.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

/** An error as the runtime gives it from a stub. */
function stubError(message: string, flags: Record<string, unknown> = {}): Error {
  return Object.assign(new Error(message), flags);
}

/** A namespace whose stubs fail with these errors, one per stub, and answer once there are none left. */
function failing(errors: readonly Error[]) {
  const left = [...errors];
  let stubs = 0;
  const namespace = {
    getByName: () => {
      stubs += 1;
      const error = left.shift();
      const create = async () => {
        if (error !== undefined) throw error;
        return { kind: 'created', paymentId: 'pay_1', body: '{}', terminal: false };
      };
      return { create };
    },
  };
  return { namespace, stubs: () => stubs };
}

async function payThrough(namespace: object): Promise<Response> {
  const headers = { 'content-type': 'application/json', 'idempotency-key': freshKey() };
  const request = requestOf('/payments', { method: 'POST', body: JSON.stringify(validPayment()), headers });
  return await app.fetch(request, { ...env, PAYMENT_SAGA: namespace });
}

describe('an object that fails', () => {
  const lost = () => stubError('Network connection lost at secret-host', { retryable: true });

  it('for a moment is asked once more, on a fresh stub, and the client sees nothing of it', async () => {
    const { namespace, stubs } = failing([lost()]);
    expect((await payThrough(namespace)).status).toBe(202);
    expect(stubs()).toBe(2);
  });

  it.each<[string, () => Error[], number, string, number]>([
    ['twice for a moment', () => [lost(), lost()], 503, 'temporarily_unavailable', 2],
    ['by overload: not asked again', () => [stubError('too much', { overloaded: true })], 503, 'overloaded', 1],
    [
      'by overload that is called retryable: not asked again',
      () => [stubError('too much', { overloaded: true, retryable: true })],
      503,
      'overloaded',
      1,
    ],
    ['by a bug', () => [new InvariantError('secret_invariant', { state: 'secret' })], 500, 'internal_error', 1],
    ['by anything else', () => [new TypeError('secret is not a function')], 500, 'internal_error', 1],
  ])('%s', async (_case, errors, status, code, stubs) => {
    const failed = failing(errors());
    const response = await payThrough(failed.namespace);
    const text = await response.clone().text();
    const problem = await problemOf(response, status, code);
    expect(problem.retryable).toBe(true);
    expect(response.headers.has('retry-after')).toBe(status === 503);
    expect(text).not.toMatch(/secret|too much|function/);
    expect(failed.stubs()).toBe(stubs);
  });

  it('leaves its reason in the log', async () => {
    const lines: string[] = [];
    vi.spyOn(console, 'log').mockImplementation((line: string) => lines.push(line));
    await payThrough(failing([new InvariantError('ledger_balanced', { sum: 7 })]).namespace);
    const line = lines.map((text) => JSON.parse(text)).find((entry) => entry.event === 'http.error');
    expect(line).toMatchObject({ code: 'internal_error', invariant: 'ledger_balanced', facts: '{"sum":7}' });
  });
});

it.each([
  ['fails', 'D1_ERROR: no such table: secret', 'temporarily_unavailable'],
  ['is reset', 'D1_ERROR: D1 DB reset because its code was updated.', 'temporarily_unavailable'],
  ['is not reached', 'Network connection lost.', 'temporarily_unavailable'],
  ['is overloaded', 'D1_ERROR: D1 DB is overloaded. Requests queued for too long.', 'overloaded'],
])('a database that %s is 503, and may be asked again', async (_what, thrown, code) => {
  const failed = () => {
    throw new Error(thrown);
  };
  const response = await app.fetch(requestOf('/payments'), { ...env, DB: { withSession: failed } });
  const text = await response.clone().text();
  const problem = await problemOf(response, 503, code);
  expect(problem.retryable).toBe(true);
  expect(response.headers.has('retry-after')).toBe(true);
  expect(text).not.toMatch(/secret|D1/);
});
