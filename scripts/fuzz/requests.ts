/**
 * Which requests are made: a `Plan` is what fast-check draws and shrinks, `requestOf` makes of it the bytes that are sent, with
 * what the memory holds at that moment. Two of three plans are valid or almost; the rest breaks one layer each: path, query,
 * headers, method, body. Called by run.ts.
 */
import fc from 'fast-check';
import type { OpenApiDocument, Operation, Parameter } from './document.ts';
import type { HttpRequest } from './exchange.ts';
import { type Claim, type Memory, SENT_KEYS } from './memory.ts';
import { type Mutation, mutated, mutation } from './mutations.ts';
import {
  CONTENT_TYPES,
  type HeaderLine,
  KEY_STYLES,
  METHODS,
  ODD_HEADERS,
  ODD_KEYS,
  PATH_TAILS,
  QUERY_TAILS,
  RAW_SEGMENTS,
  SPOILS,
  UPGRADE,
} from './odd.ts';
import { foreignReference, nastyText, Reference, resolved, validValue } from './values.ts';

type Encoded = { readonly name: string; readonly value: unknown; readonly raw: string | null };

export interface CallPlan {
  readonly kind: 'call';
  readonly operation: Operation;
  readonly path: readonly Encoded[];
  readonly query: readonly Encoded[];
  readonly queryTail: string;
  readonly body: unknown;
  readonly mutations: readonly Mutation[];
  readonly spoil: string;
  readonly keyStyle: string;
  readonly keyAt: number;
  readonly headers: readonly HeaderLine[];
  readonly upgrade: boolean;
  readonly contentType: string;
  readonly method: string;
  readonly pathTail: string;
  readonly chunked: boolean;
}

/** An earlier request with a key, sent again: the same, or with another amount under the same key. */
export interface ReplayPlan {
  readonly kind: 'replay';
  readonly at: number;
  readonly change: 'same' | 'other';
}

export type Plan = CallPlan | ReplayPlan;

export interface Planned {
  readonly request: HttpRequest;
  /** What is sent again, and how. */
  readonly replay: { readonly claim: Claim; readonly change: ReplayPlan['change'] } | null;
  /** The value of a JSON body that is sent as it is; undefined where there is none, or where it was spoilt. */
  readonly bodyValue: unknown;
}

export function plan(document: OpenApiDocument, operations: readonly Operation[]): fc.Arbitrary<Plan> {
  const calls = fc.oneof(...operations.map((operation) => callPlan(document, operation)));
  const replays: fc.Arbitrary<ReplayPlan> = fc.record({
    kind: fc.constant('replay'),
    at: fc.nat(),
    change: fc.constantFrom('same', 'other'),
  });
  return fc.oneof({ weight: 12, arbitrary: calls }, { weight: 1, arbitrary: replays });
}

function callPlan(document: OpenApiDocument, operation: Operation): fc.Arbitrary<CallPlan> {
  const rarely = <Value>(weight: number, usual: Value, odd: fc.Arbitrary<Value>): fc.Arbitrary<Value> =>
    fc.oneof({ withCrossShrink: true }, { weight, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: odd });
  const parameters = (place: Parameter['in']): Parameter[] => operation.parameters.filter((one) => one.in === place);
  const query = parameters('query').map((one) => fc.option(encoded(document, operation, one), { freq: 2, nil: null }));
  const schema = operation.bodySchema;
  return fc.record({
    kind: fc.constant('call'),
    operation: fc.constant(operation),
    path: fc.tuple(...parameters('path').map((one) => encoded(document, operation, one))),
    query: fc.tuple(...query).map((all) => all.filter((one): one is Encoded => one !== null)),
    queryTail: rarely(15, '', fc.constantFrom(...QUERY_TAILS)),
    body: schema === null ? rarely<unknown>(6, undefined, fc.jsonValue()) : validValue(document, schema, ''),
    mutations: fc.oneof(
      { withCrossShrink: true },
      { weight: 2, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.array(mutation, { maxLength: 3 }) },
    ),
    spoil: rarely(8, 'none', fc.constantFrom(...Object.keys(SPOILS))),
    keyStyle: rarely(5, 'fresh', fc.constantFrom(...KEY_STYLES)),
    keyAt: fc.nat(),
    headers: rarely(5, [], oddHeaders()),
    upgrade: rarely(40, false, fc.constant(true)),
    contentType: rarely(15, 'application/json', fc.constantFrom(...CONTENT_TYPES)),
    method: rarely(20, operation.method, fc.constantFrom(...METHODS)),
    pathTail: rarely(40, '', fc.constantFrom(...PATH_TAILS)),
    chunked: rarely(10, false, fc.constant(true)),
  });
}

function oddHeaders(): fc.Arbitrary<HeaderLine[]> {
  return fc.array(fc.constantFrom(...ODD_HEADERS), { minLength: 1, maxLength: 3 });
}

/** A parameter: what is known, what its schema describes, something odd, or bytes that are no encoding of anything. */
function encoded(document: OpenApiDocument, operation: Operation, parameter: Parameter): fc.Arbitrary<Encoded> {
  const { name, schema } = parameter;
  const described = validValue(document, schema, name);
  const pool = poolOf(operation, parameter);
  const known = pool === null ? described : fc.nat().map((n) => new Reference(pool, n, schema.example ?? 'none'));
  const raw =
    parameter.in === 'path' ? fc.constantFrom(...RAW_SEGMENTS) : fc.constantFrom('%', '%ff', '%00', '+', '1e2');
  const value = (arbitrary: fc.Arbitrary<unknown>): fc.Arbitrary<Encoded> =>
    arbitrary.map((one) => ({ name, value: one, raw: null }));
  return fc.oneof(
    { weight: 14, arbitrary: value(known) },
    { weight: 3, arbitrary: value(described) },
    { weight: 2, arbitrary: value(foreignReference) },
    { weight: 2, arbitrary: value(nastyText) },
    { weight: 1, arbitrary: raw.map((text) => ({ name, value: null, raw: text })) },
  );
}

/** `/payments/{id}`: of `payments`. A cursor is mostly of the list that it is given to. */
function poolOf(operation: Operation, { in: place, name }: Parameter): string | null {
  if (name === 'cursor') return `cursors of ${operation.id}`;
  if (place !== 'path') return null;
  if (name === 'provider' || name === 'name') return 'providers';
  const segments = operation.path.split('/');
  return segments[segments.indexOf(`{${name}}`) - 1] ?? null;
}

export function requestOf(chosen: Plan, operations: readonly Operation[], memory: Memory): Planned | null {
  if (chosen.kind === 'replay') return replayOf(chosen, operations, memory);
  const { operation } = chosen;
  const values = new Map(chosen.path.map((one) => [one.name, segmentOf(one, memory)]));
  const path = operation.path.replaceAll(/\{([^}]+)\}/g, (_, name: string) => values.get(name) ?? '');
  const query = [
    ...chosen.query.map(({ name, value, raw }) => `${name}=${raw ?? encodeText(resolved(value, memory))}`),
    ...(chosen.queryTail === '' ? [] : [chosen.queryTail]),
  ].join('&');
  const value = chosen.mutations.reduce(mutated, resolved(chosen.body, memory));
  const written = value === undefined ? null : (SPOILS[chosen.spoil]?.(JSON.stringify(value)) ?? null);
  const bytes = typeof written === 'string' ? Buffer.from(written) : written;
  const hasBody = bytes !== null && chosen.method !== 'GET' && chosen.method !== 'HEAD';
  return {
    request: {
      method: chosen.method,
      target: `${path}${chosen.pathTail}${query === '' ? '' : `?${query}`}`,
      headers: [
        ...(operation.parameters.some(isKey) ? keyHeaders(chosen, memory) : []),
        ...(hasBody ? [['Content-Type', chosen.contentType] as const] : []),
        ...chosen.headers,
        ...(chosen.upgrade && chosen.method === 'GET' ? UPGRADE : []),
      ],
      body: hasBody ? bytes : null,
      chunked: chosen.chunked,
    },
    replay: null,
    bodyValue: hasBody && chosen.spoil === 'none' ? value : undefined,
  };
}

export function isKey({ in: place, name }: Parameter): boolean {
  return place === 'header' && name === 'Idempotency-Key';
}

function segmentOf({ value, raw }: Encoded, memory: Memory): string {
  return raw ?? encodeText(resolved(value, memory));
}

/** Halves of surrogate pairs have no encoding: U+FFFD stands for them. */
function encodeText(value: unknown): string {
  return encodeURIComponent((typeof value === 'string' ? value : JSON.stringify(value)).toWellFormed());
}

function keyHeaders({ keyStyle, keyAt }: CallPlan, memory: Memory): HeaderLine[] {
  const known = memory.pick(SENT_KEYS, keyAt) ?? memory.freshKey();
  switch (keyStyle) {
    case 'known':
      return [['Idempotency-Key', known]];
    case 'missing':
      return [];
    case 'alias':
      return [[keyAt % 2 === 0 ? 'x-idempotent-key' : 'X-Idempotency-Key', memory.freshKey()]];
    case 'quoted':
      return [['Idempotency-Key', `"${known}"`]];
    case 'two':
      return [
        ['Idempotency-Key', known],
        ['X-Idempotent-Key', memory.freshKey()],
      ];
    case 'twice':
      return [
        ['Idempotency-Key', known],
        ['Idempotency-Key', known],
      ];
    case 'odd':
      return [['Idempotency-Key', ODD_KEYS[keyAt % ODD_KEYS.length] ?? '']];
    default:
      return [['Idempotency-Key', memory.freshKey()]];
  }
}

/** Null while nothing was claimed, and where the body has no amount to change. */
function replayOf({ at, change }: ReplayPlan, operations: readonly Operation[], memory: Memory): Planned | null {
  const claim = memory.pickClaim(at);
  const operation = operations.find(({ id }) => id === claim?.operationId);
  if (claim === undefined || operation === undefined) return null;
  const value: unknown = JSON.parse(Buffer.from(claim.request.body ?? []).toString());
  const before = Reflect.get(Object(value), 'amount') as unknown;
  const other = { ...Object(value), amount: before === 1 ? 2 : 1 };
  const isSame = change === 'same';
  if (!isSame && !takesAmount(operation)) return null;
  return {
    request: isSame ? claim.request : { ...claim.request, body: Buffer.from(JSON.stringify(other)) },
    replay: { claim, change },
    bodyValue: isSame ? value : other,
  };
}

function takesAmount(operation: Operation): boolean {
  return (
    operation.responses['422']?.content?.['application/problem+json']?.examples?.idempotency_key_reused !== undefined
  );
}
