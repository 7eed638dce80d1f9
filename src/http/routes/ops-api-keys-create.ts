/**
 * POST /ops/api-keys: makes an API key and shows it, once. In the audit log before it is made, without its text. Who asks with a
 * merchant's key makes keys of that merchant, with no more than their own scopes; the first key is made with a bootstrap token.
 */
import { createRoute } from '@hono/zod-openapi';
import { PLATFORM_SCOPES } from '../../domain/api-key.ts';
import { expiryOfNewKey, freshApiKeyId, makeApiKey, refuseMissingScopes, refuseTooManyKeys } from '../api-keys.ts';
import { audit } from '../audit.ts';
import type { App, AppContext } from '../context.ts';
import { jsonBody } from '../middleware/json-body.ts';
import { CODES_OF_WRITES, jsonResponse, problemResponses, RESPONSE_HEADERS } from '../openapi.ts';
import { problem } from '../problem.ts';
import { apiKeyCreateSchema, apiKeyWithTextSchema } from '../schemas/api-key.ts';
import { noQuery } from '../schemas/common.ts';
import { needsOrBootstrap } from '../security.ts';
import { validationFailed } from '../validation.ts';

const route = createRoute({
  method: 'post',
  path: '/ops/api-keys',
  operationId: 'createApiKey',
  summary: 'Make an API key',
  tags: ['ops'],
  security: needsOrBootstrap('ops'),
  middleware: [jsonBody] as const,
  request: {
    query: noQuery,
    body: { required: true, content: { 'application/json': { schema: apiKeyCreateSchema } } },
  },
  responses: {
    201: jsonResponse('Made. The key is shown here and never again.', apiKeyWithTextSchema, {
      Location: RESPONSE_HEADERS.location,
    }),
    ...problemResponses(...CODES_OF_WRITES, 'api_keys_not_configured', 'api_keys_limit_exceeded'),
  },
});

export function opsApiKeysCreate(app: App): void {
  app.openapi(route, async (c) => {
    const { merchant: asked, scopes, name, expires_at: expiresAt, actor, reason } = c.req.valid('json');
    const { apiKeySecret } = c.get('config');
    const nowMs = Date.now();
    const merchant = asked === undefined ? c.get('caller').merchant : asked;
    if (asked === undefined && merchant === null) {
      return invalid(c, '/merchant', 'A platform key must say whose: a merchant, or null for a platform key.');
    }
    if (!mayMakeFor(c, merchant)) {
      return problem(c, 'forbidden', { detail: 'A key of a merchant makes keys of that merchant alone.' });
    }
    if (merchant === null && scopes.some((scope) => !PLATFORM_SCOPES.includes(scope))) {
      return invalid(c, '/scopes', `A platform key has no merchant, and so only: ${PLATFORM_SCOPES.join(', ')}.`);
    }
    const expiresAtMs = await expiryOfNewKey(c, expiresAt, null, nowMs);
    if (expiresAtMs instanceof Response) return expiresAtMs;
    const refused = refuseMissingScopes(c, scopes);
    if (refused !== undefined) return refused;
    if (apiKeySecret === undefined) return problem(c, 'api_keys_not_configured');
    const full = await refuseTooManyKeys(c, merchant);
    if (full !== undefined) return full;

    const id = freshApiKeyId();
    const subject = `${id} ${merchant ?? 'platform'} ${scopes.join(',')}`;
    await audit(c, { actor, action: 'api_key.create', subject, reason, ...(merchant !== null && { merchant }) });
    const key = { id, merchant, scopes, name, createdAtMs: nowMs, expiresAtMs, rotatedFrom: null };
    return c.json(await makeApiKey(c, apiKeySecret, key), 201, { Location: `/ops/api-keys/${id}` });
  });
}

function mayMakeFor(c: AppContext, merchant: string | null): boolean {
  return c.get('purview').isPlatform || merchant === c.get('caller').merchant;
}

function invalid(c: AppContext, pointer: string, message: string): Response {
  return validationFailed(c, [{ in: 'body', pointer, message }]);
}
