/**
 * POST /ops/api-keys/{id}/rotate: a new key of the same merchant and scopes, shown once; the old one counts for an overlap, so that
 * a client can change over without missing a request, and then expires. Rotating twice makes two new keys.
 */
import { createRoute } from '@hono/zod-openapi';
import { apiKeyStatus, expiryAfterRotation, expiryOfSuccessor } from '../../domain/api-key-record.ts';
import { toTimestamp } from '../../domain/events/envelope.ts';
import { API_KEY_OVERLAP_SECONDS_DEFAULT, SECOND_MS } from '../../domain/limits.ts';
import {
  changeApiKey,
  expiryOfNewKey,
  freshApiKeyId,
  keyInPurview,
  makeApiKey,
  refuseMissingScopes,
  refuseTooManyKeys,
} from '../api-keys.ts';
import { audit } from '../audit.ts';
import type { App } from '../context.ts';
import { jsonBody } from '../middleware/json-body.ts';
import { CODES_OF_WRITES, jsonResponse, problemResponses, RESPONSE_HEADERS } from '../openapi.ts';
import { problem } from '../problem.ts';
import { apiKeyParams, apiKeyRotateSchema, apiKeyWithTextSchema } from '../schemas/api-key.ts';
import { noQuery } from '../schemas/common.ts';
import { needsOrBootstrap } from '../security.ts';

const route = createRoute({
  method: 'post',
  path: '/ops/api-keys/{id}/rotate',
  operationId: 'rotateApiKey',
  summary: 'Make a key that takes the place of another, which expires after an overlap',
  tags: ['ops'],
  security: needsOrBootstrap('ops'),
  middleware: [jsonBody] as const,
  request: {
    query: noQuery,
    params: apiKeyParams,
    body: { required: true, content: { 'application/json': { schema: apiKeyRotateSchema } } },
  },
  responses: {
    201: jsonResponse('The new key, shown here and never again.', apiKeyWithTextSchema, {
      Location: RESPONSE_HEADERS.location,
    }),
    ...problemResponses(
      ...CODES_OF_WRITES,
      'not_found',
      'api_key_not_active',
      'api_keys_not_configured',
      'api_keys_limit_exceeded',
    ),
  },
});

export function opsApiKeysRotate(app: App): void {
  app.openapi(route, async (c) => {
    const { overlap_seconds: overlap, expires_at: expiresAt, actor, reason } = c.req.valid('json');
    const { apiKeySecret } = c.get('config');
    const nowMs = Date.now();
    const old = await keyInPurview(c, c.req.valid('param').id);
    if (old === null) return problem(c, 'not_found');
    if (apiKeyStatus(old, nowMs) !== 'active') return problem(c, 'api_key_not_active');
    const { merchant, scopes, name } = old;
    const refused = refuseMissingScopes(c, scopes);
    if (refused !== undefined) return refused;
    const expiresAtMs = await expiryOfNewKey(c, expiresAt, expiryOfSuccessor(old, nowMs), nowMs);
    if (expiresAtMs instanceof Response) return expiresAtMs;
    if (apiKeySecret === undefined) return problem(c, 'api_keys_not_configured');
    const full = await refuseTooManyKeys(c, merchant);
    if (full !== undefined) return full;

    const overlapMs = (overlap ?? API_KEY_OVERLAP_SECONDS_DEFAULT) * SECOND_MS;
    const oldUntilMs = expiryAfterRotation(old.expiresAtMs, nowMs, overlapMs);
    const id = freshApiKeyId();
    const subject = `${old.id} ${id} ${toTimestamp(oldUntilMs)}`;
    await audit(c, { actor, action: 'api_key.rotate', subject, reason, ...(merchant !== null && { merchant }) });
    const key = { id, merchant, scopes, name, createdAtMs: nowMs, expiresAtMs, rotatedFrom: old.id };
    const made = await makeApiKey(c, apiKeySecret, key);
    await changeApiKey(c, old.id, (stub) => stub.expire(oldUntilMs));
    return c.json(made, 201, { Location: `/ops/api-keys/${id}` });
  });
}
