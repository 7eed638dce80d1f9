/** Keys, fingerprints and differences over arbitrary input. HOLDFAST_SEED repeats a run. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { differingFields, fingerprint, readIdempotencyKey } from '../../src/domain/idempotency.ts';

const RUN = {
  seed: Number(process.env.HOLDFAST_SEED ?? 20261124),
  numRuns: Number(process.env.HOLDFAST_RUNS ?? 2_000),
};
const visible = fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code));
const key = fc.string({ unit: visible, minLength: 1, maxLength: 255 });
const body = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ stringUnit: 'grapheme', maxDepth: 3 }));

/** The same JSON value with the members of every object in reverse order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, member]) => [name, reversed(member)]),
  );
}

test('every key and its quoted form are the same key', () => {
  fc.assert(
    fc.property(key, (text) => {
      const quoted = `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
      expect(readIdempotencyKey([quoted])).toEqual({ ok: true, key: text });
      if (!text.startsWith('"')) {
        expect(readIdempotencyKey([text])).toEqual({ ok: true, key: text });
        expect(readIdempotencyKey([text, null, quoted])).toEqual({ ok: true, key: text });
      }
    }),
    RUN,
  );
});

test('whatever is taken is 1 to 255 visible ASCII characters', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.string({ unit: visible, maxLength: 300 })),
      (text) => {
        const result = readIdempotencyKey([text]);
        if (result.ok) expect(result.key).toMatch(/^[\x21-\x7e]{1,255}$/);
        else expect(result.code).toBe('idempotency_key_invalid');
      },
    ),
    RUN,
  );
});

test('reordered and reformatted JSON has the same fingerprint and no differing field', () => {
  fc.assert(
    fc.property(body, (value) => {
      const other = JSON.parse(JSON.stringify(reversed(value), null, 2)) as Record<string, unknown>;
      expect(fingerprint(other)).toBe(fingerprint(value));
      expect(differingFields(value, other)).toEqual([]);
    }),
    RUN,
  );
});

test('two bodies have one fingerprint exactly when no field differs, whichever is stored', () => {
  fc.assert(
    fc.property(body, body, fc.boolean(), (left, other, same) => {
      const right = same ? { ...left } : { ...left, ...other };
      const fields = differingFields(left, right);
      expect(fields.length === 0).toBe(fingerprint(left) === fingerprint(right));
      expect(differingFields(right, left)).toEqual(fields);
    }),
    RUN,
  );
});
