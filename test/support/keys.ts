/**
 * The Worker as it is deployed: authentication required. Requests with a key through its real entry, and keys made as an operator
 * makes them. The objects and consumers behind it are the test's own, which know nothing of keys.
 */
import { env } from 'cloudflare:workers';
import { bootstrapToken, type KeyScope } from '../../src/domain/api-key.ts';
import type { ApiKeyView } from '../../src/domain/api-key-record.ts';
import { app } from '../../src/http/app.ts';

const HOST = 'holdfast.test';
export const API_KEY_SECRET = 'a-secret-of-more-than-32-characters';
export const CLOSED = { ...env, AUTH: 'required', API_KEY_SECRET };
export const WORD = { actor: 'jane', reason: 'a test' };

export type IssuedKey = ApiKeyView & { readonly key: string };

export interface Asked {
  /** Absent: none is shown. */
  readonly key?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  /** Instead of CLOSED. */
  readonly env?: object;
}

/** `GET /payments`, as in the document. */
export async function ask(what: string, asked: Asked = {}): Promise<Response> {
  const [method = 'GET', path = '/'] = what.split(' ');
  const headers = new Headers(asked.headers);
  if (asked.key !== undefined) headers.set('authorization', `Bearer ${asked.key}`);
  if (asked.body !== undefined) headers.set('content-type', 'application/json');
  const body = asked.body === undefined ? null : JSON.stringify(asked.body);
  return app.fetch(new Request(`https://${HOST}${path}`, { method, headers, body }), asked.env ?? CLOSED);
}

/** What scripts/keys.ts makes of API_KEY_SECRET. */
export function bootstrap(atSeconds = Math.floor(Date.now() / 1_000), host = HOST, secret = API_KEY_SECRET): string {
  return bootstrapToken(secret, host, atSeconds);
}

export async function issue(
  merchant: string | null,
  scopes: readonly KeyScope[],
  more: Record<string, unknown> = {},
): Promise<IssuedKey> {
  const response = await ask('POST /ops/api-keys', {
    key: bootstrap(),
    body: { merchant, scopes, name: 'a test', ...WORD, ...more },
  });
  if (response.status !== 201) throw new Error(`POST /ops/api-keys: ${response.status} ${await response.text()}`);
  return response.json();
}

/** @throws for any other status. */
export async function answered<Body>(status: number, asking: Promise<Response>): Promise<Body> {
  const response = await asking;
  if (response.status !== status) throw new Error(`${response.status} ${await response.text()}`);
  return response.json<Body>();
}
