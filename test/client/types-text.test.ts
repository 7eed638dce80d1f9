/** The types that are printed from the OpenAPI document. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { OPERATIONS } from '../../client/src/generated.ts';
import { type JsonSchema, typeText } from '../../scripts/client/types-text.ts';

test.each<[JsonSchema, string]>([
  [{ type: 'integer', minimum: 1 }, 'number'],
  [{ type: ['string', 'null'], format: 'date-time' }, 'string | null'],
  [{ type: 'string', enum: ['a', 'b'] }, '"a" | "b"'],
  [{ const: true }, 'true'],
  [{ $ref: '#/components/schemas/Payment' }, 'Payment'],
  [{ type: 'array', items: { type: 'string' } }, 'string[]'],
  [{ type: 'array', items: { type: ['string', 'null'] } }, '(string | null)[]'],
  [{ type: 'object', additionalProperties: { type: 'string' } }, 'Record<string, string>'],
  [
    { type: 'object', properties: { a: { type: 'boolean' }, 'b-c': {} }, required: ['a'] },
    '{\n  a: boolean;\n  "b-c"?: unknown;\n}',
  ],
  [{ allOf: [{ $ref: '#/components/schemas/A' }, { type: 'object' }] }, 'A & Record<string, unknown>'],
  [{ allOf: [{ $ref: '#/components/schemas/A' }], type: ['object', 'null'] }, 'A & (Record<string, unknown> | null)'],
  [{ anyOf: [{ type: 'string' }, { type: 'number' }] }, '(string | number)'],
])('%j', (schema, text) => {
  expect(typeText(schema, '')).toBe(text);
});

test('a keyword that is not known is refused', () => {
  expect(() => typeText({ type: 'string', contentEncoding: 'base64' }, '')).toThrow('contentEncoding');
});

describe('what may be sent again', () => {
  const { paths } = JSON.parse(readFileSync('docs/openapi.json', 'utf8')) as {
    paths: Record<string, Record<string, { operationId: string; parameters?: { name: string }[] }>>;
  };
  const operations = Object.values(paths).flatMap((methods) => Object.entries(methods));

  test('is every operation with a key, and of those without one only what reads or takes away', () => {
    expect(Object.keys(OPERATIONS).sort()).toEqual(operations.map(([, { operationId }]) => operationId).sort());
    const repeated = Object.entries(OPERATIONS).filter(([, { method, resend }]) => method === 'POST' && resend);
    expect(repeated.map(([name]) => name).sort()).toEqual([
      'createPayment',
      'createRefund',
      'depositIntoWallet',
      'openWallet',
    ]);
    for (const [name, { method, resend }] of Object.entries(OPERATIONS)) {
      if (method !== 'POST') expect(resend, name).toBe(true);
    }
  });
});
