/**
 * Who a request acts for. With AUTH = open (sandbox only, src/config.ts) everyone is the merchant `default` and may do
 * everything. With AUTH = required it is whose API key is shown, asked of the key's own object at every request, so that a
 * revoked one counts no more (decision 0070). What they may do is judged after this, in authorization.ts.
 */
import { createMiddleware } from 'hono/factory';
import { isEqualInConstantTime } from '../../constant-time.ts';
import {
  apiKeyMac,
  bootstrapMac,
  checkOf,
  isBootstrapTimely,
  KEY_SCOPES,
  type ParsedBootstrapToken,
  PLATFORM_MERCHANT,
  parseApiKey,
  parseBootstrapToken,
} from '../../domain/api-key.ts';
import { logLine } from '../../telemetry/log.ts';
import type { ApiKeyIdentity, AppContext, AppEnv, Caller } from '../context.ts';
import { apiKeyOf, callObject } from '../objects.ts';
import { problem } from '../problem.ts';

/** What is said of any key that does not count: why it does not is nobody's business but the log's. */
const REFUSED = {
  detail: 'The API key does not count here: it is unknown, revoked or expired, or a key of the other mode.',
  headers: {
    'WWW-Authenticate':
      'Bearer realm="holdfast", error="invalid_token", error_description="The API key does not count here"',
  },
} as const;
const MISSING = { detail: 'Send an API key: Authorization: Bearer hf_…' } as const;

/** RFC 9110, section 11.4: the scheme's name is of any case, and one space or more follow it. */
const BEARER = /^bearer +([\w.~+/=-]+) *$/i;

const EVERYONE: Caller = { credential: null, merchant: 'default', roles: new Set([...KEY_SCOPES, 'platform']) };
const OPERATOR: Caller = { credential: 'bootstrap', merchant: null, roles: new Set(['ops', 'platform']) };

/**
 * Checks, in order: authentication is required → a bearer token is shown → it has the form of a key of this mode and ends with
 * digits that we alone can make, before anything is asked → its object knows it, and it counts.
 */
export const authentication = createMiddleware<AppEnv>(async (c, next) => {
  const { auth, apiKeySecret } = c.get('config');
  if (auth === 'open') {
    act(c, EVERYONE);
    return next();
  }
  // Where it is required, the configuration has the secret: were it not so, nobody is let in.
  if (apiKeySecret === undefined) return problem(c, 'misconfigured');
  const token = BEARER.exec(c.req.header('authorization') ?? '')?.[1];
  if (token === undefined) return problem(c, 'unauthenticated', MISSING);
  const bootstrap = parseBootstrapToken(token);
  if (bootstrap !== null) {
    if (!isGenuine(c, apiKeySecret, bootstrap)) return refuse(c, 'bootstrap', null);
    act(c, OPERATOR);
    return next();
  }
  const shown = await identify(c, apiKeySecret, token);
  if ('refused' in shown) return refuse(c, shown.refused, shown.id);
  c.set('apiKey', shown);
  const roles = shown.merchant === null ? ([...shown.scopes, 'platform'] as const) : shown.scopes;
  act(c, { credential: shown.id, merchant: shown.merchant, roles: new Set(roles) });
  return next();
});

/** The key that the token is, or why it is none; `id` where it is a key of ours. */
async function identify(
  c: AppContext,
  pepper: string,
  token: string,
): Promise<ApiKeyIdentity | { readonly refused: string; readonly id: string | null }> {
  const parsed = parseApiKey(token);
  if (parsed === null) return { refused: 'malformed', id: null };
  if (parsed.mode !== c.get('config').mode) return { refused: 'other_mode', id: null };
  const mac = apiKeyMac(pepper, parsed);
  const encoder = new TextEncoder();
  if (!isEqualInConstantTime(encoder.encode(parsed.check), encoder.encode(checkOf(mac)))) {
    return { refused: 'not_ours', id: null };
  }
  const { id } = parsed;
  const verified = await callObject(apiKeyOf(c.env, parsed.mode, id), (key) => key.verify(mac));
  if (verified.kind !== 'valid') return { refused: verified.kind, id };
  return { id, merchant: verified.merchant, scopes: verified.scopes };
}

function isGenuine(c: AppContext, pepper: string, { atSeconds, mac }: ParsedBootstrapToken): boolean {
  const wanted = bootstrapMac(pepper, new URL(c.req.url).host, atSeconds);
  return isEqualInConstantTime(mac, wanted) && isBootstrapTimely(atSeconds, Date.now());
}

/** What a platform key does is in nobody's name: where a scope is needed all the same, it is that of no merchant. */
function act(c: AppContext, caller: Caller): void {
  const { mode } = c.get('config');
  c.set('caller', caller);
  c.set('scope', { merchant: caller.merchant ?? PLATFORM_MERCHANT, mode });
  c.set('purview', { merchant: caller.merchant, mode, isPlatform: caller.roles.has('platform') });
}

function refuse(c: AppContext, reason: string, id: string | null): Response {
  logLine('http.key_refused', { reason, api_key_id: id, request_id: c.get('requestId') });
  return problem(c, 'unauthenticated', REFUSED);
}
