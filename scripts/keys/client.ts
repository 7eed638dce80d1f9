/**
 * Speaks to /ops/api-keys of a running instance: with a key, or with a token that is made anew for each request. Follows no
 * redirect: what it shows is for the origin that was named. Called by scripts/keys.ts.
 */
import { bootstrapToken } from '../../src/domain/api-key.ts';
import type { ApiKeyView } from '../../src/domain/api-key-record.ts';
import { unreachable } from '../command-line.ts';
import type { Credentials } from './arguments.ts';

const REQUEST_TIMEOUT_MS = 30_000;

/** The instance said no, or nothing that can be understood. */
export class Refusal extends Error {}

/** A key, with its text where it is new; or a page of keys. */
export type Answer = ApiKeyView & {
  readonly key?: string;
  readonly data?: readonly ApiKeyView[];
  readonly next_cursor?: string | null;
};

/** @throws Refusal, which says what to do about it where that can be told. */
export async function ask(credentials: Credentials, method: string, path: string, body?: object): Promise<Answer> {
  const url = new URL(path, credentials.origin);
  const response = await fetch(url, {
    method,
    headers: { ...authorization(credentials), ...(body !== undefined && { 'content-type': 'application/json' }) },
    body: body === undefined ? null : JSON.stringify(body),
    redirect: 'error',
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  }).catch((error: unknown) => {
    throw new Refusal(unreachable(credentials.origin.origin, error));
  });
  const text = await response.text();
  if (!response.ok) throw new Refusal(explained(credentials, response.status, text));
  return JSON.parse(text) as Answer;
}

function authorization({ origin, apiKey, apiKeySecret }: Credentials): Record<string, string> {
  if (apiKey !== null) return { authorization: `Bearer ${apiKey}` };
  // None of either: where authentication is open none is needed.
  if (apiKeySecret === null) return {};
  const token = bootstrapToken(apiKeySecret, origin.host, Math.floor(Date.now() / 1_000));
  return { authorization: `Bearer ${token}` };
}

function explained({ apiKey, apiKeySecret }: Credentials, status: number, text: string): string {
  const said = `${status} ${detailOf(text)}`;
  if (status !== 401) return said;
  if (apiKey !== null) return said;
  if (apiKeySecret === null) return `${said}\nSet HOLDFAST_API_KEY, or, for the first key, API_KEY_SECRET.`;
  return `${said}\nAPI_KEY_SECRET is not the one that the instance has, or this machine's clock is wrong.`;
}

/** What a problem document says, with the fields that are wrong; the text itself where it is none. */
function detailOf(text: string): string {
  try {
    const {
      code,
      detail,
      errors = [],
    } = JSON.parse(text) as {
      code?: string;
      detail?: string;
      errors?: readonly { readonly pointer: string; readonly message: string }[];
    };
    return [`${code}: ${detail}`, ...errors.map(({ pointer, message }) => `  ${pointer}: ${message}`)].join('\n');
  } catch {
    // No JSON: something else than a Holdfast answers there.
    return text.slice(0, 200);
  }
}
