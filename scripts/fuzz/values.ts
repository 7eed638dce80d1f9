/**
 * Pure: fast-check arbitraries for values: what a schema of the document describes, what almost is that, and what nobody
 * expects. A value may hold a `Reference`, which becomes an id of the memory when it is sent. Called by requests.ts.
 */
import fc from 'fast-check';
import { type OpenApiDocument, resolveSchema, type Schema } from './document.ts';
import { collectionOf, isRecord, type Memory } from './memory.ts';

/** Stands for one of the values that earlier answers told; `otherwise` when there is none yet. */
export class Reference {
  readonly pool: string;
  readonly n: number;
  readonly otherwise: unknown;
  /** Almost it: a letter more, less, or other than what was told. */
  readonly bend: 'none' | 'longer' | 'shorter' | 'other';

  constructor(pool: string, n: number, otherwise: unknown, bend: Reference['bend'] = 'none') {
    this.pool = pool;
    this.n = n;
    this.otherwise = otherwise;
    this.bend = bend;
  }
}

/** An id of any collection, given where one of another is wanted, or almost an id. */
export const foreignReference: fc.Arbitrary<Reference> = fc
  .record({
    pool: fc.constantFrom('payments', 'refunds', 'wallets', 'webhook-endpoints', 'idempotency-keys', 'cursors'),
    n: fc.nat(),
    bend: fc.constantFrom('none', 'longer', 'shorter', 'other'),
  })
  .map(({ pool, n, bend }) => new Reference(pool, n, 'none', bend));

/**
 * Values that lead deep, by the name of the member: what a schema cannot say. URLs are of this machine's discard port: nothing
 * that is fuzzed is ever sent to anyone.
 */
const KNOWN_VALUES: Readonly<Record<string, readonly unknown[]>> = {
  url: ['http://127.0.0.1:9/hook', 'http://localhost:9/a?b=c', 'https://127.0.0.1:9/', 'http://[::1]:9/hook'],
  // One currency mostly: what is in another is refused by the wallets that are there.
  currency: [...often('USD', 10), 'EUR', 'CLP', 'KWD'],
  amount: [1, 2, 10, 100, 999, 1230, 5_000, 9_999, 9_000_000_000_000_000],
  // A breaker that is forced open ends most stories early.
  state: [...often('automatic', 4), ...often('closed', 4), 'open'],
  wallet_id: ['wal-1234', 'wal-1', 'wal-2', 'wal-3'],
  provider: ['acme', 'borealis'],
  name: ['acme', 'borealis', 'stripe', 'mercado-pago'],
  deadline: ['2026-01-01T00:00:00Z', ...often('2099-01-01T00:00:00+02:00', 8)],
  token: [
    ...often('pm_card_visa', 8),
    'pm_card_visa_chargeDeclined',
    'pm_sim_pending',
    'pm_sim_pending_decline',
    'pm_sim_timeout_after_success',
    'pm_sim_timeout_before',
    'pm_sim_debit_fail',
    'pm_sim_lost',
    'pm_card_pendingRefund',
    'pm_card_refundFail',
    'pm_sim_primary_down',
  ],
};

function often<Value>(value: Value, times: number): Value[] {
  return Array.from({ length: times }, () => value);
}

const NASTY_TEXTS: readonly string[] = [
  '',
  ' ',
  '\u0000',
  '\r\nX-Injected: 1',
  'null',
  'true',
  '0',
  '-1',
  '1e400',
  '../../etc/passwd',
  "' OR 1=1 --",
  '%00',
  '%s%n',
  '<script>alert(1)</script>',
  '{{7*7}}',
  '__proto__',
  'constructor',
  'toString',
  'é',
  'e\u0301',
  '\u202ertl',
  '👩‍👩‍👧‍👦',
  '\ud83d',
  '\udc00',
  '\ufeff',
  '\u2028',
  '4242424242424242',
  '4242 4242 4242 4242',
  'pay_',
  `pay_${'0'.repeat(43)}`,
  `pay_${'z'.repeat(43)}`,
  'a'.repeat(65),
  'a'.repeat(1_000),
  '😀'.repeat(300),
];
const NASTY_NUMBERS: readonly number[] = [
  0,
  -0,
  -1,
  0.5,
  1e-7,
  1.5,
  2 ** 31,
  2 ** 53,
  2 ** 53 + 2,
  9e15,
  9e15 + 1,
  1e308,
];

export const nastyText: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...NASTY_TEXTS) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
);

/** Any JSON value; the odder the likelier. */
export const wildValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: nastyText },
  { weight: 2, arbitrary: fc.constantFrom<unknown>(...NASTY_NUMBERS) },
  { weight: 2, arbitrary: fc.constantFrom<unknown>(null, true, false, [], {}, [[]], { a: {} }, ['USD']) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
);

/** What the schema describes; `name`: of the member or parameter that it is for. */
export function validValue(document: OpenApiDocument, given: Schema, name: string): fc.Arbitrary<unknown> {
  const schema = resolveSchema(document, given);
  const known = (KNOWN_VALUES[name] ?? []).filter((value) => schema.enum?.includes(value) ?? true);
  const plain = plainValue(document, schema, name);
  const described =
    known.length === 0
      ? plain
      : fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...known) }, { weight: 1, arbitrary: plain });
  const pool = poolOf(name);
  if (pool === null) return described;
  const reference = fc.tuple(fc.nat(), described).map(([n, otherwise]) => new Reference(pool, n, otherwise));
  return fc.oneof({ weight: 6, arbitrary: reference }, { weight: 1, arbitrary: described });
}

/** The pool that a member's or a query parameter's values are taken from. */
function poolOf(name: string): string | null {
  if (name === 'provider') return 'providers';
  return name.endsWith('_id') && name !== 'wallet_id' ? collectionOf(name.slice(0, -3)) : null;
}

function plainValue(document: OpenApiDocument, schema: Schema, name: string): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return fc.oneof(...choices.map((choice) => validValue(document, choice, name)));
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  switch (type) {
    case 'object':
      return objectValue(document, schema);
    case 'array':
      return fc.array(validValue(document, schema.items ?? {}, name), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(schema.maxItems ?? 3, (schema.minItems ?? 0) + 3),
      });
    case 'integer':
    case 'number':
      return integerValue(schema.minimum ?? 0, schema.maximum ?? 1_000_000);
    case 'boolean':
      return fc.boolean();
    case 'string':
      return textValue(schema);
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

function objectValue(document: OpenApiDocument, schema: Schema): fc.Arbitrary<unknown> {
  const entries = Object.entries(schema.properties ?? {});
  if (entries.length > 0) {
    return fc.record(Object.fromEntries(entries.map(([name, member]) => [name, validValue(document, member, name)])), {
      requiredKeys: (schema.required ?? []).filter((name) => schema.properties?.[name] !== undefined),
    });
  }
  const members = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : {};
  const names = fc.stringMatching(/^[a-z_]{1,12}$/);
  return fc.dictionary(names, validValue(document, members, ''), { maxKeys: Math.min(schema.maxProperties ?? 4, 22) });
}

function integerValue(min: number, max: number): fc.Arbitrary<number> {
  return fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min, max: Math.min(max, min + 5_000) }) },
    { weight: 1, arbitrary: fc.constantFrom(min, max) },
  );
}

function textValue(schema: Schema): fc.Arbitrary<string> {
  const example = typeof schema.example === 'string' ? [fc.constant(schema.example)] : [];
  if (schema.format === 'date-time') {
    const instants = fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true });
    return fc.oneof(
      ...example,
      instants.map((date) => date.toISOString()),
    );
  }
  const bounds = { minLength: schema.minLength ?? 0, maxLength: Math.min(schema.maxLength ?? 64, 600) };
  const texts = fc.oneof(
    { weight: 4, arbitrary: fc.string({ ...bounds, unit: 'grapheme-ascii' }) },
    { weight: 1, arbitrary: fc.string({ ...bounds, unit: 'binary' }) },
  );
  if (schema.pattern === undefined) return fc.oneof(...example, texts);
  return fc.oneof(...example, matching(new RegExp(schema.pattern, 'u'), texts));
}

function matching(pattern: RegExp, texts: fc.Arbitrary<string>): fc.Arbitrary<string> {
  try {
    return fc.stringMatching(pattern);
  } catch {
    // Unicode properties are beyond fast-check: taken from texts that match by themselves often enough.
    return texts.filter((text) => pattern.test(text));
  }
}

/** With every reference replaced by what it stands for now. */
export function resolved(value: unknown, memory: Memory): unknown {
  if (value instanceof Reference) {
    const told = memory.pick(value.pool, value.n);
    return told === undefined ? resolved(value.otherwise, memory) : bent(told, value);
  }
  if (Array.isArray(value)) return value.map((item) => resolved(item, memory));
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, resolved(member, memory)]));
}

function bent(text: string, { bend, n }: Reference): string {
  const at = n % Math.max(1, text.length);
  switch (bend) {
    case 'none':
      return text;
    case 'longer':
      return `${text.slice(0, at)}0${text.slice(at)}`;
    case 'shorter':
      return text.slice(0, at) + text.slice(at + 1);
    case 'other':
      return text.slice(0, at) + (text[at] === '0' ? '1' : '0') + text.slice(at + 1);
  }
}
