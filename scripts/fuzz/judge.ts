/**
 * Whether an answer is one that the document describes. Checks, in order: no 5xx → the status is documented → Request-Id and
 * the headers that are described → content type → the body, closed: a member that is not described is a violation → problems
 * say what the transport says → what the document calls invalid is not accepted → replays. Sends nothing; called by run.ts.
 */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { type OpenApiDocument, type Operation, operationsAt, type ResponseObject, type Schema } from './document.ts';
import type { HttpAnswer, HttpRequest } from './exchange.ts';
import { isRecord } from './memory.ts';
import type { Planned } from './requests.ts';

export interface Finding {
  readonly rule: string;
  readonly detail: string;
  /** The operation that the URL and the method mean; `none` for what the document does not have. */
  readonly operation: string;
}

/** Members of the document that are no keywords of JSON Schema. */
const ANNOTATIONS = ['components', 'example', 'discriminator', 'xml', 'externalDocs'];
const EXCERPT_LENGTH = 300;
/** What a path outside the document answers. */
const NOT_FOUND_STATUS = 404;
const METHOD_NOT_ALLOWED_STATUS = 405;

export class Judge {
  readonly #operations: readonly Operation[];
  readonly #ajv: Ajv2020;
  readonly #validators = new Map<Schema, ValidateFunction>();

  constructor(document: OpenApiDocument, operations: readonly Operation[]) {
    this.#operations = operations;
    this.#ajv = new Ajv2020({ strictTypes: false, allowUnionTypes: true });
    formats.default(this.#ajv);
    for (const keyword of ANNOTATIONS) this.#ajv.addKeyword(keyword);
    this.#ajv.addSchema({ components: document.components }, 'open:document', false, false);
    this.#ajv.addSchema({ components: closed(document.components) }, 'closed:document', false, false);
  }

  /** The operation that a request means, by its URL and method. */
  operationOf(request: HttpRequest): Operation | undefined {
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    return this.#at(request).find((operation) => operation.method === method);
  }

  /** The first violation, or null. */
  judge(planned: Planned, answer: HttpAnswer): Finding | null {
    const { request } = planned;
    const operation = this.operationOf(request);
    const id = operation?.id ?? `none (${request.method})`;
    const finding =
      serverError(answer) ??
      (operation === undefined ? this.#judgeOutside(request, answer) : this.#judgeInside(operation, request, answer)) ??
      (operation === undefined ? null : this.#judgeAcceptance(operation, planned, answer)) ??
      judgeReplay(planned, answer);
    return finding === null ? null : { ...finding, operation: id };
  }

  #at({ target }: HttpRequest): Operation[] {
    // As any server reads it: dot segments gone, odd characters encoded.
    return operationsAt(this.#operations, new URL(`http://localhost${target}`).pathname);
  }

  #judgeInside(operation: Operation, request: HttpRequest, answer: HttpAnswer): Breach | null {
    const response = operation.responses[answer.status] ?? operation.responses.default;
    if (response === undefined) return { rule: 'status_documented', detail: `answers ${answer.status}` };
    return this.#judgeResponse(response, request, answer);
  }

  #judgeOutside(request: HttpRequest, answer: HttpAnswer): Breach | null {
    // The reference's own files are no part of the API.
    if (request.target.startsWith('/docs/')) return null;
    const wanted = this.#at(request).length === 0 ? NOT_FOUND_STATUS : METHOD_NOT_ALLOWED_STATUS;
    if (answer.status !== wanted) return { rule: 'outside_refused', detail: `answers ${answer.status}, not ${wanted}` };
    if (wanted === METHOD_NOT_ALLOWED_STATUS && !answer.headers.has('allow'))
      return { rule: 'header_present', detail: 'allow' };
    const problem = { $ref: '#/components/schemas/Problem' };
    const response: ResponseObject = { content: { 'application/problem+json': { schema: problem } } };
    return this.#judgeResponse(response, request, answer);
  }

  #judgeResponse(response: ResponseObject, request: HttpRequest, answer: HttpAnswer): Breach | null {
    const header = this.#judgeHeaders(response, answer);
    if (header !== null || request.method === 'HEAD' || response.content === undefined) return header;
    const type = answer.headers.get('content-type')?.split(';')[0]?.trim() ?? '';
    const media = response.content[type];
    if (media === undefined) return { rule: 'content_type_documented', detail: `answers ${type || 'none'}` };
    if (!type.endsWith('json') || !answer.isWhole) return null;
    const body = parseJson(answer.body);
    if (body === undefined) return { rule: 'body_is_json', detail: excerpt(answer) };
    const wrong = this.#wrong(media.schema, body, 'closed');
    if (wrong !== null) return { rule: 'body_conforms', detail: wrong };
    return type === 'application/problem+json' ? judgeProblem(body, media.examples, answer) : null;
  }

  #judgeHeaders(response: ResponseObject, answer: HttpAnswer): Breach | null {
    if (!/^[0-9a-f-]{36}$/.test(answer.headers.get('request-id') ?? ''))
      return { rule: 'header_present', detail: 'request-id' };
    for (const [name, { required, schema }] of Object.entries(response.headers ?? {})) {
      const text = answer.headers.get(name.toLowerCase());
      if (text === undefined && required !== true) continue;
      if (text === undefined) return { rule: 'header_present', detail: name.toLowerCase() };
      const value = schema.type === 'integer' ? Number(text) : text;
      const wrong = this.#wrong(schema, value, 'open');
      if (wrong !== null) return { rule: 'header_conforms', detail: `${name}: ${wrong}` };
    }
    return null;
  }

  /** A body that the document calls invalid must not be taken. */
  #judgeAcceptance(operation: Operation, { bodyValue, request }: Planned, answer: HttpAnswer): Breach | null {
    if (answer.status >= 300 || operation.bodySchema === null || request.method === 'HEAD') return null;
    if (bodyValue === undefined) return null;
    // As it arrives: -0, undefined members and lone surrogates do not survive being written.
    const arrived: unknown = JSON.parse(JSON.stringify(bodyValue));
    const wrong = this.#wrong(operation.bodySchema, arrived, 'open');
    return wrong === null ? null : { rule: 'invalid_body_refused', detail: `${answer.status} although ${wrong}` };
  }

  /** What is wrong with a value, in ajv's words; null when it conforms. */
  #wrong(schema: Schema, value: unknown, strictness: 'open' | 'closed'): string | null {
    const known = this.#validators.get(schema);
    const validate = known ?? this.#ajv.compile(rebased(strictness === 'closed' ? closed(schema) : schema, strictness));
    if (known === undefined) this.#validators.set(schema, validate);
    if (validate(value)) return null;
    const [error] = validate.errors ?? [];
    const member: unknown = error?.params.unevaluatedProperty ?? error?.params.additionalProperty ?? '';
    return `${error?.instancePath.replaceAll(/[0-9]+/g, 'N')} ${error?.message} ${String(member)}`.trim();
  }
}

type Breach = Omit<Finding, 'operation'>;

function serverError(answer: HttpAnswer): Breach | null {
  return answer.status < 500 ? null : { rule: 'no_5xx', detail: `answers ${answer.status} ${codeOf(answer)}` };
}

/** A problem says of itself what the transport says, and has one of the codes that are listed for its status. */
function judgeProblem(
  body: unknown,
  listed: Readonly<Record<string, unknown>> | undefined,
  answer: HttpAnswer,
): Breach | null {
  const { status, code, request_id: requestId } = Object(body) as Record<string, unknown>;
  if (status !== answer.status) return { rule: 'problem_is_true', detail: `status ${String(status)}` };
  if (requestId !== answer.headers.get('request-id')) return { rule: 'problem_is_true', detail: 'request_id' };
  if (listed !== undefined && !Object.hasOwn(listed, String(code)))
    return { rule: 'code_documented', detail: `${answer.status} ${String(code)}` };
  return null;
}

function judgeReplay({ replay }: Planned, answer: HttpAnswer): Breach | null {
  if (replay === null) return null;
  if (replay.change === 'other') {
    const isRefused = answer.status === 422 && codeOf(answer) === 'idempotency_key_reused';
    return isRefused ? null : { rule: 'other_body_refused', detail: `answers ${answer.status} ${codeOf(answer)}` };
  }
  if (answer.status >= 300) return { rule: 'replay_answered', detail: `answers ${answer.status} ${codeOf(answer)}` };
  const same = identityOf(answer) === replay.claim.answer;
  return same ? null : { rule: 'replay_is_the_same', detail: 'another resource, or another text' };
}

/** By what two answers to one key are known to be the same: the resource's id, or the whole text of what has none. */
export function identityOf(answer: HttpAnswer): string {
  const body = parseJson(answer.body);
  return isRecord(body) && typeof body.id === 'string' ? body.id : answer.body.toString();
}

export function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    // Not JSON, or not UTF-8: undefined is no JSON value.
    return undefined;
  }
}

function codeOf(answer: HttpAnswer): string {
  const body = parseJson(answer.body);
  return isRecord(body) && typeof body.code === 'string' ? body.code : excerpt(answer);
}

export function excerpt(answer: HttpAnswer): string {
  return answer.body.toString().slice(0, EXCERPT_LENGTH);
}

/**
 * A copy in which objects take no member that is not described. Members of `allOf` stay open, since each sees only its own:
 * the object that they make together is closed.
 */
function closed<Value>(value: Value): Value {
  if (Array.isArray(value)) return value.map(closed) as Value;
  if (!isRecord(value)) return value;
  const { allOf, ...rest } = value;
  const copy: Record<string, unknown> = Object.fromEntries(
    Object.entries(rest).map(([name, member]) => [
      name,
      ['example', 'enum', 'const', 'required'].includes(name) ? member : closed(member),
    ]),
  );
  if (Array.isArray(allOf)) copy.allOf = allOf.map((member: unknown) => rebased(member, 'open'));
  const isObject = allOf !== undefined || (isRecord(value.properties) && value.type === 'object');
  if (isObject && value.additionalProperties === undefined) copy.unevaluatedProperties = false;
  return copy as Value;
}

/** With references into one of the two copies of the document's components. */
function rebased<Value>(value: Value, strictness: 'open' | 'closed'): Value {
  return JSON.parse(JSON.stringify(value).replaceAll('"$ref":"#/', `"$ref":"${strictness}:document#/`)) as Value;
}
