/**
 * What the routes say about themselves in the OpenAPI document, in one wording: parameters and headers that more than
 * one route has, and the problem responses of a list of codes. The document itself is generated from the routes.
 */
import type { RouteConfig, z } from '@hono/zod-openapi';
import { API_ERRORS, type ApiErrorCode } from '../domain/errors.ts';
import { IDEMPOTENCY_KEY_LENGTH_MAX, PREFER_WAIT_SECONDS_MAX } from '../domain/limits.ts';
import { ERROR_CODES, problemSchema } from './schemas/problem.ts';

type Responses = RouteConfig['responses'];
/** A header that is described here and read by hand: three names for one key are beyond what a schema can say. */
type HeaderParameter = {
  in: 'header';
  name: string;
  required?: boolean;
  description: string;
  schema: { type: 'string'; minLength?: number; enum?: string[] };
  example?: string;
};

export const DOCUMENT = {
  openapi: '3.1.0',
  info: {
    title: 'Holdfast',
    version: '0.1.0',
    description:
      'A payments service at the edge. A payment is posted once, with an idempotency key, and carried through a saga. ' +
      'Amounts are whole numbers of minor units. Errors are RFC 9457 problem documents with a stable `code`. ' +
      'A payment that fails is not an HTTP error: it is a payment with `status: FAILED` and a `failure`.',
    license: { name: 'MIT', identifier: 'MIT' },
  },
  servers: [{ url: '/' }],
  tags: [
    { name: 'payments', description: 'Create payments and follow them.' },
    { name: 'refunds', description: 'Give back all or a part of a payment, and follow it.' },
    { name: 'wallets', description: 'Balances, deposits and the ledger.' },
    { name: 'webhooks', description: 'Where notifications are delivered, and what became of each.' },
    { name: 'providers', description: 'Where payment providers tell what has become of a call.' },
    { name: 'ops', description: 'For operators: sagas, dead letters, breakers, reconciliation, audit, keys.' },
    { name: 'service', description: 'The service itself.' },
  ],
};

/** Any route can answer these. */
const CODES_EVERYWHERE: readonly ApiErrorCode[] = ['internal_error', 'misconfigured', 'rate_limited'];
/** And any route that stands behind authentication and asks an object or D1. */
export const CODES_OF_READS: readonly ApiErrorCode[] = [
  'unauthenticated',
  'forbidden',
  'overloaded',
  'temporarily_unavailable',
  'pan_in_request',
];
export const CODES_OF_WRITES: readonly ApiErrorCode[] = [
  ...CODES_OF_READS,
  'payload_too_large',
  'unsupported_media_type',
  'invalid_json',
  'validation_failed',
];
export const CODES_OF_KEYS: readonly ApiErrorCode[] = [
  'idempotency_key_missing',
  'idempotency_key_invalid',
  'idempotency_key_reused',
];

const REQUEST_ID = {
  description: 'Names this request in our log.',
  required: true,
  schema: { type: 'string', format: 'uuid' },
} as const;
/** The headers of an answer that has no others. */
export const EVERY_ANSWER = { 'Request-Id': REQUEST_ID };
/** draft-ietf-httpapi-ratelimit-headers-10; the policies are on every answer, and described where they matter. */
const RATE_LIMIT = {
  RateLimit: {
    description: 'The policy that refused, nothing left (`r=0`), and its whole period (`t`): it is never longer.',
    required: true,
    schema: { type: 'string' },
    example: '"api-key";r=0;t=10',
  },
  'RateLimit-Policy': {
    description: 'The policies that the request was counted by: `q` requests in `w` seconds. On other answers, too.',
    required: true,
    schema: { type: 'string' },
    example: '"address";q=2000;w=10, "api-key";q=1000;w=10',
  },
} as const;
const RETRY_AFTER = { description: 'Seconds.', schema: { type: 'integer' } } as const;

export const RESPONSE_HEADERS = {
  location: { description: 'Where the resource is.', required: true, schema: { type: 'string' } },
  idempotencyStatus: {
    description: '`created`: this request began the work; `in_progress`, `completed`: an earlier one did.',
    required: true,
    schema: { type: 'string', enum: ['created', 'in_progress', 'completed'] },
  },
  idempotentReplayed: {
    description: 'The key was used before with the same body; nothing was done again.',
    schema: { type: 'string', enum: ['true'] },
  },
  preferenceApplied: { description: 'The `wait` that was honoured.', schema: { type: 'string' }, example: 'wait=10' },
  retryAfter: RETRY_AFTER,
} as const;

export const IDEMPOTENCY_KEY: HeaderParameter = {
  in: 'header',
  name: 'Idempotency-Key',
  required: true,
  description:
    `1 to ${IDEMPOTENCY_KEY_LENGTH_MAX} visible ASCII characters, unique per operation; quoted and bare forms are the ` +
    'same key. `X-Idempotent-Key` and `X-Idempotency-Key` are taken as well. Rules: docs/idempotency.md.',
  schema: { type: 'string', minLength: 1 },
  example: '4f1c9d1e-4b7e-4c8e-9a63-0f8b7a5d2c11',
};

export const PREFER: HeaderParameter = {
  in: 'header',
  name: 'Prefer',
  description: `\`wait=N\`: hold the answer until the payment is terminal, or N seconds (0 to ${PREFER_WAIT_SECONDS_MAX}; more counts as that).`,
  schema: { type: 'string' },
  example: 'wait=10',
};

export const AMOUNT_CODES: HeaderParameter = {
  in: 'header',
  name: 'X-Sandbox-Amount-Codes',
  description:
    'Sandbox only: with `on` and no token, the last two digits of the amount are read as an ISO 8583 answer code.',
  schema: { type: 'string', enum: ['on'] },
};

/** A JSON response and the headers that it has besides Request-Id. */
export function jsonResponse(
  description: string,
  schema: z.ZodType,
  headers: Readonly<Record<string, (typeof RESPONSE_HEADERS)[keyof typeof RESPONSE_HEADERS]>> = {},
): Responses[string] {
  return {
    description,
    headers: { ...headers, ...EVERY_ANSWER },
    content: { 'application/json': { schema } },
  };
}

/** The responses for the problems that a route can answer, by status, with an example for each code. */
export function problemResponses(...codes: readonly ApiErrorCode[]): Responses {
  const all = new Set<ApiErrorCode>([...codes, ...CODES_EVERYWHERE]);
  const responses: Responses = {};
  for (const status of new Set([...all].map((code) => API_ERRORS[code].status))) {
    const here = ERROR_CODES.filter((code) => all.has(code) && API_ERRORS[code].status === status);
    responses[status] = {
      description: here.map((code) => `\`${code}\`: ${API_ERRORS[code].title}.`).join(' '),
      headers: {
        ...EVERY_ANSWER,
        // A bug may be asked again, and nobody knows when it will be gone.
        ...(here.some((code) => API_ERRORS[code].retryable && API_ERRORS[code].class !== 'bug') && {
          'Retry-After': RETRY_AFTER,
        }),
        ...(here.includes('rate_limited') && RATE_LIMIT),
      },
      content: {
        'application/problem+json': {
          schema: problemSchema,
          examples: Object.fromEntries(here.map((code) => [code, { value: exampleProblem(code) }])),
        },
      },
    };
  }
  return responses;
}

function exampleProblem(code: ApiErrorCode): z.infer<typeof problemSchema> {
  const { status, title, retryable } = API_ERRORS[code];
  return {
    type: `/docs/errors#${code}`,
    title,
    status,
    detail: `${title}.`,
    instance: '/payments',
    code,
    retryable,
    request_id: '9b2f6c1e-1d0a-4f57-8f0e-5a2c8d3b7e41',
    ...(code === 'validation_failed' && {
      errors: [{ in: 'body' as const, pointer: '/amount', message: 'Invalid input: expected number, received string' }],
    }),
  };
}
