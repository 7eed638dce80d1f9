/**
 * The problem document on the wire (RFC 9457), as src/http/problem.ts makes it.
 */
import { z } from '@hono/zod-openapi';
import { API_ERRORS, type ApiErrorCode } from '../../domain/errors.ts';

// The keys of a constant table are its codes; `Object.keys` forgets that.
export const ERROR_CODES = Object.keys(API_ERRORS) as [ApiErrorCode, ...ApiErrorCode[]];

export const problemSchema = z
  .object({
    type: z
      .string()
      .openapi({ description: 'Where the code is explained.', example: '/docs/errors#validation_failed' }),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    instance: z.string(),
    code: z.enum(ERROR_CODES).openapi({ description: 'Stable; decide by this.' }),
    retryable: z.boolean().openapi({ description: 'May the same request, with the same key, be sent again?' }),
    request_id: z.string(),
    errors: z
      .array(
        z.object({
          in: z.enum(['body', 'query', 'header']),
          pointer: z.string().openapi({ description: 'A JSON pointer into the body, or `/name`.', example: '/amount' }),
          message: z.string(),
        }),
      )
      .optional(),
  })
  .openapi('Problem');
