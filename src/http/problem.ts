/**
 * The one place where an error becomes a response: `problem` for a refusal (a value that a route returns), and
 * `problemOfError` for what was thrown. Bodies are RFC 9457 problem details; internal reasons go to the log, never out.
 */
import { HTTPException } from 'hono/http-exception';
import { API_ERRORS, type ApiErrorCode, isAway, isOverloaded } from '../domain/errors.ts';
import { ERROR_TEXT_LENGTH_MAX } from '../domain/limits.ts';
import { errorText, logLine } from '../telemetry/log.ts';
import { holdsCardNumber } from './card-number.ts';
import type { AppContext } from './context.ts';

/** Problems of one answer that are listed; a body with more is wrong enough. */
const PROBLEMS_LISTED_MAX = 20;
/** Seconds; long enough for an object to come back, short enough for a client that waits on a person. */
const RETRY_AFTER_SECONDS: Readonly<Partial<Record<ApiErrorCode, number>>> = {
  overloaded: 2,
  temporarily_unavailable: 1,
  callback_unmatched: 60,
};

export type FieldSource = 'body' | 'query' | 'header';

/** One field that is wrong. `pointer` is a JSON pointer (RFC 6901) into the body, or `/name` of a parameter or header. */
export interface FieldProblem {
  readonly in: FieldSource;
  readonly pointer: string;
  readonly message: string;
}

export interface ProblemOptions {
  readonly detail?: string;
  readonly errors?: readonly FieldProblem[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** The answer for `code`: status, title and `retryable` come from API_ERRORS, so that they can never differ by route. */
export function problem(c: AppContext, code: ApiErrorCode, options: ProblemOptions = {}): Response {
  const { status, title, retryable } = API_ERRORS[code];
  const retryAfter = RETRY_AFTER_SECONDS[code];
  c.set('problemCode', code);
  const body = {
    type: `/docs/errors#${code}`,
    title,
    status,
    detail: options.detail ?? `${title}.`,
    instance: instanceOf(new URL(c.req.url).pathname),
    code,
    retryable,
    request_id: c.get('requestId'),
    ...(options.errors !== undefined && { errors: options.errors.slice(0, PROBLEMS_LISTED_MAX).map(bounded) }),
  };
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      'Content-Type': 'application/problem+json',
      ...(retryAfter !== undefined && { 'Retry-After': String(retryAfter) }),
      ...(code === 'unauthenticated' && { 'WWW-Authenticate': 'Bearer realm="holdfast"' }),
      ...options.headers,
    },
  });
}

/**
 * The path as a URI reference (RFC 9457, section 3.1.5), cut to ERROR_TEXT_LENGTH_MAX; a segment that holds a card number is `*`. The URL parser
 * leaves some characters as they are that RFC 3986 wants encoded, and a path that begins with two slashes would name a host.
 */
function instanceOf(pathname: string): string {
  const segments = pathname.split('/').map((segment) => (holdsCardNumber(segment) ? '*' : segment));
  const path = segments
    .join('/')
    .replaceAll(/%(?![0-9a-f]{2})/gi, '%25')
    .replaceAll(/[^\w.~!$&'()*+,;=:@%/-]/g, encodeURIComponent);
  return (path.startsWith('//') ? `/.${path}` : path).slice(0, ERROR_TEXT_LENGTH_MAX).replace(/%.?$/, '');
}

/** A field's name can be as long as the body: what is repeated of it is bounded. */
function bounded(field: FieldProblem): FieldProblem {
  return { ...field, pointer: field.pointer.slice(0, ERROR_TEXT_LENGTH_MAX) };
}

/**
 * The answer for what was thrown. Checks, in order: the framework's own refusals → an object or D1 that is overloaded →
 * one that is away for a moment → a bug: 500, bland.
 * Source: https://developers.cloudflare.com/durable-objects/best-practices/error-handling/
 */
export function problemOfError(c: AppContext, error: Error): Response {
  if (error instanceof HTTPException && error.status === 415) return problem(c, 'unsupported_media_type');
  const code = codeOfThrown(error);
  logLine('http.error', {
    code,
    error: errorText(error),
    invariant: invariantOf(error),
    facts: factsText(error),
    request_id: c.get('requestId'),
    trace_id: c.get('trace').traceId,
  });
  return problem(c, code);
}

/** Which of the codes a thrown error comes down to. */
export function codeOfThrown(error: Error): 'overloaded' | 'temporarily_unavailable' | 'internal_error' {
  if (isOverloaded(error)) return 'overloaded';
  if (isAway(error) || isDatabaseError(error)) return 'temporarily_unavailable';
  return 'internal_error';
}

/** D1 gives its errors no class; all of their messages begin alike (https://developers.cloudflare.com/d1/observability/debug-d1/). */
function isDatabaseError(error: Error): boolean {
  return error.message.startsWith('D1_');
}

/** An InvariantError that crossed RPC has lost its class and kept its members. */
function invariantOf(error: Error): string | undefined {
  const value: unknown = Reflect.get(error, 'invariant');
  return typeof value === 'string' ? value : undefined;
}

function factsText(error: Error): string | undefined {
  const facts: unknown = Reflect.get(error, 'facts');
  return facts === undefined ? undefined : JSON.stringify(facts);
}
