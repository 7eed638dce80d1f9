/**
 * API keys on the wire: what is asked of the routes that change them, a key as the list shows it, and a key with its text,
 * which is in the answer that makes it and nowhere else.
 */
import { z } from '@hono/zod-openapi';
import { API_KEY_ID_PATTERN, KEY_SCOPES } from '../../domain/api-key.ts';
import { API_KEY_STATUSES } from '../../domain/api-key-record.ts';
import { API_KEY_OVERLAP_SECONDS_DEFAULT, API_KEY_OVERLAP_SECONDS_MAX } from '../../domain/limits.ts';
import { clientId, instant, listOf, operatorFields, referenceText, timestamp } from './common.ts';

const keyScope = z.enum(KEY_SCOPES);

export const apiKeySchema = z
  .object({
    id: z.string().openapi({ example: 'ak_4Zq0aB3dE6gH9kL2nP5rS8' }),
    object: z.literal('api_key'),
    mode: z.enum(['sandbox', 'live']),
    merchant: z.string().nullable().openapi({ description: 'null: a platform key.' }),
    scopes: z.array(keyScope),
    name: z.string(),
    status: z.enum(API_KEY_STATUSES),
    rotated_from: z.string().nullable().openapi({ description: 'The key that it takes the place of.' }),
    created_at: timestamp,
    expires_at: timestamp.nullable(),
    revoked_at: timestamp.nullable(),
  })
  .openapi('ApiKey');

export const apiKeyListSchema = listOf(apiKeySchema).openapi('ApiKeyList');

export const apiKeyWithTextSchema = apiKeySchema
  .extend({ key: z.string().openapi({ description: 'Shown here and never again: `hf_<mode>_<id>_<secret>`.' }) })
  .openapi('ApiKeyWithText');

const expiresAt = instant.optional();

export const apiKeyCreateSchema = z
  .strictObject({
    merchant: clientId('shop').nullable().optional().openapi({
      description: 'Whose key it is. null: a platform key. Absent: the merchant of the key that asks.',
    }),
    scopes: z
      .array(keyScope)
      .min(1)
      .refine((scopes) => new Set(scopes).size === scopes.length, 'Must name each scope once.')
      .openapi({ example: ['payments:write', 'payments:read'] }),
    name: referenceText.openapi({ description: 'For people: where it is used.', example: 'shop backend' }),
    expires_at: expiresAt.openapi({
      description:
        'Absent: it counts until it is revoked, or for as long as the key that asks, which it never outlives.',
    }),
    ...operatorFields,
  })
  .openapi('ApiKeyCreate');

export const apiKeyRotateSchema = z
  .strictObject({
    overlap_seconds: z
      .number()
      .int()
      .min(0)
      .max(API_KEY_OVERLAP_SECONDS_MAX)
      .optional()
      .openapi({
        description: `How long the old key still counts. Absent: ${API_KEY_OVERLAP_SECONDS_DEFAULT}, a day.`,
        example: API_KEY_OVERLAP_SECONDS_DEFAULT,
      }),
    expires_at: expiresAt.openapi({
      description:
        'Of the new key. Absent: it lives as long as the old one was to; for ever, where that was so. It never outlives the key that asks.',
    }),
    ...operatorFields,
  })
  .openapi('ApiKeyRotate');

/** An id that breaks the grammar names nothing: 404, and no object is asked. */
export const apiKeyParams = z.object({
  id: z.string().regex(API_KEY_ID_PATTERN).openapi({ example: 'ak_4Zq0aB3dE6gH9kL2nP5rS8' }),
});
