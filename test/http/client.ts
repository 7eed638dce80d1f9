/**
 * How the HTTP tests speak to the Worker: requests through its real entry, bodies that are valid unless a test says
 * otherwise, and payments that run for ever or end by themselves.
 */
import { evictDurableObject, runInDurableObject } from 'cloudflare:test';
import { env, exports } from 'cloudflare:workers';
import { expect } from 'vitest';
import { SagaStore } from '../../durable-objects/saga/store.ts';
import { publicIdFromHex, type Scope, sagaObjectName } from '../../src/domain/ids.ts';
import { atRest } from '../audit/world.ts';

export const SCOPE: Scope = { merchant: 'default', mode: 'sandbox' };
const ORIGIN = 'https://holdfast.test';

export interface Problem {
  status: number;
  code: string;
  retryable: boolean;
  request_id: string;
  detail: string;
  errors?: { in: string; pointer: string; message: string }[];
}

export function send(path: string, init?: RequestInit): Promise<Response> {
  return exports.default.fetch(new Request(`${ORIGIN}${path}`, init));
}

export function requestOf(path: string, init?: RequestInit): Request {
  return new Request(`${ORIGIN}${path}`, init);
}

export function postRaw(path: string, body: BodyInit | null, headers: Record<string, string>): Promise<Response> {
  return send(path, { method: 'POST', body, headers });
}

export function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return postRaw(path, JSON.stringify(body), { 'content-type': 'application/json', ...headers });
}

export function pay(key: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return post('/payments', body, { 'idempotency-key': key, ...headers });
}

export function freshKey(): string {
  return crypto.randomUUID();
}

/** A payment that never ends by itself: the provider's answer is lost for good, whoever is listening. */
export function runningPayment(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return { ...validPayment(), token: 'pm_sim_lost', ...changes };
}

export function validPayment(): Record<string, unknown> {
  return { wallet_id: 'wal-1234', service_id: 'abc-1234', amount: 1230, currency: 'USD', method: 'balance' };
}

export function sagaStub(key: string) {
  return env.PAYMENT_SAGA.getByName(sagaObjectName(SCOPE, '/payments', key));
}

export function paymentIdOfKey(key: string): string {
  const id = env.PAYMENT_SAGA.idFromName(sagaObjectName(SCOPE, '/payments', key));
  return publicIdFromHex('pay_', id.toString());
}

/** A payment that ends by itself, FAILED with `currency_mismatch`: its wallet is in another currency. */
export async function endingPayment(): Promise<Record<string, unknown>> {
  const wallet = await post('/wallets', { id: 'wal-euro', currency: 'EUR' });
  expect(wallet.status).toBeLessThan(300);
  return { ...validPayment(), wallet_id: 'wal-euro' };
}

/** Waits until the payment of a key is terminal. */
export async function ended(key: string): Promise<void> {
  const status = async () => {
    const result = await sagaStub(key).describeKey();
    return result.kind === 'used' ? result.status : result.kind;
  };
  await expect.poll(status, { timeout: 15_000, interval: 20 }).toBe('FAILED');
}

/** A payment that has ended, and the body that it was created with. */
export async function endedPayment(key: string): Promise<Record<string, unknown>> {
  const body = await endingPayment();
  await jsonOf(await pay(key, body), 202);
  await ended(key);
  return body;
}

/**
 * Takes a terminal payment past its retention: what its alarm does 30 days on. At rest first: an acknowledgement that came
 * afterwards would be committed over the tombstone, by an object that knows of none.
 */
export async function expireKey(key: string): Promise<void> {
  await atRest([paymentIdOfKey(key)]);
  await runInDurableObject(sagaStub(key), (_instance, state) => {
    const tombstone = { entityId: paymentIdOfKey(key), expiredAtMs: Date.now(), remains: null };
    new SagaStore(state.storage).expire(tombstone);
  });
  await evictDurableObject(sagaStub(key));
}

/** The problem in a response, after checking what every problem has. */
export async function problemOf(response: Response, status: number, code: string): Promise<Problem> {
  const text = await response.text();
  expect({ status: response.status, text }).toMatchObject({
    status,
    text: expect.stringContaining(`"code":"${code}"`),
  });
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  const problem = JSON.parse(text) as Problem;
  expect(problem).toMatchObject({ status, code, type: `/docs/errors#${code}`, instance: expect.any(String) });
  expect(problem.request_id).toBe(response.headers.get('request-id'));
  return problem;
}

/** The ids of a request and of its trace, in an answer or a log line. */
const DRAWN_IDS = /"(request_id|trace_id)":"[0-9a-f-]{32,36}"/g;

/**
 * What an answer or a log line says, without the ids that are drawn at random: any four digits are in one of them by chance, about
 * once in 1,500 times.
 */
export function withoutDrawnIds(text: string): string {
  return text.replace(DRAWN_IDS, '"$1":""');
}

/** JSON of a response that is expected to be one. */
export async function jsonOf<Body>(response: Response, status: number): Promise<Body> {
  const text = await response.text();
  expect({ status: response.status, text }).toMatchObject({ status });
  return JSON.parse(text) as Body;
}
